"""DAGs of one maintenance: `e2e_maintenance` and its kin; the conf of a run says what happens."""

from __future__ import annotations

import json
import time
from datetime import timedelta
from typing import Any

from airflow.sdk import DAG, task

from airflow_provider_dataworks.maintenance import DIJobMaintenance, MaintenanceWindow

ALWAYS = json.dumps(MaintenanceWindow("0 0 * * *", timedelta(days=1), "UTC").to_json())
AGAIN = {"retries": 2, "retry_delay": 1, "retry_exponential_backoff": False, "poll_interval": 1}

for name, deferrable in (("e2e_maintenance", False), ("e2e_maintenance_deferred", True)):
    with DAG(name, schedule=None, params={"job": 1, "window": ALWAYS, "seconds": 0, "fail": False}):

        @task
        def maintain(params: dict[str, Any]) -> None:
            """Take as long as the run was told, and fail if it was told to."""
            time.sleep(params["seconds"])
            if params["fail"]:
                raise RuntimeError("the maintenance went wrong")

        with DIJobMaintenance(
            di_job_ids="{{ params.job }}",
            window="{{ params.window }}",
            stop_args={**AGAIN, "timeout": 20, "min_remaining": 1, "deferrable": deferrable},
            check_args={"poke_interval": 1, "timeout": 30},
            restart_args={**AGAIN, "healthy_for": 1},
        ):
            maintain()

with DAG("e2e_maintenance_mapped", schedule=None, params={"jobs": [1]}):

    @task
    def which_jobs(params: dict[str, Any]) -> list[int]:
        """Return the jobs that the run was told."""
        return list(params["jobs"])

    with DIJobMaintenance(
        di_job_ids=which_jobs(),
        stop_args={**AGAIN, "deferrable": True},
        check_args={"poke_interval": 1, "timeout": 30},
        restart_args={**AGAIN, "healthy_for": 1},
    ):
        pass

with (
    DAG("e2e_maintenance_asked", schedule=None, params={"job": 1}),
    DIJobMaintenance(
        di_job_ids="{{ params.job }}",
        approval={"subject": "Stop it?"},
        stop_args=AGAIN,
        check_args={"poke_interval": 1, "timeout": 30},
        restart_args={**AGAIN, "healthy_for": 1},
    ),
):
    pass
