"""A real Airflow of four processes on loopback, for the demo and the end-to-end tests; it never listens anywhere else.

Scheduler, DAG processor, triggerer and API server run as `python -m airflow ...` on SQLite in a directory that the
caller gives. `airflow standalone` is not used because it opens two log servers on all interfaces.
"""

from __future__ import annotations

import http.client
import os
import signal
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from urllib.parse import quote

from demo.processes import LOOPBACK, ManagedProcess, ProcessProblem, free_port, signals_held
from demo.rest import AirflowRest, RestProblem

# In the order in which they stop: the first three report to the API server, so it goes last.
COMPONENTS: dict[str, tuple[str, ...]] = {
    "scheduler": ("scheduler", "--skip-serve-logs"),
    "triggerer": ("triggerer", "--skip-serve-logs"),
    "dag-processor": ("dag-processor",),
    "api-server": ("api-server",),
}

# The names under which GET /monitor/health knows them.
_HEALTH_NAMES = {"scheduler": "scheduler", "triggerer": "triggerer", "dag-processor": "dag_processor"}


def clean_environment(extra: Mapping[str, str]) -> dict[str, str]:
    """Return this process's environment without anyone's Airflow settings, plus `extra`.

    Proxies must not catch loopback traffic, and switched-off bytecode would double every start.
    """
    kept = {name: value for name, value in os.environ.items() if not name.startswith("AIRFLOW")}
    kept.pop("PYTHONDONTWRITEBYTECODE", None)
    for name in ("NO_PROXY", "no_proxy"):
        kept[name] = ",".join(filter(None, (kept.get(name), LOOPBACK, "localhost")))
    return {**kept, **extra}


def _parent_of(pid: int) -> int:
    """Return the parent of a process (Linux)."""
    # The name before the last parenthesis may hold anything.
    return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])


class LocalAirflow(AirflowRest):
    """A real Airflow 3.3; a context manager that leaves no process behind, whatever happens inside.

    :param home: existing directory for AIRFLOW_HOME: database, settings and logs. Removing it is the caller's business.
    :param dags_folder: directory with the DAG files.
    :param env: further environment for every process, e.g. connections as `AIRFLOW_CONN_...`.
    :param parallelism: tasks at a time; the scheduler starts that many workers at once, about 46 MB each.
    :param stop_grace: seconds for an orderly end of all but the API server, which gets as long again; what is still
        there then is killed.
    :param port: of the API server, if it is free.
    """

    def __init__(
        self,
        home: Path,
        dags_folder: Path,
        *,
        env: Mapping[str, str] | None = None,
        parallelism: int = 4,
        stop_grace: float = 5.0,
        port: int = 0,
    ) -> None:
        super().__init__(free_port(port))
        self.home = home
        self.stop_grace = stop_grace
        self.env = clean_environment({**self._settings(dags_folder, parallelism), **(env or {})})
        self.processes = {
            name: ManagedProcess(name, self._airflow(*words), env=self.env, log=home / f"{name}.log")
            for name, words in COMPONENTS.items()
        }

    @staticmethod
    def _airflow(*words: str) -> list[str]:
        return [sys.executable, "-m", "airflow", *words]

    def _settings(self, dags_folder: Path, parallelism: int) -> dict[str, str]:
        return {
            "AIRFLOW_HOME": str(self.home),
            # By a file there the processes share their rate of calls; it goes with the rest.
            "TMPDIR": str(self.home),
            "AIRFLOW__CORE__DAGS_FOLDER": str(dags_folder),
            "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
            "AIRFLOW__CORE__EXECUTOR": "LocalExecutor",
            "AIRFLOW__CORE__PARALLELISM": str(parallelism),
            # No login: only this machine can reach it, and only while it runs.
            "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_ALL_ADMINS": "True",
            # SQLite lets one process write at a time; by default the others give up after 5 s, as a busy machine shows.
            "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": f"sqlite:///{self.home / 'airflow.db'}?timeout=60",
            # The default host is 0.0.0.0; workers find the API through base_url.
            "AIRFLOW__API__HOST": LOOPBACK,
            "AIRFLOW__API__PORT": str(self.port),
            "AIRFLOW__API__BASE_URL": self.base_url,
            "AIRFLOW__API__WORKERS": "1",
            # A request that failed says why.
            "AIRFLOW__API__EXPOSE_STACKTRACE": "True",
            "AIRFLOW__USAGE_DATA_COLLECTION__ENABLED": "False",
            # Defaults suit a cluster under load; these save about 4 s a DAG run here.
            "AIRFLOW__SCHEDULER__SCHEDULER_IDLE_SLEEP_TIME": "0.1",
            "AIRFLOW__SCHEDULER__SCHEDULER_HEARTBEAT_SEC": "1",
            "AIRFLOW__SCHEDULER__JOB_HEARTBEAT_SEC": "1",
            "AIRFLOW__TRIGGERER__JOB_HEARTBEAT_SEC": "1",
            "AIRFLOW__DAG_PROCESSOR__MIN_FILE_PROCESS_INTERVAL": "2",
            "AIRFLOW__DAG_PROCESSOR__REFRESH_INTERVAL": "2",
            "AIRFLOW__DAG_PROCESSOR__PARSING_PROCESSES": "1",
            # With the default of 5 s a task deferred for a moment can be marked failed (apache/airflow issue 72716).
            "AIRFLOW__WORKERS__MIN_HEARTBEAT_INTERVAL": "1",
        }

    def __enter__(self) -> LocalAirflow:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if kind is not None and not issubclass(kind, Exception):
            self.stop_grace = 0.5  # a person who pressed Ctrl-C should not wait
        self.stop()

    # Processes

    def migrate(self, timeout: float = 90.0) -> None:
        """Create the database and the settings file with the secrets that the processes share; needed once."""
        migration = ManagedProcess(
            "airflow db migrate", self._airflow("db", "migrate"), env=self.env, log=self.home / "migrate.log"
        )
        try:
            migration.start()
            if migration.wait(timeout) != 0:
                raise ProcessProblem(f"airflow db migrate failed. {migration.tail()}")
        finally:
            migration.kill()

    def start(self, *names: str) -> None:
        """Start the named components, or all."""
        for name in names or tuple(COMPONENTS):
            self.processes[name].start()

    def kill(self, name: str) -> None:
        """End one component and its children at once (SIGKILL); `start(name)` brings it back."""
        self.processes[name].kill()

    def kill_worker(self, pid: int) -> None:
        """
        End one task's process and the worker that watches it at once (SIGKILL), as running out of memory would (Linux).

        :param pid: of the task's process, as its task instance tells.
        """
        worker = _parent_of(pid)
        scheduler = self.processes["scheduler"].pid
        if worker == scheduler or not {os.getsid(pid), os.getsid(worker)} == {scheduler}:
            raise ProcessProblem(f"Process {pid} is not a task of this Airflow.")
        # The worker first: it would report the end of the task.
        for victim in (worker, pid):
            os.kill(victim, signal.SIGKILL)

    def stop(self, *names: str) -> None:
        """Stop the named components, or all, in the order that lets them report their end."""
        with signals_held():
            chosen = [process for name, process in self.processes.items() if not names or name in names]
            reporting = [process for process in chosen if process.name != "api-server"]
            for group in (reporting, [process for process in chosen if process not in reporting]):
                deadline = time.monotonic() + self.stop_grace
                for process in group:
                    process.terminate()
                for process in group:
                    process.stop(deadline - time.monotonic())

    def check(self) -> None:
        """Raise if a component has ended by itself."""
        for process in self.processes.values():
            process.check()

    def wait_until(self, what: str, condition: Callable[[], bool], timeout: float, interval: float = 0.2) -> None:
        """Wait until `condition` holds; raise when a component ends meanwhile or `timeout` seconds have passed."""
        deadline = time.monotonic() + timeout
        while not condition():
            self.check()
            if time.monotonic() > deadline:
                raise ProcessProblem(f"Waited {timeout:.0f} s in vain for {what}.")
            time.sleep(interval)

    def wait_healthy(self, timeout: float = 90.0) -> None:
        """Wait until every running component says that it is healthy."""
        self.wait_until("Airflow to be healthy", self._healthy, timeout)

    def _healthy(self) -> bool:
        try:
            health = self._request("GET", "/api/v2/monitor/health", None, {})
        except (OSError, http.client.HTTPException, RestProblem):
            return False
        started = [known for name, known in _HEALTH_NAMES.items() if self.processes[name].pid is not None]
        return all(health[name]["status"] == "healthy" for name in ["metadatabase", *started])

    def unpause(self, dag_id: str, timeout: float = 60.0) -> None:
        """Unpause a DAG, waiting until it has been parsed."""

        def unpaused() -> bool:
            try:
                self.rest("PATCH", f"/dags/{quote(dag_id, safe='')}?update_mask=is_paused", {"is_paused": False})
            except RestProblem as problem:
                if problem.status != http.HTTPStatus.NOT_FOUND:
                    raise
                self._raise_import_errors()
                return False
            return True

        self.wait_until(f"the DAG {dag_id} to be parsed", unpaused, timeout)

    def _raise_import_errors(self) -> None:
        errors = self.rest("GET", "/importErrors")["import_errors"]
        if errors:
            cause = errors[0]["stack_trace"].strip().splitlines()[-1]
            raise ProcessProblem(f"{errors[0]['filename']} cannot be imported: {cause}")
