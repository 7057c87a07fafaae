"""Maintenance of DI jobs as DAG wiring: stop, check, your tasks, a restart that always happens; nothing else.

The obvious wiring, stop as setup and restart as its teardown, leaves a job down when the stop task fails, and hides a
failed restart behind a green run. See `Airflow's page on setup and teardown
<https://airflow.apache.org/docs/apache-airflow/stable/howto/setup-and-teardown.html>`__ for the rules this leans on.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from functools import wraps
from typing import TYPE_CHECKING, Any

from airflow_provider_dataworks.operators import maintenance_arguments, maintenance_checks
from airflow_provider_dataworks.operators import maintenance_tasks as tasks
from airflow_provider_dataworks.operators.dataworks import StartDIJobOperator, StopDIJobOperator
from airflow_provider_dataworks.sensors.dataworks import DIJobStoppedSensor
from airflow_provider_dataworks.version_compat import TaskGroup
from airflow_provider_dataworks.windows import MaintenanceWindow

try:
    from airflow.providers.standard.operators.empty import EmptyOperator
except ImportError:  # Airflow 2.11 without the standard provider
    from airflow.operators.empty import EmptyOperator  # type: ignore[no-redef,import-not-found]

if TYPE_CHECKING:
    from types import TracebackType

__all__ = ["DIJobMaintenance", "MaintenanceWindow", "jobs_stopped", "overrun_alert"]

jobs_stopped = maintenance_checks.jobs_stopped

# A job that stays down is the one thing that may not happen.
_RESTART = {
    **tasks.PATIENTLY,
    "poll_interval": 30,
    "wait_for_completion": True,  # whatever the DAG's default_args say
    "healthy_for": 120,  # a job that has lost its place in the source's log runs for some seconds before it fails
}
# Text around the number: Airflow cannot name a task instance by a number, which native templates make of it.
_INDEX = "DI job {{ task.di_job_id }}"


class DIJobMaintenance(TaskGroup):
    """
    A task group that stops DI jobs, runs your tasks, and always starts again what it stopped.

    ::

        with DIJobMaintenance(di_job_ids=[11668, 11743], window=WINDOW):
            alter_table() >> reload()

    The group holds ``open`` (a setup that cannot fail), ``stop``, ``check``, your tasks, ``restart`` (a teardown) and
    ``done``, a leaf that keeps failures visible. The restart runs when stop, check or maintenance fail, and when the
    run is marked failed by hand; it starts only what this run stopped; and if it fails, the run fails: of several jobs
    (mapped tasks) a further teardown, ``restarted``, names those that are still down. One thing no DAG can promise:
    ``dagrun_timeout`` skips teardowns too, so a DAG that has one is refused; so is one with ``fail_fast``, which hides
    that the maintenance failed.

    What you wire behind the group itself waits for ``done``: Airflow leaves teardowns out there. The task ``end`` is
    green only where all that was stopped runs again, with its alarms on: ``first.end >> second`` makes waves, the
    second of which touches nothing where the first has left a job down.

    Used as a decorator, the function's tasks are the maintenance::

        @DIJobMaintenance(di_job_ids=11668, window=WINDOW)
        def maintain():
            alter_table()

    :param di_job_ids: one id, several, a template for one, or what a task returns (a list of ids).
    :param window: see ``StopDIJobOperator``; outside it nothing is touched.
    :param dataworks_conn_id: Airflow connection of type ``dataworks``; without it that of ``default_args``, or
        ``dataworks_default``.
    :param approval: ask a person first (Airflow 3.1 and later): ``True``, or arguments of Airflow's
        ``ApprovalOperator``. Nobody answering within an hour counts as no, and then nothing is stopped.
    :param preflight: check first that all can be done and undone: ``True``, or arguments of
        ``MaintenancePreflightOperator``, such as ``max_lag`` or ``source_log_retention``. A no touches nothing.
    :param silence_alarms: switch alarm rules of the jobs off before the stop, and on again behind the restart:
        ``True`` for those about ``Heartbeat`` and ``Delay``, or the metrics whose rules are meant. Rules that were off
        stay off, and one that somebody edits meanwhile is left as it is.
    :param report: say at the end who stopped what, why and for how long: ``True``, or arguments of
        ``MaintenanceReportOperator``: ``reason``, ``on_report`` and ``max_downtime``. With the reason ``True`` the run
        must have a param ``reason``, and is refused without one before anything is touched.
    :param stop_args: further arguments of ``StopDIJobOperator``.
    :param check_args: further arguments of ``DIJobStoppedSensor``.
    :param restart_args: further arguments of ``StartDIJobOperator``, such as ``max_lag``; ``healthy_for`` is 120.
    :param group_id: id of the group; the ids of ``stop`` and the others begin with it, those of your tasks do not.
    :param kwargs: arguments of Airflow's ``TaskGroup``.
    :raises ValueError: the DAG has a ``dagrun_timeout`` or ``fail_fast``.
    """

    def __init__(
        self,
        group_id: str = "maintenance",
        *,
        di_job_ids: Any,
        window: MaintenanceWindow | Mapping[str, Any] | str | None = None,
        dataworks_conn_id: str | None = None,
        approval: bool | Mapping[str, Any] = False,
        preflight: bool | Mapping[str, Any] = False,
        silence_alarms: bool | Iterable[str] = False,
        report: bool | Mapping[str, Any] = False,
        stop_args: Mapping[str, Any] | None = None,
        check_args: Mapping[str, Any] | None = None,
        restart_args: Mapping[str, Any] | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(group_id=group_id, **kwargs)
        maintenance_arguments.refuse_what_breaks_the_promise(self.dag)
        self._ids = maintenance_arguments.checked_ids(di_job_ids)
        self._approval, self._preflight, self._report = map(tasks.options, (approval, preflight, report))
        self._approved: Any = None
        self._silence = silence_alarms
        # What is not given here is not handed on: the DAG's default_args may hold it.
        self._common = {} if dataworks_conn_id is None else {"dataworks_conn_id": dataworks_conn_id}
        # As JSON primitives, for a mapped task's arguments.
        given = window.to_json() if isinstance(window, MaintenanceWindow) else window
        self._window = {} if given is None else {"window": given}
        self._stop_args = {**tasks.IN_ORDER, **(stop_args or {})}
        self._check_args = {**tasks.IN_ORDER, **(check_args or {})}
        self._restart_args = {**_RESTART, **tasks.AT_ONCE, **(restart_args or {})}
        if not self._restart_args.get("wait_for_completion", True):
            self._restart_args["healthy_for"] = (restart_args or {}).get("healthy_for", 0)

    def __enter__(self) -> DIJobMaintenance:
        """Make the tasks before yours."""
        super().__enter__()
        try:
            self._before()
        except BaseException as error:
            # Else the group stays the current one, and takes in the tasks of the next DAG of this process.
            super().__exit__(type(error), error, error.__traceback__)  # type: ignore[no-untyped-call]
            raise
        return self

    def _before(self) -> None:
        # Setups, all three: whoever clears a task of the work clears the stop and its check with it. The restart is the
        # teardown of the marker alone, so that it runs when the stop fails.
        self.open = EmptyOperator(task_id="open", **tasks.IN_ORDER).as_setup()  # type: ignore[no-untyped-call]
        self.stop = self._each(StopDIJobOperator, "stop", **{**self._window, **self._stop_args}).as_setup()
        # A job that failed does not run either; the stop let it pass, with a warning.
        self._check_args = {"accept": ("Stopped", "Finished", "Failed"), **self._check_args}
        self.check = self._each(DIJobStoppedSensor, "check", **self._check_args).as_setup()
        self.open >> self.stop >> self.check
        self.silence: Any = None
        if self._silence:
            self.silence = tasks.silence(self.stop, self._ids, self._silence).as_setup()
            self.open >> self.silence >> self.stop
        first = self.open
        if self._approval is not None:
            first = self._approved = tasks.approval(self.stop, self.silence, self._ids, self._approval)
            first >> self.open
        if self._preflight is not None:
            preflight = tasks.preflight(self.stop, self.silence, self._ids, self._preflight)
            preflight >> first
            first = preflight
        if self._report is not None:
            # The marker is never run by a worker, so that it cannot ask.
            asked = (self.silence or self.stop) if first is self.open else first
            self._report = tasks.ask_for_reason(asked, self._report)
        self.work = TaskGroup("work", tooltip="The maintenance itself")
        self.work.__enter__()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Make the tasks behind yours, and wire all."""
        try:
            self.work.__exit__(kind, error, trace)  # type: ignore[no-untyped-call]
            if kind is None:
                self._behind()
        finally:
            super().__exit__(kind, error, trace)  # type: ignore[no-untyped-call]

    def _behind(self) -> None:
        # Made here, so that they stand behind the maintenance in the graph as well.
        restart = {"only_if_stopped_by": [self.stop.task_id], **self._restart_args}
        self.restart = self._each(StartDIJobOperator, "restart", **restart)
        self._undo(self.stop, self.restart, "start the job again")
        self.done = EmptyOperator(task_id="done", **tasks.IN_ORDER)
        last = self.work if self.work.children else self.check
        if self.work.children:
            self._ask_before_work()
            self.check >> self.work
        last >> self.restart.as_teardown(setups=self.open, on_failure_fail_dagrun=True)
        # The leaf is no teardown: without it a failed stop would end in a green run.
        last >> self.done
        end = self.restart
        if tasks.is_mapped(self.restart):
            # Only a teardown that is not mapped keeps, in Airflow's serialized DAG, that its failure fails the run.
            end = self.outcome = tasks.outcome(self.stop, self.restart, self._ids)
            self.restart >> end.as_teardown(setups=self.open, on_failure_fail_dagrun=True)
        restored = None
        if self.silence is not None:
            restored = tasks.restore(self.silence, self.restart, self._ids, fails_with=end.task_id)
            self._undo(self.silence, restored, "switch the alarm rules on again")
            end >> restored.as_teardown(setups=self.open, on_failure_fail_dagrun=True)
            end = restored
        self.end = end
        if self._report is not None:
            about = {"approved": self._approved, "silenced": self.silence, "restored": restored}
            about["fails_with"] = end.task_id
            report = tasks.report(self.stop, self.restart, self._ids, self._report, **about)
            # Airflow looks at the last of the teardowns that may fail a run, and at no other before it. A report that
            # may not leaves that to the restart; one that may, for a long downtime, fails where the restart has failed.
            end >> report.as_teardown(setups=self.open, on_failure_fail_dagrun=report.max_downtime is not None)

    def _undo(self, task: Any, undo: Any, effect: str) -> None:
        """Have a task ask, before it begins, whether what undoes it is still ahead in this run."""
        tasks.ask_before(task, maintenance_checks.UndoAheadCheck(undo.task_id, effect, str(self.group_id)))

    def _ask_before_work(self) -> None:
        """Have each task of the work ask, before it begins, whether the jobs are stopped."""
        maintenance_arguments.refuse_roots_that_pass_over_a_failed_stop(self.work)
        accept, group_id = tuple(self._check_args["accept"]), str(self.group_id)
        asked = maintenance_checks.StoppedCheck(self._ids, accept, group_id, tasks.conn_id_of(self.stop))
        for task in list(self.work.iter_tasks()):
            # What cleans up may run at any time: who holds a lock on the source must be able to let go of it.
            if not task.is_teardown:
                tasks.ask_before(task, asked)

    def __call__(self, function: Callable[..., Any]) -> Callable[..., DIJobMaintenance]:
        """Return a function that makes the group, with the tasks the given one makes as maintenance."""

        @wraps(function)
        def make(*args: Any, **kwargs: Any) -> DIJobMaintenance:
            with self:
                function(*args, **kwargs)
            return self

        return make

    def _each(self, operator: Any, task_id: str, **arguments: Any) -> Any:
        """Make the task: one for a single job, a mapped one for several."""
        arguments = {**self._common, **arguments}
        if isinstance(self._ids, int | str):
            return operator(task_id=task_id, di_job_id=self._ids, **arguments)
        arguments.setdefault("map_index_template", _INDEX)
        return operator.partial(task_id=task_id, **arguments).expand(di_job_id=self._ids)


def overrun_alert(window: MaintenanceWindow, callback: Any) -> Any:
    """
    Return an alert for ``DAG(deadline=...)``, for a run that is not over the window's duration after it was queued.

    Where the scheduler was on time, that is as the window closes, unless a freeze closes it earlier.

    :param window: what the DAG's ``schedule`` was made from.
    :param callback: Airflow's ``AsyncCallback`` or ``SyncCallback``.
    :raises ValueError: this Airflow has no deadline alerts (they came with 3.1, and are experimental).
    """
    try:
        from airflow.sdk.definitions.deadline import DeadlineAlert, DeadlineReference
    except ImportError as error:
        raise ValueError("overrun_alert: deadline alerts need Airflow 3.1 or later.") from error
    reference = DeadlineReference.DAGRUN_QUEUED_AT
    return DeadlineAlert(reference=reference, interval=window.duration, callback=callback)
