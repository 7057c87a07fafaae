"""The command line: options, the lines it prints, and a real process that ends when told to."""

from __future__ import annotations

import json
import os
import re
import shlex
import signal
import subprocess
import sys
from dataclasses import replace

import httpx
import pytest

from airflow_provider_dataworks.emulator import CallRecord
from airflow_provider_dataworks.emulator.__main__ import call_line, connection_line, emulator, main, parser, say

COMMAND = [sys.executable, "-m", "airflow_provider_dataworks.emulator"]


def made(*arguments: str):
    """The emulator the options describe, not started."""
    return emulator(parser().parse_args(arguments))


def test_without_options_one_job_runs():
    """The job of all pages."""
    (job,) = made().jobs()
    assert (job.id, job.status, job.stop_seconds, job.start_seconds) == (11668, "Running", 2.0, 1.0)


def test_jobs_are_given_with_their_fields():
    """Status first, then any field."""
    running = made(
        "--job", "11668=Running,stop_ends_in=Failed,error_message=disk full", "--job", "5=Stopped,stop_seconds=7"
    )
    five, other = running.jobs()
    assert (five.status, five.stop_seconds) == ("Stopped", 7.0)
    assert (other.stop_ends_in, other.error_message) == ("Failed", "disk full")


def test_faults_come_from_options_and_a_file(tmp_path):
    """The file first; a list alone is a list of faults."""
    listed = tmp_path / "faults.json"
    listed.write_text('[{"drop": "after"}]')
    running = made("--scenario", str(listed), "--fault", "StopDIJob,throttle")
    assert [list(fault["rule"]) for fault in running.state()["faults"]] == [["drop"], ["operation", "throttle"]]
    whole = tmp_path / "scenario.json"
    whole.write_text('{"jobs": {"7": {"status": "Stopped"}}, "quotas": {"calls_per_day": 9, "burst": 2}, "faults": []}')
    running = made("--scenario", str(whole), "--calls-per-second", "5", "--job", "8=Running")
    assert [job.id for job in running.jobs()] == [7, 8]
    quotas = running.state()["quotas"]
    assert (quotas["calls_per_second"], quotas["calls_per_day"], quotas["burst"]) == (5.0, 9, 2)


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        (["--job", "1"], "--job 1: give ID=STATUS"),
        (["--job", "1=Running,x"], "'x' is not FIELD=VALUE"),
        (["--job", "1=Running,x=1"], "unknown field 'x'"),
        (["--fault", "StopDIJob,drop"], "needs a value"),
        (["--host", "0.0.0.0"], "--allow-remote"),
        (["--port", "-1"], "port: -1"),
        (["--access-key", "onlyhalf"], "--access-key: give ID:SECRET"),
        (["--stop-of-stopped", "x"], "stop_of_stopped: 'x'"),
        (["--scenario", "/does/not/exist.json"], "--scenario /does/not/exist.json"),
    ],
)
def test_wrong_options_end_with_a_clear_text(capsys, arguments, text):
    """On standard error, status 2, no trace, and no half of a secret."""
    assert main(arguments) == 2
    shown = capsys.readouterr().err
    assert shown.startswith("emulator: ")
    assert text in shown
    assert "onlyhalf" not in shown


@pytest.mark.parametrize(
    ("content", "text"),
    [
        ("{", "scenario.json: "),
        ("5", "give a list of fault rules or an object"),
        ('{"fault": []}', "unknown field 'fault'"),
        ('{"faults": {}}', "faults: not a list"),
        ('{"jobs": []}', "jobs: not an object"),
        ('{"quotas": {"qps": 1}}', "unknown quota 'qps'"),
        ('{"faults": [{"drop": "x"}]}', "fault 1: drop"),
    ],
)
def test_a_wrong_scenario_is_refused_by_field(capsys, tmp_path, content, text):
    """Naming the file and the field."""
    path = tmp_path / "scenario.json"
    path.write_text(content)
    assert main(["--scenario", str(path)]) == 2
    assert text in capsys.readouterr().err


def test_a_taken_port_is_told(capsys, emulator):
    """With what to do about it."""
    assert main(["--port", str(emulator.port)]) == 2
    assert "choose another --port" in capsys.readouterr().err


def test_the_connection_line_is_ready_for_a_shell(emulator):
    """One assignment whose value is Airflow's JSON form of a connection."""
    (word,) = shlex.split(connection_line(emulator))
    name, _, value = word.partition("=")
    assert name == "AIRFLOW_CONN_DATAWORKS_DEFAULT"
    assert json.loads(value) == {
        "conn_type": "dataworks",
        "host": "http://127.0.0.1",
        "port": emulator.port,
        "login": "LTAIemulator",
        "password": "emulator-secret",
        "extra": {"region": "cn-shanghai"},
    }


def test_keys_that_might_be_real_are_not_printed():
    """Only the built-in pair is known to be made up."""
    line = connection_line(made("--access-key", "LTAIreal:real-secret", "--security-token", "real-token"))
    assert "LTAIreal" in line
    assert "real-secret" not in line
    assert "real-token" not in line


def test_a_call_is_one_line():
    """Time, operation, version, job, outcome, status before and after."""
    record = CallRecord(
        time=0.0,
        operation="StopDIJob",
        version="2020-05-18",
        job_id=11668,
        outcome="refused",
        code="Throttling.User",
        http_status=429,
        fault="throttle",
        status_before="Running",
        status_after="Running",
    )
    line = call_line(record)
    assert re.fullmatch(
        r"\d\d:\d\d:\d\d StopDIJob 2020-05-18 job 11668: refused 429 Throttling.User \[throttle\]; Running -> Running",
        line,
    )
    dropped = replace(record, http_status=None, code="", fault="", job_id=None, status_before=None, outcome="broken")
    assert call_line(dropped).endswith("no job: broken no answer")


def test_a_reader_that_left_does_not_break_the_answers(monkeypatch):
    """Lines are for whoever looks; calls are answered all the same."""

    class Closed:
        def write(self, text: str) -> int:
            raise BrokenPipeError

        def flush(self) -> None:
            raise BrokenPipeError

    monkeypatch.setattr(sys, "stdout", Closed())
    say("one")
    say("two")
    assert sys.stdout is None


def test_importing_the_emulator_brings_neither_airflow_nor_aiohttp():
    """The first is heavy, the second an extra."""
    code = "import sys, airflow_provider_dataworks.emulator; print({'airflow', 'aiohttp', 'httpx'} & set(sys.modules))"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "set()\n"


@pytest.mark.parametrize("name", [signal.SIGINT, signal.SIGTERM])
def test_a_process_serves_and_ends_cleanly(name):
    """Ctrl-C and SIGTERM: status 0, nothing on standard error."""
    environment = {**os.environ, "PYTHONUNBUFFERED": ""}
    with subprocess.Popen(
        [*COMMAND, "--port", "0", "--job", "11668=Running"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=environment,
    ) as process:
        try:
            url = process.stdout.readline().split()[3]
            lines = [process.stdout.readline() for _ in range(3)]
            assert lines[0] == "access key LTAIemulator, secret emulator-secret\n"
            assert lines[1].startswith("AIRFLOW_CONN_DATAWORKS_DEFAULT='{")
            assert lines[2] == "job 11668 mysql_to_holo_sync_11668 in project 1967: Running\n"
            assert httpx.get(f"{url}/?Action=StopDIJob&DIJobId=11668", trust_env=False).status_code == 404
            assert "StopDIJob" in process.stdout.readline()
        finally:
            process.send_signal(name)
        out, err = process.communicate(timeout=20)
    assert (process.returncode, out, err) == (0, "emulator ended\n", "")


# Its own process traces itself, and interrupts itself at each line that it runs once it handles signals.
STORM = """
import signal, sys
from airflow_provider_dataworks.emulator.__main__ import main

before = signal.getsignal(signal.SIGINT)

def interrupt(frame, event, argument):
    if signal.getsignal(signal.SIGINT) is not before:
        signal.raise_signal(signal.SIGINT)
    return interrupt

sys.settrace(interrupt)
code = main(["--port", "0"])
sys.settrace(None)
sys.exit(code)
"""


def test_a_signal_at_any_moment_ends_it():
    """Also one that comes between the last line printed and the wait for it."""
    done = subprocess.run([sys.executable, "-c", STORM], capture_output=True, text=True, timeout=60, check=False)

    assert (done.returncode, done.stdout.splitlines()[-1:], done.stderr) == (0, ["emulator ended"], "")
