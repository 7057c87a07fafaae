"""The verdict at the end of several restarts: green only where each job that was stopped runs and is well."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from emulated import JOB, Clock

from airflow_provider_dataworks.emulator import Emulator
from airflow_provider_dataworks.exceptions import DataWorksError, DIJobFailed
from airflow_provider_dataworks.hooks.dataworks import DataWorksHook
from airflow_provider_dataworks.operators.maintenance_checks import RestartOutcomeOperator

OTHER = 11743
STOPPED = {"status_before": "Running", "request_id": "A-1", "withdrawn": False}
RUNS = {"status": "Running", "started_by_this_run": True}


class Run:
    """A task instance of a run: what its tasks told, how they ended, and how often Airflow was asked."""

    dag_id, run_id, map_index = "upgrade", "manual__1", -1

    def __init__(self, told: dict[tuple[str, str], list[Any]], states: list[str]) -> None:
        self._told, self._states = told, {f"restart_{index}": state for index, state in enumerate(states)}
        self.asked = 0

    def xcom_pull(self, *, task_ids: list[str], key: str = "return_value") -> list[Any]:
        """Return what these tasks told."""
        self.asked += 1
        return [value for task_id in task_ids for value in self._told.get((task_id, key), ())]

    def get_task_states(self, run_ids: list[str], task_ids: list[str], **_: Any) -> dict[str, dict[str, str]]:
        """Return how tasks ended."""
        self.asked += 1
        return {run_ids[0]: self._states if "restart" in task_ids else {}}


@pytest.fixture
def outcome(
    connect: Callable[..., None], emulator: Emulator, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> Callable[..., list[int]]:
    """Ask for the verdict on jobs that were all stopped, by what restarts returned, noted, and how they ended."""
    connect()
    monkeypatch.setattr(DataWorksHook, "now", staticmethod(clock.now))
    monkeypatch.setattr(DataWorksHook, "sleep", staticmethod(clock.sleep))
    emulator.add_job(OTHER)

    def ask(*ids: int, results: Any = (), unproven: Any = (), states: Any = (), run: list[Run] | None = None) -> Any:
        told = {
            ("stop", "dataworks_stop"): [{**STOPPED, "di_job_id": job_id} for job_id in ids],
            ("restart", "return_value"): [{**RUNS, "di_job_id": job_id} for job_id in results],
            ("restart", "dataworks_unproven"): list(unproven),
        }
        found = Run(told, list(states))
        if run is not None:
            run.append(found)
        operator = RestartOutcomeOperator(
            task_id="restarted", di_job_ids=list(ids), stopped_by=["stop"], started_by=["restart"]
        )
        return operator.execute({"ti": found, "task": operator})  # type: ignore[typeddict-item,arg-type]

    return ask


def test_a_restart_that_failed_is_red_though_its_job_runs(outcome: Callable[..., list[int]]) -> None:
    """Whatever it told: one that was killed, or marked as failed, tells nothing."""
    unproven = [{"di_job_id": OTHER, "why": "metrics refused", "status": "Running"}, "spoiled", {"di_job_id": "x"}]
    rows: tuple[tuple[dict[str, Any], str | None], ...] = (
        ({"results": [JOB, OTHER], "states": ["success", "success"]}, None),
        ({"results": [JOB], "states": ["success", "failed"]}, f"DI job {OTHER}: it runs, but no restart tells"),
        ({"results": [JOB], "states": ["success", "upstream_failed"]}, f"DI job {OTHER}: it runs, but no restart"),
        ({"results": [JOB], "unproven": unproven, "states": ["success", "failed"]}, f"{OTHER}: metrics refused"),
        # Airflow keeps no results; a person has marked the restart of a job that they started themselves.
        ({"states": ["success", "success"]}, None),
        ({"results": [JOB], "states": ["success", "success"]}, None),
        ({"results": [JOB], "unproven": unproven, "states": ["success", "success"]}, None),
        ({"results": [JOB, OTHER], "states": ["success", "failed"]}, None),
    )
    missed = []
    for told, wanted in rows:
        try:
            outcome(JOB, OTHER, **told)
        except DIJobFailed as error:
            if wanted is None or wanted not in str(error) or error.see != "not-proven":
                missed.append((told, str(error)))
        else:
            missed += [] if wanted is None else [(told, "green")]
    assert missed == []


def test_a_job_that_was_deleted_hides_no_other_that_is_down(
    outcome: Callable[..., list[int]], emulator: Emulator
) -> None:
    """Both are named."""
    emulator.set_status(JOB, "Stopped")

    with pytest.raises(DIJobFailed) as caught:
        outcome(99, JOB, states=["failed", "failed"])

    assert "not running again: 99 (not known: GetDIJob of DI job 99 failed" in str(caught.value)
    assert f"{JOB} (Stopped)" in str(caught.value)


def test_an_outage_is_no_verdict(outcome: Callable[..., list[int]], emulator: Emulator) -> None:
    """Airflow tries again."""
    emulator.inject({"operation": "GetDIJob", "times": None, "error": {"status": 429, "code": "Throttling.User"}})

    with pytest.raises(DataWorksError) as caught:
        outcome(JOB, states=["failed"])

    assert caught.value.retryable


def test_airflow_is_asked_as_often_for_many_jobs_as_for_one(outcome: Callable[..., list[int]]) -> None:
    """Each question goes to its API server."""
    runs: list[Run] = []
    ids = list(range(1, 301))

    assert outcome(*ids, results=ids, states=["success"] * 300, run=runs) == ids
    outcome(JOB, results=[JOB], states=["success"], run=runs)

    assert runs[0].asked == runs[1].asked
