"""
Rows of Airflow's database as maintenances leave them, in any number: for tests, pictures and the benchmark of the page.

Made by hand, as nothing else makes thousands of runs in seconds; tests/test_records.py reads what real tasks left.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

from airflow.models.dagrun import DagRun
from airflow.models.taskinstance import TaskInstance
from sqlalchemy import insert, select
from stored import WRITTEN, keep_dag, session_of_database, set_dag, xcom_value

from airflow_provider_dataworks.maintenance import DIJobMaintenance
from airflow_provider_dataworks.version_compat import DAG
from airflow_provider_dataworks.windows import MaintenanceWindow

CONSOLE = "https://dataworks.console.aliyun.com/"
OPERATORS = {
    "stop": "StopDIJobOperator",
    "restart": "StartDIJobOperator",
    "report": "MaintenanceReportOperator",
}
_Run: Any = DagRun
_Task: Any = TaskInstance


def keep_maintenance(dag_id: str, window: MaintenanceWindow, job_id: int = 11668, *, is_paused: bool = False) -> None:
    """Write a DAG with a maintenance of one job, scheduled by its window."""
    dag = DAG(dag_id, schedule=window.timetable, start_date=datetime(2026, 1, 1), catchup=False)
    with dag, DIJobMaintenance(di_job_ids=job_id, window=window, report=True):
        pass
    keep_dag(dag)
    set_dag(dag_id, is_paused=is_paused)


class Rows:
    """Collects rows; :meth:`write` puts them into the database."""

    def __init__(self) -> None:
        self._runs: list[dict[str, Any]] = []
        self._tasks: list[dict[str, Any]] = []
        self._xcoms: list[dict[str, Any]] = []
        self._ids: dict[tuple[Any, ...], UUID] = {}

    def maintenance(
        self,
        dag_id: str,
        run_id: str,
        at: datetime,
        *,
        job_id: int = 11668,
        state: str = "success",
        is_down: bool = False,
        restart: str | None = "success",
        who: str | None = None,
        reason: str | None = None,
        downtime: float = 900,
        **more: Any,
    ) -> None:
        """
        Add a run that stopped a job, and started it again unless it is down.

        :param at: when it was stopped.
        :param restart: state of its restart.
        :param more: of the report's job.
        """
        again = at + timedelta(seconds=downtime)
        self.run(dag_id, run_id, at, state, who)
        note = {"di_job_id": job_id, "status_before": "Running", "request_id": f"3F2A-{job_id}", "withdrawn": False}
        self.task(dag_id, run_id, "stop", "success", at, dataworks_stop={**note, "at": at.timestamp()})
        result = {"di_job_id": job_id, "status": "Running", "started_at": again.isoformat()}
        started = {} if is_down else {"return_value": result, "dataworks_start": {**note, "at": again.timestamp()}}
        self.task(dag_id, run_id, "restart", restart, again, **started)
        if not is_down or restart == "failed":
            job = {
                "di_job_id": job_id,
                "outcome": "NOT RUNNING" if is_down else "caught up",
                "stopped_at": at.isoformat(),
                "running_at": None if is_down else again.isoformat(),
                "downtime": None if is_down else downtime,
                "lag_before": 2.0,
                "lag_after": None if is_down else 4.0,
                "events": [],
                **more,
            }
            report = {"dag_id": dag_id, "run_id": run_id, "by": who, "approved_by": None, "reason": reason}
            report |= {"at": again.isoformat(), "jobs": [job]}
            self.task(dag_id, run_id, "report", "success", again, dataworks_report=report, return_value=report)

    def run(self, dag_id: str, run_id: str, at: datetime, state: str = "success", who: str | None = None) -> None:
        """Add a run."""
        found = {"dag_id": dag_id, "run_id": run_id, "run_type": "manual", "state": state, "run_after": at}
        self._runs.append({**found, "start_date": at, "triggering_user_name": who})

    def task(
        self,
        dag_id: str,
        run_id: str,
        name: str,
        state: str | None,
        at: datetime,
        map_index: int = -1,
        **xcoms: Any,
    ) -> None:
        """Add a task of a maintenance, with its XComs."""
        same = {"dag_id": dag_id, "run_id": run_id, "task_id": f"maintenance.{name}", "map_index": map_index}
        tries: dict[str, Any] = {"try_number": 1, "max_tries": 3, "pool": "default_pool", "pool_slots": 1}
        self._ids[tuple(same.values())] = uuid4()
        if hasattr(WRITTEN, "task_instance_id"):
            tries["id"] = self._ids[tuple(same.values())]
        self._tasks.append({**same, **tries, "state": state, "operator": OPERATORS[name]})
        if name != "report":
            xcoms["_link_DataWorksConsoleLink"] = CONSOLE
        xcoms["dataworks_calls"] = {"calls": 4, "throttled": 0, "at": at.timestamp(), "conn_id": "dataworks_default"}
        for key, value in xcoms.items():
            self._xcoms.append({**same, "key": key, "value": value, "timestamp": at})

    def set_calls(self, value: object) -> None:
        """Replace the count of calls of the task that was added last."""
        self._xcoms[-1]["value"] = value

    def write(self) -> None:
        """Write all rows that were added."""
        with session_of_database() as session:
            session.execute(insert(_Run.__table__), self._runs)
            ids = {(row.dag_id, row.run_id): row.id for row in session.execute(select(_Run.__table__))}
            session.execute(insert(_Task.__table__), self._tasks)
            session.execute(insert(WRITTEN.__table__), [self._stored(row, ids) for row in self._xcoms])

    def _stored(self, row: dict[str, Any], ids: dict[tuple[str, str], int]) -> dict[str, Any]:
        row = {**row, "value": xcom_value(row["value"])}
        if not hasattr(WRITTEN, "task_instance_id"):
            return {**row, "dag_run_id": ids[row["dag_id"], row["run_id"]]}
        task = (row["dag_id"], row["run_id"], row["task_id"], row["map_index"])
        value = {name: row[name] for name in ("key", "value", "timestamp")}
        return {**value, "id": uuid4(), "task_instance_id": self._ids[task]}


def some_days_ago(days: float) -> datetime:
    """Return a moment of the past, in UTC."""
    return datetime.now(UTC) - timedelta(days=days)
