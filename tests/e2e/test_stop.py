"""Stops on a real Airflow whose processes are killed on the way: one effective stop per job, and no task forgets it."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from real_airflow import Run

from airflow_provider_dataworks.emulator import Emulator, Job
from demo.airflow_processes import LocalAirflow

pytestmark = pytest.mark.e2e

FORTY = range(1, 41)
# Long enough to find and kill the worker while it waits for the answer, and below its read timeout.
ANSWER_TAKES = 8


def console_of(job: Job) -> str:
    """Return the address of a job's workspace in the console."""
    return f"https://dataworks.data.aliyun.com/cn-shanghai/sc?defaultProjectId={job.project_id}"


def test_forty_deferred_stops_survive_the_death_of_the_triggerer(
    airflow: LocalAirflow, emulator: Emulator, start_run: Callable[..., Run]
) -> None:
    """Killed in the middle of their shared wait and started again: one stop a job, by this run, and few looks."""
    for job in FORTY:
        emulator.add_job(job, stop_ends_in="never")
    calls = {operation: emulator.count(operation) for operation in ("GetDIJob", "ListDIJobs", "StopDIJob")}

    def new_calls(operation: str) -> int:
        return emulator.count(operation) - calls[operation]

    run = start_run("example_dataworks_stop_many")
    run.wait_for(
        "forty tasks to be deferred",
        lambda: [task["state"] for task in run.tasks("stop")] == ["deferred"] * len(FORTY),
        timeout=120,
    )
    run.wait_for("the triggerer's first look", lambda: new_calls("ListDIJobs") > 0)
    links = run.links(map_index=len(FORTY) - 1)
    assert links["DataWorks console"] == console_of(emulator.job(FORTY[0]))
    assert str(links["DataWorks page"]).startswith(f"dataworks/run?dag_id={run.dag_id}&run_id=manual__")
    airflow.kill("triggerer")
    for job in FORTY:  # only now, so that nobody can have seen it
        emulator.set_status(job, "Stopped")
    airflow.start("triggerer")

    assert run.wait_end(timeout=150) == "success"
    assert [task["state"] for task in run.tasks("stop")] == ["success"] * len(FORTY)
    results = [run.result(map_index=index) for index in range(len(FORTY))]
    assert {result["di_job_id"] for result in results} == set(FORTY)
    assert [(result["stopped_by_this_run"], result["status"]) for result in results] == [(True, "Stopped")] * len(FORTY)
    assert run.result("report") == "40 DI jobs do not run: 40 stopped by this run, 0 before it."
    assert [emulator.job(job).effective_stops for job in FORTY] == [1] * len(FORTY)
    assert new_calls("StopDIJob") == len(FORTY)
    # One look of each task before its stop; all later looks are shared, two or three by each triggerer.
    assert new_calls("GetDIJob") + new_calls("ListDIJobs") <= len(FORTY) + 10


def test_a_stop_whose_worker_dies_before_the_answer_is_not_sent_again(
    airflow: LocalAirflow, emulator: Emulator, new_job: Callable[..., Job], start_run: Callable[..., Run]
) -> None:
    """The retry finds one job Stopped and one still Stopping, sends nothing, and knows that this run stopped them."""
    # Each stop takes effect at once; its answer is what the workers do not live to see.
    over, under_way = new_job(stop_seconds=1).id, new_job(stop_ends_in="never").id
    runs = {over: start_run("e2e_stop_blocking", job=over), under_way: start_run("e2e_stop_deferred", job=under_way)}
    for job in runs:
        emulator.inject({"operation": "StopDIJob", "job_id": job, "slow": ANSWER_TAKES})
    for job, run in runs.items():
        run.wait_for("StopDIJob", lambda job=job: emulator.job(job).effective_stops == 1)
        airflow.kill_worker(run.task()["pid"])

    runs[under_way].wait_task("deferred", try_number=2)
    emulator.set_status(under_way, "Stopped")
    for job, run in runs.items():
        assert run.wait_end() == "success"
        assert run.task()["try_number"] == 2
        result = run.result()
        assert (result["status_before"], result["status"]) == ("Running", "Stopped")
        assert result["stopped_by_this_run"] is True
        assert result["request_id"] is None, "the answer never came"
        assert (emulator.job(job).effective_stops, emulator.job(job).stop_calls) == (1, 1)
        assert "StopDIJob is not sent" in run.log(2)


def test_a_deferred_stop_marked_failed_and_then_cleared_is_not_sent_again(
    airflow: LocalAirflow, emulator: Emulator, new_job: Callable[..., Job], start_run: Callable[..., Run]
) -> None:
    """Neither undoes the stop; the cleared task waits for the same one and knows that this run sent it."""
    job = new_job(stop_ends_in="never").id
    run = start_run("e2e_stop_deferred", job=job)
    run.wait_task("deferred")
    airflow.mark_task(run.dag_id, run.run_id, "stop", "failed")
    assert run.wait_end() == "failed"
    assert emulator.job(job).status == "Stopping"

    airflow.clear_tasks(run.dag_id, run.run_id, "stop")
    run.wait_task("deferred", try_number=2)
    emulator.set_status(job, "Stopped")
    assert run.wait_end() == "success"
    result = run.result()
    assert (result["status_before"], result["status"]) == ("Running", "Stopped")
    assert result["stopped_by_this_run"] is True
    assert (emulator.job(job).effective_stops, emulator.job(job).stop_calls) == (1, 1)


@pytest.mark.parametrize(("dag_id", "while_in"), [("e2e_stop_blocking", "running"), ("e2e_stop_deferred", "deferred")])
def test_a_task_has_its_link_to_the_console_while_it_waits(
    dag_id: str, while_in: str, emulator: Emulator, new_job: Callable[..., Job], start_run: Callable[..., Run]
) -> None:
    """It leads to the job's workspace before the task has ended."""
    job = new_job(stop_ends_in="never")
    run = start_run(dag_id, job=job.id)
    run.wait_for("the link", lambda: run.links()["DataWorks console"] == console_of(job))
    run.wait_task(while_in)
    emulator.set_status(job.id, "Stopped")
    assert run.wait_end() == "success"
