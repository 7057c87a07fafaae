"""A maintenance with everything: preflight, silent alarms, proof and report; the conf of a run says what happens."""

from __future__ import annotations

import time
from typing import Any

from airflow.sdk import DAG, task

from airflow_provider_dataworks.maintenance import DIJobMaintenance

AGAIN = {"retries": 2, "retry_delay": 1, "retry_exponential_backoff": False, "poll_interval": 1}
AGAIN_AT_ONCE = {"retries": 2, "retry_delay": 1, "retry_exponential_backoff": False}

for name, preflight in (("e2e_alarms", {"on_unknown": "warn"}), ("e2e_alarms_strict", {"max_lag": 60})):
    params = {"job": 1, "conn": "dataworks_2024", "seconds": 0, "reason": ""}
    with DAG(name, schedule=None, max_active_runs=20, params=params):

        @task(retries=0)
        def maintain(params: dict[str, Any]) -> None:
            """Take as long as the run was told."""
            time.sleep(params["seconds"])

        with DIJobMaintenance(
            di_job_ids="{{ params.job }}",
            dataworks_conn_id="{{ params.conn }}",
            preflight={**preflight, **AGAIN_AT_ONCE},
            silence_alarms=True,
            report={"reason": True, "max_downtime": 20},
            stop_args=AGAIN,
            check_args={"poke_interval": 1},
            restart_args={**AGAIN, "healthy_for": 1},
        ):
            maintain()
