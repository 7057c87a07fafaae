"""How Airflow retries our tasks: default retries, the policy and its delays, and what errors say about it."""

from __future__ import annotations

from datetime import datetime, timedelta
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import emulated  # noqa: F401 - sets Airflow's home before Airflow is imported
import pytest
from airflow_limits import needs

from airflow_provider_dataworks import exceptions
from airflow_provider_dataworks.exceptions import DataWorksError
from airflow_provider_dataworks.operators.dataworks import StartDIJobOperator, StopDIJobOperator
from airflow_provider_dataworks.retries import DataWorksRetryPolicy, explained, tries_left
from airflow_provider_dataworks.sensors.dataworks import DIJobStoppedSensor
from airflow_provider_dataworks.version_compat import AIRFLOW_V_3_3_PLUS, DAG

if TYPE_CHECKING or AIRFLOW_V_3_3_PLUS:
    from airflow.sdk import RetryAction, RetryDecision

TASKS = pytest.mark.parametrize("task_class", [StopDIJobOperator, DIJobStoppedSensor])


class AuthorsPolicy(DataWorksRetryPolicy):
    """A policy that an author chose."""


def a_dag(**default_args: Any) -> DAG:
    """Make a DAG with these defaults."""
    return DAG("d", schedule=None, start_date=datetime(2026, 1, 1), default_args=default_args)


def has_policy(task: Any, kind: type = DataWorksRetryPolicy) -> bool:
    """Say whether a task has a policy of this kind, or none where this Airflow knows none."""
    return type(task.retry_policy) is kind if AIRFLOW_V_3_3_PLUS else not hasattr(task, "retry_policy")


def decide(error: BaseException, **policy: Any) -> RetryDecision:
    """Ask the policy about an error."""
    return DataWorksRetryPolicy(**policy).evaluate(error, try_number=1, max_tries=3)


@TASKS
def test_a_task_whose_author_set_nothing_is_retried(task_class: type) -> None:
    """Three times, after one minute, exponentially, and by our policy."""
    task = task_class(task_id="t", di_job_id=1)

    assert task.retries == 3
    assert task.retry_delay == timedelta(minutes=1)
    assert task.retry_exponential_backoff
    assert has_policy(task)


@TASKS
def test_what_the_author_set_stays(task_class: type) -> None:
    """On the task or as default_args, a zero included."""
    with a_dag(retries=7, retry_delay=timedelta(seconds=9), retry_policy=AuthorsPolicy()):
        by_default_args = task_class(task_id="a", di_job_id=1)
        by_argument = task_class(task_id="b", di_job_id=1, retries=0, retry_exponential_backoff=False)

    assert (by_default_args.retries, by_default_args.retry_delay) == (7, timedelta(seconds=9))
    assert has_policy(by_default_args, AuthorsPolicy)
    assert (by_argument.retries, by_argument.retry_exponential_backoff) == (0, False)


@TASKS
@pytest.mark.parametrize(("given", "retries"), [({}, 3), ({"retries": 0}, 0), ({"retries": 8}, 8)])
def test_mapped_tasks_get_the_same(task_class: type, given: dict[str, Any], retries: int) -> None:
    """What the scheduler reads before unmapping, and the policy the worker finds after it."""
    with a_dag(**given):
        mapped = (
            task_class.partial(task_id="m", poke_interval=5).expand(di_job_id=[1, 2])
            if (task_class is DIJobStoppedSensor)
            else task_class.partial(task_id="m").expand(di_job_id=[1, 2])
        )

    assert mapped.retries == retries
    task = mapped.unmap({"di_job_id": 1})
    assert task.retries == retries
    assert has_policy(task)


@needs("retry-policy")
def test_a_throttled_task_waits_exactly_as_asked() -> None:
    """No backoff, no jitter: the service named the time."""
    decision = decide(
        exceptions.DataWorksThrottled("busy", code="Throttling.User", retry_after=8.5, action="StopDIJob")
    )

    assert decision.action is RetryAction.RETRY
    assert decision.retry_delay == timedelta(seconds=8.5)
    assert decision.reason is not None
    assert "Throttling.User" in decision.reason


@needs("retry-policy")
@pytest.mark.parametrize("sent", [True, False])
def test_a_service_that_is_down_is_waited_for_as_it_asks(sent: bool) -> None:
    """A hint on a 5xx means what one on a 429 means."""
    error = exceptions.DataWorksUnavailable("down", sent=sent, status=503, retry_after=90, action="StopDIJob")
    decision = decide(error)

    assert (decision.action, decision.retry_delay) == (RetryAction.RETRY, timedelta(seconds=90))


@needs("retry-policy")
@pytest.mark.parametrize("seconds", [0, -5.0, float("nan")])
def test_a_delay_of_no_time_is_no_hint(seconds: float) -> None:
    """The tries would be over in a moment."""
    for error in (exceptions.DataWorksThrottled("m", retry_after=seconds), exceptions.DataWorksUnavailable("m")):
        assert decide(error).action is RetryAction.DEFAULT


@needs("retry-policy")
def test_the_asked_delay_is_found_behind_other_errors() -> None:
    """An author's own error raised from ours keeps the wait."""
    outer = RuntimeError("maintenance step failed")
    outer.__cause__ = exceptions.DataWorksThrottled("busy", retry_after=30)

    assert decide(outer).retry_delay == timedelta(seconds=30)


@needs("retry-policy")
def test_an_absurd_delay_is_cut() -> None:
    """Airflow would obey a delay of a month: the policy's delay replaces max_retry_delay."""
    error = exceptions.DataWorksThrottled("busy", retry_after=10**7)

    for absurd in (1e300, float("inf")):
        assert decide(exceptions.DataWorksThrottled("m", retry_after=absurd)).retry_delay == timedelta(hours=1)
    assert decide(error).retry_delay == timedelta(hours=1)
    assert decide(error, max_delay=timedelta(minutes=5)).retry_delay == timedelta(minutes=5)


@needs("retry-policy")
@pytest.mark.parametrize(
    "error",
    [
        exceptions.DataWorksThrottled("busy"),
        exceptions.DataWorksUnavailable("down"),
        RuntimeError("something else"),
    ],
    ids=["throttled-without-hint", "unavailable", "not-ours"],
)
def test_without_a_hint_airflows_own_delay_applies(error: BaseException) -> None:
    """The policy keeps out of what it knows nothing about."""
    assert decide(error).action is RetryAction.DEFAULT


@needs("retry-policy")
@pytest.mark.parametrize("error", [exceptions.DataWorksForbidden("no"), exceptions.DataWorksQuotaExceeded("no")])
def test_permanent_errors_are_not_retried(error: BaseException) -> None:
    """Whatever raised them."""
    assert decide(error).action is RetryAction.FAIL


@needs("retry-policy")
def test_newer_airflow_waits_without_using_a_retry(monkeypatch: pytest.MonkeyPatch) -> None:
    """Airflow 3.4 offers to reschedule, bounded in time."""
    asked: list[tuple[Any, dict[str, Any]]] = []

    def reschedule(delay: timedelta, **bounds: Any) -> str:
        asked.append((delay, bounds))
        return "rescheduled"

    monkeypatch.setattr(RetryDecision, "reschedule", reschedule, raising=False)

    assert decide(exceptions.DataWorksThrottled("busy", retry_after=8)) == "rescheduled"  # type: ignore[comparison-overlap]
    assert asked[0][0] == timedelta(seconds=8)
    assert asked[0][1]["reschedule_timeout"] == timedelta(hours=1)


@needs("retry-policy")
@pytest.mark.parametrize(
    ("asked", "try_number", "action"),
    [
        pytest.param(5.0, 1, "DEFAULT", id="sooner-than-its-own"),
        pytest.param(90.0, 1, "RETRY", id="later-than-its-own"),
        pytest.param(90.0, 5, "DEFAULT", id="its-own-has-grown"),
        pytest.param(700.0, 20, "RETRY", id="later-than-its-own-longest"),
    ],
)
def test_a_restart_that_is_owed_is_tried_no_sooner_than_its_own_delay(
    asked: float, try_number: int, action: str
) -> None:
    """Thirty tries a few seconds apart would be over in half an hour, with the job down."""
    restart = StartDIJobOperator(
        task_id="restart", di_job_id=1, only_if_stopped_by="stop", max_retry_delay=timedelta(minutes=10)
    )
    error = exceptions.DataWorksThrottled("busy", retry_after=asked)

    decision = restart.retry_policy.evaluate(error, try_number, 30, {"task": restart})

    assert decision.action.name == action
    if action == "RETRY":
        assert decision.retry_delay == timedelta(seconds=asked)


# How errors leave


def raised_deep_inside(depth: int, error: Exception) -> None:
    """Raise the error some frames down."""
    if depth:
        raised_deep_inside(depth - 1, error)
    raise error


def a_context(try_number: int = 1, max_tries: int = 3, conn_id: str = "of_the_task") -> dict[str, Any]:
    """The context of a task, as far as an error needs it."""
    instance = SimpleNamespace(max_tries=max_tries, try_number=try_number)
    return {"ti": instance, "task": SimpleNamespace(dataworks_conn_id=conn_id)}


def left_by(error: DataWorksError, *given: Any, **more: Any) -> DataWorksError:
    """Return the error as it leaves."""
    with pytest.raises(DataWorksError) as caught, explained(*given, **more):
        raise error
    return caught.value


@pytest.mark.parametrize("error", [exceptions.DataWorksForbidden("m"), exceptions.DataWorksThrottled("m")])
def test_the_way_through_the_client_stays_behind(error: DataWorksError, caplog: pytest.LogCaptureFixture) -> None:
    """The traceback of a red task has a few frames of ours; the others are logged at DEBUG."""
    caplog.set_level("DEBUG", "airflow_provider_dataworks.retries")
    error.__cause__ = OSError("of a library")
    with pytest.raises(type(error)) as caught, explained(), explained():
        raised_deep_inside(5, error)

    names = [frame.name for frame in caught.traceback]
    assert caught.value is error
    assert "raised_deep_inside" not in names
    assert len(names) <= 3
    assert (error.__cause__, error.__suppress_context__) == (None, True)
    assert "in raised_deep_inside" in caplog.text


def test_the_way_through_the_client_is_not_logged_above_debug(caplog: pytest.LogCaptureFixture) -> None:
    """It would hide what happened."""
    caplog.set_level("INFO", "airflow_provider_dataworks.retries")
    left_by(exceptions.DataWorksForbidden("m"))

    assert caplog.text == ""


def test_a_mistake_of_ours_keeps_its_traceback() -> None:
    """Whoever reports it needs the way it took; and a block that ends well is left alone."""
    with pytest.raises(TypeError) as caught, explained(a_context(), explain=lambda error: None):
        raised_deep_inside(5, TypeError("m"))
    with explained(a_context()):
        ended = True

    assert [frame.name for frame in caught.traceback].count("raised_deep_inside") == 6
    assert ended


def test_an_error_names_the_connection_of_its_task() -> None:
    """Unless it names one itself; without a task there is none to name."""
    without, named = exceptions.DataWorksForbidden("m"), exceptions.DataWorksForbidden("m", conn_id="its_own")

    assert left_by(without).conn_id is None
    assert left_by(without, {}).conn_id is None
    assert left_by(without, a_context()).conn_id == "of_the_task"
    assert left_by(named, a_context()).conn_id == "its_own"


def test_a_remedy_says_how_many_tries_are_left() -> None:
    """Where a retry may help, and Airflow tells of the tries; the rest of the remedy stays."""
    remedy = f"{exceptions.RETRIES_LEFT} Else call."
    again, last = "Nothing for now: Airflow tries again (tries left:", "This was the last try: clear the task."
    rows = (
        (exceptions.DataWorksThrottled, a_context(1), f"{again} 3). Else call."),
        (exceptions.DataWorksUnavailable, a_context(3), f"{again} 1). Else call."),
        (exceptions.DataWorksThrottled, a_context(4), f"{last} Else call."),
        (exceptions.DataWorksThrottled, a_context(9), f"{last} Else call."),
        (exceptions.DataWorksThrottled, {}, remedy),
        (exceptions.DataWorksThrottled, None, remedy),
        (exceptions.DataWorksForbidden, a_context(1), remedy),
    )

    found = [left_by(kind("m", remedy=remedy), context).remedy for kind, context, _ in rows]
    assert found == [row[2] for row in rows]
    assert left_by(exceptions.DataWorksThrottled("m"), a_context()).remedy is None


def test_what_the_caller_knows_is_added_first() -> None:
    """So that it can name a connection, or change the remedy, before the task does."""
    seen: list[tuple[str | None, str | None]] = []

    def explain(error: DataWorksError) -> None:
        seen.append((error.conn_id, error.remedy))
        error.conn_id, error.lead = "of_the_caller", "The job is down."

    error = left_by(exceptions.DataWorksThrottled("m", remedy=exceptions.RETRIES_LEFT), a_context(), explain=explain)

    assert seen == [(None, exceptions.RETRIES_LEFT)]
    assert (error.conn_id, error.lead) == ("of_the_caller", "The job is down.")


def test_tries_that_are_not_known_are_not_counted() -> None:
    """Airflow's own objects of the past and of tests do not always tell."""
    instances = (None, SimpleNamespace(), SimpleNamespace(max_tries=3), SimpleNamespace(max_tries="3", try_number=1))

    assert [tries_left({"ti": instance}) for instance in instances] == [None] * 4
    assert tries_left({}) is None
    assert [tries_left(a_context(number)) for number in (1, 4, 5)] == [3, 0, 0]
