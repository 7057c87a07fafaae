"""What crosses from trigger to task: every outcome comes back as it was, and nothing unknown ends in success."""

from __future__ import annotations

import json
from typing import Any

import pytest

from airflow_provider_dataworks import exceptions
from airflow_provider_dataworks.client.replies import DIJob, JobStatus
from airflow_provider_dataworks.exceptions import DataWorksError
from airflow_provider_dataworks.triggers.events import event_for, outcome_of

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
    exceptions.DataWorksError("m"),
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


@pytest.mark.parametrize("name", ["SystemExit", "Facts", "no_such_class", "DataWorksVeryNew"])
def test_a_class_that_is_not_known_is_a_plain_error_with_its_text(name: str) -> None:
    """A newer triggerer may know more errors than an older worker; no other name of the module may be called."""
    with pytest.raises(DataWorksError, match="what happened") as caught:
        outcome_of({"outcome": "failed", "error": {"class": name, "message": "what happened", "code": "X", "odd": 1}})

    assert type(caught.value) is DataWorksError
    assert caught.value.code == "X"
    assert not hasattr(caught.value, "odd")
