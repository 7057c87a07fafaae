"""Makes the tasks of a maintenance beside stop, check and restart: questions before, verdict and report; wires none."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta
from typing import Any

from airflow_provider_dataworks.operators import maintenance_checks
from airflow_provider_dataworks.operators.alarms import RestoreAlarmsOperator, SilenceAlarmsOperator
from airflow_provider_dataworks.operators.preflight import MaintenancePreflightOperator
from airflow_provider_dataworks.operators.report import MaintenanceReportOperator
from airflow_provider_dataworks.operators.silenced_rules import DOWN
from airflow_provider_dataworks.version_compat import AirflowException

# Whatever the DAG's default_args say: all_done would stop jobs after a no, and hide what failed behind the leaf; a
# restart that waits for that of the last run leaves jobs down.
IN_ORDER: dict[str, Any] = {"trigger_rule": "all_success"}
AT_ONCE: dict[str, Any] = {"depends_on_past": False, "wait_for_downstream": False}
# What a person would have to do by hand goes on trying for about five hours.
PATIENTLY: dict[str, Any] = {
    "retries": 30,
    "retry_delay": timedelta(minutes=1),
    "retry_exponential_backoff": True,
    "max_retry_delay": timedelta(minutes=10),
}
# Also where no DAG param has that name.
_REASON = "{{ params.get('reason') or '' }}"
_DEFAULT_CONN = "dataworks_default"  # as the hook has it
_ASK: dict[str, Any] = {
    "subject": "Stop DI jobs for maintenance?",
    "defaults": "Reject",
    "response_timeout": timedelta(hours=1),
}


Check = maintenance_checks.StoppedCheck | maintenance_checks.UndoAheadCheck | maintenance_checks.ReasonCheck


def options(given: bool | Mapping[str, Any]) -> dict[str, Any] | None:
    """Return the arguments that were given for a task, none for ``True``; ``None`` where it is not asked for."""
    if isinstance(given, Mapping):
        return dict(given)
    return {} if given else None


def is_mapped(task: Any) -> bool:
    """Say whether a task is a mapped one."""
    return hasattr(task, "partial_kwargs")  # Airflow 2.11 has no is_mapped


def argument(task: Any, name: str, default: Any = None) -> Any:
    """Return an argument of a task, mapped or not, wherever it came from."""
    return task.partial_kwargs.get(name, default) if is_mapped(task) else getattr(task, name, default)


def conn_id_of(task: Any) -> Any:
    """Return the connection of a task, mapped or not."""
    return argument(task, "dataworks_conn_id", _DEFAULT_CONN)


def ask_before(task: Any, check: Check) -> None:
    """Have a task, mapped or not, ask before it begins, and before what its author wants to run then."""
    asked = replace(check, then=argument(task, "pre_execute"))
    if is_mapped(task):
        task.partial_kwargs["pre_execute"] = asked
    else:
        task.pre_execute = asked


def preflight(stop: Any, silenced: Any, di_job_ids: Any, given: Mapping[str, Any]) -> Any:
    """
    Return the task that asks whether the maintenance can be done, by the window and the limits of its stop.

    :param silenced: the task that switches alarm rules off, or ``None``.
    """
    facts = {**_facts(stop, di_job_ids), **_behind(stop, silenced)}
    return MaintenancePreflightOperator(task_id="preflight", **{**IN_ORDER, **_limits(stop), **given, **facts})


def _limits(stop: Any) -> dict[str, Any]:
    """Return how a stop keeps to its window."""
    return {
        "min_remaining": argument(stop, "min_remaining", 600),
        "outside_window": argument(stop, "outside_window", "fail"),
        "ignore_window": argument(stop, "ignore_window", False),
    }


def approval(stop: Any, silenced: Any, di_job_ids: Any, given: Mapping[str, Any]) -> Any:
    """
    Return the task that asks a person.

    :param silenced: the task that switches alarm rules off, or ``None``.
    :raises ValueError: this Airflow cannot.
    """
    try:
        from airflow_provider_dataworks.operators.approval import MaintenanceApprovalOperator
    except (ImportError, AirflowException) as error:  # 3.0 may have a provider that refuses to be imported there
        raise ValueError("approval: asking a person needs Airflow 3.1 or later. Leave it out.") from error
    facts = {**_facts(stop, di_job_ids), **_behind(stop, silenced)}
    return MaintenanceApprovalOperator(task_id="approve", **{**_ASK, **given, **facts})


def _behind(stop: Any, silenced: Any) -> dict[str, list[str]]:
    """Return whose notes tell a task of a run that was cleared what this run has not undone."""
    return {"stopped_by": [stop.task_id], "silenced_by": [] if silenced is None else [silenced.task_id]}


def _facts(stop: Any, di_job_ids: Any) -> dict[str, Any]:
    window = argument(stop, "window", None)
    return {"di_job_ids": di_job_ids, "window": window, "dataworks_conn_id": conn_id_of(stop)}


def outcome(stop: Any, restart: Any, di_job_ids: Any) -> maintenance_checks.RestartOutcomeOperator:
    """Return the task that fails where one of several restarts has failed."""
    return maintenance_checks.RestartOutcomeOperator(task_id="restarted", **_run(stop, restart, di_job_ids), **AT_ONCE)


def silence(stop: Any, di_job_ids: Any, metrics: Any) -> Any:
    """
    Return the task that switches alarm rules off.

    :param metrics: rules about which; ``True`` for those that a job that is down sets off.
    """
    wanted = DOWN if metrics is True else metrics
    arguments = {**IN_ORDER, **_limits(stop), **_facts(stop, di_job_ids), **_tries(stop)}
    return SilenceAlarmsOperator(task_id="silence_alarms", metrics=wanted, **arguments)


def restore(silenced: Any, restart: Any, di_job_ids: Any, *, fails_with: str) -> Any:
    """
    Return the task that switches them on again, tried as long as the restart.

    :param fails_with: id of the task whose failure fails the run.
    """
    facts = {"di_job_ids": di_job_ids, "dataworks_conn_id": conn_id_of(silenced)}
    about = {"silenced_by": [silenced.task_id], "fails_with": [fails_with]}
    return RestoreAlarmsOperator(task_id="restore_alarms", **facts, **about, **_tries(restart), **AT_ONCE)


def _tries(task: Any) -> dict[str, Any]:
    """Return how a task is tried again, for one that belongs to it."""
    return {name: argument(task, name) for name in PATIENTLY if argument(task, name) is not None}


def ask_for_reason(first: Any, given: Mapping[str, Any]) -> dict[str, Any]:
    """Return the arguments of a report; where they want a reason, the first task of the maintenance asks for it."""
    if given.get("reason") is not True:
        return dict(given)
    ask_before(first, maintenance_checks.ReasonCheck(_REASON))
    return {**given, "reason": _REASON}


def report(
    stop: Any,
    restart: Any,
    di_job_ids: Any,
    given: Mapping[str, Any],
    *,
    approved: Any,
    silenced: Any,
    restored: Any,
    fails_with: str,
) -> Any:
    """
    Return the task that reports what was done.

    :param approved: the task that asked a person, or ``None``.
    :param silenced: the task that switched alarm rules off, or ``None``.
    :param restored: the task that switched them on again, or ``None``.
    :param fails_with: id of the task whose failure fails the run.
    """
    return MaintenanceReportOperator(
        task_id="report",
        approved_by=None if approved is None else approved.task_id,
        silenced_by=[] if silenced is None else [silenced.task_id],
        restored_by=[] if restored is None else [restored.task_id],
        fails_with=[fails_with],
        **_run(stop, restart, di_job_ids),
        **{**AT_ONCE, **given},
    )


def _run(stop: Any, restart: Any, di_job_ids: Any) -> dict[str, Any]:
    return {
        "di_job_ids": di_job_ids,
        "stopped_by": [stop.task_id],
        "started_by": [restart.task_id],
        "dataworks_conn_id": conn_id_of(restart),
    }
