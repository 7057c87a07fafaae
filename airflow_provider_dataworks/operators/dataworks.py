"""Operators that stop and start DataWorks DI jobs; state first: no retry does it twice or forgets that it did."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import partial
from math import inf
from typing import TYPE_CHECKING, Any

from airflow_provider_dataworks.arguments import (
    flag,
    flag_or_text,
    int64,
    invalid,
    one_of,
    optional,
    seconds,
    seconds_or_none,
    start_time,
    task_ids,
    window,
)
from airflow_provider_dataworks.exceptions import OutsideMaintenanceWindow
from airflow_provider_dataworks.memory import RequestMemory, asked_to_stop
from airflow_provider_dataworks.retries import RETRIES, RETRY_DELAY, install_retry_policy
from airflow_provider_dataworks.tasks import DIJobTask
from airflow_provider_dataworks.version_compat import AirflowSkipException, BaseOperator, conf

if TYPE_CHECKING:
    from airflow_provider_dataworks.client import changes
    from airflow_provider_dataworks.client.replies import DIJob, Verdict
    from airflow_provider_dataworks.exceptions import DataWorksError
    from airflow_provider_dataworks.memory import RequestMemory
    from airflow_provider_dataworks.version_compat import Context
    from airflow_provider_dataworks.windows import MaintenanceWindow


_LAG = 10.0  # seconds after which reads are taken to show a start, at most


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
    :param instance_id: stop one instance of the job only; API 2024-05-18. No answer of the service tells how an
        instance is, so it goes with ``wait_for_completion=False`` only. (templated)
    :param wait_for_completion: wait until the job has stopped; otherwise return once the service took the request.
    :param poll_interval: seconds, or a timedelta, between looks at the job while waiting.
    :param timeout: seconds, or a timedelta, to wait at most, counted from the first try where Airflow can remember it
        (3.3 and later). Then the task fails with ``DIJobWaitTimeout``, without retry, and sends nothing any more;
        ``execution_timeout`` ends a deferred wait too.
    :param deferrable: wait in the triggerer, without a worker slot; Airflow's ``default_deferrable`` unless given. All
        such waits of a workspace share their looks, and the looks grow rarer as a wait grows old.
    :param window: a ``MaintenanceWindow``, its JSON object or its JSON text: outside it nothing is touched, whatever
        made the task run then (a late scheduler, catch-up, a retry, a person); waits end with it. (templated)
    :param min_remaining: seconds, or a timedelta, of the window that must be left as a stop is sent: what stop and
        restart may take.
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
    checks = {  # noqa: RUF012 - as the base class declares it
        "di_job_id": int64,
        "instance_id": optional(int64),
        "poll_interval": seconds,
        "timeout": seconds,
        "window": optional(window),
        "min_remaining": seconds_or_none,
        "outside_window": one_of("fail", "skip"),
        "ignore_window": flag_or_text,
    }

    def __init__(
        self,
        *,
        di_job_id: int | str,
        instance_id: int | str | None = None,
        wait_for_completion: bool = True,
        poll_interval: float | timedelta = 30,
        timeout: float | timedelta = 3600,
        deferrable: bool = conf.getboolean("operators", "default_deferrable", fallback=False),
        window: MaintenanceWindow | dict[str, Any] | str | None = None,
        min_remaining: float | timedelta = 600,
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
        self.check_arguments(locals())
        self.di_job_id = di_job_id
        self.instance_id = instance_id
        self.wait_for_completion = wait_for_completion
        self.poll_interval = poll_interval
        self.timeout = timeout
        self.deferrable = deferrable
        self.window = window
        self.min_remaining = min_remaining
        self.outside_window = outside_window
        self.ignore_window = ignore_window
        self.dataworks_conn_id = dataworks_conn_id

    @classmethod
    def check_together(cls, arguments: Mapping[str, Any]) -> None:
        """Check each argument, and that no instance is waited for."""
        super().check_together(arguments)
        if arguments.get("instance_id") is not None and arguments.get("wait_for_completion", True):
            problem = "no answer of the service tells how an instance is, so its stop cannot be waited for"
            raise invalid("instance_id", problem, "Set wait_for_completion=False, or stop the whole job.")

    def execute(self, context: Context) -> dict[str, Any]:
        """Stop the job; see the class."""
        from airflow_provider_dataworks.failures import crossing

        with crossing(context):
            di_job_id = int64(self.di_job_id, "di_job_id")
            instance_id = optional(int64)(self.instance_id, "instance_id")
        memory = RequestMemory(context, "stop", di_job_id, self.hook.now)
        try:
            with crossing(context, partial(self._tell_earlier, memory)):
                return self._stop(context, di_job_id, instance_id, memory)
        except OutsideMaintenanceWindow as error:
            if self.outside_window != "skip" or memory.asked_now:
                raise
            self.log.warning("Skipped, nothing was touched: %s", error.message)
            raise AirflowSkipException(error.message) from None

    def _stop(self, context: Context, di_job_id: int, instance_id: int | None, memory: RequestMemory) -> dict[str, Any]:
        from airflow_provider_dataworks.client import changes

        plan = self._within_window(self.plan(di_job_id, memory), memory)
        outcome = self.hook.run(changes.stop(self.hook.service, plan, instance_id))
        self.decided(context, plan, outcome, ())
        # Where nothing tells what an earlier try did, any job that does not run may have been stopped by it.
        effect = ("Stopping", "Stopped", "Failed", "Finished")
        report = self.reported(context, "StopDIJob", outcome, memory, effect)
        return self.result(self._settled(plan, outcome, report), report)

    def _tell_earlier(self, memory: RequestMemory, error: DataWorksError) -> None:
        """Say in an error what an earlier try of this task did: its log is another page."""
        earlier = memory.earlier
        if earlier is not None and error.request_id != earlier.request_id:
            when = f" at {datetime.fromtimestamp(earlier.at, UTC):%Y-%m-%d %H:%M:%S} UTC" if earlier.at else ""
            request = f", request id {earlier.request_id}" if earlier.request_id else ", its answer was lost"
            error.message = f"{error.message} An earlier try of this task sent StopDIJob{when}{request}."

    def _within_window(self, plan: changes.Plan, memory: RequestMemory) -> changes.Plan:
        """Return the plan with the window as its limit, or refuse to go on."""
        if self.window is None:
            return plan
        from airflow_provider_dataworks.guard import window_end

        least = seconds_or_none(self.min_remaining, "min_remaining")
        end = partial(window_end, self.window, ignore=self.ignore_window)
        # A stop that is under way already may be seen to its end as long as the window is open at all.
        closes = end(now=self.hook.now(), needed=0.0 if memory.status_before else least)

        def time_to_send() -> float:
            # Asked as the bytes are about to leave: looks, slots and repeats before that may have taken long.
            left = plan.time_to_send()
            now = self.hook.now()
            return left if closes == inf else min(left, end(now=now, needed=least) - now - least)

        return replace(plan, deadline=min(plan.deadline, closes), time_to_send=time_to_send)

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
        failed = () if report.get("by_us") and not report.get("assumed") else (JobStatus.FAILED,)
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
    :param only_if_stopped_by: stop task of the same run, or several: operators, their outputs or task ids. A job that
        none of them asked to stop is left alone, and DataWorks is not asked about it. It holds where such a task was
        retried, killed, cleared, mapped, or failed after its stop was sent.
        An id that is no ``StopDIJobOperator`` of the DAG is refused: the job would stay down unnoticed.
    :param wait_for_completion: wait until the job runs; otherwise return once the service took the request.
    :param poll_interval: seconds, or a timedelta, between looks at the job while waiting.
    :param timeout: seconds, or a timedelta, to wait at most, counted from the request, which no retry sends again; then
        the task fails with ``DIJobWaitTimeout``, without retry.
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
    checks = {  # noqa: RUF012 - as the base class declares it
        "di_job_id": int64,
        "start_time": start_time,
        "force_to_rerun": flag,
        "only_if_stopped_by": task_ids,
        "poll_interval": seconds,
        "timeout": seconds,
    }

    def __init__(
        self,
        *,
        di_job_id: int | str,
        start_time: int | str | None = None,
        force_to_rerun: bool | None = None,
        only_if_stopped_by: Any = None,
        wait_for_completion: bool = True,
        poll_interval: float | timedelta = 30,
        timeout: float | timedelta = 3600,
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
        self.check_arguments(locals())
        self.di_job_id = di_job_id
        self.start_time = start_time
        self.force_to_rerun = force_to_rerun
        self.only_if_stopped_by = task_ids(only_if_stopped_by, "only_if_stopped_by")
        self.wait_for_completion = wait_for_completion
        self.poll_interval = poll_interval
        self.timeout = timeout
        self.deferrable = deferrable
        self.dataworks_conn_id = dataworks_conn_id

    def execute(self, context: Context) -> dict[str, Any]:
        """Start the job; see the class."""
        from airflow_provider_dataworks.failures import crossing

        with crossing(context):
            di_job_id = int64(self.di_job_id, "di_job_id")
            owed = self._owed(context, di_job_id)
        if owed is False:
            return self.result(None, {"di_job_id": di_job_id})
        with crossing(context, partial(self.explain, context=context, report={"owed": owed})):
            moment = start_time(self.start_time, now=self.hook.now())
            if moment is not None or self.force_to_rerun:
                text = "The recorded offset is not kept: start_time %s, force_to_rerun %s."
                self.log.warning(text, moment, self.force_to_rerun)
            memory = RequestMemory(context, "start", di_job_id, self.hook.now)
            return self._start(context, memory, self.plan(di_job_id, memory), moment, owed)

    def _start(
        self, context: Context, memory: RequestMemory, plan: changes.Plan, moment: int | None, owed: bool | None
    ) -> dict[str, Any]:
        from airflow_provider_dataworks.client import changes

        def ask() -> changes.Change:
            flow = changes.start(self.hook.service, plan, start_time=moment, force_to_rerun=self.force_to_rerun)
            return self.hook.run(flow)

        outcome = ask()
        if owed and not outcome.sent and outcome.job.status == "Running":
            # This run stopped it. Reads may lag behind, and one that is taken for the truth would leave the job down.
            self.log.info("DI job %s is said to be Running, though this run stopped it: looking again.", plan.di_job_id)
            self.hook.sleep(min(plan.poll_interval, _LAG))
            outcome = ask()
        self.decided(context, plan, outcome, ("Stopping",))
        deadline = memory.deadline(plan.deadline) if outcome.sent else plan.deadline
        effect = ("Initialized", "Running")
        report = self.reported(context, "StartDIJob", outcome, memory, effect)
        report |= {"owed": bool(owed), "deadline": deadline}
        return self.result(self._settled(replace(plan, deadline=deadline), outcome, report), report)

    def deadline(self, memory: RequestMemory) -> float:
        """
        Return the epoch second at which the wait ends: ``timeout`` after the request that an earlier try sent, if any.

        A try that finds nothing sent yet has the whole time: else the last of many tries would send a start and give
        up at once, and none could start a job that is down since more than ``timeout``.
        """
        fresh = self.hook.now() + seconds(self.timeout, "timeout")
        return fresh if memory.status_before is None else memory.deadline(fresh)

    def _owed(self, context: Context, di_job_id: int) -> bool | None:
        """
        Say whether this run owes the job a start, as far as ``only_if_stopped_by`` asks for one; ``None``: without it.

        Where a stop task has ended and left no note, nobody can tell; then the job is started where it does not run:
        better one restart too many than a job that stays down.
        """
        asked = self._stopped_by()
        if not asked:
            return None
        found = asked_to_stop(context, asked, di_job_id)
        names = ", ".join(asked)
        if found is None:
            self.log.warning("%s ended without a note, so this run may have stopped DI job %s.", names, di_job_id)
        elif not found:
            self.log.info("DI job %s was not stopped by %s: it is left alone, and not asked for.", di_job_id, names)
        return found is not False

    def _stopped_by(self) -> list[str]:
        """Return the ids of the stop tasks to look at; one that is none would leave the job down, and nobody told."""
        asked = list(self.only_if_stopped_by or ())
        if asked and self.has_dag():  # type: ignore[no-untyped-call]
            kinds = {task.task_id: getattr(task, "operator_class", type(task)) for task in self.dag.tasks}
            stops = [name for name, kind in kinds.items() if StopDIJobOperator in getattr(kind, "__mro__", ())]
            if wrong := [name for name in asked if name not in stops]:
                problem = f"{', '.join(wrong)}: no StopDIJobOperator of this DAG has that task id"
                known = f"Use of: {', '.join(stops)}" if stops else "This DAG has none: leave it out"
                raise invalid("only_if_stopped_by", problem, f"{known}. DI job {self.di_job_id} was not started.")
        return asked

    def _settled(self, plan: changes.Plan, outcome: changes.Change, report: dict[str, Any]) -> DIJob:
        from airflow_provider_dataworks.client.replies import JobStatus

        # What was seen before the start no longer counts: a job that had failed is starting now.
        job = replace(outcome.job, status=JobStatus.INITIALIZED) if outcome.sent else outcome.job
        return self.settled(plan, outcome, job, report)

    def look_again(self, job: DIJob, report: Mapping[str, Any]) -> DIJob:
        """Look once more at a job that this task asked to start: reads may lag behind, and show the time before."""
        if not report.get("by_us"):
            return job
        self.hook.sleep(min(seconds(self.poll_interval, "poll_interval"), _LAG))
        return self.hook.get_di_job(job.id)

    def explain(self, error: DataWorksError, report: Mapping[str, Any], context: Context | None = None) -> None:
        """Say first, in an error that leaves the job down, that it is down and what starts it."""
        from airflow_provider_dataworks.failures import tries_left

        seen = error.job_status or getattr(error, "last_status", None)
        if not (report.get("owed") or seen) or seen in ("Running", "Initialized"):
            return
        job = f"DI job {self.di_job_id} is down"
        if error.retryable and context is not None and tries_left(context):
            error.lead = f"{job} for now: its restart is tried again."
            return
        error.lead = f"{job}: start it in the DataWorks console, or clear this task."
        error.remedy = f"Start the job first, as said above. Then, for the cause: {error.remedy}"

    def verdict(self, report: dict[str, Any]) -> Verdict:
        """Return when the job counts as started."""
        from airflow_provider_dataworks.client.replies import JobStatus, Verdict

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
