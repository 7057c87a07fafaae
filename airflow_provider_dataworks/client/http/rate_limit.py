"""Rate limiter: at most ``max_qps`` calls in any second, by all processes of a machine; it never waits by itself.

Airflow runs each task in a process of its own, so the processes of one user on one machine share a small file for each
account; where that cannot be had, such as on a read-only disk, each keeps to itself. Other machines are met through the
service alone: a throttled answer lowers the rate, and it rises again with time up to ``max_qps``, fast at first and
slowly around the rate that the service refused last, as TCP CUBIC does (RFC 9438, section 4) and botocore's adaptive
mode. So machines share an account's limit without anybody dividing it.
"""

from __future__ import annotations

import fcntl
import functools
import hashlib
import logging
import math
import os
import struct
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

from airflow_provider_dataworks.client import files
from airflow_provider_dataworks.client.locks import Lock

log = logging.getLogger(__name__)

T = TypeVar("T")

# Calls travel for different times: without this, some would arrive closer together than they left, and be refused.
SLACK = 0.03  # seconds
# The longest that one answer holds up all callers of an account: an absurd one may not stop everybody for days.
LONGEST_PAUSE = 300.0  # seconds
# A moment further away than this, and than this many periods, was not taken by this clock.
_FARTHEST = 3600.0  # seconds
_LONGEST_QUEUE = 100  # periods

_FREE = float("-inf")
# Of the calls of a second, that may leave at once: of many machines that begin together most would be refused.
_BURST = 0.4
# What a refusal leaves of the rate: much where it is the first for some time, less where the rate was lowered just now
# and is too high still, and least where almost nothing was sent since. Found by simulation of 1 to 8 machines, see
# benchmarks/machines.py.
_DECREASE, _DECREASE_AGAIN, _LEAST = 0.7, 0.4, 0.3
_SOON = 5.0  # seconds
# Of max_qps, below which the rate does not fall: an account that refuses everything is asked all the same.
_FLOOR = 0.05
_REGAIN = 16.0  # seconds in which the rate comes back to where the service refused last
_PROBE = 0.05  # of max_qps, by which it rises in as many seconds again
_NO_FOLDER = "there is no temporary folder that can be written to; TMPDIR can name one"
_LOCK_TRIES, _LOCK_PAUSE = 100, 0.0005  # seconds; whoever holds the file does so for microseconds
# Of the row: until when all are paused, how often the service throttled, the rate before it did, when, the rate it
# was lowered to, by how many refusals, the moment of the last call, the place of the oldest of the moments that follow.
_PAUSED, _THROTTLES, _BEFORE, _LOWERED_AT, _LOWERED_TO, _SENT, _LAST, _PLACE, _OWN = range(9)


class TooLongToWait(Exception):
    """
    The next slot is too far away.

    :param seconds: how far.
    """

    def __init__(self, seconds: float) -> None:
        super().__init__(f"{seconds:.0f} s")
        self.seconds = seconds


class State:
    """
    The numbers that a limiter works by, of this process alone.

    :param length: how many.
    """

    def __init__(self, length: int) -> None:
        self._numbers = [_FREE] * length

    def update(self, change: Callable[[list[float]], T]) -> T:
        """Let the numbers be read and changed in place, by nobody else meanwhile; return what the change returns."""
        return change(self._numbers)


class SharedState(State):
    """
    The same in a file that all processes of this user on this machine share.

    :param path: of the file; its folder must be this user's alone.
    """

    def __init__(self, path: Path, length: int) -> None:
        super().__init__(length)
        self._path, self._shape, self._is_told = path, struct.Struct(f"{length}d"), False

    def update(self, change: Callable[[list[float]], T]) -> T:
        """See :meth:`State.update`; where the file cannot be had, this process keeps to itself, and says so once."""
        try:
            with self._locked() as file:
                kept = os.pread(file, self._shape.size, 0)
                numbers = list(self._shape.unpack(kept)) if len(kept) == self._shape.size else []
                if not numbers or not all(number < math.inf for number in numbers):  # none is NaN either
                    numbers = [_FREE] * len(self._numbers)
                found = change(numbers)
                os.pwrite(file, self._shape.pack(*numbers), 0)
                return found
        except OSError as error:
            if not self._is_told:
                log.warning("max_qps is kept by this process alone, not by all of this machine: %s", error)
                self._is_told = True
            return super().update(change)

    @contextmanager
    def _locked(self) -> Iterator[int]:
        # Opened each time: keys that are rotated would leave a file open each, and a fork would share it.
        file = files.open_private(self._path)
        try:
            # Locks of this kind belong to a process: death lets go of them, and so does closing the file. They are not
            # waited for without end: a process that holds one may have been stopped.
            for _ in range(_LOCK_TRIES):
                try:
                    fcntl.lockf(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                except BlockingIOError:
                    time.sleep(_LOCK_PAUSE)
                else:
                    break
            else:
                raise BlockingIOError("another process does not let go of the file")
            yield file
        finally:
            os.close(file)


class RateLimiter:
    """
    Slots for the calls of one account; a sliding window that spaces them out.

    :param max_qps: calls per second; no second ever holds more.
    :param clock: seconds, monotonic.
    :param state: what it works by; by default this object's alone.
    """

    def __init__(self, max_qps: float, clock: Callable[[], float], state: State | None = None) -> None:
        self._max_qps, self._clock = max_qps, clock
        self._period = max(1.0, 1 / max_qps) + SLACK
        self._burst = max(1, int(max_qps * _BURST))
        self._farthest = max(_FARTHEST, _LONGEST_QUEUE * self._period)
        self._state = state or State(row_length(max_qps))
        self._lock = Lock()
        self._told = _FREE  # end of the pause that this process told of last
        # By thread: the moment of its last slot, and how often the service had throttled as it was taken.
        self._reserved = threading.local()

    def reserve(self, longest: float = float("inf")) -> float:
        """
        Take the next free slot and return how many seconds away it is.

        :param longest: seconds to wait at most, where it is the service that asks for it.
        :raises TooLongToWait: the slot is further away, and the service's refusals are why; none was taken.
        """

        def take(numbers: list[float]) -> float:
            now = self._clock()
            place, room = numbers[_PLACE], len(numbers) - _OWN
            oldest = int(place) if 0 <= place < room else 0
            rate = self._rate(numbers, now)
            recent = numbers[_OWN + (oldest - self._burst) % room] + self._burst / self._max_qps
            paused = self._paused_until(numbers, now)
            soonest = [paused, numbers[_OWN + oldest] + self._period, recent]
            if rate < self._max_qps:
                soonest.append(numbers[_LAST] + 1 / rate)
            slot = max(now, *(moment if self._is_near(moment, now) else _FREE for moment in soonest))
            if slot - now > longest and (paused >= slot or rate < self._max_qps):
                raise TooLongToWait(slot - now)
            numbers[_PLACE], numbers[_OWN + oldest], numbers[_LAST] = (oldest + 1) % room, slot, slot
            numbers[_SENT] = max(numbers[_SENT], 0.0) + 1
            self._reserved.slot, self._reserved.throttles = slot, numbers[_THROTTLES]
            return slot - now

        return self._update(take)

    def is_due(self) -> bool:
        """Say whether the slot that this thread took last still holds: the service may have throttled meanwhile."""

        def holds(numbers: list[float]) -> bool:
            paused, slot = self._paused_until(numbers, self._clock()), self._reserved.slot
            return bool(numbers[_THROTTLES] == self._reserved.throttles and paused <= slot)

        return self._update(holds)

    def answered(self, *, throttled: bool) -> None:
        """Learn from an answer whether the service throttled the call."""
        if not throttled:
            return  # the rate rises by itself, with time

        def lower(numbers: list[float]) -> None:
            now = self._clock()
            rate = self._rate(numbers, now)
            # Where few calls went out since the rate was lowered last, it is far too high still.
            most = _DECREASE if _SOON < now - numbers[_LOWERED_AT] < _FARTHEST else _DECREASE_AGAIN
            least = min(rate, _FLOOR * self._max_qps)
            left = max(_LEAST, min(most, 1 - 1 / (max(numbers[_SENT], 0.0) + 0.5)))
            numbers[_BEFORE], numbers[_LOWERED_TO], numbers[_LOWERED_AT] = rate, max(rate * left, least), now
            numbers[_SENT] = 0.0
            numbers[_THROTTLES] = max(numbers[_THROTTLES], 0.0) + 1
            # Those who wait for their slots ask again, by the lower rate: slots ahead are free.
            numbers[_OWN:] = [min(moment, now) for moment in numbers[_OWN:]]
            numbers[_LAST] = now

        self._update(lower)

    def pause(self, seconds: float) -> None:
        """Give out no slot for these seconds, :data:`LONGEST_PAUSE` at most: the service asked everybody to wait."""

        def pause(numbers: list[float]) -> None:
            now = self._clock()
            numbers[_PAUSED] = max(self._paused_until(numbers, now), now + min(seconds, LONGEST_PAUSE))

        self._update(pause)

    def paused_for(self) -> float:
        """Return for how many more seconds the service keeps everybody back; 0 where it does not."""

        def left(numbers: list[float]) -> float:
            now = self._clock()
            return max(0.0, self._paused_until(numbers, now) - now)

        return self._update(left)

    def is_news(self, paused_for: float) -> bool:
        """Say whether this process has not yet told of a pause, and take it for told."""
        until = self._clock() + paused_for
        told, self._told = self._told, until
        return abs(until - told) > 1

    def _update(self, change: Callable[[list[float]], T]) -> T:
        with self._lock:
            return self._state.update(change)

    def _paused_until(self, numbers: list[float], now: float) -> float:
        return numbers[_PAUSED] if numbers[_PAUSED] <= now + LONGEST_PAUSE else _FREE

    def _is_near(self, moment: float, now: float) -> bool:
        return moment <= now + self._farthest

    def _rate(self, numbers: list[float], now: float) -> float:
        """Return the calls per second that are allowed now: all of them, unless the service throttled of late."""
        since, before, lowered_to = now - numbers[_LOWERED_AT], numbers[_BEFORE], numbers[_LOWERED_TO]
        if not (0 <= since < _FARTHEST and 0 < lowered_to <= before <= self._max_qps):
            return self._max_qps
        # Cubic: steep at first, flat around the rate that the service may well refuse, and steep again later.
        refused = min(before, lowered_to / _DECREASE)
        past = (since - _REGAIN) / _REGAIN
        return min(self._max_qps, refused + (refused - lowered_to if past < 0 else self._max_qps * _PROBE) * past**3)


def row_length(max_qps: float) -> int:
    """Return how many numbers a limiter works by: some of its own, and the moments of the calls of one window."""
    return _OWN + max(1, int(max_qps))


@functools.lru_cache(maxsize=256)
def shared_limiter(endpoint: str, identity: str, max_qps: float) -> RateLimiter:
    """
    Return the limiter of this machine for an account at an endpoint: the service counts per account and region.

    :param identity: what stands for the account, such as an AccessKey ID.
    """
    length = row_length(max_qps)
    name = f"2 {endpoint} {identity} {max_qps:g} {length} {files.boot()}"  # the first is the version of the row
    try:
        state: State = SharedState(files.folder() / hashlib.sha256(name.encode()).hexdigest()[:24], length)
    except OSError:  # no temporary folder can be written to, such as on a read-only disk
        log.warning("max_qps is kept by this process alone, not by all of this machine: %s", _NO_FOLDER)
        state = State(length)
    return RateLimiter(max_qps, time.monotonic, state)
