"""The preflight: everything at once, nothing touched, and what cannot be asked is a no."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from datetime import timedelta
from types import MappingProxyType
from typing import Any

import pytest
from airflow_variables import Variables
from emulated import JOB, Clock, TaskInstance

from airflow_provider_dataworks.emulator import Emulator
from airflow_provider_dataworks.exceptions import DataWorksError, DataWorksPermanentError
from airflow_provider_dataworks.hooks.dataworks import DataWorksHook
from airflow_provider_dataworks.maintenance import DIJobMaintenance
from airflow_provider_dataworks.operators.preflight import MaintenancePreflightOperator
from airflow_provider_dataworks.operators.silenced_rules import variable_name
from airflow_provider_dataworks.version_compat import DAG, AirflowSkipException
from airflow_provider_dataworks.windows import MaintenanceWindow

OPEN = MaintenanceWindow("0 0 * * *", timedelta(days=1), "UTC").to_json()  # 12:53:20 hours of it are left
Ask = Callable[..., dict[str, Any]]


@pytest.fixture
def task_instance() -> TaskInstance:
    """That of the preflight, which has what all tasks of its run pushed."""
    return TaskInstance()


@pytest.fixture
def ask(
    clock: Clock,
    connect: Callable[..., None],
    monkeypatch: pytest.MonkeyPatch,
    variables: Variables,
    task_instance: TaskInstance,
) -> Ask:
    """Run a preflight by the test's clock, with a connection of API 2024-05-18, and return its result."""
    connect(api_version="2024-05-18")
    monkeypatch.setattr(DataWorksHook, "now", staticmethod(clock.now))
    monkeypatch.setattr(DataWorksHook, "sleep", staticmethod(clock.sleep))

    def run(
        *ids: int, tries: int = 3, pushed: Mapping[str, Any] = MappingProxyType({}), **arguments: Any
    ) -> dict[str, Any]:
        behind = {"stopped_by": ["stop"], "silenced_by": ["silence_alarms"]}
        operator = MaintenancePreflightOperator(
            task_id="preflight", di_job_ids=list(ids) or [JOB], **behind, **arguments
        )
        task_instance.pushed = dict(pushed)
        task_instance.max_tries = tries
        return operator.execute({"ti": task_instance, "task": operator})  # type: ignore[typeddict-item,arg-type]

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


@pytest.mark.parametrize("error", [{"status": 500}, {"status": 429, "code": "Throttling.User"}], ids=["away", "busy"])
@pytest.mark.parametrize("operation", ["ListDIJobRunDetails", "ListDIJobMetrics", "ListDIJobs"])
def test_an_outage_is_tried_again(ask: Ask, emulator: Emulator, operation: str, error: dict[str, Any]) -> None:
    """By Airflow: it is no answer, and nothing that an author would be content with."""
    emulator.add_job(5)
    emulator.inject({"operation": operation, "times": None, "error": error})

    with pytest.raises(DataWorksError) as caught:
        ask(JOB, 5, max_lag=60, on_unknown="warn")

    assert caught.value.retryable


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
    ours = {"dataworks_stop": {"di_job_id": JOB, "status_before": "Running", "withdrawn": False}}
    not_ours = {"dataworks_stop": {"di_job_id": JOB, "withdrawn": True}}
    rows = (
        (4, "Stopped", ours, True),
        (3, "Stopped", ours, False),
        (4, "Running", ours, False),
        (4, "Stopped", not_ours, False),
        (4, "Stopped", {}, False),
    )
    for tries, status, pushed, passes in rows:
        emulator.set_status(JOB, status)
        closed = {"cron": "0 0 1 1 *", "duration": 60, "timezone": "UTC"}
        try:
            found: Any = ask(JOB, tries=tries, retries=3, window=closed, pushed=pushed)
        except DataWorksPermanentError:
            found = None
        if (found is not None) is not passes:
            missed.append((tries, status, pushed, found))
    assert missed == []
    assert f"this run was cleared before it had undone all. Its stop keeps to the window. DI job {JOB} is" in logged()


def test_a_cleared_run_holds_up_nothing_where_its_alarms_are_off(
    ask: Ask, variables: Variables, emulator: Emulator
) -> None:
    """By this run: those that another one has switched off are no reason to check nothing."""
    emulator.set_status(JOB, "Failed")
    facts = {"di_job_id": JOB, "metric": "Delay", "fingerprint": "0123456789abcdef", "dag_id": "a", "at": 1.0}
    ours, theirs = ({**facts, "rule_id": 1, "run_id": "ours"}, {**facts, "rule_id": 2, "run_id": "theirs"})
    missed = []
    for kept, pushed, passes in (
        ([ours], [ours], True),
        ([theirs], [ours], False),
        ([theirs], [], False),
        ("spoiled", [ours], True),
        ([], [ours], False),
    ):
        variables.kept[variable_name("dataworks_default", JOB)] = json.dumps(kept)
        try:
            found: Any = ask(JOB, tries=4, retries=3, pushed={"dataworks_silenced": pushed})
        except DataWorksPermanentError:
            found = None
        if (found is not None) is not passes:
            missed.append((kept, pushed, found))
    assert missed == []


def test_a_deleted_job_keeps_no_cleared_run_from_its_end(ask: Ask, emulator: Emulator) -> None:
    """Its restart is behind this task, and so are those of the others."""
    emulator.inject({"operation": "GetDIJob", "times": None, "error": {"status": 404, "code": "DIJob.NotFound"}})
    pushed = {"dataworks_stop": {"di_job_id": JOB, "status_before": "Running", "withdrawn": False}}

    (finding,) = ask(JOB, tries=4, retries=3, pushed=pushed)["findings"]

    assert finding["detail"].startswith(f"DI job {JOB} is not known: ")


def test_a_checklist_that_is_no_is_kept_whole(ask: Ask, emulator: Emulator, task_instance: TaskInstance) -> None:
    """A task that fails returns nothing, so it pushes it."""
    ids = range(1, 12)
    for job_id in ids:
        emulator.add_job(job_id, "Stopped")

    with pytest.raises(DataWorksPermanentError, match="and 3 more"):
        ask(*ids)

    told = task_instance.pushed["dataworks_preflight"]
    assert (told["ok"], [finding["di_job_id"] for finding in told["findings"]]) == (False, list(ids))


def test_jobs_of_several_workspaces_cost_two_calls_each(ask: Ask, emulator: Emulator, clock: Clock) -> None:
    """A list for each workspace, once; where the key may list none, or the list is empty, a look at each job."""
    ids = range(1, 21)
    for job_id in ids:
        emulator.add_job(job_id, lag=3, project_id=1 + job_id % 2)
    clock.sleep(300)
    missed = []
    empty = {"status": 200, "body": '{"RequestId": "x", "PagingInfo": {"TotalCount": 0, "DIJobs": []}}'}
    for rule, most in ((None, 4), ({"error": {"status": 403, "code": "Forbidden.RAM"}}, 22), (empty, 22)):
        if rule is not None:
            emulator.inject({"operation": "ListDIJobs", "times": None, **rule})
        before = len(emulator.calls)
        assert ask(*ids, max_lag=60)["ok"]
        calls = len(emulator.calls) - before
        if calls > most + 2 * len(ids):
            missed.append((rule, calls))
    assert missed == []
