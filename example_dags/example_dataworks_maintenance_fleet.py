"""
Maintain a fleet of DataWorks DI jobs in one window: each is stopped, and what this run stopped is started again.

Before that a preflight says whether all can be done, and alarms about jobs that are down are switched off; behind it,
once each job has caught up with its source, they are switched on again, and a report says how long each job was down.

It needs the connection ``dataworks_default``, by API 2024-05-18, and a triggerer, for the waits of a fleet hold no
worker slot.
"""

# [START howto_di_job_maintenance_fleet]
from __future__ import annotations

import os
from datetime import datetime, timedelta

from airflow_provider_dataworks.maintenance import DIJobMaintenance, MaintenanceWindow

try:
    from airflow.sdk import DAG, task
except ImportError:  # Airflow 2.11
    from airflow.decorators import task
    from airflow.models.dag import DAG

WINDOW = MaintenanceWindow(["0 2 * * SAT", "0 2 * * SUN"], timedelta(hours=4), "Europe/Berlin")
DEFER = {"deferrable": True}

with DAG(
    "example_dataworks_maintenance_fleet",
    schedule=WINDOW.timetable,
    start_date=datetime(2026, 1, 1),
    catchup=False,
    max_active_runs=1,
    tags=["example", "dataworks"],
) as dag:

    @task
    def which_jobs() -> list[int]:
        """List the jobs to maintain; a real DAG would read them from a table or with DataWorksHook.list_di_jobs."""
        return [int(found) for found in os.environ.get("DATAWORKS_DI_JOB_IDS", "11668,11743").split(",")]

    @task
    def upgrade_target() -> None:
        """Stand for the maintenance itself."""
        print("No job of the fleet runs: upgrading.")

    with DIJobMaintenance(
        di_job_ids=which_jobs(),
        window=WINDOW,
        preflight={"max_lag": 300},
        silence_alarms=True,
        stop_args=DEFER,
        check_args=DEFER,
        restart_args={"max_lag": 60, **DEFER},
        report={"reason": "upgrade of the target", "max_downtime": timedelta(hours=2)},
    ):
        upgrade_target()
# [END howto_di_job_maintenance_fleet]

if __name__ == "__main__":
    dag.test()
