"""`make airflow` as a person uses it: two addresses to open, DAGs that run, and nothing left when it is ended."""

from __future__ import annotations

import http.client
import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from demo.processes import LOOPBACK
from demo.rest import AirflowRest

pytestmark = pytest.mark.e2e


class Explore:
    """The program, with its temporary files in a directory of the test's."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self._output = directory.parent / "output"
        command = [sys.executable, "-m", "demo.explore", "--airflow-port", "0", "--emulator-port", "0"]
        with self._output.open("wb") as output:
            self.process = subprocess.Popen(
                command,
                env={**os.environ, "TMPDIR": str(directory)},
                cwd=Path(__file__).parents[1],
                stdout=output,
                stderr=subprocess.STDOUT,
                # Where the tests run in the background, a shell has made them deaf to it.
                preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
            )

    @property
    def said(self) -> str:
        """What it has printed."""
        return self._output.read_text()

    def wait(self, what: str, condition: Callable[[], Any], timeout: float = 120.0) -> Any:
        """Wait until a condition holds, and return what it returned."""
        deadline = time.monotonic() + timeout
        while not (found := condition()):
            assert self.process.poll() is None, f"it ended before {what}:\n{self.said}"
            assert time.monotonic() < deadline, f"no {what} within {timeout:.0f} s:\n{self.said}"
            time.sleep(0.2)
        return found

    def address(self, name: str) -> str:
        """Wait for an address it prints."""
        return str(self.wait(f"address of {name}", lambda: re.search(rf"^ +{name} +(http://\S+)", self.said, re.M))[1])

    def children(self) -> set[int]:
        """Every process that it has started, and theirs."""
        parents = {}
        for entry in Path("/proc").glob("[0-9]*/stat"):
            try:
                parents[int(entry.parent.name)] = int(entry.read_text().rpartition(")")[2].split()[1])
            except (FileNotFoundError, ProcessLookupError):
                continue
        found, last = {self.process.pid}, 0
        while len(found) != last:
            last = len(found)
            found |= {pid for pid, parent in parents.items() if parent in found}
        return found - {self.process.pid}

    def end(self, number: signal.Signals) -> int:
        """Send a signal and return the exit status."""
        self.process.send_signal(number)
        return self.process.wait(timeout=60)


@pytest.fixture
def explore(tmp_path: Path) -> Iterator[Explore]:
    """The program, started; ended after the test, whatever happened."""
    directory = tmp_path / "tmp"
    directory.mkdir()
    running = Explore(directory)
    yield running
    if running.process.poll() is None:
        running.process.terminate()
        running.process.wait(timeout=60)


def is_open(address: str) -> bool:
    """Tell whether somebody listens there."""
    with socket.socket() as probe:
        return probe.connect_ex((LOOPBACK, int(address.rpartition(":")[2]))) == 0


def alive(pids: set[int]) -> set[int]:
    """Return the processes that still run; one that only waits to be reaped does not."""
    found = set()
    for pid in pids:
        stat = Path(f"/proc/{pid}/stat")
        if stat.exists() and stat.read_text().rpartition(")")[2].split()[0] != "Z":
            found.add(pid)
    return found


def get(address: str) -> str:
    """Return a page, asked for as a browser does."""
    host, _, path = address.removeprefix("http://").partition("/")
    connection = http.client.HTTPConnection(host, timeout=20)
    try:
        connection.request("GET", f"/{path}", headers={"accept": "text/html"})
        return connection.getresponse().read().decode()
    finally:
        connection.close()


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="needs /proc as Linux has it")
def test_a_person_can_click_around_and_end_it_with_ctrl_c(explore: Explore) -> None:
    """Both pages answer, a run of each unpaused DAG succeeds, and after Ctrl-C nothing is left."""
    airflow_page, emulator_page = explore.address("Airflow"), explore.address("DataWorks")
    explore.wait("the last line", lambda: "Ctrl-C ends all" in explore.said)
    airflow = AirflowRest(int(airflow_page.rpartition(":")[2]))
    assert "<title>" in get(airflow_page)
    assert "DataWorks" in get(emulator_page)

    dags = {dag["dag_id"]: dag["is_paused"] for dag in airflow.rest("GET", "/dags")["dags"]}
    assert len(dags) == 5
    assert [dag_id for dag_id, paused in dags.items() if not paused] == [
        "example_dataworks_stop",
        "example_dataworks_stop_many",
    ]
    assert airflow.rest("GET", "/importErrors")["import_errors"] == []
    assert airflow.rest("GET", "/dagWarnings")["dag_warnings"] == []
    stored = airflow.rest("GET", "/connections/dataworks_default")
    assert (stored["conn_type"], stored["port"]) == ("dataworks", int(emulator_page.rpartition(":")[2]))
    tested = airflow.rest("POST", "/connections/test", stored)
    assert tested["status"], tested["message"]

    runs = {dag_id: airflow.trigger(dag_id) for dag_id, paused in dags.items() if not paused}
    for dag_id, run_id in runs.items():
        explore.wait(dag_id, lambda dag_id=dag_id, run_id=run_id: airflow.run_state(dag_id, run_id) == "success")
    jobs = json.loads(get(f"{emulator_page}/_emulator/state"))["jobs"]
    assert [jobs[job]["effective_stops"] for job in ("11668", "1", "10")] == [1, 1, 1]

    children = explore.children()
    assert len(children) >= 5
    assert explore.end(signal.SIGINT) == 130
    assert alive(children) == set()
    assert not is_open(airflow_page)
    assert not is_open(emulator_page)
    assert list(explore.directory.iterdir()) == []
    assert "Traceback" not in explore.said


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="needs /proc as Linux has it")
def test_it_can_be_ended_while_it_starts(explore: Explore) -> None:
    """By SIGTERM, before anything is ready."""
    explore.wait("the first process", lambda: len(explore.children()) >= 2)
    children = explore.children()

    assert explore.end(signal.SIGTERM) == 128 + signal.SIGTERM
    assert alive(children) == set()
    assert list(explore.directory.iterdir()) == []
    assert "Traceback" not in explore.said
