"""
Whether a maintenance left a DI job down that it had stopped: by what the run's tasks noted, and by a look at the rest.

It starts nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from airflow_provider_dataworks.operators._request_note import RequestNote, asked_to_stop
from airflow_provider_dataworks.operators.maintenance_checks import read_ids
from airflow_provider_dataworks.retries import explained
from airflow_provider_dataworks.version_compat import BaseOperator

if TYPE_CHECKING:
    from airflow_provider_dataworks.version_compat import Context

_RUNS = ("Running", "Finished")


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
        from airflow_provider_dataworks.client.errors.catalog import CATALOG
        from airflow_provider_dataworks.exceptions import DIJobFailed

        with explained(context):
            stopped = [
                job_id
                for job_id in read_ids(self.di_job_ids)
                if asked_to_stop(context, self.stopped_by, job_id) is not False
            ]
            down = self._down([job_id for job_id in stopped if job_id not in self._started(context)])
            if down:
                jobs, tasks = ", ".join(f"{job} ({status})" for job, status in down.items()), ", ".join(self.started_by)
                error = DIJobFailed(
                    f"not running again: {jobs}; {len(down)} of {len(stopped)} that this run stopped. {tasks} should "
                    "have started them.",
                    di_job_id=next(iter(down)) if len(down) == 1 else None,
                    conn_id=self.dataworks_conn_id,
                    **CATALOG["left-down"].kwargs,
                )
                error.lead = "DI jobs are down: start them in the DataWorks console, or clear their restart."
                raise error
        return sorted(stopped)

    def _started(self, context: Context) -> set[int]:
        """Return the jobs of restarts that saw them run; nothing is known of the others."""
        results = context["ti"].xcom_pull(task_ids=self.started_by)
        seen = (each for each in results or () if isinstance(each, Mapping) and each.get("status") in _RUNS)
        return {note.di_job_id for note in map(RequestNote.read, seen) if note}

    def _down(self, job_ids: list[int]) -> dict[int, str]:
        """Look at the jobs of which no restart tells: a person may have started them, or results are not kept."""
        from airflow_provider_dataworks.hooks.dataworks import DataWorksHook

        hook = DataWorksHook(self.dataworks_conn_id)
        found = {job_id: str(hook.get_di_job(job_id).status) for job_id in job_ids}
        return {job_id: status for job_id, status in found.items() if status not in _RUNS}
