"""DAGs of one stop: `e2e_stop_blocking` and its kin; the conf of a run names job and connection."""

from __future__ import annotations

from airflow.sdk import DAG, Param

from airflow_provider_dataworks.operators.dataworks import StopDIJobOperator

PARAMS = {"job": Param(1, type="integer"), "connection": Param("dataworks_default", type="string")}

for name, deferrable in (("blocking", False), ("deferred", True)):
    with DAG(f"e2e_stop_{name}", schedule=None, params=PARAMS):
        StopDIJobOperator(
            task_id="stop",
            di_job_id="{{ params.job }}",
            dataworks_conn_id="{{ params.connection }}",
            deferrable=deferrable,
            poll_interval=1,
            timeout=300,
            retries=2,
            retry_delay=1,
            retry_exponential_backoff=False,
        )
