"""``window``: open or not, why not, and when next; by the clock of its zone."""

from __future__ import annotations

import json
from datetime import datetime, timedelta

import pytest
from command_line import Say
from dag_runs import run_dag
from stored import keep_dag

from airflow_provider_dataworks.emulator import Emulator
from airflow_provider_dataworks.maintenance import MaintenanceWindow
from airflow_provider_dataworks.operators.dataworks import StopDIJobOperator
from airflow_provider_dataworks.version_compat import DAG

# As JSON, since Airflow 2.11 keeps no other form of a task's window in its database.
YEARLY = MaintenanceWindow("0 2 1 1 *", 3600, "UTC").to_json()
SUNDAYS = ("--cron", "0 2 * * SUN", "--duration", "PT3H", "--timezone", "Asia/Shanghai")


def test_open(say: Say, emulator: Emulator) -> None:
    """Until when, and what follows; nobody is asked."""
    said = say("window", *SUNDAYS, "--at", "2026-11-29T03:30:00+08:00", "-n", "1")

    assert said.code == 0
    assert said.out.splitlines() == [
        "Sun 02:00 for 3h (Asia/Shanghai)",
        "open    now, Sun 2026-11-29 03:30 CST; it closes in 1 h 30 min, Sun 2026-11-29 05:00 CST",
        "OPENS NEXT                CLOSES                    LASTS  IN",
        "Sun 2026-12-06 02:00 CST  Sun 2026-12-06 05:00 CST  3 h    6 d 22 h",
    ]
    assert emulator.calls == []


def test_why_it_is_closed(say: Say) -> None:
    """Frozen, between two openings, too little left, or never again."""
    ever = ("--freeze", "2026-01-01/9998-12-31")
    rows = [
        (("--at", "2026-11-28T00:00:00Z"), "no opening lasts at this moment"),
        (("--at", "2026-11-28T20:00:00Z", "--freeze", "2026-11-29"), "2026-11-29 is frozen"),
        (("--at", "2026-11-28T20:00:00", "--freeze", "2026-11-28/2026-12-02"), "2026-11-28 to 2026-12-02 is frozen"),
        (("--at", "2026-11-28T20:30:00Z", "--min-remaining", "3600"), "only 30 min of it are left, and 1 h are needed"),
        (("--at", "2026-11-28T20:00:00Z", *ever), "It never opens again."),
    ]
    misses = []
    for words, why in rows:
        said = say("window", *SUNDAYS, *words)
        if said.code != 1 or why not in said.out:
            misses.append((words, said))

    assert misses == []


def test_an_opening_that_a_freeze_cuts_short(say: Say) -> None:
    """It is said with the opening."""
    words = ("--cron", "0 22 * * *", "--duration", "14400", "--timezone", "UTC", "--freeze", "2026-11-30")

    assert "2 h, cut short" in say("window", *words, "--at", "2026-11-29T00:00:00Z", "-n", "1").out


def test_json(say: Say) -> None:
    """For programs, in UTC."""
    (found,) = say("window", *SUNDAYS, "--at", "2026-11-28T20:30:00Z", "-n", "2", "-o", "json").json

    assert found["open"] is True
    assert found["why_not"] is None
    assert found["remaining_seconds"] == 1800
    assert MaintenanceWindow.from_json(json.dumps(found["window"])).timezone == "Asia/Shanghai"
    assert found["next"][0] == {"start": "2026-12-05T18:00:00+00:00", "end": "2026-12-05T21:00:00+00:00"}


def test_bad_input_is_named(say: Say) -> None:
    """With exit code 2."""
    rows = [
        ((), "--cron, --duration, --timezone"),
        (SUNDAYS[:4], "--timezone"),
        (("a_dag", "--cron", "@daily"), "--cron: does not go with a DAG's id"),
        ((*SUNDAYS, "--at", "tomorrow"), "--at: 'tomorrow'"),
        ((*SUNDAYS, "-n", "0"), "--count: '0'"),
        ((*SUNDAYS, "--min-remaining", "soon"), "--min-remaining: 'soon'"),
        ((*SUNDAYS[:4], "--timezone", "Mars"), "timezone: 'Mars'"),
        (("--cron", "x", *SUNDAYS[2:]), "cron: 'x'"),
        ((*SUNDAYS[:2], "--duration", "3 h", *SUNDAYS[4:]), "duration: '3 h'"),
    ]
    misses = [
        (words, said) for words, named in rows if (said := say("window", *words)).code != 2 or named not in said.err
    ]

    assert misses == []


@pytest.mark.usefixtures("emulator")
def test_the_windows_of_a_dag(say: Say) -> None:
    """Of its schedule and of its stops, each once, as Airflow's database has them."""
    always = MaintenanceWindow("0 0 * * *", timedelta(hours=24), "UTC")
    with DAG("windowed", schedule=always.timetable, start_date=datetime(2026, 1, 1), catchup=False) as dag:
        StopDIJobOperator(task_id="stop", di_job_id=1, window=always.to_json())
        StopDIJobOperator(task_id="other", di_job_id=2, window=YEARLY)
    with DAG("nothing_to_do", schedule=None, start_date=datetime(2026, 1, 1)) as empty:
        pass
    run_dag(empty)  # makes the database
    keep_dag(dag)

    said = say("window", "windowed", "-n", "1", "--at", "2026-11-28T20:00:00Z")

    assert said.code == 1
    assert "schedule of windowed, task stop: daily 00:00 for 1d (UTC)" in said.out
    assert "task other: " in said.out
    assert (said.out.count("open  "), said.out.count("closed  ")) == (1, 1)

    said = say("window", "no_such_dag")
    assert (said.code, said.out) == (5, "")
    assert "'no_such_dag'" in said.err
