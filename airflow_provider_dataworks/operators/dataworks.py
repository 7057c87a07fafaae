"""Operators that stop and start DataWorks DI jobs; state first: no retry does it twice or forgets that it did."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import TYPE_CHECKING, Any

from airflow_provider_dataworks.retries import RETRIES, RETRY_DELAY, install_retry_policy
from airflow_provider_dataworks.tasks import DIJobTask
from airflow_provider_dataworks.version_compat import BaseOperator, conf

if TYPE_CHECKING:
    from airflow_provider_dataworks.client import changes
    from airflow_provider_dataworks.client.replies import DIJob, Verdict
    from airflow_provider_dataworks.memory import RequestMemory
    from airflow_provider_dataworks.version_compat import Context
    from airflow_provider_dataworks.windows import MaintenanceWindow


def _names_tasks(value: object) -> bool:
    """Whether a value is one task id or several."""
    names = [value] if isinstance(value, str) else value
    return isinstance(names, Sequence) and bool(names) and all(name and isinstance(name, str) for name in names)


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
    :param window: a ``MaintenanceWindow``, its JSON object or its JSON text: outside it nothing is touched, whatever
        made the task run then (a late scheduler, catch-up, a retry, a person); waits end with it. (templated)
    :param min_remaining: seconds of the window that must be left for a stop to begin: what stop and restart may take.
    :param outside_window: ``fail`` (with ``OutsideMaintenanceWindow``, without retry) or ``skip``.
    :param ignore_window: for an emergency: stop although no window is open; logged. (templated)
    :param dataworks_conn_id: Airflow connection of type ``dataworks``. (templated)
    :param retries: as in Airflow; 3 where neither the author nor the deployment set any.
    :param retry_delay: as in Airflow; one minute.
    :param retry_exponential_backoff: as in Airflow; on.
    :return: dict of ``di_job_id``, ``status``, ``status_before``, ``stopped_by_this_run`` (bool), ``request_id`` and
        ``stopped_at`` (ISO 8601 UTC, when this task saw it stopped; ``None`` if it did not wait that long).
    """

    template_fields: Sequence[str] = ("di_job_id", "instance_id", "window", "ignore_window", "dataworks_conn_id")
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
        window: MaintenanceWindow | dict[str, Any] | str | None = None,
        min_remaining: float = 600,
        outside_window: str = "fail",
        ignore_window: bool | str = False,
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
        self.window = window
        self.min_remaining = min_remaining
        if outside_window not in ("fail", "skip"):
            raise ValueError(f"outside_window: {outside_window!r} is not known. Use fail or skip.")
        self.outside_window = outside_window
        self.ignore_window = ignore_window
        self.dataworks_conn_id = dataworks_conn_id

    def execute(self, context: Context) -> dict[str, Any]:
        """Stop the job; see the class."""
        from airflow_provider_dataworks.client import calls, changes
        from airflow_provider_dataworks.failures import crossing
        from airflow_provider_dataworks.memory import RequestMemory

        with crossing():
            di_job_id = calls.int64(self.di_job_id, "di_job_id")
            instance_id = None if self.instance_id is None else calls.int64(self.instance_id, "instance_id")
            memory = RequestMemory(context, "stop", di_job_id)
            plan = self._within_window(self.plan(di_job_id, memory), memory)
            outcome = self.hook.run(changes.stop(self.hook.service, plan, instance_id))
            self.decided(context, plan, outcome, ())
            report = self.reported(context, "StopDIJob", outcome, memory, ("Stopping", "Stopped"))
            return self.result(self._settled(plan, outcome, report), report)

    def _within_window(self, plan: changes.Plan, memory: RequestMemory) -> changes.Plan:
        """Return the plan with the window as its limit, or refuse to go on."""
        if self.window is None:
            return plan
        from airflow_provider_dataworks.client import calls
        from airflow_provider_dataworks.guard import window_end

        least = calls.seconds(self.min_remaining, "min_remaining") if self.min_remaining != 0 else 0.0
        end = partial(window_end, self.window, outside=self.outside_window, ignore=self.ignore_window)
        # A stop that is under way already may be seen to its end as long as the window is open at all.
        closes = end(now=self.hook.now(), needed=0.0 if memory.status_before else least)

        def remember(job: DIJob) -> None:
            # Only now is it certain that a stop will be sent: the look may have taken long, and one that an earlier try
            # sent may be over, its job started again.
            if closes < float("inf"):
                end(now=self.hook.now(), needed=least)
            plan.remember(job)

        return replace(plan, deadline=min(plan.deadline, closes), remember=remember)

    def _settled(self, plan: changes.Plan, outcome: changes.Change, report: dict[str, Any]) -> DIJob:
        """Wait for the stop, here or in the triggerer, or look once where the author does not want to wait."""
        from airflow_provider_dataworks.client.replies import JobStatus

        job = outcome.job
        if job.status is JobStatus.INITIALIZED and not outcome.sent:
            self.log.warning("DI job %s never ran (Initialized), and DataWorks refuses to stop it.", job.id)
            return job
        return self.settled(plan, outcome, job, report)

    def verdict(self, report: dict[str, Any]) -> Verdict:
        """Return when the job counts as stopped."""
        from airflow_provider_dataworks.client.replies import JobStatus, Verdict

        # A job that failed by itself does not run either; one that failed after our stop may not be clean.
        failed = () if report.get("by_us") else (JobStatus.FAILED,)
        return Verdict((JobStatus.STOPPED, JobStatus.FINISHED, *failed))


class StartDIJobOperator(DIJobTask, BaseOperator):
    """
    Start a DataWorks DI job and be sure that it runs.

    The job's status is read first: Running is success and nothing is sent; Stopping is waited out; otherwise StartDIJob
    is sent once. Without ``start_time`` and ``force_to_rerun`` the job resumes from the offset that DataWorks recorded,
    so no data is lost. A job that ends Failed after the start fails the task with its own text.

    Vendor's page:
    https://www.alibabacloud.com/help/en/dataworks/developer-reference/api-dataworks-public-2020-05-18-startdijob

    :param di_job_id: id of the DI job, as a number or its digits. (templated)
    :param start_time: epoch seconds from which the source's log is read again; not milliseconds, not in the future.
        It resets the offset. (templated)
    :param force_to_rerun: run every step again, the full load too.
    :param only_if_stopped_by: task id, or several, of stop tasks in the same run: a job that none of them asked to stop
        is left alone. It holds where such a task was retried, killed, mapped, or failed after its stop was sent.
        An id that is no ``StopDIJobOperator`` of the DAG is refused: the job would stay down unnoticed.
    :param wait_for_completion: wait until the job runs; otherwise return once the service took the request.
    :param poll_interval: seconds between looks at the job while waiting.
    :param timeout: seconds to wait at most; then the task fails with ``DIJobWaitTimeout``, without retry.
    :param deferrable: wait in the triggerer, without a worker slot; Airflow's ``default_deferrable`` unless given.
    :param dataworks_conn_id: Airflow connection of type ``dataworks``. (templated)
    :param retries: as in Airflow; 3 where neither the author nor the deployment set any.
    :param retry_delay: as in Airflow; one minute.
    :param retry_exponential_backoff: as in Airflow; on.
    :return: dict of ``di_job_id``, ``status``, ``status_before``, ``started_by_this_run`` (bool), ``request_id`` and
        ``started_at`` (ISO 8601 UTC, when this task saw it running; ``None`` if it did not).
    """

    template_fields: Sequence[str] = ("di_job_id", "start_time", "dataworks_conn_id")
    ui_color = "#d9f2d9"

    def __init__(
        self,
        *,
        di_job_id: int | str,
        start_time: int | str | None = None,
        force_to_rerun: bool | None = None,
        only_if_stopped_by: str | Sequence[str] | None = None,
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
        if not (only_if_stopped_by is None or _names_tasks(only_if_stopped_by)):
            raise ValueError(
                f"only_if_stopped_by: {only_if_stopped_by!r} names no task. Give the task_id of a stop, or several; "
                "leave it out to start the job whoever stopped it."
            )
        self.di_job_id = di_job_id
        self.start_time = start_time
        self.force_to_rerun = force_to_rerun
        self.only_if_stopped_by = only_if_stopped_by
        self.wait_for_completion = wait_for_completion
        self.poll_interval = poll_interval
        self.timeout = timeout
        self.deferrable = deferrable
        self.dataworks_conn_id = dataworks_conn_id

    def execute(self, context: Context) -> dict[str, Any]:
        """Start the job; see the class."""
        from airflow_provider_dataworks.client import calls, changes
        from airflow_provider_dataworks.failures import crossing
        from airflow_provider_dataworks.memory import RequestMemory, jobs_stopped

        with crossing():
            di_job_id = calls.int64(self.di_job_id, "di_job_id")
            start_time = calls.start_time(self.start_time, now=self.hook.now())
            asked = self._stopped_by()
            if asked and di_job_id not in jobs_stopped(context["ti"], asked):
                self.log.info("DI job %s was not stopped by %s: it is left alone.", di_job_id, ", ".join(asked))
                return self.result(self.hook.get_di_job(di_job_id), {})
            if start_time is not None or self.force_to_rerun:
                self.log.warning(
                    "The recorded offset is not kept: start_time %s, force_to_rerun %s.",
                    start_time,
                    self.force_to_rerun,
                )
            memory = RequestMemory(context, "start", di_job_id)
            plan = self.plan(di_job_id, memory)
            flow = changes.start(self.hook.service, plan, start_time=start_time, force_to_rerun=self.force_to_rerun)
            outcome = self.hook.run(flow)
            self.decided(context, plan, outcome, ("Stopping",))
            report = self.reported(context, "StartDIJob", outcome, memory, ("Initialized", "Running"))
            return self.result(self._settled(plan, outcome, report), report)

    def _stopped_by(self) -> list[str]:
        """Return the ids of the stop tasks to look at; one that is none would leave the job down, and nobody told."""
        given = self.only_if_stopped_by
        asked = [given] if isinstance(given, str) else list(given or ())
        if asked and self.has_dag():  # type: ignore[no-untyped-call]
            kinds = {task.task_id: getattr(task, "operator_class", type(task)) for task in self.dag.tasks}
            stops = [name for name, kind in kinds.items() if StopDIJobOperator in getattr(kind, "__mro__", ())]
            if wrong := [name for name in asked if name not in stops]:
                from airflow_provider_dataworks.client.settings import refusal

                problem = f"{', '.join(wrong)}: no StopDIJobOperator of this DAG has that task id"
                known = f"Use of: {', '.join(stops)}" if stops else "This DAG has none: leave it out"
                raise refusal("only_if_stopped_by", problem, f"{known}. DI job {self.di_job_id} was not started.")
        return asked

    def _settled(self, plan: changes.Plan, outcome: changes.Change, report: dict[str, Any]) -> DIJob:
        from airflow_provider_dataworks.client.replies import JobStatus

        # What was seen before the start no longer counts: a job that had failed is starting now.
        job = replace(outcome.job, status=JobStatus.INITIALIZED) if outcome.sent else outcome.job
        return self.settled(plan, outcome, job, report)

    def verdict(self, report: dict[str, Any]) -> Verdict:
        """Return when the job counts as started."""
        from airflow_provider_dataworks.client.replies import JobStatus, Verdict

        return Verdict((JobStatus.RUNNING, JobStatus.FINISHED), fail_on=(JobStatus.FAILED,))

    def result(self, job: DIJob, report: dict[str, Any]) -> dict[str, Any]:
        """Return what the task pushes as its XCom."""
        runs = str(job.status) == "Running"
        found = {
            "di_job_id": job.id,
            "status": str(job.status),
            "status_before": report.get("status_before"),
            "started_by_this_run": bool(report.get("by_us")),
            "request_id": report.get("request_id"),
            "started_at": datetime.fromtimestamp(self.hook.now(), UTC).isoformat() if runs else None,
        }
        self.log.info("DI job %s: %s", job.id, found)
        return found
