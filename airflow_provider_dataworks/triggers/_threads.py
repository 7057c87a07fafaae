"""Runs blocking calls for an event loop, a few at once, in threads of its own; never in the loop's default executor.

Others fill that one, with name lookups that hang, for example. A thread serves one call and ends with it, so that none
is left when the last wait ends. A call that hangs gives its place to others after some seconds.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from contextlib import suppress
from contextvars import copy_context
from typing import Any, TypeVar

T = TypeVar("T")

_AT_ONCE = 4
_GIVES_WAY = 10.0  # seconds
_MOST = 32  # threads, those that hang among them


class Threads:
    """
    Places for calls of one event loop.

    :param name: of the threads, for whoever looks at a process that hangs.
    """

    def __init__(self, name: str = "dataworks") -> None:
        self._name = name
        self._places = asyncio.Semaphore(_AT_ONCE)
        self._threads = asyncio.Semaphore(_MOST)

    async def run(self, function: Callable[[], T]) -> T:
        """
        Call a function in a thread and return what it returns, or raise what it raises.

        Whoever is cancelled does not wait for it any longer; the call itself goes on to its end.
        """
        await self._threads.acquire()
        try:
            await self._places.acquire()
        except BaseException:
            self._threads.release()
            raise
        loop = asyncio.get_running_loop()
        future: asyncio.Future[T] = loop.create_future()
        place = _Place(self._places)
        gives_way = loop.call_later(_GIVES_WAY, place.release)

        def end(result: Any, error: BaseException | None) -> None:
            gives_way.cancel()
            place.release()
            self._threads.release()
            if future.cancelled():
                return
            if error is None:
                future.set_result(result)
            else:
                future.set_exception(error)

        def work() -> None:
            result, raised = None, None
            try:
                result = function()
            except BaseException as error:
                raised = error
            with suppress(RuntimeError):  # the loop has ended
                loop.call_soon_threadsafe(end, result, raised)

        threading.Thread(target=copy_context().run, args=(work,), name=self._name, daemon=True).start()
        return await future


class _Place:
    """A place that is released once, by the end of the call or by the time it has taken."""

    def __init__(self, places: asyncio.Semaphore) -> None:
        self._places: asyncio.Semaphore | None = places

    def release(self) -> None:
        if self._places is not None:
            self._places.release()
            self._places = None
