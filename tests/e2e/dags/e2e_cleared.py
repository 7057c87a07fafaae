"""DAGs whose work fails in its first try, so that a person clears it: `e2e_cleared` and its kin."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

from airflow.sdk import DAG, task

from airflow_provider_dataworks.hooks.dataworks import DataWorksHook
from airflow_provider_dataworks.maintenance import DIJobMaintenance, MaintenanceWindow

ALWAYS = json.dumps(MaintenanceWindow("0 0 * * *", timedelta(days=1), "UTC").to_json())
AGAIN = {"retries": 2, "retry_delay": 1, "retry_exponential_backoff": False, "poll_interval": 1}
ARGS = {
    "stop_args": {**AGAIN, "timeout": 20, "min_remaining": 1},
    "check_args": {"poke_interval": 1, "timeout": 30},
    "restart_args": {**AGAIN, "healthy_for": 1},
}


@task
def alter_table(number: int = 0, **context: Any) -> list[str]:
    """Fail at first, as with a mistake that somebody then mends; later return how the jobs are."""
    if context["ti"].try_number == 1 and number == 0:
        raise RuntimeError("a typing error")
    jobs = context["params"].get("jobs") or [context["params"]["job"]]
    return [str(DataWorksHook().get_di_job(job).status) for job in jobs]


with (
    DAG("e2e_cleared", schedule=None, params={"job": 1, "window": ALWAYS}),
    DIJobMaintenance(di_job_ids="{{ params.job }}", window="{{ params.window }}", **ARGS),
):
    alter_table()

with (
    DAG("e2e_cleared_mapped_work", schedule=None, params={"job": 1}),
    DIJobMaintenance(di_job_ids="{{ params.job }}", **ARGS),
):
    alter_table.expand(number=[0, 1])

with DAG("e2e_cleared_several", schedule=None, params={"jobs": [1]}):

    @task
    def which_jobs(params: dict[str, Any]) -> list[int]:
        """Return the jobs that the run was told."""
        return list(params["jobs"])

    with DIJobMaintenance(di_job_ids=which_jobs(), **ARGS):
        alter_table()

with (
    DAG("e2e_cleared_approval", schedule=None, params={"job": 1}),
    DIJobMaintenance(di_job_ids="{{ params.job }}", approval=True, **ARGS),
):
    alter_table()
