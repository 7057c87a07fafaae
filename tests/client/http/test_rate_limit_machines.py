"""Machines that share nothing share an account's limit; what one machine's processes share may be spoiled."""

from __future__ import annotations

import heapq
import math
import os
import random
import signal
import struct
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import pytest
from fake_dataworks import Clock

from airflow_provider_dataworks.client.http.rate_limit import SLACK, RateLimiter, SharedState, State, row_length

T = TypeVar("T")

LIMIT = 5.0  # calls per second of the account


def calls_of(machines: int, seconds: float, seed: int) -> list[tuple[float, bool]]:
    """Let machines call as often as they may; return when each call came and whether the account refused it."""
    draw = random.Random(seed)
    clock, tokens, seen, found = Clock(1000.0), LIMIT, 1000.0, []
    limiters = [RateLimiter(LIMIT, clock) for _ in range(machines)]
    turns = [(1000.0 + draw.random(), number, False) for number in range(machines)]
    while turns:
        clock.time, number, slept = heapq.heappop(turns)
        limiter = limiters[number]
        if not slept or not limiter.is_due():
            heapq.heappush(turns, (clock.time + limiter.reserve(), number, True))
            continue
        tokens, seen = min(LIMIT, tokens + (clock.time - seen) * LIMIT), clock.time
        refused = tokens < 1
        tokens -= not refused
        limiter.answered(throttled=refused)
        found.append((clock.time - 1000, refused))
        pause = draw.uniform(0.05, 1) if refused else draw.uniform(0.005, 0.02)
        if clock.time < 1000 + seconds:
            heapq.heappush(turns, (clock.time + pause, number, False))
    return found


def test_machines_that_share_nothing_share_an_accounts_limit() -> None:
    """Few calls are refused, little of the limit is left unused; one alone is refused nothing."""
    wrong = []
    for machines in (1, 2, 4, 8):
        for seed in range(10):
            calls = calls_of(machines, 120, seed)
            refused = sum(refused for _, refused in calls)
            used = (len(calls) - refused) / (LIMIT * 120)
            if refused > 0.12 * len(calls) or used < 0.85 or (machines == 1 and refused):
                wrong.append((machines, seed, refused / len(calls), used))

    assert wrong == []


def test_a_slot_that_a_pause_overtakes_is_taken_anew() -> None:
    """Whoever waits for a slot may not call in the pause; one taken after the pause holds."""
    clock = Clock(100.0)
    limiter = RateLimiter(1, clock)
    limiter.reserve()
    waiting = limiter.reserve()
    limiter.pause(30)
    overtaken = limiter.is_due()
    after = limiter.reserve()

    assert (waiting, overtaken, after, limiter.is_due()) == (pytest.approx(1 + SLACK), False, 30.0, True)


def test_a_number_that_is_none_spoils_nothing(tmp_path: Path) -> None:
    """Whichever of the row it is: slots are near, and whoever waits for one comes to it."""
    wrong = []
    (tmp_path / "shared").mkdir(mode=0o700)
    path, length = tmp_path / "shared" / "row", row_length(5)
    for place in range(length):
        for number in (math.nan, math.inf, 1e300, -1e300):
            row = [90.0] * length
            row[place] = number
            path.write_bytes(struct.pack(f"{length}d", *row))
            limiter = RateLimiter(5, lambda: 100.0, SharedState(path, length))
            seen = [(limiter.reserve(), limiter.is_due()) for _ in range(6)]
            limiter.answered(throttled=True)
            again = limiter.reserve(longest=45)
            if not all(0 <= wait < 8 and due for wait, due in [*seen, (again, limiter.is_due())]):
                wrong.append((place, number, seen, again))

    assert wrong == []


class Busy(State):
    """Numbers that a thread works on until it is told to end."""

    def __init__(self) -> None:
        super().__init__(row_length(5))
        self.is_held, self.end = threading.Event(), threading.Event()

    def update(self, change: Callable[[list[float]], T]) -> T:
        """Hold the limiter's lock meanwhile, where that is the other thread."""
        if threading.current_thread() is not threading.main_thread():
            self.is_held.set()
            self.end.wait(60)
        return super().update(change)


@pytest.mark.filterwarnings("ignore:.*use of fork.*:DeprecationWarning")  # Python 3.12 warns of what is tested
def test_the_child_of_a_fork_waits_for_no_thread_of_its_parent() -> None:
    """The thread is not in the child, and would never let go of the lock."""
    state = Busy()
    limiter = RateLimiter(5, lambda: 100.0, state)
    thread = threading.Thread(target=limiter.reserve)
    thread.start()
    state.is_held.wait(60)
    child = os.fork()
    if child == 0:
        os._exit(0 if limiter.reserve() == 0 else 1)
    state.end.set()
    thread.join()
    until = time.monotonic() + 30
    while (ended := os.waitpid(child, os.WNOHANG)) == (0, 0) and time.monotonic() < until:
        time.sleep(0.01)
    if ended == (0, 0):
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)

    assert ended == (child, 0)
