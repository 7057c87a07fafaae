"""The Airflow of these tests waits for its database: SQLite lets one process write at a time."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Callable
from contextlib import closing

import pytest
from real_airflow import Run

from airflow_provider_dataworks.emulator import Emulator, Job
from demo.airflow_processes import LocalAirflow

pytestmark = pytest.mark.e2e

# More than the 5 seconds after which SQLite's callers give up by default.
HELD = 7.0


def test_a_run_starts_although_the_database_is_held_for_seconds(
    airflow: LocalAirflow, emulator: Emulator, new_job: Callable[..., Job], start_run: Callable[..., Run]
) -> None:
    """As on a busy machine; no component ends of it, and the run does its work."""
    job_id = new_job(stop_seconds=1).id
    with closing(sqlite3.connect(airflow.home / "airflow.db", check_same_thread=False)) as database:
        database.execute("BEGIN IMMEDIATE")
        release = threading.Timer(HELD, database.rollback)
        release.start()
        try:
            run = start_run("e2e_stop_deferred", job=job_id)
        finally:
            release.join()

    assert run.wait_end(60) == "success"
    assert emulator.job(job_id).effective_stops == 1
    airflow.check()
