"""Whatever a service answers, callers of the hook get safe values or an error of this package, in bounded time."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from emulated import JOB, Clock, on_clock
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from raw_server import raw_server
from safe import assert_safe, assert_safe_error

from airflow_provider_dataworks.exceptions import (
    DataWorksAuthError,
    DataWorksError,
    DataWorksUnavailable,
    DIJobFailed,
)
from airflow_provider_dataworks.hooks.dataworks import DataWorksHook

# Half an emoji, a line end, ESC, C1, what turns writing around, both separators, NUL; and one that is whole.
ODD = "stream \ud83d\n\x1b[31m\x9b\u202e\u2066\u2028\u2029\x00 \U0001f600"
# What stands for a job's id and is none.
NO_IDS = [
    *("11668.7", "11668.0", "true", "null", '""', "[11668]", "{}", "1e4", "1.1668e4", "NaN", "Infinity", "-11668", "0"),
    *('"11_668"', '" 11668"', '"11668 "', '"11668\\n"', '"+11668"', '"0x2d94"', '"\uff11\uff11\uff16\uff16\uff18"'),
    *(str(2**63), str(2**70), "9" * 400, "9" * 5000, f'"{2**63}"', f'"{"9" * 5000}"'),
]


def job(**fields: Any) -> dict[str, Any]:
    """GetDIJob's answer with these fields."""
    data = {"DIJobId": JOB, "ProjectId": 1967, "JobName": "orders", "JobStatus": "Running", **fields}
    return {"RequestId": "R-1", "Data": data}


class Answers:
    """What the server says from now on, again and again; called with an answer, it says that."""

    def __init__(self) -> None:
        self.said = b""
        self.asked: list[bytes] = []

    def __call__(self, body: Any, status: int = 200, headers: dict[str, str] | None = None) -> None:
        raw = body if isinstance(body, bytes) else json.dumps(body).encode()
        lines = {"Content-Length": str(len(raw)), "Connection": "close", **(headers or {})}
        head = "".join(f"{name}: {value}\r\n" for name, value in lines.items())
        self.said = f"HTTP/1.1 {status} Odd\r\n{head}\r\n".encode("latin-1") + raw
        self.asked.clear()

    def respond(self, request: bytes) -> Iterator[bytes]:
        """Answer one request."""
        self.asked.append(request)
        yield self.said


@pytest.fixture
def answer(monkeypatch: pytest.MonkeyPatch) -> Iterator[Answers]:
    """Be the server of the connection."""
    found = Answers()
    with raw_server(found.respond) as port:
        connection = {"conn_type": "dataworks", "login": "LTAIinvented", "password": "invented", "port": port}
        extra = {"max_qps": 1000, "read_timeout": 30}
        text = json.dumps({**connection, "host": "http://127.0.0.1", "extra": extra})
        monkeypatch.setenv("AIRFLOW_CONN_DATAWORKS_DEFAULT", text)
        yield found


@pytest.fixture
def hook(answer: Answers, clock: Clock) -> DataWorksHook:
    """A hook of that connection, living by the test's clock."""
    return on_clock(DataWorksHook(), clock)


def test_odd_texts_are_made_safe(hook: DataWorksHook, answer: Answers) -> None:
    """Names, texts and a status that nobody documents; also in the raw fields, and in the names of those."""
    fields = {"JobName": ODD, "ErrorMessage": ODD * 1000, "JobStatus": f"Run{ODD}", "JobType": ODD, f"X{ODD}": [ODD]}
    answer(job(**fields))

    found = hook.get_di_job(JOB)

    assert found.name == "stream \ufffd \ufffd[31m\ufffd\ufffd\ufffd  \ufffd \U0001f600"
    assert_safe([found.status, found.name, found.error_message, found.job_type, dict(found.raw)])
    assert len(found.status) <= 60
    assert len(found.error_message or "") == 2000


@pytest.mark.parametrize("written", NO_IDS, ids=lambda written: written[:20])
def test_what_is_no_id_is_taken_for_none(hook: DataWorksHook, answer: Answers, written: str) -> None:
    """A job of such an id is not the one that was asked for."""
    answer(json.dumps(job()).replace(str(JOB), written, 1).encode())

    with pytest.raises(DataWorksUnavailable) as caught:
        hook.get_di_job(JOB)

    assert_safe_error(caught.value)


@pytest.mark.parametrize("written", ["11668", '"11668"', '"0011668"'])
def test_an_id_may_be_a_number_or_its_digits(hook: DataWorksHook, answer: Answers, written: str) -> None:
    """XML knows only text."""
    answer(json.dumps(job()).replace(str(JOB), written, 1).encode())

    assert hook.get_di_job(JOB).id == JOB


@pytest.mark.parametrize(
    "written", [*(text for text in NO_IDS if text != "9" * 5000), '"98330x"'], ids=lambda written: written[:20]
)
def test_a_workspace_that_cannot_be_is_none(hook: DataWorksHook, answer: Answers, written: str) -> None:
    """It only lets waits share their looks: a job without it can still be stopped and waited for."""
    answer(json.dumps(job()).replace("1967", written, 1).encode())

    assert hook.get_di_job(JOB).project_id is None


@pytest.mark.parametrize("total", [10**18, 2**70, 10**7, -1, 1.5, True, "1_000", None], ids=repr)
def test_a_total_that_cannot_be_ends_a_list(hook: DataWorksHook, answer: Answers, total: Any) -> None:
    """Although each page holds a job."""
    page = {"TotalCount": total, "DIJobs": [job()["Data"]]}
    answer({"RequestId": "R", "DIJobPaging": page})

    with pytest.raises(DataWorksUnavailable, match="TotalCount"):
        hook.list_di_jobs(1967)

    assert len(answer.asked) <= 6


def test_pages_that_never_reach_their_total_end(hook: DataWorksHook, answer: Answers) -> None:
    """A server that shows the same job for ever."""
    answer({"RequestId": "R", "DIJobPaging": {"TotalCount": 900_000, "DIJobs": [job()["Data"]]}})

    with pytest.raises(DataWorksUnavailable, match="21 pages told 1 DI jobs of 900000"):
        hook.list_di_jobs(1967)

    assert len(answer.asked) == 21


def test_a_list_with_a_job_that_cannot_be_read_is_none(hook: DataWorksHook, answer: Answers) -> None:
    """Left out, it would look deleted."""
    jobs = [job()["Data"], {**job()["Data"], "DIJobId": 11668.7}]
    answer({"RequestId": "R", "DIJobPaging": {"TotalCount": 2, "DIJobs": jobs}})

    with pytest.raises(DataWorksUnavailable, match="1 DI jobs of page 1"):
        hook.list_di_jobs(1967)


def test_a_request_id_has_an_end(hook: DataWorksHook, answer: Answers) -> None:
    """And holds nothing that a support's form would not take."""
    answer({"RequestId": "R" * 5_000_000})
    assert hook.stop_di_job(JOB) == f"{'R' * 97}..."

    answer({"RequestId": ODD})
    found = hook.stop_di_job(JOB)
    assert found.isascii()
    assert_safe(found)


@pytest.mark.parametrize("status", [400, 403, 429, 500, 503])
def test_an_error_holds_only_safe_text(hook: DataWorksHook, answer: Answers, status: int) -> None:
    """Code, message, request id and what RAM denied."""
    denied = {"AuthAction": ODD * 100, "NoPermissionType": ODD, "PolicyType": "x" * 10**6}
    body = {"RequestId": ODD * 1000, "Code": ODD * 1000, "Message": ODD * 1000, "AccessDeniedDetail": denied}
    answer(body, status)

    with pytest.raises(DataWorksError) as caught:
        hook.get_di_job(JOB)

    assert_safe_error(caught.value)


def test_a_failed_jobs_own_text_is_safe(hook: DataWorksHook, answer: Answers) -> None:
    """It becomes the error of the task."""
    answer(job(JobStatus="Failed", ErrorMessage=ODD))

    with pytest.raises(DIJobFailed, match="stream \ufffd") as caught:
        hook.wait_until_stopped(JOB, timeout=60, poll_interval=15)

    assert_safe_error(caught.value)


def test_headers_reach_an_error_only_in_safe_words(hook: DataWorksHook, answer: Answers) -> None:
    """Of the content type its two words: a gateway may echo a request in the rest."""
    for told, kind in (
        ("text/html; charset=\x9b31m", "text/html"),
        ("TEXT/HTML;SecurityToken=CAIS", "text/html"),
        ("x" * 3000, "no content type"),
    ):
        answer(b"<html>", 502, {"Content-Type": told.replace("\x9b", "?")})
        with pytest.raises(DataWorksUnavailable) as caught:
            hook.get_di_job(JOB)

        assert f"({kind}, 6 bytes)" in str(caught.value)


FAR_DATES = [
    *("Wed, 01 Jan 2098 00:00:00 GMT", "Fri, 01 Jan 1700 00:00:00 GMT", "31 Dec 9999 23:59:59 -2300"),
    *("01 Jan 0001 00:00:00 +2300", "Mon, 00 Jan 0000 00:00:00 GMT", "1 Jan 0 0:0:0", "1 Jan 2026 00:00:00 +9999"),
    *("1 Jan 2026 00:00:00 -99999999999", "Thu, 19 Nov 2026 12:00:00 GMT", "x" * 5000, "1 1 1 1 1"),
]


@pytest.mark.parametrize("date", FAR_DATES, ids=lambda date: date[:40])
def test_a_date_that_no_clock_can_have_corrects_none(hook: DataWorksHook, answer: Answers, date: str) -> None:
    """Nothing is signed for another year, and later calls go on by our own clock."""
    body = {"RequestId": "R", "Code": "InvalidTimeStamp.Expired", "Message": "expired."}
    answer(body, 400, {"Date": date})

    with pytest.raises(DataWorksAuthError) as caught:
        hook.get_di_job(JOB)

    assert caught.value.clock_skew is None
    assert_safe_error(caught.value)


def test_a_clock_that_is_off_by_more_than_a_day_says_what_to_do(hook: DataWorksHook, answer: Answers) -> None:
    """Either is wrong: this machine, or whoever answers."""
    body = {"RequestId": "R", "Code": "InvalidTimeStamp.Expired", "Message": "expired."}
    answer(body, 400, {"Date": "Wed, 01 Jan 2098 00:00:00 GMT"})

    with pytest.raises(DataWorksAuthError, match=r"off by more than a day from ours.*compare this machine's clock"):
        hook.get_di_job(JOB)
    assert len(answer.asked) == 1

    answer(job())
    assert hook.get_di_job(JOB).id == JOB
    assert b"2026-" in answer.asked[0]


# Answers that would take long


def nested(depth: int, left: str, right: str) -> bytes:
    """Something inside itself."""
    return (left * depth + right * depth).encode()


SLOW = {
    "repeated elements": b"<R>" + b"<A>1</A>" * 900_000 + b"</R>",
    "repeated elements of two kinds": b"<R>" + b"<A/><B/>" * 900_000 + b"</R>",
    "many elements": b"<R>" + b"".join(b"<A%d/>" % n for n in range(500_000)) + b"</R>",
    "many attributes": b"<R " + b" ".join(b'a%d="1"' % n for n in range(400_000)) + b"/>",
    "attributes of many": b"<R>" + b'<A a="1" b="2" c="3"/>' * 300_000 + b"</R>",
    "namespaces": b"<R>" + b"".join(b'<A xmlns:n%d="u%d"/>' % (n, n) for n in range(150_000)) + b"</R>",
    "long text": b"<R><A>" + b"x" * 7_000_000 + b"</A></R>",
    "odd long text": b"<R><A>" + "\u2028\u202e".encode() * 1_100_000 + b"</A></R>",
    "character references": b"<R><A>" + b"&#65;" * 1_400_000 + b"</A></R>",
    "comments": b"<R>" + b"<!---->" * 1_000_000 + b"</R>",
    "deep xml": nested(1_000_000, "<a>", "</a>"),
    "deep json": nested(3_000_000, "[", "]"),
    "deep json objects": nested(1_000_000, '{"a":', "}"),
    "long number": b'{"A": ' + b"9" * 7_000_000 + b"}",
    "many numbers": b'{"A": [' + b"99999999999999999999999," * 290_000 + b"1]}",
    "long float": b'{"A": 0.' + b"9" * 7_000_000 + b"}",
    "many jobs": b'{"RequestId":"R","Data":[' + b'{"Id":1,"JobStatus":"a"},' * 280_000 + b"1]}",
    "one name": b"{" + b'"A":1,' * 1_000_000 + b'"A":1}',
    "escapes": b'{"A": "' + b"\\ud83d" * 1_100_000 + b'"}',
    "utf-16": json.dumps(job()).encode("utf-16") + b"\0" * 7_000_000,
    "no utf-8": b"\xff\xfe\x80" * 2_500_000,
    "zeros": b"\0" * 8_000_000,
    "spaces": b" " * 8_000_000,
}


@pytest.mark.parametrize("body", SLOW.values(), ids=SLOW)
def test_no_answer_takes_long(hook: DataWorksHook, answer: Answers, body: bytes) -> None:
    """The largest that is read takes seconds at worst: time grows with the size and no faster."""
    answer(body)
    client = hook.new_client(patience=0)
    begun = time.process_time()

    with pytest.raises(DataWorksUnavailable) as caught:
        client.get_di_job(JOB)

    # Together with the emulator, which sends it, on a machine that may be busy.
    assert time.process_time() - begun < 6
    assert_safe_error(caught.value)


@pytest.mark.parametrize("name", ["Id", "JobStatus", "RequestId"])
def test_an_answer_that_says_two_things_under_one_name_is_none(hook: DataWorksHook, answer: Answers, name: str) -> None:
    """Whoever reads it otherwise would stop another job than we do."""
    text = json.dumps({"RequestId": "R", "Data": {"Id": JOB, "DIJobId": JOB, "JobStatus": "Running"}})
    value = {"Id": f'"Id": {JOB}', "JobStatus": '"JobStatus": "Running"', "RequestId": '"RequestId": "R"'}[name]

    answer(text.replace(value, f'{value}, "{name}": "Stopped"').encode())
    with pytest.raises(DataWorksUnavailable):
        hook.get_di_job(JOB)

    answer(text.replace(value, f"{value}, {value}").encode())
    assert hook.get_di_job(JOB).id == JOB


@pytest.mark.parametrize(
    "spell",
    [
        lambda text: b"\xef\xbb\xbf" + text.encode(),
        lambda text: text.replace("orders", "\u8ba2\u5355").encode(),
        lambda text: text.encode().replace(b"orders", b"\xff\x80"),
    ],
    ids=["byte order mark", "chinese", "broken utf-8 in a name"],
)
@pytest.mark.parametrize("kind", ["json", "xml"])
def test_what_can_be_read_is_read(
    hook: DataWorksHook, answer: Answers, spell: Callable[[str], bytes], kind: str
) -> None:
    """A broken name is no reason to know nothing of a job."""
    fields = "".join(f"<{name}>{value}</{name}>" for name, value in job()["Data"].items())
    text = json.dumps(job()) if kind == "json" else f"<?xml version='1.0'?><R><Data>{fields}</Data></R>"

    answer(spell(text))

    found = hook.get_di_job(JOB)
    assert (found.id, found.status) == (JOB, "Running")
    assert_safe(found.name)


# Anything at all

pieces = st.sampled_from(
    [
        *(b"{", b"}", b"[", b"]", b":", b",", b'"', b"\\ud83d", b"\\u0000", b"<", b"</", b">", b"/>", b"<R>", b"</R>"),
        *(b"RequestId", b"Data", b"DIJobPaging", b"TotalCount", b"DIJobs", b"DIJobId", b"JobStatus", b"Code"),
        *(
            b"Success",
            b"false",
            b"true",
            b"null",
            b"NaN",
            b"1e999",
            b"11668",
            b"9" * 30,
            b"Running",
            b"&#10;",
            b"&#x85;",
        ),
        *(
            b"\xef\xbb\xbf",
            b"\xff\xfe",
            b"\x00",
            b"\x1b",
            b"<!DOCTYPE",
            b"<?xml version='1.0' encoding='utf-7'?>",
            b" ",
        ),
    ]
)
bodies = st.one_of(st.binary(max_size=300), st.lists(pieces, max_size=60).map(b"".join))
HEADER = st.text(st.characters(min_codepoint=32, max_codepoint=126), min_size=1, max_size=80).filter(str.strip)
heads = st.dictionaries(
    st.sampled_from(["Content-Type", "Retry-After", "x-acs-retry-after", "x-ratelimit-user", "x-acs-request-id"]),
    HEADER,
)


@settings(
    max_examples=150,
    deadline=None,
    database=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(body=bodies, status=st.sampled_from([200, 201, 204, 302, 400, 404, 429, 500, 503]), headers=heads)
def test_any_answer_becomes_a_safe_value_or_an_error_of_ours(
    hook: DataWorksHook, answer: Answers, body: bytes, status: int, headers: dict[str, str]
) -> None:
    """By any method of the hook that asks something."""
    answer(body, status, headers)
    for ask in (
        lambda: hook.get_di_job(JOB).raw,
        lambda: [dict(found.raw) for found in hook.list_di_jobs(1967)],
        lambda: hook.stop_di_job(JOB),
        lambda: list(hook.test_connection()),
    ):
        try:
            found = ask()
        except DataWorksError as error:
            assert_safe_error(error)
        else:
            for text in found if isinstance(found, list) else [found]:
                assert_safe(text.replace("\n", " ") if isinstance(text, str) else text)
