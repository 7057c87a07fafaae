"""The command ``status``: DI jobs of a workspace, or those given, with their lag; it changes nothing."""

from __future__ import annotations

from argparse import Namespace
from collections.abc import Iterable, Mapping
from typing import Any

from airflow_provider_dataworks.cli.arguments import ids
from airflow_provider_dataworks.cli.commands import GOOD, NO, USAGE
from airflow_provider_dataworks.cli.jobs import Lag, lags_of, look_at
from airflow_provider_dataworks.cli.output import YELLOW, Cell, Output
from airflow_provider_dataworks.cli.running import CommandError, exit_code_of, show_errors, worst
from airflow_provider_dataworks.client.config import API_2024
from airflow_provider_dataworks.client.models import DIJob, JobStatus
from airflow_provider_dataworks.exceptions import DataWorksError
from airflow_provider_dataworks.hooks.dataworks import DataWorksHook
from airflow_provider_dataworks.values import int64

_MOST_LAGS = 20  # calls that nobody asked for


def status(arguments: Namespace, output: Output) -> int:
    """Show DI jobs with status and lag."""
    if arguments.lag and arguments.no_lag:
        raise CommandError("--lag: does not go with --no-lag.", USAGE)
    hook = DataWorksHook(arguments.conn_id)
    found = _found(hook, arguments, output)
    errors = {job_id: each for job_id, each in found.items() if isinstance(each, DataWorksError)}
    wanted, expected = _statuses(arguments.status), _statuses(arguments.expect)
    _refuse_unknown_words({"--status": wanted, "--expect": expected}, found.values())
    jobs = [
        each
        for each in found.values()
        if isinstance(each, DIJob) and (not wanted or str(each.status).lower() in wanted)
    ]
    running = [job for job in jobs if job.status is JobStatus.RUNNING]
    few = arguments.lag or len(running) <= _MOST_LAGS
    told = hook.account.config.api_version == API_2024
    asked = few and told and not arguments.no_lag
    lags = lags_of(hook, running, output) if asked else {}
    if output.as_json:
        output.json(
            [*(_as_json(job, lags.get(job.id)) for job in jobs), *(_as_json_error(*each) for each in errors.items())]
        )
    else:
        _show(jobs, lags, errors, output)
        if running and not arguments.no_lag:
            _explain_lags(lags, len(running), few=few, told=told, output=output)
    show_errors(errors.values(), output)
    strays = [job for job in jobs if expected and str(job.status).lower() not in expected]
    if strays:
        output.note(f"Not {' or '.join(arguments.expect)}: {', '.join(str(job.id) for job in strays)}.")
    return worst([NO if strays else GOOD, *map(exit_code_of, errors.values())])


def _found(hook: DataWorksHook, arguments: Namespace, output: Output) -> dict[int, DIJob | DataWorksError]:
    wanted = ids(arguments.di_job_id)
    if wanted:
        if arguments.project_id is not None:
            raise CommandError("--project-id: does not go with ids of DI jobs. Give the one or the others.", USAGE)
        return look_at(hook, wanted, output)
    given = arguments.project_id
    project_id = hook.account.project_id if given is None else int64(given, "--project-id")
    if project_id is None:
        raise CommandError(
            f"--project-id: is missing, and the connection {hook.dataworks_conn_id} names no workspace either.\n"
            "What to do: give --project-id or ids of DI jobs, or set project_id on the connection.",
            USAGE,
        )
    return {job.id: job for job in sorted(hook.list_di_jobs(project_id), key=lambda job: job.id)}


def _statuses(given: list[str] | None) -> set[str]:
    return {word.strip().lower() for text in given or () for word in text.split(",")}


def _refuse_unknown_words(given: Mapping[str, set[str]], found: Iterable[DIJob | DataWorksError]) -> None:
    """Refuse a status that neither the vendor's pages know nor a job has: a misspelt one would find nothing amiss."""
    seen = {str(each.status).lower() for each in found if isinstance(each, DIJob)}
    known = seen | {str(each).lower() for each in JobStatus}
    for option, words in given.items():
        if wrong := sorted(words - known):
            names = ", ".join(map(str, JobStatus))
            raise CommandError(f"{option}: {', '.join(wrong)} is no status of a DI job. Use {names}.", USAGE)


def _show(jobs: list[DIJob], lags: dict[int, Lag], errors: dict[int, DataWorksError], output: Output) -> None:
    rows: list[tuple[object, ...]] = [(job.id, job.status, lags.get(job.id), job.name) for job in jobs]
    rows += [(job_id, Cell("unknown", YELLOW), None, None) for job_id in errors]
    if rows:
        output.table(("DI JOB", "STATUS", "LAG", "NAME"), rows, shrink="NAME")
    else:
        output.note("There is no such DI job.")
    for job in jobs:
        if job.status is JobStatus.FAILED and job.error_message:
            output.text(f"DI job {job.id} is Failed: {job.error_message}")


def _explain_lags(lags: dict[int, Lag], running: int, *, few: bool, told: bool, output: Output) -> None:
    for why in dict.fromkeys(lag.why for lag in lags.values() if lag.why):
        output.note(f"Lag unknown: {why}")
    if not told:
        output.note(f"The lag is told by API {API_2024} only: set api_version on the connection.")
    elif not few:
        output.note(f"The lag of {running} jobs that run was not asked for: it costs a call each. --lag asks for it.")


def _as_json(job: DIJob, lag: Lag | None) -> dict[str, Any]:
    return {
        "di_job_id": job.id,
        "status": str(job.status),
        "name": job.name,
        "project_id": job.project_id,
        "lag_seconds": lag.seconds if lag else None,
        "lag_age_seconds": round(lag.age, 1) if lag and lag.seconds is not None else None,
        "error_message": job.error_message,
    }


def _as_json_error(job_id: int, error: DataWorksError) -> dict[str, Any]:
    return {"di_job_id": job_id, "status": None, "error": error.see, "error_message": error.summary}
