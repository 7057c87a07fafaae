"""`make demo`: a DAG on a real Airflow stops an emulated DI job, and this checks that it really did.

The exit status is 0 only if the job went from Running to Stopped by exactly one effective stop and the DAG run
succeeded. Nothing leaves this machine, and nothing stays behind: no process, no port, no file (logs, if it failed).
"""

from __future__ import annotations

import argparse
import json
import re
import sys
import textwrap
import time
from collections.abc import Iterator, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

from demo.airflow_processes import LocalAirflow
from demo.emulated import Emulator
from demo.ending import in_a_directory

ROOT = Path(__file__).resolve().parents[1]
DAG_ID = "example_dataworks_stop"
JOB_ID = "11668"
THROTTLE = "StopDIJob,throttle=Throttling.User,status=429,times=1,x-acs-retry-after=2000"
ENDED = frozenset({"success", "failed"})


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
    with Emulator(directory, "--job", f"{JOB_ID}=Running", "--fault", THROTTLE) as emulator:
        env = {"AIRFLOW_CONN_DATAWORKS_DEFAULT": json.dumps(emulator.connection)}
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


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the demo; return the exit status."""
    parser = argparse.ArgumentParser(prog="python -m demo.run", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--timeout", type=float, default=120.0, help="seconds the DAG run may take (default 120)")
    timeout = parser.parse_args(arguments).timeout

    status = in_a_directory(lambda directory: demonstrate(directory, timeout))
    if status == 0:
        print(f"Job {JOB_ID} went from Running to Stopped by exactly one effective stop, and the DAG run succeeded.")
    return status


if __name__ == "__main__":
    sys.exit(main())
