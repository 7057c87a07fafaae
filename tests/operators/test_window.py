"""A stop inside and outside its maintenance window: outside it nothing is touched, whatever made the task run then."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest
from emulated import JOB, Clock, Store, TaskInstance, on_clock

from airflow_provider_dataworks.emulator import Emulator
from airflow_provider_dataworks.exceptions import (
    DataWorksInvalidRequest,
    DataWorksThrottled,
    DIJobWaitTimeout,
    OutsideMaintenanceWindow,
)
from airflow_provider_dataworks.hooks.dataworks import DataWorksHook
from airflow_provider_dataworks.operators.dataworks import StopDIJobOperator
from airflow_provider_dataworks.version_compat import AirflowFailException, AirflowSkipException
from airflow_provider_dataworks.windows import MaintenanceWindow

pytestmark = pytest.mark.usefixtures("connect")
# Sundays from 02:00 to 05:00 in Shanghai; the 22nd of November 2026 is one, and 02:00 there is 18:00 UTC of the 21st.
WINDOW = MaintenanceWindow("0 2 * * SUN", 3 * 3600, "Asia/Shanghai")
OPENS = datetime(2026, 11, 21, 18, tzinfo=UTC).timestamp()
CLOSES = OPENS + 3 * 3600


@pytest.fixture
def execute(hook: DataWorksHook, clock: Clock) -> Callable[..., dict[str, Any]]:
    """Run one try of a stop with a window on the test's clock."""
    store = Store()

    def run(**arguments: Any) -> dict[str, Any]:
        known = {"di_job_id": JOB, "poll_interval": 15, "window": WINDOW}
        operator = StopDIJobOperator(task_id="stop", **{**known, **arguments})
        operator.hook = on_clock(DataWorksHook(), clock)
        return operator.execute({"ti": TaskInstance(), "task_state_store": store})  # type: ignore[typeddict-item]

    return run


@pytest.mark.parametrize("window", [WINDOW, WINDOW.to_json(), str(WINDOW.to_json()).replace("'", '"')])
@pytest.mark.parametrize("when", [OPENS, OPENS + 3600, CLOSES - 601])
def test_a_stop_inside_the_window_goes_on(
    execute: Callable[..., dict[str, Any]], clock: Clock, emulator: Emulator, window: Any, when: float
) -> None:
    """From the moment it opens until as much is left as stop and restart need; as value, object or text."""
    clock.time = when

    assert execute(window=window)["status"] == "Stopped"


@pytest.mark.parametrize("when", [OPENS - 1, CLOSES - 599, CLOSES, OPENS + 86_400])
def test_a_stop_outside_the_window_touches_nothing(
    execute: Callable[..., dict[str, Any]], clock: Clock, emulator: Emulator, when: float
) -> None:
    """Not even a look at the job; the error says window, clock and when it opens next, and is permanent."""
    clock.time = when

    with pytest.raises(OutsideMaintenanceWindow) as caught:
        execute()

    assert emulator.calls == []
    assert isinstance(caught.value, AirflowFailException)
    for part in ("Asia/Shanghai", "now is", "opens next"):
        assert part in str(caught.value)


def test_the_author_may_choose_to_skip(
    execute: Callable[..., dict[str, Any]], clock: Clock, emulator: Emulator
) -> None:
    """Then the tasks behind it are skipped too."""
    clock.time = OPENS - 60

    with pytest.raises(AirflowSkipException, match="opens next"):
        execute(outside_window="skip")

    assert emulator.calls == []


@pytest.mark.parametrize("ignore", [True, "True", "true", "1"])
def test_an_emergency_may_ignore_it(
    execute: Callable[..., dict[str, Any]], clock: Clock, logged: Callable[[], str], ignore: Any
) -> None:
    """Explicitly, and logged."""
    clock.time = OPENS - 60

    assert execute(ignore_window=ignore)["status"] == "Stopped"
    assert "is ignored" in logged()


@pytest.mark.parametrize("ignore", [False, "False", "", "None", "{{ params.ignore }}"])
def test_anything_else_does_not_ignore_it(execute: Callable[..., dict[str, Any]], clock: Clock, ignore: Any) -> None:
    """When in doubt, touch nothing."""
    clock.time = OPENS - 60

    with pytest.raises(OutsideMaintenanceWindow):
        execute(ignore_window=ignore)


def test_the_wait_ends_with_the_window(
    execute: Callable[..., dict[str, Any]], clock: Clock, emulator: Emulator
) -> None:
    """However long the timeout is."""
    emulator.add_job(JOB, "Running", stop_ends_in="never")
    clock.time = CLOSES - 700

    with pytest.raises(DIJobWaitTimeout):
        execute(timeout=86_400)

    assert clock.time == CLOSES


def test_a_retry_after_the_window_touches_nothing(
    execute: Callable[..., dict[str, Any]], clock: Clock, emulator: Emulator
) -> None:
    """Throttled inside the window, retried behind it."""
    clock.time = CLOSES - 700
    emulator.inject({"operation": "StopDIJob", "throttle": {"hints": {"x-acs-retry-after": 900_000}}})
    with pytest.raises(DataWorksThrottled):
        execute()
    before = len(emulator.calls)
    clock.sleep(900)

    with pytest.raises(OutsideMaintenanceWindow):
        execute()

    assert len(emulator.calls) == before
    assert emulator.job(JOB).status == "Running"


def test_a_retry_may_see_its_own_stop_through_while_the_window_lasts(
    execute: Callable[..., dict[str, Any]], clock: Clock, emulator: Emulator
) -> None:
    """Less is left than a new stop would need, but this one was sent in time."""
    clock.time = CLOSES - 700
    emulator.inject({"operation": "GetDIJob", "skip": 1, "throttle": {"hints": {"x-acs-retry-after": 200_000}}})
    with pytest.raises(DataWorksThrottled):
        execute()
    clock.sleep(200)

    assert execute()["stopped_by_this_run"] is True


def test_nothing_need_remain_where_the_author_says_so(execute: Callable[..., dict[str, Any]], clock: Clock) -> None:
    """Zero is a number of seconds that somebody can mean."""
    clock.time = CLOSES - 50

    assert execute(min_remaining=0)["status"] == "Stopped"


def test_a_look_that_takes_long_does_not_lead_to_a_late_stop(
    execute: Callable[..., dict[str, Any]], clock: Clock, emulator: Emulator
) -> None:
    """Enough was left when the task began, and too little when the stop would be sent."""
    clock.time = CLOSES - 620
    emulator.inject({"operation": "GetDIJob", "throttle": {"hints": {"x-acs-retry-after": 30_000}}})

    with pytest.raises(OutsideMaintenanceWindow, match="are needed"):
        execute()

    assert emulator.job(JOB).effective_stops == 0


@pytest.mark.parametrize(("outside", "error"), [("fail", OutsideMaintenanceWindow), ("skip", AirflowSkipException)])
def test_a_task_cleared_after_its_job_was_restarted_begins_no_late_stop(
    execute: Callable[..., dict[str, Any]], clock: Clock, emulator: Emulator, outside: str, error: type[Exception]
) -> None:
    """Its note of the first stop is no leave for a second one."""
    clock.time = CLOSES - 700
    execute()
    emulator.add_job(JOB, "Running")
    clock.time = CLOSES - 5

    with pytest.raises(error, match="are needed"):
        execute(outside_window=outside)

    assert emulator.job(JOB).status == "Running"


@pytest.mark.parametrize(
    ("arguments", "field"),
    [
        ({"window": "{{ typo }}"}, "window"),
        ({"window": {"cron": "0 2 * * SUN"}}, "duration"),
        ({"min_remaining": "ten"}, "min_remaining"),
    ],
)
def test_nonsense_is_refused_before_anything_is_sent(
    execute: Callable[..., dict[str, Any]], emulator: Emulator, arguments: dict[str, Any], field: str
) -> None:
    """The argument is named."""
    with pytest.raises(DataWorksInvalidRequest, match=field):
        execute(**arguments)

    assert emulator.calls == []


def test_an_unknown_choice_is_refused_as_the_dag_is_made() -> None:
    """Not on the night of the maintenance."""
    with pytest.raises(ValueError, match=r"^outside_window: 'ask' is not known\."):
        StopDIJobOperator(task_id="stop", di_job_id=JOB, outside_window="ask")
