"""Steps of a stop and of a start: limits, waits, results, and what errors say; never decides what is sent."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from airflow_provider_dataworks.client.models import (
    ChangeRequest,
    ChangeResult,
    DIJob,
    JobStatus,
    Proof,
    ProofRules,
    Verdict,
)
from airflow_provider_dataworks.exceptions import DataWorksError, DataWorksUnavailable, DIJobWaitTimeout, catalog_kwargs
from airflow_provider_dataworks.operators._base import DIJobTask, Report
from airflow_provider_dataworks.operators._request_note import asked_to_stop
from airflow_provider_dataworks.retries import tries_left
from airflow_provider_dataworks.values import invalid, optional, seconds, seconds_or_none

if TYPE_CHECKING:
    from airflow_provider_dataworks.operators._request_note import RequestNote
    from airflow_provider_dataworks.version_compat import Context


log = logging.getLogger(__name__)

LAG = 10.0  # seconds after which reads are taken to show a start, at most
UNPROVEN = "dataworks_unproven"  # key of an XCom
# Ends of a start of which the service may know more: in the catalogue.
_FAILED_STARTS = frozenset(("job-failed", "not-healthy", "lag-grows", "not-caught-up"))
_LONGEST_STOP = 5 * 3600.0  # seconds


class StopSteps(DIJobTask):
    """The steps of :class:`~airflow_provider_dataworks.operators.dataworks.StopDIJobOperator`."""

    # Set by the operator.
    window: Any
    min_remaining: Any
    ignore_window: Any

    def limit_to_window(self, request: ChangeRequest, note: RequestNote) -> ChangeRequest:
        """Return the request with the window as its limit, if there is one; raise where it is closed."""
        if self.window is None:
            return request
        from airflow_provider_dataworks.windows.check import limit_to_window  # with croniter

        least = seconds_or_none(self.min_remaining, "min_remaining")
        sent = note.status_before is not None
        return limit_to_window(request, self.window, self.hook.now, least=least, ignore=self.ignore_window, sent=sent)

    def tell_earlier_try(self, note: RequestNote, error: DataWorksError) -> None:
        """Say in an error what an earlier try of this task did: its log is another page."""
        earlier = note.earlier
        if earlier is not None and error.request_id != earlier.request_id:
            when = f" at {datetime.fromtimestamp(earlier.at, UTC):%Y-%m-%d %H:%M:%S} UTC" if earlier.at else ""
            request = f", request id {earlier.request_id}" if earlier.request_id else ", its answer was lost"
            error.message = f"{error.message} An earlier try of this task sent StopDIJob{when}{request}."

    def verdict(self, report: Report) -> Verdict:
        """Return when the job counts as stopped."""
        # A job that failed by itself does not run either; one that failed after our stop may not be clean.
        failed = () if report.by_us and not report.assumed else (JobStatus.FAILED,)
        return Verdict((JobStatus.STOPPED, JobStatus.FINISHED, *failed))


class StartSteps(DIJobTask):
    """The steps of :class:`~airflow_provider_dataworks.operators.dataworks.StartDIJobOperator`."""

    # Set by the operator.
    di_job_id: Any
    force_to_rerun: bool | None
    only_if_stopped_by: list[str] | None
    healthy_for: Any
    max_lag: Any
    lag_timeout: Any

    @classmethod
    def check_arguments(cls, arguments: Mapping[str, Any]) -> None:
        """Check each argument, and that no proof is wanted of a start that is not waited for."""
        super().check_arguments(arguments)
        if not arguments.get("wait_for_completion", True):
            for name in ("healthy_for", "max_lag"):
                if arguments.get(name):
                    problem = "asked for, but with wait_for_completion=False nobody waits for it"
                    raise invalid(name, problem, f"Leave out {name}, or wait_for_completion.")

    def start_if_needed(
        self, context: Context, request: ChangeRequest, moment: int | None, *, owed: bool
    ) -> ChangeResult:
        """
        Ask the job to start unless it need not be asked.

        :param moment: epoch seconds to read the source's log from; ``None`` keeps the recorded offset.
        :param owed: whether this run stopped the job.
        """
        result = self._ask(context, request, moment)
        if owed and not result.sent and result.job.status is JobStatus.RUNNING:
            # This run stopped it. Reads may lag behind, and one that is taken for the truth would leave the job down.
            text = "DI job %s is said to be Running, though this run stopped it: looking again."
            self.log.info(text, request.di_job_id)
            self.hook.sleep(min(request.poll_interval, LAG))
            result = self._ask(context, request, moment)
        return result

    def _ask(self, context: Context, request: ChangeRequest, moment: int | None) -> ChangeResult:
        try:
            return self.hook.start_if_needed(request, start_time=moment, force_to_rerun=self.force_to_rerun)
        except DIJobWaitTimeout as error:
            raise self.too_late_to_ask(error, context) from None

    def wait_until_running(self, job: DIJob, report: Report, *, deadline: float, poll_interval: float) -> DIJob:
        """Wait here until the job runs, looked at once more after a start of ours: reads may show the time before."""
        while True:
            if not self.verdict(report)(job):
                job = self.wait_until_done(job, report, deadline=deadline, poll_interval=poll_interval)
            if not report.by_us:
                return job
            self.hook.sleep(min(poll_interval, LAG))
            job = self.hook.get_di_job(job.id)
            if self.verdict(report)(job):
                return job

    def proof_rules(self) -> ProofRules:
        """Return what the job has to show when it runs."""
        return ProofRules(
            healthy_for=seconds_or_none(self.healthy_for, "healthy_for"),
            max_lag=optional(seconds_or_none)(self.max_lag, "max_lag"),
            lag_timeout=seconds(self.lag_timeout, "lag_timeout"),
        )

    def wait_for_proof(self, job: DIJob, rules: ProofRules, *, deadline: float, poll_interval: float) -> Proof | None:
        """Wait here until the job that runs has shown what it has to; ``None`` where that is nothing."""
        if not rules.is_asked_for:
            return None
        lag = "" if rules.max_lag is None else f", and then is within {rules.max_lag:g} s of its source"
        self.log.info("Waiting until DI job %s has run for %g s%s.", job.id, rules.healthy_for, lag)
        return self.hook.prove(job.id, rules, deadline=deadline, poll_interval=poll_interval)

    def too_late_to_ask(self, error: DIJobWaitTimeout, context: Context) -> DataWorksError:
        """
        Return an error that is tried again where the run owes the job its start: given up, it would stay down.

        A job that was seen to be stopping all the time is waited for some hours: then somebody must look at it.
        """
        waited = seconds(self.timeout, "timeout") * int(getattr(context.get("ti"), "try_number", None) or 1)
        is_stopping = error.last_status is not None and not error.last_look_failed
        if not self.only_if_stopped_by or (is_stopping and waited >= _LONGEST_STOP):
            return error

        found = DataWorksUnavailable(error.message, sent=False, **catalog_kwargs("restart-not-begun"))
        found.di_job_id, found.job_status = error.di_job_id, error.job_status or error.last_status
        return found

    def deadline(self, note: RequestNote) -> float:
        """
        Return the epoch second at which the wait ends: ``timeout`` after the request that DataWorks took, if any.

        A try that finds none has the whole time: else the last of many tries would send a start and give up at once,
        and none could start a job that is down since more than ``timeout``.
        """
        fresh = self.hook.now() + seconds(self.timeout, "timeout")
        return note.known_deadline() or fresh

    def explain(self, error: DataWorksError, report: Report, context: Context | None = None) -> None:
        """Say first, in an error that leaves the job down, that it is down and what starts it; log why it may be."""
        if error.see in _FAILED_STARTS:
            self._log_diagnosis(error)
        if context is not None:
            # For the tasks at the end that say which of several restarts failed, and how its job was: it may run.
            value = {"di_job_id": self.di_job_id, "why": error.message, "status": error.job_status}
            context["ti"].xcom_push(key=UNPROVEN, value=value)
        left = None if context is None else tries_left(context)
        say_that_the_job_is_down(error, self.di_job_id, owed=report.owed, tries_left=left)

    def _log_diagnosis(self, error: DataWorksError) -> None:
        """Log what the service knows of a job that was started and is not well; it costs two to four calls."""
        try:
            for table in self.hook.table_runs(self.di_job_id):
                if table.error_message:
                    self.log.error("Table %s to %s: %s", table.source, table.destination, table.error_message)
            for line in self.hook.job_log_tail(self.di_job_id):
                self.log.error("Log of the job: %s", line)
        except DataWorksError as unknown:
            self.log.warning("Tables and log of the job cannot be shown: %s", unknown.summary)

    def verdict(self, report: Report) -> Verdict:
        """Return when the job counts as started."""
        return Verdict((JobStatus.RUNNING, JobStatus.FINISHED), fail_on=(JobStatus.FAILED,))

    def result(self, job: DIJob, report: Report, proof: Proof | None = None) -> dict[str, Any]:
        """Return what the task pushes as its XCom."""
        runs = job.status is JobStatus.RUNNING and not report.ran_before
        started = self.hook.now() if proof is None else proof.running_since
        caught_up = None if proof is None else proof.caught_up_at
        return self._logged_result(
            {
                "di_job_id": job.id,
                "status": str(job.status),
                "status_before": report.status_before,
                "started_by_this_run": report.by_us,
                "request_id": report.request_id,
                "started_at": datetime.fromtimestamp(started, UTC).isoformat() if runs else None,
                "caught_up_at": None if caught_up is None else datetime.fromtimestamp(caught_up, UTC).isoformat(),
                "lag": None if proof is None else proof.lag,
                "idle": proof is not None and proof.idle,
            }
        )

    def left_alone(self, di_job_id: int) -> dict[str, Any]:
        """Return the result of a task that looked at nothing, because this run owes the job no start."""
        nothing = dict.fromkeys(("status", "status_before", "request_id", "started_at", "caught_up_at", "lag"))
        return self._logged_result({"di_job_id": di_job_id, "started_by_this_run": False, **nothing, "idle": False})

    def _logged_result(self, found: dict[str, Any]) -> dict[str, Any]:
        self.log.info("DI job %s: %s", found["di_job_id"], found)
        return found


def owes_start(context: Mapping[str, Any], stop_tasks: list[str], di_job_id: int) -> bool:
    """
    Say whether this run owes the job a start, by what these stop tasks noted.

    Where a stop task has ended and left no note, nobody can tell; then the job is started where it does not run: better
    one restart too many than a job that stays down.
    """
    found = asked_to_stop(context, stop_tasks)(di_job_id)
    names = ", ".join(stop_tasks)
    if found is None:
        log.warning("%s ended without a note, so this run may have stopped DI job %s.", names, di_job_id)
    elif not found:
        log.info("DI job %s was not stopped by %s: it is left alone, and not asked for.", di_job_id, names)
    return found is not False


def check_stop_tasks(dag: Any, named: list[str], stop_operator: type, di_job_id: Any) -> None:
    """
    Refuse task ids that are no stop of the DAG: the job would stay down, and nobody be told.

    :raises DataWorksInvalidRequest: naming those ids, and the stops there are.
    """
    kinds = {task.task_id: getattr(task, "operator_class", type(task)) for task in dag.tasks}
    stops = [name for name, kind in kinds.items() if stop_operator in getattr(kind, "__mro__", ())]
    if wrong := [name for name in named if name not in stops]:
        problem = f"{', '.join(wrong)}: no StopDIJobOperator of this DAG has that task id"
        known = f"Use of: {', '.join(stops)}" if stops else "This DAG has none: leave it out"
        raise invalid("only_if_stopped_by", problem, f"{known}. DI job {di_job_id} was not started.")


def say_that_the_job_is_down(error: DataWorksError, di_job_id: Any, *, owed: bool, tries_left: int | None) -> None:
    """
    Say first, in an error that leaves the job down, that it is down and what starts it.

    :param owed: whether this run stopped the job.
    :param tries_left: how often Airflow tries again; ``None`` where it is not known.
    """
    seen = error.job_status or getattr(error, "last_status", None)
    if not (owed or seen) or seen in ("Running", "Initialized"):
        return
    job = f"DI job {di_job_id} is down"
    if error.retryable and tries_left:
        error.lead = f"{job} for now: its restart is tried again."
    else:
        error.lead = f"{job}: start it in the DataWorks console, or clear this task."
        error.remedy = f"Start the job first, as said above. Then, for the cause: {error.remedy}"
