"""Whether a run owes a DI job its restart, and how an error says that a job is down; sends and starts nothing."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from airflow_provider_dataworks.operators._request_note import asked_to_stop
from airflow_provider_dataworks.values import invalid

if TYPE_CHECKING:
    from airflow_provider_dataworks.exceptions import DataWorksError

log = logging.getLogger(__name__)

LAG = 10.0  # seconds after which reads are taken to show a start, at most


def owes_start(context: Mapping[str, Any], stop_tasks: list[str], di_job_id: int) -> bool:
    """
    Say whether this run owes the job a start, by what these stop tasks noted.

    Where a stop task has ended and left no note, nobody can tell; then the job is started where it does not run: better
    one restart too many than a job that stays down.
    """
    found = asked_to_stop(context, stop_tasks, di_job_id)
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
