"""How a DI job is started: looked at, asked once, waited for, looked at once more; decides not whether it is owed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from airflow_provider_dataworks.arguments import seconds
from airflow_provider_dataworks.exceptions import DataWorksUnavailable, DIJobWaitTimeout
from airflow_provider_dataworks.operators._base import DIJobTask
from airflow_provider_dataworks.operators._restart_check import LAG, say_that_the_job_is_down
from airflow_provider_dataworks.retries import tries_left

if TYPE_CHECKING:
    from airflow_provider_dataworks.client import state_change as changes
    from airflow_provider_dataworks.client.http.responses import DIJob, Verdict
    from airflow_provider_dataworks.exceptions import DataWorksError
    from airflow_provider_dataworks.operators._request_note import RequestMemory
    from airflow_provider_dataworks.version_compat import Context


_LONGEST_STOP = 5 * 3600.0  # seconds


class StartSteps(DIJobTask):
    """The steps of :class:`~airflow_provider_dataworks.operators.dataworks.StartDIJobOperator`."""

    # Set by the operator.
    di_job_id: Any
    force_to_rerun: bool | None
    only_if_stopped_by: list[str] | None

    def _start(
        self, context: Context, memory: RequestMemory, plan: changes.Plan, moment: int | None, owed: bool | None
    ) -> dict[str, Any]:
        from airflow_provider_dataworks.client import state_change as changes

        def ask() -> changes.Change:
            flow = changes.start(self.hook.service, plan, start_time=moment, force_to_rerun=self.force_to_rerun)
            try:
                return self.hook.run(flow)
            except DIJobWaitTimeout as error:
                raise self.too_late_to_ask(error, context) from None

        outcome = ask()
        if owed and not outcome.sent and outcome.job.status == "Running":
            # This run stopped it. Reads may lag behind, and one that is taken for the truth would leave the job down.
            self.log.info("DI job %s is said to be Running, though this run stopped it: looking again.", plan.di_job_id)
            self.hook.sleep(min(plan.poll_interval, LAG))
            outcome = ask()
        self.decided(context, plan, outcome, ("Stopping",))
        fresh = self.hook.now() + seconds(self.timeout, "timeout")
        deadline = memory.begin_deadline(fresh) if outcome.sent else plan.deadline
        effect = ("Initialized", "Running")
        report = self.reported(context, "StartDIJob", outcome, memory, effect)
        report["owed"] = bool(owed)
        return self.result(self._settled(replace(plan, deadline=deadline), outcome, report), report)

    def too_late_to_ask(self, error: DIJobWaitTimeout, context: Context) -> DataWorksError:
        """
        Return an error that is tried again where the run owes the job its start: given up, it would stay down.

        A job that was seen to be stopping all the time is waited for some hours: then somebody must look at it.
        """
        waited = seconds(self.timeout, "timeout") * int(getattr(context.get("ti"), "try_number", None) or 1)
        is_stopping = error.last_status is not None and not error.last_look_failed
        if not self.only_if_stopped_by or (is_stopping and waited >= _LONGEST_STOP):
            return error
        from airflow_provider_dataworks.client.errors.catalog import CATALOG

        found = DataWorksUnavailable(error.message, sent=False, **CATALOG["restart-not-begun"].kwargs)
        found.di_job_id, found.job_status = error.di_job_id, error.job_status or error.last_status
        return found

    def deadline(self, memory: RequestMemory) -> float:
        """
        Return the epoch second at which the wait ends: ``timeout`` after the request that DataWorks took, if any.

        A try that finds none has the whole time: else the last of many tries would send a start and give up at once,
        and none could start a job that is down since more than ``timeout``.
        """
        fresh = self.hook.now() + seconds(self.timeout, "timeout")
        return memory.known_deadline() or fresh

    def _settled(self, plan: changes.Plan, outcome: changes.Change, report: dict[str, Any]) -> DIJob:
        from airflow_provider_dataworks.client.http.responses import JobStatus

        # What was seen before the start no longer counts: a job that had failed is starting now.
        job = replace(outcome.job, status=JobStatus.INITIALIZED) if outcome.sent else outcome.job
        return self.settled(plan, outcome, job, report)

    def look_again(self, job: DIJob, report: Mapping[str, Any]) -> DIJob:
        """Look once more at a job that this task asked to start: reads may lag behind, and show the time before."""
        if not report.get("by_us"):
            return job
        self.hook.sleep(min(seconds(self.poll_interval, "poll_interval"), LAG))
        return self.hook.get_di_job(job.id)

    def explain(self, error: DataWorksError, report: Mapping[str, Any], context: Context | None = None) -> None:
        """Say first, in an error that leaves the job down, that it is down and what starts it."""
        left = None if context is None else tries_left(context)
        say_that_the_job_is_down(error, self.di_job_id, owed=bool(report.get("owed")), tries_left=left)

    def verdict(self, report: dict[str, Any]) -> Verdict:
        """Return when the job counts as started."""
        from airflow_provider_dataworks.client.http.responses import JobStatus, Verdict

        return Verdict((JobStatus.RUNNING, JobStatus.FINISHED), fail_on=(JobStatus.FAILED,))

    def result(self, job: DIJob | None, report: dict[str, Any]) -> dict[str, Any]:
        """
        Return what the task pushes as its XCom.

        :param job: as seen last; ``None`` where nobody looked, because this run owes it no start.
        """
        runs = job is not None and str(job.status) == "Running"
        found = {
            "di_job_id": job.id if job else report["di_job_id"],
            "status": str(job.status) if job else None,
            "status_before": report.get("status_before"),
            "started_by_this_run": bool(report.get("by_us")),
            "request_id": report.get("request_id"),
            "started_at": datetime.fromtimestamp(self.hook.now(), UTC).isoformat() if runs else None,
        }
        self.log.info("DI job %s: %s", found["di_job_id"], found)
        return found
