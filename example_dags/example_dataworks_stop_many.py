"""
Stop many DataWorks DI jobs of one workspace at once, without holding a worker slot for any of them.

It needs the connection ``dataworks_default`` and the pool ``dataworks`` (deferred tasks counted):
``airflow pools set dataworks 40 "DataWorks calls of one account and region" --include-deferred``
"""

# [START howto_stop_many_di_jobs]
from __future__ import annotations

import os
from datetime import datetime
from typing import Any

from airflow_provider_dataworks.operators.dataworks import StopDIJobOperator

try:
    from airflow.sdk import DAG, task
except ImportError:  # Airflow 2.11
    from airflow.decorators import task
    from airflow.models.dag import DAG

with DAG(
    "example_dataworks_stop_many",
    schedule=None,
    start_date=datetime(2026, 1, 1),
    catchup=False,
    tags=["example", "dataworks"],
) as dag:

    @task
    def which_jobs() -> list[int]:
        """List the jobs to stop; a real DAG would read them from a table or with DataWorksHook.list_di_jobs."""
        return list(range(1, 1 + int(os.environ.get("DATAWORKS_JOBS", "40"))))

    # All waits of one triggerer share their looks at DataWorks: one call for up to 100 jobs. The pool bounds how many
    # jobs are down at the same time; it must count deferred tasks, or it bounds only the few seconds of asking.
    stop = StopDIJobOperator.partial(
        task_id="stop",
        deferrable=True,
        poll_interval=30,
        timeout=1800,
        pool="dataworks",
        max_active_tis_per_dagrun=40,
        map_index_template="{{ task.di_job_id }}",
    ).expand(di_job_id=which_jobs())

    @task
    def report(results: list[dict[str, Any]]) -> str:
        """Say how many were stopped, and by whom."""
        done = list(results)
        ours = sum(result["stopped_by_this_run"] for result in done)
        text = f"{len(done)} DI jobs do not run: {ours} stopped by this run, {len(done) - ours} before it."
        print(text)
        return text

    report(stop.output)
# [END howto_stop_many_di_jobs]

if __name__ == "__main__":
    dag.test()
