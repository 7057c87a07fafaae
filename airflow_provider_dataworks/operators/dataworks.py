"""Operators that stop and start DataWorks DI jobs: each looks first, and never asks twice or forgets that it asked."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import timedelta
from functools import partial
from typing import TYPE_CHECKING, Any

from airflow_provider_dataworks.client.models import JobStatus, ProofRules
from airflow_provider_dataworks.exceptions import OutsideMaintenanceWindow
from airflow_provider_dataworks.operators._base import Report
from airflow_provider_dataworks.operators._request_note import RequestNote, was_cleared
from airflow_provider_dataworks.operators._steps import StartSteps, StopSteps, check_stop_tasks, owes_start
from airflow_provider_dataworks.retries import RETRIES, RETRY_DELAY, explained, install_retry_policy
from airflow_provider_dataworks.values import (
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
from airflow_provider_dataworks.version_compat import AirflowSkipException, BaseOperator, conf

if TYPE_CHECKING:
    from airflow_provider_dataworks.version_compat import Context
    from airflow_provider_dataworks.windows import MaintenanceWindow


class StopDIJobOperator(StopSteps, BaseOperator):
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
    def check_arguments(cls, arguments: Mapping[str, Any]) -> None:
        """Check each argument, and that no instance is waited for."""
        super().check_arguments(arguments)
        if arguments.get("instance_id") is not None and arguments.get("wait_for_completion", True):
            problem = "no answer of the service tells how an instance is, so its stop cannot be waited for"
            raise invalid("instance_id", problem, "Set wait_for_completion=False, or stop the whole job.")

    def execute(self, context: Context) -> dict[str, Any]:
        """Stop the job; see the class."""
        with explained(context):
            di_job_id = int64(self.di_job_id, "di_job_id")
            instance_id = optional(int64)(self.instance_id, "instance_id")
        note = RequestNote(context, "stop", di_job_id, self.hook.now)
        try:
            with explained(context, partial(self.tell_earlier_try, note)):
                request = self.limit_to_window(self.change_request(di_job_id, note), note)
                result = self.hook.stop_if_needed(request, instance_id)
                if result.not_actionable:
                    self.defer_until_actionable(context, request, result.job)
                # Where nothing tells what an earlier try did, any job that does not run may have been stopped by it.
                effects = ("Stopping", "Stopped", "Failed", "Finished")
                report = self.record(context, "StopDIJob", result, note, effects)
                job = result.job
                if job.status is JobStatus.INITIALIZED and not result.sent:
                    self.log.warning("DI job %s never ran (Initialized), and DataWorks refuses to stop it.", job.id)
                    return self.result(job, report)
                if not self.wait_for_completion:
                    job = self.hook.get_di_job(job.id) if result.sent else job
                    self.verdict(report)(job)
                    return self.result(job, report)
                if result.sent or not self.verdict(report)(job):
                    until: dict[str, Any] = {"deadline": request.deadline, "poll_interval": request.poll_interval}
                    if self.deferrable:
                        self.defer_until_done(job, report, ProofRules(), **until)
                    job = self.wait_until_done(job, report, **until)
                return self.result(job, report)
        except OutsideMaintenanceWindow as error:
            if self.outside_window != "skip" or note.asked_now:
                raise
            note.leave_doubt()
            self.log.warning("Skipped, nothing was touched: %s", error.message)
            raise AirflowSkipException(error.message) from None


class StartDIJobOperator(StartSteps, BaseOperator):
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
    :param healthy_for: seconds, or a timedelta, that the job has to run without a break before this task succeeds: a
        job that has lost its place in the source's log fails soon after its start. Looks are ``poll_interval`` apart,
        so a shorter break is not seen.
    :param max_lag: seconds, or a timedelta, that the job may be behind its source; then this task succeeds only when it
        was seen to be no further behind, see :mod:`airflow_provider_dataworks.client.proof` for the rules. Needs API
        2024-05-18, and costs a call each ``poll_interval``; they grow rarer as the wait grows old.
    :param lag_timeout: seconds, or a timedelta, to wait for that, counted from when the job had run for
        ``healthy_for``; then the task fails with ``DIJobWaitTimeout``, and the job runs on.
    :param poll_interval: seconds, or a timedelta, between looks at the job while waiting.
    :param timeout: seconds, or a timedelta, to wait at most, counted from the request, which no retry sends again; then
        the task fails with ``DIJobWaitTimeout``, without retry.
    :param deferrable: wait in the triggerer, without a worker slot; Airflow's ``default_deferrable`` unless given.
    :param dataworks_conn_id: Airflow connection of type ``dataworks``. (templated)
    :param retries: as in Airflow; 3 where neither the author nor the deployment set any.
    :param retry_delay: as in Airflow; one minute.
    :param retry_exponential_backoff: as in Airflow; on.
    :return: dict of ``di_job_id``, ``status``, ``status_before``, ``started_by_this_run`` (bool), ``request_id`` and
        ``started_at`` (ISO 8601 UTC, when this task saw it running; ``None`` if it did not, or if it ran already when a
        person cleared the task), ``caught_up_at`` (the same, when it was seen within ``max_lag``), ``lag`` (seconds
        then) and ``idle`` (whether it counts as caught up because there was nothing to read).
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
        "healthy_for": seconds_or_none,
        "max_lag": optional(seconds_or_none),
        "lag_timeout": seconds,
    }

    def __init__(
        self,
        *,
        di_job_id: int | str,
        start_time: int | str | None = None,
        force_to_rerun: bool | None = None,
        only_if_stopped_by: Any = None,
        wait_for_completion: bool = True,
        healthy_for: float | timedelta = 0,
        max_lag: float | timedelta | None = None,
        lag_timeout: float | timedelta = 3600,
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
        # What is owed is tried for as long as its tries were meant to last: the job is down meanwhile.
        install_retry_policy(self, keep_own_delay=only_if_stopped_by is not None)
        self.check_arguments(locals())
        self.di_job_id = di_job_id
        self.start_time = start_time
        self.force_to_rerun = force_to_rerun
        self.only_if_stopped_by = task_ids(only_if_stopped_by, "only_if_stopped_by")
        self.wait_for_completion = wait_for_completion
        self.healthy_for = healthy_for
        self.max_lag = max_lag
        self.lag_timeout = lag_timeout
        self.poll_interval = poll_interval
        self.timeout = timeout
        self.deferrable = deferrable
        self.dataworks_conn_id = dataworks_conn_id

    def execute(self, context: Context) -> dict[str, Any]:
        """Start the job; see the class."""
        with explained(context):
            di_job_id = int64(self.di_job_id, "di_job_id")
            owed = self._is_owed(context, di_job_id)
        if owed is False:
            return self.left_alone(di_job_id)
        with explained(context, partial(self.explain, context=context, report=Report(owed=bool(owed)))):
            moment = start_time(self.start_time, now=self.hook.now())
            if moment is not None or self.force_to_rerun:
                text = "The recorded offset is not kept: start_time %s, force_to_rerun %s."
                self.log.warning(text, moment, self.force_to_rerun)
            note = RequestNote(context, "start", di_job_id, self.hook.now)
            request = self.change_request(di_job_id, note)
            result = self.start_if_needed(context, request, moment, owed=bool(owed))
            if result.not_actionable:
                self.defer_until_actionable(context, request, result.job, ("Stopping",))
            fresh = self.hook.now() + seconds(self.timeout, "timeout")
            until: dict[str, Any] = {
                "deadline": note.begin_deadline(fresh) if result.sent else request.deadline,
                "poll_interval": request.poll_interval,
            }
            report = self.record(context, "StartDIJob", result, note, ("Initialized", "Running"))
            ran_before = not result.sent and result.job.status is JobStatus.RUNNING and was_cleared(context)
            report = replace(report, owed=bool(owed), ran_before=ran_before)
            # What was seen before the start no longer counts: a job that had failed is starting now.
            job = replace(result.job, status=JobStatus.INITIALIZED) if result.sent else result.job
            if not self.wait_for_completion:
                job = self.hook.get_di_job(job.id) if result.sent else job
                self.verdict(report)(job)
                return self.result(job, report)
            rules = self.proof_rules()
            if self.deferrable and (result.sent or rules.is_asked_for or not self.verdict(report)(job)):
                self.defer_until_done(job, report, rules, **until)
            job = self.wait_until_running(job, report, **until)
            return self.result(job, report, self.wait_for_proof(job, rules, **until))

    def _is_owed(self, context: Context, di_job_id: int) -> bool | None:
        """Say whether this run owes the job a start; ``None`` where nothing limits whose stop counts."""
        named = self.only_if_stopped_by
        if not named:
            return None
        if self.has_dag():  # type: ignore[no-untyped-call]
            check_stop_tasks(self.dag, named, StopDIJobOperator, self.di_job_id)
        return owes_start(context, named, di_job_id)
