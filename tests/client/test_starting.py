"""Starting a job: state first, at most one effective StartDIJob, under both drivers; stopping has its own tests."""

from __future__ import annotations

import json
from typing import Any

import httpx
import pytest
from fake_dataworks import JOB, START, Drive, lose, refuse, spoil

from airflow_provider_dataworks import values
from airflow_provider_dataworks.client import state_change
from airflow_provider_dataworks.client.models import ChangeRequest, ChangeResult, JobStatus
from airflow_provider_dataworks.exceptions import (
    DataWorksForbidden,
    DataWorksInvalidRequest,
    DataWorksThrottled,
    DIJobWaitTimeout,
)


def ask_to_start(
    drive: Drive, *statuses: str, asked_before: bool = False, wait_for_actionable: bool = True, **more: Any
) -> ChangeResult:
    """Drive one start of a job that shows these statuses."""
    if statuses:
        drive.dataworks.add(JOB, *statuses)
    events: list[str] = []
    plan = ChangeRequest(
        JOB,
        deadline=START + 600,
        poll_interval=30,
        asked_before=asked_before,
        write_note=lambda job: events.append(f"remember {job.status}"),
        withdraw_note=lambda: events.append("forget"),
        wait_for_actionable=wait_for_actionable,
    )
    drive.events = events
    return state_change.start(drive.client, plan, **more)


@pytest.mark.parametrize("status", ["Stopped", "Finished", "Failed", "Initialized"])
def test_a_job_that_does_not_run_is_started_once(drive: Drive, status: str) -> None:
    """Also one that failed, and one that never ran; remembered before it is sent."""
    outcome = ask_to_start(drive, status)

    assert (outcome.before, outcome.sent, bool(outcome.request_id)) == (status, True, True)
    assert drive.dataworks.effective_starts == 1
    assert drive.dataworks.actions == ["GetDIJob", "StartDIJob"]
    assert drive.events == [f"remember {status}"]


def test_a_running_job_is_left_alone(drive: Drive) -> None:
    """Nothing is sent, and nothing remembered."""
    outcome = ask_to_start(drive, "Running")

    assert (outcome.job.status, outcome.sent) == (JobStatus.RUNNING, False)
    assert drive.dataworks.actions == ["GetDIJob"]
    assert drive.events == []


def test_a_stop_under_way_is_waited_out_first(drive: Drive) -> None:
    """A job that is stopping cannot be started yet."""
    outcome = ask_to_start(drive, "Stopping", "Stopping", "Stopped")

    assert (outcome.before, outcome.sent) == (JobStatus.STOPPED, True)
    assert drive.slept == [30, 30]


@pytest.mark.parametrize("status", ["Stopping", "Migrating"])
def test_a_start_that_is_not_patient_leaves_the_waiting_to_others(drive: Drive, status: str) -> None:
    """One look, and nothing done."""
    outcome = ask_to_start(drive, status, "Stopped", wait_for_actionable=False)

    assert (outcome.job.status, outcome.sent, outcome.not_actionable) == (status, False, True)
    assert (drive.dataworks.actions, drive.slept) == (["GetDIJob"], [])


def test_a_stop_that_is_not_patient_leaves_the_waiting_to_others(drive: Drive) -> None:
    """For a status that is not documented; any other is dealt with at once."""
    drive.dataworks.add(JOB, "Migrating", "Running")
    plan = ChangeRequest(JOB, deadline=START + 600, poll_interval=30, wait_for_actionable=False)

    assert state_change.stop(drive.client, plan).not_actionable
    assert state_change.stop(drive.client, plan).sent


def test_an_undocumented_status_is_waited_out_first(drive: Drive) -> None:
    """It cannot be known whether a start would be safe."""
    with pytest.raises(DIJobWaitTimeout, match="Migrating"):
        ask_to_start(drive, "Migrating")

    assert drive.dataworks.effective_starts == 0


def test_a_start_under_way_of_this_task_is_not_sent_again(drive: Drive) -> None:
    """The retry of a killed try finds the job Initialized because of its own request."""
    outcome = ask_to_start(drive, "Initialized", asked_before=True)

    assert not outcome.sent
    assert drive.dataworks.actions == ["GetDIJob"]


def test_a_refused_start_of_an_initialized_job_is_waited_for(drive: Drive) -> None:
    """Somebody else's start may be under way: the wait will tell."""
    drive.dataworks.may_be_started = {"Stopped"}

    outcome = ask_to_start(drive, "Initialized")

    assert (outcome.job.status, outcome.sent) == (JobStatus.INITIALIZED, False)
    assert drive.events == ["remember Initialized", "forget"]


def test_a_refused_start_of_a_stopped_job_is_an_error(drive: Drive) -> None:
    """It does not run, and it was not started."""
    drive.dataworks.may_be_started = set()

    with pytest.raises(DataWorksInvalidRequest):
        ask_to_start(drive, "Stopped")

    assert drive.events == ["remember Stopped", "forget"]


@pytest.mark.parametrize(
    "fault",
    [
        pytest.param(lose(httpx.ReadError("gone"), after_effect=True), id="lost-after-the-effect"),
        pytest.param(lose(httpx.ReadError("gone")), id="lost-before-the-effect"),
        pytest.param(spoil(200, b"<html>"), id="unreadable"),
        pytest.param(refuse("InternalError.System", 500), id="internal-error"),
    ],
)
def test_a_lost_answer_is_resolved_by_reading_the_status(drive: Drive, fault: Any) -> None:
    """Exactly one effective start, whatever happened to the answer."""
    drive.dataworks.script("StartDIJob", fault)

    outcome = ask_to_start(drive, "Stopped")

    assert outcome.sent
    assert drive.dataworks.effective_starts == 1


def test_a_start_that_was_lost_and_shows_initialized_is_not_sent_again(drive: Drive) -> None:
    """Initialized is what a job is while it starts."""
    drive.dataworks.after_start = ["Initialized"]
    drive.dataworks.script("StartDIJob", lose(httpx.ReadError("gone"), after_effect=True))

    outcome = ask_to_start(drive, "Stopped")

    assert (outcome.job.status, outcome.sent) == (JobStatus.INITIALIZED, True)
    assert drive.dataworks.actions.count("StartDIJob") == 1


@pytest.mark.parametrize(
    ("fault", "error"),
    [
        (refuse("Forbidden.RAM", 403), DataWorksForbidden),
        (refuse("Throttling.User", 429, "", {"retry-after": "90"}), DataWorksThrottled),
    ],
    ids=["forbidden", "throttled"],
)
def test_a_start_that_was_refused_leaves_no_claim(drive: Drive, fault: Any, error: type[Exception]) -> None:
    """It certainly did not arrive."""
    drive.dataworks.script("StartDIJob", fault)

    with pytest.raises(error):
        ask_to_start(drive, "Stopped")

    assert drive.events == ["remember Stopped", "forget"]


def test_the_offset_is_kept_unless_a_start_time_is_given(drive: Drive) -> None:
    """Without it, and without force_to_rerun, neither parameter is sent at all."""
    ask_to_start(drive, "Stopped")
    ask_to_start(drive, "Stopped", start_time=1_671_516_776, force_to_rerun=True)
    plain, reset = (heard.params for heard in drive.dataworks.heard if heard.action == "StartDIJob")

    assert set(plain) & {"RealtimeStartSettings", "ForceToRerun"} == set()
    assert json.loads(reset["RealtimeStartSettings"]) == {"StartTime": 1_671_516_776}
    assert reset["ForceToRerun"] == "true"


@pytest.mark.parametrize(
    ("value", "field"),
    [
        (int(START) * 1000, "milliseconds"),
        (int(START) + 1, "future"),
        (-5, "start_time"),
        ("soon", "start_time"),
        (True, "start_time"),
    ],
)
def test_a_wrong_start_time_is_named(value: Any, field: str) -> None:
    """It would reset the offset to nonsense."""
    with pytest.raises(DataWorksInvalidRequest, match=field):
        values.start_time(value, now=START)


@pytest.mark.parametrize(
    ("value", "expected"), [(None, None), ("", None), ("1671516776", 1_671_516_776), (int(START), int(START))]
)
def test_a_start_time_is_read(value: Any, expected: int | None) -> None:
    """As a number, as its digits, or not at all."""
    assert values.start_time(value, now=START) == expected
