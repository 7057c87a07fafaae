"""
Tells what a run that a person has cleared has not undone yet: jobs that are down, alarm rules that are off.

The restart of a maintenance runs only where its marker has run, and so does what switches alarms on again. Whatever
stands before the marker must not end a run that was cleared in its middle: the job would stay down. It changes nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from airflow_provider_dataworks.client.models import JobStatus
from airflow_provider_dataworks.operators._request_note import was_cleared
from airflow_provider_dataworks.operators.silenced_rules import alarms_off

if TYPE_CHECKING:
    from airflow_provider_dataworks.hooks.dataworks import DataWorksHook

_RUNS = (JobStatus.RUNNING, JobStatus.FINISHED)


def left_undone(context: Mapping[str, Any], hook: DataWorksHook, di_job_ids: Iterable[int]) -> list[str]:
    """
    Return what this run may have to undo, in words; nothing where the asking task was not cleared.

    A job that does not run may have been stopped by somebody else: its stop and restart find out.

    :raises DataWorksError: a job cannot be looked at.
    """
    if not was_cleared(context):
        return []
    ids = list(di_job_ids)
    statuses = {job_id: hook.get_di_job(job_id).status for job_id in ids}
    found = [f"DI job {job_id} is {status}" for job_id, status in statuses.items() if status not in _RUNS]
    return found + [f"alarm rule {rule} is off" for rule in alarms_off(ids, hook.dataworks_conn_id)]
