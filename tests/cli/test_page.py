"""The page ``how-to/command-line.md``: each command on it is run, and shows what stands below it."""

from __future__ import annotations

import re
import shlex
from datetime import UTC, datetime
from difflib import unified_diff
from pathlib import Path

import pytest
from command_line import Say
from dag_runs import database, run_dag
from emulated import JOB, Clock
from stored import forget_notes, keep_dag, set_dag

from airflow_provider_dataworks.cli.commands import COMMANDS, EXIT_CODES
from airflow_provider_dataworks.cli.parser import PROGRAM
from airflow_provider_dataworks.emulator import Emulator
from airflow_provider_dataworks.operators.dataworks import StopDIJobOperator
from airflow_provider_dataworks.version_compat import DAG

PAGE = (Path(__file__).parents[2] / "docs" / "pages" / "how-to" / "command-line.md").read_text()
BLOCKS = re.findall(r"^```(\w+)\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
DAG_FILE = """
from datetime import datetime, timedelta
from airflow_provider_dataworks.maintenance import DIJobMaintenance, MaintenanceWindow
from airflow_provider_dataworks.version_compat import DAG
WINDOW = MaintenanceWindow("0 2 * * SUN", timedelta(hours=3), "Asia/Shanghai")
with DAG("orders_maintenance", schedule=WINDOW.timetable, start_date=datetime(2026, 1, 1), catchup=False) as dag:
    with DIJobMaintenance(di_job_ids=[11668, 8], window=WINDOW, preflight={"max_lag": 300}):
        pass
"""
# What differs from run to run, in the order in which it is taken out.
_CHANGES = (
    (re.compile(r"[0-9A-F]{8}-[0-9A-F-]{27}"), "REQUEST"),
    (re.compile(r"manual__\S+"), "RUN"),
    (re.compile(r"\d{4}-\d\d-\d\d \d\d:\d\d UTC(?: \([^)]*\))?"), "MOMENT"),
    (re.compile(r"\d\d:\d\d:\d\d UTC"), "TIME"),
    (re.compile(r"127\.0\.0\.1:\d+"), "HOST"),
    (re.compile(r"File: .*"), "FILE"),
    (re.compile(r"region [\w -]+,"), "REGION"),
    (re.compile(r"AccessKey ID \S+"), "KEY"),
    (re.compile(r"makes \d+ a second"), "makes some a second"),
    (re.compile(r"^.*Filling up the DagBag.*$", re.MULTILINE), ""),  # Airflow's own, on stderr
    (re.compile(r" {2,}"), "  "),
)


def plain(text: str) -> list[str]:
    """Return the lines of an output without what differs from run to run."""
    for pattern, name in _CHANGES:
        text = pattern.sub(name, text)
    return [line for line in text.strip().splitlines() if line]


@pytest.fixture
def world(say: Say, emulator: Emulator, clock: Clock, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What the page tells of: jobs, a run that left one down, and the file of a DAG."""
    emulator.add_job(JOB, lag=0, stop_seconds=0)
    database()
    forget_notes()  # what other tests have stopped or started is not here
    with DAG("orders_maintenance", schedule=None, start_date=datetime(2026, 1, 1)) as dag:
        StopDIJobOperator(task_id="stop", di_job_id=JOB)
    assert run_dag(dag)[0] == "success"
    keep_dag(dag)
    set_dag("orders_maintenance", is_paused=False, next_dagrun_create_after=datetime(2026, 11, 28, 18, tzinfo=UTC))
    emulator.add_job(7, "Failed")
    emulator.add_job(8, lag=30)
    (tmp_path / "dags").mkdir()
    (tmp_path / "dags" / "orders.py").write_text(DAG_FILE)
    monkeypatch.chdir(tmp_path)
    clock.sleep(300)


@pytest.mark.usefixtures("world")
def test_every_command_of_the_page(say: Say, clock: Clock, emulator: Emulator) -> None:
    """In the order of the page, so that what is down at its beginning runs from then on."""
    misses: list[str] = []
    ran = []
    for place, (kind, text) in enumerate(BLOCKS):
        if kind != "bash":
            continue
        words = shlex.split(text)
        assert " ".join(words[:3]) == PROGRAM
        ran.append(words[3])
        answer = "y\n" if words[3] == "restart" else ""
        said = say(*words[3:], answer=answer)
        if words[3] == "restart":
            clock.sleep(300)  # for samples of its lag
        following, shown = BLOCKS[place + 1] if place + 1 < len(BLOCKS) else ("", "")
        # Both streams go to one terminal; of their lines each has its order.
        if following == "text":
            misses += unified_diff(sorted(plain(shown)), sorted(plain(said.out + said.err)), text, lineterm="", n=0)
    forget_notes()

    assert not misses, "\n".join(misses)
    assert set(ran) == {"--help", *(command.name for command in COMMANDS)}


def test_the_tables_of_the_page() -> None:
    """Every command and exit code is in them."""
    assert re.findall(r"^\| `(\w+)` \|", PAGE, re.MULTILINE) == [command.name for command in COMMANDS]
    listed = [" ".join(row) for row in re.findall(r"^\| (\d+) \| (.*) \|$", PAGE, re.MULTILINE)]
    assert listed == [" ".join(line.split()) for line in EXIT_CODES.splitlines()[1:]]
