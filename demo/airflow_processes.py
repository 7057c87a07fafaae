"""A real Airflow of four processes on loopback, for the demo and the end-to-end tests; it never listens anywhere else.

Scheduler, DAG processor, triggerer and API server run as `python -m airflow ...` on SQLite in a directory that the
caller gives. `airflow standalone` is not used because it opens two log servers on all interfaces.
"""

from __future__ import annotations

import http.client
import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import quote

LOOPBACK = "127.0.0.1"

# In the order in which they stop: the first three report to the API server, so it goes last.
COMPONENTS: dict[str, tuple[str, ...]] = {
    "scheduler": ("scheduler", "--skip-serve-logs"),
    "triggerer": ("triggerer", "--skip-serve-logs"),
    "dag-processor": ("dag-processor",),
    "api-server": ("api-server",),
}

# The names under which GET /monitor/health knows them.
_HEALTH_NAMES = {"scheduler": "scheduler", "triggerer": "triggerer", "dag-processor": "dag_processor"}


class ProcessProblem(Exception):
    """A process did not start, ended too early, or did not get where it should in time; the text is for people."""


class LogLine(NamedTuple):
    """One line of a task's log; of an exception it has type and text, not the frames."""

    level: str
    text: str


class RestProblem(Exception):
    """The API server refused a request; `status` is the HTTP status."""

    def __init__(self, status: int, text: str) -> None:
        super().__init__(f"HTTP {status}: {text[:300]}")
        self.status = status


def free_port() -> int:
    """Return a port of the loopback address that nobody listens on at this moment."""
    with socket.socket() as probe:
        probe.bind((LOOPBACK, 0))
        return int(probe.getsockname()[1])


def clean_environment(extra: Mapping[str, str]) -> dict[str, str]:
    """Return this process's environment without anyone's Airflow settings, plus `extra`.

    Proxies must not catch loopback traffic, and switched-off bytecode would double every start.
    """
    kept = {name: value for name, value in os.environ.items() if not name.startswith("AIRFLOW")}
    kept.pop("PYTHONDONTWRITEBYTECODE", None)
    for name in ("NO_PROXY", "no_proxy"):
        kept[name] = ",".join(filter(None, (kept.get(name), LOOPBACK, "localhost")))
    return {**kept, **extra}


@contextmanager
def signals_held() -> Iterator[None]:
    """Put off Ctrl-C and SIGTERM until the end of the block.

    A signal between starting a process and remembering it, or in the middle of stopping, would leave processes behind.
    """
    if threading.current_thread() is not threading.main_thread():
        yield  # Python runs signal handlers in the main thread only
        return
    arrived: list[int] = []
    numbers = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
    before = {number: signal.signal(number, lambda caught, _frame: arrived.append(caught)) for number in numbers}
    try:
        yield
    finally:
        for held, handler in before.items():
            signal.signal(held, handler)
        for number in arrived[:1]:
            os.kill(os.getpid(), number)


def _session_of(leader: int) -> Iterator[int]:
    """Yield the processes of a session, where the system lists processes as Linux does."""
    for entry in Path("/proc").glob("[0-9]*"):
        with suppress(ProcessLookupError):
            if os.getsid(int(entry.name)) == leader:
                yield int(entry.name)


def _parent_of(pid: int) -> int:
    """Return the parent of a process (Linux)."""
    # The name before the last parenthesis may hold anything.
    return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])


class ManagedProcess:
    """One process with its own session and log file, so that it and its children can be ended as one."""

    def __init__(self, name: str, command: Sequence[str], *, env: Mapping[str, str], log: Path) -> None:
        self.name = name
        self.command = list(command)
        self.env = dict(env)
        self.log = log
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int | None:
        """The process id, or None when it is not running."""
        return self._process.pid if self._process is not None and self._process.poll() is None else None

    def start(self) -> None:
        """Start it; output goes to the log file."""
        if self.pid is not None:
            raise ProcessProblem(f"{self.name} is running already")
        with signals_held(), self.log.open("ab") as output:
            self._process = subprocess.Popen(
                self.command,
                env=self.env,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    def check(self) -> None:
        """Raise if it has ended by itself."""
        if self._process is not None and (code := self._process.poll()) is not None:
            raise ProcessProblem(f"{self.name} ended by itself (exit status {code}). {self.tail()}")

    def wait(self, timeout: float) -> int:
        """Wait until it ends and return its exit status."""
        if self._process is None:
            raise ProcessProblem(f"{self.name} was never started")
        try:
            return self._process.wait(timeout)
        except subprocess.TimeoutExpired:
            raise ProcessProblem(f"{self.name} did not end within {timeout:.0f} s. {self.tail()}") from None

    def terminate(self) -> None:
        """Ask it to end; children that it starts are its own business until `stop` or `kill`."""
        if self._process is not None and self._process.poll() is None:
            self._process.terminate()

    def kill(self) -> None:
        """End it and all its children at once (SIGKILL), as a lost machine would."""
        if self._process is None:
            return
        with signals_held():
            leader = self._process.pid
            with suppress(ProcessLookupError):
                os.killpg(leader, signal.SIGKILL)
            # Airflow puts each task into a process group of its own; the session still holds them together.
            killed: set[int] = set()
            while left := set(_session_of(leader)) - killed:
                for pid in left:
                    with suppress(ProcessLookupError):
                        os.kill(pid, signal.SIGKILL)
                killed |= left
            self._process.wait()
            self._process = None

    def stop(self, grace: float) -> None:
        """Ask it to end, and after at most `grace` seconds end what is left of it and its children."""
        if self._process is None:
            return
        with signals_held():
            self.terminate()
            with suppress(subprocess.TimeoutExpired):
                self._process.wait(max(grace, 0.0))
            self.kill()

    def tail(self, lines: int = 15) -> str:
        """Return the end of its log, for an error message."""
        text = self.log.read_text(errors="replace").splitlines() if self.log.exists() else []
        return "\n".join([f"The end of {self.log}:", *(f"    {line[:200]}" for line in text[-lines:])])


class LocalAirflow:
    """A real Airflow 3.3; a context manager that leaves no process behind, whatever happens inside.

    :param home: existing directory for AIRFLOW_HOME: database, settings and logs. Removing it is the caller's business.
    :param dags_folder: directory with the DAG files.
    :param env: further environment for every process, e.g. connections as `AIRFLOW_CONN_...`.
    :param parallelism: tasks at a time; the scheduler starts that many workers at once, about 46 MB each.
    :param stop_grace: seconds for an orderly end of all but the API server, which gets as long again; what is still
        there then is killed.
    """

    def __init__(
        self,
        home: Path,
        dags_folder: Path,
        *,
        env: Mapping[str, str] | None = None,
        parallelism: int = 4,
        stop_grace: float = 5.0,
    ) -> None:
        self.home = home
        self.port = free_port()
        self.base_url = f"http://{LOOPBACK}:{self.port}"
        self.stop_grace = stop_grace
        self.env = clean_environment({**self._settings(dags_folder, parallelism), **(env or {})})
        self.processes = {
            name: ManagedProcess(name, self._airflow(*words), env=self.env, log=home / f"{name}.log")
            for name, words in COMPONENTS.items()
        }
        self._token: str | None = None

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
            "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": f"sqlite:///{self.home / 'airflow.db'}",
            # The default host is 0.0.0.0; workers find the API through base_url.
            "AIRFLOW__API__HOST": LOOPBACK,
            "AIRFLOW__API__PORT": str(self.port),
            "AIRFLOW__API__BASE_URL": self.base_url,
            "AIRFLOW__API__WORKERS": "1",
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

    # REST

    def _request(self, method: str, path: str, body: Any, headers: Mapping[str, str]) -> Any:
        connection = http.client.HTTPConnection(LOOPBACK, self.port, timeout=30)
        try:
            payload = None if body is None else json.dumps(body)
            connection.request(method, path, payload, {"Content-Type": "application/json", **headers})
            answer = connection.getresponse()
            text = answer.read().decode()
        finally:
            connection.close()
        if answer.status >= 400:
            raise RestProblem(answer.status, text)
        return json.loads(text) if text else None

    def rest(self, method: str, path: str, body: Any = None) -> Any:
        """Ask the REST API, e.g. `rest("GET", "/dags")`; the answer comes decoded."""
        if self._token is None:
            self._token = str(self._request("GET", "/auth/token", None, {})["access_token"])
        return self._request(method, f"/api/v2{path}", body, {"Authorization": f"Bearer {self._token}"})

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

    def trigger(self, dag_id: str, conf: Mapping[str, Any] | None = None) -> str:
        """Start a DAG run and return its id."""
        body = {"logical_date": None, "conf": dict(conf or {})}
        return str(self.rest("POST", f"/dags/{quote(dag_id, safe='')}/dagRuns", body)["dag_run_id"])

    def run_state(self, dag_id: str, run_id: str) -> str:
        """Return the state of a DAG run."""
        return str(self.rest("GET", f"{_run_path(dag_id, run_id)}")["state"])

    def task_instances(self, dag_id: str, run_id: str) -> list[dict[str, Any]]:
        """Return the task instances of a DAG run in the order of their start, those not started last."""
        found: list[dict[str, Any]] = []
        while True:
            page = self.rest("GET", f"{_run_path(dag_id, run_id)}/taskInstances?limit=100&offset={len(found)}")
            found += page["task_instances"]
            if len(found) >= page["total_entries"] or not page["task_instances"]:
                break
        return sorted(found, key=lambda task: (task["start_date"] is None, task["start_date"] or ""))

    def task_log(self, dag_id: str, run_id: str, task_id: str, try_number: int, map_index: int = -1) -> list[LogLine]:
        """Return one try's log."""
        path = _task_path(dag_id, run_id, task_id)
        content = self.rest("GET", f"{path}/logs/{try_number}?full_content=true&map_index={map_index}")["content"]
        return [_log_line(entry) for entry in content]

    def task_instance(self, dag_id: str, run_id: str, task_id: str, map_index: int = -1) -> dict[str, Any]:
        """Return one task instance."""
        return dict(self.rest("GET", f"{_task_path(dag_id, run_id, task_id)}/{map_index}"))

    def task_links(self, dag_id: str, run_id: str, task_id: str, map_index: int = -1) -> dict[str, str | None]:
        """Return a task instance's extra links by name."""
        found = self.rest("GET", f"{_task_path(dag_id, run_id, task_id)}/links?map_index={map_index}")
        return dict(found["extra_links"])

    def xcom(self, dag_id: str, run_id: str, task_id: str, map_index: int = -1, *, key: str = "return_value") -> Any:
        """Return what a task instance pushed; a `RestProblem` with status 404 if it has pushed nothing."""
        path = f"{_task_path(dag_id, run_id, task_id)}/xcomEntries/{quote(key, safe='')}"
        return self.rest("GET", f"{path}?map_index={map_index}")["value"]

    def mark_task(self, dag_id: str, run_id: str, task_id: str, state: str, map_index: int = -1) -> None:
        """Mark a task instance success, failed or skipped, as a person would."""
        path = f"{_task_path(dag_id, run_id, task_id)}/{map_index}"
        self.rest("PATCH", f"{path}?update_mask=new_state", {"new_state": state})

    def mark_run(self, dag_id: str, run_id: str, state: str) -> None:
        """Mark a DAG run success or failed, as a person would; what of it still runs is ended."""
        self.rest("PATCH", f"{_run_path(dag_id, run_id)}?update_mask=state", {"state": state})

    def clear_tasks(self, dag_id: str, run_id: str, *task_ids: str) -> None:
        """Clear the named tasks of a DAG run whatever their state, as a person would, so that they run again."""
        body = {"dry_run": False, "only_failed": False, "dag_run_id": run_id, "task_ids": list(task_ids)}
        self.rest("POST", f"/dags/{quote(dag_id, safe='')}/clearTaskInstances", body)

    def add_pool(self, name: str, slots: int, *, include_deferred: bool) -> None:
        """Make a pool."""
        self.rest("POST", "/pools", {"name": name, "slots": slots, "include_deferred": include_deferred})


def _run_path(dag_id: str, run_id: str) -> str:
    return f"/dags/{quote(dag_id, safe='')}/dagRuns/{quote(run_id, safe='')}"


def _task_path(dag_id: str, run_id: str, task_id: str) -> str:
    return f"{_run_path(dag_id, run_id)}/taskInstances/{quote(task_id, safe='')}"


def _log_line(entry: Any) -> LogLine:
    if not isinstance(entry, dict):
        return LogLine("", str(entry))
    errors = [f"{error.get('exc_type')}: {error.get('exc_value')}" for error in entry.get("error_detail") or ()]
    return LogLine(entry.get("level") or "", "; ".join([str(entry.get("event", "")), *errors]))
