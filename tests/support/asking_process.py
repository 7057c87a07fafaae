"""A task of a maintenance that asks in a process of its own; a module, because a new process imports it by its name."""

from __future__ import annotations

from datetime import datetime
from types import SimpleNamespace
from typing import Any

import emulated  # noqa: F401 - sets Airflow's home before Airflow is imported

from airflow_provider_dataworks.exceptions import DataWorksError
from airflow_provider_dataworks.operators.dataworks import StopDIJobOperator
from airflow_provider_dataworks.operators.maintenance_checks import StoppedCheck
from airflow_provider_dataworks.version_compat import DAG


def ask_together(di_job_ids: list[int], barrier: Any, results: Any) -> None:
    """
    Ask whether these jobs are stopped, once all processes are ready.

    :param barrier: where processes wait for each other.
    :param results: queue for what the task was told.
    """
    with DAG("together", schedule=None, start_date=datetime(2026, 1, 1), catchup=False):
        operator = StopDIJobOperator(task_id="any", di_job_id=di_job_ids[0])
    check = StoppedCheck(di_job_ids, ("Stopped",), "maintenance", "dataworks_default")
    instance = SimpleNamespace(dag_id="together", run_id="once", max_tries=0, try_number=1)
    barrier.wait(60)
    try:
        check({"task": operator, "ti": instance})
    except DataWorksError as error:
        results.put(error.message)
    else:
        results.put("begun")
