"""DAGs of one stop: `e2e_stop_blocking` and its kin; the conf of a run names the job."""

from __future__ import annotations

from airflow.sdk import DAG, Param

from airflow_provider_dataworks.operators.dataworks import StopDIJobOperator

for name, deferrable, conn_id in (
    ("blocking", False, "dataworks_default"),
    ("deferred", True, "dataworks_default"),
    ("from_backend", True, "dataworks_from_backend"),
    ("proxied_blocking", False, "proxied"),
    ("proxied_deferred", True, "proxied"),
):
    with DAG(f"e2e_stop_{name}", schedule=None, params={"job": Param(1, type="integer")}):
        StopDIJobOperator(
            task_id="stop",
            di_job_id="{{ params.job }}",
            deferrable=deferrable,
            poll_interval=1,
            timeout=300,
            retries=2,
            retry_delay=1,
            retry_exponential_backoff=False,
            dataworks_conn_id=conn_id,
        )
