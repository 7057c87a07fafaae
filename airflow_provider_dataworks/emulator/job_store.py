"""Keeps the jobs of one emulator and applies stops and starts to them; knows no HTTP and no clock."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Final

from . import job_settings, jobs
from .alarm_rules import AlarmRules
from .jobs import Job
from .responses import Refusal

ACCEPT: Final = "accept"
REFUSE: Final = "refuse"
STOP: Final = "stop"


@dataclass(frozen=True)
class Behaviour:
    """
    What the vendor leaves undocumented or does not let one choose.

    :param stop_seconds: how long a job stays ``Stopping``, in seconds.
    :param start_seconds: how long a job stays ``Initialized`` after a start, in seconds.
    :param stop_of_stopped: StopDIJob on a job that is not running: ``accept`` (a success without effect) or ``refuse``.
    :param stop_of_starting: StopDIJob while a start is under way: ``stop`` (it takes effect), ``accept`` or ``refuse``.
    :param start_of_running: StartDIJob on a job that cannot be started: ``accept`` or ``refuse``.
    """

    stop_seconds: float = 2.0
    start_seconds: float = 1.0
    stop_of_stopped: str = ACCEPT
    stop_of_starting: str = STOP
    start_of_running: str = ACCEPT

    def __post_init__(self) -> None:
        """Refuse durations and choices that do not exist, naming the field."""
        job_settings.seconds(self.stop_seconds, "stop_seconds")
        job_settings.seconds(self.start_seconds, "start_seconds")
        for name, choices in (
            ("stop_of_stopped", (ACCEPT, REFUSE)),
            ("stop_of_starting", (STOP, ACCEPT, REFUSE)),
            ("start_of_running", (ACCEPT, REFUSE)),
        ):
            value = getattr(self, name)
            if value not in choices:
                raise ValueError(f"{name}: {value!r} is none of {', '.join(choices)}")


class JobStore:
    """Keeps the jobs; every look at them lets the time pass that has passed."""

    def __init__(self, behaviour: Behaviour) -> None:
        self.behaviour = behaviour
        self.alarm_rules = AlarmRules()
        self._jobs: dict[int, Job] = {}

    def put(self, identity: object, settings: Mapping[str, Any] | str, now: float) -> Job:
        """
        Set or replace a job.

        :param settings: its fields and alarm rules, or its status alone.
        :raises ValueError: naming the field that is wrong.
        """
        chosen = {"status": settings} if isinstance(settings, str) else settings
        if not isinstance(chosen, Mapping):
            raise ValueError(f"job {identity}: neither a status nor an object of fields")
        durations = {"stop_seconds": self.behaviour.stop_seconds, "start_seconds": self.behaviour.start_seconds}
        job = jobs.new_job(identity, chosen, durations, now)
        rules = self.alarm_rules.read(job.id, chosen.get("alarm_rules", ()), now)
        self._jobs[job.id] = job
        self.alarm_rules.set_of_job(job.id, rules)
        return job

    def clear(self) -> None:
        """Forget all jobs and their alarm rules."""
        self._jobs.clear()
        self.alarm_rules.clear()

    def find(self, number: int, now: float) -> Job | None:
        """Look a job up as it is now."""
        job = self._jobs.get(number)
        if job is None:
            return None
        self._jobs[number] = job = jobs.settled(job, now)
        return job

    def all(self, now: float) -> list[Job]:
        """Give all jobs as they are now, by id."""
        return [job for number in sorted(self._jobs) if (job := self.find(number, now)) is not None]

    def projects(self) -> list[int]:
        """Give the workspaces that have a job, by id; one is always there."""
        return sorted({job.project_id for job in self._jobs.values()} or {jobs.DEFAULT_PROJECT_ID})

    def set_status(self, number: int, status: str, now: float) -> Job:
        """
        Put a job into a status as if it had got there by itself.

        :raises KeyError: if there is no such job.
        """
        job = self.find(number, now)
        if job is None:
            raise KeyError(f"no job {number} in the emulator")
        self._jobs[number] = job = replace(jobs.moved(job, status, now), failure="")
        return job

    def count_call(self, number: int, operation: str, now: float) -> None:
        """Count a correctly signed StopDIJob or StartDIJob for a job, whatever it will be answered."""
        job = self.find(number, now)
        if job is not None and operation == "StopDIJob":
            self._jobs[number] = replace(job, stop_calls=job.stop_calls + 1)
        elif job is not None and operation == "StartDIJob":
            self._jobs[number] = replace(job, start_calls=job.start_calls + 1)

    def stop(self, job: Job, now: float) -> None:
        """
        Answer StopDIJob.

        :raises Refusal: if the emulator was told to refuse a stop of a job in this status.
        """
        choice = self.behaviour.stop_of_starting if job.starting else self.behaviour.stop_of_stopped
        if job.status == jobs.RUNNING or choice == STOP:
            self._jobs[job.id] = jobs.stopped(job, now)
        elif choice == REFUSE:
            # The vendor documents no answer for this case; status and code are a guess.
            raise Refusal(400, "InvalidDIJobStatus", f"The DI job cannot be stopped in the status {job.status}.")

    def start(self, job: Job, now: float, *, start_time: int | None, force_to_rerun: bool | None) -> None:
        """
        Answer StartDIJob.

        :raises Refusal: if the emulator was told to refuse a start of a job in this status.
        """
        if job.status in jobs.STARTABLE and not job.starting:
            changed = jobs.started(job, now, start_time=start_time, force_to_rerun=force_to_rerun)
            self._jobs[job.id] = changed
        elif self.behaviour.start_of_running == REFUSE:
            # A guess, as for StopDIJob.
            raise Refusal(400, "InvalidDIJobStatus", f"The DI job cannot be started in the status {job.status}.")
