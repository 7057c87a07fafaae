"""How fast calls may follow each other; nothing here sleeps: it says how long somebody else must."""

from __future__ import annotations

import functools
import threading
import time
from collections import deque
from collections.abc import Callable

# Calls travel for different times: without this, some would arrive closer together than they left, and be refused.
SLACK = 0.05  # seconds


class Pace:
    """
    A sliding window that spaces calls out, shared by all conversations of a process with one account.

    :param max_qps: calls per second; no second ever holds more.
    :param clock: seconds, monotonic.
    """

    def __init__(self, max_qps: float, clock: Callable[[], float]) -> None:
        in_window = max(1, int(max_qps))
        self._period = max(1.0, 1 / max_qps) + SLACK
        self._slots: deque[float] = deque(maxlen=in_window)
        self._clock = clock
        self._held_until = float("-inf")
        self._lock = threading.Lock()

    def reserve(self) -> float:
        """Take the next free slot and return how many seconds away it is."""
        with self._lock:
            now = self._clock()
            full = len(self._slots) == self._slots.maxlen
            slot = max(now, self._held_until, self._slots[0] + self._period if full else now)
            self._slots.append(slot)
            return slot - now

    def hold(self, seconds: float) -> None:
        """Give out no slot for these seconds: the service asked everybody to wait."""
        with self._lock:
            self._held_until = max(self._held_until, self._clock() + seconds)


@functools.lru_cache(maxsize=256)
def shared_pace(endpoint: str, access_key_id: str, max_qps: float) -> Pace:
    """Return the one pace of this process for an account at an endpoint: the service counts per account and region."""
    return Pace(max_qps, time.monotonic)
