"""What Airflow's own database holds in tests: runs with the notes and results of tasks, and DAGs; by private ways."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import emulated  # noqa: F401 - sets Airflow's home before Airflow is imported
from any_airflow import store_dag
from sqlalchemy import delete, update

from airflow_provider_dataworks.version_compat import AIRFLOW_V_3_0_PLUS


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


def set_xcom(value: object, *, dag_id: str, run_id: str, task_id: str, key: str, map_index: int = -1) -> None:
    """Replace an XCom that is there, as a person does by the API; of a custom backend it may be any text."""
    from airflow_provider_dataworks.xcoms import KEPT_AS_BYTES, XCom

    names = {"dag_id": dag_id, "run_id": run_id, "task_id": task_id, "key": key, "map_index": map_index}
    stored = json.dumps(value).encode() if KEPT_AS_BYTES else value
    with session_of_database() as session:
        where = [getattr(XCom, name) == given for name, given in names.items()]
        assert session.execute(update(XCom).where(*where).values(value=stored)).rowcount == 1


def drop_xcoms(**names: object) -> None:
    """Remove the XComs that these columns find."""
    from airflow_provider_dataworks.xcoms import XCom

    with session_of_database() as session:
        session.execute(delete(XCom).where(*(getattr(XCom, name) == given for name, given in names.items())))


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

    from airflow_provider_dataworks.xcoms import XCom

    with session_of_database() as session:
        for model in (XCom, TaskInstance, DagRun):
            session.execute(delete(model))
        session.execute(update(DagModel).values(**gone()))


def gone() -> dict[str, bool]:
    """Return what Airflow keeps about a DAG that is no more."""
    from airflow.models.dag import DagModel

    return {"is_stale": True} if hasattr(DagModel, "is_stale") else {"is_active": False}
