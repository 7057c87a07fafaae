"""`make demo`: a DAG on a real Airflow stops an emulated DI job, and this checks that it really did.

The exit status is 0 only if the job went from Running to Stopped by exactly one effective stop and the DAG run
succeeded. Nothing leaves this machine, and nothing stays behind: no process, no port, no file (logs, if it failed).
"""

from __future__ import annotations

import argparse
import http.client
import json
import os
import re
import shutil
import signal
import sys
import tempfile
import textwrap
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from importlib.metadata import version
from pathlib import Path
from typing import Any

from demo.airflow_processes import LOOPBACK, LocalAirflow, ManagedProcess, ProcessProblem, RestProblem, free_port

ROOT = Path(__file__).resolve().parents[1]
DAG_ID = "example_dataworks_stop"
JOB_ID = "11668"
THROTTLE = "StopDIJob,throttle=Throttling.User,status=429,times=1,x-acs-retry-after=2000"
ENDED = frozenset({"success", "failed"})


class Emulator:
    """The emulated DataWorks with one running job; its first StopDIJob is throttled."""

    def __init__(self, directory: Path) -> None:
        self.port = free_port()
        command = [sys.executable, "-m", "airflow_provider_dataworks.emulator", "--port", str(self.port)]
        command += ["--job", f"{JOB_ID}=Running", "--fault", THROTTLE]
        self.process = ManagedProcess("The emulator", command, env=os.environ, log=directory / "emulator.log")

    def __enter__(self) -> Emulator:
        self.process.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.process.stop(grace=2.0)

    @property
    def connection(self) -> str:
        """The Airflow connection to it, as `AIRFLOW_CONN_...` takes it; a real account differs in these values only."""
        return json.dumps(
            {
                "conn_type": "dataworks",
                "host": f"http://{LOOPBACK}:{self.port}",
                "login": "LTAIemulator",
                "password": "emulator-secret",
                "extra": {"region": "cn-shanghai"},
            }
        )

    def state(self) -> dict[str, Any]:
        """Return its jobs and how many calls it served and refused."""
        connection = http.client.HTTPConnection(LOOPBACK, self.port, timeout=10)
        try:
            connection.request("GET", "/_emulator/state")
            return dict(json.loads(connection.getresponse().read()))
        finally:
            connection.close()

    def wait_ready(self, timeout: float = 20.0) -> dict[str, Any]:
        """Wait until it answers, and return its state."""
        deadline = time.monotonic() + timeout
        while True:
            with suppress(ConnectionError):
                return self.state()
            self.process.check()
            if time.monotonic() > deadline:
                raise ProcessProblem(f"The emulator did not answer within {timeout:.0f} s. {self.process.tail()}")
            time.sleep(0.1)


class Progress:
    """Prints one line per event, with the seconds since the start."""

    def __init__(self) -> None:
        self._start = time.monotonic()

    def say(self, text: str) -> None:
        """Print a line at once, also into a pipe."""
        print(f"{time.monotonic() - self._start:6.1f} s  {text}", flush=True)


def follow(airflow: LocalAirflow, run_id: str, progress: Progress, timeout: float) -> str:
    """Print every change of a task's state until the DAG run has ended; return the run's state."""
    shown: dict[str, str] = {}
    deadline = time.monotonic() + timeout
    while True:
        state = airflow.run_state(DAG_ID, run_id)
        for task in airflow.task_instances(DAG_ID, run_id):
            number = task["try_number"]
            now = (task["state"] or "waiting") + (f" (try {number})" if number > 1 else "")
            if shown.get(task["task_id"], "waiting") != now:
                shown[task["task_id"]] = now
                progress.say(f"  {task['task_id']}: {now}")
        if state in ENDED:
            return state
        if time.monotonic() > deadline:
            return f"still {state} after {timeout:.0f} s"
        airflow.check()
        time.sleep(0.25)


def table(rows: Sequence[Sequence[str]]) -> str:
    """Lay rows out in columns."""
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    lines = ("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows)
    return "\n".join(f"  {line}" for line in lines)


def reason(airflow: LocalAirflow, run_id: str, task: dict[str, Any]) -> str:
    """Return what a task's logs say first about waiting for the service or about trouble; empty if all went at once."""
    for number in range(1, task["try_number"] + 1):
        for line in airflow.task_log(DAG_ID, run_id, task["task_id"], number):
            trouble, waiting, delay = line.text.rpartition("; waiting ")
            if waiting:
                code = re.search(r"\(([^(),]+, HTTP \d+)", trouble)
                return f"{code[1] if code else trouble}{waiting}{delay}"
            if line.level in ("warning", "error"):
                return textwrap.shorten(line.text, 160, placeholder="...")
    return ""


def report(airflow: LocalAirflow, run_id: str, before: str, after: dict[str, Any]) -> None:
    """Print what happened: tasks, the job, and the requests that the emulator got."""
    rows = [("task", "state", "tries", "why")]
    for task in airflow.task_instances(DAG_ID, run_id):
        tries = str(task["try_number"])
        rows.append((task["task_id"], task["state"] or "none", tries, reason(airflow, run_id, task)))
    job, totals = after["jobs"][JOB_ID], after["totals"]
    path = " -> ".join(entry["status"] for entry in job["history"])
    refused = ", ".join(f"{count['refused']} {name}" for name, count in after["calls"].items() if count["refused"])
    print()
    print(table(rows))
    print()
    print(
        table(
            [
                (f"job {JOB_ID}", f"before: {before}, after: {job['status']} ({path})"),
                ("effective stops", str(job["effective_stops"])),
                ("requests", f"{totals['served']} served, {totals['refused']} refused" + refused.join((" (", ")"))),
            ]
        )
    )
    print(flush=True)


def shortfalls(run_state: str, before: str, after: dict[str, Any]) -> Iterator[str]:
    """Tell what is not as it must be; nothing means that the demo succeeded."""
    job = after["jobs"][JOB_ID]
    if run_state != "success":
        yield f"the DAG run is {run_state}"
    if before != "Running" or job["status"] != "Stopped":
        yield f"the job went from {before} to {job['status']}, not from Running to Stopped"
    if job["effective_stops"] != 1:
        yield f"{job['effective_stops']} stops took effect, not exactly one"
    if not after["totals"]["refused"]:
        yield "no request was throttled, so nothing was shown about throttling"


def show_failed_tasks(airflow: LocalAirflow, run_id: str) -> None:
    """Print the end of the log of each task that failed."""
    for task in airflow.task_instances(DAG_ID, run_id):
        if task["state"] == "failed":
            print(f"The end of the log of {task['task_id']}, try {task['try_number']}:")
            for line in airflow.task_log(DAG_ID, run_id, task["task_id"], task["try_number"])[-20:]:
                print(f"    {line.level:8}{line.text}")


def demonstrate(directory: Path, timeout: float) -> bool:
    """Run the DAG, print what happened, and tell whether all went as it must."""
    progress = Progress()
    say = progress.say
    say(f"Starting the emulator: job {JOB_ID} is Running; the first StopDIJob will get 429 Throttling.User, wait 2 s")
    with Emulator(directory) as emulator:
        env = {"AIRFLOW_CONN_DATAWORKS_DEFAULT": emulator.connection}
        with LocalAirflow(directory, ROOT / "example_dags", env=env, stop_grace=4.0) as airflow:
            say(f"Preparing the database of Airflow {version('apache-airflow')}")
            airflow.migrate()
            before = emulator.wait_ready()["jobs"][JOB_ID]["status"]
            say(f"Starting scheduler, DAG processor, triggerer and API server on {airflow.base_url}")
            airflow.start()
            airflow.wait_healthy()
            airflow.unpause(DAG_ID)
            run_id = airflow.trigger(DAG_ID)
            say(f"Airflow is healthy; started a run of the DAG {DAG_ID}")
            state = follow(airflow, run_id, progress, timeout)
            say(f"The DAG run ended: {state}")
            after = emulator.state()
            report(airflow, run_id, before, after)
            problems = list(shortfalls(state, before, after))
            if problems:
                show_failed_tasks(airflow, run_id)
        say("Airflow and the emulator are shut down")
    for problem in problems:
        print(f"Failed: {problem}.", file=sys.stderr)
    return not problems


@contextmanager
def sigterm_ends_orderly() -> Iterator[None]:
    """Let SIGTERM and a closed terminal end the program as Ctrl-C does, through every `finally`."""

    def leave(number: int, _frame: object) -> None:
        raise SystemExit(128 + number)

    before = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGHUP)}
    for number, handler in before.items():
        if handler is not signal.SIG_IGN:
            signal.signal(number, leave)
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the demo; return the exit status."""
    parser = argparse.ArgumentParser(prog="python -m demo.run", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--timeout", type=float, default=120.0, help="seconds the DAG run may take (default 120)")
    timeout = parser.parse_args(arguments).timeout

    directory = Path(tempfile.mkdtemp(prefix="dataworks-demo-"))
    keep = True
    try:
        with sigterm_ends_orderly():
            keep = not demonstrate(directory, timeout)
    except KeyboardInterrupt:
        keep = False
        print("\nInterrupted: Airflow and the emulator are shut down.", file=sys.stderr)
        return 130
    except SystemExit:
        keep = False
        print("\nEnded by a signal: Airflow and the emulator are shut down.", file=sys.stderr)
        raise
    except (ProcessProblem, RestProblem, OSError) as problem:
        print(f"Failed: {problem}", file=sys.stderr)
    finally:
        if keep:
            print(f"Logs are kept in {directory}", file=sys.stderr)
        else:
            shutil.rmtree(directory, ignore_errors=True)
    if keep:
        return 1
    print(f"Job {JOB_ID} went from Running to Stopped by exactly one effective stop, and the DAG run succeeded.")
    return 0


if __name__ == "__main__":
    sys.exit(main())
