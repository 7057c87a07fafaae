"""What the page shows, from Airflow's database, of the DAGs that a user may read; it makes no HTML and asks nobody."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from airflow.models.dagrun import DagRun
from sqlalchemy import select

from airflow_provider_dataworks import records
from airflow_provider_dataworks.operators.report_table import NOT_WELL
from airflow_provider_dataworks.owed_restarts import Owed, OwedRestarts
from airflow_provider_dataworks.page import calendar
from airflow_provider_dataworks.values import finite_number, plain_text, whole_number
from airflow_provider_dataworks.windows import MaintenanceWindow
from airflow_provider_dataworks.xcoms import XCom, of, of_runs, rows

if TYPE_CHECKING:
    from sqlalchemy.orm import Session

    from airflow_provider_dataworks.page.access import Access

_Run: Any = DagRun
_CONSOLE = "_link_DataWorksConsoleLink"
_RUNS_ON = ("queued", "running")
_DAY = timedelta(days=1)
WEEKS = 2  # of the calendar
_LONGEST = 300  # characters of what somebody else wrote
_LONGEST_ADDRESS = 2_000


@dataclass(frozen=True)
class Down:
    """
    A job that is down: who asked for it, and what is to start it again.

    :param is_under_way: whether its run goes on and will start it, so that nobody need do anything.
    """

    stop: records.StoppedJob
    since: datetime
    lasting: timedelta
    console: str | None
    owed: tuple[Owed, ...]
    run_state: str | None
    is_under_way: bool


@dataclass(frozen=True)
class Maintenance:
    """
    A report.

    :param state: ``green``, ``red`` or ``running``.
    :param by: who asked for it, and ``approved_by`` and ``reason``, empty where it does not say.
    """

    dag_id: str
    run_id: str
    at: datetime | None
    state: str
    run_state: str | None
    by: str
    approved_by: str
    reason: str
    jobs: tuple[Mapping[str, Any], ...]


@dataclass(frozen=True)
class WindowRow:
    """A window of the list: of which stops, open until when or when next."""

    dag_id: str
    task_ids: tuple[str, ...]
    of_schedule: bool
    window: MaintenanceWindow
    is_paused: bool
    open_until: datetime | None
    opens: datetime | None
    closes: datetime | None


@dataclass(frozen=True)
class Calls:
    """Calls through one connection."""

    conn_id: str
    calls: int
    throttled: int
    last: datetime


def down(session: Session, access: Access, now: datetime, run: tuple[str, str] | None = None) -> list[Down]:
    """
    Return the jobs that are down, that for longest first.

    :param run: DAG id and run id, to look at the stops of one run only.
    """
    stops = records.jobs_down(session, dag_ids=_told_of(access, run), run_id=run[1] if run else None)
    runs = {(stop.dag_id, stop.run_id) for stop in stops}
    console, owed = _consoles(session, stops), OwedRestarts(session, runs)
    shown = []
    for stop in stops:
        since = datetime.fromtimestamp(stop.at or 0, UTC)
        key = (stop.dag_id, stop.run_id)
        link = console.get((*key, stop.task_id, stop.map_index))
        lasting = max(timedelta(), now - since)
        facts = (owed.of(stop), owed.run_state(key), owed.is_under_way(stop))
        shown.append(Down(stop, since, lasting, link, *facts))
    return shown


def maintenances(
    session: Session, access: Access, limit: int = 50, run: tuple[str, str] | None = None
) -> list[Maintenance]:
    """Return the reports of the last maintenances, the newest first."""
    kept = records.reports(session, dag_ids=_told_of(access, run), run_id=run[1] if run else None, limit=limit)
    states = _run_states(session, {(each.dag_id, each.run_id) for each in kept})
    found = []
    for each in kept:
        state = states.get((each.dag_id, each.run_id))
        jobs = tuple(map(_job, each.report["jobs"]))
        at = None if each.at is None else datetime.fromtimestamp(each.at, UTC)
        by, approved_by, reason = (_text(each.report.get(name)) for name in ("by", "approved_by", "reason"))
        colour = _colour(state, jobs)
        found.append(Maintenance(each.dag_id, each.run_id, at, colour, state, by, approved_by, reason, jobs))
    return found


def _told_of(access: Access, run: tuple[str, str] | None) -> frozenset[str]:
    """Return the DAGs of which the user may read what tasks noted."""
    dag_ids = access.dag_ids if run is None else access.dag_ids & {run[0]}
    return frozenset(dag_id for dag_id in dag_ids if access.may_read_notes(dag_id))


def windows(session: Session, access: Access) -> list[records.DagWindow]:
    """Return the windows of the DAGs that the user may read."""
    return records.windows(session, dag_ids=access.dag_ids)


def window_rows(windows: Iterable[records.DagWindow], now: datetime) -> list[WindowRow]:
    """Return one row for each window of each DAG: those that are open first, then by their next opening."""
    found: dict[tuple[str, MaintenanceWindow], list[records.DagWindow]] = {}
    for each in windows:
        found.setdefault((each.dag_id, each.window), []).append(each)
    made = []
    for (dag_id, window), same in found.items():
        today = now.astimezone(window.openings.zone).date()
        # Mostly known from the calendar; a window that opens less often is asked itself.
        near = [span for span in calendar.spans(window, *calendar.reach(window, today, WEEKS)) if span.end > now]
        coming: Any = near[0] if near else window.next(now)
        is_open = coming is not None and coming.start <= now
        made.append(
            WindowRow(
                dag_id,
                tuple(sorted(each.task_id for each in same if each.task_id is not None)),
                any(each.task_id is None for each in same),
                window,
                same[0].is_paused,
                window.local(coming.end) if is_open else None,
                window.local(coming.start) if coming is not None and not is_open else None,
                window.local(coming.end) if coming is not None and not is_open else None,
            )
        )
    return sorted(made, key=lambda row: (row.open_until is None, row.opens or now, row.dag_id))


def calls_today(session: Session, access: Access, now: datetime) -> list[Calls]:
    """Return the calls that tasks counted since midnight UTC, by connection."""
    midnight = now.replace(hour=0, minute=0, second=0, microsecond=0)
    sums: dict[str, list[Any]] = {}
    where = (XCom.key == "dataworks_calls", XCom.timestamp >= midnight - _DAY)
    for row in rows(session, *where, *of(XCom.dag_id, access.dag_ids)):
        if not access.may_read_notes(row.dag_id):
            continue
        counted = row.value if isinstance(row.value, Mapping) else {}
        calls, throttled = (whole_number(counted.get(name), 0) for name in ("calls", "throttled"))
        at = finite_number(counted.get("at"), midnight.timestamp(), midnight.timestamp() + 2 * 86400)
        if calls is None or at is None:
            continue
        conn_id = counted.get("conn_id")
        total = sums.setdefault(plain_text(conn_id, _LONGEST) if isinstance(conn_id, str) else "", [0, 0, at])
        total[0] += calls
        total[1] += throttled or 0
        total[2] = max(total[2], at)
    return [
        Calls(name, total[0], total[1], datetime.fromtimestamp(total[2], UTC)) for name, total in sorted(sums.items())
    ]


def _consoles(session: Session, stops: Collection[records.StoppedJob]) -> dict[tuple[Any, ...], str]:
    """Return the console's addresses that the tasks noted, as far as a browser may be sent there."""
    where = (XCom.key == _CONSOLE, *of_runs(XCom, [(stop.dag_id, stop.run_id) for stop in stops]))
    return {
        row[:4]: row.value
        for row in rows(session, *where)
        if isinstance(row.value, str)
        and row.value.startswith(("https://", "http://"))
        and row.value == plain_text(row.value, _LONGEST_ADDRESS)
    }


def _run_states(session: Session, runs: Collection[tuple[str, str]]) -> dict[tuple[str, str], str]:
    query = select(_Run.dag_id, _Run.run_id, _Run.state).where(*of_runs(_Run, runs))
    return {(dag_id, run_id): str(state) for dag_id, run_id, state in session.execute(query)}


def _colour(run_state: str | None, jobs: Iterable[Mapping[str, Any]]) -> str:
    if run_state in _RUNS_ON:
        return "running"
    down = any(job["outcome"] in NOT_WELL for job in jobs)
    return "red" if down or run_state == "failed" else "green"


def _job(job: Mapping[str, Any]) -> dict[str, Any]:
    """Return a job of a report with the types that the page counts on; anybody can have edited it."""
    alarms = job.get("alarms")
    rules = [each for each in alarms if isinstance(each, Mapping)] if isinstance(alarms, list) else []
    events = job.get("events")
    shown = [each for each in events if isinstance(each, Mapping)] if isinstance(events, list) else []
    return {
        "di_job_id": _text(job.get("di_job_id")),
        "outcome": _text(job.get("outcome")),
        "stopped_at": _time(job.get("stopped_at")),
        "running_at": _time(job.get("running_at")),
        **{name: finite_number(job.get(name), 0, 1e9) for name in ("downtime", "lag_before", "lag_after")},
        "alarms": len(rules),
        "alarms_off": sum(rule.get("off") is True for rule in rules),
        "events": [{name: _text(event.get(name)) for name in ("kind", "action", "table", "text")} for event in shown],
    }


def _text(value: object) -> str:
    return "" if value is None else plain_text(str(value), _LONGEST)


def _time(value: object) -> datetime | None:
    try:
        found = datetime.fromisoformat(value) if isinstance(value, str) else None
        return found.astimezone(UTC) if found is not None and found.tzinfo is not None else None
    except (ValueError, OverflowError):
        return None
