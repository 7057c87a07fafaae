"""The secrets backend of a real Airflow does not answer while its triggerer reads a connection: the wait goes on."""

from __future__ import annotations

import time
from collections.abc import Callable

import pytest
from real_airflow import SILENT, Run

from airflow_provider_dataworks.emulator import Emulator, Job
from demo.airflow_processes import LocalAirflow

pytestmark = pytest.mark.e2e
SILENCE = 20.0  # seconds


def test_a_wait_outlasts_a_secrets_backend_that_is_silent(
    airflow: LocalAirflow, emulator: Emulator, new_job: Callable[..., Job], start_run: Callable[..., Run]
) -> None:
    """For twenty seconds, from the start of a triggerer on; the task ends green in its first try."""
    silent = airflow.home / SILENT
    job = new_job(stop_seconds=1).id
    airflow.kill("triggerer")
    try:
        run = start_run("e2e_stop_deferred", job=job, connection="dataworks_from_backend")
        run.wait_task("deferred")
        looks = emulator.count()
        silent.touch()
        airflow.start("triggerer")
        run.wait_for("the trouble in the log", lambda: "Reading it again" in run.log(1))
        time.sleep(SILENCE)  # as the backend does
        assert run.task()["state"] == "deferred"
        assert emulator.count() == looks
    finally:
        silent.unlink(missing_ok=True)
        if airflow.processes["triggerer"].pid is None:
            airflow.start("triggerer")

    assert run.wait_end() == "success"
    assert run.task()["try_number"] == 1
    assert run.result()["stopped_by_this_run"] is True
    assert emulator.job(job).effective_stops == 1
