"""DIJobStoppedSensor against the emulator: every status has its case, and a skip is never offered."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from emulated import JOB, Clock, Store, TaskInstance, on_clock

from airflow_provider_dataworks.emulator import Emulator
from airflow_provider_dataworks.exceptions import (
    DataWorksInvalidRequest,
    DataWorksNotFound,
    DataWorksThrottled,
    DIJobFailed,
)
from airflow_provider_dataworks.hooks.dataworks import DataWorksHook
from airflow_provider_dataworks.sensors.dataworks import DIJobStoppedSensor
from airflow_provider_dataworks.triggers._events import event_for
from airflow_provider_dataworks.version_compat import AirflowFailException, TaskDeferred

pytestmark = pytest.mark.usefixtures("connect")
VERSIONS = pytest.mark.parametrize("api_version", ["2020-05-18", "2024-05-18"])


@pytest.fixture
def sensor(clock: Clock) -> Callable[..., DIJobStoppedSensor]:
    """Make a sensor on the test's clock."""

    def make(**arguments: Any) -> DIJobStoppedSensor:
        found = DIJobStoppedSensor(task_id="check", **{"di_job_id": JOB, **arguments})
        found.hook = on_clock(DataWorksHook(found.dataworks_conn_id), clock)
        return found

    return make


@VERSIONS
@pytest.mark.parametrize("status", ["Stopped", "Finished"])
def test_accepted_statuses_end_the_wait_with_the_operators_dict(
    sensor: Callable[..., DIJobStoppedSensor],
    emulator: Emulator,
    connect: Callable[..., None],
    api_version: str,
    status: str,
) -> None:
    """In both versions; 2024-05-18 spells Stopped as Stop in this answer."""
    connect(api_version=api_version)
    emulator.set_status(JOB, status)

    outcome = sensor().poke({})

    assert outcome.is_done
    assert outcome.xcom_value == {
        "di_job_id": JOB,
        "status": status,
        "status_before": status,
        "stopped_by_this_run": False,
        "request_id": None,
        "stopped_at": "2026-11-18T11:06:40+00:00",
    }


@pytest.mark.parametrize("status", ["Running", "Stopping", "Initialized", "Migrating"])
def test_statuses_that_can_still_change_are_waited_on(
    sensor: Callable[..., DIJobStoppedSensor], emulator: Emulator, status: str
) -> None:
    """Also one that is not documented."""
    emulator.set_status(JOB, status)

    assert not sensor().poke({}).is_done
    assert emulator.job(JOB).stop_calls == 0


def test_the_first_status_seen_is_reported(
    sensor: Callable[..., DIJobStoppedSensor], emulator: Emulator, hook: DataWorksHook, clock: Clock
) -> None:
    """What the check found first, and what it ended with."""
    found = sensor()
    found.poke({})
    hook.stop_di_job(JOB)
    clock.sleep(60)

    outcome = found.poke({})

    assert outcome.xcom_value["status_before"] == "Running"
    assert outcome.xcom_value["status"] == "Stopped"


def test_a_failed_job_fails_the_task_at_once_with_its_own_text(
    sensor: Callable[..., DIJobStoppedSensor], emulator: Emulator
) -> None:
    """No waiting until the timeout, and no retry."""
    emulator.add_job(JOB, "Failed", error_message="Binlog was purged")

    with pytest.raises(DIJobFailed, match="Binlog was purged") as caught:
        sensor().poke({})

    assert isinstance(caught.value, AirflowFailException)


def test_a_failed_job_may_be_accepted(sensor: Callable[..., DIJobStoppedSensor], emulator: Emulator) -> None:
    """For who only needs that nothing runs."""
    emulator.set_status(JOB, "Failed")

    assert sensor(accept=("Stopped", "Failed")).poke({}).is_done


@pytest.mark.parametrize(("status", "accept"), [("Finished", "Stopped"), ("Stopped", ["Finished"])])
def test_an_end_that_is_not_accepted_fails_at_once(
    sensor: Callable[..., DIJobStoppedSensor], emulator: Emulator, status: str, accept: Any
) -> None:
    """Such a job does not change by waiting."""
    emulator.set_status(JOB, status)

    with pytest.raises(DIJobFailed, match="not accepted"):
        sensor(accept=accept).poke({})


@pytest.mark.parametrize("flag", ["soft_fail", "never_fail"])
def test_a_skip_is_refused(flag: str) -> None:
    """It would let maintenance run on a live job; the DAG fails to import and says so."""
    with pytest.raises(ValueError, match=flag):
        DIJobStoppedSensor(task_id="check", di_job_id=JOB, **{flag: True})


@pytest.mark.parametrize("accept", [(), ("Running",), ("stopped",), ("Stopped", "Stopping")])
def test_nonsense_in_accept_is_refused(accept: Any) -> None:
    """A status that is no end, or none at all."""
    with pytest.raises(ValueError, match="accept"):
        DIJobStoppedSensor(task_id="check", di_job_id=JOB, accept=accept)


def test_bad_ids_are_refused_before_anything_is_sent(
    sensor: Callable[..., DIJobStoppedSensor], emulator: Emulator
) -> None:
    """Checked after templating, permanent, naming the argument."""
    with pytest.raises(DataWorksInvalidRequest, match="di_job_id") as caught:
        sensor(di_job_id="{{ typo }}").poke({})

    assert isinstance(caught.value, AirflowFailException)
    assert emulator.calls == []


def test_an_unknown_job_fails_at_once(sensor: Callable[..., DIJobStoppedSensor]) -> None:
    """It will not appear by waiting."""
    with pytest.raises(DataWorksNotFound) as caught:
        sensor(di_job_id=4711).poke({})

    assert isinstance(caught.value, AirflowFailException)


def test_long_throttling_is_left_to_airflow(
    sensor: Callable[..., DIJobStoppedSensor], emulator: Emulator, clock: Clock
) -> None:
    """The error carries the wait; nothing is held meanwhile."""
    emulator.inject({"operation": "GetDIJob", "throttle": {"hints": {"Retry-After": "90"}}})

    with pytest.raises(DataWorksThrottled) as caught:
        sensor().poke({})

    assert caught.value.retry_after == 90
    assert clock.slept == []


@pytest.mark.parametrize("status", ["Stopped", "Finished"])
def test_a_deferrable_check_is_not_deferred_where_the_answer_is_known(
    sensor: Callable[..., DIJobStoppedSensor], emulator: Emulator, status: str
) -> None:
    """It looks once before it hands the wait over."""
    emulator.set_status(JOB, status)

    assert sensor(deferrable=True).execute({})["status"] == status


def test_a_deferred_check_hands_its_wait_over(
    sensor: Callable[..., DIJobStoppedSensor], emulator: Emulator, clock: Clock
) -> None:
    """With the sensor's own interval, deadline and accepted statuses, and the first status seen."""
    found = sensor(deferrable=True, accept=("Stopped", "Failed"), poke_interval=45, timeout=900)

    with pytest.raises(TaskDeferred) as caught:
        found.execute({})

    kwargs = caught.value.trigger.serialize()[1]
    assert (kwargs["poll_interval"], kwargs["deadline"]) == (45, clock.time + 900)
    assert kwargs["accept"] == ["Stopped", "Failed"]
    assert {name: value for name, value in kwargs["report"].items() if value} == {"status_before": "Running"}


def test_a_retry_of_a_deferred_check_keeps_its_deadline(
    sensor: Callable[..., DIJobStoppedSensor], emulator: Emulator, clock: Clock
) -> None:
    """Where Airflow can remember it; as with Airflow's own sensors, retrying does not begin the time anew."""
    began, context = clock.time, {"ti": TaskInstance(), "task_state_store": Store()}
    emulator.inject({"operation": "GetDIJob", "throttle": {"hints": {"x-acs-retry-after": 90_000}}})
    with pytest.raises(DataWorksThrottled):
        sensor(deferrable=True, timeout=900).execute(context)
    clock.sleep(90)

    with pytest.raises(TaskDeferred) as caught:
        sensor(deferrable=True, timeout=900).execute(context)

    assert caught.value.trigger.serialize()[1]["deadline"] == began + 900


def test_a_deferred_check_fails_at_once_on_a_failed_job(
    sensor: Callable[..., DIJobStoppedSensor], emulator: Emulator
) -> None:
    """Before anything is deferred."""
    emulator.add_job(JOB, "Failed", error_message="Binlog was purged")

    with pytest.raises(DIJobFailed, match="Binlog was purged"):
        sensor(deferrable=True).execute({})


def test_the_wait_comes_back_as_the_sensors_result(hook: DataWorksHook, emulator: Emulator) -> None:
    """Whoever stopped the job, it was not the sensor."""
    emulator.set_status(JOB, "Stopped")
    event = {**event_for(hook.get_di_job(JOB)), "report": {"status_before": "Running"}}

    result = DIJobStoppedSensor(task_id="check", di_job_id=JOB).execute_complete({}, event)

    assert (result["status"], result["status_before"], result["stopped_by_this_run"]) == ("Stopped", "Running", False)


@pytest.mark.parametrize("event", [None, {}, {"outcome": "fine"}])
def test_an_event_that_is_not_understood_fails_the_check(event: Any) -> None:
    """Maintenance must not run on a guess."""
    with pytest.raises(AirflowFailException, match="not understood"):
        DIJobStoppedSensor(task_id="check", di_job_id=JOB).execute_complete({}, event)
