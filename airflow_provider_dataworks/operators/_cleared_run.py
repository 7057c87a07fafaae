"""
Tells what a run that a person has cleared has not undone yet: jobs that are down, alarm rules that are off.

The restart of a maintenance runs only where its marker has run, and so does what switches alarms on again. Whatever
stands before the marker must not end a run that was cleared in its middle: the job would stay down. What others have
stopped or switched off is no reason to let a run pass. It changes nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from airflow_provider_dataworks.exceptions import DataWorksUnavailable
from airflow_provider_dataworks.operators._request_note import jobs_stopped, was_cleared
from airflow_provider_dataworks.operators._shared_look import status_or_error
from airflow_provider_dataworks.operators.maintenance_checks import RUNS
from airflow_provider_dataworks.operators.silenced_rules import NOTE, alarms_off, known_rules

if TYPE_CHECKING:
    from airflow_provider_dataworks.hooks.dataworks import DataWorksHook


def left_undone(
    context: Mapping[str, Any],
    hook: DataWorksHook,
    di_job_ids: Iterable[int],
    *,
    stopped_by: Iterable[str],
    silenced_by: Iterable[str],
) -> list[str]:
    """
    Return what this run may have to undo, in words; nothing where the asking task was not cleared.

    It goes by what the tasks of this run noted: Airflow keeps that until they run again.

    :param stopped_by: task ids of the stops.
    :param silenced_by: task ids of what switches alarm rules off.
    :raises DataWorksError: a job cannot be looked at now.
    """
    if not was_cleared(context):
        return []
    task_instance, ids, stops, silences = context["ti"], set(di_job_ids), list(stopped_by), list(silenced_by)
    stopped = jobs_stopped(task_instance, stops) if stops else set()
    statuses = {job_id: status_or_error(hook, job_id) for job_id in sorted(ids & stopped)}
    found = [f"DI job {job_id} is {status}" for job_id, status in statuses.items() if status not in RUNS]
    noted = known_rules(task_instance.xcom_pull(task_ids=silences, key=NOTE) if silences else ())
    for job_id in sorted(ids & {job_id for job_id, _ in noted}):
        try:
            off = alarms_off(job_id, hook.dataworks_conn_id)
            found += [f"alarm rule {rule} is off" for rule in off if (job_id, rule.rule_id) in noted]
        except DataWorksUnavailable:
            found.append(f"alarm rules of DI job {job_id} may be off: Airflow cannot read now which")
    return found
