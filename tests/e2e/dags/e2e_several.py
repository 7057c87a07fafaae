"""DAGs of a maintenance of several jobs, each with settings that authors give: `e2e_several_...`."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from airflow.sdk import DAG

from airflow_provider_dataworks.maintenance import DIJobMaintenance

AGAIN = {"retries": 2, "retry_delay": 1, "retry_exponential_backoff": False, "poll_interval": 1}


def alert(context: Any) -> None:
    """Note which task alerts whoever is on call."""
    with Path(os.environ["AIRFLOW_HOME"], f"alerts-{context['run_id']}").open("a") as file:
        file.write(f"{context['ti'].task_id}\n")


for name, jobs, settings in (
    ("without_results", [901, 902], {"default_args": {"do_xcom_push": False}}),
    ("native", [911, 912], {"render_template_as_native_obj": True}),
    ("alerting", [921, 922], {"default_args": {"on_failure_callback": alert}}),
):
    with (
        DAG(f"e2e_several_{name}", schedule=None, **settings),  # type: ignore[arg-type]
        DIJobMaintenance(
            di_job_ids=jobs,
            stop_args=AGAIN,
            check_args={"poke_interval": 1, "timeout": 30},
            restart_args={**AGAIN, "healthy_for": 1},
        ),
    ):
        pass
