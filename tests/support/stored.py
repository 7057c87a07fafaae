"""What Airflow's own database holds in tests: runs with the notes and results of tasks, and DAGs; by private ways."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import emulated  # noqa: F401 - sets Airflow's home before Airflow is imported
from any_airflow import store_dag
from sqlalchemy import delete, select, update

from airflow_provider_dataworks.version_compat import AIRFLOW_V_3_0_PLUS
from airflow_provider_dataworks.xcoms import KEPT_AS_BYTES, XCom

try:  # from 3.4 on what is read is a view of two tables
    from airflow.models.xcom import XComModelV2
except ImportError:
    XComModelV2 = XCom
WRITTEN: Any = XComModelV2


@contextmanager
def session_of_database() -> Iterator[Any]:
    """Lend a session of Airflow's database, as its API server has one; it commits at the end."""
    from airflow.utils.session import create_session

    with create_session() as session:
        yield session


def keep_dag(dag: Any) -> None:
    """Write a DAG into the database as the DAG processor does."""
    if AIRFLOW_V_3_0_PLUS:
        store_dag(dag)
        return
    from airflow.models.serialized_dag import SerializedDagModel

    dag.sync_to_db()
    SerializedDagModel.write_dag(dag)


def xcom_value(value: object) -> object:
    """Return what the column of an XCom holds for a value: text in bytes before Airflow 3."""
    return json.dumps(value).encode() if KEPT_AS_BYTES else value


def set_xcom(value: object, *, key: str, **task: Any) -> None:
    """
    Replace an XCom that is there, as a person does by the API; of a custom backend it may be any text.

    :param task: columns of its task instance; of each that they find.
    """
    stored = xcom_value(value)
    with session_of_database() as session:
        found = update(WRITTEN).where(WRITTEN.key == key, *_of_task(task)).values(value=stored)
        assert session.execute(found.execution_options(synchronize_session=False)).rowcount >= 1


def _of_task(task: Mapping[str, Any]) -> list[Any]:
    """Return the conditions that leave the XComs of these task instances."""
    if not hasattr(WRITTEN, "task_instance_id"):
        return [getattr(WRITTEN, name) == given for name, given in task.items()]
    from airflow.models.taskinstance import TaskInstance

    found = select(TaskInstance.id).where(*(getattr(TaskInstance, name) == given for name, given in task.items()))
    return [WRITTEN.task_instance_id.in_(found)]


def drop_xcoms(key: str) -> None:
    """Remove the XComs with this key."""
    with session_of_database() as session:
        session.execute(delete(WRITTEN).where(WRITTEN.key == key).execution_options(synchronize_session=False))


def forget_notes() -> None:
    """Drop what tasks of this package noted and returned, of whichever test."""
    for key in ("dataworks_stop", "dataworks_start", "return_value", "dataworks_report"):
        drop_xcoms(key)


def set_dag(dag_id: str, **columns: Any) -> None:
    """Change what Airflow keeps about a DAG: whether it is paused, say."""
    from airflow.models.dag import DagModel

    with session_of_database() as session:
        session.execute(update(DagModel).where(DagModel.dag_id == dag_id).values(**columns))


def empty_database() -> None:
    """Forget all runs, and all DAGs as far as Airflow shows them."""
    from airflow.models.dag import DagModel
    from airflow.models.dagrun import DagRun
    from airflow.models.taskinstance import TaskInstance

    with session_of_database() as session:
        for model in (WRITTEN, TaskInstance, DagRun):
            session.execute(delete(model).execution_options(synchronize_session=False))
        session.execute(update(DagModel).values(**gone()))


def gone() -> dict[str, bool]:
    """Return what Airflow keeps about a DAG that is no more."""
    from airflow.models.dag import DagModel

    return {"is_stale": True} if hasattr(DagModel, "is_stale") else {"is_active": False}
