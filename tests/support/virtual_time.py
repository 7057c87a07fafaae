"""An event loop whose time passes only while everybody sleeps, so that hours of waiting take a test no time."""

from __future__ import annotations

import asyncio
import selectors
from collections.abc import Coroutine
from typing import Any


class _Selector(selectors.SelectSelector):
    def __init__(self) -> None:
        super().__init__()
        self.passed = 0.0

    def select(self, timeout: float | None = None) -> Any:
        if timeout is None:  # nobody sleeps: a thread must wake the loop
            return super().select(None)
        ready = super().select(0)
        if not ready:
            self.passed += max(timeout, 0.0)
        return ready


class VirtualLoop(asyncio.SelectorEventLoop):
    """
    A loop that jumps to the next timer instead of waiting for it.

    Do not use it with real sockets: an answer that is on its way would be overtaken by a timer.
    """

    def __init__(self) -> None:
        self._passing = _Selector()
        super().__init__(self._passing)

    def time(self) -> float:
        """Seconds slept through since the loop began."""
        return self._passing.passed


def run_virtually(work: Coroutine[Any, Any, Any]) -> Any:
    """Run a coroutine to its end on virtual time."""
    with asyncio.Runner(loop_factory=VirtualLoop) as runner:
        return runner.run(work)
