"""Shuts down connections whose exchanges take too long, by one thread of the process; never one before its time."""

from __future__ import annotations

import os
import threading
import time
from typing import Protocol

_IDLE = 10.0  # seconds without exchanges after which the thread ends


class Watched(Protocol):
    """An exchange that can be broken off from another thread."""

    def shut_down(self) -> None:
        """Break it off, without waiting for anything."""
        ...


class _State:
    def __init__(self) -> None:
        self.deadlines: dict[Watched, float] = {}
        self.changed = threading.Condition()
        self.thread: threading.Thread | None = None
        self.wakes = 0.0  # when the thread looks next, seconds of the steady clock


_state = _State()


def _reset() -> None:
    # The child of a fork has neither the thread nor the exchanges, and perhaps a lock that nobody lets go of.
    global _state
    _state = _State()


os.register_at_fork(after_in_child=_reset)


def begin(exchange: Watched, deadline: float) -> None:
    """
    Watch an exchange.

    :param deadline: seconds of the steady clock at which it is shut down.
    """
    state = _state
    with state.changed:
        state.deadlines[exchange] = deadline
        if state.thread is None:
            state.thread = threading.Thread(target=_run, args=(state,), name="dataworks-watchdog", daemon=True)
            state.thread.start()
        elif deadline < state.wakes:
            state.changed.notify()


def end(exchange: Watched) -> None:
    """Watch an exchange no longer."""
    state = _state
    with state.changed:
        state.deadlines.pop(exchange, None)


def _run(state: _State) -> None:
    with state.changed:
        idle_since = time.monotonic()
        while True:
            now = time.monotonic()
            for exchange, deadline in list(state.deadlines.items()):
                if deadline <= now:
                    del state.deadlines[exchange]
                    exchange.shut_down()
            if state.deadlines:
                idle_since = now
            elif now - idle_since >= _IDLE:
                state.thread = None
                return
            state.wakes = min(state.deadlines.values(), default=now + _IDLE)
            state.changed.wait(state.wakes - now)
