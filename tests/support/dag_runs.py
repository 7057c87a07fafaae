"""Run DAGs made in a test through ``dag.test()``, on a database of the test session; by Airflow's private ways."""

from __future__ import annotations

import functools
import warnings
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from airflow.sdk import DAG


@functools.cache
def database() -> None:
    """Make the database of this test session."""
    from airflow.utils import db

    from airflow_provider_dataworks.version_compat import AIRFLOW_V_3_0_PLUS

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # migrations of the past speak of their own deprecations
        db.initdb()
        if AIRFLOW_V_3_0_PLUS:
            from airflow.dag_processing.bundles.manager import DagBundlesManager

            DagBundlesManager().sync_bundles_to_db()


def run_dag(dag: DAG, conf: dict[str, Any] | None = None) -> tuple[str, Mapping[tuple[str, int], Any]]:
    """
    Run a DAG to its end in this process, waiting for retries in real time.

    :param conf: what a person who triggers it would give.
    :return: state of the run, and its task instances by task id and map index.
    """
    from any_airflow import store_dag

    database()
    store_dag(dag)
    run = dag.test(run_conf=conf)
    return str(run.state), {(ti.task_id, ti.map_index): ti for ti in run.get_task_instances()}
