"""Alarms are off for exactly as long as a maintenance lasts, on a real Airflow whose parts are killed and cleared."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from real_airflow import Run, account

from airflow_provider_dataworks.emulator import Emulator
from demo.airflow_processes import LocalAirflow

pytestmark = pytest.mark.e2e

SWITCH = "UpdateDIAlarmRule"
DELAY, HEARTBEAT, FAILOVER, OFF = range(4)  # what the rules of each job are about; the last is off from the beginning
UP, DOWN = [True, True, True, False], [False, False, True, False]
_ids = itertools.count(6001)


@pytest.fixture
def job(emulator: Emulator) -> Iterator[int]:
    """A job with four alarm rules, which stops and starts within a second."""
    job_id = next(_ids)
    kinds = (("Delay", True), ("Heartbeat", True), ("FailoverCount", True), ("Heartbeat", False))
    rules = [{"id": job_id * 10 + place, "metric": metric, "enabled": on} for place, (metric, on) in enumerate(kinds)]
    emulator.add_job(job_id, stop_seconds=1, start_seconds=1, metrics_period=1, alarm_rules=rules)
    yield job_id
    emulator.set_quotas(calls_per_day=None)


@pytest.fixture
def begin(job: int, start_run: Callable[..., Run]) -> Callable[..., Run]:
    """Start a maintenance of the job; keyword arguments are the run's conf."""

    def start(dag_id: str = "e2e_alarms", **conf: Any) -> Run:
        return start_run(dag_id, job=job, reason="new column", **conf)

    return start


def alarms(emulator: Emulator, job: int) -> list[bool]:
    """Return which of a job's alarm rules are on."""
    return [rule.enabled for rule in emulator.alarm_rules(job)]


def told(run: Run) -> dict[str, str]:
    """Return what the report says of the alarms, by metric."""
    (found,) = run.result("maintenance.report")["jobs"]
    return {rule["metric"]: rule["outcome"] + (", off" if rule["off"] else "") for rule in found["alarms"]}


@pytest.mark.parametrize("conn", ["dataworks_2024", "dataworks_default"])
def test_all_goes_well(emulator: Emulator, job: int, begin: Callable[..., Run], conn: str) -> None:
    """By both API versions; the older one cannot say much of the lag, and that was accepted."""
    run = begin(conn=conn, seconds=4)
    run.wait_task("running", "maintenance.work.maintain", timeout=90)
    while_down = alarms(emulator, job)

    assert run.wait_end(120) == "success"
    assert (while_down, alarms(emulator, job)) == (DOWN, UP)
    assert account(emulator, job) == ("Running", 1, 1)
    assert told(run) == {"Delay": "changed", "Heartbeat": "changed"}
    assert "Alarms of DI job" in run.log(1, "maintenance.report")


def test_the_worker_dies_while_it_silences(
    airflow: LocalAirflow, emulator: Emulator, job: int, begin: Callable[..., Run]
) -> None:
    """One rule is off, the other is not: the next try goes on."""
    emulator.inject({"operation": SWITCH, "job_id": job, "skip": 1, "slow": 8})
    run = begin()
    run.wait_for("the first rule", lambda: not alarms(emulator, job)[DELAY], 90)
    airflow.kill_worker(run.task("maintenance.silence_alarms")["pid"])

    assert run.wait_end(180) == "success"
    assert run.task("maintenance.silence_alarms")["try_number"] == 2
    assert (alarms(emulator, job), account(emulator, job)) == (UP, ("Running", 1, 1))


def test_the_worker_dies_between_silencing_and_stop(
    airflow: LocalAirflow, emulator: Emulator, job: int, begin: Callable[..., Run]
) -> None:
    """The stop's next try stops the job once."""
    emulator.inject({"operation": "StopDIJob", "job_id": job, "slow": 8, "effect": False})
    run = begin()
    run.wait_task("running", "maintenance.stop", timeout=90)
    assert alarms(emulator, job) == DOWN
    airflow.kill_worker(run.task("maintenance.stop")["pid"])

    assert run.wait_end(180) == "success"
    assert (alarms(emulator, job), account(emulator, job)) == (UP, ("Running", 1, 1))


def test_the_worker_dies_between_stop_and_restart(
    airflow: LocalAirflow, emulator: Emulator, job: int, begin: Callable[..., Run]
) -> None:
    """The maintenance has failed: the run is red, the job runs and its alarms are on."""
    run = begin(seconds=60)
    run.wait_task("running", "maintenance.work.maintain", timeout=90)
    airflow.kill_worker(run.task("maintenance.work.maintain")["pid"])

    assert run.wait_end(180) == "failed"
    assert (alarms(emulator, job), account(emulator, job)) == (UP, ("Running", 1, 1))


def test_the_worker_dies_after_the_restart(
    airflow: LocalAirflow, emulator: Emulator, job: int, begin: Callable[..., Run]
) -> None:
    """The next try switches the alarms on."""
    emulator.inject({"operation": SWITCH, "job_id": job, "skip": 2, "slow": 8})
    run = begin()
    run.wait_task("running", "maintenance.restore_alarms", timeout=120)
    airflow.kill_worker(run.task("maintenance.restore_alarms")["pid"])

    run.wait_end(180)
    assert run.task("maintenance.restore_alarms")["state"] == "success"
    assert (alarms(emulator, job), account(emulator, job)) == (UP, ("Running", 1, 1))


def test_the_run_is_cleared(airflow: LocalAirflow, emulator: Emulator, job: int, begin: Callable[..., Run]) -> None:
    """While the job is down: what the silencing told is gone with it, and the alarms come on all the same."""
    run = begin(seconds=8)
    run.wait_task("running", "maintenance.work.maintain", timeout=90)
    airflow.clear_tasks(run.dag_id, run.run_id, *(task["task_id"] for task in run.tasks()))

    airflow.wait_until("the alarms to be on again", lambda: alarms(emulator, job) == UP, 180)
    run.wait_end(120)
    assert account(emulator, job)[0] == "Running"


def test_the_run_is_marked_failed_by_hand(
    airflow: LocalAirflow, emulator: Emulator, job: int, begin: Callable[..., Run]
) -> None:
    """Teardowns run: the job is started and its alarms are on."""
    run = begin(seconds=120)
    run.wait_task("running", "maintenance.work.maintain", timeout=90)
    airflow.mark_run(run.dag_id, run.run_id, "failed")

    airflow.wait_until("the alarms to be on again", lambda: alarms(emulator, job) == UP, 120)
    run.wait_end(120)
    assert account(emulator, job) == ("Running", 1, 1)


def test_no_reason_and_no_preflight_touch_nothing(
    emulator: Emulator, job: int, begin: Callable[..., Run], start_run: Callable[..., Run]
) -> None:
    """A run without a reason, one whose preflight cannot ask, and one whose preflight says no."""
    emulator.inject({"operation": "ListDIJobMetrics", "job_id": job, "times": None, "error": {"status": 403}})
    runs = {
        "without a reason": start_run("e2e_alarms", job=job),
        "cannot ask": begin("e2e_alarms_strict"),
        "the older API cannot": begin("e2e_alarms_strict", conn="dataworks_default"),
    }
    ends = {name: run.wait_end(120) for name, run in runs.items()}

    assert set(ends.values()) == {"failed"}
    assert "reason: is missing" in runs["without a reason"].log(1, "maintenance.preflight")
    assert "[?]" in runs["cannot ask"].log(1, "maintenance.preflight")
    assert "[?]" in runs["the older API cannot"].log(1, "maintenance.preflight")
    assert (alarms(emulator, job), emulator.job(job).stop_calls) == (UP, 0)
    assert {rule.changes for rule in emulator.alarm_rules(job)} == {0}


def test_a_downtime_that_is_too_long_is_red(emulator: Emulator, job: int, begin: Callable[..., Run]) -> None:
    """The job runs, its alarms are on, and the report says how long it was down."""
    run = begin(seconds=22)

    assert run.wait_end(150) == "failed"
    assert (alarms(emulator, job), account(emulator, job)) == (UP, ("Running", 1, 1))
    assert "down for longer than 20 s" in run.log(1, "maintenance.report")


def test_the_days_calls_are_used_up_in_the_middle(
    airflow: LocalAirflow, emulator: Emulator, job: int, begin: Callable[..., Run]
) -> None:
    """Nothing can be started today: the run is red, says what is down and off, and clearing it later mends both."""
    run = begin(seconds=8)
    run.wait_task("running", "maintenance.work.maintain", timeout=90)
    emulator.set_quotas(calls_per_day=1)
    assert run.wait_end(150) == "failed"
    assert (alarms(emulator, job), account(emulator, job)) == (DOWN, ("Stopped", 1, 0))
    assert f"DI job {job} is down" in run.log(1, "maintenance.restart")
    assert "Alarm rules are still off" in run.log(1, "maintenance.restore_alarms")

    emulator.set_quotas(calls_per_day=None)
    airflow.clear_tasks(
        run.dag_id, run.run_id, "maintenance.restart", "maintenance.restore_alarms", "maintenance.report"
    )
    airflow.wait_until("the alarms to be on again", lambda: alarms(emulator, job) == UP, 120)
    run.wait_end(120)
    assert account(emulator, job) == ("Running", 1, 1)
