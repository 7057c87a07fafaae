"""
Reads from Airflow's own database what tasks of this package noted: which jobs are down, reports, windows.

It asks DataWorks nothing, and writes nothing. XComs can be edited by anybody and kept elsewhere by a custom backend:
what is no note of ours counts as none. What ``airflow db clean`` removed is not known any more.
"""

from __future__ import annotations

import zlib
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, NamedTuple

from airflow.models.dag import DagModel
from airflow.models.dagrun import DagRun
from airflow.models.serialized_dag import SerializedDagModel
from sqlalchemy import Text, and_, cast, func, null, select

from airflow_provider_dataworks.operators._request_note import Note
from airflow_provider_dataworks.values import finite_number
from airflow_provider_dataworks.windows import MaintenanceWindow
from airflow_provider_dataworks.windows.stored import windows_of
from airflow_provider_dataworks.xcoms import (
    Row,
    XCom,
    chunks,
    decoded,
    made_by,
    noted_beside,
    of,
    of_runs,
    rows,
    runs_with,
    value_text,
)

if TYPE_CHECKING:
    from sqlalchemy.orm import Session

# Asked through Any: what the columns are called is the same in all versions, how they are declared is not.
_Run: Any = DagRun
_Dag: Any = DagModel
_Stored: Any = SerializedDagModel
_RUNS = ("Running", "Finished")
# Each task of ours that looked at a job has the first, whatever its class is called.
_LOOKED = ("_link_DataWorksConsoleLink", "dataworks_start")
_STOPS_A_REPORT = 10  # among the newest stops of so many times its limit, reports are looked for
_LONGEST_NAME = 250
_LATEST = 2**32  # epoch seconds; what an edited note claims beyond is no moment


@dataclass(frozen=True)
class StoppedJob:
    """
    A stop that a task noted.

    :param at: epoch seconds at which the stop was asked for.
    :param conn_id: Airflow connection that it went through, where the note tells.
    :param request_id: of the request, where its answer came.
    :param status_before: status of the job before the request, where it is known.
    :param asked_by: who triggered the run, as far as Airflow tells (3.1 and later).
    """

    di_job_id: int
    at: float | None
    dag_id: str
    run_id: str
    task_id: str
    map_index: int
    conn_id: str | None = None
    request_id: str | None = None
    status_before: str | None = None
    asked_by: str | None = None


@dataclass(frozen=True)
class KeptReport:
    """
    What a ``MaintenanceReportOperator`` reported.

    :param at: epoch seconds at which it was made.
    :param report: as the operator returned it; anybody can have edited it.
    """

    dag_id: str
    run_id: str
    at: float | None
    report: dict[str, Any]


@dataclass(frozen=True)
class DagWindow:
    """
    A window that a DAG keeps to.

    :param task_id: the stop that has it; ``None`` where the DAG is scheduled by it.
    """

    dag_id: str
    task_id: str | None
    window: MaintenanceWindow
    is_paused: bool


def jobs_down(
    session: Session, *, dag_ids: Collection[str] | None = None, run_id: str | None = None
) -> list[StoppedJob]:
    """
    Return the jobs that a task asked, or may have asked, to stop, and of which nothing noted later that they run again.

    For each job and connection the newest such stop. A job that somebody started in the console, and at which no task
    looked since, is among them: only DataWorks knows better.

    :param session: of Airflow's database.
    :param dag_ids: of these DAGs only; ``None`` for all. A start counts whichever DAG it is from.
    :param run_id: of this run only.
    :return: the job that was stopped first comes first.
    """
    newest: dict[tuple[int, str | None], StoppedJob] = {}
    runs: dict[tuple[int, str | None], int] = {}
    where = [XCom.key == "dataworks_stop", *of(XCom.dag_id, dag_ids)]
    where += [XCom.run_id == run_id] if run_id is not None else []
    for some in chunks(_runs_of_newest(session, where)):
        for row in rows(session, XCom.dag_run_id.in_(some), *where):
            if (stop := _stop(row)) is not None:
                job = (stop.di_job_id, stop.conn_id)
                if job not in newest or (stop.at or 0) >= (newest[job].at or 0):
                    newest[job], runs[job] = stop, row.dag_run_id
    # Almost every stop was made good in its own run, which is few rows; only for the others all later ones are read.
    left = _still_down(newest.values(), _seen_running(session, runs.values()))
    if left:
        earliest = datetime.fromtimestamp(min(stop.at or 0 for stop in left), UTC)
        later = runs_with(session, _LOOKED, XCom.timestamp >= earliest)
        left = _still_down(left, _seen_running(session, later))
    who = _who_asked(session, left)
    return sorted(
        (StoppedJob(**{**vars(stop), "asked_by": who.get((stop.dag_id, stop.run_id))}) for stop in left),
        key=lambda stop: (stop.at or 0, stop.di_job_id),
    )


def reports(
    session: Session, *, dag_ids: Collection[str] | None = None, run_id: str | None = None, limit: int = 50
) -> list[KeptReport]:
    """
    Return what maintenances reported, the newest first.

    :param session: of Airflow's database.
    :param dag_ids: of these DAGs only; ``None`` for all.
    :param run_id: of this run only.
    :param limit: at most so many.
    """
    found: dict[tuple[Any, ...], KeptReport] = {}
    theirs = [*of(XCom.dag_id, dag_ids), *([] if run_id is None else [XCom.run_id == run_id])]
    kept = list(rows(session, XCom.key == "dataworks_report", *theirs, newest=limit))
    # Releases before that key left the report as the result of its task alone.
    older = _STOPS_A_REPORT * (limit - len(kept))
    for runs in chunks(runs_with(session, ("dataworks_stop",), *theirs, newest=older) if older > 0 else ()):
        where = (XCom.dag_run_id.in_(runs), XCom.key == "return_value", *theirs)
        kept += rows(session, *where, made_by("MaintenanceReportOperator"))
    for row in kept:
        if (report := _report(row)) is not None:
            found.setdefault(row[:4], report)
    return sorted(found.values(), key=lambda each: each.at or 0, reverse=True)[:limit]


def windows(session: Session, *, dag_ids: Collection[str] | None = None) -> list[DagWindow]:
    """
    Return the windows of the DAGs that Airflow has now: of their schedules and of their stops.

    A window that is a template, or that the stored form of a mapped task does not hold, is not among them.

    :param session: of Airflow's database.
    :param dag_ids: of these DAGs only; ``None`` for all.
    """
    gone = _Dag.is_stale.is_(True) if hasattr(_Dag, "is_stale") else _Dag.is_active.is_(False)
    text = cast(_Stored._data, Text)
    query = select(_Stored.dag_id, text, _Stored._data_compressed, _Dag.is_paused).join(
        _Dag, _Dag.dag_id == _Stored.dag_id
    )
    if hasattr(_Stored, "created_at"):  # 3.x keeps a row for each version of a DAG
        newest = select(_Stored.dag_id, func.max(_Stored.created_at).label("at")).group_by(_Stored.dag_id).subquery()
        query = query.join(newest, and_(newest.c.dag_id == _Stored.dag_id, newest.c.at == _Stored.created_at))
    ours = text.contains("airflow_provider_dataworks", autoescape=True) | _Stored._data_compressed.is_not(None)
    query = query.where(~gone, ours, *of(_Stored.dag_id, dag_ids)).order_by(_Stored.dag_id)
    found: list[DagWindow] = []
    for dag_id, plain, packed, is_paused in session.execute(query):
        stored = decoded(zlib.decompress(packed) if packed else plain)
        for task_id, window in windows_of(stored.get("dag") if isinstance(stored, Mapping) else None):
            found.append(DagWindow(dag_id, task_id, window, bool(is_paused)))
    return found


def _runs_of_newest(session: Session, where: list[Any]) -> Iterator[int]:
    """
    Yield the runs in which a job may have been stopped last, the others left out by a look that is cheap.

    Years of runs are read here for each view of the page, so nothing is checked that a later look checks anyway.
    """
    known: dict[tuple[Any, ...], float] = {}
    query = select(XCom.dag_run_id, value_text).where(*where).order_by(XCom.timestamp.desc())
    for dag_run_id, text in session.execute(query):
        note = decoded(text)
        if not isinstance(note, Mapping) or note.get("withdrawn") is True:
            continue
        job = (str(note.get("di_job_id")), str(note.get("conn_id")))
        if (at := finite_number(note.get("at"), 0, _LATEST)) is not None:
            if at < known.get(job, 0.0):
                continue
            known[job] = at
        yield dag_run_id


def _stop(row: Row) -> StoppedJob | None:
    note = Note.read(row.value)
    if note is None or note.withdrawn:
        return None
    at = row.at if note.at is None or note.at > _LATEST else note.at
    conn_id = _name(row.value.get("conn_id"))
    return StoppedJob(note.di_job_id, at, *row[:4], conn_id, note.request_id, note.status_before)


class _SeenRunning(NamedTuple):
    di_job_id: int
    at: float
    conn_id: str | None


def _seen_running(session: Session, runs: Iterable[int]) -> list[_SeenRunning]:
    """Return which jobs tasks of these runs saw running, or finished, and when."""
    ours = noted_beside(*_LOOKED)
    found: list[_SeenRunning] = []
    for some in chunks(runs):
        where = (XCom.dag_run_id.in_(some), XCom.key.in_(("return_value", "dataworks_start")), ours)
        tasks: dict[tuple[Any, ...], dict[str, Row]] = {}
        for row in rows(session, *where):
            tasks.setdefault(row[:4], {})[row.key] = row
        found += filter(None, map(_running, tasks.values()))
    return found


def _running(noted: Mapping[str, Row]) -> _SeenRunning | None:
    """Return what a task saw, by what it noted under each key."""
    row, start = noted.get("return_value"), noted.get("dataworks_start")
    if row is None or (note := Note.read(row.value)) is None or row.value.get("status") not in _RUNS:
        return None
    # A stop that does not wait returns what it saw last, which is a job that still runs.
    if row.value.get("stopped_by_this_run") is True:
        return None
    started = _moment(row.value.get("started_at"))
    at = row.at if started is None else started
    conn_id = start.value.get("conn_id") if start and isinstance(start.value, Mapping) else None
    return None if at is None else _SeenRunning(note.di_job_id, at, _name(conn_id))


def _still_down(stops: Iterable[StoppedJob], seen: list[_SeenRunning]) -> list[StoppedJob]:
    latest: dict[int, list[_SeenRunning]] = {}
    for each in seen:
        latest.setdefault(each.di_job_id, []).append(each)
    return [
        stop
        for stop in stops
        if not any(
            each.at >= (stop.at or 0) and (each.conn_id == stop.conn_id or None in (each.conn_id, stop.conn_id))
            for each in latest.get(stop.di_job_id, ())
        )
    ]


def _who_asked(session: Session, stops: Iterable[StoppedJob]) -> dict[tuple[str, str], str | None]:
    name = getattr(_Run, "triggering_user_name", null())  # 3.1 and later
    query = select(_Run.dag_id, _Run.run_id, name).where(*of_runs(_Run, [(stop.dag_id, stop.run_id) for stop in stops]))
    return {(dag_id, run_id): _name(who) for dag_id, run_id, who in session.execute(query)}


def _report(row: Row) -> KeptReport | None:
    jobs = row.value.get("jobs") if isinstance(row.value, Mapping) else None
    if not isinstance(jobs, list) or not all(Note.read(job) for job in jobs):
        return None
    at = _moment(row.value.get("at"))
    return KeptReport(row.dag_id, row.run_id, row.at if at is None else at, dict(row.value))


def _moment(text: object) -> float | None:
    try:
        return finite_number(datetime.fromisoformat(text).timestamp(), 0, _LATEST) if isinstance(text, str) else None
    except (ValueError, OverflowError):
        return None


def _name(value: object) -> str | None:
    return value if isinstance(value, str) and value.isprintable() and 0 < len(value) <= _LONGEST_NAME else None
