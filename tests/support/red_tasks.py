"""Runs a task that fails, and reads its error as the person who is woken reads it."""

from __future__ import annotations

import re
import traceback
from collections.abc import Callable
from datetime import datetime
from typing import Any

import emulated  # sets Airflow's home before Airflow is imported
import pytest
from dag_runs import run_dag

from airflow_provider_dataworks.client.errors.catalog import CATALOG
from airflow_provider_dataworks.exceptions import RETRIES_LEFT, DataWorksError
from airflow_provider_dataworks.version_compat import DAG

MORE = "For more: python -m airflow_provider_dataworks explain"
_PACKAGE = "/airflow_provider_dataworks/"


def error_of(task: Any) -> DataWorksError:
    """Execute a task on its last try, as Airflow does, and return the error it ends in."""
    context = {"task": task, "ti": emulated.TaskInstance(max_tries=0)}
    task.render_template_fields(context)
    with pytest.raises(DataWorksError) as caught:
        task.execute(context)
    return caught.value


def log_of_failure(task: Callable[[], Any], name: str, capfd: pytest.CaptureFixture[str]) -> str:
    """
    Run a DAG that must fail, and return its log, which Airflow prints here.

    :param task: makes the task.
    """
    with DAG(name, schedule=None, start_date=datetime(2026, 1, 1)) as dag:
        task()
    state, _ = run_dag(dag)
    assert state == "failed"
    return capfd.readouterr().out


def misses_of(error: DataWorksError, see: str, first: str) -> list[str]:
    """Return what the text of an error lacks or its traceback has too much of, for a reader who is woken by it."""
    head = f"{type(error).__module__}.{type(error).__name__}: "
    frames = [frame for frame in traceback.extract_tb(error.__traceback__) if _PACKAGE in frame.filename]
    misses = misses_in((head + str(error)).splitlines(), see, first)
    if type(error) is not CATALOG[see].error and see != "not-dataworks":  # whose class the HTTP status decides
        misses.append(f"class {type(error).__name__}")
    if len(frames) > 3:
        misses.append(f"{len(frames)} frames of the package")
    if "Asked with connection dataworks_default" not in str(error):
        misses.append("the connection")
    return [f"{see}, {first!r}: not right: {miss}; in {str(error)!r}" for miss in misses]


def misses_in(lines: list[str], see: str, first: str) -> list[str]:
    """Return what is not as it should be in the lines of an error: what happened, on one or two; remedy; place."""
    place = f"{MORE} {see}"
    if lines.count(place) != 1:
        return [place]
    end = lines.index(place) - 1
    remedy = re.escape(CATALOG[see].remedy.replace(RETRIES_LEFT, "This was the last try: clear the task."))
    pattern = rf"What to do: (Start the job first.*cause: )?{remedy.replace('<operation>', '[A-Za-z]+')}"
    good = {
        "such first words": first in " ".join(lines[:end]),
        "short first line": len(lines[0]) <= 240,
        "remedy of the catalogue": bool(re.fullmatch(pattern, lines[end])) or see == "bad-input",
        "remedy": lines[end].startswith("What to do: "),
    }
    return [what for what, holds in good.items() if not holds]


def a_block(log: str, see: str, first: str) -> list[str]:
    """
    Find the error in a task's log, where it must stand once, with hardly a frame of the package.

    :param first: words of what happened.
    :return: what happened, as one text; the remedy; the place.
    """
    lines = [line.rstrip() for line in log.splitlines()]
    places = [number for number, line in enumerate(lines) if line == f"{MORE} {see}"]
    assert len(places) == 1, log[-3000:]
    end = places[0]
    begin = max(number for number in range(end) if re.match(r"airflow_provider_dataworks\.\w+\.\w+: ", lines[number]))
    assert misses_in(lines[begin : end + 1], see, first) == [], lines[begin : end + 1]
    assert len(re.findall(rf'File ".*{_PACKAGE}', log)) <= 3
    return [" ".join(lines[begin : end - 1]), *lines[end - 1 : end + 1]]
