"""A maintenance of two jobs inside a window that is always open, for each Airflow of the matrix."""

from __future__ import annotations

from datetime import datetime, timedelta

from airflow_provider_dataworks.maintenance import DIJobMaintenance, MaintenanceWindow

try:
    from airflow.sdk import DAG, task
except ImportError:  # Airflow 2.11
    from airflow.decorators import task
    from airflow.models.dag import DAG

WINDOW = MaintenanceWindow("0 0 * * *", timedelta(days=1), "UTC", freeze=["2020-02-29"])

with DAG("matrix_maintenance", schedule=WINDOW.timetable, start_date=datetime(2026, 1, 1), catchup=False) as dag:

    @task
    def maintain() -> None:
        """Stand for the maintenance itself."""

    with DIJobMaintenance(
        di_job_ids=[11668, 11743],
        window=WINDOW,
        stop_args={"poll_interval": 1, "min_remaining": 1},
        check_args={"poke_interval": 1},
        restart_args={"poll_interval": 1, "healthy_for": 1},
    ):
        maintain()
