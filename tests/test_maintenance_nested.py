"""A maintenance inside the work of another, for jobs of two connections: both stop for the work, and both run again."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any

import pytest
from any_airflow import task
from dag_runs import run_dag
from emulated import JOB, connect, emulator
from emulated import real_clock as clock

from airflow_provider_dataworks.emulator import Emulator
from airflow_provider_dataworks.maintenance import DIJobMaintenance
from airflow_provider_dataworks.version_compat import DAG

__all__ = ["clock", "connect", "emulator"]
FAST: dict[str, Any] = {
    "stop_args": {"poll_interval": 0.05, "retries": 0},
    "check_args": {"poke_interval": 0.05, "timeout": 10, "retries": 0},
    "restart_args": {"poll_interval": 0.05, "retries": 0, "healthy_for": 0.1},
}


@pytest.mark.parametrize("fails", [False, True])
def test_both_are_stopped_for_the_work_and_started_again(
    emulator: Emulator, connect: Callable[..., None], fails: bool
) -> None:
    """Also when the work fails: then the run is red."""
    jobs, seen = (JOB, 5), []
    for job in jobs:
        emulator.add_job(job, "Running", stop_seconds=0.1, start_seconds=0.1)
    with DAG(f"nested_{fails}", schedule=None, start_date=datetime(2026, 1, 1), catchup=False) as dag:

        @task
        def work() -> None:
            seen.extend(emulator.job(job).status for job in jobs)
            if fails:
                raise RuntimeError("the work fails")

        with (
            DIJobMaintenance("outer", di_job_ids=jobs[0], **FAST),
            DIJobMaintenance("inner", di_job_ids=jobs[1], **FAST),
        ):
            work()

    state, _ = run_dag(dag)

    assert state == ("failed" if fails else "success")
    assert seen == ["Stopped", "Stopped"]
    found = [emulator.job(job) for job in jobs]
    assert [(job.status, job.effective_stops, job.effective_starts) for job in found] == [("Running", 1, 1)] * 2
