"""Finds the windows in a DAG as Airflow stores it, which is JSON; it makes no DAG of it, and reads no database."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from functools import lru_cache
from typing import Any

from airflow_provider_dataworks.exceptions import DataWorksInvalidRequest
from airflow_provider_dataworks.windows import MaintenanceWindow


def windows_of(dag: Any) -> Iterator[tuple[str | None, MaintenanceWindow]]:
    """Yield the windows of a serialized DAG, each with the task that has it."""
    if not isinstance(dag, Mapping):
        return
    timetable = dag.get("timetable")
    ours = isinstance(timetable, Mapping) and str(timetable.get("__type")).endswith(".MaintenanceWindowTimetable")
    if ours and (window := _window(timetable)) is not None:
        yield None, window
    for each in dag.get("tasks") or ():
        task = _unwrapped(each)
        # By its link, so that a subclass of the stop counts as well.
        if not isinstance(task, Mapping) or "DataWorksConsoleLink" not in str(task.get("_operator_extra_links")):
            continue
        given = task.get("window") or (_unwrapped(task.get("partial_kwargs")) or {}).get("window")
        if (window := _window(given)) is not None:
            yield str(task.get("task_id")), window


def _window(value: Any) -> MaintenanceWindow | None:
    given = _unwrapped(value)
    return _read_window(json.dumps(given, sort_keys=True)) if isinstance(given, Mapping) else None


@lru_cache(maxsize=2048)
def _read_window(text: str) -> MaintenanceWindow | None:
    """Return the window of a JSON text; most stand in a schedule and in a stop, and are read again and again."""
    try:
        return MaintenanceWindow.from_json(text)
    except (DataWorksInvalidRequest, AttributeError, TypeError, ValueError):
        return None


def _unwrapped(value: Any) -> Any:
    """Take what Airflow's serializer wrote out of its wrapping."""
    return value["__var"] if isinstance(value, Mapping) and "__var" in value else value
