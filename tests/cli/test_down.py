"""``down``, and ``restart`` of a run: what tasks of a real Airflow stopped, read from its database."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from command_line import Say
from dag_runs import database, run_dag
from emulated import JOB, connect, emulator
from emulated import real_clock as clock
from page_rows import Rows, keep_maintenance
from stored import drop_xcoms, empty_database, forget_notes, keep_dag, session_of_database

from airflow_provider_dataworks.emulator import Emulator
from airflow_provider_dataworks.operators.dataworks import StopDIJobOperator
from airflow_provider_dataworks.version_compat import DAG
from airflow_provider_dataworks.windows import MaintenanceWindow

__all__ = ["clock", "connect", "emulator"]

WINDOW = MaintenanceWindow("0 2 * * SUN", timedelta(hours=3), "Asia/Shanghai")
QUICK = ("--healthy-for", "0", "--poll-interval", "0.1")


@pytest.fixture(autouse=True)
def no_notes(emulator: Emulator, connect: Any) -> Iterator[None]:
    """Begin with jobs that stop at once and no note of another test, and leave none to the next one."""
    emulator.add_job(JOB, stop_seconds=0.1, start_seconds=0.1)
    emulator.add_job(8, stop_seconds=0.1, start_seconds=0.1)
    database()
    forget_notes()
    yield
    forget_notes()


def stop(name: str, *ids: int) -> str:
    """Have a run of a DAG of this name stop jobs; return the run's id."""
    with DAG(name, schedule=None, start_date=datetime(2026, 1, 1)) as dag:
        for job_id in ids:
            StopDIJobOperator(task_id=f"stop_{job_id}", di_job_id=job_id, poll_interval=0.1)
    state, tasks = run_dag(dag)
    assert state == "success"
    keep_dag(dag)
    return str(next(iter(tasks.values())).run_id)


def set_state(run_id: str, state: str) -> None:
    """Change the state of a run, as Airflow does when it begins or ends."""
    from airflow.models.dagrun import DagRun

    with session_of_database() as session:
        session.query(DagRun).filter(DagRun.run_id == run_id).update({"state": state})


def test_nothing_is_down(say: Say, emulator: Emulator) -> None:
    """That is good, and costs no call."""
    stop("stops_nothing_else", JOB)
    emulator.set_status(JOB, "Running")
    calls = len(emulator.calls)
    drop_xcoms(key="dataworks_stop")

    said = say("down")

    assert (said.code, said.out) == (0, "Nothing that runs of this Airflow stopped is down.\n")
    assert len(emulator.calls) == calls


def test_what_is_down(say: Say, emulator: Emulator) -> None:
    """Since when, by which run, and how it is now; with what starts it, ready to be copied."""
    run_id = stop("leaves_down", JOB, 8)
    emulator.set_status(8, "Running")  # somebody, in the console

    said = say("down")

    assert said.code == 1
    (line,) = said.out.splitlines()[1:]
    assert line.split()[:2] == [str(JOB), "Stopped"]
    assert line.endswith(f"leaves_down {run_id}")
    assert "Started by somebody, not by a task of this Airflow: 8." in said.err
    assert f"restart --dag-id leaves_down --run-id {run_id}" in said.err

    first, second = sorted(say("down", "-o", "json").json, key=lambda each: -each["di_job_id"])
    assert (first["di_job_id"], first["status"], first["down"]) == (JOB, "Stopped", True)
    assert (second["di_job_id"], second["status"], second["down"]) == (8, "Running", False)
    assert (first["dag_id"], first["run_id"], first["task_id"]) == ("leaves_down", run_id, f"stop_{JOB}")


def test_without_asking(say: Say, emulator: Emulator) -> None:
    """Only Airflow's database is read."""
    stop("leaves_down", JOB)
    calls = len(emulator.calls)

    said = say("down", "--offline")

    assert said.code == 1
    assert f"{JOB}   not asked" in said.out
    assert len(emulator.calls) == calls


def test_of_one_dag_or_run(say: Say) -> None:
    """And a name that is none is no silence."""
    run_id = stop("leaves_down", JOB)
    stop("leaves_another", 8)
    rows = [
        (("-d", "leaves_down"), 1, [JOB]),
        (("-d", "leaves_down", "-r", run_id), 1, [JOB]),
        (("-d", "no_such_dag"), 5, None),
        (("-d", "leaves_another", "-r", run_id), 5, None),
        (("-r", run_id), 2, None),
    ]
    misses = []
    for words, code, ids in rows:
        said = say("down", *words, "-o", "json")
        found = [each["di_job_id"] for each in said.json] if said.out else None
        if (said.code, found) != (code, ids):
            misses.append((words, said))

    assert misses == []


def test_dataworks_is_not_reached(say: Say, emulator: Emulator) -> None:
    """What is down is shown all the same."""
    stop("leaves_down", JOB)
    emulator.inject({"operation": "GetDIJob", "error": {"status": 403, "code": "Forbidden.RAM", "message": "no"}})

    said = say("down")

    assert said.code == 4
    assert f"{JOB}   unknown" in said.out


def test_restart_of_a_run(say: Say, emulator: Emulator) -> None:
    """It starts what that run left down, and no other."""
    run_id = stop("leaves_down", JOB)
    stop("leaves_another", 8)

    said = say("restart", "-d", "leaves_down", "-r", run_id, *QUICK, answer="yes\n")

    assert said.code == 0
    assert emulator.job(JOB).status == "Running"
    assert emulator.job(8).status == "Stopped"
    assert say("restart", "-d", "leaves_down", *QUICK).code == 0
    assert emulator.job(JOB).start_calls == 1


@pytest.mark.parametrize(
    ("restart", "will"), [("queued", True), (None, True), ("up_for_retry", True), ("failed", False), ("removed", False)]
)
def test_a_run_that_goes_on_restarts_its_jobs_where_a_task_of_it_will(
    say: Say, emulator: Emulator, restart: str | None, will: bool
) -> None:
    """A restart that has failed is no promise."""
    emulator.set_status(JOB, "Stopped")
    keep_maintenance("orders", WINDOW)
    rows = Rows()
    rows.maintenance("orders", "r1", datetime.now(UTC), is_down=True, restart=restart, state="running", job_id=JOB)
    rows.write()
    try:
        said = say("down").err
        refused = say("restart", "-d", "orders", "-r", "r1", "--yes")
    finally:
        empty_database()

    assert ("it restarts them itself" in said, "What starts them" in said) == (will, not will)
    assert ("it restarts them itself" in refused.err, refused.code) == (will, 1)
    assert ("no task of it restarts them" in refused.err) is not will


def test_a_job_that_two_connections_stopped_is_started_once(
    say: Say, emulator: Emulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    """They lead to the same place."""
    monkeypatch.setenv("AIRFLOW_CONN_OTHER", os.environ["AIRFLOW_CONN_DATAWORKS_DEFAULT"])
    emulator.add_job(JOB, "Stopped", start_seconds=5)
    keep_maintenance("orders", WINDOW)
    rows = Rows()
    for run_id, conn_id in (("r1", "dataworks_default"), ("r2", "other")):
        note = {"di_job_id": JOB, "status_before": "Running", "at": time.time(), "conn_id": conn_id}
        rows.run("orders", run_id, datetime.now(UTC), "failed")
        rows.task("orders", run_id, "stop", "success", datetime.now(UTC), dataworks_stop=note)
    rows.write()
    try:
        said = say("restart", "-d", "orders", "--yes", "--no-wait")
    finally:
        empty_database()

    assert (said.code, emulator.job(JOB).start_calls) == (0, 1)


def test_a_run_that_is_under_way_is_not_disturbed(say: Say, emulator: Emulator) -> None:
    """Its tasks may be at work on the stopped job: by its id or its run's, it is not started without a person's yes."""
    run_id = stop("works", JOB)
    set_state(run_id, "running")

    for words in ((JOB,), ("-d", "works")):
        said = say("restart", *words, "--yes")
        assert said.code == 1
        assert "is still under way" in said.err
    assert emulator.job(JOB).start_calls == 0
    assert "no task of it will start all of them" in say("down").err  # this DAG has no restart

    assert say("restart", JOB, *QUICK, answer="y\n").code == 0
    emulator.set_status(JOB, "Stopped")
    assert say("restart", JOB, "--yes", "--even-if-running", *QUICK).code == 0
