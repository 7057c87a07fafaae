"""Shares what operators and sensor need: hook, arguments, deferral, result, link; decides nothing about DI jobs."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Collection, Mapping
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from functools import cached_property, partial
from typing import TYPE_CHECKING, Any, ClassVar, NoReturn

from airflow_provider_dataworks.client.models import (
    ChangeRequest,
    ChangeResult,
    DIJob,
    JobStatus,
    Proof,
    ProofRules,
    Verdict,
)
from airflow_provider_dataworks.exceptions import DataWorksError, DIJobWaitTimeout, catalog_kwargs
from airflow_provider_dataworks.links.dataworks import LINKS, DataWorksConsoleLink
from airflow_provider_dataworks.operators._request_note import Note, RequestNote, fixed_deadline
from airflow_provider_dataworks.retries import MappedRetries, explained
from airflow_provider_dataworks.values import checked, seconds

if TYPE_CHECKING:
    from airflow_provider_dataworks.hooks.dataworks import DataWorksHook
    from airflow_provider_dataworks.version_compat import BaseOperator as _Task
    from airflow_provider_dataworks.version_compat import BaseOperatorLink, Context
else:
    _Task = object

_BACKSTOP = 120  # seconds after the trigger's own deadline at which Airflow ends a wait whose trigger does not


def hook_of(conn_id: str) -> DataWorksHook:
    """Return a hook of a connection."""
    # With the client and the HTTP library, which DAG files do not need.
    from airflow_provider_dataworks.hooks.dataworks import DataWorksHook

    return DataWorksHook(conn_id)


def _triggers() -> Any:
    # With the catalogue of errors, which DAG files do not need.
    from airflow_provider_dataworks.triggers import dataworks

    return dataworks


@dataclass(frozen=True)
class Report:
    """
    What a task has done so far, for its result and for the wait in the triggerer.

    :param by_us: whether this run asked for the change, or may have.
    :param status_before: status of the job before anything was done.
    :param request_id: of the request, where its answer came.
    :param assumed: whether nothing tells that this run asked, but an earlier try may have.
    :param owed: whether this run stopped the job, so that it owes it a start.
    :param ran_before: whether a person cleared the task when the job ran again: nobody knows since when.
    """

    by_us: bool = False
    status_before: str | None = None
    request_id: str | None = None
    assumed: bool = False
    owed: bool = False
    ran_before: bool = False

    @classmethod
    def read(cls, given: Mapping[str, Any]) -> Report:
        """Return the report that a trigger passed on, each field of the type it must have: it was in a database."""
        note = Note.read({**given, "di_job_id": 1}) or Note(1)
        flags = {name: given.get(name) is True for name in ("by_us", "assumed", "owed", "ran_before")}
        return cls(status_before=note.status_before, request_id=note.request_id, **flags)


class DIJobTask(MappedRetries, _Task):
    """A task about one DI job, to be mixed into an operator or sensor that sets the attributes named here."""

    operator_extra_links: Collection[BaseOperatorLink] = LINKS

    # What reads each argument, for those that can be read before the task runs.
    checks: ClassVar[Mapping[str, Callable[[Any, str], Any]]] = {}

    # Set by the operator or sensor.
    dataworks_conn_id: str
    poll_interval: Any
    timeout: Any
    deferrable: bool

    @classmethod
    def check_arguments(cls, arguments: Mapping[str, Any]) -> None:
        """
        Refuse, as the DAG is made, arguments that can never be right; templates are read when the task runs.

        Where a subclass says so, also what only some of them may be together.
        """
        checked(arguments, cls.checks)

    @classmethod
    def partial(cls, **kwargs: Any) -> Any:
        """Airflow's ``partial``; what it is given is checked like the arguments of a task that is not mapped."""
        cls.check_arguments(kwargs)
        return super().partial(**kwargs)

    @cached_property
    def hook(self) -> DataWorksHook:
        """The hook of this task's connection."""
        return hook_of(self.dataworks_conn_id)

    def push_link(self, context: Context, job: DIJob) -> None:
        """Give the running task its link now: Airflow itself pushes links when a try ends."""
        url = self.hook.account.console_url(job.project_id)
        try:
            DataWorksConsoleLink.persist(context, url)
        except Exception as error:  # a link is no reason to end a stop that is under way
            self.log.warning("The link %s could not be stored: %s", url, error)

    def change_request(self, di_job_id: int, note: RequestNote) -> ChangeRequest:
        """Return which job to change and how long it may take, from this task's attributes and its note."""
        deadline = self.deadline(note)
        return ChangeRequest(
            di_job_id,
            poll_interval=seconds(self.poll_interval, "poll_interval"),
            deadline=deadline,
            time_to_send=partial(self._time_left, deadline),
            asked_before=note.status_before is not None,
            write_note=note.write,
            withdraw_note=note.withdraw,
            wait_for_actionable=not self.deferrable,
        )

    def deadline(self, note: RequestNote) -> float:
        """Return the epoch second at which this task's wait ends: fixed by its first try, where Airflow remembers."""
        return note.deadline(self.hook.now() + seconds(self.timeout, "timeout"))

    def fixed_deadline(self, context: Context, kind: str, di_job_id: int, otherwise: float) -> float:
        """Return the end of a wait, epoch seconds, as a try before has fixed it where Airflow remembers."""
        return fixed_deadline(context, kind, di_job_id, otherwise)

    def _time_left(self, deadline: float) -> float:
        """Return the seconds until the deadline; raise DIJobWaitTimeout where none is left: nothing may be sent."""
        left = deadline - self.hook.now()
        if left > 0:
            return left

        ended = datetime.fromtimestamp(deadline, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
        message = f"nothing is sent any more: the time for it ended at {ended}."
        raise DIJobWaitTimeout(message, **catalog_kwargs("wait-timed-out"))

    def explain(self, error: DataWorksError, report: Report, context: Context | None = None) -> None:
        """Add to an error what this task knows besides, by what was done so far; by default nothing."""

    @abstractmethod
    def verdict(self, report: Report) -> Verdict:
        """Return when the wait is over, by what was done so far."""

    def record(
        self, context: Context, call: str, result: ChangeResult, note: RequestNote, effect_statuses: tuple[str, ...]
    ) -> Report:
        """
        Log what was done, write it into note and link, and return it.

        :param effect_statuses: statuses that such a request brings a job to.
        """
        job, before = result.job, str(result.before)
        if result.request_id:
            text = "DataWorks took %s for DI job %s, which was %s (request id %s)."
            self.log.info(text, call, job.id, before, result.request_id)
        elif result.sent:
            text = "%s for DI job %s, which was %s, was sent and its answer lost: the job is %s now."
            self.log.info(text, call, job.id, before, job.status)
        else:
            self.log.info("DI job %s is %s: %s is not sent.", job.id, job.status, call)
        assumed = note.no_history and not result.sent and bool({before, str(job.status)} & set(effect_statuses))
        if assumed:
            self.log.warning("An earlier try of this task may have sent it: %s is taken for this run's.", before)
        if result.sent or assumed:
            note.confirm(before, result.request_id)
        elif note.no_history:
            note.withdraw()
        self.push_link(context, job)
        return Report(
            by_us=result.sent or assumed or note.status_before is not None,
            status_before=note.status_before or before,
            request_id=result.request_id or note.request_id,
            assumed=assumed,
        )

    def defer_until_actionable(
        self, context: Context, request: ChangeRequest, job: DIJob, transient: Collection[str] = ()
    ) -> NoReturn:
        """
        Hand the wait for a status in which something can be done to the triggerer; the task begins anew then.

        :param transient: documented statuses that have to change by themselves, as one that is not documented has to.
        """
        self.push_link(context, job)
        self.log.info("DI job %s is %s: that has to change first.", job.id, job.status)
        verdict = Verdict(tuple(status for status in JobStatus if status not in transient), fail_on=())
        self._defer("execute_again", job, verdict, request.deadline, request.poll_interval, Report(), ProofRules())

    def execute_again(self, context: Context, event: Any = None) -> Any:
        """Begin anew, now that something can be done; raises what the wait ended in, or that its event is unknown."""
        with explained(context, resumed=True):
            try:
                _triggers().outcome_of(event)
            except DIJobWaitTimeout as error:
                raise self.too_late_to_ask(error, context) from None
        return self.execute(context)

    def too_late_to_ask(self, error: DIJobWaitTimeout, context: Context) -> DataWorksError:
        """Return the error of a wait that ended before anything could be sent; by default that of the wait."""
        return error

    def wait_until_done(self, job: DIJob, report: Report, *, deadline: float, poll_interval: float) -> DIJob:
        """
        Look at the job until it is where it is wanted, and return it.

        :param job: as it was known when the wait begins.
        :param deadline: epoch seconds.
        :raises DIJobFailed: it came to an end that is not wanted.
        :raises DIJobWaitTimeout: the time ran out.
        """
        verdict = self.verdict(report)
        self._log_wait("Waiting", job, verdict, deadline)
        return self.hook.wait_until(job.id, verdict, deadline=deadline, poll_interval=poll_interval, first=job)

    def defer_until_done(
        self, job: DIJob, report: Report, rules: ProofRules, *, deadline: float, poll_interval: float
    ) -> NoReturn:
        """
        Hand the wait to the triggerer; the task goes on in ``execute_complete``.

        :param job: as seen last.
        :param rules: what the job has to show when it has come to where it is wanted.
        :param deadline: epoch seconds at which it has to have come there.
        """
        self._defer("execute_complete", job, self.verdict(report), deadline, poll_interval, report, rules)

    def _defer(
        self,
        method: str,
        job: DIJob,
        verdict: Verdict,
        deadline: float,
        poll_interval: float,
        report: Report,
        rules: ProofRules,
    ) -> NoReturn:
        now = self.hook.now()
        # Airflow itself does not end a deferred wait by execution_timeout.
        if self.execution_timeout is not None:
            deadline = min(deadline, now + self.execution_timeout.total_seconds())
        trigger = _triggers().DIJobStatusTrigger(
            di_job_id=job.id,
            project_id=job.project_id,
            dataworks_conn_id=self.dataworks_conn_id,
            accept=[str(status) for status in verdict.accept],
            fail_on=[str(status) for status in verdict.fail_on],
            deadline=deadline,
            poll_interval=poll_interval,
            report=asdict(report),
            proof=asdict(rules) if rules.is_asked_for else {},
        )
        self._log_wait("Waiting in the triggerer", job, verdict, deadline)
        backstop = timedelta(seconds=max(0.0, deadline - now) + rules.longest + _BACKSTOP)
        self.defer(trigger=trigger, method_name=method, timeout=backstop)
        raise AssertionError("defer() returned")

    def _log_wait(self, where: str, job: DIJob, verdict: Verdict, deadline: float) -> None:
        wanted, left = " or ".join(verdict.accept), max(0.0, deadline - self.hook.now())
        self.log.info("%s until DI job %s is %s, for %.0f s at most.", where, job.id, wanted, left)

    def execute_complete(self, context: Context, event: Any = None) -> dict[str, Any]:
        """
        Go on after the wait.

        :raises DataWorksError: what the wait ended in; permanent if the event is not understood.
        """
        triggers = _triggers()
        report = Report.read(triggers.report_of(event))
        with explained(context, partial(self.explain, report=report, context=context), resumed=True):
            job: DIJob = triggers.outcome_of(event)
            # Judged once more here: what runs next may not go on because of a trigger that was told otherwise.
            proof = triggers.proof_of(event)
            if not self.verdict(report)(job) or (proof is None and self.proof_rules().is_asked_for):
                raise triggers.not_understood(event)
            return self.result(job, report, proof)

    def proof_rules(self) -> ProofRules:
        """Return what the job has to show besides its status; by default nothing."""
        return ProofRules()

    def result(self, job: DIJob, report: Report, proof: Proof | None = None) -> dict[str, Any]:
        """Return what the task pushes as its XCom; the proof is what the job has shown besides."""
        settled = str(job.status) in ("Stopped", "Finished", "Failed")
        found = {
            "di_job_id": job.id,
            "status": str(job.status),
            "status_before": report.status_before,
            "stopped_by_this_run": report.by_us,
            "request_id": report.request_id,
            "stopped_at": datetime.fromtimestamp(self.hook.now(), UTC).isoformat() if settled else None,
        }
        if job.status == "Failed":
            text = job.error_message or "DataWorks gave no text"
            self.log.warning("DI job %s is Failed, so nothing of it runs: %s", job.id, text)
        self.log.info("DI job %s: %s", job.id, found)
        return found
