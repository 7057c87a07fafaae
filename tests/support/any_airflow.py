"""Names of Airflow that only tests need and that moved between 2.11 and 3.4; see the package's version_compat, too."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import emulated  # noqa: F401 - sets Airflow's home before Airflow is imported

from airflow_provider_dataworks.version_compat import AIRFLOW_V_3_0_PLUS, AirflowException

if TYPE_CHECKING or AIRFLOW_V_3_0_PLUS:
    from airflow.sdk import setup, task, task_group, teardown
else:
    from airflow.decorators import setup, task, task_group, teardown

try:
    from airflow.serialization.serialized_objects import DagSerialization
except ImportError:  # before 3.2
    from airflow.serialization.serialized_objects import SerializedDAG as DagSerialization
try:
    from airflow.sdk import serde
except ImportError:  # before 3.2
    from airflow.serialization import serde
try:
    from airflow.dag_processing import dagbag
except ImportError:  # before 3.2
    from airflow.models import dagbag

try:
    from airflow.providers.standard.operators.hitl import ApprovalOperator
except (ImportError, AirflowException):  # before 3.1, where the provider may be there and refuse
    ApprovalOperator = None  # type: ignore[assignment,misc]

__all__ = [
    "FAIL_FAST",
    "ApprovalOperator",
    "DagSerialization",
    "is_mapped",
    "serde",
    "setup",
    "store_dag",
    "task",
    "task_group",
    "teardown",
]

# A DAG's argument: end the run at once when a task fails.
FAIL_FAST = "fail_fast" if AIRFLOW_V_3_0_PLUS else "fail_stop"


def is_mapped(task: Any) -> bool:
    """Say whether a task of a DAG is mapped; 2.11 has no word for it."""
    return hasattr(task, "partial_kwargs")


def store_dag(dag: Any) -> None:
    """Write a DAG made in a test into Airflow's database, where ``dag.test()`` looks for it; 2.11 does not look."""
    if not AIRFLOW_V_3_0_PLUS:
        return
    dag.relative_fileloc = "made-in-a-test.py"  # as reading a file would have set it
    bag: Any = dagbag.DagBag(dag_folder="/dev/null")
    bag.bag_dag(dag)
    if hasattr(dagbag, "sync_bag_to_db"):
        dagbag.sync_bag_to_db(bag, "dags-folder", None)
    else:  # 3.0
        bag.sync_to_db("dags-folder", None)
