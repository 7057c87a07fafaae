"""
Maintain one DataWorks DI job each Sunday night: stop it, do the work inside the window, and always start it again.

It needs the connection ``dataworks_default``. In an emergency, trigger it with the param ``ignore_window``.
"""

# [START howto_di_job_maintenance]
from __future__ import annotations

import os
from datetime import datetime, timedelta

from airflow_provider_dataworks.maintenance import DIJobMaintenance, MaintenanceWindow

try:
    from airflow.sdk import DAG, task
except ImportError:  # Airflow 2.11
    from airflow.decorators import task
    from airflow.models.dag import DAG

DI_JOB_ID = os.environ.get("DATAWORKS_DI_JOB_ID", "11668")

WINDOW = MaintenanceWindow("0 2 * * SUN", timedelta(hours=3), "Asia/Shanghai", freeze=[("2026-12-30", "2027-01-04")])

with DAG(
    "example_dataworks_maintenance",
    schedule=WINDOW.timetable,
    start_date=datetime(2026, 1, 1),
    catchup=False,
    max_active_runs=1,
    tags=["example", "dataworks"],
    params={"ignore_window": False},
) as dag:

    @task
    def alter_table() -> None:
        """Stand for the maintenance itself."""
        print("The job is stopped: altering the table.")

    with DIJobMaintenance(
        di_job_ids=DI_JOB_ID, window=WINDOW, stop_args={"ignore_window": "{{ params.ignore_window }}"}
    ):
        alter_table()
# [END howto_di_job_maintenance]

if __name__ == "__main__":
    dag.test()
