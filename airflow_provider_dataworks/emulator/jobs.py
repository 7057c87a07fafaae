"""Defines the life cycle of an emulated DI job as pure functions; never reads a clock or keeps a job."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields, replace
from itertools import pairwise
from typing import Any, Final

from . import job_settings

INITIALIZED: Final = "Initialized"
RUNNING: Final = "Running"
STOPPING: Final = "Stopping"
STOPPED: Final = "Stopped"
FAILED: Final = "Failed"
FINISHED: Final = "Finished"

NEVER: Final = "never"
"""As ``stop_ends_in`` or ``start_ends_in``: the job stays ``Stopping``, or ``Initialized``, for ever."""

STARTABLE: Final = frozenset({STOPPED, INITIALIZED, FAILED, FINISHED})
DEFAULT_PROJECT_ID: Final = 1967
DEFAULT_ERROR_MESSAGE: Final = "The emulated job failed as its configuration asked."
LOST_PLACE: Final = "The position of the job is no longer in the log of its source."


@dataclass(frozen=True)
class Job:
    """
    One DI job at one moment; every change makes a new value.

    :param id: positive 64-bit id.
    :param status: a status of the API, or any other text to rehearse a status the API adds later.
    :param project_id: workspace the job belongs to.
    :param name: job name; empty gives ``mysql_to_holo_sync_<id>``.
    :param stop_seconds: how long the job stays ``Stopping``, in seconds.
    :param stop_ends_in: the status after ``Stopping``; ``"never"`` keeps the job ``Stopping`` for ever.
    :param start_seconds: how long the job stays ``Initialized`` after a start, in seconds.
    :param start_ends_in: the status after a start; ``"never"`` keeps the job ``Initialized`` for ever.
    :param error_message: what GetDIJob of 2020-05-18 shows while the job is ``Failed``.
    :param lag: how far the job is behind its source while it runs: seconds, or one of ``{"start": 300, "falls": 10}``
        (seconds it loses a second), ``{"start": 60, "grows": 2}``, ``{"stuck": 300}``, ``{"stale": 600}`` (the newest
        sample is as old), ``"idle"`` (nothing is read, and the delay grows) and ``"missing"`` (there are no samples).
    :param metrics_period: seconds between samples of its metrics.
    :param tables: a list of ``{"source": "db.t", "destination": "public.t", "full": "Finished", "status": "Running",
        "error": ""}``; all but the source may be left out, and a data source may stand before the database.
    :param full_load: whether each table that says nothing else is in its full load for some seconds after a start.
    :param full_load_seconds: how long that takes.
    :param events: a list of ``{"kind": "DDL", "at": 1790000000, "text": "ALTER TABLE", "table": "t"}``; the kind may be
        Failover or Alarm, too. ``at`` is seconds since 1970, or a smaller number: seconds after the job was made. A DDL
        statement may have an ``action``; an alarm ``type``, ``status`` and ``severity``, each as the vendor has them.
    :param log: lines of its log.
    :param fails_after_start: seconds after a start for which the job is ``Running`` before it is ``Failed``.
    :param log_retention: seconds for which its source keeps its log: a job that resumes from its offset after it was
        down for longer, or is started from an older moment, is ``Failed`` soon after it was ``Running``.
    :param retention_fail_seconds: how soon.
    :param alarm_rules: not a field but a setting only: a list of rules, see :class:`~.alarm_rules.AlarmRule`.
    :param failure: why the job failed or will, where that is not ``error_message``.
    :param effective_stops: stops that changed the job.
    :param effective_starts: starts that changed the job.
    :param stop_calls: StopDIJob calls for this job that were signed correctly, whatever was answered.
    :param start_calls: StartDIJob calls for this job that were signed correctly, whatever was answered.
    :param history: ``(time, status)`` for every status the job has had, the time in seconds of the emulator's clock.
    :param created_at: when the job was made, in seconds of the emulator's clock.
    :param started_at: when StartDIJob last took effect.
    :param start_time: ``StartTime`` (seconds) of the last effective start; ``None`` if it resumed from its offset.
    :param force_to_rerun: ``ForceToRerun`` of the last effective start; ``None`` if it was not given.
    :param due: when the job changes next by itself.
    :param next_status: what it then changes to.
    """

    id: int
    status: str = RUNNING
    project_id: int = DEFAULT_PROJECT_ID
    name: str = ""
    stop_seconds: float = 2.0
    stop_ends_in: str = STOPPED
    start_seconds: float = 1.0
    start_ends_in: str = RUNNING
    error_message: str = ""
    job_type: str = "DatabaseRealtimeMigration"
    migration_type: str = "FullAndRealtimeIncremental"
    source_type: str = "MySQL"
    destination_type: str = "Hologres"
    owner: str = "100000001"
    lag: Any = 0.0
    metrics_period: float = 30.0
    tables: Any = ()
    full_load: bool = False
    full_load_seconds: float = 60.0
    events: Any = ()
    log: Any = ()
    fails_after_start: float | None = None
    log_retention: float | None = None
    retention_fail_seconds: float = 1.0
    failure: str = ""
    effective_stops: int = 0
    effective_starts: int = 0
    stop_calls: int = 0
    start_calls: int = 0
    history: tuple[tuple[float, str], ...] = ()
    created_at: float = 0.0
    started_at: float | None = None
    start_time: int | None = None
    force_to_rerun: bool | None = None
    due: float | None = None
    next_status: str | None = None

    @property
    def starting(self) -> bool:
        """Whether a start is under way, which the API shows as ``Initialized`` too."""
        return self.status == INITIALIZED and self.next_status is not None


SETTABLE: Final = frozenset(
    {
        "status",
        "project_id",
        "name",
        "stop_seconds",
        "stop_ends_in",
        "start_seconds",
        "start_ends_in",
        "error_message",
        "job_type",
        "migration_type",
        "source_type",
        "destination_type",
        "owner",
        "alarm_rules",
        "lag",
        "metrics_period",
        "tables",
        "full_load",
        "full_load_seconds",
        "events",
        "log",
        "fails_after_start",
        "log_retention",
        "retention_fail_seconds",
    }
)
"""What may be configured of a job; its other fields are counted by the emulator, and its alarm rules kept elsewhere."""


def new_job(identity: object, settings: Mapping[str, Any], defaults: Mapping[str, Any], now: float) -> Job:
    """
    Make a job from its settings.

    :param identity: the job's id.
    :param settings: what was asked for; any of :data:`SETTABLE`.
    :param defaults: the emulator's own ``stop_seconds`` and ``start_seconds``.
    :param now: seconds of the emulator's clock.
    :raises ValueError: naming the field, if a setting is unknown or has a wrong value.
    """
    number = job_settings.job_id(identity)
    unknown = sorted(set(settings) - SETTABLE)
    if unknown:
        raise ValueError(f"job {number}: unknown field {unknown[0]!r}; known are {', '.join(sorted(SETTABLE))}")
    values = {
        name: _setting(name, value, f"job {number}: {name}", now)
        for name, value in {**defaults, **settings}.items()
        if name != "alarm_rules"
    }
    values["name"] = values.get("name") or f"mysql_to_holo_sync_{number}"
    job = Job(id=number, created_at=now, **values)
    return replace(job, history=((now, job.status),))


_READERS: Final[Mapping[str, Callable[[Any, str], Any]]] = {
    "project_id": job_settings.job_id,
    "lag": job_settings.lag,
    "tables": job_settings.tables,
    "log": job_settings.lines,
    "full_load": job_settings.flag,
}
_KINDS: Final = {field.name: field.type for field in fields(Job)}


def _setting(name: str, value: Any, where: str, now: float) -> Any:
    """Read one setting, by its name or by the type of its field."""
    if name == "events":
        return job_settings.events(value, where, now)
    if name in _READERS:
        return _READERS[name](value, where)
    if _KINDS[name] == "float | None" and value is None:
        return None
    if str(_KINDS[name]).startswith("float"):
        return job_settings.seconds(value, where)
    if not isinstance(value, str):
        raise ValueError(f"{where}: {value!r} is not text")
    if name in {"status", "stop_ends_in", "start_ends_in"} and not value.strip():
        raise ValueError(f"{where}: a status must not be empty")
    return value


def moved(job: Job, status: str, at: float, *, due: float | None = None, next_status: str | None = None) -> Job:
    """Put a job into a status at a time, and say what it does next by itself (by default nothing)."""
    return replace(job, status=status, history=(*job.history, (at, status)), due=due, next_status=next_status)


def settled(job: Job, now: float) -> Job:
    """Let the time pass that has passed: a change that fell due has happened at its own time, not when it was seen."""
    while job.due is not None and job.next_status is not None and now >= job.due:
        at = job.due
        job = moved(job, job.next_status, at)
        if job.status == RUNNING:
            job = _with_end(job, at)
    return job


def _with_end(job: Job, at: float) -> Job:
    """Say when a job that runs since a start fails, if it does."""
    ends = []
    if job.fails_after_start is not None:
        ends.append((at + job.fails_after_start, ""))
    if _lost_place(job, at):
        ends.append((at + job.retention_fail_seconds, LOST_PLACE))
    if not ends:
        return job
    due, failure = min(ends)
    return replace(job, due=due, next_status=FAILED, failure=failure)


def _lost_place(job: Job, at: float) -> bool:
    """Whether the source no longer has what a job that is started would read first."""
    if job.log_retention is None or job.force_to_rerun:
        return False
    if job.start_time is not None:
        return at - job.start_time > job.log_retention
    ran = [end for (_, status), (end, _) in pairwise(job.history) if status == RUNNING]
    # A run that found its place gone moved on by nothing, so that the next one does not find it either.
    return job.failure == LOST_PLACE or at - (ran[-1] if ran else job.history[0][0]) > job.log_retention


def _changing(job: Job, status: str, now: float, wait: float, end: str) -> Job:
    due = None if end == NEVER else now + wait
    return settled(moved(job, status, now, due=due, next_status=end), now)


def stopped(job: Job, now: float) -> Job:
    """Carry out a stop: ``Stopping`` now, its end later or never."""
    counted = replace(job, effective_stops=job.effective_stops + 1)
    return _changing(counted, STOPPING, now, job.stop_seconds, job.stop_ends_in)


def started(job: Job, now: float, *, start_time: int | None, force_to_rerun: bool | None) -> Job:
    """Carry out a start: ``Initialized`` now, since the API knows no ``Starting``, and running later."""
    resumes = start_time is None and not force_to_rerun
    counted = replace(
        job,
        effective_starts=job.effective_starts + 1,
        started_at=now,
        start_time=start_time,
        force_to_rerun=force_to_rerun,
        failure=job.failure if resumes else "",
    )
    return _changing(counted, INITIALIZED, now, job.start_seconds, job.start_ends_in)


def error_text(job: Job) -> str:
    """Give the error text a failed job shows; other jobs show none."""
    return (job.failure or job.error_message or DEFAULT_ERROR_MESSAGE) if job.status == FAILED else ""
