"""Calls to DataWorks are counted: for Airflow's metrics, and in an XCom of the task that made them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest
from emulated import JOB, TaskInstance, clock, connect, emulator, hook, logged

from airflow_provider_dataworks import call_counts
from airflow_provider_dataworks.emulator import Emulator
from airflow_provider_dataworks.exceptions import DataWorksForbidden
from airflow_provider_dataworks.hooks.dataworks import DataWorksHook
from airflow_provider_dataworks.operators.dataworks import StopDIJobOperator
from airflow_provider_dataworks.retries import explained

__all__ = ["clock", "connect", "emulator", "hook", "logged"]


class Stats:
    """Airflow's metrics, kept."""

    def __init__(self) -> None:
        self.counted: Counter[tuple[str, str, str]] = Counter()

    def incr(self, name: str, *, tags: dict[str, str]) -> None:
        """Count one."""
        self.counted[name, tags["conn_id"], tags["action"]] += 1


@pytest.fixture
def stats(monkeypatch: pytest.MonkeyPatch) -> Stats:
    """The metrics of this test alone."""
    found = Stats()
    monkeypatch.setattr(call_counts, "Stats", found)
    return found


def stop(hook: DataWorksHook, **arguments: Any) -> StopDIJobOperator:
    """Make a stop that has this hook."""
    operator = StopDIJobOperator(task_id="stop", di_job_id=JOB, poll_interval=10, **arguments)
    operator.hook = hook
    return operator


def of_run(run_id: str) -> TaskInstance:
    """Make a task instance of a run."""
    found: Any = TaskInstance()
    found.run_id, found.task_id = run_id, "stop"
    return found


def test_each_call_is_a_metric_and_each_that_is_throttled_another(
    hook: DataWorksHook, emulator: Emulator, stats: Stats
) -> None:
    """By connection and operation."""
    emulator.inject({"operation": "StopDIJob", "times": 2, "throttle": "Throttling.User"})

    stop(hook).execute({"ti": TaskInstance()})  # type: ignore[typeddict-item,arg-type]

    conn = "dataworks_default"
    made = {(name, action): count for (name, at, action), count in stats.counted.items() if at == conn}
    assert made == {
        ("dataworks.calls", "GetDIJob"): emulator.count("GetDIJob"),
        ("dataworks.calls", "StopDIJob"): 3,
        ("dataworks.throttled", "StopDIJob"): 2,
    }


def test_a_task_notes_how_many_it_made(hook: DataWorksHook, emulator: Emulator, stats: Stats) -> None:
    """Also where it fails; each task its own."""
    first, second = of_run("a"), of_run("b")
    operator = stop(hook)
    operator.execute({"ti": first, "task": operator})  # type: ignore[typeddict-item,arg-type]
    made = len(emulator.calls)
    emulator.inject({"operation": "GetDIJob", "error": {"status": 403, "code": "Forbidden.Access"}})
    with pytest.raises(DataWorksForbidden):
        operator.execute({"ti": second, "task": operator})  # type: ignore[typeddict-item,arg-type]

    told = [each.pushed["dataworks_calls"] for each in (first, second)]
    assert [(each["calls"], each["throttled"]) for each in told] == [(made, 0), (len(emulator.calls) - made, 0)]
    assert {each["conn_id"] for each in told} == {"dataworks_default"}


def test_what_was_counted_before_a_wait_in_the_triggerer_is_added(hook: DataWorksHook, stats: Stats) -> None:
    """By another process, which reads it; anything else that stands there counts as nothing."""
    operator, missed = stop(hook), []
    for kept, before in (({"calls": 3, "throttled": 1}, (3, 1)), ("spoiled", (0, 0)), (None, (0, 0))):
        task_instance = of_run(repr(kept))
        task_instance.xcom_pull = lambda kept=kept, **_: kept  # type: ignore[attr-defined]
        with explained({"ti": task_instance, "task": operator}, resumed=True):
            hook.get_di_job(JOB)
        told = task_instance.pushed["dataworks_calls"]
        if (told["calls"], told["throttled"]) != (1 + before[0], before[1]):
            missed.append((kept, told))
    assert missed == []


def test_a_number_that_cannot_be_stored_ends_no_task(
    hook: DataWorksHook, stats: Stats, logged: Callable[[], str]
) -> None:
    """It is only for a page."""
    task_instance, operator = TaskInstance(), stop(hook)

    def refuse(**_: Any) -> None:
        raise RuntimeError("no database")

    task_instance.xcom_push = refuse  # type: ignore[method-assign]
    with explained({"ti": task_instance, "task": operator}):
        hook.get_di_job(JOB)

    assert "The number of calls could not be stored" in logged()
