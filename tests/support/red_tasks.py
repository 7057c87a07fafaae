"""Runs a task that fails, and reads its log as the person who is woken reads it."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import datetime
from typing import Any

import emulated  # noqa: F401 - sets Airflow's home before Airflow is imported
import pytest
from dag_runs import run_dag

from airflow_provider_dataworks.client.errors.catalog import CATALOG
from airflow_provider_dataworks.exceptions import RETRIES_LEFT
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
    Find the error in a task's log: what happened, on one line or two, the remedy, and the place in README.

    :param first: words of what happened.
    :return: what happened, as one text; the remedy; the place.
    """
    lines = [line.rstrip() for line in text.splitlines()]
    places = [number for number, line in enumerate(lines) if line == f"See README.md#{see}"]
    assert places, text[-3000:]
    end = places[0] - 1
    begin = max(number for number in range(end) if re.match(r"airflow_provider_dataworks\.\w+\.\w+: ", lines[number]))
    block = [" ".join(lines[begin:end]), *lines[end : end + 2]]
    assert first in block[0], block
    assert len(lines[begin]) <= 240, block
    remedy = re.escape(CATALOG[see].remedy.replace(RETRIES_LEFT, "This was the last try: clear the task."))
    said = re.fullmatch(
        rf"What to do: (Start the job first.*cause: )?{remedy.replace('<operation>', '[A-Za-z]+')}", block[1]
    )
    assert said or see == "bad-input", block
    assert block[1].startswith("What to do: ")
    return block
