"""Whether a maintenance left a DI job down that it had stopped, by what the run's tasks said; it asks nobody else."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from airflow_provider_dataworks.memory import jobs_stopped
from airflow_provider_dataworks.version_compat import BaseOperator

if TYPE_CHECKING:
    from airflow_provider_dataworks.version_compat import Context


class RestartOutcomeOperator(BaseOperator):
    """
    Fail if a DI job was stopped in this run and no restart of it succeeded.

    It stands behind a mapped restart: Airflow forgets ``on_failure_fail_dagrun`` of a mapped teardown when it
    serializes the DAG, so the restart itself cannot make the run red.

    :param stopped_by: task ids of the stops.
    :param started_by: task ids of the restarts.
    :return: ids of the DI jobs that were stopped and started again.
    """

    ui_color = "#d9f2d9"

    def __init__(self, *, stopped_by: Iterable[str], started_by: Iterable[str], **kwargs: Any) -> None:
        super().__init__(**{"retries": 3, **kwargs})
        self.stopped_by = list(stopped_by)
        self.started_by = list(started_by)

    def execute(self, context: Context) -> list[int]:
        """Compare what was stopped with what was started; see the class."""
        from airflow_provider_dataworks.client.troubles import TROUBLES
        from airflow_provider_dataworks.exceptions import DIJobFailed
        from airflow_provider_dataworks.failures import crossing

        stopped = jobs_stopped(context["ti"], self.stopped_by)
        down = sorted(stopped - _done(context["ti"].xcom_pull(task_ids=self.started_by)))
        with crossing():
            if down:
                jobs, tasks = ", ".join(map(str, down)), ", ".join(self.started_by)
                raise DIJobFailed(
                    f"not started again: {jobs} ({len(down)} of {len(stopped)} that this run stopped). "
                    f"It was for {tasks} to start them.",
                    di_job_id=down[0] if len(down) == 1 else None,
                    **TROUBLES["left-down"].advice,
                )
        return sorted(stopped)


def _done(results: Sequence[Any] | None) -> set[int]:
    """Return the jobs of restarts that succeeded: only those return something."""
    return {int(result["di_job_id"]) for result in results or () if isinstance(result, Mapping)}
