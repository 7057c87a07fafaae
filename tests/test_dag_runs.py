"""DAGs run by Airflow (``dag.test()``) against the emulator: what the tasks end in, and what the job saw."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import pytest
from any_airflow import task
from dag_runs import run_dag
from emulated import JOB, connect, emulator, logged
from emulated import real_clock as clock

from airflow_provider_dataworks.emulator import Emulator
from airflow_provider_dataworks.operators.dataworks import StopDIJobOperator
from airflow_provider_dataworks.sensors.dataworks import DIJobStoppedSensor
from airflow_provider_dataworks.triggers.dataworks import DIJobStatusTrigger
from airflow_provider_dataworks.version_compat import DAG

__all__ = ["clock", "connect", "emulator", "logged"]


def a_dag(name: str) -> DAG:
    """Make a DAG that only a test runs."""
    return DAG(name, schedule=None, start_date=datetime(2026, 1, 1), catchup=False)


def test_stop_then_check_then_maintain(emulator: Emulator, connect: Callable[..., None]) -> None:
    """The result dict travels by XCom; ids come from XCom as templates; the run is a success."""
    emulator.add_job(JOB, "Running", stop_seconds=0.2)
    seen: list[Any] = []
    with a_dag("stop_check_maintain") as dag:

        @task
        def which() -> int:
            return JOB

        @task
        def maintain(stopped: dict[str, Any], checked: dict[str, Any]) -> None:
            seen.extend((stopped, checked, emulator.job(JOB).status))

        job_id = which()
        stop = StopDIJobOperator(task_id="stop", di_job_id=job_id, poll_interval=0.3)
        check = DIJobStoppedSensor(
            task_id="check", di_job_id="{{ ti.xcom_pull(task_ids='stop')['di_job_id'] }}", poke_interval=0.2, timeout=20
        )
        stop >> check
        maintain(stop.output, check.output)

    state, tasks = run_dag(dag)

    assert state == "success"
    assert {found.state for found in tasks.values()} == {"success"}
    stopped, checked, status = seen
    assert (stopped["status"], stopped["status_before"], stopped["stopped_by_this_run"]) == ("Stopped", "Running", True)
    assert (checked["status"], checked["stopped_by_this_run"], status) == ("Stopped", False, "Stopped")
    assert emulator.job(JOB).effective_stops == 1


def test_mapped_stops_that_are_throttled_retry_when_the_service_asked(
    emulator: Emulator, connect: Callable[..., None]
) -> None:
    """retry_delay is an hour, the service asks for a second: each mapped task retries after that second."""
    connect(connect_timeout=5)
    for job_id in (1, 2, 3):
        emulator.add_job(job_id, "Running", stop_seconds=0)
        emulator.inject(
            {"operation": "StopDIJob", "job_id": job_id, "throttle": {"hints": {"x-acs-retry-after": 46_000}}}
        )
    with a_dag("mapped_throttled") as dag:
        ShortPatience.partial(task_id="stop", poll_interval=0.1, retry_delay=timedelta(hours=1)).expand(
            di_job_id=[1, 2, 3]
        )

    state, tasks = run_dag(dag)

    assert state == "success"
    assert [tasks["stop", index].try_number for index in range(3)] == [2, 2, 2]
    assert [emulator.job(job_id).effective_stops for job_id in (1, 2, 3)] == [1, 1, 1]


class ShortPatience(StopDIJobOperator):
    """The operator with a policy that cuts the asked 46 seconds to one, so that the test need not wait for them."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.retry_policy.max_delay = timedelta(seconds=1)


def test_a_permanent_error_fails_the_task_at_its_first_try(
    emulator: Emulator, connect: Callable[..., None], logged: Callable[[], str]
) -> None:
    """Whatever retries it has, and the log says what to do."""
    emulator.inject({"operation": "StopDIJob", "error": {"status": 403, "code": "Forbidden.Access"}})
    with a_dag("forbidden") as dag:
        StopDIJobOperator(task_id="stop", di_job_id=JOB, retries=5, retry_delay=timedelta(hours=1))

    state, tasks = run_dag(dag)

    assert state == "failed"
    assert (tasks["stop", -1].state, tasks["stop", -1].try_number) == ("failed", 1)
    assert "api_version to 2024-05-18" in logged()
    assert emulator.job(JOB).status == "Running"


def test_the_sensor_frees_its_slot_between_looks(emulator: Emulator, connect: Callable[..., None]) -> None:
    """In reschedule mode it is run again until the job has stopped."""
    emulator.add_job(JOB, "Running", stop_seconds=0.5)
    with a_dag("reschedule") as dag:
        stop = StopDIJobOperator(task_id="stop", di_job_id=JOB, wait_for_completion=False)
        check = DIJobStoppedSensor(task_id="check", di_job_id=JOB, mode="reschedule", poke_interval=0.5, timeout=20)
        stop >> check

    state, tasks = run_dag(dag)

    assert state == "success"
    assert tasks["check", -1].try_number == 1
    assert emulator.count("GetDIJob") >= 3


def test_deferred_stops_end_as_blocking_ones_do(
    emulator: Emulator, connect: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Through a trigger that Airflow stores, rebuilds and runs."""
    monkeypatch.setattr(DIJobStatusTrigger, "first_look", 0.1)
    for job_id in (1, 2, 3):
        emulator.add_job(job_id, "Running", stop_seconds=0.2)
    with a_dag("deferred") as dag:
        StopDIJobOperator.partial(task_id="stop", deferrable=True, poll_interval=0.2).expand(di_job_id=[1, 2, 3])

    state, tasks = run_dag(dag)

    assert state == "success"
    results = [tasks["stop", index].xcom_pull(task_ids="stop", map_indexes=index) for index in range(3)]
    assert [(found["status"], found["stopped_by_this_run"]) for found in results] == [("Stopped", True)] * 3
    assert [emulator.job(job_id).effective_stops for job_id in (1, 2, 3)] == [1, 1, 1]
