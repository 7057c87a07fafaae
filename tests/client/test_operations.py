"""What can be asked: method, place and names of the parameters, and refusal of bad input before anything is sent."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import pytest

from airflow_provider_dataworks.client.config import API_2020, API_2024, API_VERSIONS
from airflow_provider_dataworks.client.operations import APIS, Api, Call
from airflow_provider_dataworks.exceptions import DataWorksInvalidRequest
from airflow_provider_dataworks.values import int64, seconds

BAD_IDS = [
    0,
    -1,
    2**63,
    10**25,
    True,
    1.0,
    None,
    b"11668",
    [11668],
    "",
    " ",
    "0",
    "-1",
    "+1",
    "1.0",
    "1e3",
    "0x1F",
    "11 668",
    "11668; DROP",
    "11_668",
    "٣",
    "²",
    "9223372036854775808",
    "9" * 5000,
    "{{ params.job }}",
    "None",
]
versions = pytest.mark.parametrize("version", API_VERSIONS)


@pytest.mark.parametrize("value", [1, 11668, 2**63 - 1, "11668", " 11668 ", "9223372036854775807", "007"])
def test_ids_are_numbers_or_their_digits(value: int | str):
    """Templates give text, so digits in text are an id too."""
    assert int64(value, "di_job_id") == int(value)


@pytest.mark.parametrize("value", BAD_IDS, ids=lambda value: ascii(value)[:30])
def test_anything_else_is_no_id(value: Any):
    """The refusal names the parameter and says what it must be."""
    with pytest.raises(DataWorksInvalidRequest, match=r"^di_job_id: ") as caught:
        int64(value, "di_job_id")

    assert "positive whole number" in str(caught.value)


@versions
@pytest.mark.parametrize(
    ("field", "ask"),
    [
        pytest.param("di_job_id", lambda api: api.StopDIJob("no"), id="StopDIJob"),
        pytest.param("di_job_id", lambda api: api.StartDIJob("no", None, None), id="StartDIJob"),
        pytest.param("di_job_id", lambda api: api.GetDIJob("no"), id="GetDIJob"),
        pytest.param("project_id", lambda api: api.ListDIJobs("no", None, 1), id="ListDIJobs"),
        pytest.param("start_time", lambda api: api.StartDIJob(1, -5, None), id="start time before 1970"),
        pytest.param("start_time", lambda api: api.StartDIJob(1, "soon", None), id="start time in words"),
        pytest.param("start_time", lambda api: api.StartDIJob(1, 1671516776000, None), id="start time in milliseconds"),
        pytest.param("force_to_rerun", lambda api: api.StartDIJob(1, None, "False"), id="text for a truth value"),
        pytest.param("instance_id", lambda api: api.StopDIJob(1, "no"), id="instance"),
    ],
)
def test_operations_refuse_what_they_cannot_send(version: str, field: str, ask: Callable[[Api], Call[Any]]):
    """No call exists for a wrong value, so none can be sent."""
    with pytest.raises(DataWorksInvalidRequest, match=f"^{field}: "):
        ask(APIS[version])


def test_only_the_newer_version_stops_single_instances():
    """The older one says so, and which version to set."""
    assert dict(APIS[API_2024].StopDIJob(1, "1234").params) == {"Id": "1", "InstanceId": "1234"}
    with pytest.raises(DataWorksInvalidRequest, match=r"(?s)^instance_id: .*2024-05-18"):
        APIS[API_2020].StopDIJob(1, 1234)


@pytest.mark.parametrize(
    ("version", "ask", "expected"),
    [
        (API_2020, lambda api: api.StopDIJob(7), ("StopDIJob", "POST", False, {"DIJobId": "7"}, True)),
        (API_2024, lambda api: api.StopDIJob("7"), ("StopDIJob", "GET", True, {"Id": "7"}, True)),
        (API_2020, lambda api: api.StartDIJob(7, None, None), ("StartDIJob", "POST", False, {"DIJobId": "7"}, True)),
        (
            API_2020,
            lambda api: api.StartDIJob(7, 1671516776, False),
            (
                "StartDIJob",
                "POST",
                False,
                {"DIJobId": "7", "ForceToRerun": "false", "RealtimeStartSettings": '{"StartTime":1671516776}'},
                True,
            ),
        ),
        (
            API_2024,
            lambda api: api.StartDIJob(7, None, True),
            ("StartDIJob", "GET", True, {"Id": "7", "ForceToRerun": "true"}, True),
        ),
        (
            API_2020,
            lambda api: api.GetDIJob(7),
            ("GetDIJob", "POST", False, {"DIJobId": "7", "WithDetails": "false"}, False),
        ),
        (API_2024, lambda api: api.GetDIJob(7), ("GetDIJob", "GET", True, {"Id": "7", "WithDetails": "false"}, False)),
        (
            API_2020,
            lambda api: api.ListDIJobs(7, "n", 2),
            (
                "ListDIJobs",
                "POST",
                False,
                {"ProjectId": "7", "JobName": "n", "PageNumber": "2", "PageSize": "100"},
                False,
            ),
        ),
        (
            API_2024,
            lambda api: api.ListDIJobs(7, None, 1),
            (
                "ListDIJobs",
                "GET",
                True,
                {"ProjectId": "7", "SpecType": "ALL", "PageNumber": "1", "PageSize": "100"},
                False,
            ),
        ),
        (API_2020, lambda api: api.ListProjects(), ("ListProjects", "POST", True, {"PageSize": "10"}, False)),
        (API_2024, lambda api: api.ListProjects(), ("ListProjects", "POST", False, {"PageSize": "10"}, False)),
    ],
)
def test_each_operation_is_asked_as_documented(version: str, ask: Callable[[Api], Call[Any]], expected: tuple):
    """Method, place and names of the parameters, and whether the call changes something."""
    call = ask(APIS[version])

    assert (call.action, call.method, call.in_query, dict(call.params), call.changes) == expected
    assert call.version == version
    assert call.di_job_id == (7 if "DIJob" in call.action and call.action != "ListDIJobs" else None)


@pytest.mark.parametrize("value", [0.1, 1, 3600])
def test_durations_are_seconds(value: float):
    """Whole and broken seconds above 0 pass."""
    assert seconds(value, "timeout") == float(value)


@pytest.mark.parametrize("value", [0, -1, math.inf, math.nan, True, "5", None], ids=repr)
def test_anything_else_is_no_duration(value: Any):
    """The refusal names the parameter."""
    with pytest.raises(DataWorksInvalidRequest, match=r"^timeout: "):
        seconds(value, "timeout")
