"""StopDIJobOperator against the emulator: what it finds, sends and reports, over one try and over several."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from emulated import JOB, Clock, Store, TaskInstance, on_clock

from airflow_provider_dataworks.client.models import DIJob, JobStatus
from airflow_provider_dataworks.emulator import Emulator
from airflow_provider_dataworks.exceptions import (
    DataWorksError,
    DataWorksForbidden,
    DataWorksInvalidRequest,
    DataWorksQuotaExceeded,
    DataWorksThrottled,
    DataWorksUnavailable,
    DIJobFailed,
    DIJobWaitTimeout,
)
from airflow_provider_dataworks.hooks.dataworks import DataWorksHook
from airflow_provider_dataworks.operators._request_note import jobs_stopped
from airflow_provider_dataworks.operators.dataworks import StopDIJobOperator
from airflow_provider_dataworks.triggers._events import event_for
from airflow_provider_dataworks.version_compat import AirflowFailException, TaskDeferred

pytestmark = pytest.mark.usefixtures("connect")
VERSIONS = pytest.mark.parametrize("api_version", ["2020-05-18", "2024-05-18"])
FORBIDDEN = {"error": {"status": 403, "code": "Forbidden.Access", "message": "Access is forbidden."}}


@pytest.fixture
def execute(hook: DataWorksHook, clock: Clock) -> Callable[..., dict[str, Any]]:
    """Run one try of the operator on the test's clock, with a task state store that lives as long as the test."""
    store = Store()

    def run(*, remembers: bool = True, max_tries: int = 3, try_number: int = 1, **arguments: Any) -> dict[str, Any]:
        operator = StopDIJobOperator(task_id="stop", **{"di_job_id": JOB, "poll_interval": 15, **arguments})
        operator.hook = on_clock(DataWorksHook(operator.dataworks_conn_id), clock)
        context: dict[str, Any] = {"ti": TaskInstance(max_tries, try_number)}
        if remembers:
            context["task_state_store"] = store
        result = operator.execute(context)  # type: ignore[arg-type]
        return dict(json.loads(json.dumps(result)))

    return run


@VERSIONS
def test_a_running_job_is_stopped_once_and_waited_for(
    execute: Callable[..., dict[str, Any]],
    emulator: Emulator,
    connect: Callable[..., None],
    clock: Clock,
    api_version: str,
) -> None:
    """The plain case: read, send, wait, report."""
    connect(api_version=api_version)
    result = execute()

    assert result == {
        "di_job_id": JOB,
        "status": "Stopped",
        "status_before": "Running",
        "stopped_by_this_run": True,
        "request_id": next(call.request_id for call in emulator.calls if call.operation == "StopDIJob"),
        "stopped_at": "2026-11-18T11:07:25+00:00",
    }
    assert emulator.job(JOB).effective_stops == 1
    assert clock.slept == [15, 15, 15]
    assert [call.operation for call in emulator.calls] == ["GetDIJob", "StopDIJob"] + ["GetDIJob"] * 3


def test_the_log_of_a_stop_reads_as_what_happens(
    execute: Callable[..., dict[str, Any]], logged: Callable[[], str]
) -> None:
    """The status before the stop is told as that, never as news after it."""
    request_id = execute()["request_id"]

    found = logged()
    told = [
        f"DataWorks took StopDIJob for DI job 11668, which was Running (request id {request_id}).",
        "Waiting until DI job 11668 is Stopped or Finished, for 3600 s at most.",
        "DI job 11668 is Stopping; next look in 15 s.",
    ]
    assert all(line in found for line in told), found
    assert "is Running;" not in found


def test_a_stop_whose_answer_was_lost_is_told_by_what_was_seen(
    execute: Callable[..., dict[str, Any]], emulator: Emulator, logged: Callable[[], str]
) -> None:
    """There is no request id to give."""
    emulator.inject({"operation": "StopDIJob", "drop": "after"})

    execute()

    told = "StopDIJob for DI job 11668, which was Running, was sent and its answer lost: the job is Stopping now."
    assert told in logged()


@pytest.mark.parametrize("status", ["Stopped", "Finished"])
def test_a_job_that_does_not_run_is_left_alone(
    execute: Callable[..., dict[str, Any]], emulator: Emulator, status: str
) -> None:
    """Nothing is sent, and it was not this run that stopped it."""
    emulator.set_status(JOB, status)

    result = execute()

    assert (result["status"], result["status_before"]) == (status, status)
    assert result["stopped_by_this_run"] is False
    assert result["request_id"] is None
    assert [call.operation for call in emulator.calls] == ["GetDIJob"]


def test_a_job_that_is_stopping_is_only_waited_for(
    execute: Callable[..., dict[str, Any]], emulator: Emulator, hook: DataWorksHook
) -> None:
    """Somebody else asked already: no second StopDIJob."""
    hook.stop_di_job(JOB)

    result = execute()

    assert (result["status"], result["status_before"]) == ("Stopped", "Stopping")
    assert result["stopped_by_this_run"] is False
    assert emulator.job(JOB).stop_calls == 1


def test_a_failed_job_is_success_with_a_warning(
    execute: Callable[..., dict[str, Any]], emulator: Emulator, logged: Callable[[], str]
) -> None:
    """Nothing runs, which is what the maintenance needs; the log says so."""
    emulator.add_job(JOB, "Failed", error_message="Binlog was purged")

    result = execute()

    assert result["status"] == "Failed"
    assert result["stopped_by_this_run"] is False
    assert emulator.job(JOB).stop_calls == 0
    assert "Binlog was purged" in logged()


def test_a_job_that_fails_after_our_stop_fails_the_task(
    execute: Callable[..., dict[str, Any]], emulator: Emulator
) -> None:
    """Its state may not be clean: the task says so, with the job's own text."""
    emulator.add_job(JOB, "Running", stop_seconds=40, stop_ends_in="Failed", error_message="checkpoint lost")

    with pytest.raises(DIJobFailed, match="checkpoint lost") as caught:
        execute()

    assert isinstance(caught.value, AirflowFailException)


def test_a_job_that_failed_after_an_earlier_trys_stop_fails_the_retry_too(
    execute: Callable[..., dict[str, Any]], emulator: Emulator
) -> None:
    """The task remembers that it asked for the stop, so this failure is not somebody else's."""
    emulator.add_job(JOB, "Running", stop_seconds=1, stop_ends_in="Failed")
    emulator.inject({"operation": "GetDIJob", "skip": 1, "throttle": {"hints": {"x-acs-retry-after": 90_000}}})
    with pytest.raises(DataWorksThrottled):
        execute()

    with pytest.raises(DIJobFailed):
        execute()


def test_an_initialized_job_whose_stop_is_accepted_is_waited_for(
    execute: Callable[..., dict[str, Any]], emulator: Emulator, clock: Clock
) -> None:
    """A start may be under way: the stop is sent."""
    emulator.add_job(JOB, "Stopped", stop_seconds=5, start_seconds=600)
    on_clock(DataWorksHook(), clock).start_di_job(JOB)

    result = execute()

    assert (result["status"], result["status_before"]) == ("Stopped", "Initialized")
    assert result["stopped_by_this_run"] is True


def test_an_initialized_job_that_never_ran_is_success_with_a_warning(
    execute: Callable[..., dict[str, Any]], emulator: Emulator, logged: Callable[[], str]
) -> None:
    """The service refuses the stop and the job is still Initialized: there was nothing to stop."""
    emulator.set_status(JOB, "Initialized")
    emulator.inject({"operation": "StopDIJob", "error": {"status": 400, "code": "InvalidJobStatus"}})

    result = execute()

    assert (result["status"], result["stopped_by_this_run"]) == ("Initialized", False)
    assert result["stopped_at"] is None
    assert "never ran" in logged()


def test_an_undocumented_status_is_waited_on_before_anything_is_sent(
    execute: Callable[..., dict[str, Any]], emulator: Emulator, clock: Clock
) -> None:
    """When in doubt, touch nothing: the task ends at its timeout and says the status."""
    emulator.set_status(JOB, "Migrating")

    with pytest.raises(DIJobWaitTimeout, match="Migrating"):
        execute(timeout=60)

    assert emulator.job(JOB).stop_calls == 0
    assert sum(clock.slept) == 60


def test_not_waiting_returns_the_status_after_the_request(
    execute: Callable[..., dict[str, Any]], emulator: Emulator, clock: Clock
) -> None:
    """The job is still stopping, and the result does not pretend otherwise."""
    result = execute(wait_for_completion=False)

    assert (result["status"], result["stopped_by_this_run"]) == ("Stopping", True)
    assert result["stopped_at"] is None
    assert clock.slept == []
    assert emulator.job(JOB).effective_stops == 1


def test_the_wait_ends_at_its_timeout_without_a_retry(
    execute: Callable[..., dict[str, Any]], emulator: Emulator, clock: Clock
) -> None:
    """A job that hangs in Stopping fails the task with the last status; retrying would only wait again."""
    emulator.add_job(JOB, "Running", stop_ends_in="never")
    started = clock.time

    with pytest.raises(DIJobWaitTimeout, match="Stopping") as caught:
        execute(timeout=100)

    assert isinstance(caught.value, AirflowFailException)
    assert clock.time == pytest.approx(started + 100, abs=0.1)


@pytest.mark.parametrize(
    "fault",
    [
        pytest.param({"drop": "after"}, id="connection-lost-after-the-effect"),
        pytest.param({"drop": "before"}, id="connection-lost-before-the-effect"),
        pytest.param({"truncate": True}, id="answer-cut-off"),
        pytest.param({"body": "<html>bad gateway</html>"}, id="unreadable-answer"),
        pytest.param({"error": {"status": 500, "code": "InternalError.System"}}, id="internal-error"),
    ],
)
def test_a_lost_answer_is_resolved_by_reading_the_status(
    execute: Callable[..., dict[str, Any]], emulator: Emulator, fault: dict[str, Any]
) -> None:
    """Whatever happened to the answer, the job is stopped by exactly one effective stop of this run."""
    emulator.inject({"operation": "StopDIJob", **fault})

    result = execute()

    assert (result["status"], result["status_before"]) == ("Stopped", "Running")
    assert result["stopped_by_this_run"] is True
    assert emulator.job(JOB).effective_stops == 1


def test_throttling_past_the_short_waits_is_left_to_airflow(
    execute: Callable[..., dict[str, Any]], emulator: Emulator, clock: Clock
) -> None:
    """The error carries the wait the service asked for; the retry then stops the job."""
    emulator.inject({"operation": "StopDIJob", "throttle": {"hints": {"x-acs-retry-after": 120_000}}})
    with pytest.raises(DataWorksThrottled) as caught:
        execute()

    assert caught.value.retry_after == 120
    assert clock.slept == []

    assert execute()["stopped_by_this_run"] is True
    assert emulator.job(JOB).effective_stops == 1


@pytest.mark.parametrize(
    ("fault", "error"),
    [
        pytest.param(FORBIDDEN, DataWorksForbidden, id="edition"),
        pytest.param({"throttle": {"code": "Throttling.Api.Risk"}}, DataWorksQuotaExceeded, id="daily-quota"),
        pytest.param({"throttle": {"code": "Throttling.Resource"}}, DataWorksQuotaExceeded, id="edition-quota"),
        pytest.param({"error": {"status": 400, "code": "InvalidX"}}, DataWorksInvalidRequest, id="invalid"),
    ],
)
def test_permanent_errors_fail_at_once_after_one_request(
    execute: Callable[..., dict[str, Any]], emulator: Emulator, fault: dict[str, Any], error: type[DataWorksError]
) -> None:
    """No retry, no second request, and the job keeps running."""
    emulator.inject({"operation": "StopDIJob", "times": 9, **fault})

    with pytest.raises(error) as caught:
        execute()

    assert isinstance(caught.value, AirflowFailException)
    assert emulator.job(JOB).status == "Running"
    assert sum(call.operation == "StopDIJob" for call in emulator.calls) == 1


def test_a_forbidden_error_names_the_edition_and_the_switch(
    execute: Callable[..., dict[str, Any]], emulator: Emulator
) -> None:
    """Who reads the red task learns action, job, code, status, request id, and what to do."""
    emulator.inject({"operation": "StopDIJob", **FORBIDDEN})

    with pytest.raises(DataWorksForbidden) as caught:
        execute()

    text = str(caught.value)
    request_id = caught.value.request_id
    assert request_id
    for part in ("StopDIJob", str(JOB), "Forbidden.Access", "HTTP 403", request_id, "Enterprise", "api_version"):
        assert part in text


def test_a_retry_after_a_killed_worker_knows_that_this_run_stopped_the_job(
    execute: Callable[..., dict[str, Any]], emulator: Emulator, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Killed right after StopDIJob was sent: the next try finds it stopped and does not forget who did it."""

    def killed(seconds: float) -> None:
        raise SystemExit("killed")

    with monkeypatch.context() as patched:
        patched.setattr(clock, "sleep", killed)
        with pytest.raises(SystemExit):
            execute()
    first = emulator.calls[1].request_id
    clock.sleep(300)

    result = execute()

    assert (result["status"], result["status_before"]) == ("Stopped", "Running")
    assert result["stopped_by_this_run"] is True
    assert result["request_id"] == first
    assert emulator.job(JOB).stop_calls == 1


def test_without_a_store_a_retry_takes_the_stop_for_its_own(
    execute: Callable[..., dict[str, Any]], emulator: Emulator, logged: Callable[[], str]
) -> None:
    """Below Airflow 3.3 nothing survives a killed try: better one restart too many than a job that stays down."""
    execute(remembers=False)

    result = execute(remembers=False, try_number=2)

    assert result["stopped_by_this_run"] is True
    assert "taken for this run's" in logged()
    assert emulator.job(JOB).effective_stops == 1


@pytest.mark.parametrize(
    ("retries", "max_tries", "owed"),
    [pytest.param(3, 3, {JOB}, id="retried"), pytest.param(1, 2, set(), id="cleared")],
)
def test_without_a_store_a_retry_that_cannot_look_still_owes_a_restart(
    hook: DataWorksHook, emulator: Emulator, retries: int, max_tries: int, owed: set[int]
) -> None:
    """
    Airflow drops what the first try told, and the stop may have been sent by it.

    A cleared task claims nothing, and leaves no note, so that the restart looks for itself.
    """
    emulator.inject({"operation": "GetDIJob", **FORBIDDEN})
    operator = StopDIJobOperator(task_id="stop", di_job_id=JOB, retries=retries)
    operator.hook = hook
    teller = TaskInstance(max_tries, try_number=2)

    with pytest.raises(DataWorksForbidden):
        operator.execute({"ti": teller, "task": operator})  # type: ignore[typeddict-item]

    teller.xcom_pull = lambda **_: list(teller.pushed.values())  # type: ignore[attr-defined]
    assert jobs_stopped(teller, ["stop"]) == owed
    assert ("dataworks_stop" in teller.pushed) is bool(owed)


@pytest.mark.parametrize("found", ["Stopped", "Failed", "Finished"])
@pytest.mark.parametrize(
    ("store", "max_tries"),
    [
        pytest.param(None, 3, id="2.11-retried"),
        pytest.param(None, 4, id="2.11-cleared"),
        pytest.param(Store(), 4, id="3.4-cleared-so-its-store-was-discarded"),
    ],
)
def test_a_job_that_does_not_run_counts_as_stopped_by_an_earlier_try_that_nothing_tells_of(
    hook: DataWorksHook, emulator: Emulator, found: str, store: Store | None, max_tries: int
) -> None:
    """Better one restart too many than a job that stays down."""
    emulator.set_status(JOB, found)
    operator = StopDIJobOperator(task_id="stop", di_job_id=JOB)
    operator.hook = hook
    teller = TaskInstance(max_tries, try_number=2)
    context: Any = {"ti": teller, "task": operator, "task_state_store": copy.deepcopy(store)}

    result = operator.execute(context)

    assert (result["status"], result["stopped_by_this_run"]) == (found, True)
    assert teller.pushed["dataworks_stop"]["withdrawn"] is False


@pytest.mark.parametrize("note", [None, [], "text", {"di_job_id": "abc"}, {"di_job_id": True}, {"di_job_id": 2**70}])
def test_a_note_that_somebody_edited_is_no_note(hook: DataWorksHook, emulator: Emulator, note: Any) -> None:
    """The store can be edited by hand; what is not a note ends no try."""
    store = Store()
    store.set("dataworks_stop", note)
    store.set("dataworks_stop_deadline", {"at": float("nan"), "tries_granted": 3, "di_job_id": JOB})
    operator = StopDIJobOperator(task_id="stop", di_job_id=JOB, poll_interval=15)
    operator.hook = hook
    context: Any = {"ti": TaskInstance(), "task_state_store": store}

    assert operator.execute(context)["stopped_by_this_run"] is True


def test_a_try_that_begins_after_its_deadline_sends_nothing(
    execute: Callable[..., dict[str, Any]], emulator: Emulator, clock: Clock
) -> None:
    """It looks, since the job may have stopped meanwhile, and then says that it sent nothing."""
    emulator.inject({"operation": "GetDIJob", "throttle": {"hints": {"x-acs-retry-after": 90_000}}})
    with pytest.raises(DataWorksThrottled):
        execute(timeout=100)
    clock.sleep(200)

    with pytest.raises(DIJobWaitTimeout, match="nothing is sent any more") as caught:
        execute(timeout=100, try_number=2)

    assert "was Running when last looked at" in str(caught.value)
    assert emulator.job(JOB).stop_calls == 0


def test_a_stop_that_has_waited_for_its_turn_until_the_deadline_is_not_sent(
    connect: Callable[..., None], emulator: Emulator, hook: DataWorksHook, clock: Clock
) -> None:
    """The deadline is asked as the bytes are about to leave, not only as the try begins."""
    emulator.inject({"operation": "StopDIJob", "times": 2, "throttle": {"hints": {"x-acs-retry-after": 20_000}}})
    operator = StopDIJobOperator(task_id="stop", di_job_id=JOB, timeout=30)
    operator.hook = hook
    teller = TaskInstance()

    with pytest.raises(DIJobWaitTimeout):
        operator.execute({"ti": teller})  # type: ignore[typeddict-item]

    assert emulator.job(JOB).effective_stops == 0
    assert [call.operation for call in emulator.calls].count("StopDIJob") == 2
    assert teller.pushed["dataworks_stop"]["withdrawn"] is True


@pytest.mark.parametrize("number", [1, 4])
def test_an_error_says_how_many_tries_are_left_and_what_an_earlier_one_did(
    execute: Callable[..., dict[str, Any]], emulator: Emulator, clock: Clock, number: int
) -> None:
    """Else the reader has to count, and to open the log of another try."""
    emulator.inject({"operation": "GetDIJob", "skip": 1, "throttle": {"hints": {"x-acs-retry-after": 90_000}}})
    with pytest.raises(DataWorksThrottled):
        execute()
    sent = next(call.request_id for call in emulator.calls if call.operation == "StopDIJob")
    emulator.inject({"operation": "GetDIJob", "throttle": {"hints": {"x-acs-retry-after": 90_000}}})

    with pytest.raises(DataWorksThrottled) as caught:
        execute(try_number=number)

    text = str(caught.value)
    left = "Airflow tries again (tries left: 3)" if number == 1 else "This was the last try"
    assert left in text
    assert f"An earlier try of this task sent StopDIJob at 2026-11-18 11:06:40 UTC, request id {sent}." in text
    assert "connection dataworks_default at 127.0.0.1" in text


def test_durations_may_be_timedeltas(execute: Callable[..., dict[str, Any]], clock: Clock) -> None:
    """As everywhere in Airflow."""
    assert execute(poll_interval=timedelta(seconds=15), timeout=timedelta(minutes=30))["status"] == "Stopped"
    assert set(clock.slept) == {15}


BAD: list[tuple[dict[str, Any], str]] = [
    ({"di_job_id": -3}, "di_job_id"),
    ({"di_job_id": 2**63}, "di_job_id"),
    ({"di_job_id": 11668.7}, "di_job_id"),
    ({"di_job_id": True}, "di_job_id"),
    ({"di_job_id": "11_668"}, "di_job_id"),
    ({"di_job_id": "１１６６８"}, "di_job_id"),
    ({"di_job_id": ""}, "di_job_id"),
    ({"di_job_id": None}, "di_job_id"),
    ({"instance_id": "x", "wait_for_completion": False}, "instance_id"),
    ({"instance_id": 5}, "instance_id"),
    ({"poll_interval": 0}, "poll_interval"),
    ({"poll_interval": float("nan")}, "poll_interval"),
    ({"poll_interval": timedelta(0)}, "poll_interval"),
    ({"timeout": "1h"}, "timeout"),
    ({"timeout": float("inf")}, "timeout"),
    ({"timeout": timedelta(days=-1)}, "timeout"),
    ({"min_remaining": "ten"}, "min_remaining"),
    ({"min_remaining": -1}, "min_remaining"),
    ({"min_remaining": True}, "min_remaining"),
    ({"window": "@daily"}, "window"),
    ({"window": {"cron": "0 2 * * *", "duration": "PT1H", "timezone": "UTC", "frozen": []}}, "window"),
    ({"window": {"cron": "0 2 * * *", "duration": 3, "timezone": "UTC"}}, "duration"),
    ({"window": 5}, "window"),
    ({"outside_window": "ask"}, "outside_window"),
    ({"ignore_window": 1.5}, "ignore_window"),
]


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")  # Airflow's, of what was never mapped
def test_what_can_never_be_right_is_refused_as_the_dag_is_made() -> None:
    """Mapped or not; the night of the maintenance is too late."""
    missed = []
    for arguments, field in BAD:
        for mapped in (False, True):
            given = {"task_id": "stop", "di_job_id": JOB, **arguments}
            try:
                (StopDIJobOperator.partial if mapped else StopDIJobOperator)(**given)
            except ValueError as error:
                if not str(error).startswith(f"{field}: ") or "What to do: " not in str(error):
                    missed.append((arguments, mapped, str(error)))
            else:
                missed.append((arguments, mapped, "accepted"))
    assert not missed


def test_what_a_template_will_say_is_checked_when_it_is_known() -> None:
    """Text with Jinja in it, and what another task returns, pass while the DAG is made."""
    templated = {"di_job_id": "{{ params.job }}", "window": "{{ params.window }}", "ignore_window": "{{ params.now }}"}

    assert StopDIJobOperator(task_id="stop", **templated)
    assert StopDIJobOperator.partial(task_id="stop", window="{% raw %}{}{% endraw %}").expand(di_job_id=[JOB])


def test_without_a_store_a_first_try_claims_nothing(execute: Callable[..., dict[str, Any]], emulator: Emulator) -> None:
    """Somebody else stopped the job before."""
    emulator.set_status(JOB, "Stopped")

    assert execute(remembers=False)["stopped_by_this_run"] is False


def test_with_a_store_a_retry_claims_only_what_it_remembers(
    execute: Callable[..., dict[str, Any]], emulator: Emulator
) -> None:
    """Stopped by somebody else between two tries."""
    emulator.set_status(JOB, "Stopped")

    assert execute(try_number=2)["stopped_by_this_run"] is False


def test_a_refused_stop_leaves_no_claim_behind(
    execute: Callable[..., dict[str, Any]], emulator: Emulator, hook: DataWorksHook, clock: Clock
) -> None:
    """Refused here, then stopped by somebody else: this run did not do it."""
    emulator.inject({"operation": "StopDIJob", **FORBIDDEN})
    with pytest.raises(DataWorksForbidden):
        execute()
    hook.stop_di_job(JOB)
    clock.sleep(60)

    assert execute()["stopped_by_this_run"] is False


def test_a_stop_that_may_have_arrived_stays_claimed(
    execute: Callable[..., dict[str, Any]], emulator: Emulator, clock: Clock
) -> None:
    """The answer was lost and then the service could not be reached at all: the next try knows what was sent."""
    emulator.inject({"operation": "StopDIJob", "drop": "after"})
    emulator.inject({"operation": "GetDIJob", "skip": 1, "times": 6, "drop": "before"})
    with pytest.raises(DataWorksUnavailable):
        execute()
    clock.sleep(60)

    result = execute()

    assert (result["status"], result["stopped_by_this_run"]) == ("Stopped", True)
    assert emulator.job(JOB).stop_calls == 1


def test_the_deadline_is_fixed_at_the_first_try(
    execute: Callable[..., dict[str, Any]], emulator: Emulator, clock: Clock
) -> None:
    """A retry does not get the whole wait again; a cleared task does."""
    emulator.add_job(JOB, "Running", stop_ends_in="never")
    emulator.inject({"operation": "GetDIJob", "skip": 3, "throttle": {"hints": {"x-acs-retry-after": 90_000}}})
    started = clock.time
    with pytest.raises(DataWorksThrottled):
        execute(timeout=100)
    clock.sleep(50)

    with pytest.raises(DIJobWaitTimeout):
        execute(timeout=100)
    assert clock.time == pytest.approx(started + 100, abs=0.1)

    with pytest.raises(DIJobWaitTimeout):
        execute(timeout=100, max_tries=7)
    assert clock.time == pytest.approx(started + 200, abs=0.1)


@pytest.mark.parametrize(
    ("arguments", "field"),
    [
        pytest.param({"di_job_id": "{{ typo }}"}, "di_job_id", id="id-not-rendered"),
        pytest.param({"di_job_id": -3}, "di_job_id", id="id-negative"),
        pytest.param({"instance_id": "x"}, "instance_id", id="instance"),
        pytest.param({"instance_id": 5}, "instance_id", id="instance-on-2020"),
        pytest.param({"poll_interval": 0}, "poll_interval", id="poll-interval"),
        pytest.param({"timeout": "1h"}, "timeout", id="timeout"),
    ],
)
def test_bad_arguments_are_refused_before_anything_is_sent(
    execute: Callable[..., dict[str, Any]], emulator: Emulator, arguments: dict[str, Any], field: str
) -> None:
    """Checked after templating, permanent, and naming the argument."""
    with pytest.raises(DataWorksInvalidRequest, match=field) as caught:
        execute(**arguments)

    assert isinstance(caught.value, AirflowFailException)
    assert emulator.calls == []


def test_ids_and_connection_are_templated() -> None:
    """The fields a DAG author fills from XCom or params."""
    assert set(StopDIJobOperator.template_fields) >= {"di_job_id", "instance_id", "dataworks_conn_id"}


def test_killing_the_task_undoes_nothing() -> None:
    """There is no on_kill of our own: a stop that was asked for stays asked for."""
    assert "on_kill" not in vars(StopDIJobOperator)


@pytest.fixture
def defer(execute: Callable[..., dict[str, Any]]) -> Callable[..., TaskDeferred]:
    """Run one try that must end in a deferral."""

    def run(**arguments: Any) -> TaskDeferred:
        with pytest.raises(TaskDeferred) as caught:
            execute(deferrable=True, **arguments)
        return caught.value

    return run


def test_a_deferred_stop_sends_once_and_hands_the_wait_over(
    defer: Callable[..., TaskDeferred], emulator: Emulator, clock: Clock, logged: Callable[[], str]
) -> None:
    """The trigger carries ids, an absolute deadline and what the result needs; no key, no job's text."""
    deferred = defer(timeout=600)

    assert "Waiting in the triggerer until DI job 11668 is Stopped or Finished, for 600 s at most." in logged()
    path, kwargs = deferred.trigger.serialize()
    assert path.endswith("DIJobStatusTrigger")
    assert kwargs == {
        "di_job_id": JOB,
        "project_id": 1967,
        "dataworks_conn_id": "dataworks_default",
        "accept": ["Stopped", "Finished"],
        "fail_on": ["Failed", "Stopped", "Finished"],
        "deadline": clock.time + 600,
        "poll_interval": 15,
        "report": {
            "by_us": True,
            "status_before": "Running",
            "request_id": next(call.request_id for call in emulator.calls if call.operation == "StopDIJob"),
            "assumed": False,
            "ran_before": False,
            "owed": False,
        },
        "proof": {},
    }
    assert json.loads(json.dumps(kwargs)) == kwargs
    assert deferred.method_name == "execute_complete"
    assert deferred.timeout is not None
    assert deferred.timeout.total_seconds() > 600
    assert emulator.job(JOB).effective_stops == 1
    assert clock.slept == []


@pytest.mark.parametrize("status", ["Stopped", "Finished", "Failed"])
def test_nothing_is_deferred_where_the_answer_is_known(
    execute: Callable[..., dict[str, Any]], emulator: Emulator, status: str
) -> None:
    """A trigger that fires at once can get its task marked failed by a race of Airflow's."""
    emulator.set_status(JOB, status)

    assert execute(deferrable=True)["status"] == status


def test_not_waiting_returns_at_once_deferrable_or_not(execute: Callable[..., dict[str, Any]]) -> None:
    """Other providers ignore wait_for_completion when deferrable."""
    assert execute(deferrable=True, wait_for_completion=False)["status"] == "Stopping"


def test_a_retry_that_finds_the_job_stopping_defers_with_what_it_remembers(
    defer: Callable[..., TaskDeferred], emulator: Emulator
) -> None:
    """Marked failed by the scheduler while deferred: the next try sends nothing and still knows who stopped the job."""
    first = defer().trigger.serialize()[1]

    second = defer().trigger.serialize()[1]

    assert second["report"] == first["report"]
    assert second["deadline"] == first["deadline"]
    assert emulator.job(JOB).stop_calls == 1


def test_execution_timeout_ends_a_deferred_wait_too(defer: Callable[..., TaskDeferred], clock: Clock) -> None:
    """Airflow does not apply it while a task is deferred."""
    kwargs = defer(timeout=3600, execution_timeout=timedelta(minutes=5)).trigger.serialize()[1]

    assert kwargs["deadline"] == clock.time + 300


def test_the_wait_comes_back_as_the_operators_result(
    defer: Callable[..., TaskDeferred], emulator: Emulator, clock: Clock, hook: DataWorksHook
) -> None:
    """What the trigger saw, and what the task knew before it."""
    deferred = defer()
    clock.sleep(100)
    event = {**event_for(hook.get_di_job(JOB)), "report": deferred.trigger.serialize()[1]["report"]}
    operator = StopDIJobOperator(task_id="stop", di_job_id=JOB)

    result = operator.execute_complete({}, json.loads(json.dumps(event)))  # type: ignore[arg-type]

    assert (result["status"], result["status_before"], result["stopped_by_this_run"]) == ("Stopped", "Running", True)
    assert result["request_id"]
    assert result["stopped_at"]


@pytest.mark.parametrize(
    ("event", "error"),
    [
        pytest.param(event_for(DIJobFailed("checkpoint lost")), DIJobFailed, id="job-failed"),
        pytest.param(event_for(DIJobWaitTimeout("over", last_status="Stopping")), DIJobWaitTimeout, id="time-over"),
        pytest.param(event_for(DataWorksForbidden("no")), DataWorksForbidden, id="permanent"),
        pytest.param(None, DataWorksError, id="no-event"),
        pytest.param({"status": "success"}, DataWorksError, id="unknown-event"),
    ],
)
def test_a_wait_that_ended_badly_fails_the_task_for_good(event: Any, error: type[DataWorksError]) -> None:
    """The error is the one that happened in the trigger, and permanent for Airflow."""
    with pytest.raises(error) as caught:
        StopDIJobOperator(task_id="stop", di_job_id=JOB).execute_complete({}, event)  # type: ignore[arg-type]

    assert isinstance(caught.value, AirflowFailException)


def test_deferrable_follows_the_deployments_default() -> None:
    """Airflow's [operators] default_deferrable, which is off here."""
    assert StopDIJobOperator(task_id="stop", di_job_id=JOB).deferrable is False


@pytest.mark.parametrize("status", ["Running", "Stopping", "Initialized", "Migrating"])
def test_a_wait_that_ended_too_early_is_no_success(status: str) -> None:
    """Whatever a trigger of another version was told: maintenance may not begin on a job that runs."""
    event = {**event_for(DIJob(JOB, JobStatus.read(status))), "report": {"by_us": True}}

    with pytest.raises(DataWorksError, match="not understood"):
        StopDIJobOperator(task_id="stop", di_job_id=JOB).execute_complete({}, event)  # type: ignore[arg-type]
