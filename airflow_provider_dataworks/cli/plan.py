"""The command ``plan``: what the next run of a DAG would do to DI jobs; it looks, and touches nothing."""

from __future__ import annotations

from argparse import Namespace
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from math import ceil
from typing import Any

from airflow_provider_dataworks.cli import database
from airflow_provider_dataworks.cli.commands import GOOD, NO, USAGE
from airflow_provider_dataworks.cli.dags import Asks, Plan, read_plan
from airflow_provider_dataworks.cli.jobs import look_at
from airflow_provider_dataworks.cli.output import BOLD, YELLOW, Output
from airflow_provider_dataworks.cli.running import CommandError, exit_code_of, text_of, worst
from airflow_provider_dataworks.cli.words import clock, iso
from airflow_provider_dataworks.client.models import DIJob
from airflow_provider_dataworks.exceptions import DataWorksError
from airflow_provider_dataworks.hooks.dataworks import DataWorksHook
from airflow_provider_dataworks.operators.maintenance_tasks import argument
from airflow_provider_dataworks.operators.preflight import NO as BAD
from airflow_provider_dataworks.operators.preflight import UNKNOWN, Finding, MaintenancePreflightOperator
from airflow_provider_dataworks.values import flag_or_text, is_template
from airflow_provider_dataworks.windows import MaintenanceWindow

_WOULD = {
    "Running": "would be stopped",
    "Initialized": "would be stopped: a start may be under way",
    "Stopping": "would be waited for; nothing is sent",
    "Stopped": "nothing is sent; the restart leaves it alone",
    "Finished": "nothing is sent; the restart leaves it alone",
    "Failed": "nothing is sent, with a warning; the restart leaves it alone",
}
_STOP_CALLS, _CHECK_CALLS, _START_CALLS = 3, 1, 3  # a look, the request, and a look that shows what came of it


@dataclass
class StopPlan:
    """
    What one stop task of the next run would do.

    :param at: epoch seconds at which it is judged, where its window is known.
    """

    stop: Asks
    jobs: dict[int, DIJob | DataWorksError] = field(default_factory=dict)
    window: str | None = None
    at: float | None = None
    findings: list[Finding] = field(default_factory=list)
    bad: int = 0
    code: int = GOOD
    notes: list[str] = field(default_factory=list)


class _KnownJobs(DataWorksHook):
    """A hook that asks for no job again that it was given."""

    def __init__(self, conn_id: str) -> None:
        super().__init__(conn_id)
        self.jobs: dict[int, DIJob] = {}

    def get_di_job(self, di_job_id: int | str) -> DIJob:
        return self.jobs.get(int(di_job_id)) or super().get_di_job(di_job_id)

    def list_di_jobs(self, project_id: int | str, *, name: str | None = None) -> list[DIJob]:
        return list(self.jobs.values())


def plan(arguments: Namespace, output: Output) -> int:
    """Say what the next run would do."""
    facts = _facts(arguments, output)
    found = read_plan(arguments.dag_id, arguments.dag_file or (facts.file if facts else None))
    if not found.stops:
        raise CommandError(f"DAG {found.dag_id!r} has no StopDIJobOperator: it stops no DI job.", USAGE)
    next_run = facts.next_run if facts else None
    plans = [_of_stop(found, stop, next_run, output) for stop in found.stops]
    calls = _calls(found)
    if output.as_json:
        output.json(_as_json(found, facts, plans, calls))
    else:
        _show(found, facts, plans, calls, output)
    errors = [job for each in plans for job in each.jobs.values() if isinstance(job, DataWorksError)]
    for error in dict.fromkeys(errors):
        output.error(text_of(error))
    return worst([*(NO if each.bad else each.code for each in plans), *map(exit_code_of, errors)])


def _facts(arguments: Namespace, output: Output) -> database.DagFacts | None:
    try:
        return database.facts_of(arguments.dag_id)
    except CommandError as error:
        output.note(f"When it runs next is not known, nor whether it is paused: {error}", YELLOW)
        return None


def _of_stop(plan: Plan, stop: Asks, next_run: float | None, output: Output) -> StopPlan:
    """Look at the jobs of one stop task, and ask what a preflight asks."""
    found = StopPlan(stop)
    if not plan.starts_again(stop):
        found.notes.append("No task of this DAG starts them again.")
    if stop.unknown:
        found.notes.append(f"Known when the run begins only: {', '.join(stop.unknown)}.")
    if is_template(stop.conn_id):
        found.notes.append(f"Its connection is known when the run begins only: {stop.conn_id}.")
        return found
    hook, window = _KnownJobs(stop.conn_id), _window_of(found)
    now = hook.now()
    found.at = _moment(window, next_run, now) or now
    if stop.ids:
        found.jobs = look_at(hook, stop.ids, output)
        hook.jobs = {job_id: job for job_id, job in found.jobs.items() if isinstance(job, DIJob)}
    if hook.jobs:
        _ask(plan, found, hook, window)
    return found


def _ask(plan: Plan, found: StopPlan, hook: _KnownJobs, window: MaintenanceWindow | None) -> None:
    task = plan.preflight_of(found.stop)
    limits = {name: argument(task, name) for name in ("max_lag", "source_log_retention")} if task is not None else {}
    asked = MaintenancePreflightOperator(
        task_id="plan",
        di_job_ids=list(hook.jobs),
        window=window,
        min_remaining=found.stop.number("min_remaining", 600),
        **limits,
    )
    try:
        for finding in asked.findings(hook, at=found.at or hook.now()):
            found.findings.append(finding)
    except DataWorksError as error:
        found.code = exit_code_of(error)
        found.notes.append(f"The checks ended early: {error.summary}")
    # Without a preflight in the DAG a job that does not run, or a question that cannot be asked, keeps no run from it.
    if task is None:
        found.notes.append("The DAG has no preflight: these checks are asked here only.")
        counted = [each for each in found.findings if each.answer == BAD and each.di_job_id is None]
    else:
        counts = (BAD,) if argument(task, "on_unknown", "fail") == "warn" else (BAD, UNKNOWN)
        counted = [each for each in found.findings if each.answer in counts]
    found.bad = len(counted)


def _window_of(found: StopPlan) -> MaintenanceWindow | None:
    given, ignored = (argument(found.stop.task, name) for name in ("window", "ignore_window"))
    if given is None:
        found.notes.append("It has no window: it stops at any time.")
    elif is_template(given) or is_template(ignored):
        found.notes.append("Its window is known when the run begins only.")
    elif flag_or_text(ignored, "ignore_window"):
        found.notes.append("Its window is ignored (ignore_window).")
    else:
        window = MaintenanceWindow.parse(given)
        found.window = str(window)
        return window
    return None


def _moment(window: MaintenanceWindow | None, next_run: float | None, now: float) -> float | None:
    """Return when the next run stops jobs, as far as it is known: its own time, or else the window's opening."""
    if next_run is not None and next_run > now:
        return next_run
    moment = datetime.fromtimestamp(now, UTC)
    if window is None or window.contains(moment):
        return None
    following = window.next(moment)
    return following.start.timestamp() if following else None


def _calls(plan: Plan) -> dict[str, int]:
    """Return how many calls a run needs at least, by kind of task; those of waits that take long are not in it."""
    counts = {
        "stop": sum(_STOP_CALLS * len(each.ids) for each in plan.stops),
        "check": sum(_CHECK_CALLS * len(each.ids) for each in plan.checks),
        "restart": sum(len(each.ids) * (_START_CALLS + _looks(each)) for each in plan.starts),
        "preflight": sum(2 + len(each.ids) * 2 for each in plan.stops if plan.preflight_of(each) is not None),
    }
    return {name: count for name, count in counts.items() if count}


def _looks(start: Asks) -> int:
    return ceil(start.number("healthy_for", 0) / max(1.0, start.number("poll_interval", 30)))


def _show(
    plan: Plan, facts: database.DagFacts | None, plans: Sequence[StopPlan], calls: dict[str, int], output: Output
) -> None:
    output.line(f"DAG {plan.dag_id}", BOLD)
    output.text(f"File: {plan.file}")
    if plan.schedule is not None:
        output.text(f"Schedule: {plan.schedule}")
    if facts is not None:
        output.text(_next(facts))
    for each in plans:
        output.line()
        _show_stop(each, output)
    output.line()
    parts = ", ".join(f"{name} {count}" for name, count in calls.items())
    output.text(f"Calls: {sum(calls.values())} at least ({parts}), and more the longer a job takes to stop or start.")
    output.text("Nothing was touched.")


def _show_stop(found: StopPlan, output: Output) -> None:
    output.line(f"Stop: task {found.stop.task.task_id}, connection {found.stop.conn_id}", BOLD)
    if found.window:
        output.text(f"Window: {found.window}; judged as of {clock(found.at)}")
    for job_id, job in found.jobs.items():
        state = (
            f"is {job.status}: {_WOULD.get(str(job.status), 'would be waited on')}"
            if isinstance(job, DIJob)
            else "is not known"
        )
        output.text(f"DI job {job_id} {state}", "  ")
    for finding in found.findings:
        output.check(finding.answer, finding.text)
    for note in found.notes:
        output.text(note)


def _next(facts: database.DagFacts) -> str:
    if facts.is_paused:
        return "Next run: none by itself, the DAG is paused."
    if facts.next_run is None:
        return "Next run: when somebody or something triggers it."
    return f"Next run: {clock(facts.next_run)}"


def _as_json(
    plan: Plan, facts: database.DagFacts | None, plans: Sequence[StopPlan], calls: dict[str, int]
) -> dict[str, Any]:
    return {
        "dag_id": plan.dag_id,
        "file": plan.file,
        "next_run": iso(facts.next_run) if facts else None,
        "is_paused": facts.is_paused if facts else None,
        "stops": [
            {
                "task_id": each.stop.task.task_id,
                "conn_id": each.stop.conn_id,
                "window": each.window,
                "judged_at": iso(each.at),
                "jobs": {str(i): str(job.status) if isinstance(job, DIJob) else None for i, job in each.jobs.items()},
                "known_when_it_runs": list(each.stop.unknown),
                "findings": [asdict(finding) for finding in each.findings],
                "not_good": each.bad,
                "notes": each.notes,
            }
            for each in plans
        ],
        "calls": calls,
    }
