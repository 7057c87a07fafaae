"""Operators that stop DataWorks DI jobs; state first, so that no retry can stop a job twice or forget that it did."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from airflow.providers.common.compat.sdk import BaseOperator, conf

from airflow_provider_dataworks.retries import RETRIES, RETRY_DELAY, install_retry_policy
from airflow_provider_dataworks.tasks import DIJobTask

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import Context

    from airflow_provider_dataworks.client import flows
    from airflow_provider_dataworks.client.replies import DIJob
    from airflow_provider_dataworks.memory import StopMemory


class StopDIJobOperator(DIJobTask, BaseOperator):
    """
    Stop a DataWorks DI job and be sure that it has stopped.

    The job's status is read first: Stopped and Finished are success and nothing is sent; Stopping is only waited for;
    Running, or Initialized (a start may be under way), is sent StopDIJob once. Failed means that nothing runs: success
    with a warning. After a lost answer the status is read again before anything is sent again, so neither a network
    failure nor a retry, a cleared task or a killed worker makes a second effective stop. Killing the task never undoes
    a stop.

    Throttling is waited out for about 45 seconds; past that the task goes to ``up_for_retry``, on Airflow 3.3 and later
    for exactly as long as the service asked.

    Vendor's page:
    https://www.alibabacloud.com/help/en/dataworks/developer-reference/api-dataworks-public-2020-05-18-stopdijob

    :param di_job_id: id of the DI job, as a number or its digits. (templated)
    :param instance_id: stop one instance of the job only; API 2024-05-18. (templated)
    :param wait_for_completion: wait until the job has stopped; otherwise return once the service took the request.
    :param poll_interval: seconds between looks at the job while waiting.
    :param timeout: seconds to wait at most, counted from the first try where Airflow can remember it (3.3 and later).
        Then the task fails with ``DIJobWaitTimeout``, without retry; ``execution_timeout`` ends a deferred wait too.
    :param deferrable: wait in the triggerer, without a worker slot; Airflow's ``default_deferrable`` unless given. All
        such waits of a workspace share their looks, and the looks grow rarer as a wait grows old.
    :param dataworks_conn_id: Airflow connection of type ``dataworks``. (templated)
    :param retries: as in Airflow; 3 where neither the author nor the deployment set any.
    :param retry_delay: as in Airflow; one minute.
    :param retry_exponential_backoff: as in Airflow; on.
    :return: dict of ``di_job_id``, ``status``, ``status_before``, ``stopped_by_this_run`` (bool), ``request_id`` and
        ``stopped_at`` (ISO 8601 UTC, when this task saw it stopped; ``None`` if it did not wait that long).
    """

    template_fields: Sequence[str] = ("di_job_id", "instance_id", "dataworks_conn_id")
    ui_color = "#ffe5cc"

    def __init__(
        self,
        *,
        di_job_id: int | str,
        instance_id: int | str | None = None,
        wait_for_completion: bool = True,
        poll_interval: float = 30,
        timeout: float = 3600,
        deferrable: bool = conf.getboolean("operators", "default_deferrable", fallback=False),
        dataworks_conn_id: str = "dataworks_default",
        # Named here although they are Airflow's: only so do default_args and mapping see that they have other defaults.
        retries: int | None = RETRIES,
        retry_delay: timedelta | float = RETRY_DELAY,
        retry_exponential_backoff: bool | float = True,
        **kwargs: Any,
    ) -> None:
        super().__init__(
            retries=retries, retry_delay=retry_delay, retry_exponential_backoff=retry_exponential_backoff, **kwargs
        )
        install_retry_policy(self)
        self.di_job_id = di_job_id
        self.instance_id = instance_id
        self.wait_for_completion = wait_for_completion
        self.poll_interval = poll_interval
        self.timeout = timeout
        self.deferrable = deferrable
        self.dataworks_conn_id = dataworks_conn_id

    def execute(self, context: Context) -> dict[str, Any]:
        """Stop the job; see the class."""
        from airflow_provider_dataworks.client import calls, flows
        from airflow_provider_dataworks.failures import crossing
        from airflow_provider_dataworks.memory import StopMemory

        with crossing():
            di_job_id = calls.int64(self.di_job_id, "di_job_id")
            memory = StopMemory(context, di_job_id)
            request = self._request(di_job_id, memory)
            outcome = self.hook.run(flows.stop(self.hook.service, request))
            if outcome.sent:
                memory.confirm(str(outcome.before), outcome.request_id)
                self.log.info("StopDIJob was sent to DI job %s (request id %s).", di_job_id, outcome.request_id)
            else:
                self.log.info("DI job %s is %s: StopDIJob is not sent.", di_job_id, outcome.job.status)
            self.push_link(context, outcome.job)
            report = {
                "by_us": outcome.sent or memory.status_before is not None,
                "status_before": memory.status_before or str(outcome.before),
                "request_id": outcome.request_id or memory.request_id,
            }
            return self.result(self._settled(request, outcome, report), report)

    def _request(self, di_job_id: int, memory: StopMemory) -> flows.StopRequest:
        from airflow_provider_dataworks.client import calls, flows

        return flows.StopRequest(
            di_job_id,
            instance_id=None if self.instance_id is None else calls.int64(self.instance_id, "instance_id"),
            poll_interval=calls.seconds(self.poll_interval, "poll_interval"),
            deadline=memory.deadline(self.hook.now() + calls.seconds(self.timeout, "timeout")),
            remember=memory.remember,
            forget=memory.forget,
        )

    def _settled(self, request: flows.StopRequest, outcome: flows.Stop, report: dict[str, Any]) -> DIJob:
        """Wait for the stop, here or in the triggerer, or look once where the author does not want to wait."""
        from airflow_provider_dataworks.client import flows
        from airflow_provider_dataworks.client.replies import JobStatus, Verdict

        job = outcome.job
        if job.status is JobStatus.INITIALIZED and not outcome.sent:
            self.log.warning("DI job %s never ran (Initialized), and DataWorks refuses to stop it.", job.id)
            return job
        # A job that failed by itself does not run either; one that failed after our stop may not be clean.
        accept = (JobStatus.STOPPED, JobStatus.FINISHED, *(() if report["by_us"] else (JobStatus.FAILED,)))
        verdict, poll_interval = Verdict(accept), request.poll_interval
        if not self.wait_for_completion:
            job = self.hook.get_di_job(job.id) if outcome.sent else job
            verdict(job)
            return job
        if self.deferrable and (outcome.sent or not verdict(job)):
            self.defer_until(job, accept, deadline=request.deadline, poll_interval=poll_interval, report=report)
        service, deadline = self.hook.service, request.deadline
        return self.hook.run(
            flows.wait(service, job.id, verdict, deadline=deadline, poll_interval=poll_interval, first=job)
        )
