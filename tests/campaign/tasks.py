"""The tasks of a schedule, made of the package's public operators and sensor; it runs none."""

from __future__ import annotations

import functools
from datetime import UTC, datetime, timedelta
from typing import Any

from airflow_provider_dataworks.maintenance import MaintenanceWindow
from airflow_provider_dataworks.operators.dataworks import StartDIJobOperator, StopDIJobOperator
from airflow_provider_dataworks.sensors.dataworks import DIJobStoppedSensor
from campaign.airflow_model import Database
from campaign.schedule import JOB, Schedule

# 02:00 in Shanghai, when the window opens.
OPENS = datetime(2026, 11, 21, 18, 0, tzinfo=UTC).timestamp()
_SPOILED = ({"di_job_id": "abc"}, None, {"di_job_id": None}, {"di_job_id": 1e999}, [], "x", {"di_job_id": [1]})


@functools.lru_cache(maxsize=256)
def window_of(minutes: int) -> MaintenanceWindow:
    """Return the window that opens daily at 02:00 in Shanghai, for some minutes."""
    return MaintenanceWindow("0 2 * * *", timedelta(minutes=minutes), "Asia/Shanghai")


def operator_of(name: str, schedule: Schedule, window: MaintenanceWindow | None, database: Database) -> Any:
    """Make a task anew, as each process does."""
    common: dict[str, Any] = {"task_id": name, "di_job_id": JOB, "deferrable": schedule.deferrable}
    if name == "stop":
        return StopDIJobOperator(
            **common,
            retries=schedule.retries,
            wait_for_completion=schedule.wait,
            poll_interval=schedule.poll_interval,
            timeout=schedule.timeout,
            window=window,
            min_remaining=schedule.min_remaining,
            outside_window=schedule.outside_window,
        )
    if name == "check":
        interval, timeout = schedule.poll_interval, schedule.timeout
        return DIJobStoppedSensor(**common, retries=schedule.retries, poke_interval=interval, timeout=timeout)
    stops = ["stop"]
    if schedule.spoiled_note is not None:
        database.xcoms["other", "dataworks_stop"] = _SPOILED[schedule.spoiled_note % len(_SPOILED)]
        stops.append("other")
    return StartDIJobOperator(
        **common,
        only_if_stopped_by=stops,
        retries=schedule.restart_retries,
        retry_delay=timedelta(minutes=1),
        retry_exponential_backoff=False,
        wait_for_completion=schedule.wait,
        poll_interval=schedule.poll_interval,
        timeout=schedule.restart_timeout,
    )
