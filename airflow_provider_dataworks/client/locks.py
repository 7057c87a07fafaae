"""Locks for what threads share that are free in the child of a fork, whoever held them in the parent."""

from __future__ import annotations

import os
import sys
import threading
from types import TracebackType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING or sys.version_info >= (3, 12):
    from functools import cached_property
else:

    class cached_property:  # noqa: N801 - Python's name
        """
        As Python 3.12 has it, without a lock: two threads that ask first may both compute the value.

        Before, Python holds one for all objects of a class while it computes one of them: threads wait for each other,
        and a child forked meanwhile would wait for ever.
        """

        def __init__(self, compute: Any) -> None:
            self._compute, self.__doc__ = compute, compute.__doc__

        def __set_name__(self, owner: type, name: str) -> None:
            self._name = name

        def __get__(self, instance: Any, owner: type | None = None) -> Any:
            if instance is None:
                return self
            found = instance.__dict__[self._name] = self._compute(instance)
            return found


__all__ = ["Lock", "cached_property"]


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
