"""A restart is green only where data flows again: each way in which it may not, on a real scheduler and triggerer."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from real_airflow import FORBIDDEN, Run

from airflow_provider_dataworks.emulator import Emulator

pytestmark = pytest.mark.e2e

FAST = {"stop_seconds": 1, "start_seconds": 1, "metrics_period": 1}
# Settings of the job, the connection, and then: state of the run, status of the job, what the log of the restart says.
ROWS: dict[str, tuple[dict[str, Any], str, str, str, str]] = {
    "well": ({}, "dataworks_2024", "success", "Running", "'lag': 0.0"),
    "fails right after Running": (
        {"fails_after_start": 13, "log": ["the binlog was purged"]},
        "dataworks_2024",
        "failed",
        "Failed",
        "Log of the job: the binlog was purged",
    ),
    "its place in the log is gone": (
        {"log_retention": 1, "log": ["position not found"]},
        "dataworks_2024",
        "failed",
        "Failed",
        "Log of the job: position not found",
    ),
    "lag never comes back": ({"lag": {"stuck": 500}}, "dataworks_2024", "failed", "Running", "its lag was 500 s"),
    "lag comes back late": (
        {"lag": {"start": 600, "falls": 20}},
        "dataworks_2024",
        "success",
        "Running",
        "'idle': False",
    ),
    "metrics missing": ({"lag": "missing"}, "dataworks_2024", "failed", "Running", "no sample of its delay"),
    "idle source": ({"lag": "idle"}, "dataworks_2024", "success", "Running", "'idle': True"),
    "the older API": ({}, "dataworks_default", "failed", "Running", "needs-2024"),
}


def test_a_restart_proves_that_data_flows(emulator: Emulator, start_run: Callable[..., Run]) -> None:
    """Eight runs at once; each job is stopped and started once, whatever comes of it."""
    runs: dict[str, tuple[int, Run]] = {}
    for job_id, (name, (settings, conn_id, *_)) in enumerate(ROWS.items(), 4201):
        emulator.add_job(job_id, **FAST, **settings)
        runs[name] = job_id, start_run("e2e_proof", job=job_id, conn=conn_id)

    missed = []
    for name, (job_id, run) in runs.items():
        state, job = run.wait_end(240), emulator.job(job_id)
        log = run.log(1, "maintenance.restart")
        found = (state, job.status, job.effective_stops, job.effective_starts)
        *_, wanted_state, wanted_status, text = ROWS[name]
        (told,) = run.result("maintenance.report")["jobs"]
        outcomes = ("NOT PROVEN",) if wanted_status == "Running" else ("NOT RUNNING",)
        outcomes = ("caught up", "idle") if wanted_state == "success" else outcomes
        well = told["outcome"] in outcomes and (told["downtime"] is not None) is (wanted_state == "success")
        if found != (wanted_state, wanted_status, 1, 1) or text not in log or not well:
            tasks = {task: run.task(f"maintenance.{task}")["state"] for task in ("stop", "check", "restart", "done")}
            missed.append(f"{name}: {found}, {tasks}, {told}\n{log[-1200:]}")
    assert not missed, "\n\n".join(missed)


def test_metrics_that_are_refused_are_named(emulator: Emulator, start_run: Callable[..., Run]) -> None:
    """By RAM, say: the job runs, and the error says what is missing."""
    emulator.add_job(4210, **FAST)
    emulator.inject({"operation": "ListDIJobMetrics", "job_id": 4210, **FORBIDDEN})
    run = start_run("e2e_proof", job=4210)

    assert run.wait_end(120) == "failed"
    assert emulator.job(4210).status == "Running"
    assert "ListDIJobMetrics" in run.log(1, "maintenance.restart")


def test_a_preflight_that_says_no_touches_nothing(emulator: Emulator, start_run: Callable[..., Run]) -> None:
    """The run is red at its first task, and no task behind it has run."""
    emulator.add_job(4211, "Stopped", **FAST)
    run = start_run("e2e_proof", job=4211)

    assert run.wait_end(120) == "failed"
    job = emulator.job(4211)
    assert (job.status, job.stop_calls, job.start_calls) == ("Stopped", 0, 0)
    log = run.log(1, "maintenance.preflight")
    assert "[ ] DI job 4211: is there and Running: it is Stopped" in log
    assert "nothing was touched, because 1 of 1 checks are not good" in log
    assert run.task("maintenance.stop")["state"] == "upstream_failed"
