"""A person clears or marks tasks of a maintenance: no work runs on a live job, and every job runs at the end."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from real_airflow import ENDED, FORBIDDEN, Run, account, window

from airflow_provider_dataworks.emulator import Emulator, Job
from demo.airflow_processes import LocalAirflow

pytestmark = pytest.mark.e2e
WORK = "maintenance.work.alter_table"


@pytest.fixture
def failed_run(new_job: Callable[..., Job], start_run: Callable[..., Run]) -> Callable[..., tuple[Run, int]]:
    """Run a maintenance whose work fails; its job runs again."""

    def run(dag_id: str = "e2e_cleared", **conf: Any) -> tuple[Run, int]:
        job = new_job(stop_seconds=1, start_seconds=1).id
        found = start_run(dag_id, job=job, **conf)
        assert found.wait_end(120) == "failed"
        return found, job

    return run


def again(airflow: LocalAirflow, run: Run, timeout: float = 120) -> str:
    """Wait until a run that was cleared has ended again, and return its state."""
    airflow.wait_until("the run to go on", lambda: run.state not in ENDED, 60, interval=0.05)
    return run.wait_end(timeout)


# Cleared alone, the leaf behind it stays upstream_failed, so the run stays red: Airflow's rule, and on the safe side.
@pytest.mark.parametrize(
    ("how", "state"),
    [pytest.param({}, "failed", id="alone"), pytest.param({"include_downstream": True}, "success", id="downstream")],
)
def test_work_that_is_cleared_stops_the_job_again(
    airflow: LocalAirflow,
    emulator: Emulator,
    failed_run: Callable[..., tuple[Run, int]],
    how: dict[str, Any],
    state: str,
) -> None:
    """Airflow takes stop and check along, as they are setups; and the restart, as a teardown."""
    run, job = failed_run()
    assert account(emulator, job) == ("Running", 1, 1)

    airflow.clear_tasks(run.dag_id, run.run_id, WORK, **how)

    assert again(airflow, run) == state
    assert run.result(WORK) == ["Stopped"]
    assert account(emulator, job) == ("Running", 2, 2)


def test_of_work_that_is_cleared_by_failed_only_nothing_runs(
    airflow: LocalAirflow, emulator: Emulator, failed_run: Callable[..., tuple[Run, int]]
) -> None:
    """The stop had succeeded, so Airflow leaves it out: the work asks, and is not begun."""
    run, job = failed_run()

    airflow.clear_tasks(run.dag_id, run.run_id, WORK, only_failed=True)

    assert again(airflow, run) == "failed"
    assert "Clear the whole group 'maintenance'" in run.log(2, WORK)
    assert account(emulator, job) == ("Running", 1, 1)


def test_mapped_work_that_is_cleared_stops_the_job_again(
    airflow: LocalAirflow, emulator: Emulator, failed_run: Callable[..., tuple[Run, int]]
) -> None:
    """One index of it alone."""
    run, job = failed_run("e2e_cleared_mapped_work")

    airflow.clear_tasks(run.dag_id, run.run_id, (WORK, 0), include_downstream=True)

    assert again(airflow, run) == "success"
    assert run.result(WORK, 0) == ["Stopped"]
    assert account(emulator, job) == ("Running", 2, 2)


def test_work_on_several_jobs_that_is_cleared_stops_them_again(
    airflow: LocalAirflow, emulator: Emulator, new_job: Callable[..., Job], start_run: Callable[..., Run]
) -> None:
    """All of them."""
    jobs = [new_job(stop_seconds=1, start_seconds=1).id for _ in range(2)]
    run = start_run("e2e_cleared_several", jobs=jobs)
    assert run.wait_end(150) == "failed"

    airflow.clear_tasks(run.dag_id, run.run_id, WORK, include_downstream=True)

    assert again(airflow, run, 150) == "success"
    assert run.result(WORK) == ["Stopped", "Stopped"]
    assert [account(emulator, job) for job in jobs] == [("Running", 2, 2)] * 2


def test_work_that_is_cleared_after_the_window_touches_nothing(
    airflow: LocalAirflow, emulator: Emulator, failed_run: Callable[..., tuple[Run, int]]
) -> None:
    """The stop refuses, so the work is not reached."""
    now = datetime.now(UTC)
    closes = now + timedelta(seconds=45)
    run, job = failed_run(window=window(now - timedelta(minutes=1), closes))
    airflow.wait_until("the window to close", lambda: datetime.now(UTC) > closes, 60)

    airflow.clear_tasks(run.dag_id, run.run_id, WORK)

    assert again(airflow, run) == "failed"
    assert run.task("maintenance.stop")["state"] == "failed"
    assert run.task(WORK)["state"] == "upstream_failed"
    assert account(emulator, job) == ("Running", 1, 1)


def test_work_behind_a_question_that_is_cleared_stops_the_job_again(
    airflow: LocalAirflow, emulator: Emulator, new_job: Callable[..., Job], start_run: Callable[..., Run]
) -> None:
    """The answer stands: it was for this run."""
    job = new_job(stop_seconds=1, start_seconds=1).id
    run = start_run("e2e_cleared_approval", job=job)
    asked = f"/dags/{run.dag_id}/dagRuns/{run.run_id}/taskInstances/maintenance.approve/-1/hitlDetails"
    run.wait_for("the question", lambda: run.task("maintenance.approve")["state"] in ("awaiting_input", "deferred"))
    time.sleep(5)  # as a person would: who answers while the asking worker still goes home meets apache/airflow#72716
    assert "connection" in str(airflow.rest("GET", asked)).lower()
    airflow.rest("PATCH", asked, {"chosen_options": ["Approve"], "params_input": {}})
    assert run.wait_end(120) == "failed"

    airflow.clear_tasks(run.dag_id, run.run_id, WORK, include_downstream=True)

    assert again(airflow, run) == "success"
    assert account(emulator, job) == ("Running", 2, 2)


def test_a_stop_that_was_marked_as_done_lets_no_work_run_on_a_live_job(
    airflow: LocalAirflow, emulator: Emulator, new_job: Callable[..., Job], start_run: Callable[..., Run]
) -> None:
    """Nor does the check, once somebody marks that, too."""
    job = new_job(stop_seconds=1, start_seconds=1).id
    emulator.inject({"operation": "StopDIJob", "job_id": job, **FORBIDDEN})
    run = start_run("e2e_cleared", job=job)
    assert run.wait_end(120) == "failed"

    airflow.mark_task(run.dag_id, run.run_id, "maintenance.stop", "success")
    airflow.mark_task(run.dag_id, run.run_id, "maintenance.check", "success")
    airflow.clear_tasks(run.dag_id, run.run_id, WORK, only_failed=True)
    airflow.wait_until("the work to be tried", lambda: run.task(WORK)["state"] == "failed", 90)

    assert run.wait_end(120) == "failed"
    assert "Clear the whole group 'maintenance'" in run.log(run.task(WORK)["try_number"], WORK)
    assert account(emulator, job) == ("Running", 0, 0)


@pytest.mark.parametrize("dag_id", ["e2e_maintenance", "e2e_maintenance_mapped"])
def test_a_stop_that_is_cleared_alone_is_not_begun(
    airflow: LocalAirflow, emulator: Emulator, new_job: Callable[..., Job], start_run: Callable[..., Run], dag_id: str
) -> None:
    """Its restart is over and is not cleared with it, so the job would stay down behind a green run."""
    job = new_job(stop_seconds=1, start_seconds=1).id
    run = start_run(dag_id, job=job, jobs=[job])
    assert run.wait_end(120) == "success"

    airflow.clear_tasks(run.dag_id, run.run_id, "maintenance.stop")

    # Airflow judges a run by its leaves, and those had ended well: the task is red, the run is not.
    assert again(airflow, run) == "success"
    index = run.tasks("maintenance.stop")[0]["map_index"]
    assert run.task("maintenance.stop", index)["state"] == "failed"
    assert "Clear the whole group 'maintenance'" in run.log(2, "maintenance.stop", index)
    assert run.tasks("maintenance.restart")[0]["try_number"] == 1
    assert account(emulator, job) == ("Running", 1, 1)
