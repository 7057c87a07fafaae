"""
Guard maintained DataWorks DI jobs: after the window, find those still down, fail to be noticed, and start them if told.

It is the second line of defence behind the maintenance DAG's own restart, and survives a broken run of it. Trigger it
with the param ``restart`` to start what it finds.
"""

from __future__ import annotations

import os
from datetime import datetime, timedelta
from typing import Any

from airflow_provider_dataworks.hooks.dataworks import DataWorksHook
from airflow_provider_dataworks.maintenance import MaintenanceWindow
from airflow_provider_dataworks.operators.dataworks import StartDIJobOperator

try:
    from airflow.sdk import DAG, task
except ImportError:  # Airflow 2.11
    from airflow.decorators import task
    from airflow.models.dag import DAG

DI_JOB_IDS = [int(found) for found in os.environ.get("DATAWORKS_DI_JOB_IDS", "11668").split(",")]

# [START howto_di_job_guardian]
# Half an hour after the window of the maintenance DAG closes.
AFTER_WINDOW = MaintenanceWindow("30 5 * * SUN", timedelta(minutes=30), "Asia/Shanghai")

with DAG(
    "example_dataworks_guardian",
    schedule=AFTER_WINDOW.timetable,
    start_date=datetime(2026, 1, 1),
    catchup=False,
    tags=["example", "dataworks"],
    params={"restart": False},
) as dag:

    @task
    def find_jobs_down(params: dict[str, Any] | None = None) -> list[int]:
        """List the jobs that do not run although no maintenance is due; fail unless told to restart them."""
        hook = DataWorksHook()
        down = [job for job in map(hook.get_di_job, DI_JOB_IDS) if job.status in ("Stopped", "Failed")]
        text = ", ".join(f"{job.id} ({job.status})" for job in down)
        if down and not (params or {}).get("restart"):
            raise RuntimeError(f"DI jobs still down after maintenance: {text}. Trigger with restart to start them.")
        print(f"To start: {text or 'nothing'}")
        return [job.id for job in down]

    StartDIJobOperator.partial(task_id="restart").expand(di_job_id=find_jobs_down())
# [END howto_di_job_guardian]

if __name__ == "__main__":
    dag.test()
