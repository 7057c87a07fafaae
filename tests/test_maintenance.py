"""DIJobMaintenance: how it is wired, and that the job runs again or the run is red, whatever fails."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import pytest
from airflow_limits import needs
from any_airflow import FAIL_FAST, DagSerialization, is_mapped, task
from dag_runs import run_dag
from emulated import JOB, connect, emulator
from emulated import real_clock as clock

from airflow_provider_dataworks.emulator import Emulator
from airflow_provider_dataworks.maintenance import DIJobMaintenance, MaintenanceWindow, overrun_alert
from airflow_provider_dataworks.version_compat import DAG

__all__ = ["clock", "connect", "emulator"]
ALWAYS = MaintenanceWindow("0 0 * * *", timedelta(days=1), "UTC")
NEVER = MaintenanceWindow("0 0 1 1 *", 60, "UTC")
FAST: dict[str, Any] = {
    "stop_args": {"poll_interval": 0.05, "retries": 0, "min_remaining": 1},
    "check_args": {"poke_interval": 0.05, "timeout": 10, "retries": 0},
    "restart_args": {"poll_interval": 0.05, "retries": 0, "healthy_for": 0.1},
}


def a_dag(name: str, **arguments: Any) -> DAG:
    """Make a DAG that only a test runs."""
    return DAG(name, schedule=None, start_date=datetime(2026, 1, 1), catchup=False, **arguments)


@pytest.fixture
def job(emulator: Emulator, connect: Callable[..., None]) -> Emulator:
    """The emulator, whose job stops and starts quickly."""
    emulator.add_job(JOB, "Running", stop_seconds=0.1, start_seconds=0.1)
    return emulator


@pytest.mark.parametrize(
    ("ids", "mapped"),
    [(JOB, False), (str(JOB), False), ("{{ params.job }}", False), ([JOB, 5], True), ((JOB, 5), True)],
)
def test_it_is_wired_so_that_the_restart_always_runs(ids: Any, mapped: bool) -> None:
    """Marker as setup, restart as its teardown that fails the run, and a leaf behind the maintenance."""
    with a_dag("wired") as dag:

        @task
        def first() -> None: ...

        @task
        def second() -> None: ...

        with DIJobMaintenance(di_job_ids=ids, window=ALWAYS):
            first() >> second()

    down = {found.task_id: found.downstream_task_ids for found in dag.tasks}
    assert down == {
        "maintenance.open": {"maintenance.stop", "maintenance.restart"},
        "maintenance.stop": {"maintenance.check"},
        "maintenance.check": {"maintenance.work.first"},
        "maintenance.work.first": {"maintenance.work.second"},
        "maintenance.work.second": {"maintenance.done", "maintenance.restart"},
        "maintenance.restart": set(),
        "maintenance.done": set(),
    } | (
        {
            "maintenance.open": {"maintenance.stop", "maintenance.restart", "maintenance.restarted"},
            "maintenance.restart": {"maintenance.restarted"},
            "maintenance.restarted": set(),
        }
        if mapped
        else {}
    )
    restart, last = dag.get_task("maintenance.restart"), "maintenance.restarted" if mapped else "maintenance.restart"
    assert all(dag.get_task(f"maintenance.{name}").is_setup for name in ("open", "stop", "check"))
    assert restart.is_teardown
    serialized = DagSerialization.from_dict(DagSerialization.to_dict(dag)).get_task(last)
    assert serialized.is_teardown
    assert serialized.on_failure_fail_dagrun
    assert is_mapped(dag.get_task("maintenance.stop")) is mapped
    assert is_mapped(restart) is mapped


def test_a_group_without_work_still_restarts() -> None:
    """A stop and start, nothing in between."""
    with a_dag("empty") as dag, DIJobMaintenance(di_job_ids=JOB):
        pass

    assert dag.get_task("maintenance.check").downstream_task_ids == {"maintenance.done", "maintenance.restart"}


def test_it_is_a_decorator_too() -> None:
    """The function's tasks are the maintenance."""
    with a_dag("decorated") as dag:

        @DIJobMaintenance(di_job_ids=JOB, group_id="weekly")
        def maintain() -> None:
            """Say what is maintained."""

            @task
            def alter() -> None: ...

            alter()

        group = maintain()

    assert group.group_id == "weekly"
    assert dag.get_task("weekly.check").downstream_task_ids == {"weekly.work.alter"}
    assert maintain.__doc__ == "Say what is maintained."


def test_a_dagrun_timeout_is_refused() -> None:
    """It would skip the restart and leave the job down."""
    with a_dag("timed", dagrun_timeout=timedelta(hours=1)), pytest.raises(ValueError, match="dagrun_timeout"):
        DIJobMaintenance(di_job_ids=JOB)


def test_default_args_of_the_dag_do_not_undo_the_promise() -> None:
    """Nobody's no may be passed over, no failure hidden, and no restart may wait for that of the last run."""
    with (
        a_dag("undone", default_args={"trigger_rule": "all_done", "wait_for_downstream": True}) as dag,
        DIJobMaintenance(di_job_ids=[JOB]),
    ):
        pass

    tasks = {task.task_id.removeprefix("maintenance."): task for task in dag.tasks}
    assert {tasks[name].trigger_rule for name in ("open", "stop", "check", "done")} == {"all_success"}
    assert not any(tasks[name].depends_on_past for name in ("restart", "restarted"))
    assert not any(tasks[name].wait_for_downstream for name in ("restart", "restarted"))


@pytest.mark.parametrize("wrong", [{"stop_args": {"task_id": "x"}}, {"restart_args": {"task_id": "x"}}])
def test_a_mistake_in_one_dag_does_not_reach_the_next(wrong: dict[str, Any]) -> None:
    """A group that could not be made is left, so that it takes in no tasks of other DAGs of the process."""
    with a_dag("mistaken"), pytest.raises(TypeError), DIJobMaintenance(di_job_ids=JOB, **wrong):
        pass

    with a_dag("next") as dag, DIJobMaintenance(di_job_ids=JOB):
        pass

    assert "maintenance.stop" in dag.task_dict


def test_fail_fast_is_refused() -> None:
    """It would skip the leaf, and a failed maintenance would end in a green run."""
    with a_dag("fast", **{FAIL_FAST: True}), pytest.raises(ValueError, match="fail_fast"):
        DIJobMaintenance(di_job_ids=JOB)


@pytest.mark.parametrize("ids", [JOB, [JOB]], ids=["single", "mapped"])
def test_default_args_of_the_dag_hold_for_its_tasks(ids: Any) -> None:
    """Else it would stop a job in another account than was meant, or outside the window."""
    defaults = {"dataworks_conn_id": "theirs", "window": NEVER}
    with a_dag("defaults", default_args=defaults) as dag, DIJobMaintenance(di_job_ids=ids):
        pass

    tasks = [dag.get_task(f"maintenance.{name}") for name in ("stop", "check", "restart")]
    tasks = [task.unmap({"di_job_id": JOB}) if is_mapped(task) else task for task in tasks]
    assert [task.dataworks_conn_id for task in tasks] == ["theirs"] * 3
    assert tasks[0].window == NEVER


@needs("approval")
@pytest.mark.parametrize("approval", [True, {}, {"subject": "Go?", "response_timeout": timedelta(minutes=5)}])
def test_a_person_may_be_asked_first(approval: Any) -> None:
    """Nobody answering counts as no, and a no skips even the marker, so that nothing is restarted either."""
    with a_dag("asked") as dag, DIJobMaintenance(di_job_ids=[JOB], approval=approval):
        pass

    approve = dag.get_task("maintenance.approve")
    assert approve.defaults == ["Reject"]
    answer_within = timedelta(minutes=5) if isinstance(approval, dict) and approval else timedelta(hours=1)
    assert getattr(approve, "response_timeout", approve.execution_timeout) == answer_within
    assert approve.downstream_task_ids == {"maintenance.open"}


@needs("approval")
def test_an_overrun_can_call_somebody() -> None:
    """When the run is not over as its window closes."""
    try:
        from airflow.sdk.definitions.callback import AsyncCallback
    except ImportError:  # Airflow 3.1
        from airflow.sdk.definitions.deadline import AsyncCallback

    alert = overrun_alert(ALWAYS, AsyncCallback("tests.nobody.called"))

    assert alert.interval == timedelta(days=1)


def test_all_goes_well(job: Emulator) -> None:
    """The job is down while the maintenance runs, and runs again."""
    seen: list[str] = []
    with a_dag("well") as dag:

        @task
        def maintain() -> None:
            seen.append(job.job(JOB).status)

        with DIJobMaintenance(di_job_ids=JOB, window=ALWAYS, **FAST):
            maintain()

    state, _ = run_dag(dag)

    assert (state, seen) == ("success", ["Stopped"])
    assert (job.job(JOB).status, job.job(JOB).effective_stops, job.job(JOB).effective_starts) == ("Running", 1, 1)


def test_a_failing_maintenance_is_red_and_restarts(job: Emulator) -> None:
    """The failure is visible and the job runs."""
    with a_dag("maintenance_fails") as dag:

        @task
        def maintain() -> None:
            raise ValueError("no")

        with DIJobMaintenance(di_job_ids=[JOB], **FAST):
            maintain()

    state, tasks = run_dag(dag)

    assert state == "failed"
    assert tasks["maintenance.restart", 0].state == "success"
    assert (job.job(JOB).status, job.job(JOB).effective_starts) == ("Running", 1)


def test_a_stop_that_fails_after_it_was_sent_is_red_and_restarts(job: Emulator) -> None:
    """The obvious wiring leaves the job down here."""
    job.add_job(JOB, "Running", stop_seconds=1, start_seconds=0.1)
    with (
        a_dag("stop_fails") as dag,
        DIJobMaintenance(di_job_ids=JOB, **{**FAST, "stop_args": {"poll_interval": 0.1, "timeout": 0.3, "retries": 0}}),
    ):
        pass

    state, tasks = run_dag(dag)

    assert state == "failed"
    assert tasks["maintenance.stop", -1].state == "failed"
    assert tasks["maintenance.restart", -1].state == "success"
    assert (job.job(JOB).status, job.job(JOB).effective_stops, job.job(JOB).effective_starts) == ("Running", 1, 1)


@pytest.mark.parametrize(("ids", "map_index"), [(JOB, -1), ([JOB], 0)], ids=["single", "mapped"])
def test_a_restart_that_fails_is_red(job: Emulator, ids: Any, map_index: int) -> None:
    """The worst case may not look green; Airflow's serializer forgets that of a mapped teardown."""
    job.inject({"operation": "StartDIJob", "times": None, "error": {"status": 403, "code": "Forbidden.RAM"}})
    with a_dag(f"restart_fails_{map_index + 1}") as dag, DIJobMaintenance(di_job_ids=ids, **FAST):
        pass

    state, tasks = run_dag(dag)

    assert state == "failed"
    assert tasks["maintenance.restart", map_index].state == "failed"
    assert job.job(JOB).status == "Stopped"


def test_of_several_jobs_the_one_that_stays_down_is_named(job: Emulator) -> None:
    """The others run again; the run is red because of the one, and the error says which."""
    job.add_job(5, "Running", stop_seconds=0.1)
    job.inject({"operation": "StartDIJob", "job_id": 5, "times": None, "error": {"status": 403, "code": "Forbidden"}})
    with a_dag("one_stays_down") as dag, DIJobMaintenance(di_job_ids=[JOB, 5], **FAST):
        pass

    state, tasks = run_dag(dag)

    assert state == "failed"
    assert {name: found.state for (name, index), found in tasks.items() if index < 0} == {
        "maintenance.open": "success",
        "maintenance.done": "success",
        "maintenance.restarted": "failed",
    }
    assert (job.job(JOB).status, job.job(5).status) == ("Running", "Stopped")


def test_only_what_this_run_stopped_is_started(job: Emulator) -> None:
    """Of a fleet, one was stopped by somebody before; it stays so."""
    job.add_job(5, "Stopped")
    with a_dag("fleet") as dag, DIJobMaintenance(di_job_ids=[JOB, 5], **FAST):
        pass

    state, _ = run_dag(dag)

    assert state == "success"
    assert [(found.id, found.status, found.effective_starts) for found in job.jobs()] == [
        (5, "Stopped", 0),
        (JOB, "Running", 1),
    ]


@pytest.mark.parametrize(("outside", "state"), [("fail", "failed"), ("skip", "success")])
def test_outside_the_window_nothing_changes(job: Emulator, outside: str, state: str) -> None:
    """Whatever started the run; the maintenance does not run either."""
    ran: list[bool] = []
    with a_dag(f"outside_{outside}") as dag:

        @task
        def maintain() -> None:
            ran.append(True)

        with DIJobMaintenance(
            di_job_ids=JOB, window=NEVER, **{**FAST, "stop_args": {"outside_window": outside, "retries": 3}}
        ):
            maintain()

    found, tasks = run_dag(dag)

    assert (found, ran) == (state, [])
    assert tasks["maintenance.stop", -1].try_number == 1
    assert (job.job(JOB).status, job.job(JOB).stop_calls, job.job(JOB).start_calls) == ("Running", 0, 0)
