"""What the tasks of this package share: hook, retries, deferral and its end, link; it decides nothing about DI jobs."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from functools import cached_property
from typing import TYPE_CHECKING, Any, NoReturn

from airflow_provider_dataworks.links.dataworks import DataWorksConsoleLink
from airflow_provider_dataworks.retries import MappedRetries

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable

    from airflow.providers.common.compat.sdk import BaseOperatorLink, Context

    from airflow_provider_dataworks.client.replies import DIJob
    from airflow_provider_dataworks.hooks.dataworks import DataWorksHook

_BACKSTOP = 120  # seconds after the trigger's own deadline at which Airflow ends a wait whose trigger does not


class DIJobTask(MappedRetries):
    """A task about one DI job, to be mixed into an operator or sensor that sets the attributes named here."""

    operator_extra_links: Collection[BaseOperatorLink] = (DataWorksConsoleLink(),)

    dataworks_conn_id: str
    execution_timeout: timedelta | None

    @cached_property
    def hook(self) -> DataWorksHook:
        """The hook of this task's connection."""
        from airflow_provider_dataworks.hooks.dataworks import DataWorksHook

        return DataWorksHook(self.dataworks_conn_id)

    def push_link(self, context: Context, job: DIJob) -> None:
        """Give the running task its link now: Airflow itself pushes links when a try ends."""
        url = self.hook.account.console_url(job.project_id)
        try:
            DataWorksConsoleLink.persist(context, url)
        except Exception as error:  # a link is no reason to end a stop that is under way
            self.log.warning("The link %s could not be stored: %s", url, error)  # type: ignore[attr-defined]

    def defer_until(
        self,
        job: DIJob,
        accept: Iterable[str],
        *,
        deadline: float,
        poll_interval: float,
        report: dict[str, Any] | None = None,
    ) -> NoReturn:
        """
        Hand the wait to the triggerer; the task goes on in ``execute_complete``.

        :param job: as seen last.
        :param deadline: epoch seconds; ``execution_timeout`` ends the wait as well, which Airflow does not see to.
        """
        from airflow_provider_dataworks.triggers.dataworks import DIJobStatusTrigger

        now = self.hook.now()
        if self.execution_timeout is not None:
            deadline = min(deadline, now + self.execution_timeout.total_seconds())
        trigger = DIJobStatusTrigger(
            di_job_id=job.id,
            project_id=job.project_id,
            dataworks_conn_id=self.dataworks_conn_id,
            accept=[str(status) for status in accept],
            deadline=deadline,
            poll_interval=poll_interval,
            report=report,
        )
        backstop = timedelta(seconds=max(0.0, deadline - now) + _BACKSTOP)
        self.defer(trigger=trigger, method_name="execute_complete", timeout=backstop)  # type: ignore[attr-defined]
        raise AssertionError("defer() returned")

    def execute_complete(self, context: Context, event: Any = None) -> dict[str, Any]:
        """
        Go on after the wait.

        :raises DataWorksError: what the wait ended in; permanent if the event is not understood.
        """
        from airflow_provider_dataworks.failures import crossing
        from airflow_provider_dataworks.triggers.events import outcome_of

        with crossing():
            job = outcome_of(event)
            report = event.get("report")
            return self.result(job, report if isinstance(report, dict) else {})

    def result(self, job: DIJob, report: dict[str, Any]) -> dict[str, Any]:
        """
        Return what the task pushes as its XCom.

        :param report: ``status_before``, ``by_us`` and ``request_id`` where they are known.
        """
        settled = str(job.status) in ("Stopped", "Finished", "Failed")
        found = {
            "di_job_id": job.id,
            "status": str(job.status),
            "status_before": report.get("status_before"),
            "stopped_by_this_run": bool(report.get("by_us")),
            "request_id": report.get("request_id"),
            "stopped_at": datetime.fromtimestamp(self.hook.now(), UTC).isoformat() if settled else None,
        }
        if job.status == "Failed":
            text = job.error_message or "DataWorks gave no text"
            self.log.warning("DI job %s is Failed, so nothing of it runs: %s", job.id, text)  # type: ignore[attr-defined]
        self.log.info("DI job %s: %s", job.id, found)  # type: ignore[attr-defined]
        return found
