"""The two drivers of conversations, one blocking, one for event loops; they obey, and hold no policy of their own."""

from __future__ import annotations

import asyncio
import functools
import time
from collections.abc import Awaitable, Callable, Generator
from typing import Any, TypeVar

from airflow_provider_dataworks.client.asking import Sleep
from airflow_provider_dataworks.exceptions import DataWorksError

T = TypeVar("T")


def run(flow: Generator[Any, Any, T], exchange: Callable[[Any], Any], sleep: Callable[[float], None] = time.sleep) -> T:
    """
    Drive a flow to its end, blocking.

    :param exchange: obeys every command but ``Sleep``; its errors are thrown into the flow.
    """
    step = functools.partial(flow.send, None)
    try:
        while True:
            command = step()
            try:
                if isinstance(command, Sleep):
                    sleep(command.seconds)
                    step = functools.partial(flow.send, None)
                else:
                    step = functools.partial(flow.send, exchange(command))
            except DataWorksError as error:
                step = functools.partial(flow.throw, error)
    except StopIteration as end:
        return end.value  # type: ignore[no-any-return]
    finally:
        flow.close()


async def arun(
    flow: Generator[Any, Any, T],
    exchange: Callable[[Any], Awaitable[Any]],
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
) -> T:
    """Drive a flow to its end in an event loop."""
    step = functools.partial(flow.send, None)
    try:
        while True:
            command = step()
            try:
                if isinstance(command, Sleep):
                    await sleep(command.seconds)
                    step = functools.partial(flow.send, None)
                else:
                    step = functools.partial(flow.send, await exchange(command))
            except DataWorksError as error:
                step = functools.partial(flow.throw, error)
    except StopIteration as end:
        return end.value  # type: ignore[no-any-return]
    finally:
        flow.close()
