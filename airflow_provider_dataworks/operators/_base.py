"""What the tasks of this package share: hook, retries, deferral and its end, link; it decides nothing about DI jobs."""

from __future__ import annotations

from abc import abstractmethod
from datetime import UTC, datetime, timedelta
from functools import cached_property, partial
from typing import TYPE_CHECKING, Any, ClassVar, NoReturn

from airflow_provider_dataworks.arguments import checked, seconds
from airflow_provider_dataworks.links.dataworks import DataWorksConsoleLink
from airflow_provider_dataworks.operators._request_note import RequestMemory, read_report
from airflow_provider_dataworks.retries import MappedRetries, explained

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping

    from airflow_provider_dataworks.client import state_change as changes
    from airflow_provider_dataworks.client.http.responses import DIJob, Verdict
    from airflow_provider_dataworks.exceptions import DataWorksError, DIJobWaitTimeout
    from airflow_provider_dataworks.hooks.dataworks import DataWorksHook
    from airflow_provider_dataworks.version_compat import BaseOperatorLink, Context

if TYPE_CHECKING:
    from airflow_provider_dataworks.version_compat import BaseOperator as _Task
else:
    _Task = object

_BACKSTOP = 120  # seconds after the trigger's own deadline at which Airflow ends a wait whose trigger does not


class DIJobTask(MappedRetries, _Task):
    """A task about one DI job, to be mixed into an operator or sensor that sets the attributes named here."""

    operator_extra_links: Collection[BaseOperatorLink] = (DataWorksConsoleLink(),)

    # What reads each argument, for those that can be read before the task runs.
    checks: ClassVar[Mapping[str, Callable[[Any, str], Any]]] = {}

    # Set by the operator or sensor.
    dataworks_conn_id: str
    poll_interval: Any
    timeout: Any
    wait_for_completion: bool
    deferrable: bool

    @classmethod
    def check_arguments(cls, arguments: Mapping[str, Any]) -> None:
        """Refuse arguments that can never be right, as the DAG is made; templates are read when the task runs."""
        cls.check_together(arguments)

    @classmethod
    def check_together(cls, arguments: Mapping[str, Any]) -> None:
        """Check each argument, and, where a subclass says so, what only some of them may be together."""
        checked(arguments, cls.checks)

    @classmethod
    def partial(cls, **kwargs: Any) -> Any:
        """Airflow's ``partial``; what it is given is checked like the arguments of a task that is not mapped."""
        cls.check_arguments(kwargs)
        return super().partial(**kwargs)

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
            self.log.warning("The link %s could not be stored: %s", url, error)

    def plan(self, di_job_id: int, memory: RequestMemory) -> changes.Plan:
        """Return which job to change and how long it may take, from this task's attributes and memory."""
        from airflow_provider_dataworks.client import state_change as changes

        deadline = self.deadline(memory)
        return changes.Plan(
            di_job_id,
            poll_interval=seconds(self.poll_interval, "poll_interval"),
            deadline=deadline,
            time_to_send=partial(self._time_left, deadline),
            asked_before=memory.status_before is not None,
            remember=memory.remember,
            forget=memory.forget,
            patient=not self.deferrable,
        )

    def deadline(self, memory: RequestMemory) -> float:
        """Return the epoch second at which this task's wait ends: fixed by its first try, where Airflow remembers."""
        return memory.deadline(self.hook.now() + seconds(self.timeout, "timeout"))

    def _time_left(self, deadline: float) -> float:
        """Return the seconds until the deadline; raise DIJobWaitTimeout where none is left: nothing may be sent."""
        left = deadline - self.hook.now()
        if left > 0:
            return left
        from airflow_provider_dataworks.client.errors.catalog import CATALOG
        from airflow_provider_dataworks.exceptions import DIJobWaitTimeout

        ended = datetime.fromtimestamp(deadline, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
        raise DIJobWaitTimeout(
            f"nothing is sent any more: the time for it ended at {ended}.", **CATALOG["wait-timed-out"].kwargs
        )

    def explain(self, error: DataWorksError, report: Mapping[str, Any]) -> None:
        """Add to an error what this task knows besides, by what was done so far (the report); by default nothing."""

    def decided(self, context: Context, plan: changes.Plan, outcome: changes.Change, passing: Collection[str]) -> None:
        """
        Hand over to the triggerer the wait for a status in which something can be done, if that is what is needed.

        :param passing: documented statuses that have to change by themselves first, as one that is not documented has.
        """
        from airflow_provider_dataworks.client.http.responses import JobStatus, Verdict

        if outcome.undecided:
            self.push_link(context, outcome.job)
            self.log.info("DI job %s is %s: that has to change first.", outcome.job.id, outcome.job.status)
            until = Verdict(tuple(status for status in JobStatus if status not in passing), fail_on=())
            self._defer("execute_again", outcome.job, until, plan.deadline, plan.poll_interval, {})

    def execute_again(self, context: Context, event: Any = None) -> Any:
        """Begin anew, now that something can be done; raises what the wait ended in, or that its event is unknown."""
        from airflow_provider_dataworks.exceptions import DIJobWaitTimeout
        from airflow_provider_dataworks.triggers._events import outcome_of

        with explained(context):
            try:
                outcome_of(event)
            except DIJobWaitTimeout as error:
                raise self.too_late_to_ask(error, context) from None
        return self.execute(context)

    def too_late_to_ask(self, error: DIJobWaitTimeout, context: Context) -> DataWorksError:
        """Return the error of a wait that ended before anything could be sent; by default that of the wait."""
        return error

    def reported(
        self,
        context: Context,
        call: str,
        outcome: changes.Change,
        memory: RequestMemory,
        effect: tuple[str, ...],
    ) -> dict[str, Any]:
        """
        Note what was done, and return what the result and a deferred wait need to know of it.

        :param effect: statuses that such a request brings a job to.
        """
        job, before = outcome.job, str(outcome.before)
        if outcome.request_id:
            self.log.info(
                "DataWorks took %s for DI job %s, which was %s (request id %s).",
                call,
                job.id,
                before,
                outcome.request_id,
            )
        elif outcome.sent:
            self.log.info(
                "%s for DI job %s, which was %s, was sent and its answer lost: the job is %s now.",
                call,
                job.id,
                before,
                job.status,
            )
        else:
            self.log.info("DI job %s is %s: %s is not sent.", job.id, job.status, call)
        assumed = memory.blind and not outcome.sent and bool({before, str(job.status)} & set(effect))
        if assumed:
            self.log.warning("An earlier try of this task may have sent it: %s is taken for this run's.", before)
        if outcome.sent or assumed:
            memory.confirm(before, outcome.request_id)
        elif memory.blind:
            memory.forget()
        self.push_link(context, job)
        return {
            "by_us": outcome.sent or assumed or memory.status_before is not None,
            "status_before": memory.status_before or before,
            "request_id": outcome.request_id or memory.request_id,
            **({"assumed": True} if assumed else {}),
        }

    @abstractmethod
    def verdict(self, report: dict[str, Any]) -> Verdict:
        """
        Return when the wait is over.

        :param report: what was done, as :meth:`reported` returns it.
        """

    def settled(self, plan: changes.Plan, outcome: changes.Change, job: DIJob, report: dict[str, Any]) -> DIJob:
        """
        Wait until the job is where it is wanted, here or in the triggerer, or look once if it is not waited for.

        :param job: as it was known when the wait begins.
        :raises DIJobFailed: it came to an end that is not wanted.
        """
        from airflow_provider_dataworks.client import flows

        verdict = self.verdict(report)
        if not self.wait_for_completion:
            job = self.hook.get_di_job(job.id) if outcome.sent else job
            verdict(job)
            return job
        deadline, poll_interval = plan.deadline, plan.poll_interval
        if outcome.sent or not verdict(job):
            if self.deferrable:
                self.defer_until(job, deadline=deadline, poll_interval=poll_interval, report=report)
            self._say_wait("Waiting", job, verdict, deadline)
        while True:
            wait = partial(flows.wait, self.hook.service, job.id, verdict)
            found = self.hook.run(wait(deadline=deadline, poll_interval=poll_interval, first=job))
            job = self.look_again(found, report)
            if verdict(job):
                return job

    def look_again(self, job: DIJob, report: Mapping[str, Any]) -> DIJob:
        """
        Return the job as it is, looking once more where what was seen is no proof; by default what was seen.

        :param job: as it was seen, in a status that is wanted.
        """
        return job

    def defer_until(self, job: DIJob, *, deadline: float, poll_interval: float, report: dict[str, Any]) -> NoReturn:
        """
        Hand the wait to the triggerer; the task goes on in ``execute_complete``.

        :param job: as seen last.
        :param deadline: epoch seconds; ``execution_timeout`` ends the wait as well, which Airflow does not see to.
        """
        self._defer("execute_complete", job, self.verdict(report), deadline, poll_interval, report)

    def _defer(
        self, method: str, job: DIJob, verdict: Verdict, deadline: float, poll_interval: float, report: dict[str, Any]
    ) -> NoReturn:
        from airflow_provider_dataworks.triggers.dataworks import DIJobStatusTrigger

        now = self.hook.now()
        if self.execution_timeout is not None:
            deadline = min(deadline, now + self.execution_timeout.total_seconds())
        trigger = DIJobStatusTrigger(
            di_job_id=job.id,
            project_id=job.project_id,
            dataworks_conn_id=self.dataworks_conn_id,
            accept=[str(status) for status in verdict.accept],
            fail_on=[str(status) for status in verdict.fail_on],
            deadline=deadline,
            poll_interval=poll_interval,
            report=report,
        )
        self._say_wait("Waiting in the triggerer", job, verdict, deadline)
        backstop = timedelta(seconds=max(0.0, deadline - now) + _BACKSTOP)
        self.defer(trigger=trigger, method_name=method, timeout=backstop)
        raise AssertionError("defer() returned")

    def _say_wait(self, where: str, job: DIJob, verdict: Verdict, deadline: float) -> None:
        wanted, left = " or ".join(verdict.accept), max(0.0, deadline - self.hook.now())
        self.log.info("%s until DI job %s is %s, for %.0f s at most.", where, job.id, wanted, left)

    def execute_complete(self, context: Context, event: Any = None) -> dict[str, Any]:
        """
        Go on after the wait.

        :raises DataWorksError: what the wait ended in; permanent if the event is not understood.
        """
        from airflow_provider_dataworks.triggers._events import not_understood, outcome_of, report_of

        report = read_report(report_of(event))
        with explained(context, partial(self.explain, report=report)):
            job = outcome_of(event)
            # Judged once more here: what runs next may not go on because of a trigger that was told otherwise.
            if not self.verdict(report)(job):
                raise not_understood(event)
            return self.result(job, report)

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
            self.log.warning("DI job %s is Failed, so nothing of it runs: %s", job.id, text)
        self.log.info("DI job %s: %s", job.id, found)
        return found
