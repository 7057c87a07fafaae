"""Every example DAG imports without a connection, says what it does, and runs."""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from types import ModuleType

import pytest
from airflow.utils.types import DagRunType
from dag_runs import run_dag
from emulated import JOB, connect, emulator
from emulated import real_clock as clock

from airflow_provider_dataworks.emulator import Emulator
from airflow_provider_dataworks.maintenance import DIJobMaintenance
from airflow_provider_dataworks.triggers.dataworks import DIJobStatusTrigger
from airflow_provider_dataworks.version_compat import DAG

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
    """It is the one of "Stop one job", and the demo."""
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
    monkeypatch.setattr(DIJobStatusTrigger, "first_look", 0.1)
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


def test_the_maintenance_example_can_be_run_in_an_emergency(
    emulator: Emulator, connect: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Outside its window it touches nothing; told to ignore it, it stops, maintains and restarts."""
    emulator.add_job(JOB, "Running", stop_seconds=0, start_seconds=0)
    monkeypatch.setenv("DATAWORKS_DI_JOB_ID", str(JOB))
    module = load(EXAMPLES[0].with_name("example_dataworks_maintenance.py"))
    for task_id, interval in (("stop", "poll_interval"), ("check", "poke_interval"), ("restart", "poll_interval")):
        setattr(module.dag.get_task(f"maintenance.{task_id}"), interval, 0.1)
    module.dag.get_task("maintenance.restart").healthy_for = 0.3
    if not module.WINDOW.contains(datetime.now(UTC)):
        assert run_dag(module.dag)[0] == "failed"
        assert emulator.count("StopDIJob") == 0

    state, _ = run_dag(module.dag, {"ignore_window": True})

    assert state == "success"
    job = emulator.job(JOB)
    assert (job.status, job.effective_stops, job.effective_starts) == ("Running", 1, 1)


@pytest.mark.parametrize(("restart", "state", "status"), [(False, "failed", "Stopped"), (True, "success", "Running")])
def test_the_guardian_finds_what_a_maintenance_left_down(
    emulator: Emulator,
    connect: Callable[..., None],
    monkeypatch: pytest.MonkeyPatch,
    restart: bool,
    state: str,
    status: str,
) -> None:
    """It fails to be noticed, and starts the job when told; a job that somebody else stopped is left alone."""
    emulator.add_job(JOB, "Running", stop_seconds=0, start_seconds=0, alarm_rules=[{"id": 45242, "metric": "Delay"}])
    emulator.add_job(5, "Stopped")
    forbidden = {"error": {"status": 403, "code": "Forbidden.RAM"}}
    emulator.inject(
        {"operation": "StartDIJob", **forbidden}, {"operation": "UpdateDIAlarmRule", "skip": 1, **forbidden}
    )
    name = f"broken_maintenance_{restart}".lower()
    with DAG(name, schedule=None, start_date=datetime(2026, 1, 1)) as broken:
        fast = {"poll_interval": 0.1}
        proven = {**fast, "healthy_for": 0.1}
        with DIJobMaintenance(
            di_job_ids=[JOB, 5],
            silence_alarms=True,
            stop_args=fast,
            check_args={"poke_interval": 0.1},
            restart_args=proven,
        ):
            pass
    outcome, tasks = run_dag(broken)
    assert (outcome, emulator.job(JOB).status) == ("failed", "Stopped")
    monkeypatch.setenv("DATAWORKS_MAINTENANCE_DAG", name)
    dag = load(EXAMPLES[0].with_name("example_dataworks_guardian.py")).dag
    dag.get_task("restart").partial_kwargs.update(poll_interval=0.1)

    found, _ = run_dag(dag, {"restart": restart, "run_id": tasks["maintenance.stop", 0].run_id})

    assert (found, emulator.job(JOB).status) == (state, status)
    assert emulator.job(5).start_calls == 0
    assert [rule.enabled for rule in emulator.alarm_rules(JOB)] == [restart]


def test_the_guardian_knows_the_scheduled_runs_id() -> None:
    """A scheduled run of Airflow is named for the moment its window opens."""
    module = load(EXAMPLES[0].with_name("example_dataworks_guardian.py"))
    opening = module.WINDOW.next(datetime(2026, 11, 20, tzinfo=UTC))

    expected = DagRunType.SCHEDULED.generate_run_id(suffix=opening.start.isoformat())
    assert f"scheduled__{opening.start.isoformat()}" == expected == "scheduled__2026-11-21T18:00:00+00:00"
