"""Looks at DI jobs for commands: many with few calls, their lag, and what came of each look; it changes nothing."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from airflow_provider_dataworks.cli.output import Output
from airflow_provider_dataworks.cli.words import span
from airflow_provider_dataworks.client.models import DIJob, JobStatus
from airflow_provider_dataworks.exceptions import (
    DataWorksError,
    DataWorksForbidden,
    DataWorksInvalidRequest,
    DataWorksNotFound,
)
from airflow_provider_dataworks.hooks.dataworks import DataWorksHook

_FEW = 2  # jobs that are asked for one by one; a list costs a call for each hundred of a whole workspace
_DELAY = "delayTime"
_HISTORY = 900.0  # seconds of samples that are asked for
_OF_ONE_JOB = (DataWorksForbidden, DataWorksNotFound, DataWorksInvalidRequest)
_FRESH = 180.0  # seconds for which a sample tells how it is now, as when a restart is proven


@dataclass(frozen=True)
class Lag:
    """
    How far a job is behind its source.

    :param seconds: ``None`` where it is not known.
    :param age: seconds since that was measured.
    :param why: why it is not known.
    """

    seconds: float | None = None
    age: float = 0.0
    why: str = ""

    def __str__(self) -> str:
        """Return it for a table."""
        if self.seconds is None:
            return "unknown"
        return span(self.seconds) if self.age <= _FRESH else f"{span(self.seconds)}, {span(self.age)} ago"


def look_at(hook: DataWorksHook, wanted: Iterable[int], output: Output) -> dict[int, DIJob | DataWorksError]:
    """
    Return each job as it is now, or why that is not known.

    The workspace of the first job is listed where that costs fewer calls. Where the service is not reached, no further
    call is made: each would wait as long.
    """
    found: dict[int, DIJob | DataWorksError] = {}
    ids, gone = list(dict.fromkeys(wanted)), None
    listed: dict[int, DIJob] | None = None if len(ids) > _FEW else {}
    for job_id in output.progress(ids, "Asking DataWorks"):
        if gone is not None:
            found[job_id] = gone
            continue
        try:
            job = found[job_id] = (listed or {}).get(job_id) or hook.get_di_job(job_id)
            if listed is None and job.project_id is not None:
                listed = _listed(hook, job.project_id)
        except DataWorksError as error:
            found.setdefault(job_id, error)
            # What is refused of one job may be allowed of another: its workspace is another one, say.
            gone = None if isinstance(error, _OF_ONE_JOB) and error.action else error
    return found


def _listed(hook: DataWorksHook, project_id: int) -> dict[int, DIJob]:
    """Return the jobs of a workspace; none where the key may not list them, and each is asked for by itself."""
    try:
        return {each.id: each for each in hook.list_di_jobs(project_id)}
    except _OF_ONE_JOB:
        return {}


def lags_of(hook: DataWorksHook, jobs: Sequence[DIJob], output: Output) -> dict[int, Lag]:
    """Return how far jobs that run are behind their source; a call each. What all will be refused is asked once."""
    found: dict[int, Lag] = {}
    refused: Lag | None = None
    for job in output.progress([job for job in jobs if job.status is JobStatus.RUNNING], "Asking for the lag"):
        try:
            found[job.id] = refused or lag_of(hook, job.id)
        except DataWorksError as error:
            found[job.id] = Lag(why=error.summary)
            is_of_one = isinstance(error, DataWorksNotFound | DataWorksInvalidRequest) and error.action
            refused = None if is_of_one else found[job.id]
    return found


def lag_of(hook: DataWorksHook, di_job_id: int) -> Lag:
    """
    Return how far a job is behind its source, by its newest sample.

    :raises DataWorksError: it cannot be asked.
    """
    now = hook.now()
    samples = hook.job_metrics(di_job_id, [_DELAY], start=now - _HISTORY, end=now)[_DELAY]
    if not samples:
        return Lag(why="DataWorks has no recent sample of it")
    return Lag(samples[-1].value, max(0.0, now - samples[-1].at))
