"""The processes of the demo's Airflow, with small programs in their place: nothing may stay behind."""

from __future__ import annotations

import os
import socket
import sys
import time
from pathlib import Path

import pytest

from demo.airflow_processes import LocalAirflow
from demo.processes import LOOPBACK, ManagedProcess, ProcessProblem, free_port

# As Airflow does with every task: a child in a process group of its own.
PARENT = """
import subprocess, sys, time
child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"], process_group=0)
print(child.pid, flush=True)
time.sleep(float(sys.argv[1]))
"""

pytestmark = pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="needs /proc as Linux has it")


def test_a_port_that_is_taken_is_replaced_by_a_free_one():
    """So that a second demo can be started beside the first."""
    with socket.socket() as taken:
        taken.bind((LOOPBACK, 0))
        taken.listen()
        port = taken.getsockname()[1]
        assert free_port(port) != port
    assert free_port(port) == port


def started(directory: Path, seconds: str = "60") -> tuple[ManagedProcess, int]:
    """Start a process with a child, and return it and the child's id."""
    process = ManagedProcess("parent", [sys.executable, "-c", PARENT, seconds], env=os.environ, log=directory / "log")
    process.start()
    deadline = time.monotonic() + 20
    while not process.log.read_text().endswith("\n"):
        assert time.monotonic() < deadline
        time.sleep(0.02)
    return process, int(process.log.read_text())


def lives(pid: int) -> bool:
    """Tell whether a process runs; one that only waits to be reaped does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def gone(pid: int) -> bool:
    """Tell whether a process that was killed is gone, within a moment."""
    deadline = time.monotonic() + 5
    while lives(pid) and time.monotonic() < deadline:
        time.sleep(0.02)
    return not lives(pid)


@pytest.mark.parametrize("end", [ManagedProcess.kill, lambda process: process.stop(grace=0.1)], ids=["kill", "stop"])
def test_a_child_in_a_process_group_of_its_own_ends_too(end, tmp_path):
    """A task of a killed scheduler would otherwise go on alone."""
    process, child = started(tmp_path)
    assert lives(child)
    end(process)
    assert gone(child)
    assert process.pid is None


def test_a_child_that_outlives_its_parent_ends_too(tmp_path):
    """Also when the parent has ended by itself."""
    process, child = started(tmp_path, seconds="0")
    process.wait(20)
    assert lives(child)
    process.kill()
    assert gone(child)


def test_only_a_task_of_this_airflow_is_killed_as_one(tmp_path):
    """Whatever a stale process id has come to mean."""
    process, child = started(tmp_path)
    airflow = LocalAirflow(tmp_path, tmp_path)
    try:
        with pytest.raises(ProcessProblem, match="not a task of this Airflow"):
            airflow.kill_worker(child)
        assert lives(child)
        airflow.processes["scheduler"] = process
        with pytest.raises(ProcessProblem, match="not a task of this Airflow"):
            airflow.kill_worker(child)  # its parent is the scheduler itself, which no task's is
    finally:
        process.kill()
