"""Maintenances of several jobs on a real Airflow: their verdict is about the jobs, whatever Airflow kept of tasks."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from real_airflow import ENDED, FORBIDDEN, Run, account

from airflow_provider_dataworks.emulator import Emulator, Job
from demo.airflow_processes import LocalAirflow

pytestmark = pytest.mark.e2e


def test_results_that_are_not_kept_and_native_templates_make_no_run_red(
    emulator: Emulator, start_run: Callable[..., Run]
) -> None:
    """With `do_xcom_push=False` in default_args, and with `render_template_as_native_obj`."""
    jobs = {"e2e_several_without_results": (901, 902), "e2e_several_native": (911, 912)}
    for job in (job for pair in jobs.values() for job in pair):
        emulator.add_job(job, stop_seconds=1, start_seconds=1)

    runs = [start_run(dag_id) for dag_id in jobs]

    assert [run.wait_end(120) for run in runs] == ["success", "success"]
    for run, pair in zip(runs, jobs.values(), strict=True):
        assert [account(emulator, job) for job in pair] == [("Running", 1, 1)] * 2
        assert {task["try_number"] for task in run.tasks()} == {1}


def test_where_a_stop_was_refused_its_restart_asks_nobody_and_nobody_is_told_twice(
    airflow: LocalAirflow, emulator: Emulator, start_run: Callable[..., Run]
) -> None:
    """The other job was stopped, and runs again; one task alerts."""
    refused, fine = 921, 922
    for job in (refused, fine):
        emulator.add_job(job, stop_seconds=1, start_seconds=1)
    emulator.inject({"operation": "StopDIJob", "job_id": refused, **FORBIDDEN})

    run = start_run("e2e_several_alerting")
    run.wait_for("the refusal", lambda: run.task("maintenance.stop", 0)["state"] == "failed")
    emulator.inject({"operation": "GetDIJob", "job_id": refused, **FORBIDDEN})

    assert run.wait_end(120) == "failed"
    assert account(emulator, refused) == ("Running", 0, 0)
    assert account(emulator, fine) == ("Running", 1, 1)
    restart = run.task("maintenance.restart", 0)
    assert (restart["state"], restart["try_number"]) == ("success", 1)
    assert "not asked for" in run.log(1, "maintenance.restart", 0)
    assert run.task("maintenance.restarted")["state"] == "success"
    assert (airflow.home / f"alerts-{run.run_id}").read_text().splitlines() == ["maintenance.stop"]


def test_a_restart_marked_as_done_is_believed_once_the_job_runs(
    airflow: LocalAirflow, emulator: Emulator, new_job: Callable[..., Job], start_run: Callable[..., Run]
) -> None:
    """A person starts the job in the console, marks the restart and clears the verdict."""
    fine, down = (new_job(stop_seconds=1, start_seconds=1).id for _ in range(2))
    emulator.inject({"operation": "StartDIJob", "job_id": down, **FORBIDDEN})
    run = start_run("e2e_maintenance_mapped", jobs=[fine, down])
    assert run.wait_end(120) == "failed"
    assert "DI jobs are down: start them in the DataWorks console" in run.log(1, "maintenance.restarted")

    emulator.set_status(down, "Running")
    airflow.mark_task(run.dag_id, run.run_id, "maintenance.restart", "success", 1)
    airflow.clear_tasks(run.dag_id, run.run_id, "maintenance.restarted")
    airflow.wait_until("the run to go on", lambda: run.state not in ENDED, 60, interval=0.05)

    assert run.wait_end(120) == "success"
    assert run.result("maintenance.restarted") == [fine, down]
    assert account(emulator, down) == ("Running", 1, 0)
