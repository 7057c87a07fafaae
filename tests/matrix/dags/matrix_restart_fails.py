"""A maintenance whose mapped restart is refused: the run must be red, for each Airflow of the matrix."""

from __future__ import annotations

from datetime import datetime

from airflow_provider_dataworks.maintenance import DIJobMaintenance

try:
    from airflow.sdk import DAG
except ImportError:  # Airflow 2.11
    from airflow.models.dag import DAG

with (
    DAG("matrix_restart_fails", schedule=None, start_date=datetime(2026, 1, 1), catchup=False) as dag,
    DIJobMaintenance(
        di_job_ids=[11668],
        stop_args={"poll_interval": 1},
        check_args={"poke_interval": 1},
        restart_args={"poll_interval": 1, "healthy_for": 1},
    ),
):
    pass
