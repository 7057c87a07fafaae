"""Two mapped stops that wait in a trigger, for each Airflow of the matrix."""

from __future__ import annotations

from datetime import datetime

from airflow_provider_dataworks.operators.dataworks import StopDIJobOperator

try:
    from airflow.sdk import DAG
except ImportError:  # Airflow 2.11
    from airflow.models.dag import DAG

with DAG("matrix_deferred", schedule=None, start_date=datetime(2026, 1, 1), catchup=False) as dag:
    StopDIJobOperator.partial(task_id="stop", deferrable=True, poll_interval=5).expand(di_job_id=[11668, "11743"])
