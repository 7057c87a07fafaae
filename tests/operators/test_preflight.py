"""The preflight: everything at once, nothing touched, and what cannot be asked is a no."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from airflow_variables import Variables
from emulated import JOB, Clock, TaskInstance

from airflow_provider_dataworks.emulator import Emulator
from airflow_provider_dataworks.exceptions import DataWorksPermanentError, DataWorksUnavailable
from airflow_provider_dataworks.hooks.dataworks import DataWorksHook
from airflow_provider_dataworks.maintenance import DIJobMaintenance
from airflow_provider_dataworks.operators.preflight import MaintenancePreflightOperator
from airflow_provider_dataworks.version_compat import DAG, AirflowSkipException
from airflow_provider_dataworks.windows import MaintenanceWindow

OPEN = MaintenanceWindow("0 0 * * *", timedelta(days=1), "UTC").to_json()  # 12:53:20 hours of it are left
Ask = Callable[..., dict[str, Any]]


@pytest.fixture
def ask(clock: Clock, connect: Callable[..., None], monkeypatch: pytest.MonkeyPatch, variables: Variables) -> Ask:
    """Run a preflight by the test's clock, with a connection of API 2024-05-18, and return its result."""
    connect(api_version="2024-05-18")
    monkeypatch.setattr(DataWorksHook, "now", staticmethod(clock.now))
    monkeypatch.setattr(DataWorksHook, "sleep", staticmethod(clock.sleep))

    def run(*ids: int, tries: int = 3, **arguments: Any) -> dict[str, Any]:
        operator = MaintenancePreflightOperator(task_id="preflight", di_job_ids=list(ids) or [JOB], **arguments)
        return operator.execute({"ti": TaskInstance(tries), "task": operator})  # type: ignore[typeddict-item,arg-type]

    return run


def test_all_is_well(ask: Ask, emulator: Emulator, clock: Clock, logged: Callable[[], str]) -> None:
    """The log reads like a checklist, and the result holds the same; a list serves several jobs."""
    ids = range(1, 8)
    for job_id in ids:
        emulator.add_job(job_id, lag=3)
    clock.sleep(300)

    result = ask(*ids, window=OPEN, max_lag=60, source_log_retention=timedelta(days=3))

    assert result["ok"] is True
    assert len(result["findings"]) == 2 + 3 * 7
    assert {finding["answer"] for finding in result["findings"]} == {"yes"}
    assert "[x] window is open for long enough: 46100 s of" in logged()
    assert "[x] DI job 7: is close enough behind its source: its lag was 3 s" in logged()
    assert len(emulator.calls) <= 2 + 2 * 7
    assert {call.operation for call in emulator.calls} <= {
        "GetDIJob",
        "ListDIJobs",
        "ListDIJobMetrics",
        "ListDIJobRunDetails",
    }


def test_each_no_is_named_at_once(ask: Ask, emulator: Emulator, clock: Clock) -> None:
    """What is wrong with a job hides nothing of the others."""
    emulator.add_job(1, "Stopped")
    emulator.add_job(2, lag={"stuck": 500})
    emulator.add_job(3, tables=[{"source": "shop.orders", "full": "Running"}])
    clock.sleep(300)

    with pytest.raises(DataWorksPermanentError) as caught:
        ask(1, 2, 3, 99, window=OPEN, min_remaining=50_000, max_lag=60, source_log_retention=3600)

    text = str(caught.value)
    for wanted in (
        "nothing was touched, because 6 of",
        "window is open for long enough: 46100 s of",
        "source keeps its log for longer than the job is down: it is kept for 3600 s",
        "DI job 1: is there and Running: it is Stopped",
        "DI job 2: is close enough behind its source: its lag was 500 s",
        "DI job 3: full load is over: the full load of 1 tables is not over, such as shop.orders: Running",
        "DI job 99: is there and Running: GetDIJob of DI job 99 failed",
        "For more: python -m airflow_provider_dataworks explain preflight",
    ):
        assert wanted in text, text
    assert "]" not in caught.value.message
    assert [emulator.job(job_id).stop_calls for job_id in (1, 2, 3)] == [0, 0, 0]


def test_what_cannot_be_asked_is_a_no_unless_the_author_says_otherwise(
    ask: Ask, emulator: Emulator, connect: Callable[..., None], logged: Callable[[], str]
) -> None:
    """An API that does not tell, a refusal, a lag without samples, a retention without a window."""
    emulator.add_job(JOB, lag="missing")
    forbidden = {"operation": "ListDIJobRunDetails", "times": None, "error": {"status": 403, "code": "Forbidden.RAM"}}
    emulator.inject(forbidden)
    arguments: dict[str, Any] = {"max_lag": 60, "source_log_retention": 3600}
    with pytest.raises(DataWorksPermanentError, match="because 3 of 4 checks"):
        ask(**arguments)
    connect()
    with pytest.raises(DataWorksPermanentError, match="because 3 of 4 checks"):
        ask(**arguments)

    result = ask(on_unknown="warn", **arguments)

    assert [finding["answer"] for finding in result["findings"]] == ["unknown", "yes", "unknown", "unknown"]
    assert "[?] DI job 11668: full load is over: " in logged()


def test_the_window_counts_as_it_does_for_the_stop(ask: Ask, emulator: Emulator) -> None:
    """Ignored in an emergency; skipped where the stop would be; asked for as much of it as the stop needs."""
    closed = MaintenanceWindow("0 0 * * *", timedelta(hours=1), "UTC").to_json()
    emulator.add_job(JOB)

    assert ask(window=closed, ignore_window="True")["ok"]
    with pytest.raises(AirflowSkipException):
        ask(window=closed, outside_window="skip")
    with pytest.raises(DataWorksPermanentError, match="window is open for long enough: 0 s of"):
        ask(window=closed)
    with (
        DAG("limits"),
        DIJobMaintenance(
            di_job_ids=JOB,
            window=closed,
            preflight=True,
            stop_args={"min_remaining": 7, "outside_window": "skip", "ignore_window": "{{ params.now }}"},
        ) as group,
    ):
        pass
    found = group.dag.get_task("maintenance.preflight")
    assert (found.min_remaining, found.outside_window, found.ignore_window) == (7, "skip", "{{ params.now }}")


def test_an_outage_is_tried_again(ask: Ask, emulator: Emulator) -> None:
    """By Airflow: it is no answer."""
    emulator.inject({"operation": "ListDIJobRunDetails", "times": None, "error": {"status": 500}})

    with pytest.raises(DataWorksUnavailable):
        ask()


def test_nonsense_is_refused_as_the_dag_is_made() -> None:
    """Each argument by its name."""
    missed = []
    rows = {"max_lag": "x", "min_remaining": -1, "source_log_retention": 0, "on_unknown": "go", "window": {"cron": 1}}
    for name, value in rows.items():
        try:
            MaintenancePreflightOperator(task_id="preflight", di_job_ids=JOB, **{name: value})
        except ValueError as error:
            missed += [] if name in str(error) or name == "window" else [(name, str(error))]
        else:
            missed.append((name, value))
    assert missed == []


def test_in_a_run_that_was_cleared_in_its_middle_it_holds_up_nothing(
    ask: Ask, emulator: Emulator, logged: Callable[[], str]
) -> None:
    """The job is down by this very run, and its restart stands behind this task; a run whose job runs is checked."""
    emulator.add_job(JOB, "Stopped")
    missed = []
    for tries, status, passes in ((4, "Stopped", True), (3, "Stopped", False), (4, "Running", False)):
        emulator.set_status(JOB, status)
        closed = {"cron": "0 0 1 1 *", "duration": 60, "timezone": "UTC"}
        try:
            found: Any = ask(JOB, tries=tries, retries=3, window=closed)
        except DataWorksPermanentError:
            found = None
        if (found is not None) is not passes:
            missed.append((tries, status, found))
    assert missed == []
    assert f"this run was cleared before it had undone all. Its stop keeps to the window. DI job {JOB} is" in logged()
