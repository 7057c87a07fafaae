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


def new_job(emulator: Emulator) -> int:
    """Add a job with four alarm rules, which stops and starts within a second."""
    job_id = next(_ids)
    kinds = (("Delay", True), ("Heartbeat", True), ("FailoverCount", True), ("Heartbeat", False))
    rules = [{"id": job_id * 10 + place, "metric": metric, "enabled": on} for place, (metric, on) in enumerate(kinds)]
    emulator.add_job(job_id, stop_seconds=1, start_seconds=1, metrics_period=1, alarm_rules=rules)
    return job_id


@pytest.fixture
def job(emulator: Emulator) -> Iterator[int]:
    """Such a job, in an account without limits at the end."""
    yield new_job(emulator)
    emulator.set_quotas(calls_per_day=None)


@pytest.fixture
def begin(start_run: Callable[..., Run]) -> Callable[..., Run]:
    """Start a maintenance; keyword arguments are the run's conf."""

    def start(dag_id: str = "e2e_alarms", **conf: Any) -> Run:
        return start_run(dag_id, **{"reason": "new column", **conf})

    return start


def alarms(emulator: Emulator, job: int) -> list[bool]:
    """Return which of a job's alarm rules are on."""
    return [rule.enabled for rule in emulator.alarm_rules(job)]


def told(run: Run) -> dict[str, str]:
    """Return what the report says of the alarms, by metric."""
    (found,) = run.result("maintenance.report")["jobs"]
    return {rule["metric"]: rule["outcome"] + (", off" if rule["off"] else "") for rule in found["alarms"]}


def mark_failed(airflow: LocalAirflow, run: Run) -> None:
    """Do it by hand."""
    airflow.mark_run(run.dag_id, run.run_id, "failed")


def clear(airflow: LocalAirflow, run: Run) -> None:
    """Clear the whole run: what its tasks told is gone with it."""
    airflow.clear_tasks(run.dag_id, run.run_id, *(task["task_id"] for task in run.tasks()))


# The run's conf, what is done to it while the job is down, and how it ends; ``None``: as Airflow ends such runs.
ROWS: dict[str, tuple[dict[str, Any], Callable[[LocalAirflow, Run], None] | None, str | None]] = {
    "all goes well": ({"seconds": 5}, None, "success"),
    "all goes well, by the older API": ({"seconds": 5, "conn": "dataworks_default"}, None, "success"),
    "the run is marked failed": ({"seconds": 120}, mark_failed, None),
    "the run is cleared": ({"seconds": 15}, clear, None),
    "the job is down for too long": ({"seconds": 22}, None, "failed"),
}


def test_alarms_are_off_while_the_job_is_down_and_on_at_the_end(
    airflow: LocalAirflow, emulator: Emulator, begin: Callable[..., Run]
) -> None:
    """By runs at the same time; who clears one wants a second maintenance, if there is still time for it."""
    runs: dict[str, tuple[int, Run]] = {}
    for name, (conf, *_) in ROWS.items():
        job_id = new_job(emulator)
        runs[name] = job_id, begin(job=job_id, **conf)
    missed: list[Any] = []
    for name, (job_id, run) in runs.items():
        run.wait_for("the job to be down", lambda job_id=job_id: emulator.job(job_id).status == "Stopped", 120)
        if alarms(emulator, job_id) != DOWN:
            missed.append((name, "while it is down", alarms(emulator, job_id)))
        if (meddle := ROWS[name][1]) is not None:
            run.wait_task("running", "maintenance.work.maintain", timeout=90)
            meddle(airflow, run)

    for name, (job_id, run) in runs.items():
        airflow.wait_until(
            f"the alarms to be on again: {name}", lambda job_id=job_id: alarms(emulator, job_id) == UP, 240
        )
        state = run.wait_end(180)
        status, stops, starts = account(emulator, job_id)
        if (
            state != (ROWS[name][2] or state)
            or (status, stops) != ("Running", starts)
            or stops > 1 + (name == "the run is cleared")
        ):
            missed.append((name, state, status, stops, starts, run.account()))
    assert not missed, missed
    assert told(runs["all goes well"][1]) == {"Delay": "changed", "Heartbeat": "changed"}
    assert "Alarms of DI job" in runs["all goes well"][1].log(1, "maintenance.report")
    assert "down for longer than 20 s" in runs["the job is down for too long"][1].log(1, "maintenance.report")


# What holds a task up; which task's worker is killed once that has come to be; which state the run ends in.
KILLS: dict[str, tuple[dict[str, Any], dict[str, Any], str, str]] = {
    "while it silences": ({"operation": SWITCH, "skip": 1, "slow": 10}, {}, "silence_alarms", "success"),
    "between silencing and stop": ({"operation": "GetDIJob", "skip": 1, "slow": 10}, {}, "stop", "success"),
    "between stop and restart": ({}, {"seconds": 60}, "work.maintain", "failed"),
    "after the restart": ({"operation": SWITCH, "skip": 2, "slow": 10}, {}, "restore_alarms", "success"),
}


def test_whichever_worker_dies_the_alarms_are_on_and_the_job_runs(
    airflow: LocalAirflow, emulator: Emulator, begin: Callable[..., Run]
) -> None:
    """Each job is stopped and started once; who was killed is tried again, but for the author's own task."""
    runs: dict[str, tuple[int, Run]] = {}
    for name, (fault, conf, *_) in KILLS.items():
        job_id = new_job(emulator)
        if fault:
            emulator.inject({**fault, "job_id": job_id})
        runs[name] = job_id, begin(job=job_id, **conf)

    for name, (_, run) in runs.items():
        task = f"maintenance.{KILLS[name][2]}"
        run.wait_task("running", task, timeout=120)
        airflow.kill_worker(run.task(task)["pid"])

    missed = []
    for name, (job_id, run) in runs.items():
        state = run.wait_end(180)
        tries = run.task(f"maintenance.{KILLS[name][2]}")["try_number"]
        found = state, alarms(emulator, job_id), account(emulator, job_id)
        if found != (KILLS[name][3], UP, ("Running", 1, 1)) or tries != 1 + (state == "success"):
            missed.append((name, found, tries, run.account()))
    assert not missed, missed


def test_no_reason_and_no_preflight_touch_nothing(
    emulator: Emulator, job: int, begin: Callable[..., Run], start_run: Callable[..., Run]
) -> None:
    """A run without a reason, one whose preflight cannot ask, and one whose preflight says no."""
    refusal = {"status": 403, "code": "Forbidden.RAM"}
    emulator.inject({"operation": "ListDIJobMetrics", "job_id": job, "times": None, "error": refusal})
    runs = {
        "without a reason": start_run("e2e_alarms", job=job),
        "cannot ask": begin("e2e_alarms_strict", job=job),
        "the older API cannot": begin("e2e_alarms_strict", job=job, conn="dataworks_default"),
    }
    ends = {name: run.wait_end(120) for name, run in runs.items()}

    assert set(ends.values()) == {"failed"}
    assert "reason: is missing" in runs["without a reason"].log(1, "maintenance.preflight")
    assert "[?]" in runs["cannot ask"].log(1, "maintenance.preflight")
    assert "[?]" in runs["the older API cannot"].log(1, "maintenance.preflight")
    assert (alarms(emulator, job), emulator.job(job).stop_calls) == (UP, 0)
    assert {rule.changes for rule in emulator.alarm_rules(job)} == {0}


def test_the_days_calls_are_used_up_in_the_middle(
    airflow: LocalAirflow, emulator: Emulator, job: int, begin: Callable[..., Run]
) -> None:
    """Nothing can be started today: the run is red, says what is down and off, and clearing it later mends both."""
    run = begin(job=job, seconds=8)
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
