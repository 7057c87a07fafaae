"""DIJobCaughtUpSensor against the emulator: only a lag that is known, new and small enough ends the wait."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from emulated import JOB, Clock, Store, TaskInstance, on_clock

from airflow_provider_dataworks.emulator import Emulator
from airflow_provider_dataworks.exceptions import DataWorksInvalidRequest, DataWorksPermanentError, DIJobFailed
from airflow_provider_dataworks.hooks.dataworks import DataWorksHook
from airflow_provider_dataworks.sensors.dataworks import DIJobCaughtUpSensor
from airflow_provider_dataworks.version_compat import TaskDeferred


@pytest.fixture
def sensor(clock: Clock, connect: Callable[..., None]) -> Callable[..., DIJobCaughtUpSensor]:
    """Make a sensor on the test's clock, with a connection of API 2024-05-18."""
    connect(api_version="2024-05-18")

    def make(**arguments: Any) -> DIJobCaughtUpSensor:
        found = DIJobCaughtUpSensor(task_id="caught_up", **{"di_job_id": JOB, "max_lag": 60, **arguments})
        found.hook = on_clock(DataWorksHook(found.dataworks_conn_id), clock)
        return found

    return make


def test_each_look_is_two_calls(sensor: Callable[..., Any], emulator: Emulator, clock: Clock) -> None:
    """The job, and its metrics; the result says what was seen."""
    emulator.add_job(JOB, lag={"start": 200, "falls": 1})
    found = sensor()

    clock.sleep(60)
    assert not found.poke({}).is_done
    clock.sleep(120)
    done = found.poke({})

    assert done.is_done
    assert done.xcom_value == {
        "di_job_id": JOB,
        "status": "Running",
        "caught_up_at": "2026-11-18T11:09:40+00:00",
        "lag": pytest.approx(40, abs=30),
        "idle": False,
    }
    assert [call.operation for call in emulator.calls] == ["GetDIJob", "ListDIJobMetrics"] * 2


def test_what_never_counts(sensor: Callable[..., Any], emulator: Emulator, clock: Clock) -> None:
    """Nothing, what is old, what is far behind; a job that is starting, whatever its metrics were."""
    missed = []
    for settings in (
        {"lag": "missing"},
        {"lag": {"stale": 900}},
        {"lag": {"stuck": 61}},
        {"lag": 0, "status": "Initialized"},
    ):
        emulator.add_job(JOB, **settings)
        clock.sleep(300)
        if sensor().poke({}).is_done:
            missed.append(settings)
    assert missed == []


def test_a_job_that_does_not_run_fails_the_task(sensor: Callable[..., Any], emulator: Emulator) -> None:
    """At once, without asking for metrics."""
    for status in ("Failed", "Stopped", "Stopping"):
        emulator.set_status(JOB, status)
        with pytest.raises(DIJobFailed, match=status):
            sensor().poke({})
    assert {call.operation for call in emulator.calls} == {"GetDIJob"}


def test_it_needs_the_newer_api(sensor: Callable[..., Any], connect: Callable[..., None]) -> None:
    """And says so."""
    found = sensor()
    connect(api_version="2020-05-18")
    with pytest.raises(DataWorksInvalidRequest, match="2024-05-18"):
        found.poke({})


def test_a_deferred_wait_goes_on_from_its_event(sensor: Callable[..., Any], emulator: Emulator, clock: Clock) -> None:
    """With the rules in the trigger; an event without a proof is not taken for one."""
    context: Any = {"ti": TaskInstance(), "task_state_store": Store()}
    found = sensor(deferrable=True, timeout=900, stable_for=30)
    with pytest.raises(TaskDeferred) as deferred:
        found.execute(context)
    _, kwargs = deferred.value.trigger.serialize()

    assert kwargs["proof"] == {
        "healthy_for": 0.0,
        "max_lag": 60.0,
        "lag_timeout": 900.0,
        "stable_for": 30.0,
        "since": 0.0,
    }
    job = {"id": JOB, "status": "Running", "project_id": 1967, "name": None, "error_message": None, "job_type": None}
    event = {"outcome": "settled", "job": job, "report": {}}
    shown = {"running_since": clock.time, "caught_up_at": clock.time, "lag": 5.0, "idle": False}
    assert found.execute_complete(context, {**event, "proof": shown})["lag"] == 5.0
    with pytest.raises(DataWorksPermanentError, match="not understood"):
        found.execute_complete(context, event)


def test_nonsense_is_refused_as_the_dag_is_made() -> None:
    """Each argument by its name."""
    missed = []
    for name, value in (("max_lag", "x"), ("max_lag", None), ("stable_for", -1), ("soft_fail", True), ("di_job_id", 0)):
        try:
            DIJobCaughtUpSensor(task_id="caught_up", **{"di_job_id": JOB, "max_lag": 60, name: value})
        except ValueError as error:
            missed += [] if name in str(error) else [(name, str(error))]
        else:
            missed.append((name, value))
    assert missed == []
