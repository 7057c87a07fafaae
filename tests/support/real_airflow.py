"""What tests on a real Airflow share: one DAG run to watch and ask, and what to show of it when a test fails."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from airflow_provider_dataworks.emulator import Emulator
from airflow_provider_dataworks.maintenance import MaintenanceWindow
from demo.airflow_processes import LocalAirflow
from demo.processes import ProcessProblem
from demo.rest import RestProblem

ON_PYTHONPATH = Path(__file__).parents[1] / "on_pythonpath"
SILENT = "secrets-backend-is-silent"  # the file in an Airflow's home, if the test says so
# A fault to inject: RAM refuses an operation, each time. Without its code, a 403 is an outage, which is waited for.
FORBIDDEN = {"times": None, "error": {"status": 403, "code": "Forbidden.RAM"}}
ENDED = frozenset({"success", "failed"})
TASK_ENDED = frozenset({"success", "failed", "skipped", "upstream_failed", "removed"})


@dataclass(frozen=True)
class Run:
    """One DAG run; every wait is bounded and says in vain for what it waited."""

    airflow: LocalAirflow
    dag_id: str
    run_id: str

    @property
    def state(self) -> str:
        """The run's state."""
        return self.airflow.run_state(self.dag_id, self.run_id)

    def tasks(self, task_id: str | None = None) -> list[dict[str, Any]]:
        """Return the task instances, all or one (mapped) task's."""
        found = self.airflow.task_instances(self.dag_id, self.run_id)
        return [task for task in found if task_id in (None, task["task_id"])]

    def task(self, task_id: str = "stop", map_index: int = -1) -> dict[str, Any]:
        """Return one task instance."""
        return self.airflow.task_instance(self.dag_id, self.run_id, task_id, map_index)

    def result(self, task_id: str = "stop", map_index: int = -1) -> Any:
        """Return what a task instance returned."""
        return self.airflow.xcom(self.dag_id, self.run_id, task_id, map_index)

    def links(self, task_id: str = "stop", map_index: int = -1) -> dict[str, str | None]:
        """Return a task instance's extra links."""
        return self.airflow.task_links(self.dag_id, self.run_id, task_id, map_index)

    def log(self, try_number: int, task_id: str = "stop", map_index: int = -1) -> str:
        """Return the log of one try as text."""
        lines = self.airflow.task_log(self.dag_id, self.run_id, task_id, try_number, map_index)
        return "\n".join(f"{line.level:8}{line.text}" for line in lines)

    def wait_for(self, what: str, condition: Callable[[], bool], timeout: float = 60.0) -> None:
        """Wait until a condition holds; raise at once when the run has ended before."""

        def met() -> bool:
            # In this order: a run that ends between the two questions is asked about once more.
            state = self.state
            if condition():
                return True
            if state in ENDED:
                raise ProcessProblem(f"{self.dag_id} ended ({state}) before {what}.")
            return False

        self.airflow.wait_until(f"{what} in {self.dag_id}", met, timeout)

    def wait_task(self, state: str, task_id: str = "stop", *, try_number: int = 1, timeout: float = 60.0) -> None:
        """Wait until a task that is not mapped is in a state in a certain try."""

        def reached() -> bool:
            task = self.task(task_id)
            return bool(task["state"] == state and task["try_number"] == try_number)

        self.wait_for(f"{task_id} to be {state} in try {try_number}", reached, timeout)

    def wait_end(self, timeout: float = 60.0) -> str:
        """Wait until the run has ended, and return its state."""
        self.airflow.wait_until(f"{self.dag_id} to end", lambda: self.state in ENDED, timeout)
        return self.state

    def end(self) -> None:
        """End the run if it still goes on, so that it does not disturb the next test."""
        if self.state not in ENDED:
            self.airflow.mark_run(self.dag_id, self.run_id, "failed")

    def account(self, lines: int = 25) -> str:
        """Return what happened, for people: the states of all tasks, and the ends of the logs of trouble."""
        told = [f"{self.dag_id} {self.run_id}: {self.state}"]
        shown = 0
        for task in self.tasks():
            name = task["task_id"] + (f"[{task['map_index']}]" if task["map_index"] >= 0 else "")
            told.append(f"  {name}: {task['state']}, try {task['try_number']} of {task['max_tries'] + 1}")
            if task["state"] == "success" and task["try_number"] == 1:
                continue
            if shown >= 5:  # forty logs of the same trouble help nobody
                continue
            shown += 1
            for number in range(1, task["try_number"] + 1):
                told.append(f"    the end of the log of try {number}:")
                try:
                    log = self.log(number, task["task_id"], task["map_index"])
                except (RestProblem, OSError) as problem:
                    log = f"cannot be had: {problem}"
                told += [f"      {line[:300]}" for line in log.splitlines()[-lines:]]
        return "\n".join(told)


def account(emulator: Emulator, job: int) -> tuple[str, int, int]:
    """Return a job's status, and how often it was really stopped and started."""
    found = emulator.job(job)
    return found.status, found.effective_stops, found.effective_starts


def window(opens: datetime, closes: datetime) -> str:
    """Make a window of today between two moments, to whole minutes at its opening."""
    start = opens.replace(second=0, microsecond=0)
    cron = f"{start.minute} {start.hour} {start.day} {start.month} *"
    return json.dumps(
        MaintenanceWindow(cron, timedelta(seconds=int((closes - start).total_seconds())), "UTC").to_json()
    )


def secrets_backend(silent: Path, connections: Mapping[str, Mapping[str, Any]]) -> dict[str, str]:
    """Return the environment that gives an Airflow connections in a backend which is silent while a file exists."""
    return {
        "AIRFLOW__SECRETS__BACKEND": "silent_secrets.SilentSecrets",
        "AIRFLOW__SECRETS__BACKEND_KWARGS": json.dumps({"silent": str(silent), "connections": connections}),
        "PYTHONPATH": os.pathsep.join(filter(None, (str(ON_PYTHONPATH), os.environ.get("PYTHONPATH")))),
    }
