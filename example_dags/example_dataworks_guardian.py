"""
Guard maintained DataWorks DI jobs: after the window, find those the maintenance stopped that are still down.

It finds alarm rules, too, that the maintenance switched off and not on again. It is the second line of defence behind
the maintenance DAG's own restart, and survives a broken run of it. It fails to be noticed; trigger it with the param
``restart`` to start what it finds and switch the alarms on, and with ``run_id`` for a run made by hand.
"""

# [START howto_di_job_guardian]
from __future__ import annotations

import os
from datetime import UTC, datetime, timedelta
from typing import Any

from airflow_provider_dataworks.hooks.dataworks import DataWorksHook
from airflow_provider_dataworks.maintenance import MaintenanceWindow, jobs_stopped
from airflow_provider_dataworks.operators.alarms import RestoreAlarmsOperator
from airflow_provider_dataworks.operators.dataworks import StartDIJobOperator
from airflow_provider_dataworks.operators.silenced_rules import alarms_off, jobs_silenced

try:
    from airflow.sdk import DAG, task
except ImportError:  # Airflow 2.11
    from airflow.decorators import task
    from airflow.models.dag import DAG

MAINTENANCE = os.environ.get("DATAWORKS_MAINTENANCE_DAG", "example_dataworks_maintenance")
# The stop in its DIJobMaintenance, whose group_id comes first; and what switches alarms off, where it is told to.
STOP, SILENCE = "maintenance.stop", "maintenance.silence_alarms"

# The maintenance DAG's window, and a look at what it left half an hour after that closes: late, where Airflow is down
# then, as no run is made for an opening that is over.
WINDOW = MaintenanceWindow("0 2 * * SUN", timedelta(hours=3), "Asia/Shanghai")
AFTER = MaintenanceWindow("30 5 * * SUN", timedelta(days=6), "Asia/Shanghai")


def run_to_look_at(told: dict[str, Any]) -> str:
    """Return the id of the run that was told, or of the one planned for the last opening."""
    opening = WINDOW.next(datetime.now(UTC) - timedelta(days=7))
    return told.get("run_id") or (f"scheduled__{opening.start.isoformat()}" if opening else "of no opening")


with DAG(
    "example_dataworks_guardian",
    schedule=AFTER.timetable,
    start_date=datetime(2026, 1, 1),
    catchup=False,
    tags=["example", "dataworks"],
    params={"run_id": "", "restart": False},
) as dag:

    @task
    def find_jobs_down(params: dict[str, Any] | None = None, ti: Any = None) -> list[int]:
        """List the jobs that the maintenance stopped and that still do not run; fail unless told to restart them."""
        told = params or {}
        run_id = run_to_look_at(told)
        stopped = sorted(jobs_stopped(ti, [STOP], dag_id=MAINTENANCE, run_id=run_id))
        if not stopped:
            print(f"{MAINTENANCE} {run_id} stopped no DI job, or there is no such run, or no task {STOP} in it.")
        down = [job for job in map(DataWorksHook().get_di_job, stopped) if job.status not in ("Running", "Initialized")]
        text = ", ".join(f"{job.id} ({job.status})" for job in down) or "none"
        print(f"Of {len(stopped)} DI jobs that {MAINTENANCE} {run_id} stopped, these are down: {text}.")
        if down and not told.get("restart"):
            raise RuntimeError(f"DI jobs still down after maintenance: {text}. Trigger with restart to start them.")
        return [job.id for job in down]

    @task
    def find_alarms_off(params: dict[str, Any] | None = None, ti: Any = None) -> list[int]:
        """List the jobs whose alarms the maintenance switched off and not on again; fail unless told to restart."""
        told = params or {}
        run_id = run_to_look_at(told)
        silenced = jobs_silenced(ti, [SILENCE], dag_id=MAINTENANCE, run_id=run_id)
        stopped = jobs_stopped(ti, [STOP], dag_id=MAINTENANCE, run_id=run_id)
        off = alarms_off(silenced | stopped) if silenced | stopped else []
        text = ", ".join(map(str, off)) or "none"
        print(f"Alarm rules that {MAINTENANCE} {run_id} left off: {text}.")
        if off and not told.get("restart"):
            raise RuntimeError(f"Alarm rules still off after maintenance: {text}. Trigger with restart.")
        return sorted({rule.di_job_id for rule in off})

    RestoreAlarmsOperator.partial(task_id="restore_alarms").expand(di_job_ids=find_alarms_off())
    StartDIJobOperator.partial(task_id="restart").expand(di_job_id=find_jobs_down())
# [END howto_di_job_guardian]

if __name__ == "__main__":
    dag.test()
