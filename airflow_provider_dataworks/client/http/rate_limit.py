"""How fast calls may follow each other; nothing here sleeps: it says how long somebody else must."""

from __future__ import annotations

import functools
import time
from collections.abc import Callable

from airflow_provider_dataworks.client.http.locks import Lock
from airflow_provider_dataworks.client.http.slots import FREE, Slots, shared_slots

# Calls travel for different times: without this, some would arrive closer together than they left, and be refused.
SLACK = 0.03  # seconds
# The longest that one answer holds up all callers of an account: an absurd one may not stop everybody for days.
LONGEST_HOLD = 300.0  # seconds
# A moment further away than this, and than this many periods, was not taken by this clock.
_FARTHEST = 3600.0  # seconds
_LONGEST_QUEUE = 100  # periods


class Pace:
    """
    A sliding window that spaces calls out, shared by all conversations with one account.

    :param max_qps: calls per second; no second ever holds more.
    :param clock: seconds, monotonic.
    :param slots: where past calls are kept; by default by this object alone.
    """

    def __init__(self, max_qps: float, clock: Callable[[], float], slots: Slots | None = None) -> None:
        self._period = max(1.0, 1 / max_qps) + SLACK
        self._farthest = max(_FARTHEST, _LONGEST_QUEUE * self._period)
        self._clock = clock
        self._slots = slots or Slots(row_length(max_qps))
        self._lock = Lock()
        self._told = FREE  # end of the hold that this process told of last

    def reserve(self) -> float:
        """Take the next free slot and return how many seconds away it is."""
        with self._lock:
            return self._slots.update(self._take)

    def hold(self, seconds: float) -> None:
        """Give out no slot for these seconds, and :data:`LONGEST_HOLD` at most: the service asked everybody to wait."""

        def hold(row: list[float]) -> None:
            row[0] = max(row[0] if self._is_near(row[0]) else FREE, self._clock() + min(seconds, LONGEST_HOLD))

        with self._lock:
            self._slots.update(hold)

    def held(self) -> float:
        """Return for how many more seconds a hold keeps everybody back; 0 where there is none."""

        def left(row: list[float]) -> float:
            return max(0.0, row[0] - self._clock()) if self._is_near(row[0]) else 0.0

        with self._lock:
            return self._slots.update(left)

    def is_news(self, held: float) -> bool:
        """Say whether this process has not yet told of a hold, and take it for told."""
        until = self._clock() + held
        told, self._told = self._told, until
        return abs(until - told) > 1

    def _is_near(self, moment: float) -> bool:
        return moment <= self._clock() + self._farthest

    def _take(self, row: list[float]) -> float:
        # Until when all are held, which moment is the oldest, and the moments of the last calls, in a ring.
        now = self._clock()
        held_until, place, room = row[0], row[1], len(row) - 2
        oldest = int(place) if 0 <= place < room else 0
        soonest = (held_until, row[2 + oldest] + self._period)
        slot = max(now, *(moment if self._is_near(moment) else FREE for moment in soonest))
        row[1] = (oldest + 1) % room
        row[2 + oldest] = slot
        return slot - now


def row_length(max_qps: float) -> int:
    """Return how many numbers a pace keeps: two of its own, and the moments of the calls of one window."""
    return 2 + max(1, int(max_qps))


@functools.lru_cache(maxsize=256)
def shared_pace(endpoint: str, identity: str, max_qps: float) -> Pace:
    """
    Return the pace of this machine for an account at an endpoint: the service counts per account and region.

    :param identity: what stands for the account, such as an AccessKey ID.
    """
    slots = shared_slots(f"{endpoint} {identity} {max_qps:g}", row_length(max_qps))
    return Pace(max_qps, time.monotonic, slots)
