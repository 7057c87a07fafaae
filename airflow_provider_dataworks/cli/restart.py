"""The command ``restart``: starts DI jobs that are down, by the same flow as the operator; it asks a person before.

Each job is looked at first, and again by :meth:`.DataWorksHook.start_if_needed` right before a request is sent: a job
that runs is left alone. It never starts a job of a run that is under way, unless it was told to: work of that run may
rely on the job being stopped.
"""

from __future__ import annotations

from argparse import Namespace
from collections.abc import Sequence
from dataclasses import dataclass

from airflow_provider_dataworks.cli import database
from airflow_provider_dataworks.cli.arguments import ids, number_of_seconds
from airflow_provider_dataworks.cli.commands import NO, USAGE
from airflow_provider_dataworks.cli.down import Seen, seen_now, show_stops, stops_of
from airflow_provider_dataworks.cli.jobs import look_at
from airflow_provider_dataworks.cli.output import GREEN, RED, YELLOW, Cell, Output
from airflow_provider_dataworks.cli.running import CommandError, exit_code_of, show_errors, text_of, worst
from airflow_provider_dataworks.cli.words import span
from airflow_provider_dataworks.client.models import ChangeRequest, DIJob, JobStatus, Verdict
from airflow_provider_dataworks.client.proof import SteadyRun
from airflow_provider_dataworks.exceptions import DataWorksError, DIJobWaitTimeout
from airflow_provider_dataworks.hooks.dataworks import DataWorksHook
from airflow_provider_dataworks.records import StoppedJob

_UP = ("Running", "Finished")
_LAG = 2.0  # seconds after which a look shows a request that was taken


@dataclass(frozen=True)
class Target:
    """
    A job that is to be started.

    :param hook: of the connection by which it was stopped, or which was given.
    """

    hook: DataWorksHook
    job: DIJob


@dataclass(frozen=True)
class Patience:
    """How long to wait for a job: all in seconds."""

    timeout: float
    healthy_for: float
    poll_interval: float


def restart(arguments: Namespace, output: Output) -> int:
    """Start what is down, after a look and a question."""
    patience = Patience(
        number_of_seconds(arguments.timeout, "--timeout"),
        number_of_seconds(arguments.healthy_for, "--healthy-for"),
        max(0.1, number_of_seconds(arguments.poll_interval, "--poll-interval")),
    )
    found, stops, errors = _found(arguments, output)
    down = [each for each in found if str(each.job.status) not in _UP]
    codes = [exit_code_of(error) for error in errors]
    if not down:
        if not errors:
            output.line("Nothing is to be started.", GREEN)
        return worst(codes)
    busy = _of_runs_under_way(down, stops)
    if busy and arguments.yes and not arguments.even_if_running:
        raise CommandError(f"Nothing was sent. {busy}\nWait until it is over, or say --even-if-running.", NO)
    if busy:
        output.note(busy, RED)
    if not arguments.yes and not _agreed(down, output):
        return worst([*codes, NO])
    return worst([*codes, *_start_all(down, patience, output, wait=not arguments.no_wait)])


def _found(arguments: Namespace, output: Output) -> tuple[list[Target], list[StoppedJob] | None, list[DataWorksError]]:
    """Return the jobs, the stops that were noted (``None``: not known), and what kept some from being looked at."""
    wanted = ids(arguments.di_job_id)
    if bool(wanted) == (arguments.dag_id is not None or arguments.run_id is not None):
        raise CommandError("Give either ids of DI jobs, or --dag-id, with or without --run-id.", USAGE)
    if not wanted:
        seen = seen_now(stops_of(arguments), arguments.conn_id, output)
        if seen:
            show_stops(seen, output)
        return _targets(seen, arguments.conn_id), [each.stop for each in seen], _errors(seen, output)
    hook = DataWorksHook(arguments.conn_id)
    jobs = look_at(hook, wanted, output)
    rows = [
        (i, job.status, job.name) if isinstance(job, DIJob) else (i, Cell("unknown", YELLOW), None)
        for i, job in jobs.items()
    ]
    output.table(("DI JOB", "NOW", "NAME"), rows, shrink="NAME")
    errors = [job for job in jobs.values() if isinstance(job, DataWorksError)]
    show_errors(errors, output)
    return [Target(hook, job) for job in jobs.values() if isinstance(job, DIJob)], _noted(output), errors


def _targets(seen: Sequence[Seen], conn_id: str) -> list[Target]:
    """Return each job once, though runs may have stopped it by several connections to the same place."""
    hooks = {name: DataWorksHook(name) for name in {each.stop.conn_id or conn_id for each in seen}}
    found: dict[tuple[str, int], Target] = {}
    for each in seen:
        if isinstance(each.now, DIJob):
            hook = hooks[each.stop.conn_id or conn_id]
            # A region has a public endpoint and one of its VPC.
            place = hook.account.region or hook.account.config.endpoint
            found.setdefault((place, each.now.id), Target(hook, each.now))
    return list(found.values())


def _errors(seen: Sequence[Seen], output: Output) -> list[DataWorksError]:
    errors = [each.now for each in seen if isinstance(each.now, DataWorksError)]
    show_errors(errors, output)
    return errors


def _noted(output: Output) -> list[StoppedJob] | None:
    """Return the stops that Airflow knows of; a database that does not answer is no reason to leave a job down."""
    try:
        return database.jobs_down()
    except CommandError as error:
        output.note(f"Whether a run of this Airflow is at work on these jobs is not known: {error}", YELLOW)
        return None


def _of_runs_under_way(down: Sequence[Target], stops: list[StoppedJob] | None) -> str:
    """Say which runs are under way that stopped one of these jobs; empty where none is."""
    wanted = {target.job.id for target in down}
    theirs = [stop for stop in stops or () if stop.di_job_id in wanted]
    if not theirs:
        return ""
    owed, said = database.restarts_of(theirs), {}
    for stop in theirs:
        if owed.goes_on((stop.dag_id, stop.run_id)):
            will = "and it restarts them itself" if owed.is_under_way(stop) else "though no task of it restarts them"
            said[stop.dag_id, stop.run_id] = (
                f"Run {stop.run_id} of DAG {stop.dag_id}, which stopped them, is still under way: its tasks may be at "
                f"work on jobs that must not run, {will}."
            )
    return "\n".join(said.values())


def _agreed(down: Sequence[Target], output: Output) -> bool:
    listed = ", ".join(f"{target.job.id} ({target.job.status})" for target in down)
    where = ", ".join(dict.fromkeys(target.hook.account.description for target in down))
    output.note(f"With {where}.")
    try:
        agreed = output.ask(f"Start {len(down)} DI job{'s' if len(down) > 1 else ''}: {listed}?")
    except EOFError:
        raise CommandError(
            "Nothing was sent: nobody is there to answer. Say --yes to start without a question.", USAGE
        ) from None
    if not agreed:
        output.note("Nothing was sent.")
    return agreed


def _start_all(down: Sequence[Target], patience: Patience, output: Output, *, wait: bool) -> list[int]:
    """Ask for each start, then wait for all; one that fails keeps no other from being started."""
    codes, asked = [], []
    for target in output.progress(down, "Starting"):
        try:
            if _ask(target, patience, output):
                asked.append(target)
        except DataWorksError as error:
            codes.append(_told(target, error, output))
    if not wait:
        return codes
    if asked:
        # A look right after a request may show the job as it was before.
        asked[0].hook.sleep(min(_LAG, patience.poll_interval))
    running = []
    for target in output.progress(asked, "Waiting until they run"):
        try:
            _wait_until_running(target, patience)
            running.append(target)
        except DataWorksError as error:
            codes.append(_told(target, error, output))
    return [*codes, *_keep_looking(running, patience, output)]


def _ask(target: Target, patience: Patience, output: Output) -> bool:
    """Have one job started, and say whether it is to be waited for."""
    hook, job_id = target.hook, target.job.id
    deadline = hook.now() + patience.timeout
    result = hook.start_if_needed(ChangeRequest(job_id, deadline=deadline, poll_interval=patience.poll_interval))
    if result.request_id:
        output.line(f"DI job {job_id}: was {result.before}, DataWorks took the start (request id {result.request_id}).")
    elif result.sent:
        output.line(
            f"DI job {job_id}: was {result.before}, the start was sent and its answer lost; now {result.job.status}."
        )
    else:
        output.line(f"DI job {job_id}: is {result.job.status}, nothing was sent.")
    return result.sent or str(result.job.status) not in _UP


def _wait_until_running(target: Target, patience: Patience) -> None:
    hook, verdict = target.hook, Verdict((JobStatus.RUNNING, JobStatus.FINISHED), fail_on=(JobStatus.FAILED,))
    deadline = hook.now() + patience.timeout
    hook.wait_until(target.job.id, verdict, deadline=deadline, poll_interval=patience.poll_interval)


def _keep_looking(running: Sequence[Target], patience: Patience, output: Output) -> list[int]:
    """Look at jobs that run until each has run for long enough, or has failed."""
    codes = []
    if running and patience.healthy_for:
        output.note(
            f"Running. They have to keep running for {span(patience.healthy_for)} (--healthy-for); "
            "Ctrl-C leaves them as they are."
        )
    pending = [(target, SteadyRun(patience.healthy_for, target.hook.now)) for target in running]
    ends = max((target.hook.now() for target in running), default=0.0) + patience.timeout + patience.healthy_for
    while pending:
        still = []
        for target, steady in pending:
            try:
                job = target.hook.get_di_job(target.job.id)
                if steady(job):
                    output.line(f"DI job {job.id}: {job.status}.", GREEN)
                elif target.hook.now() >= ends:
                    raise DIJobWaitTimeout("it did not keep running.", di_job_id=job.id, last_status=str(job.status))
                else:
                    still.append((target, steady))
            except DataWorksError as error:
                codes.append(_told(target, error, output))
        pending = still
        if pending:
            pending[0][0].hook.sleep(min(patience.poll_interval, patience.healthy_for))
    return codes


def _told(target: Target, error: DataWorksError, output: Output) -> int:
    output.line(f"DI job {target.job.id}: not started, or not well. See below.", RED)
    output.error(text_of(error))
    return exit_code_of(error) or NO
