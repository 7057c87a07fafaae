"""``plan``: what the next run of a DAG would do, read from its file; nothing is touched."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from command_line import Say
from emulated import JOB, Clock

from airflow_provider_dataworks.emulator import Emulator

Write = Callable[[str], Path]
LOOKS = {"GetDIJob", "ListDIJobs", "ListDIJobMetrics", "ListDIJobRunDetails"}
HEAD = """
from datetime import datetime, timedelta
from airflow_provider_dataworks.maintenance import DIJobMaintenance, MaintenanceWindow
from airflow_provider_dataworks.operators.dataworks import StartDIJobOperator, StopDIJobOperator
from airflow_provider_dataworks.version_compat import DAG
WINDOW = MaintenanceWindow("0 2 * * SUN", timedelta(hours=3), "Asia/Shanghai")
ARGUMENTS = {"start_date": datetime(2026, 1, 1), "catchup": False, "schedule": None}
"""
MAINTENANCE = """
with DAG("planned", **{**ARGUMENTS, "schedule": WINDOW.timetable}) as dag:
    with DIJobMaintenance(di_job_ids=[11668, 8], window=WINDOW, preflight={"max_lag": 60}):
        pass
"""


@pytest.fixture
def write(tmp_path: Path, emulator: Emulator, clock: Clock) -> Write:
    """Write a DAG file, and return its path; the jobs have run for a while."""
    emulator.add_job(JOB, lag=3)
    emulator.add_job(8, lag=3)
    clock.sleep(300)

    def write(text: str) -> Path:
        path = tmp_path / "dag.py"
        path.write_text(HEAD + text)
        return path

    return write


def test_a_maintenance(say: Say, emulator: Emulator, write: Write) -> None:
    """Window, jobs, checks and calls; judged as of the next opening, although the window is closed now."""
    said = say("plan", "planned", "-f", write(MAINTENANCE))

    assert said.code == 0
    lines = said.out.splitlines()
    assert lines[0] == "DAG planned"
    assert "Schedule: Sun 02:00 for 3h (Asia/Shanghai)" in lines
    assert "Stop: task maintenance.stop, connection dataworks_default" in lines
    assert "  DI job 11668 is Running: would be stopped" in lines
    assert any(line.startswith("[x] window is open for long enough: 10800 s") for line in lines)
    assert any(line.startswith("[x] DI job 8: is close enough behind its source: its lag was 3 s") for line in lines)
    assert any(line.startswith("Calls: 28 at least (stop 6, check 2, restart 14, preflight 6)") for line in lines)
    assert lines[-1] == "Nothing was touched."
    assert {call.operation for call in emulator.calls} <= LOOKS


def test_a_preflight_that_would_say_no(say: Say, emulator: Emulator, write: Write) -> None:
    """What the DAG's own preflight counts as a no is one here: a job that is down, a lag that is too large."""
    emulator.add_job(8, "Stopped")

    said = say("plan", "planned", "-f", write(MAINTENANCE))

    assert said.code == 1
    assert "[ ] DI job 8: is there and Running: it is Stopped" in said.out
    assert "DI job 8 is Stopped: nothing is sent; the restart leaves it alone" in said.out

    found = say("plan", "planned", "-f", write(MAINTENANCE), "-o", "json").json
    (stop,) = found["stops"]
    assert stop["jobs"] == {"11668": "Running", "8": "Stopped"}
    assert stop["not_good"] == 1
    assert found["calls"]["stop"] == 6


def test_what_only_the_run_knows(say: Say, write: Write) -> None:
    """Templates and outputs of tasks are named, and a stop that no task makes good is pointed at."""
    text = """
with DAG("open_questions", **ARGUMENTS) as dag:
    StopDIJobOperator(task_id="templated", di_job_id="{{ params.job }}")
    StopDIJobOperator.partial(task_id="kwargs").expand_kwargs([{"di_job_id": 11668}, {"di_job_id": "8"}])
    StartDIJobOperator(task_id="start", di_job_id=11668, only_if_stopped_by=["templated"])
    StopDIJobOperator(task_id="by_template", di_job_id=8, dataworks_conn_id="{{ params.conn }}")
"""
    said = say("plan", "open_questions", "-f", write(text))

    assert said.code == 0
    assert "Known when the run begins only: {{ params.job }}." in said.out
    assert "Its connection is known when the run begins only: {{ params.conn }}." in said.out
    assert said.out.count("No task of this DAG starts them again.") == 2
    assert said.out.count("It has no window: it stops at any time.") == 2
    assert "DI job 8 is Running: would be stopped" in said.out
    assert "The DAG has no preflight: these checks are asked here only." in said.out


def test_a_window_that_is_too_short(say: Say, write: Write) -> None:
    """It keeps the stop from being sent, with and without a preflight."""
    text = """
with DAG("too_short", **ARGUMENTS) as dag:
    StopDIJobOperator(task_id="stop", di_job_id=11668, window=WINDOW, min_remaining=20_000)
"""
    said = say("plan", "too_short", "-f", write(text))

    assert said.code == 1
    assert "[ ] window is open for long enough: 10800 s" in said.out


def test_what_cannot_be_planned(say: Say, write: Write, tmp_path: Path) -> None:
    """No such file or DAG, a file that cannot be imported, a DAG that stops nothing: each is named."""
    good = write("with DAG('empty', **ARGUMENTS) as dag: pass")
    broken = tmp_path / "broken.py"
    broken.write_text("from airflow import DAG\nraise RuntimeError('half a file')")
    rows = [
        (("empty", "-f", good), 2, "DAG 'empty' has no StopDIJobOperator"),
        (("other", "-f", good), 5, "There are: empty."),
        (("other", "-f", broken), 5, "RuntimeError: half a file"),
        (("other", "-f", tmp_path / "none.py"), 2, "there is no such file"),
    ]
    misses = []
    for words, code, named in rows:
        said = say("plan", *words)
        if said.code != code or named not in said.err:
            misses.append((words, said))

    assert misses == []


def test_a_job_that_is_not_there(say: Say, emulator: Emulator, write: Write) -> None:
    """The others are told all the same."""
    emulator.inject({"operation": "ListDIJobs", "error": {"status": 403, "code": "Forbidden.RAM", "message": "no"}})
    text = "with DAG('gone', **ARGUMENTS) as dag: StopDIJobOperator(task_id='stop', di_job_id=99)"

    said = say("plan", "gone", "-f", write(text))

    assert said.code == 4
    assert "DI job 99 is not known" in said.out
    assert "explain no-such-job" in said.err


@pytest.mark.parametrize(
    "expanded",
    ['expand(dataworks_conn_id=["a", "b"])', 'expand_kwargs([{"dataworks_conn_id": "a"}, {"dataworks_conn_id": "b"}])'],
)
def test_a_connection_of_each_mapped_instance_is_known_in_the_run_only(
    say: Say, emulator: Emulator, write: Write, expanded: str
) -> None:
    """Another one would show another job."""
    text = f'with DAG("mapped", **ARGUMENTS):\n    StopDIJobOperator.partial(task_id="s", di_job_id={JOB}).{expanded}\n'

    said = say("plan", "mapped", "-f", write(text))

    assert "Its connection is known when the run begins only" in said.out
    assert emulator.calls == []


def test_a_duration_that_is_a_template_is_known_in_the_run_only(say: Say, write: Write) -> None:
    """It is no reason for a traceback."""
    text = f"""
with DAG("templated", params={{"left": 7}}, **ARGUMENTS):
    StopDIJobOperator(task_id="s", di_job_id={JOB}, window=WINDOW, min_remaining="{{{{ params.left }}}}")
"""
    said = say("plan", "templated", "-f", write(text))

    assert said.code == 0, said.out
    assert f"DI job {JOB} is Running: would be stopped" in said.out
