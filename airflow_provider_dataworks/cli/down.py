"""The command ``down``: DI jobs that runs of this Airflow stopped and that are still down; it changes nothing."""

from __future__ import annotations

from argparse import Namespace
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from time import time
from typing import Any

from airflow_provider_dataworks.cli import database
from airflow_provider_dataworks.cli.commands import GOOD, NO, USAGE
from airflow_provider_dataworks.cli.jobs import look_at
from airflow_provider_dataworks.cli.output import GREEN, YELLOW, Cell, Output
from airflow_provider_dataworks.cli.running import CommandError, exit_code_of, show_errors, worst
from airflow_provider_dataworks.cli.words import clock, iso, span
from airflow_provider_dataworks.client.models import DIJob
from airflow_provider_dataworks.exceptions import DataWorksError
from airflow_provider_dataworks.hooks.dataworks import DataWorksHook
from airflow_provider_dataworks.records import StoppedJob

_UP = ("Running", "Finished")


@dataclass(frozen=True)
class Seen:
    """
    A stop that was noted, and how its job is now.

    :param now: the job, or why it is not known; ``None`` where DataWorks was not asked.
    """

    stop: StoppedJob
    now: DIJob | DataWorksError | None

    @property
    def is_up(self) -> bool:
        """Whether it was started by somebody else in the meantime."""
        return isinstance(self.now, DIJob) and str(self.now.status) in _UP


def down(arguments: Namespace, output: Output) -> int:
    """List what runs stopped and nobody started again."""
    stops = stops_of(arguments)
    found = [Seen(stop, None) for stop in stops] if arguments.offline else seen_now(stops, arguments.conn_id, output)
    if output.as_json:
        output.json([_as_json(each) for each in found])
    else:
        _show(found, output)
    errors = [each.now for each in found if isinstance(each.now, DataWorksError)]
    show_errors(errors, output)
    return worst([GOOD if all(each.is_up for each in found) else NO, *map(exit_code_of, errors)])


def stops_of(arguments: Namespace) -> list[StoppedJob]:
    """
    Return the stops that ``--dag-id`` and ``--run-id`` ask for, the oldest first.

    :raises CommandError: they make no sense, or the database cannot be read.
    """
    if arguments.run_id is not None and arguments.dag_id is None:
        raise CommandError("--dag-id: is missing. A run's id names a run together with its DAG's only.", USAGE)
    return sorted(database.jobs_down(arguments.dag_id, arguments.run_id), key=lambda stop: stop.at or 0.0)


def seen_now(stops: Iterable[StoppedJob], conn_id: str, output: Output) -> list[Seen]:
    """
    Ask DataWorks how each job is, by the connection of the task that stopped it.

    :param conn_id: for stops that were noted without one.
    """
    by_connection: dict[str, list[StoppedJob]] = {}
    for stop in stops:
        by_connection.setdefault(stop.conn_id or conn_id, []).append(stop)
    found = []
    for name, some in by_connection.items():
        jobs = look_at(DataWorksHook(name), [stop.di_job_id for stop in some], output)
        found += [Seen(stop, jobs[stop.di_job_id]) for stop in some]
    return sorted(found, key=lambda each: each.stop.at or 0.0)


def show_stops(found: Sequence[Seen], output: Output) -> None:
    """Write a table of stops."""
    rows = []
    for each in found:
        stop = each.stop
        since = "unknown" if stop.at is None else f"{clock(stop.at)} ({span(time() - stop.at)})"
        rows.append((stop.di_job_id, _status(each), since, f"{stop.dag_id} {stop.run_id}"))
    output.table(("DI JOB", "NOW", "DOWN SINCE", "STOPPED BY RUN"), rows, shrink="STOPPED BY RUN")


def _show(found: Sequence[Seen], output: Output) -> None:
    still = [each for each in found if not each.is_up]
    if still:
        show_stops(still, output)
    else:
        output.line("Nothing that runs of this Airflow stopped is down.", GREEN)
    if up := ", ".join(str(each.stop.di_job_id) for each in found if each.is_up):
        output.note(f"Started by somebody, not by a task of this Airflow: {up}.")
    if any(each.now is None for each in still):
        output.note("DataWorks was not asked how they are now.")
    _say_what_starts_them(still, output)


def _say_what_starts_them(still: Sequence[Seen], output: Output) -> None:
    if not still:
        return
    owed = database.restarts_of(each.stop for each in still)
    waits = {(each.stop.dag_id, each.stop.run_id): True for each in still}
    for each in still:
        waits[each.stop.dag_id, each.stop.run_id] &= owed.is_under_way(each.stop)
    for (dag_id, run_id), is_under_way in waits.items():
        if is_under_way:
            output.note(f"Run {run_id} of DAG {dag_id} is still under way: it restarts them itself.")
        elif owed.goes_on((dag_id, run_id)):
            text = "is still under way, but no task of it will start all of them: each has failed, or there is none."
            output.note(f"Run {run_id} of DAG {dag_id} {text}", YELLOW)
    if over := [run for run, is_under_way in waits.items() if not is_under_way]:
        output.note("What starts them:", YELLOW)
        for dag_id, run_id in over:
            output.command("restart", "--dag-id", dag_id, "--run-id", run_id)


def _status(each: Seen) -> object:
    if each.now is None:
        return "not asked"
    return each.now.status if isinstance(each.now, DIJob) else Cell("unknown", YELLOW)


def _as_json(each: Seen) -> dict[str, Any]:
    stop = each.stop
    return {
        "di_job_id": stop.di_job_id,
        "status": str(each.now.status) if isinstance(each.now, DIJob) else None,
        "down": None if each.now is None or isinstance(each.now, DataWorksError) else not each.is_up,
        "since": iso(stop.at),
        "dag_id": stop.dag_id,
        "run_id": stop.run_id,
        "task_id": stop.task_id,
        "map_index": stop.map_index,
        "conn_id": stop.conn_id,
        "request_id": stop.request_id,
        "asked_by": stop.asked_by,
    }
