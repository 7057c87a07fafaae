"""Reads from Airflow's database what is down, windows, runs and DAG files, for commands; it writes nothing."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from airflow.models.dag import DagModel
from airflow.models.dagrun import DagRun
from airflow.utils.session import create_session
from sqlalchemy import select
from sqlalchemy.exc import SQLAlchemyError

from airflow_provider_dataworks import records
from airflow_provider_dataworks.cli.commands import AIRFLOW
from airflow_provider_dataworks.cli.running import CommandError
from airflow_provider_dataworks.owed_restarts import OwedRestarts
from airflow_provider_dataworks.windows import MaintenanceWindow


@dataclass(frozen=True)
class DagFacts:
    """
    What Airflow's database knows of a DAG.

    :param file: its file, where that is on this machine.
    :param next_run: epoch seconds at which the scheduler makes its next run; ``None`` where it makes none.
    """

    file: str | None
    is_paused: bool
    next_run: float | None


@contextmanager
def _reading() -> Iterator[Any]:
    """Give a session whose trouble ends the command; what the database says of it may name hosts and users."""
    try:
        with create_session() as session:
            yield session
            session.rollback()
    except SQLAlchemyError as error:
        kind = type(getattr(error, "orig", None) or error).__name__
        raise CommandError(
            f"Airflow's database cannot be read ({kind}).\n"
            "What to do: run this where Airflow runs, with the same configuration; `airflow db check` tells more.",
            AIRFLOW,
        ) from None


def jobs_down(dag_id: str | None = None, run_id: str | None = None) -> list[records.StoppedJob]:
    """
    Return the DI jobs that tasks of this Airflow stopped and did not start again.

    :raises CommandError: the database cannot be read, or there is no such DAG or run.
    """
    with _reading() as session:
        if dag_id is not None and session.get(DagModel, dag_id) is None:
            raise CommandError(f"--dag-id: Airflow's database has no DAG {dag_id!r}.", AIRFLOW)
        if run_id is not None and not _states(session, {(str(dag_id), run_id)}):
            raise CommandError(f"--run-id: DAG {dag_id!r} has no run {run_id!r}.", AIRFLOW)
        found: list[records.StoppedJob] = records.jobs_down(
            session, dag_ids=None if dag_id is None else [dag_id], run_id=run_id
        )
        return found


def restarts_of(stops: Iterable[records.StoppedJob]) -> OwedRestarts:
    """
    Return what the runs of these stops have yet to start again, and how those runs are.

    :raises CommandError: the database cannot be read.
    """
    with _reading() as session:
        return OwedRestarts(session, {(stop.dag_id, stop.run_id) for stop in stops})


def windows_of(dag_id: str) -> list[tuple[str, MaintenanceWindow]]:
    """
    Return the windows of a DAG, each with whose it is, in words.

    :raises CommandError: the database cannot be read.
    """
    with _reading() as session:
        found = records.windows(session, dag_ids=[dag_id])
    names: dict[MaintenanceWindow, list[str]] = {}
    for each in found:
        names.setdefault(each.window, []).append(f"task {each.task_id}" if each.task_id else f"schedule of {dag_id}")
    return [(", ".join(dict.fromkeys(whose)), window) for window, whose in names.items()]


def facts_of(dag_id: str) -> DagFacts | None:
    """
    Return what Airflow's database knows of a DAG; ``None`` where it knows none.

    :raises CommandError: the database cannot be read.
    """
    with _reading() as session:
        asked = select(DagModel.fileloc, DagModel.is_paused, DagModel.next_dagrun_create_after)
        row = session.execute(asked.where(DagModel.dag_id == dag_id)).first()
    if row is None:
        return None
    file, is_paused, due = row
    # A bundle's file may be on another machine: then the DAG folder of this one is read.
    here = file if file and Path(file).exists() else None
    return DagFacts(here, is_paused is True, None if is_paused or due is None else due.timestamp())


def _states(session: Any, runs: Collection[tuple[str, str]]) -> dict[tuple[str, str], str]:
    asked = select(DagRun.dag_id, DagRun.run_id, DagRun.state).where(
        DagRun.run_id.in_({run_id for _, run_id in runs}), DagRun.dag_id.in_({dag_id for dag_id, _ in runs})
    )
    return {
        (dag_id, run_id): str(state) for dag_id, run_id, state in session.execute(asked) if (dag_id, run_id) in runs
    }
