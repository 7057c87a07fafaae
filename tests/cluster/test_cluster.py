"""Sixty deferred stops and a maintenance of ten jobs on a cluster that loses one part after the other."""

from __future__ import annotations

import time
from collections import Counter

import pytest
from real_airflow import SILENT, Run, account

from airflow_provider_dataworks.emulator import Emulator
from cluster.airflow import TRIGGERERS, ClusterAirflow
from cluster.servers import Postgres

pytestmark = pytest.mark.cluster

STOPPED, MAINTAINED = range(1, 61), range(101, 111)
FIRST_HALF = range(1, 31)
DATABASE_AWAY, SECRETS_AWAY = 20.0, 40.0  # seconds


def test_one_effective_stop_a_job_whatever_the_cluster_loses(
    airflow: ClusterAirflow, emulator: Emulator, database: Postgres
) -> None:
    """A worker, the triggerer with most waits, the database, and the secrets backend while both triggerers restart."""
    begun = time.monotonic()

    def tell(what: str) -> None:
        print(f"{time.monotonic() - begun:6.1f} s  {what}", flush=True)

    for job in (*STOPPED, *MAINTAINED):
        emulator.add_job(job, stop_ends_in="never", start_ends_in="never")
    # So that the worker that is killed has sent stops whose answers it does not live to see.
    emulator.inject({"operation": "StopDIJob", "skip": 20, "times": 4, "slow": 8})
    stops, maintenance = (_run(airflow, dag_id) for dag_id in ("cluster_stops", "cluster_maintenance"))

    airflow.wait_until("a slow answer", lambda: emulator.count("StopDIJob") > 20, 180)
    time.sleep(1)  # within the slow answers
    airflow.kill("worker-1")
    tell("worker-1 is killed")
    every_wait = len(STOPPED) + len(MAINTAINED)
    airflow.wait_until("all stops to be deferred", lambda: _deferred(stops, maintenance) == every_wait, 420, 1.0)
    tell(f"all are deferred: {_waits(airflow, stops, maintenance)}")

    ((most, _), *_) = _waits(airflow, stops, maintenance).most_common()
    (other,) = set(TRIGGERERS) - {most}
    airflow.kill(most)
    airflow.start("worker-1")
    tell(f"{most} is killed, worker-1 is back")
    airflow.wait_until(
        "the other to wait for all", lambda: _waits(airflow, stops, maintenance)[other] == every_wait, 120
    )
    tell(f"{other} waits for all")

    database.kill()
    tell("PostgreSQL is killed")
    for job in (*FIRST_HALF, *MAINTAINED):  # while nobody can write it down
        emulator.set_status(job, "Stopped")
    time.sleep(DATABASE_AWAY)
    database.start()
    airflow.wait_healthy(120)
    tell(f"PostgreSQL is back, and Airflow healthy; started again: {dict(airflow.restarts)}")
    airflow.wait_until("the first half to end", lambda: _states(stops)["success"] == len(FIRST_HALF), 240, 1.0)
    airflow.wait_until("ten restarts to be deferred", lambda: _restarts(maintenance) == len(MAINTAINED), 300, 1.0)
    tell("half of the stops are done, and ten restarts wait")

    (airflow.home / SILENT).touch()
    for name in TRIGGERERS:
        airflow.kill(name)
    airflow.start(*TRIGGERERS)
    looks = emulator.count()
    tell("the secrets backend is silent, both triggerers start")
    time.sleep(SECRETS_AWAY)
    assert emulator.count() == looks, "somebody had the connection from elsewhere"
    assert _deferred(stops, maintenance) == every_wait - len(FIRST_HALF)
    last = len(STOPPED) - 1
    assert "Reading it again" in stops.log(stops.task(map_index=last)["try_number"], map_index=last)
    (airflow.home / SILENT).unlink()
    for job in STOPPED:
        emulator.set_status(job, "Stopped")
    for job in MAINTAINED:
        emulator.set_status(job, "Running")
    tell("the secrets backend answers, and every job is where it is wanted")

    for run in (stops, maintenance):
        assert run.wait_end(300) == "success", run.account()
    tell(f"both runs have ended; started again: {dict(airflow.restarts)}")
    for run in (stops, maintenance):
        assert {task["state"] for task in run.tasks()} == {"success"}, run.account()
    assert {job: account(emulator, job) for job in STOPPED} == dict.fromkeys(STOPPED, ("Stopped", 1, 0))
    assert {job: account(emulator, job) for job in MAINTAINED} == dict.fromkeys(MAINTAINED, ("Running", 1, 1))
    results = [stops.result(map_index=index) for index in range(len(STOPPED))]
    assert [(result["di_job_id"], result["stopped_by_this_run"]) for result in results] == [
        (job, True) for job in STOPPED
    ]
    assert maintenance.result("maintenance.work.maintain") == ["Stopped"] * len(MAINTAINED)
    tries = Counter(task["try_number"] for run in (stops, maintenance) for task in run.tasks())
    tell(f"tasks by their tries: {dict(tries)}; calls {emulator.state()['calls']}")
    assert tries.total() > tries[1], "the worker that was killed had nothing to do, so nothing was shown"


def _run(airflow: ClusterAirflow, dag_id: str) -> Run:
    airflow.unpause(dag_id, 120)
    return Run(airflow, dag_id, airflow.trigger(dag_id))


def _states(run: Run, task_id: str | None = None) -> Counter[str]:
    return Counter(task["state"] for task in run.tasks(task_id))


def _deferred(*runs: Run) -> int:
    return sum(_states(run)["deferred"] for run in runs)


def _restarts(run: Run) -> int:
    return _states(run, "maintenance.restart")["deferred"]


def _waits(airflow: ClusterAirflow, *runs: Run) -> Counter[str]:
    return sum((airflow.waits(run.dag_id, run.run_id) for run in runs), Counter())
