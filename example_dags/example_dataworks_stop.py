"""
Stop one DataWorks DI job, check with a sensor that it has stopped, and say what happened.

It needs the connection ``dataworks_default``. Run it by hand; the job is not started again.
"""

# [START howto_stop_di_job]
from __future__ import annotations

import os
from datetime import datetime
from typing import Any

from airflow_provider_dataworks.operators.dataworks import StopDIJobOperator
from airflow_provider_dataworks.sensors.dataworks import DIJobStoppedSensor

try:
    from airflow.sdk import DAG, task
except ImportError:  # Airflow 2.11
    from airflow.decorators import task
    from airflow.models.dag import DAG

DI_JOB_ID = os.environ.get("DATAWORKS_DI_JOB_ID", "11668")

with DAG(
    "example_dataworks_stop",
    schedule=None,
    start_date=datetime(2026, 1, 1),
    catchup=False,
    tags=["example", "dataworks"],
    # A pool bounds how many tasks call DataWorks at once: create one per account and region and name it here, such as
    # default_args={"pool": "dataworks_cn_shanghai"}. Stops are retried three times unless you say otherwise; a
    # throttled one is retried when the service asked for it (Airflow 3.3 and later).
    default_args={"retries": 5},
) as dag:
    stop = StopDIJobOperator(task_id="stop", di_job_id=DI_JOB_ID, poll_interval=5, timeout=1800)

    check = DIJobStoppedSensor(task_id="check", di_job_id=DI_JOB_ID, poke_interval=5, timeout=300, mode="reschedule")

    @task
    def report(stopped: dict[str, Any], checked: dict[str, Any]) -> str:
        """Say what happened, in words."""
        who = "this run" if stopped["stopped_by_this_run"] else "somebody else, or it ended by itself"
        before, now = stopped["status_before"], checked["status"]
        text = f"DI job {stopped['di_job_id']}: {before} before, {now} now; stopped by {who}."
        print(text)
        return text

    stop >> check
    report(stop.output, check.output)
# [END howto_stop_di_job]

if __name__ == "__main__":
    dag.test()
