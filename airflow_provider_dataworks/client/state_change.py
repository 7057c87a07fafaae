"""Conversations that stop or start a DI job: state first, at most one effective request; they do not wait for the end.

No conversation here is repeated blindly. After a lost answer, or a refusal, the job's status says what happened.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial

from airflow_provider_dataworks.client.asking import Flow, Service, always, ask, repeated
from airflow_provider_dataworks.client.errors.catalog import CATALOG
from airflow_provider_dataworks.client.flows import get_di_job, wait
from airflow_provider_dataworks.client.http.decoding import sentence
from airflow_provider_dataworks.client.http.responses import DIJob, JobStatus
from airflow_provider_dataworks.client.operations import Call
from airflow_provider_dataworks.client.policy import ATTEMPTS, retrying
from airflow_provider_dataworks.exceptions import DataWorksError, DataWorksInvalidRequest, DataWorksUnavailable

_RUNS_OR_MAY = (JobStatus.RUNNING, JobStatus.INITIALIZED)
_DOES_NOT_RUN = (JobStatus.STOPPED, JobStatus.FINISHED, JobStatus.FAILED, JobStatus.INITIALIZED)


@dataclass(frozen=True)
class Change:
    """
    How a stop or a start went.

    :param job: the DI job as seen last.
    :param before: its status before this conversation did anything.
    :param sent: whether this conversation sent a request that the service took, or may have taken.
    :param request_id: of that request, where its answer came.
    :param undecided: whether nothing was done because the status has to change by itself first.
    """

    job: DIJob
    before: JobStatus | str
    sent: bool
    request_id: str | None
    undecided: bool = False


@dataclass(frozen=True)
class Plan:
    """
    Which DI job to change, and how long it may take.

    :param deadline: epoch seconds.
    :param poll_interval: seconds between looks.
    :param asked_before: whether an earlier try of the same task sent the request already.
    :param remember: called with the job right before the request is sent.
    :param forget: called when it is certain that no request of this conversation arrived.
    :param time_to_send: returns the seconds in which the request may still leave, and raises where there are none.
    :param patient: whether a status that has to change by itself first is waited out; else the change is undecided.
    """

    di_job_id: int
    deadline: float
    poll_interval: float
    asked_before: bool = False
    remember: Callable[[DIJob], None] = field(default=lambda job: None)
    forget: Callable[[], None] = field(default=lambda: None)
    patient: bool = True
    time_to_send: Callable[[], float] = always


def stop(service: Service, plan: Plan, instance_id: int | None = None) -> Flow[Change]:
    """
    Ask a DI job to stop unless it need not be asked.

    A status that is not documented is waited out first: it cannot be known whether a stop would be safe.

    :param instance_id: one instance of the job; API 2024-05-18 only.
    :raises DataWorksError: StopDIJob was refused, or its answer stayed lost although the job still runs.
    """
    call = service.api.StopDIJob(plan.di_job_id, instance_id)
    job = yield from _known(service, plan, call, ())
    if _passes(job, ()):
        return Change(job, job.status, sent=False, request_id=None, undecided=True)
    return (yield from _change(service, plan, call, job, lambda status: status in _RUNS_OR_MAY))


def start(
    service: Service, plan: Plan, *, start_time: int | None = None, force_to_rerun: bool | None = None
) -> Flow[Change]:
    """
    Ask a DI job to start unless it need not be asked; a stop under way is waited out first.

    :param start_time: epoch seconds to read the source's log from; without it the recorded offset is kept.
    :param force_to_rerun: run every step again, the full load too.
    :raises DataWorksError: StartDIJob was refused, or its answer stayed lost although the job does not run.
    """
    call = service.api.StartDIJob(plan.di_job_id, start_time, force_to_rerun)
    job = yield from _known(service, plan, call, (JobStatus.STOPPING,))
    if _passes(job, (JobStatus.STOPPING,)):
        return Change(job, job.status, sent=False, request_id=None, undecided=True)
    starting = plan.asked_before or job.status is not JobStatus.INITIALIZED

    def pending(status: JobStatus | str) -> bool:
        # Initialized is what a job is while it starts: it is asked again only if it was so before anybody asked.
        return status in _DOES_NOT_RUN and not (starting and status is JobStatus.INITIALIZED)

    return (yield from _change(service, plan, call, job, pending))


def _known(service: Service, plan: Plan, call: Call[str], passing: tuple[JobStatus, ...]) -> Flow[DIJob]:
    def settled(job: DIJob) -> bool:
        return not (plan.patient and _passes(job, passing))

    deadline, interval, before = plan.deadline, plan.poll_interval, call.action
    flow = wait(service, plan.di_job_id, settled, deadline=deadline, poll_interval=interval, before=before)
    return (yield from flow)


def _passes(job: DIJob, passing: tuple[JobStatus, ...]) -> bool:
    return job.status in passing or not isinstance(job.status, JobStatus)


def _change(
    service: Service, plan: Plan, call: Call[str], job: DIJob, pending: Callable[[JobStatus | str], bool]
) -> Flow[Change]:
    if not pending(job.status):
        return Change(job, job.status, sent=False, request_id=None)
    plan.remember(job)
    sending = _Sending(service, call, job, pending, plan.time_to_send)
    try:
        outcome = yield from sending.settle()
    except DataWorksError as error:
        if not sending.maybe_arrived:
            plan.forget()
        # Whoever reads this at night asks first whether the job runs.
        lost = f" An earlier {call.action} of this try may have arrived." if sending.maybe_arrived else ""
        error.message, error.job_status = f"{sentence(error.message)}{lost}", str(sending.seen)
        raise
    if not outcome.sent:
        plan.forget()
    return outcome


class _Sending:
    """
    One request until its fate is known; holds what was seen and whether it may have arrived.

    :param pending: says of a status whether the request still has to take effect.
    """

    def __init__(
        self,
        service: Service,
        call: Call[str],
        job: DIJob,
        pending: Callable[[JobStatus | str], bool],
        time_to_send: Callable[[], float],
    ) -> None:
        self._service, self._call, self._job, self._pending = service, call, job, pending
        self._time_to_send = time_to_send
        self._before = job.status
        self.maybe_arrived = False

    @property
    def seen(self) -> JobStatus | str:
        """The status seen last."""
        return self._job.status

    def settle(self) -> Flow[Change]:
        """Send, and where the service refuses, let the job's status decide what the refusal means."""
        policy = partial(retrying, self._answer_was_lost, self._service.patience)
        for _ in range(ATTEMPTS):
            try:
                return (yield from repeated(self._attempt, policy))
            except DataWorksInvalidRequest as refusal:
                if refusal.action != self._call.action:
                    raise  # a look of ours was refused, which says nothing about the request
                refused_in, self._job = self._job.status, (yield from get_di_job(self._service, self._job.id))
                if not self._pending(self._job.status):
                    break  # it came to where it should be in the meantime
                if self._job.status == refused_in:
                    if refused_in is JobStatus.INITIALIZED and not self.maybe_arrived:
                        break  # it never ran, so there is nothing to stop; or it is starting already
                    raise self._explained(refusal) from None
        return Change(self._job, self._before, sent=self.maybe_arrived, request_id=None)

    def _explained(self, refusal: DataWorksInvalidRequest) -> DataWorksInvalidRequest:
        # A code that means something of its own, such as a wrong api_version, says more than the state.
        if refusal.see == "request-refused":
            known = CATALOG["refused-in-this-state"]
            refusal.remedy, refusal.see = known.remedy, known.anchor
        return refusal

    def _attempt(self) -> Flow[Change]:
        if self.maybe_arrived:
            self._job = yield from get_di_job(self._service, self._job.id)
            if not self._pending(self._job.status):
                return Change(self._job, self._before, sent=True, request_id=None)
        try:
            request_id = yield from ask(self._service, self._call, self._time_to_send)
        except DataWorksUnavailable as error:
            self.maybe_arrived = self.maybe_arrived or error.sent
            raise
        return Change(self._job, self._before, sent=True, request_id=request_id)

    def _answer_was_lost(self, error: BaseException) -> bool:
        # A look at the job that failed had its own tries: only a lost answer to the request itself leads on.
        return isinstance(error, DataWorksUnavailable) and error.sent and error.action == self._call.action
