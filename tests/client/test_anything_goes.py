"""Whatever a server sends, what comes out is an answer or an error of this package."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from typing import Any

import pytest
from fake_dataworks import xml_answer
from hypothesis import given, settings
from hypothesis import strategies as st

from airflow_provider_dataworks.client.auth.credentials import Credentials, redact
from airflow_provider_dataworks.client.auth.signing import canonical_query, flat
from airflow_provider_dataworks.client.config import API_VERSIONS, endpoint
from airflow_provider_dataworks.client.http.decoding import Reply, clock_skew, decode, retry_after
from airflow_provider_dataworks.client.http.responses import parse
from airflow_provider_dataworks.client.operations import APIS, Api, Call
from airflow_provider_dataworks.exceptions import DataWorksError, DataWorksInvalidRequest
from airflow_provider_dataworks.values import int64

quick = settings(deadline=None, max_examples=100, database=None, derandomize=True)
HEADERS = ("x-acs-retry-after", "x-ratelimit-user-api", "x-ratelimit-user", "retry-after", "date")
header_values = st.one_of(
    st.text(max_size=40),
    st.from_regex(r"TimeLeft: ?-?[0-9]{0,30}", fullmatch=True),
    st.from_regex(r"-?[0-9]{1,30}(\.[0-9])?", fullmatch=True),
    st.from_regex(
        r"(Mon|Xxx), [0-9]{1,3} (Jan|Feb|Xxx) [0-9]{1,20} [0-9]{1,3}:[0-9]{2}:[0-9]{1,20} ([+-][0-9]{2,20}|GMT|)",
        fullmatch=True,
    ),
)
fields = st.sampled_from(
    [
        *("RequestId", "Success", "success", "Code", "code", "ErrorCode", "Message"),
        *("Data", "PagingInfo", "DIJobPaging", "PageResult", "TotalCount", "DIJobs", "DIJob"),
        *("Id", "DIJobId", "JobStatus", "ProjectId", "JobName", "Name", "ErrorMessage", "JobType"),
    ]
)
values = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=10), st.sampled_from(["Running"])),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(fields, inner, max_size=5)),
    max_leaves=12,
)
payloads = st.dictionaries(fields, values, max_size=6)
statuses = st.sampled_from([200, 204, 302, 400, 401, 403, 404, 429, 500, 503])
CALLS: dict[str, Callable[[Api], Call[Any]]] = {
    "StopDIJob": lambda api: api.StopDIJob(1),
    "GetDIJob": lambda api: api.GetDIJob(1),
    "ListDIJobs": lambda api: api.ListDIJobs(1, None, 1),
    "ListProjects": lambda api: api.ListProjects(),
}


def outcome(work: Callable[[], Any]) -> Any:
    """The result, or the error of this package; any other error goes through."""
    try:
        return work()
    except DataWorksError as error:
        return error


def assert_read_or_refused(call: Call[Any], reply: Reply) -> None:
    """Nothing comes out but a result or an error that says what was asked."""
    found = outcome(lambda: call.read(call.action, parse(call.action, call.di_job_id, reply)))
    if isinstance(found, DataWorksError):
        assert str(found)
        assert found.action == call.action


@quick
@given(st.binary(max_size=200))
def test_any_bytes_are_decoded_or_are_nothing(body: bytes):
    """No body makes the decoder fail."""
    for prefix in (b"", b"<", b"<?xml version='1.0'?>", b"{", b"<R>"):
        found = decode(Reply(200, {}, prefix + body, 0.0))

        assert found is None or isinstance(found, dict)


@quick
@given(st.dictionaries(st.sampled_from(HEADERS), header_values))
def test_any_headers_give_a_sensible_wait_or_none(headers: dict[str, str]):
    """A hint is a finite number of seconds from 0 on, whatever stands in the headers."""
    reply = Reply(429, headers, b"", 0.0)
    wait, skew = retry_after(reply), clock_skew(reply)

    assert wait is None or 0 <= wait < math.inf
    assert skew is None or math.isfinite(skew)


@pytest.mark.parametrize("version", API_VERSIONS)
@pytest.mark.parametrize("operation", CALLS)
@quick
@given(payloads, statuses, st.booleans())
def test_any_answer_is_read_or_refused(
    operation: str, version: str, payload: dict[str, Any], status: int, as_xml: bool
):
    """Wrong types and missing fields in any combination are told, never stumbled over."""
    body = xml_answer("R", payload).content if as_xml else json.dumps(payload).encode()
    assert_read_or_refused(CALLS[operation](APIS[version]), Reply(status, {}, body, 0.0))


@pytest.mark.parametrize("depth", [50, 300, 500, 700, 800, 900, 940, 960, 980, 1000, 2000])
@pytest.mark.parametrize("kind", ["json", "xml"])
def test_an_answer_of_any_depth_is_read_or_refused(kind: str, depth: int):
    """Nesting that is just short of too deep is no trap."""
    if kind == "json":
        inner = '{"a":' * depth + "1" + "}" * depth
        body = f'{{"RequestId": "R", "DIJobPaging": {{"TotalCount": 1, "DIJobs": {inner}}}}}'
    else:
        inner = "<a>" * depth + "</a>" * depth
        body = f"<R><DIJobPaging><TotalCount>1</TotalCount><DIJobs>{inner}</DIJobs></DIJobPaging></R>"
    assert_read_or_refused(CALLS["ListDIJobs"](APIS["2020-05-18"]), Reply(200, {}, body.encode(), 0.0))


@quick
@given(st.text(max_size=40))
def test_any_text_is_a_host_or_refused_by_name(text: str):
    """Whatever is typed into the host field, the answer is an https endpoint or a refusal that names the field."""
    found = outcome(lambda: endpoint(host=text or "x"))
    if isinstance(found, DataWorksInvalidRequest):
        assert str(found).startswith(("host: ", "port: "))
    else:
        assert found.startswith(("https://", "http://localhost", "http://127.", "http://["))
        assert found.isascii()
        assert not set(found.partition("://")[2]) & set("/?#@\\ \t\r\n")


@quick
@given(st.one_of(st.text(max_size=30), st.integers(), st.floats(), st.none(), st.binary()))
def test_any_value_is_an_id_or_refused_by_name(value: Any):
    """An id that passes is a positive 64-bit number."""
    found = outcome(lambda: int64(value, "di_job_id"))
    if isinstance(found, DataWorksInvalidRequest):
        assert str(found).startswith("di_job_id: ")
    else:
        assert 0 < found < 2**63


@quick
@given(st.dictionaries(st.text(max_size=10), values, max_size=5))
def test_any_parameters_become_plain_ascii(params: dict[str, Any]):
    """What is signed is ASCII, and its order is that of the names."""
    pairs = flat(params)
    query = canonical_query(pairs)

    assert query.isascii()
    assert query.count("=") == len(pairs)
    assert all(isinstance(value, str) for value in pairs.values())


@quick
@given(st.text("abcXYZ019+/=.-_~*%&\\\"'<>", min_size=6, max_size=30), st.text(max_size=20))
def test_any_key_is_blanked_out_wherever_it_stands(secret: str, around: str):
    """A key of any characters that keys can have leaves no trace in a text."""
    keys = Credentials("id", secret)
    body = f"{around}{secret}{around}".encode(errors="replace")

    assert secret.encode() not in redact(body, keys).replace(b"***", b"\x00")
