"""Life cycle of an emulated job, with a clock that is turned by hand."""

from __future__ import annotations

import pytest

from airflow_provider_dataworks.emulator.job_store import Behaviour, JobStore
from airflow_provider_dataworks.emulator.jobs import DEFAULT_ERROR_MESSAGE, error_text
from airflow_provider_dataworks.emulator.responses import Refusal


def store_with(settings, **behaviour) -> JobStore:
    """Return a store with one job."""
    store = JobStore(Behaviour(**behaviour))
    store.put(11668, settings, 100.0)
    return store


def stop(store: JobStore, now: float) -> None:
    """Stop the job."""
    store.stop(store.find(11668, now), now)


def start(store: JobStore, now: float, **settings) -> None:
    """Start the job."""
    values = {"start_time": None, "force_to_rerun": None, **settings}
    store.start(store.find(11668, now), now, **values)


def test_a_stop_passes_through_stopping_and_ends_after_its_seconds():
    """Running, Stopping, Stopped: each at its own time, however late anyone looks."""
    store = store_with("Running", stop_seconds=2)
    stop(store, 101.0)
    assert store.find(11668, 102.9).status == "Stopping"
    job = store.find(11668, 200.0)
    assert job.history == ((100.0, "Running"), (101.0, "Stopping"), (103.0, "Stopped"))
    assert job.effective_stops == 1


@pytest.mark.parametrize("status", ["Stopped", "Initialized", "Failed", "Finished"])
def test_a_start_passes_through_initialized(status):
    """The API has no Starting: a start under way shows as Initialized."""
    store = store_with(status, start_seconds=1)
    start(store, 101.0, start_time=1671516776, force_to_rerun=True)
    assert store.find(11668, 101.5).status == "Initialized"
    job = store.find(11668, 102.0)
    assert (job.status, job.effective_starts, job.started_at) == ("Running", 1, 101.0)
    assert (job.start_time, job.force_to_rerun) == (1671516776, True)


@pytest.mark.parametrize("status", ["Stopped", "Stopping", "Failed", "Finished", "Initialized", "Hibernating"])
def test_a_stop_of_a_job_that_does_not_run_is_accepted_without_effect(status):
    """By default such a stop is a success that changes nothing."""
    store = store_with(status)
    stop(store, 101.0)
    job = store.find(11668, 500.0)
    assert (job.status, job.effective_stops) == (status, 0)


@pytest.mark.parametrize("status", ["Stopped", "Stopping", "Failed", "Finished", "Initialized"])
def test_a_stop_of_a_job_that_does_not_run_can_be_refused(status):
    """The vendor documents no answer, so both must be rehearsed."""
    store = store_with(status, stop_of_stopped="refuse")
    with pytest.raises(Refusal) as refused:
        stop(store, 101.0)
    assert (refused.value.status, refused.value.code) == (400, "InvalidDIJobStatus")


@pytest.mark.parametrize(
    ("choice", "status", "stops"), [("stop", "Stopped", 1), ("accept", "Running", 0), ("refuse", "Running", 0)]
)
def test_a_stop_during_a_start_does_what_was_chosen(choice, status, stops):
    """A start under way can be stopped, left alone, or the stop refused."""
    store = store_with("Stopped", start_seconds=10, stop_of_starting=choice)
    start(store, 101.0)
    if choice == "refuse":
        with pytest.raises(Refusal):
            stop(store, 102.0)
    else:
        stop(store, 102.0)
    job = store.find(11668, 500.0)
    assert (job.status, job.effective_stops) == (status, stops)


@pytest.mark.parametrize("status", ["Running", "Stopping", "Hibernating"])
def test_a_start_of_a_job_that_cannot_be_started_has_no_effect(status):
    """Starting twice must not count twice; it can be refused too."""
    store = store_with(status)
    start(store, 101.0)
    assert store.find(11668, 101.0).effective_starts == 0
    refusing = store_with(status, start_of_running="refuse")
    with pytest.raises(Refusal, match="cannot be started"):
        start(refusing, 101.0)


def test_a_job_can_fail_instead_of_stopping():
    """The error text shows only while the job is Failed."""
    store = store_with({"stop_ends_in": "Failed", "error_message": "binlog lost"})
    assert error_text(store.find(11668, 100.0)) == ""
    stop(store, 101.0)
    assert error_text(store.find(11668, 200.0)) == "binlog lost"


def test_a_job_can_fail_instead_of_starting():
    """A failed start says something even where no text was given."""
    store = store_with({"status": "Stopped", "start_ends_in": "Failed"})
    start(store, 101.0)
    assert error_text(store.find(11668, 200.0)) == DEFAULT_ERROR_MESSAGE


def test_a_job_can_stay_stopping_for_ever():
    """A stop that never ends is what a deadline is for."""
    store = store_with({"stop_ends_in": "never"})
    stop(store, 101.0)
    assert store.find(11668, 1e12).status == "Stopping"


def test_a_job_can_stay_starting_for_ever():
    """A start that never ends stays one, and can still be stopped."""
    store = store_with({"status": "Stopped", "start_ends_in": "never"})
    start(store, 101.0)
    assert store.find(11668, 1e12).starting
    stop(store, 1e12)
    assert store.find(11668, 1e12).status == "Stopping"


def test_a_stop_without_duration_has_ended_when_it_is_answered():
    """Zero seconds are allowed, and the history still shows the way."""
    store = store_with("Running", stop_seconds=0)
    stop(store, 101.0)
    assert [status for _, status in store.find(11668, 101.0).history] == ["Running", "Stopping", "Stopped"]


def test_a_status_set_by_hand_ends_what_was_under_way():
    """Setting a status cancels the change that was to come."""
    store = store_with("Running")
    stop(store, 101.0)
    store.set_status(11668, "Running", 101.5)
    assert store.find(11668, 500.0).status == "Running"
    with pytest.raises(KeyError, match="no job 5"):
        store.set_status(5, "Running", 101.5)


@pytest.mark.parametrize(
    ("identity", "settings", "text"),
    [
        (0, "Running", "positive 64-bit"),
        (-1, "Running", "positive 64-bit"),
        (2**63, "Running", "positive 64-bit"),
        (True, "Running", "positive 64-bit"),
        ("12a", "Running", "positive 64-bit"),
        ("²", "Running", "positive 64-bit"),
        (1, {"statos": "Running"}, "unknown field 'statos'"),
        (1, {"effective_stops": 3}, "unknown field 'effective_stops'"),
        (1, {"status": ""}, "status: a status must not be empty"),
        (1, {"status": 5}, "status: 5 is not text"),
        (1, {"stop_seconds": -1}, "stop_seconds: -1"),
        (1, {"stop_seconds": "soon"}, "stop_seconds: 'soon'"),
        (1, {"stop_seconds": True}, "stop_seconds: True"),
        (1, {"start_seconds": float("nan")}, "start_seconds: nan"),
        (1, {"project_id": 0}, "project_id: 0"),
        (1, ["Running"], "neither a status nor an object"),
    ],
)
def test_a_job_that_makes_no_sense_is_refused_by_field(identity, settings, text):
    """A wrong job must fail at once and name its field, not puzzle a test later."""
    with pytest.raises(ValueError, match=text):
        JobStore(Behaviour()).put(identity, settings, 0.0)


@pytest.mark.parametrize(
    ("behaviour", "text"),
    [
        ({"stop_seconds": -1}, "stop_seconds"),
        ({"start_seconds": "x"}, "start_seconds"),
        ({"stop_of_stopped": "maybe"}, "stop_of_stopped: 'maybe'"),
        ({"stop_of_starting": "maybe"}, "stop_of_starting: 'maybe'"),
        ({"start_of_running": "stop"}, "start_of_running: 'stop'"),
    ],
)
def test_a_behaviour_that_does_not_exist_is_refused_by_field(behaviour, text):
    """A misspelt choice must not silently mean the default."""
    with pytest.raises(ValueError, match=text):
        Behaviour(**behaviour)
