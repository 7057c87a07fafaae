"""Quotas of the emulated account, with a clock that is turned by hand."""

from __future__ import annotations

import pytest

from airflow_provider_dataworks.emulator.quotas import Meter, Quotas
from airflow_provider_dataworks.emulator.responses import Refusal

DAY = 86_400.0


def taken(meter: Meter, times: int, now: float) -> list[str]:
    """Take calls, and tell how each was answered."""
    answers = []
    for _ in range(times):
        try:
            meter.take(now)
            answers.append("ok")
        except Refusal as refusal:
            answers.append(refusal.code if refusal.status == 429 else f"{refusal.status} {refusal.code}")
    return answers


def test_without_limits_every_call_passes():
    """No quota is the default."""
    assert taken(Meter(Quotas()), 1000, 0.0) == ["ok"] * 1000


def test_calls_beyond_the_rate_are_throttled_until_time_passes():
    """Five a second: five at once, then one more every fifth of a second."""
    meter = Meter(Quotas(calls_per_second=5))
    assert taken(meter, 7, 10.0) == ["ok"] * 5 + ["Throttling.User"] * 2
    assert taken(meter, 2, 10.2) == ["ok", "Throttling.User"]
    assert taken(meter, 6, 60.0) == ["ok"] * 5 + ["Throttling.User"]


def test_a_rate_below_one_still_lets_a_call_in():
    """One call every ten seconds is a rate too."""
    meter = Meter(Quotas(calls_per_second=0.1))
    assert taken(meter, 2, 0.0) == ["ok", "Throttling.User"]
    assert taken(meter, 1, 10.0) == ["ok"]


def test_a_burst_sets_how_many_may_come_at_once():
    """The bucket can be larger than a second's worth."""
    assert taken(Meter(Quotas(calls_per_second=1, burst=3)), 4, 0.0) == ["ok"] * 3 + ["Throttling.User"]


def test_a_clock_set_back_does_not_take_calls_away():
    """A test may well turn its clock back."""
    meter = Meter(Quotas(calls_per_second=1))
    assert taken(meter, 1, 100.0) == ["ok"]
    assert taken(meter, 1, 50.0) == ["Throttling.User"]
    assert taken(meter, 1, 51.0) == ["ok"]


def test_calls_beyond_the_day_are_refused_until_the_next():
    """The daily limit has its own code, which is not worth a retry today."""
    meter = Meter(Quotas(calls_per_day=3))
    assert taken(meter, 4, DAY - 1) == ["ok"] * 3 + ["Throttling.Api.Risk"]
    assert taken(meter, 1, DAY) == ["ok"]


def test_refused_calls_count_towards_the_day():
    """In the Basic edition failed calls count, so hammering a throttled API eats the day."""
    meter = Meter(Quotas(calls_per_second=1, calls_per_day=3))
    assert taken(meter, 4, 0.0) == ["ok", "Throttling.User", "Throttling.User", "Throttling.Api.Risk"]


def test_forgetting_begins_day_and_second_anew():
    """What a reset needs."""
    meter = Meter(Quotas(calls_per_second=1, calls_per_day=1))
    assert taken(meter, 2, 0.0) == ["ok", "Throttling.Api.Risk"]
    meter.forget()
    assert taken(meter, 1, 0.0) == ["ok"]


def test_limits_change_one_at_a_time():
    """Naming one limit leaves the others."""
    changed = Quotas(calls_per_second=5, calls_per_day=100).changed({"calls_per_second": None})
    assert changed == Quotas(calls_per_day=100)


@pytest.mark.parametrize(
    "changes",
    [
        {"calls_per_second": 0},
        {"calls_per_second": "5"},
        {"calls_per_second": True},
        {"calls_per_second": float("inf")},
        {"calls_per_day": -1},
        {"calls_per_day": 1.5},
        {"burst": 0},
    ],
)
def test_limits_that_make_no_sense_are_refused_by_name(changes):
    """The error names the field."""
    with pytest.raises(ValueError, match=next(iter(changes))):
        Quotas().changed(changes)


def test_an_unknown_limit_is_refused():
    """A misspelt limit must not silently mean none."""
    with pytest.raises(ValueError, match="unknown quota 'qps'; known are calls_per_second"):
        Quotas().changed({"qps": 5})
