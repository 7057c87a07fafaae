"""
Checks of a maintenance: before its work, before its stop, and at its end.

Work begins only while the DI jobs are stopped, a stop only with a restart ahead of it, and the end is green only where
what was stopped runs again.

Airflow lets a person clear any task of a run: without this, work that was cleared alone would run on a job that the
restart has started again. Nothing here stops or starts a job.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from airflow_provider_dataworks.exceptions import DataWorksPermanentError, DIJobFailed, catalog_kwargs
from airflow_provider_dataworks.operators._base import hook_of
from airflow_provider_dataworks.operators._request_note import Note, asked_to_stop, jobs_stopped, states_of
from airflow_provider_dataworks.operators._shared_look import shared_look, status_or_error
from airflow_provider_dataworks.operators._steps import UNPROVEN
from airflow_provider_dataworks.retries import explained
from airflow_provider_dataworks.values import int64, invalid, plain_text
from airflow_provider_dataworks.version_compat import BaseOperator

if TYPE_CHECKING:
    from airflow_provider_dataworks.version_compat import Context

__all__ = [
    "ReasonCheck",
    "RestartOutcomeOperator",
    "StoppedCheck",
    "UndoAheadCheck",
    "jobs_stopped",
    "read_ids",
    "refuse_failed_tasks",
]

log = logging.getLogger(__name__)

_OVER = frozenset(("success", "failed", "skipped", "upstream_failed", "removed"))
RUNS = ("Running", "Finished")
_WELL = {"success", "skipped"}
FAILED = frozenset(("failed", "upstream_failed"))


@dataclass(frozen=True)
class StoppedCheck:
    """
    What each task of the work is asked before it begins; set as its ``pre_execute``.

    :param di_job_ids: one id, several, a template, or what a task returns.
    :param accept: statuses in which a job does not run.
    :param group_id: the maintenance, to be cleared as a whole.
    :param dataworks_conn_id: Airflow connection of type ``dataworks``, or a template.
    :param then: what the task's author wants to run before it, called afterwards.
    """

    di_job_ids: Any
    accept: tuple[str, ...]
    group_id: str
    dataworks_conn_id: str
    then: Callable[[Any], Any] | None = None

    def __call__(self, context: Any) -> None:
        """
        Let the task begin, or fail it.

        :raises DataWorksError: a job runs, which is permanent; or it cannot be known.
        """
        with explained(context):
            render = context["task"].render_template
            ids = read_ids(render(self.di_job_ids, context))
            hook = hook_of(render(self.dataworks_conn_id, context))
            found = shared_look(context["ti"].dag_id, context["ti"].run_id, ids, hook)
            running = {job_id: status for job_id, status in found.items() if status not in self.accept}
            if running:
                jobs = ", ".join(f"{job_id} ({status})" for job_id, status in running.items())
                raise DataWorksPermanentError(
                    f"not begun, because a job of this maintenance is not stopped: {jobs}. Clear the whole group "
                    f"{self.group_id!r} of this run, not a task of it.",
                    di_job_id=next(iter(running)) if len(running) == 1 else None,
                    conn_id=hook.dataworks_conn_id,
                    **catalog_kwargs("work-on-a-running-job"),
                )
        log.info("Stopped, so this task may begin: DI jobs %s.", ", ".join(map(str, ids)))
        if self.then is not None:
            self.then(context)


@dataclass(frozen=True)
class UndoAheadCheck:
    """
    What a task is asked before it begins whose effect another one undoes; set as its ``pre_execute``.

    A stop that a person clears alone takes no restart along: the job would be stopped, and stay down, the run green.
    So would alarms stay off.

    :param undo: task id of what undoes it.
    :param effect: what that one would not do any more.
    :param group_id: the maintenance, to be cleared as a whole.
    :param then: what the task's author wants to run before it, called afterwards.
    """

    undo: str
    effect: str
    group_id: str
    then: Callable[[Any], Any] | None = None

    def __call__(self, context: Any) -> None:
        """
        Let the task begin, or fail it.

        :raises DataWorksError: what undoes it is over in this run, permanent.
        """
        with explained(context):
            if any(state in _OVER for state in states_of(context, [self.undo])):
                raise DataWorksPermanentError(
                    f"not begun, because {self.undo} of this run is over, and would not {self.effect}. Clear the whole "
                    f"group {self.group_id!r} of this run, not a task of it.",
                    **catalog_kwargs("stop-without-restart"),
                )
        if self.then is not None:
            self.then(context)


@dataclass(frozen=True)
class ReasonCheck:
    """
    What the first task of a maintenance is asked whose author wants a reason; set as its ``pre_execute``.

    :param reason: template of the reason.
    :param then: what the task's author wants to run before it, called afterwards.
    """

    reason: str
    then: Callable[[Any], Any] | None = None

    def __call__(self, context: Any) -> None:
        """
        Let the task begin, or fail it.

        :raises DataWorksInvalidRequest: nobody gave a reason, permanent.
        """
        with explained(context):
            if not str(context["task"].render_template(self.reason, context) or "").strip():
                problem = "is missing, and this maintenance is not begun without one; nothing was touched"
                raise invalid("reason", problem, 'Trigger the DAG with the configuration {"reason": "why"}.')
        if self.then is not None:
            self.then(context)


class RestartOutcomeOperator(BaseOperator):
    """
    Fail if a DI job was stopped in this run and does not run again.

    It stands behind a mapped restart: Airflow forgets ``on_failure_fail_dagrun`` of a mapped teardown when it
    serializes the DAG, so the restart itself cannot make the run red.

    :param di_job_ids: ids of the DI jobs of the maintenance. (templated)
    :param stopped_by: task ids of the stops.
    :param started_by: task ids of the restarts.
    :param dataworks_conn_id: Airflow connection of type ``dataworks``. (templated)
    :return: ids of the DI jobs that were stopped and run again.
    """

    template_fields: Sequence[str] = ("di_job_ids", "dataworks_conn_id")
    ui_color = "#d9f2d9"

    def __init__(
        self,
        *,
        di_job_ids: Any,
        stopped_by: Iterable[str],
        started_by: Iterable[str],
        dataworks_conn_id: str = "dataworks_default",
        **kwargs: Any,
    ) -> None:
        super().__init__(**{"retries": 3, **kwargs})
        self.di_job_ids = di_job_ids
        self.stopped_by = list(stopped_by)
        self.started_by = list(started_by)
        self.dataworks_conn_id = dataworks_conn_id

    def execute(self, context: Context) -> list[int]:
        """Compare what was stopped with what runs; see the class."""
        with explained(context):
            asked, started = asked_to_stop(context, self.stopped_by), self._started(context)
            stopped = [job_id for job_id in read_ids(self.di_job_ids) if asked(job_id) is not False]
            down = self._down([job_id for job_id in stopped if job_id not in started])
            unproven = self._unproven(context, [job for job in stopped if job not in started and job not in down])
            if down:
                jobs, tasks = ", ".join(f"{job} ({status})" for job, status in down.items()), ", ".join(self.started_by)
                error = DIJobFailed(
                    f"not running again: {jobs}; {len(down)} of {len(stopped)} that this run stopped. {tasks} should "
                    "have started them.",
                    di_job_id=next(iter(down)) if len(down) == 1 else None,
                    conn_id=self.dataworks_conn_id,
                    **catalog_kwargs("left-down"),
                )
                error.lead = "DI jobs are down: start them in the DataWorks console, or clear their restart."
                raise error
            if unproven:
                jobs = "; ".join(f"DI job {job}: {why}" for job, why in unproven.items())
                message = f"started again, but not proven to be well: {jobs}"
                raise DIJobFailed(message, conn_id=self.dataworks_conn_id, **catalog_kwargs("not-proven"))
        return sorted(stopped)

    def _unproven(self, context: Context, job_ids: list[int]) -> dict[int, str]:
        """Return the jobs that run and of which no restart tells that they are well, where one has failed, and why."""
        if not any(state in FAILED for state in states_of(context, self.started_by)):
            return {}  # a person who marks a restart as done leaves its note behind
        found = context["ti"].xcom_pull(task_ids=self.started_by, key=UNPROVEN)
        told = [each for each in found or () if isinstance(each, Mapping)]
        why = {note.di_job_id: plain_text(str(each.get("why")), 300) for each in told if (note := Note.read(each))}
        # A restart that was killed, or marked as failed, tells nothing; nor does any where results are not kept.
        unknown = "it runs, but no restart tells that it is well, and one has failed"
        return {job_id: why.get(job_id, unknown) for job_id in job_ids}

    def _started(self, context: Context) -> set[int]:
        """Return the jobs of restarts that saw them run; nothing is known of the others."""
        results = context["ti"].xcom_pull(task_ids=self.started_by)
        seen = (each for each in results or () if isinstance(each, Mapping) and each.get("status") in RUNS)
        return {note.di_job_id for note in map(Note.read, seen) if note}

    def _down(self, job_ids: list[int]) -> dict[int, str]:
        """Look at the jobs of which no restart tells: a person may have started them, or results are not kept."""
        hook = hook_of(self.dataworks_conn_id)
        found = {job_id: status_or_error(hook, job_id) for job_id in job_ids}
        return {job_id: status for job_id, status in found.items() if status not in RUNS}


def refuse_failed_tasks(context: Mapping[str, Any], task_ids: Iterable[str], dataworks_conn_id: str) -> None:
    """
    Fail the last teardown of a run where another before it has failed: Airflow looks at no other.

    :raises DataWorksPermanentError: naming those that did not succeed.
    """
    failed = [task for task in task_ids if set(states_of(context, [task])) - _WELL]
    if failed:
        message = f"{', '.join(failed)} did not succeed, so this run is red; its log says what to do."
        raise DataWorksPermanentError(message, conn_id=dataworks_conn_id, **catalog_kwargs("failed-before"))


def read_ids(value: Any) -> list[int]:
    """
    Return DI job ids from one or several, without repeats.

    :raises DataWorksInvalidRequest: there are none, or one is no id.
    """
    given = [value] if isinstance(value, int | str) else value
    if not isinstance(given, Iterable) or isinstance(given, Mapping):
        raise invalid("di_job_ids", f"{type(value).__name__} is neither an id nor a list of ids", None)
    ids = list(dict.fromkeys(int64(each, "di_job_ids") for each in given))
    if not ids:
        raise invalid("di_job_ids", "is empty", "Give the ids of the DI jobs to maintain.")
    return ids
