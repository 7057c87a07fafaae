"""Every row of the pages' table "what happens when" on a real Airflow: the job runs again, or the run is red."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest
from real_airflow import FORBIDDEN, Run, account, window

from airflow_provider_dataworks.emulator import Emulator, Job
from demo.airflow_processes import LocalAirflow

pytestmark = pytest.mark.e2e


@pytest.fixture
def job(new_job: Callable[..., Job]) -> int:
    """A running job that stops and starts within a second."""
    return new_job(stop_seconds=1, start_seconds=1).id


def test_all_goes_well(emulator: Emulator, job: int, start_run: Callable[..., Run]) -> None:
    """Stopped, maintained, started again."""
    run = start_run("e2e_maintenance", job=job)

    assert run.wait_end(120) == "success"
    assert account(emulator, job) == ("Running", 1, 1)


def test_the_stop_fails_before_it_was_sent(emulator: Emulator, job: int, start_run: Callable[..., Run]) -> None:
    """The job kept running, nothing was started, and the run is red."""
    emulator.inject({"operation": "StopDIJob", "job_id": job, **FORBIDDEN})
    run = start_run("e2e_maintenance", job=job)

    assert run.wait_end(120) == "failed"
    assert account(emulator, job) == ("Running", 0, 0)
    assert run.task("maintenance.restart")["state"] == "success"


def test_the_stop_fails_after_it_was_sent(
    emulator: Emulator, new_job: Callable[..., Job], start_run: Callable[..., Run]
) -> None:
    """It hangs past the timeout; the restart waits the stop out and starts the job again."""
    job = new_job(stop_ends_in="never", start_seconds=1).id
    run = start_run("e2e_maintenance", job=job)
    run.wait_task("failed", "maintenance.stop", timeout=90)
    emulator.set_status(job, "Stopped")

    assert run.wait_end(120) == "failed"
    assert account(emulator, job) == ("Running", 1, 1)


def test_the_maintenance_fails(emulator: Emulator, job: int, start_run: Callable[..., Run]) -> None:
    """The job runs again, and the failure is not hidden."""
    run = start_run("e2e_maintenance", job=job, fail=True)

    assert run.wait_end(120) == "failed"
    assert account(emulator, job) == ("Running", 1, 1)
    assert run.task("maintenance.restart")["state"] == "success"


def test_the_restart_fails(emulator: Emulator, job: int, start_run: Callable[..., Run]) -> None:
    """The job is down: the run must be red, and the log says what to do."""
    emulator.inject({"operation": "StartDIJob", "job_id": job, **FORBIDDEN})
    run = start_run("e2e_maintenance", job=job)

    assert run.wait_end(120) == "failed"
    assert account(emulator, job) == ("Stopped", 1, 0)
    assert "What to do:" in run.log(1, "maintenance.restart")


def test_the_restart_of_one_of_several_jobs_fails(
    emulator: Emulator, new_job: Callable[..., Job], start_run: Callable[..., Run]
) -> None:
    """The other runs again; the run is red, and says which job is down."""
    fine, down = (new_job(stop_seconds=1, start_seconds=1).id for _ in range(2))
    emulator.inject({"operation": "StartDIJob", "job_id": down, **FORBIDDEN})
    run = start_run("e2e_maintenance_mapped", jobs=[fine, down])

    assert run.wait_end(150) == "failed"
    assert account(emulator, fine) == ("Running", 1, 1)
    assert account(emulator, down) == ("Stopped", 1, 0)
    assert f"not running again: {down}" in run.log(1, "maintenance.restarted")


def test_several_jobs_are_maintained(
    emulator: Emulator, new_job: Callable[..., Job], start_run: Callable[..., Run]
) -> None:
    """By mapped tasks: all are stopped and started once."""
    jobs = [new_job(stop_seconds=1, start_seconds=1).id for _ in range(3)]
    run = start_run("e2e_maintenance_mapped", jobs=jobs)

    assert run.wait_end(150) == "success"
    assert [account(emulator, job) for job in jobs] == [("Running", 1, 1)] * 3
    assert run.result("maintenance.restarted") == jobs


def test_the_worker_dies_during_the_stop(
    airflow: LocalAirflow, emulator: Emulator, job: int, start_run: Callable[..., Run]
) -> None:
    """The retry sends nothing more, and the restart knows that this run stopped the job."""
    emulator.inject({"operation": "StopDIJob", "job_id": job, "slow": 8})
    run = start_run("e2e_maintenance", job=job)
    run.wait_for("StopDIJob", lambda: emulator.job(job).effective_stops == 1, 90)
    airflow.kill_worker(run.task("maintenance.stop")["pid"])

    assert run.wait_end(180) == "success"
    assert run.task("maintenance.stop")["try_number"] == 2
    assert account(emulator, job) == ("Running", 1, 1)
    assert emulator.job(job).stop_calls == 1


def test_the_triggerer_dies_during_the_stop(
    airflow: LocalAirflow, emulator: Emulator, new_job: Callable[..., Job], start_run: Callable[..., Run]
) -> None:
    """The wait goes on in the next triggerer."""
    job = new_job(stop_ends_in="never", start_seconds=1).id
    run = start_run("e2e_maintenance_deferred", job=job)
    run.wait_task("deferred", "maintenance.stop", timeout=90)
    airflow.kill("triggerer")
    emulator.set_status(job, "Stopped")
    airflow.start("triggerer")

    assert run.wait_end(180) == "success"
    assert account(emulator, job) == ("Running", 1, 1)


def test_the_scheduler_is_late(emulator: Emulator, job: int, start_run: Callable[..., Run]) -> None:
    """The window is over when the task runs: nothing is touched, not even by the restart."""
    now = datetime.now(UTC)
    run = start_run("e2e_maintenance", job=job, window=window(now - timedelta(minutes=30), now - timedelta(minutes=5)))

    assert run.wait_end(120) == "failed"
    assert account(emulator, job) == ("Running", 0, 0)
    assert emulator.job(job).stop_calls == 0
    assert run.task("maintenance.stop")["try_number"] == 1
    assert "opens next" in run.log(1, "maintenance.stop")


def test_the_run_is_marked_failed_by_hand(
    airflow: LocalAirflow, emulator: Emulator, job: int, start_run: Callable[..., Run]
) -> None:
    """The maintenance is ended, and the job runs again."""
    run = start_run("e2e_maintenance", job=job, seconds=120)
    run.wait_task("running", "maintenance.work.maintain", timeout=90)
    airflow.mark_run(run.dag_id, run.run_id, "failed")

    airflow.wait_until("the job to run again", lambda: account(emulator, job) == ("Running", 1, 1), 120)
    # Not the run's state: Airflow skips the leaf of a run marked failed, and ends the run by its teardown, in success.
    run.wait_end(120)
    states = {name: run.task(name)["state"] for name in ("maintenance.work.maintain", "maintenance.restart")}
    assert states == {"maintenance.work.maintain": "failed", "maintenance.restart": "success"}


def test_the_run_is_cleared(airflow: LocalAirflow, emulator: Emulator, job: int, start_run: Callable[..., Run]) -> None:
    """A second maintenance: stopped and started once more, whatever the first left in memory."""
    run = start_run("e2e_maintenance", job=job)
    assert run.wait_end(120) == "success"
    airflow.clear_tasks(run.dag_id, run.run_id, *(task["task_id"] for task in run.tasks()))

    airflow.wait_until("the job to be stopped again", lambda: emulator.job(job).effective_stops == 2, 120)
    assert run.wait_end(120) == "success"
    assert account(emulator, job) == ("Running", 2, 2)


def test_the_window_closes_during_the_maintenance(emulator: Emulator, job: int, start_run: Callable[..., Run]) -> None:
    """The tasks run to their end, and the restart is bound by no window."""
    now = datetime.now(UTC)
    closes = now + timedelta(seconds=40)
    run = start_run("e2e_maintenance", job=job, seconds=45, window=window(now - timedelta(minutes=1), closes))

    assert run.wait_end(150) == "success"
    assert datetime.now(UTC) > closes
    assert account(emulator, job) == ("Running", 1, 1)


@pytest.mark.parametrize(("answer", "outcome"), [("Approve", ("Running", 1, 1)), ("Reject", ("Running", 0, 0))])
def test_a_person_is_asked_first(
    airflow: LocalAirflow,
    emulator: Emulator,
    job: int,
    start_run: Callable[..., Run],
    answer: str,
    outcome: tuple[str, int, int],
) -> None:
    """Nothing is stopped before the answer, and nothing at all after a no; the restart is then skipped, too."""
    run = start_run("e2e_maintenance_asked", job=job)
    asked = f"/dags/{run.dag_id}/dagRuns/{run.run_id}/taskInstances/maintenance.approve/-1/hitlDetails"
    run.wait_for("the question", lambda: run.task("maintenance.approve")["state"] in ("awaiting_input", "deferred"))
    time.sleep(5)  # as a person would: who answers while the asking worker still goes home meets apache/airflow#72716
    assert account(emulator, job) == ("Running", 0, 0)
    airflow.rest("PATCH", asked, {"chosen_options": [answer], "params_input": {}})

    assert run.wait_end(120) == "success"
    assert account(emulator, job) == outcome
    assert run.task("maintenance.restart")["state"] == ("success" if answer == "Approve" else "skipped")
