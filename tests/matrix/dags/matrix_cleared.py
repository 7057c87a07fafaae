"""A maintenance of one job whose work is cleared later, for each Airflow of the matrix."""

from __future__ import annotations

from datetime import datetime

from airflow_provider_dataworks.maintenance import DIJobMaintenance

try:
    from airflow.sdk import DAG, task
except ImportError:  # Airflow 2.11
    from airflow.decorators import task
    from airflow.models.dag import DAG

with DAG("matrix_cleared", schedule=None, start_date=datetime(2026, 1, 1), catchup=False) as dag:

    @task
    def maintain() -> None:
        """Say that it was reached."""
        print("the work has begun")

    with DIJobMaintenance(
        di_job_ids=11668,
        stop_args={"poll_interval": 1},
        check_args={"poke_interval": 1},
        restart_args={"poll_interval": 1, "healthy_for": 1},
    ):
        maintain()
