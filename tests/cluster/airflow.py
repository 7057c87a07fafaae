"""A real Airflow with CeleryExecutor whose workers and triggerers believe to be on machines of their own.

What ends by itself is started again, as systemd or Kubernetes would do it.
"""

from __future__ import annotations

import http.client
import time
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from demo.airflow_processes import LocalAirflow
from demo.processes import ManagedProcess, ProcessProblem
from demo.rest import RestProblem

WORKERS = ("worker-1", "worker-2")
TRIGGERERS = ("triggerer", "triggerer-2")
_RESTART_PAUSE = 5.0  # seconds between starts of what ends again and again


class ClusterAirflow(LocalAirflow):
    """
    An Airflow of one scheduler, DAG processor and API server, two Celery workers and two triggerers.

    :param home: see :class:`LocalAirflow`.
    :param dags_folder: see :class:`LocalAirflow`.
    :param env: see :class:`LocalAirflow`.
    :param database: user, address and name of the PostgreSQL, as in a URL.
    :param broker: URL of the Redis.
    """

    def __init__(self, home: Path, dags_folder: Path, *, env: Mapping[str, str], database: str, broker: str) -> None:
        settings = {
            "AIRFLOW__CORE__EXECUTOR": "CeleryExecutor",
            "AIRFLOW__CORE__HOSTNAME_CALLABLE": "machine_name.machine_name",
            "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": f"postgresql+psycopg2://{database}",
            "AIRFLOW__CELERY__BROKER_URL": broker,
            "AIRFLOW__CELERY__RESULT_BACKEND": f"db+postgresql://{database}",
            "AIRFLOW__CELERY__WORKER_CONCURRENCY": "4",
            # So that what a killed process held is missed within seconds, as it is within minutes elsewhere.
            "AIRFLOW__SCHEDULER__TASK_INSTANCE_HEARTBEAT_TIMEOUT": "30",
            "AIRFLOW__SCHEDULER__TASK_INSTANCE_HEARTBEAT_TIMEOUT_DETECTION_INTERVAL": "2",
            "AIRFLOW__SCHEDULER__ORPHANED_TASKS_CHECK_INTERVAL": "10",
            "AIRFLOW__SCHEDULER__TASK_QUEUED_TIMEOUT": "60",
            "AIRFLOW__SCHEDULER__TASK_QUEUED_TIMEOUT_CHECK_INTERVAL": "5",
            "AIRFLOW__TRIGGERER__TRIGGERER_HEALTH_CHECK_THRESHOLD": "10",
            "AIRFLOW__DAG_PROCESSOR__MIN_FILE_PROCESS_INTERVAL": "60",  # the file does not change
        }
        super().__init__(home, dags_folder, env={**settings, **env}, parallelism=8, stop_grace=8.0)
        commands = {
            "triggerer-2": ("triggerer", "--skip-serve-logs"),
            **{name: ("celery", "worker", "--skip-serve-logs", "--celery-hostname", name) for name in WORKERS},
        }
        for name, words in commands.items():
            words = (*words, "--pid", str(home / f"{name}.pid"))
            self.processes[name] = ManagedProcess(name, self._airflow(*words), env=self.env, log=home / f"{name}.log")
        for name in (*WORKERS, *TRIGGERERS):
            temporary = home / f"tmp-{name}"
            temporary.mkdir()
            self.processes[name].env |= {"TMPDIR": str(temporary), "MACHINE": name}
        self.restarts: Counter[str] = Counter()
        self._last_start: dict[str, float] = {}

    def start_all(self) -> None:
        """Start every component."""
        self.start(*self.processes)

    def check(self) -> None:
        """Start again what has ended by itself, and count it."""
        for name, process in self.processes.items():
            try:
                process.check()
            except ProcessProblem:
                now = time.monotonic()
                if now - self._last_start.get(name, 0.0) >= _RESTART_PAUSE:
                    self._last_start[name] = now
                    self.restarts[name] += 1
                    process.kill()  # its children, if any are left
                    process.start()

    def rest(self, method: str, path: str, body: Any = None) -> Any:
        """Ask the REST API, again where its server or its database is away for a moment."""
        deadline = time.monotonic() + 60
        while True:
            try:
                return super().rest(method, path, body)
            except (OSError, http.client.HTTPException) as trouble:
                problem: Exception = trouble
            except RestProblem as trouble:
                if trouble.status < 500:
                    raise
                problem = trouble
            if time.monotonic() > deadline:
                raise problem
            self.check()
            time.sleep(0.5)

    def waits(self, dag_id: str, run_id: str) -> Counter[str]:
        """Count the deferred tasks of a run by the machine of the triggerer that waits for them."""
        tasks = [task for task in self.task_instances(dag_id, run_id) if task["state"] == "deferred"]
        return Counter(task["triggerer_job"]["hostname"] for task in tasks if task["triggerer_job"])
