"""Stops or starts a DI job: looks first, sends at most one effective request; must never repeat a request blindly.

After a lost answer, or a refusal, the job's status says what happened. Nothing here waits for the end of a change.
"""

from __future__ import annotations

from collections.abc import Callable

from airflow_provider_dataworks.client.client import ATTEMPTS, DataWorksClient
from airflow_provider_dataworks.client.errors.catalog import CATALOG
from airflow_provider_dataworks.client.models import ChangeRequest, ChangeResult, DIJob, JobStatus
from airflow_provider_dataworks.client.operations import Call
from airflow_provider_dataworks.exceptions import DataWorksError, DataWorksInvalidRequest, DataWorksUnavailable
from airflow_provider_dataworks.values import sentence

_RUNS_OR_MAY = (JobStatus.RUNNING, JobStatus.INITIALIZED)
_DOES_NOT_RUN = (JobStatus.STOPPED, JobStatus.FINISHED, JobStatus.FAILED, JobStatus.INITIALIZED)


def stop(client: DataWorksClient, request: ChangeRequest, instance_id: int | None = None) -> ChangeResult:
    """
    Ask a DI job to stop unless it need not be asked.

    A status that is not documented is waited out first: it cannot be known whether a stop would be safe.

    :param instance_id: one instance of the job; API 2024-05-18 only.
    :raises DataWorksError: StopDIJob was refused, or its answer stayed lost although the job still runs.
    """
    call = client.api.StopDIJob(request.di_job_id, instance_id)
    with client.named_errors():
        job = _look(client, request, call, ())
        if _is_passing(job, ()):
            return ChangeResult(job, job.status, not_actionable=True)
        if job.status not in _RUNS_OR_MAY:
            return ChangeResult(job, job.status)
        return _send(client, request, call, job, lambda status: status in _RUNS_OR_MAY)


def start(
    client: DataWorksClient,
    request: ChangeRequest,
    *,
    start_time: int | None = None,
    force_to_rerun: bool | None = None,
) -> ChangeResult:
    """
    Ask a DI job to start unless it need not be asked; a stop under way is waited out first.

    :param start_time: epoch seconds to read the source's log from; without it the recorded offset is kept.
    :param force_to_rerun: run every step again, the full load too.
    :raises DataWorksError: StartDIJob was refused, or its answer stayed lost although the job does not run.
    """
    call = client.api.StartDIJob(request.di_job_id, start_time, force_to_rerun)
    with client.named_errors():
        job = _look(client, request, call, (JobStatus.STOPPING,))
        if _is_passing(job, (JobStatus.STOPPING,)):
            return ChangeResult(job, job.status, not_actionable=True)
        starting = request.asked_before or job.status is not JobStatus.INITIALIZED

        def has_to_start(status: JobStatus | str) -> bool:
            # Initialized is what a job is while it starts: it is asked again only if it was so before anybody asked.
            return status in _DOES_NOT_RUN and not (starting and status is JobStatus.INITIALIZED)

        if not has_to_start(job.status):
            return ChangeResult(job, job.status)
        return _send(client, request, call, job, has_to_start)


def _look(client: DataWorksClient, request: ChangeRequest, call: Call[str], passing: tuple[JobStatus, ...]) -> DIJob:
    """Return the job in a status in which something can be decided, or, unless that is waited for, as it is now."""
    return client.wait_until(
        request.di_job_id,
        lambda job: not (request.wait_for_actionable and _is_passing(job, passing)),
        deadline=request.deadline,
        poll_interval=request.poll_interval,
        before=call.action,
    )


def _is_passing(job: DIJob, passing: tuple[JobStatus, ...]) -> bool:
    """Say whether the status has to change by itself first."""
    return job.status in passing or not isinstance(job.status, JobStatus)


def _send(
    client: DataWorksClient,
    request: ChangeRequest,
    call: Call[str],
    job: DIJob,
    is_pending: Callable[[JobStatus | str], bool],
) -> ChangeResult:
    """Note that the request is about to be sent, send it, and withdraw the note where it certainly had no effect."""
    request.write_note(job)
    sending = _Sending(client, call, job, is_pending, request.time_to_send)
    try:
        result = sending.until_known()
    except DataWorksError as error:
        if not sending.may_have_arrived:
            request.withdraw_note()
        # Whoever reads this at night asks first whether the job runs.
        lost = f" An earlier {call.action} of this try may have arrived." if sending.may_have_arrived else ""
        error.message, error.job_status = f"{sentence(error.message)}{lost}", str(sending.job.status)
        raise
    if not result.sent:
        request.withdraw_note()
    return result


class _Sending:
    """
    One request until its fate is known.

    :param job: as seen last.
    :param is_pending: says of a status whether the request still has to take effect.
    """

    def __init__(
        self,
        client: DataWorksClient,
        call: Call[str],
        job: DIJob,
        is_pending: Callable[[JobStatus | str], bool],
        time_to_send: Callable[[], float],
    ) -> None:
        self._client, self._call, self._is_pending, self._time_to_send = client, call, is_pending, time_to_send
        self.job, self._before = job, job.status
        self.may_have_arrived = False

    def until_known(self) -> ChangeResult:
        """Send, and where the service refuses, let the job's status decide what the refusal means."""
        retrying = self._client.retrying(self._answer_was_lost)
        for _ in range(ATTEMPTS):
            try:
                return retrying(self._attempt)
            except DataWorksInvalidRequest as refusal:
                if refusal.action != self._call.action:
                    raise  # a look of ours was refused, which says nothing about the request
                refused_in, self.job = self.job.status, self._client.get_di_job(self.job.id)
                if not self._is_pending(self.job.status):
                    break  # it came to where it should be in the meantime
                if self.job.status == refused_in:
                    if refused_in is JobStatus.INITIALIZED and not self.may_have_arrived:
                        break  # it never ran, so there is nothing to stop; or it is starting already
                    raise _explained(refusal) from None
        return ChangeResult(self.job, self._before, sent=self.may_have_arrived)

    def _attempt(self) -> ChangeResult:
        if self.may_have_arrived:
            self.job = self._client.get_di_job(self.job.id)
            if not self._is_pending(self.job.status):
                return ChangeResult(self.job, self._before, sent=True)
        try:
            request_id = self._client.call(self._call, self._time_to_send)
        except DataWorksUnavailable as error:
            self.may_have_arrived = self.may_have_arrived or error.sent
            raise
        return ChangeResult(self.job, self._before, sent=True, request_id=request_id)

    def _answer_was_lost(self, error: BaseException) -> bool:
        # A look at the job that failed had its own tries: only a lost answer to the request itself leads on.
        return isinstance(error, DataWorksUnavailable) and error.sent and error.action == self._call.action


def _explained(refusal: DataWorksInvalidRequest) -> DataWorksInvalidRequest:
    # A code that means something of its own, such as a wrong api_version, says more than the state.
    if refusal.see == "request-refused":
        info = CATALOG["refused-in-this-state"]
        refusal.remedy, refusal.see = info.remedy, info.anchor
    return refusal
