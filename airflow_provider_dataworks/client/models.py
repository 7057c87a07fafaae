"""DI jobs, their statuses, and what stop, start and proof are asked and answer; cheap to import, and never does I/O."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from enum import StrEnum
from typing import Any

from airflow_provider_dataworks.exceptions import DIJobFailed, catalog_kwargs
from airflow_provider_dataworks.values import finite_number

log = logging.getLogger(__name__)

_MOST_UNKNOWN_STATUSES = 100
_LATEST = 10**11  # epoch seconds; the year 5138


class JobStatus(StrEnum):
    """``JobStatus`` of a DI job, as both API versions document it."""

    INITIALIZED = "Initialized"
    RUNNING = "Running"
    STOPPING = "Stopping"
    STOPPED = "Stopped"
    FAILED = "Failed"
    FINISHED = "Finished"

    @classmethod
    def read(cls, spelled: str) -> JobStatus | str:
        """Return the status for the service's text; one that is not documented stays text and is logged once."""
        try:
            return _STATUS_BY_TEXT[spelled]
        except KeyError:
            if spelled not in _unknown_seen and len(_unknown_seen) < _MOST_UNKNOWN_STATUSES:
                _unknown_seen.add(spelled)
                log.warning("JobStatus %r is not documented; it is waited on like a job that still changes.", spelled)
            return spelled


# The second spelling is that of GetDIJob in API 2024-05-18.
_STATUS_BY_TEXT = {**{status.value: status for status in JobStatus}, "Stop": JobStatus.STOPPED}
_unknown_seen: set[str] = set()


@dataclass(frozen=True)
class DIJob:
    """
    One DI job as the service described it.

    :param status: a :class:`JobStatus`, or the service's own text where it is not a documented one.
    :param id: a positive 64-bit integer.
    :param project_id: the same; ``None`` where the service told none, or no such number.
    :param error_message: why the job failed, in one line; only API 2020-05-18 tells.
    :param raw: the service's own fields as JSON values, every text in them safe to log and store.
    """

    id: int
    status: JobStatus | str
    project_id: int | None = None
    name: str | None = None
    error_message: str | None = None
    job_type: str | None = None
    raw: Mapping[str, Any] = field(default_factory=dict, repr=False, compare=False)


@dataclass(frozen=True)
class Page:
    """
    One page of a list: its DI jobs and how many there are in all.

    :param unread: how many more jobs stand on it that cannot be read.
    """

    jobs: tuple[DIJob, ...]
    total: int
    unread: int = 0


@dataclass(frozen=True)
class Verdict:
    """
    Whether a DI job has come to where it is wanted; the one place that decides it.

    :param accept: statuses that are wanted.
    :param fail_on: statuses that waiting does not change; the others are waited on.
    """

    accept: tuple[str, ...] = (JobStatus.STOPPED, JobStatus.FINISHED)
    fail_on: tuple[str, ...] = (JobStatus.FAILED, JobStatus.STOPPED, JobStatus.FINISHED)

    def __call__(self, job: DIJob) -> bool:
        """
        Say whether the job's status is wanted; one that still changes is not.

        :raises DIJobFailed: for an end that is not wanted.
        """
        if job.status in self.accept:
            return True
        if job.status not in self.fail_on:
            return False

        if job.status is JobStatus.FAILED:
            message = f"it ended Failed: {job.error_message or 'DataWorks gave no text'}".rstrip(".") + "."
            raise DIJobFailed(message, di_job_id=job.id, **catalog_kwargs("job-failed"))
        message = f"it is {job.status}, which is not accepted and does not change by waiting."
        raise DIJobFailed(message, di_job_id=job.id, **catalog_kwargs("end-not-accepted"))


def _nothing(*_: Any) -> None:
    """Keep no note."""


def _no_limit() -> float:
    return float("inf")


@dataclass(frozen=True)
class ChangeRequest:
    """
    Which DI job to stop or start, and how long it may take.

    :param deadline: epoch seconds.
    :param poll_interval: seconds between looks.
    :param asked_before: whether an earlier try of the same task sent the request already.
    :param write_note: called with the job right before the request is sent; if it raises, nothing is sent.
    :param withdraw_note: called when it is certain that no request had an effect.
    :param time_to_send: returns the seconds in which the request may still leave, and raises where there are none.
    :param wait_for_actionable: whether a status that has to change by itself first is waited out; else the change ends
        as not actionable.
    """

    di_job_id: int
    deadline: float
    poll_interval: float
    asked_before: bool = False
    write_note: Callable[[DIJob], None] = _nothing
    withdraw_note: Callable[[], None] = _nothing
    time_to_send: Callable[[], float] = _no_limit
    wait_for_actionable: bool = True


@dataclass(frozen=True)
class ChangeResult:
    """
    How a stop or a start went.

    :param job: the DI job as seen last.
    :param before: its status before anything was done.
    :param sent: whether a request was sent that the service took, or may have taken.
    :param request_id: of that request, where its answer came.
    :param not_actionable: whether nothing was done because the status has to change by itself first.
    """

    job: DIJob
    before: JobStatus | str
    sent: bool = False
    request_id: str | None = None
    not_actionable: bool = False


@dataclass(frozen=True)
class ProofRules:
    """
    What a started job has to show.

    :param healthy_for: seconds that it has to run without a break.
    :param max_lag: seconds that it may be behind its source; ``None`` where that is not asked for.
    :param lag_timeout: seconds to wait for that, from when it was seen to be healthy.
    :param stable_for: seconds that its lag has to be within ``max_lag``.
    :param since: epoch seconds from which samples count; ``None``: from when the job was seen to run.
    """

    healthy_for: float = 0.0
    max_lag: float | None = None
    lag_timeout: float = 3600.0
    stable_for: float = 0.0
    since: float | None = None

    @property
    def is_asked_for(self) -> bool:
        """Whether a job that runs has anything more to show."""
        return self.healthy_for > 0 or self.max_lag is not None

    @property
    def longest(self) -> float:
        """Seconds that the proof may take, from when the job was to run."""
        return self.healthy_for + (0.0 if self.max_lag is None else self.lag_timeout)


@dataclass(frozen=True)
class Proof:
    """
    What a started job has shown.

    :param running_since: epoch seconds at which it was first seen to run.
    :param caught_up_at: epoch seconds at which it was seen to have caught up; ``None`` where that was not asked for.
    :param lag: seconds that it was behind then.
    :param idle: whether it was taken for caught up because there was nothing to read.
    """

    running_since: float
    caught_up_at: float | None = None
    lag: float | None = None
    idle: bool = False

    def as_dict(self) -> dict[str, Any]:
        """Return it as JSON values."""
        return asdict(self)

    @classmethod
    def read(cls, given: object) -> Proof | None:
        """Return what JSON values from a database say; ``None`` where they are none of these."""
        if not isinstance(given, Mapping):
            return None
        since, until, lag = (
            finite_number(given.get(name), 0, _LATEST) for name in ("running_since", "caught_up_at", "lag")
        )
        return None if since is None else cls(since, until, lag, given.get("idle") is True)
