"""Shares clients and watchers among the triggers of a process: one for each event loop, connection and workspace.

A thousand triggers of one connection share one client: each of their own would load a TLS context, which takes 20 ms
and close to a megabyte. It finds and lends them, and never polls.
"""

from __future__ import annotations

import asyncio
import logging
import random
import weakref
from collections.abc import AsyncIterator, Coroutine
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from airflow_provider_dataworks.client.client import DataWorksClient
from airflow_provider_dataworks.exceptions import DataWorksUnavailable
from airflow_provider_dataworks.hooks.dataworks import DataWorksHook
from airflow_provider_dataworks.triggers._threads import Threads
from airflow_provider_dataworks.triggers._watcher import Watcher

log = logging.getLogger(__name__)

_FIRST_PAUSE, _LONGEST_PAUSE = 2.0, 60.0  # seconds between readings of a connection that cannot be read
_FRESH = 60.0  # seconds for which a connection that was read is taken for unchanged
_LONGEST_IN_THREAD = 10.0  # seconds that a look waits in its thread where the service asked everybody to wait


@dataclass
class SharedClient:
    """
    The client of one connection in one event loop, and its watchers.

    :param account: what waits must have in common to share it.
    """

    account: tuple[object, ...]
    client: DataWorksClient
    threads: Threads
    watchers: dict[int | None, Watcher] = field(default_factory=dict)

    def watcher(self, project_id: int | None) -> Watcher:
        """Return the watcher of a workspace."""
        if project_id not in self.watchers:
            self.watchers[project_id] = Watcher(self.client, self.threads, project_id)
        return self.watchers[project_id]


@dataclass
class ClientHandle:
    """
    A shared client that is open or being opened.

    :param read: when its connection was read last, seconds of the loop's clock.
    :param users: how many waits use it.
    """

    opening: asyncio.Task[SharedClient]
    read: float
    users: int = 0


_handles: weakref.WeakKeyDictionary[asyncio.AbstractEventLoop, dict[str, ClientHandle]] = weakref.WeakKeyDictionary()


async def _read_account(hook: DataWorksHook) -> tuple[object, ...]:
    """Read the connection, and return what waits must have in common to share a client."""
    loop = asyncio.get_running_loop()

    def run_in_loop(coroutine: Coroutine[Any, Any, Any]) -> Any:
        return asyncio.run_coroutine_threadsafe(coroutine, loop).result()

    account = await hook.load_account(run_in_loop)
    return account.config, account.source.identity


async def _open(conn_id: str) -> SharedClient:
    hook, threads = DataWorksHook(conn_id), Threads(f"dataworks-{conn_id}")
    account = await _read_account(hook)
    # In a thread, because the TLS context is loaded there. A watcher spaces its looks by itself, so that none sleeps
    # for long while others wait for theirs.
    client = await threads.run(partial(hook.new_client, patience=0, longest_pause=_LONGEST_IN_THREAD))
    return SharedClient(account, client, threads)


async def _handle_of(handles: dict[str, ClientHandle], conn_id: str) -> ClientHandle:
    """Return the handle to use; where the connection was changed since, that is a new one, not that of older waits."""
    loop = asyncio.get_running_loop()
    handle = handles.get(conn_id)
    if handle is not None and loop.time() - handle.read > _FRESH and _is_open(handle):
        handle.read = loop.time()
        try:
            account = await _read_account(DataWorksHook(conn_id))
        except DataWorksUnavailable as error:
            # What was read before still serves: an outage of Airflow's is no news about the connection.
            log.warning("%s What was read before is used.", error.summary)
            return handle
        if handles.get(conn_id) is handle and account != handle.opening.result().account:
            del handles[conn_id]
        handle = handles.get(conn_id)
    if handle is None:
        opening = loop.create_task(_open(conn_id), name=f"dataworks-open-{conn_id}")
        handle = handles[conn_id] = ClientHandle(opening, loop.time())
    return handle


def _is_open(handle: ClientHandle) -> bool:
    return handle.opening.done() and not handle.opening.cancelled() and handle.opening.exception() is None


@asynccontextmanager
async def watcher_of(
    conn_id: str, project_id: int | None, *, seconds_left: float = float("inf")
) -> AsyncIterator[Watcher]:
    """
    Lend the watcher of a connection and workspace; the first to come has the connection read and its client opened.

    Trouble in reading the connection is waited out: it would end a thousand waits at once, for good, because a secrets
    backend did not answer for a moment.

    :param seconds_left: seconds in which to go on trying.
    :raises DataWorksError: the connection is wrong, or could not be read until then.
    """
    until = asyncio.get_running_loop().time() + seconds_left
    async with AsyncExitStack() as stack:
        yield await _borrow_patiently(stack, conn_id, project_id, until)


async def _borrow_patiently(stack: AsyncExitStack, conn_id: str, project_id: int | None, until: float) -> Watcher:
    pause = _FIRST_PAUSE
    while True:
        try:
            return await stack.enter_async_context(_borrowed(conn_id, project_id))
        except DataWorksUnavailable as error:
            left = until - asyncio.get_running_loop().time()
            if left <= pause:
                raise
            wait = pause * random.uniform(0.5, 1)  # so that a thousand waits do not all come back at once
            log.warning("%s Reading it again in %.0f s.", error.summary, wait)
            await asyncio.sleep(wait)
            pause = min(2 * pause, _LONGEST_PAUSE)


@asynccontextmanager
async def _borrowed(conn_id: str, project_id: int | None) -> AsyncIterator[Watcher]:
    loop = asyncio.get_running_loop()
    handles = _handles.setdefault(loop, {})
    handle = await _handle_of(handles, conn_id)
    handle.users += 1
    try:
        # Shielded: the first to come may be cancelled while others wait for the same client.
        shared = await asyncio.shield(handle.opening)
        yield shared.watcher(project_id)
    finally:
        handle.users -= 1
        if not handle.users:
            if handles.get(conn_id) is handle:
                del handles[conn_id]
            if _is_open(handle):
                handle.opening.result().client.session.release()
            else:
                handle.opening.cancel()
