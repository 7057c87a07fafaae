"""Calls of one process to one account are spaced out."""

from __future__ import annotations

import pytest
from fake_dataworks import Clock

from airflow_provider_dataworks.client.pace import SLACK, Pace, shared_pace


@pytest.mark.parametrize("qps", [1, 5, 50])
def test_no_second_holds_more_calls_than_allowed(qps: int):
    """Callers that come all at once get slots far enough apart."""
    pace = Pace(qps, lambda: 100.0)
    slots = [100.0 + pace.reserve() for _ in range(4 * qps)]

    assert slots[:qps] == [100.0] * qps
    assert max(sum(start <= slot < start + 1 for slot in slots) for start in slots) == qps
    assert slots[-1] == pytest.approx(103.0 + 3 * SLACK)


def test_less_than_one_call_per_second_is_a_longer_period():
    """Half a call per second is one every two seconds."""
    pace = Pace(0.5, lambda: 100.0)

    assert [pace.reserve() for _ in range(3)] == pytest.approx([0.0, 2.0 + SLACK, 4.0 + 2 * SLACK])


def test_nobody_waits_once_the_window_has_passed():
    """Only a full window makes callers wait, and only for what is left of it."""
    clock = Clock(100.0)
    pace = Pace(2, clock)
    first = [pace.reserve(), pace.reserve()]
    clock.time += 0.75
    third = pace.reserve()
    clock.time += 10
    later = pace.reserve()

    assert (first, third, later) == ([0.0, 0.0], pytest.approx(0.25 + SLACK), 0.0)


def test_one_account_at_one_endpoint_has_one_pace():
    """The service counts per account and region, so callers share the spacing; others do not."""
    ours = shared_pace("https://h", "key-of-test-pace", 5.0)

    assert shared_pace("https://h", "key-of-test-pace", 5.0) is ours
    assert shared_pace("https://h", "another-key-of-test-pace", 5.0) is not ours
    assert shared_pace("https://other", "key-of-test-pace", 5.0) is not ours
    assert ours.reserve() == 0.0


def test_a_hold_keeps_everybody_back():
    """What the service asked of one caller holds for all, and a shorter hold never cuts a longer one."""
    clock = Clock(100.0)
    pace = Pace(5, clock)
    pace.hold(30)
    pace.hold(10)
    held = pace.reserve()
    clock.time += 40
    free = pace.reserve()

    assert (held, free) == (30.0, 0.0)


def test_no_hold_is_forgotten_for_being_long():
    """A day is more than anybody should be kept waiting; an hour is not."""
    pace = Pace(5, lambda: 100.0)
    pace.hold(86400)

    assert pace.reserve() == 3600.0
