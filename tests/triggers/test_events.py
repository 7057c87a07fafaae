"""What crosses from trigger to task: every outcome comes back as it was, and nothing unknown ends in success."""

from __future__ import annotations

import copy
import functools
import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from safe import assert_event, assert_safe, assert_safe_error

from airflow_provider_dataworks import exceptions
from airflow_provider_dataworks.client.http.responses import DIJob, JobStatus
from airflow_provider_dataworks.exceptions import DataWorksError, DataWorksPermanentError
from airflow_provider_dataworks.triggers._events import event_for, outcome_of, report_of

JOB_FIELDS = {"id": 7, "status": "Stopped", "project_id": 1, "name": None, "error_message": None, "job_type": None}
ERRORS = [
    exceptions.DataWorksThrottled("m", code="Throttling.User", status=429, request_id="R", retry_after=3.5),
    exceptions.DataWorksUnavailable("m", sent=False, action="GetDIJob", di_job_id=7),
    exceptions.DataWorksAuthError("m", clock_skew=-900.5, remedy="Set the clock."),
    exceptions.DataWorksForbidden("m", code="Forbidden.Access", status=403),
    exceptions.DataWorksNotFound("m"),
    exceptions.DataWorksInvalidRequest("m"),
    exceptions.DataWorksQuotaExceeded("m"),
    exceptions.DIJobFailed("m", di_job_id=7),
    exceptions.DIJobWaitTimeout("m", last_status="Stopping"),
    exceptions.DataWorksPermanentError("m"),
]


def cross(event: dict[str, Any]) -> Any:
    """Take the way through Airflow's database."""
    return json.loads(json.dumps(event))


@pytest.mark.parametrize("status", [*JobStatus, "Migrating"])
def test_a_job_comes_back_as_it_was(status: JobStatus | str) -> None:
    """With every fact the task reports, also in a status that is not documented."""
    job = DIJob(7, status, project_id=1967, name="n", error_message="e", job_type="t", raw={"big": "thing"})

    assert outcome_of(cross(event_for(job))) == job


@pytest.mark.parametrize("error", ERRORS, ids=lambda error: type(error).__name__)
def test_an_error_comes_back_as_it_was(error: DataWorksError) -> None:
    """Class, text, hint and all other facts: an exception raised in a trigger would lose them."""
    with pytest.raises(DataWorksError) as caught:
        outcome_of(cross(event_for(error)))

    assert type(caught.value) is type(error)
    assert vars(caught.value) == vars(error)
    assert str(caught.value) == str(error)


@pytest.mark.parametrize(
    "event",
    [
        pytest.param(None, id="none"),
        pytest.param("settled", id="text"),
        pytest.param({}, id="empty"),
        pytest.param({"status": "success"}, id="another-vocabulary"),
        pytest.param({"outcome": "fine", "job": {"id": 1, "status": "Stopped"}}, id="unknown-outcome"),
        pytest.param({"outcome": "settled"}, id="no-job"),
        pytest.param({"outcome": "settled", "job": {"id": 1}}, id="half-a-job"),
        pytest.param({"outcome": "settled", "job": "Stopped"}, id="job-as-text"),
        pytest.param({"outcome": "settled", "job": {**JOB_FIELDS, "status": None}}, id="no-status"),
        pytest.param({"outcome": "settled", "job": {**JOB_FIELDS, "id": "11668"}}, id="job-id-as-text"),
        pytest.param({"outcome": "failed"}, id="no-error"),
        pytest.param({"outcome": "failed", "error": {"class": "DIJobFailed", "message": 5}}, id="message-as-number"),
        pytest.param(
            {"outcome": "failed", "error": {"class": "DataWorksThrottled", "message": "m", "retry_after": "soon"}},
            id="seconds-as-text",
        ),
        pytest.param({"outcome": "failed", "error": {"class": "DIJobFailed"}}, id="half-an-error"),
    ],
)
def test_an_event_that_is_not_understood_is_a_permanent_error(event: object) -> None:
    """Never success: the job's state is not known."""
    with pytest.raises(DataWorksError, match="not understood") as caught:
        outcome_of(event)

    assert not caught.value.retryable


@pytest.mark.parametrize("name", ["SystemExit", "Facts", "no_such_class", "DataWorksVeryNew", "DataWorksError"])
def test_a_class_that_is_not_known_is_a_permanent_error_with_its_text(name: str) -> None:
    """A newer triggerer may know more errors than an older worker; no other name of the module may be called."""
    with pytest.raises(DataWorksError, match="what happened") as caught:
        outcome_of({"outcome": "failed", "error": {"class": name, "message": "what happened", "code": "X", "odd": 1}})

    assert type(caught.value) is DataWorksPermanentError
    assert caught.value.code == "X"
    assert not hasattr(caught.value, "odd")


# Anything at all

texts = st.one_of(st.text(st.characters(), max_size=20), st.sampled_from(["\ud83d", "a\n\x1b[31m\u2028", "x" * 9_000]))
values = st.recursive(
    st.one_of(
        *(st.none(), st.booleans(), st.integers(), st.floats(), texts, st.binary(max_size=5)),
        st.sampled_from([10**400, -(10**400), float("nan"), float("inf"), 7, "DIJobFailed", "DataWorksUnavailable"]),
    ),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(texts, inner, max_size=3)),
    max_leaves=8,
)
FACTS = sorted({name for error in ERRORS for name in vars(error)} | {"class", "odd"})
events = st.one_of(
    values,
    st.dictionaries(st.sampled_from([*JOB_FIELDS]), values).map(
        lambda fields: {"outcome": "settled", "job": {**JOB_FIELDS, **fields}}
    ),
    st.dictionaries(st.sampled_from(FACTS), values).map(
        lambda facts: {"outcome": "failed", "error": {"class": "DataWorksThrottled", "message": "m", **facts}}
    ),
)
quick = settings(max_examples=300, deadline=None, database=None, derandomize=True)


@quick
@given(events)
def test_any_event_is_a_safe_job_or_a_safe_error(event: Any) -> None:
    """Of ours, whatever another version, or a hand, put there."""
    assert isinstance(report_of(event), dict)
    try:
        job = outcome_of(event)
    except DataWorksError as error:
        assert_safe_error(error)
    else:
        assert_safe([job.id, job.status, job.project_id, job.name, job.error_message, job.job_type], 4_000)
        assert job.id > 0


@quick
@given(st.sampled_from(ERRORS), st.dictionaries(st.sampled_from(FACTS), values), values)
def test_any_outcome_is_an_event_that_can_be_stored(error: DataWorksError, facts: dict[str, Any], report: Any) -> None:
    """Whatever stands in an error, such as the words of a secrets backend."""
    known = copy.copy(error)
    vars(known).update(facts)

    assert_event(event_for(known, report))


@quick
@given(texts, texts, texts, values)
def test_any_job_is_an_event_that_can_be_stored(status: str, name: str, message: str, report: Any) -> None:
    """Also one that some other code made."""
    event = event_for(DIJob(7, status, name=name, error_message=message), report)

    assert_event(event)
    assert outcome_of(cross(event)).id == 7


@pytest.mark.parametrize(
    "event", [10**5000, {"outcome": "failed", "error": {"class": 10**5000, "message": "m"}}], ids=["event", "class"]
)
def test_a_number_too_long_to_be_written_is_no_event(event: Any) -> None:
    """Python refuses to show it."""
    with pytest.raises(DataWorksError, match="not understood"):
        outcome_of(event)


@pytest.mark.parametrize("retry_after", [float("nan"), float("inf"), -1, 1e300, 10**400, True])
def test_a_wait_that_nobody_could_ask_for_is_no_fact(retry_after: Any) -> None:
    """Airflow would fail over it as it plans the retry."""
    with pytest.raises(DataWorksError, match="not understood"):
        outcome_of(
            {"outcome": "failed", "error": {"class": "DataWorksThrottled", "message": "m", "retry_after": retry_after}}
        )


@pytest.mark.parametrize(
    ("report", "expected"),
    [
        ({"by_us": True, "request_id": "R"}, {"by_us": True, "request_id": "R"}),
        ({"status_before": "a\ud83d"}, {"status_before": "a\ufffd"}),
        (None, {}),
        ([1], {}),
        ({"a": "x" * 4000, **{str(n): "x" * 4000 for n in range(6)}}, {}),
        (functools.reduce(lambda inner, _: {"a": inner}, range(100), {}), {}),
    ],
    ids=["plain", "odd text", "none", "list", "too much", "too deep"],
)
def test_what_a_task_gave_along_comes_back(report: Any, expected: dict[str, Any]) -> None:
    """As far as it can be stored."""
    assert report_of(cross(event_for(DIJob(7, "Stopped"), report))) == expected
