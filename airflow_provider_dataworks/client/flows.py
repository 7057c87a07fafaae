"""Conversations with DataWorks as generators: read, list, wait, stop; no I/O and no clock of their own.

Each is written once; :mod:`.transport` drives it, blocking or in an event loop. What one call needs, its tries
included, is in :mod:`.asking`.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial

from airflow_provider_dataworks.client.asking import Flow, Service, Sleep, ask, repeated
from airflow_provider_dataworks.client.calls import PAGE_SIZE, Call
from airflow_provider_dataworks.client.policy import ATTEMPTS, retrying
from airflow_provider_dataworks.client.replies import DIJob, JobStatus
from airflow_provider_dataworks.exceptions import (
    DataWorksError,
    DataWorksInvalidRequest,
    DataWorksUnavailable,
    DIJobWaitTimeout,
)

log = logging.getLogger(__name__)

_MAY_BE_STOPPED = (JobStatus.RUNNING, JobStatus.INITIALIZED)


def stop_di_job(service: Service, di_job_id: int | str, instance_id: int | str | None = None) -> Flow[str]:
    """One StopDIJob and no more, whatever the job's state; its request id."""
    return (yield from ask(service, service.api.StopDIJob(di_job_id, instance_id)))


def start_di_job(
    service: Service, di_job_id: int | str, start_time: int | None, force_to_rerun: bool | None
) -> Flow[str]:
    """One StartDIJob and no more, whatever the job's state; its request id."""
    return (yield from ask(service, service.api.StartDIJob(di_job_id, start_time, force_to_rerun)))


def get_di_job(service: Service, di_job_id: int | str) -> Flow[DIJob]:
    """One DI job as it is now."""
    return (yield from ask(service, service.api.GetDIJob(di_job_id)))


def list_di_jobs(service: Service, project_id: int | str, name: str | None = None) -> Flow[list[DIJob]]:
    """All DI jobs of a workspace, page by page; ``name`` must match exactly, whatever the service's filter does."""
    jobs: dict[int, DIJob] = {}
    page = 1
    while True:
        found = yield from ask(service, service.api.ListDIJobs(project_id, name, page))
        # Pages shift when jobs come and go in between, so a job may be seen twice.
        jobs.update((job.id, job) for job in found.jobs)
        if not found.jobs or page * PAGE_SIZE >= found.total:
            return [job for job in jobs.values() if name is None or job.name == name]
        page += 1


def wait(
    service: Service,
    di_job_id: int | str,
    until: Callable[[DIJob], bool],
    *,
    deadline: float,
    poll_interval: float,
    first: DIJob | None = None,
) -> Flow[DIJob]:
    """
    Look at a DI job until it is as wanted.

    :param until: says whether it is; may raise to give up.
    :param deadline: epoch seconds; looked at only after a look at the job, so a job that made it is never timed out.
    :param poll_interval: seconds between looks.
    :param first: what is known already.
    :raises DIJobWaitTimeout: at the deadline, with the last status.
    """
    job = first or (yield from get_di_job(service, di_job_id))
    while not until(job):
        left = deadline - service.now()
        if left <= 0:
            raise timed_out(job.id, job)
        log.info("DI job %s is %s; next look in %.0f s.", job.id, job.status, min(poll_interval, left))
        yield Sleep(min(poll_interval, left))
        job = yield from get_di_job(service, di_job_id)
    return job


def timed_out(di_job_id: int, last: DIJob | None) -> DIJobWaitTimeout:
    """Error for a wait that is over, with the status seen last."""
    status = str(last.status) if last else None
    seen = f"is still {status}" if status else "could not be looked at once"
    return DIJobWaitTimeout(
        f"DI job {di_job_id} {seen} although the time to wait is over.",
        di_job_id=di_job_id,
        last_status=status,
        remedy="Look at the job in the DataWorks console; clear this task to wait again, or allow more time.",
    )


@dataclass(frozen=True)
class Stop:
    """
    How a stop went.

    :param job: the DI job as seen last.
    :param before: its status before this conversation did anything.
    :param sent: whether this conversation sent a StopDIJob that the service took, or may have taken.
    :param request_id: of that StopDIJob, where its answer came.
    """

    job: DIJob
    before: JobStatus | str
    sent: bool
    request_id: str | None


@dataclass(frozen=True)
class StopRequest:
    """
    What to stop, and how long it may take.

    :param instance_id: one instance of the job; API 2024-05-18 only.
    :param deadline: epoch seconds.
    :param poll_interval: seconds between looks.
    :param remember: called with the job right before StopDIJob is sent.
    :param forget: called when it is certain that no StopDIJob of this conversation arrived.
    """

    di_job_id: int
    deadline: float
    poll_interval: float
    instance_id: int | None = None
    remember: Callable[[DIJob], None] = field(default=lambda job: None)
    forget: Callable[[], None] = field(default=lambda: None)


def stop(service: Service, request: StopRequest) -> Flow[Stop]:
    """
    Ask a DI job to stop unless it need not be asked: look first, send at most one effective StopDIJob, do not wait.

    A status that is not documented is waited out first: it cannot be known whether a stop would be safe.

    :raises DataWorksError: StopDIJob was refused, or its answer stayed lost although the job still runs.
    """
    call = service.api.StopDIJob(request.di_job_id, request.instance_id)
    job = yield from wait(
        service,
        request.di_job_id,
        lambda job: isinstance(job.status, JobStatus),
        deadline=request.deadline,
        poll_interval=request.poll_interval,
    )
    if job.status not in _MAY_BE_STOPPED:
        return Stop(job, job.status, sent=False, request_id=None)
    request.remember(job)
    sending = _StopSent(service, call, job)
    try:
        outcome = yield from sending.settle()
    except DataWorksError:
        if not sending.maybe_arrived:
            request.forget()
        raise
    if not outcome.sent:
        request.forget()
    return outcome


class _StopSent:
    """One StopDIJob until its fate is known; holds what was seen and whether a request may have arrived."""

    def __init__(self, service: Service, call: Call[str], job: DIJob) -> None:
        self._service, self._call, self._job = service, call, job
        self._before = job.status
        self.maybe_arrived = False

    def settle(self) -> Flow[Stop]:
        """Send, and where the service refuses, let the job's status decide what the refusal means."""
        policy = partial(retrying, self._answer_was_lost, self._service.patience)
        for _ in range(ATTEMPTS):
            try:
                return (yield from repeated(self._attempt, policy))
            except DataWorksInvalidRequest:
                refused_in, self._job = self._job.status, (yield from get_di_job(self._service, self._job.id))
                if self._job.status not in _MAY_BE_STOPPED:
                    break  # it came to a stop in the meantime
                if self._job.status == refused_in:
                    if refused_in is JobStatus.INITIALIZED and not self.maybe_arrived:
                        break  # it never ran, so there was nothing to stop
                    raise
        return Stop(self._job, self._before, sent=self.maybe_arrived, request_id=None)

    def _attempt(self) -> Flow[Stop]:
        if self.maybe_arrived:
            self._job = yield from get_di_job(self._service, self._job.id)
            if self._job.status not in _MAY_BE_STOPPED:
                return Stop(self._job, self._before, sent=True, request_id=None)
        try:
            request_id = yield from ask(self._service, self._call)
        except DataWorksUnavailable as error:
            self.maybe_arrived = self.maybe_arrived or error.sent
            raise
        return Stop(self._job, self._before, sent=True, request_id=request_id)

    def _answer_was_lost(self, error: BaseException) -> bool:
        # A look at the job that failed had its own tries: only a lost answer to the stop itself leads on.
        return isinstance(error, DataWorksUnavailable) and error.sent and error.action == self._call.action
