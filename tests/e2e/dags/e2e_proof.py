"""A maintenance whose restart has to prove that data flows again, in the triggerer."""

from __future__ import annotations

from airflow.sdk import DAG, task

from airflow_provider_dataworks.maintenance import DIJobMaintenance

AGAIN = {"retries": 2, "retry_delay": 1, "retry_exponential_backoff": False, "poll_interval": 1}
AGAIN_AT_ONCE = {"retries": 2, "retry_delay": 1, "retry_exponential_backoff": False}

with DAG("e2e_proof", schedule=None, max_active_runs=20, params={"job": 1, "conn": "dataworks_2024"}):

    @task
    def maintain() -> None:
        """Take no time."""

    with DIJobMaintenance(
        di_job_ids="{{ params.job }}",
        dataworks_conn_id="{{ params.conn }}",
        preflight={"on_unknown": "warn", **AGAIN_AT_ONCE},
        report={"reason": "run {{ run_id }}"},
        stop_args=AGAIN,
        check_args={"poke_interval": 1},
        restart_args={**AGAIN, "deferrable": True, "healthy_for": 3, "max_lag": 3, "lag_timeout": 20},
    ):
        maintain()
