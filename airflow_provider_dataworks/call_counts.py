"""
Counts the calls to DataWorks: for Airflow's metrics, and for the XCom by which the page of this package sums them up.

Each call is ``dataworks.calls``, and one that was refused as one too many is ``dataworks.throttled`` as well, both with
the tags ``conn_id`` and ``action``. A task pushes its own numbers when it ends or defers; calls of the triggerer serve
many tasks at once, and are in the metrics only. It must never make a call fail.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Mapping
from typing import Any

from airflow_provider_dataworks.client.locks import Lock

try:
    from airflow.sdk.observability.stats import Stats
except ImportError:  # before Airflow 3.2
    from airflow.stats import Stats

log = logging.getLogger(__name__)

KEY = "dataworks_calls"  # of the XCom
_lock = Lock()
_counted = {"calls": 0, "throttled": 0}
_told: tuple[object, dict[str, int]] = (None, {})


def count_call(conn_id: str, action: str, throttled: bool) -> None:
    """
    Count one call.

    :param action: the operation; what an author sends by ``get_conn()`` may have any.
    :param throttled: whether it was refused as one too many.
    """
    tags = {"conn_id": conn_id, "action": action}
    Stats.incr("dataworks.calls", tags=tags)
    if throttled:
        Stats.incr("dataworks.throttled", tags=tags)
    with _lock:
        _counted["calls"] += 1
        _counted["throttled"] += throttled


def push_counts(context: Mapping[str, Any], *, resumed: bool) -> None:
    """
    Push, as an XCom of the running task, the calls that were made since this was last asked; nothing where none were.

    :param resumed: whether the task was deferred: then an earlier process has pushed its own.
    """
    global _told
    task_instance, conn_id = context.get("ti"), getattr(context.get("task"), "dataworks_conn_id", None)
    with _lock:
        new = dict(_counted)
        _counted.update(calls=0, throttled=0)
    if not new["calls"] or task_instance is None or conn_id is None:
        return
    names = ("dag_id", "run_id", "task_id", "map_index", "try_number")
    task = tuple(getattr(task_instance, name, None) for name in names)
    try:
        before: Any = _told[1] if _told[0] == task else None
        if before is None and resumed:
            before = task_instance.xcom_pull(task_ids=task_instance.task_id, key=KEY)
        found = {name: count + _number(before, name) for name, count in new.items()}
        task_instance.xcom_push(key=KEY, value={**found, "at": time.time(), "conn_id": conn_id})
    except Exception as error:  # numbers for a page are no reason to end a stop that is under way
        log.warning("The number of calls could not be stored: %s", error)
        return
    _told = task, found


def _number(value: Any, name: str) -> int:
    found = value.get(name) if isinstance(value, Mapping) else None
    return found if isinstance(found, int) and found >= 0 else 0
