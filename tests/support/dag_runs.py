"""Run DAGs made in a test through ``dag.test()``, on a database of the test session; by Airflow's private ways."""

from __future__ import annotations

import functools
import inspect
import logging
import sys
import time
import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any
from unittest import mock

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


@contextmanager
def _eager(test: Callable[..., Any]) -> Iterator[None]:
    """Let ``dag.test()`` look for work 20 times as often as each second; all others sleep as long as they want."""
    sleep, looks = time.sleep, inspect.unwrap(test).__code__

    def sleep_or_look(seconds: float) -> None:
        sleep(seconds / 20 if sys._getframe(1).f_code is looks else seconds)

    with mock.patch.object(time, "sleep", sleep_or_look):
        yield


@functools.cache
def _share_api_server() -> None:
    """Let all tasks of this process share the API server in it, as newer Airflows do; 3.1 makes one a task, in 3 s."""
    try:
        from airflow.sdk.execution_time import supervisor
    except ImportError:
        return  # 2.11: its tasks ask the database themselves
    made = getattr(supervisor, "in_process_api_server", None)
    if made is not None and not hasattr(made, "cache_info"):
        supervisor.in_process_api_server = functools.lru_cache(maxsize=1)(made)


def run_dag(dag: DAG, conf: dict[str, Any] | None = None) -> tuple[str, Mapping[tuple[str, int], Any]]:
    """
    Run a DAG to its end in this process, waiting for retries in real time.

    :param conf: what a person who triggers it would give.
    :return: state of the run, and its task instances by task id and map index.
    """
    from any_airflow import store_dag

    database()
    _share_api_server()
    store_dag(dag)
    # The one that dag.test() of 2.11 adds, and adds once: it writes to where standard output of that time went.
    task_log = logging.getLogger("airflow.task")
    task_log.handlers = [handler for handler in task_log.handlers if type(handler) is not logging.StreamHandler]
    with _eager(type(dag).test):
        run = dag.test(run_conf=conf)
    return str(run.state), {(ti.task_id, ti.map_index): ti for ti in run.get_task_instances()}
