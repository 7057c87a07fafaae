"""Runs a task that fails, and reads its log as the person who is woken reads it."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any

import emulated  # noqa: F401 - sets Airflow's home before Airflow is imported
import pytest
from dag_runs import run_dag

from airflow_provider_dataworks.client.troubles import TROUBLES
from airflow_provider_dataworks.version_compat import DAG


def log_of_failure(task: Callable[[], Any], name: str, capfd: pytest.CaptureFixture[str]) -> str:
    """
    Run a DAG that must fail, and return its log, which Airflow prints here.

    :param task: makes the task.
    """
    with DAG(name, schedule=None, start_date=datetime(2026, 1, 1)) as dag:
        task()
    state, _ = run_dag(dag)
    assert state == "failed"
    return "".join(capfd.readouterr())


def a_block(text: str, see: str, first: str) -> list[str]:
    """
    Find the error in a task's log: a line with the facts, one with the remedy, one with the place in README.

    :param first: words of the first line.
    """
    lines = [line.rstrip() for line in text.splitlines()]
    places = [number for number, line in enumerate(lines) if line == f"See README.md#{see}"]
    assert places, text[-3000:]
    block = lines[places[0] - 2 : places[0] + 1]
    assert first in block[0], block
    assert block[1] == f"What to do: {TROUBLES[see].remedy}" or see == "bad-input", block
    assert block[1].startswith("What to do: ")
    return block
