"""
Virtual time for the package under test: hours of its waiting take no time. The one module that knows how it waits.

Whoever rebuilds the inside of the package changes this module and no other of the campaign. What it does:

* ``time.time``, ``time.monotonic``, ``time.sleep`` and the public ``DataWorksHook.now`` and ``.sleep`` are those of
  :data:`CLOCK`, as long as :func:`virtual_time` lasts.
* Code that blocks (a worker's) moves the clock by sleeping. Only one such process is alive at a time.
* Triggers run in :class:`VirtualLoop`, an event loop that jumps to its next timer as soon as nobody works any more. It
  works with real sockets and with threads, because before it jumps it makes sure that

  - no socket of the loop is still connecting or has bytes that did not arrive (asked of the kernel),
  - the endpoint has read and answered everything that arrived (see :meth:`~.endpoint.Endpoint.busy`),
  - nothing handed to ``run_in_executor`` or ``asyncio.to_thread`` is under way,
  - every other thread is idle: it waits for a lock or a queue, or it sleeps on this clock.

A thread that sleeps on this clock beside a running loop is woken by the loop's jumps, so that both see one time.

Not virtual are the waits of ``threading`` and ``queue`` with a time limit, which Python takes from the system. A thread
in one counts as idle; should the package come to need such a limit, it has to be replaced here.
"""

from __future__ import annotations

import asyncio
import fcntl
import heapq
import itertools
import selectors
import struct
import sys
import termios
import threading
import time
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager
from typing import Any

from airflow_provider_dataworks.hooks.dataworks import DataWorksHook
from campaign.endpoint import Endpoint

_real_monotonic, _real_sleep = time.monotonic, time.sleep

_STUCK = 30.0  # real seconds in which something must happen
_SPACE = 2.0**17  # seconds between two schedules, after which nobody may still be held up by the one before
_JUST_AFTER = 1e-6  # seconds: a timer must be due after the jump to it, however its moment was rounded
_EPOCH = 1_795_000_000.0


class Stuck(BaseException):
    """Something waits that nothing will ever wake, or works for longer than anything here should."""


class Clock:
    """
    One clock for a process: ``steady`` only grows, ``epoch`` is what the machine takes for the time of day.

    ``allowed`` is called before anybody learns the time or sleeps by it; it raises if the process that asks is dead.
    """

    def __init__(self) -> None:
        self.steady, self.epoch, self.began = _SPACE, _EPOCH, _SPACE
        self.allowed: Callable[[], None] = lambda: None
        self.passed: Callable[[], None] = lambda: None
        self.loop: VirtualLoop | None = None
        self.slept: Callable[[float], None] = lambda seconds: None

    def begin(self, epoch: float) -> None:
        """Begin a new schedule at this time of day, long after the one before."""
        self.steady = (self.steady // _SPACE + 1) * _SPACE
        self.epoch, self.began = epoch, self.steady
        self.allowed = self.passed = lambda: None
        self.slept = lambda seconds: None

    @property
    def elapsed(self) -> float:
        """Seconds since the schedule began."""
        return self.steady - self.began

    def advance(self, seconds: float) -> None:
        """Let time pass."""
        self.steady += max(0.0, seconds)
        self.epoch += max(0.0, seconds)
        self.passed()

    def now(self) -> float:
        """Epoch seconds, for the package."""
        self.allowed()
        return self.epoch

    def time(self) -> float:
        """Epoch seconds, for everybody in the process."""
        return self.epoch

    def monotonic(self) -> float:
        """Steady seconds."""
        return self.steady

    def sleep(self, seconds: float) -> None:
        """Let time pass for whoever calls, and for everybody else."""
        self.allowed()
        self.slept(seconds)
        if self.loop is not None and threading.get_ident() != self.loop.thread:
            self.loop.sleep_in_thread(seconds)
        else:
            self.advance(seconds)
        self.allowed()


CLOCK = Clock()


@contextmanager
def virtual_time() -> Iterator[Clock]:
    """Let everything in this process live by :data:`CLOCK`."""
    replaced: list[tuple[Any, str, Any]] = [
        (time, "time", CLOCK.time),
        (time, "monotonic", CLOCK.monotonic),
        (time, "sleep", CLOCK.sleep),
        (DataWorksHook, "now", staticmethod(CLOCK.now)),
        (DataWorksHook, "sleep", staticmethod(CLOCK.sleep)),
    ]
    before = [(where, name, vars(where)[name]) for where, name, _ in replaced]
    try:
        for where, name, value in replaced:
            setattr(where, name, value)
        yield CLOCK
    finally:
        for where, name, value in before:
            setattr(where, name, value)


def run_virtually(work: Coroutine[Any, Any, Any], endpoint: Endpoint) -> Any:
    """Run a coroutine to its end in an event loop of its own on virtual time, as a triggerer does."""
    with asyncio.Runner(loop_factory=lambda: VirtualLoop(endpoint)) as runner:
        CLOCK.loop = runner.get_loop()  # type: ignore[assignment]
        try:
            return runner.run(work)
        finally:
            CLOCK.loop = None


class VirtualLoop(asyncio.SelectorEventLoop):
    """An event loop that jumps to its next timer once nobody works any more; see the module."""

    def __init__(self, endpoint: Endpoint) -> None:
        self.thread = threading.get_ident()
        self.sleepers: list[tuple[float, int, threading.Event]] = []
        self._order = itertools.count()
        self._lock = threading.Lock()
        self.working = 0
        self.killed = False
        super().__init__(_Selector(self, endpoint))

    def time(self) -> float:
        """Seconds of the virtual clock."""
        return CLOCK.steady

    def run_in_executor(self, executor: Any, func: Any, *args: Any) -> Any:
        """Hand work to a thread; the clock stands still until its result is back in the loop."""
        future = super().run_in_executor(executor, func, *args)
        self.working += 1
        future.add_done_callback(self._worked)
        return future

    def _worked(self, future: Any) -> None:
        self.working -= 1

    def sleep_in_thread(self, seconds: float) -> None:
        """Sleep in another thread than the loop's until the loop's time has come that far."""
        woken = threading.Event()
        with self._lock:
            heapq.heappush(self.sleepers, (CLOCK.steady + max(0.0, seconds), next(self._order), woken))
        self.call_soon_threadsafe(lambda: None)  # the loop may wait for its own timers alone
        woken.wait()

    def next_sleeper(self) -> float | None:
        """When the first of the sleeping threads wants to be woken."""
        with self._lock:
            return self.sleepers[0][0] if self.sleepers else None

    def wake(self) -> bool:
        """Wake all whose time has come."""
        found = False
        with self._lock:
            while self.sleepers and self.sleepers[0][0] <= CLOCK.steady:
                heapq.heappop(self.sleepers)[2].set()
                found = True
        return found


class _Selector(selectors.DefaultSelector):  # type: ignore[misc,valid-type]
    def __init__(self, loop: VirtualLoop, endpoint: Endpoint) -> None:
        super().__init__()
        self._loop, self._endpoint = loop, endpoint

    def select(self, timeout: float | None = None) -> Any:
        ready = super().select(0)
        # After what is ready was asked for: a dead process may not hear its connections being closed.
        if not self._loop.killed:
            try:
                CLOCK.allowed()
            except BaseException:
                self._loop.killed = True  # only once: the loop still has to close
                raise
        if ready or (timeout is not None and timeout <= 0):
            return ready
        began = _real_monotonic()
        while self._somebody_works():
            if ready := super().select(0.0005):
                return ready
            if _real_monotonic() - began > _STUCK:
                raise Stuck("somebody works for too long")
        if ready := super().select(0):  # what came while we asked
            return ready
        sleeper = self._loop.next_sleeper()
        moments = [CLOCK.steady + timeout] if timeout is not None else []
        moments += [sleeper] if sleeper is not None else []
        if not moments:
            raise Stuck("the event loop waits for what will never come")
        CLOCK.advance(min(moments) - CLOCK.steady + _JUST_AFTER)
        self._loop.wake()
        return []

    def _somebody_works(self) -> bool:
        asleep = len(self._loop.sleepers)
        if self._loop.working > asleep:
            return True
        return self._on_the_way() or self._endpoint.busy() or _threads_work(self._loop.thread, self._endpoint.thread)

    def _on_the_way(self) -> bool:
        keys = list(self.get_map().values())
        return any(key.events & selectors.EVENT_WRITE or _not_arrived(key.fd) for key in keys)


def _not_arrived(descriptor: int) -> bool:
    return struct.unpack("i", fcntl.ioctl(descriptor, termios.TIOCOUTQ, b"\0\0\0\0"))[0] > 0


def _threads_work(*ours: int | None) -> bool:
    """Whether a thread that this package started by itself does something; looked at twice, as one may be waking up."""
    for pause in (0.0, 0.0003):
        others = [each for each in threading.enumerate() if each.ident not in ours and _is_foreign(each)]
        if not others:
            return False
        if pause:
            _real_sleep(pause)
        frames = sys._current_frames()
        if not all(_is_idle(frames.get(each.ident or 0)) for each in others):
            return True
    return False


def _is_foreign(thread: threading.Thread) -> bool:
    # The threads of a loop's own executor are counted by VirtualLoop.run_in_executor.
    return thread is not threading.main_thread() and not thread.name.startswith("asyncio_")


def _is_idle(frame: Any) -> bool:
    if frame is None:
        return True
    place = (frame.f_code.co_filename.rpartition("/")[2], frame.f_code.co_name)
    return place in (
        ("threading.py", "wait"),
        ("queue.py", "get"),
        ("thread.py", "_worker"),
        ("selectors.py", "select"),
    )
