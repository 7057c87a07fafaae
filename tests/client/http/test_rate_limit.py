"""Calls of one process to one account are spaced out."""

from __future__ import annotations

import pytest
from fake_dataworks import Clock

from airflow_provider_dataworks.client.http.rate_limit import LONGEST_HOLD, SLACK, RateLimiter, shared_limiter


@pytest.mark.parametrize("qps", [1, 5, 50])
def test_no_second_holds_more_calls_than_allowed(qps: int):
    """Callers that come all at once get slots far enough apart."""
    pace = RateLimiter(qps, lambda: 100.0)
    slots = [100.0 + pace.reserve() for _ in range(4 * qps)]

    assert slots[:qps] == [100.0] * qps
    assert max(sum(start <= slot < start + 1 for slot in slots) for start in slots) == qps
    assert slots[-1] == pytest.approx(103.0 + 3 * SLACK)


def test_less_than_one_call_per_second_is_a_longer_period():
    """Half a call per second is one every two seconds."""
    pace = RateLimiter(0.5, lambda: 100.0)

    assert [pace.reserve() for _ in range(3)] == pytest.approx([0.0, 2.0 + SLACK, 4.0 + 2 * SLACK])


def test_nobody_waits_once_the_window_has_passed():
    """Only a full window makes callers wait, and only for what is left of it."""
    clock = Clock(100.0)
    pace = RateLimiter(2, clock)
    first = [pace.reserve(), pace.reserve()]
    clock.time += 0.75
    third = pace.reserve()
    clock.time += 10
    later = pace.reserve()

    assert (first, third, later) == ([0.0, 0.0], pytest.approx(0.25 + SLACK), 0.0)


def test_one_account_at_one_endpoint_has_one_pace():
    """The service counts per account and region, so callers share the spacing; others do not."""
    ours = shared_limiter("https://h", "key-of-test-pace", 5.0)

    assert shared_limiter("https://h", "key-of-test-pace", 5.0) is ours
    assert shared_limiter("https://h", "another-key-of-test-pace", 5.0) is not ours
    assert shared_limiter("https://other", "key-of-test-pace", 5.0) is not ours
    assert ours.reserve() == 0.0


def test_a_hold_keeps_everybody_back():
    """What the service asked of one caller holds for all, and a shorter hold never cuts a longer one."""
    clock = Clock(100.0)
    pace = RateLimiter(5, clock)
    pace.pause(30)
    pace.pause(10)
    held = pace.reserve()
    clock.time += 40
    free = pace.reserve()

    assert (held, free) == (30.0, 0.0)


@pytest.mark.parametrize("asked", [301, 86_400, 9_999_999.999, float("inf")])
def test_no_answer_holds_everybody_for_more_than_minutes(asked: float):
    """It may be absurd, and no process could be told to go on."""
    pace = RateLimiter(5, lambda: 100.0)
    pace.pause(asked)

    assert (pace.paused_for(), pace.reserve()) == (LONGEST_HOLD, LONGEST_HOLD) == (300.0, 300.0)


def test_a_hold_is_known_until_it_is_over():
    """It is no slot: whoever asks for how long has taken none."""
    clock = Clock(100.0)
    pace = RateLimiter(1, clock)
    before = pace.paused_for()
    pace.pause(20)
    clock.time += 15
    during = pace.paused_for()
    clock.time += 5

    assert (before, during, pace.paused_for(), pace.reserve()) == (0.0, 5.0, 0.0, 0.0)


@pytest.mark.parametrize("qps", [1 / 3600, 0.001, 0.01, 1])
def test_a_low_rate_is_kept_however_many_wait(qps: float):
    """Fifty at once, which makes a queue of hours."""
    pace = RateLimiter(qps, lambda: 100.0)
    waits = [pace.reserve() for _ in range(50)]

    assert waits == pytest.approx([number * (1 / qps + SLACK) for number in range(50)])
