"""A lock for what threads share that is free in the child of a fork, whoever held it in the parent."""

from __future__ import annotations

import os
import threading
from types import TracebackType


class Lock:
    """As :class:`threading.Lock`; without this, a child forked while another thread holds it would wait for ever."""

    def __init__(self) -> None:
        self._lock, self._process = threading.Lock(), os.getpid()

    def acquire(self, blocking: bool = True) -> bool:
        """Take the lock, and say whether it was free; without ``blocking`` it is not waited for."""
        if self._process != os.getpid():
            self._lock, self._process = threading.Lock(), os.getpid()
        return self._lock.acquire(blocking)

    def release(self) -> None:
        """Let go of it."""
        self._lock.release()

    def __enter__(self) -> None:
        self.acquire()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.release()
