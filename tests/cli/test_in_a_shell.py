"""The command line as a process: in a terminal and a pipe, below ``airflow``, and where there is no database."""

from __future__ import annotations

import fcntl
import json
import os
import pty
import re
import signal
import struct
import subprocess
import sys
import termios
import time
import unicodedata
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from airflow_limits import lacks, needs
from emulated import JOB, connect, emulator
from emulated import real_clock as clock

from airflow_provider_dataworks.cli.commands import COMMANDS
from airflow_provider_dataworks.emulator import Emulator

__all__ = ["clock", "connect", "emulator"]

pytestmark = pytest.mark.slow

MODULE = (sys.executable, "-m", "airflow_provider_dataworks")
AIRFLOW = (sys.executable, "-m", "airflow")
WIDE = "订单_orders_to_hologres_with_a_name_that_no_terminal_of_eighty_columns_has_room_for"
Run = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture
def environ(emulator: Emulator, connect: Callable[..., None], tmp_path: Path) -> dict[str, str]:
    """The environment of a shell with a connection to the emulator, and a home of Airflow in which nothing is yet."""
    connect(api_version="2024-05-18", project_id=1967)
    kept = {name: value for name, value in os.environ.items() if name not in ("COLUMNS", "NO_COLOR", "TERM")}
    return {**kept, "AIRFLOW_HOME": str(tmp_path)}


@pytest.fixture
def run(environ: dict[str, str]) -> Run:
    """Run a command line in a process, with nobody at its keyboard."""

    def call(*command: object, **more: str) -> subprocess.CompletedProcess[str]:
        words = [str(word) for word in command]
        return subprocess.run(
            words,
            env={**environ, **more},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=180,
            check=False,
        )

    return call


@pytest.fixture
def show(environ: dict[str, str]) -> Callable[..., str]:
    """Run a command line in a terminal of 80 columns, and return what it shows; both streams go there."""

    def call(*command: object, columns: int = 80, **more: str) -> str:
        ours, theirs = pty.openpty()
        fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 50, columns, 0, 0))
        words = [str(word) for word in command]
        process = subprocess.Popen(
            words, env={**environ, **more}, stdin=subprocess.DEVNULL, stdout=theirs, stderr=theirs
        )
        os.close(theirs)
        shown = bytearray()
        with os.fdopen(ours, "rb", buffering=0) as terminal:
            while got := _read(terminal):
                shown += got
        process.wait(60)
        return shown.decode().replace("\r\n", "\n")

    return call


def _read(terminal: Any) -> bytes:
    try:
        return bytes(terminal.read(65_536))
    except OSError:  # how Linux says that the other end is closed
        return b""


def columns_of(line: str) -> int:
    """Return how many columns of a terminal a line takes, without its colours."""
    plain = re.sub("\x1b\\[[0-9;]*[mK]", "", line.rpartition("\r")[2])
    return sum(2 if unicodedata.east_asian_width(each) in "WF" else 1 for each in plain)


def test_a_terminal(show: Callable[..., str], emulator: Emulator) -> None:
    """Colour, progress, and no line wider than the terminal; no colour where NO_COLOR is set or there can be none."""
    emulator.add_job(7, "Failed", name=WIDE)
    commands: tuple[tuple[object, ...], ...] = (
        ("status",),
        ("check",),
        ("explain",),
        ("explain", "throttled"),
        ("window", "--cron", "0 2 * * SUN", "--duration", "PT3H", "--timezone", "Asia/Shanghai"),
        ("status", 99, 98, 97),
        ("restart", 7),
    )
    misses = []
    for words in commands:
        shown = show(*MODULE, *words, TERM="xterm")
        misses += [(words, line) for line in shown.splitlines() if columns_of(line) > 80]
        if "\x1b[" not in shown:
            misses.append((words, "no colour"))
    assert misses == []

    shown = show(*MODULE, "status", JOB, 7, TERM="xterm")
    assert f"{JOB}   \x1b[32mRunning\x1b[0m" in shown
    assert "7       \x1b[31mFailed\x1b[0m" in shown
    assert "\rAsking DataWorks: 2 of 2\x1b[K" in shown
    assert "..." in shown
    for more in ({"NO_COLOR": "1", "TERM": "xterm"}, {"TERM": "dumb"}):
        assert "\x1b[3" not in show(*MODULE, "status", **more)


def test_a_pipe(run: Run, emulator: Emulator) -> None:
    """No colour, no progress, nothing cut; and a reader who has seen enough is no error."""
    emulator.add_job(7, "Failed", name=WIDE)

    said = run(*MODULE, "status", JOB, 7, "--no-lag")

    assert (said.returncode, said.stderr) == (0, "")
    assert "\x1b" not in said.stdout
    assert WIDE in said.stdout
    ended = run("sh", "-c", '"$@" | head -1; exit 0', "sh", *MODULE, "explain", PYTHONUNBUFFERED="1")
    assert ended.stderr == ""


def test_a_reader_who_has_seen_enough_ends_no_restart(run: Run, emulator: Emulator) -> None:
    """Nor does it make a job that does not run as expected a good one."""
    for job_id in (7, 8, 9):
        emulator.add_job(job_id, "Stopped", start_seconds=0.1)
    words = (*MODULE, "restart", "7", "8", "9", "--yes", "--healthy-for", "0", "--poll-interval", "0.1")

    ended = run("sh", "-c", '{ "$@"; echo "code $?" >&2; } | head -c 1', "sh", *words, PYTHONUNBUFFERED="1")

    assert [emulator.job(job_id).status for job_id in (7, 8, 9)] == ["Running"] * 3
    assert "code 0" in ended.stderr
    assert "Traceback" not in ended.stderr
    words = (*MODULE, "status", JOB, "--expect", "Stopped", "--no-lag")
    assert "code 1" in run("sh", "-c", '{ "$@"; echo "code $?" >&2; } | head -c 1', "sh", *words).stderr


def test_what_nobody_expected_is_no_traceback(run: Run, emulator: Emulator) -> None:
    """Nor a no: a script that asks whether all is well gets another code; --verbose shows where it failed."""
    for address in ("postgresql+nodriver://x:hush@nowhere/x", "garbage:hush"):
        for words in (("down", "--offline"), ("explain", "throttled"), ("restart", "7", "--yes")):
            said = run(*MODULE, *words, AIRFLOW__DATABASE__SQL_ALCHEMY_CONN=address)

            # `explain` asks no database: it answers where this Airflow can be imported without one.
            answered = words[0] == "explain" and said.returncode == 0 and "throttled" in said.stdout
            assert answered or said.returncode == 5, (address, words, said.stderr)
            assert "Traceback" not in said.stderr, (address, words)
            assert "hush" not in said.stderr + said.stdout
    assert "with --verbose this command shows where it failed" in said.stderr
    verbose = run(*MODULE, "down", "--offline", "-v", AIRFLOW__DATABASE__SQL_ALCHEMY_CONN="garbage")
    assert (verbose.returncode, "Traceback" in verbose.stderr) == (5, True)


def test_json_is_all_that_a_program_reads(run: Run, emulator: Emulator, tmp_path: Path) -> None:
    """Whatever a DAG file prints, logs, or has another process write."""
    dag = tmp_path / "dag.py"
    dag.write_text(
        "import logging, os, sys\n"
        "from datetime import datetime\n"
        "from airflow_provider_dataworks.operators.dataworks import StopDIJobOperator\n"
        "from airflow_provider_dataworks.version_compat import DAG\n"
        "logging.getLogger(__name__).warning('logged')\n"
        "print('printed')\n"
        "print('written', file=sys.__stdout__, flush=True)\n"
        "os.system('echo by another process')\n"
        "with DAG('loud', schedule=None, start_date=datetime(2026, 1, 1)):\n"
        f"    StopDIJobOperator(task_id='stop', di_job_id={JOB})\n"
    )

    said = run(*MODULE, "plan", "loud", "-f", dag, "-o", "json")

    assert json.loads(said.stdout)["dag_id"] == "loud"
    assert "by another process" in said.stderr


def test_nobody_at_the_keyboard(run: Run, emulator: Emulator) -> None:
    """A closed standard input is nobody, too."""
    emulator.add_job(7, "Stopped")

    said = run("sh", "-c", '"$@" <&-', "sh", *MODULE, "restart", 7)

    assert (said.returncode, emulator.job(7).start_calls) == (2, 0)
    assert "nobody is there to answer" in said.stderr


def test_another_encoding(run: Run, emulator: Emulator) -> None:
    """A name that the terminal cannot show is no traceback."""
    emulator.add_job(7, "Failed", name=WIDE)

    said = run(*MODULE, "status", 7, PYTHONIOENCODING="ascii")

    assert said.returncode == 0
    assert "7       Failed  -    ??_orders" in said.stdout
    assert json.loads(run(*MODULE, "status", 7, "-o", "json", PYTHONIOENCODING="ascii").stdout)[0]["name"] == WIDE


def test_interrupted(environ: dict[str, str], emulator: Emulator) -> None:
    """Ctrl-C ends a wait with the exit code that shells know, and says that nothing is undone."""
    emulator.add_job(7, "Stopped", start_seconds=60)
    process = subprocess.Popen(
        [*MODULE, "restart", "7", "-y", "--poll-interval", "0.1"],
        env=environ,
        stderr=subprocess.PIPE,
        text=True,
        # A shell that runs the tests in its background has them ignore Ctrl-C, and all that they start.
        preexec_fn=partial(signal.signal, signal.SIGINT, signal.SIG_DFL),
    )
    for _ in range(600):
        if emulator.job(7).start_calls and emulator.count("GetDIJob") > 5:
            break
        time.sleep(0.1)
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=60)

    assert process.returncode == 130
    assert "What was sent to DataWorks until then is not undone." in err
    assert "Traceback" not in err


def test_a_database_that_cannot_be_read(run: Run) -> None:
    """Where Airflow was never set up, or the database is down; nothing of its address is shown."""
    rows = [("down",), ("window", "a_dag"), ("restart", "-d", "a_dag")]
    misses = []
    for words in rows:
        said = run(*MODULE, *words)
        if (
            said.returncode != 5
            or "database cannot be read (OperationalError)" not in said.stderr
            or "SQL" in said.stderr
        ):
            misses.append((words, said))

    assert misses == []
    # Which jobs run is known all the same: a database that is down keeps nobody from starting one.
    assert run(*MODULE, "restart", JOB).returncode == 0


def test_a_connection_in_the_database(run: Run, emulator: Emulator) -> None:
    """Where most connections are; a hook outside a task does not look there by itself."""
    made = {**emulator.connection(), "extra": {"project_id": 1967}}
    assert run(*AIRFLOW, "db", "migrate").returncode == 0
    added = run(*AIRFLOW, "connections", "add", "kept", "--conn-json", json.dumps(made))
    assert added.returncode == 0, added.stderr

    said = run(*MODULE, "status", "-c", "kept")

    assert (said.returncode, said.stderr) == (
        0,
        "The lag is told by API 2024-05-18 only: set api_version on the connection.\n",
    )
    assert f"{JOB}   Running" in said.stdout


@needs("commands")
def test_below_airflow(run: Run) -> None:
    """The same commands, help and exit codes as ``airflow dataworks``."""
    listed = run(*AIRFLOW, "dataworks", "--help").stdout
    assert [name for name in (command.name for command in COMMANDS) if f"    {name} " not in listed] == []

    helped = run(*AIRFLOW, "dataworks", "restart", "--help").stdout
    assert "airflow dataworks restart 11668" in helped
    assert "--even-if-running" in helped

    rows = [
        (("explain", "throttled"), 0, "Too many calls"),
        (("explain", "nonsense"), 1, ""),
        (("status", "x"), 2, ""),
        (("status", JOB), 0, f"{JOB}   Running"),
        (("down",), 5, ""),
    ]
    misses = []
    for words, code, shown in rows:
        said = run(*AIRFLOW, "dataworks", *words)
        if said.returncode != code or shown not in said.stdout:
            misses.append((words, said))

    assert misses == []
    assert json.loads(run(*AIRFLOW, "dataworks", "status", JOB, "-o", "json").stdout)[0]["di_job_id"] == JOB


def test_airflow_is_not_harmed(run: Run) -> None:
    """Where it takes no commands of providers it does not know this one, and runs all of its own."""
    said = run(*AIRFLOW, "--help")

    assert said.returncode == 0
    assert ("dataworks" in said.stdout) is not lacks("commands")
    assert run(*AIRFLOW, "version").returncode == 0


def test_help_imports_no_airflow(run: Run) -> None:
    """It is there at once; so are the commands for each call of ``airflow``, which never loads a client for them."""
    program = (
        "import sys; from airflow_provider_dataworks.cli.parser import make_parser; make_parser().format_help()\n"
        "print([name for name in sys.modules if name.split('.')[0] in ('airflow', 'httpx', 'sqlalchemy')])"
    )
    assert run(sys.executable, "-c", program).stdout == "[]\n"
    if lacks("commands"):
        return
    program = (
        "import sys; from airflow.cli import cli_parser\n"
        "names = [name for name in sys.modules if name.startswith('airflow_provider_dataworks')]\n"
        "print(sorted(names))"
    )
    assert run(sys.executable, "-c", program).stdout.splitlines()[-1] == str(
        [
            "airflow_provider_dataworks",
            "airflow_provider_dataworks.cli",
            "airflow_provider_dataworks.cli.commands",
            "airflow_provider_dataworks.cli.definition",
            "airflow_provider_dataworks.get_provider_info",
        ]
    )
