"""Every example DAG imports without a connection, says what it does, and runs."""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import pytest
from dag_runs import run_dag
from emulated import JOB, connect, emulator
from emulated import real_clock as clock

from airflow_provider_dataworks.client import watching
from airflow_provider_dataworks.emulator import Emulator

__all__ = ["clock", "connect", "emulator"]
EXAMPLES = sorted((Path(__file__).parent.parent / "example_dags").glob("*.py"))


def load(path: Path) -> ModuleType:
    """Import a DAG file as Airflow does."""
    spec = importlib.util.spec_from_file_location(path.stem, path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[path.stem] = module
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_it_imports_without_a_connection_and_carries_tags(path: Path) -> None:
    """An example that breaks at import breaks the user's DAG folder."""
    dag = load(path).dag

    assert dag.dag_id == path.stem
    assert {"example", "dataworks"} <= set(dag.tags)
    assert load(path).__doc__


def test_the_stop_example_stops_checks_and_reports(emulator: Emulator, connect: Callable[..., None]) -> None:
    """It is README's quick start and the demo."""
    emulator.add_job(JOB, "Running", stop_seconds=0.1)
    dag = load(EXAMPLES[0].with_name("example_dataworks_stop.py")).dag

    state, tasks = run_dag(dag)

    assert state == "success"
    assert emulator.job(JOB).effective_stops == 1
    report = tasks["report", -1].xcom_pull(task_ids="report")
    assert report == "DI job 11668: Running before, Stopped now; stopped by this run."


def test_the_example_of_many_stops_them_all(
    emulator: Emulator, connect: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    """With fewer jobs and a pool that is there, the same DAG."""
    monkeypatch.setattr(watching, "FIRST_LOOK", 0.1)
    monkeypatch.setenv("DATAWORKS_JOBS", "3")
    for job_id in (1, 2, 3):
        emulator.add_job(job_id, "Running", stop_seconds=0)
    dag = load(EXAMPLES[0].with_name("example_dataworks_stop_many.py")).dag
    stop = dag.get_task("stop")
    stop.partial_kwargs.update(pool="default_pool", poll_interval=0.2)

    state, tasks = run_dag(dag)

    assert state == "success"
    assert [emulator.job(job_id).effective_stops for job_id in (1, 2, 3)] == [1, 1, 1]
    assert tasks["report", -1].xcom_pull(task_ids="report") == (
        "3 DI jobs do not run: 3 stopped by this run, 0 before it."
    )
