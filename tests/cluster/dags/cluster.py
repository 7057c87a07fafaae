"""The DAGs of the cluster: `cluster_stops`, sixty stops, and `cluster_maintenance`, one of ten jobs; all deferred."""

from __future__ import annotations

from typing import Any

from airflow.sdk import DAG, task

from airflow_provider_dataworks.hooks.dataworks import DataWorksHook
from airflow_provider_dataworks.maintenance import DIJobMaintenance
from airflow_provider_dataworks.operators.dataworks import StopDIJobOperator

STOPPED, MAINTAINED = list(range(1, 61)), list(range(101, 111))
ARGS: dict[str, Any] = {"deferrable": True, "poll_interval": 2, "timeout": 1800, "retry_exponential_backoff": False}
AGAIN = {"retries": 6, "retry_delay": 5}
BACKEND = "dataworks_from_backend"

with DAG("cluster_stops", schedule=None):
    StopDIJobOperator.partial(task_id="stop", dataworks_conn_id=BACKEND, **ARGS, **AGAIN).expand(di_job_id=STOPPED)

with DAG("cluster_maintenance", schedule=None, default_args=AGAIN):

    @task
    def maintain() -> list[str]:
        """Return how the jobs are meanwhile."""
        hook = DataWorksHook(BACKEND)
        return [str(hook.get_di_job(job).status) for job in MAINTAINED]

    with DIJobMaintenance(
        di_job_ids=MAINTAINED,
        dataworks_conn_id=BACKEND,
        stop_args=ARGS,
        check_args={"poke_interval": 2, "timeout": 300},
        restart_args={**ARGS, **AGAIN, "healthy_for": 2},
    ):
        maintain()
