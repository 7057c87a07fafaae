"""The watchers of this process, one per event loop, connection and workspace; finds and shares them, and never polls.

A thousand triggers of one connection share one HTTP client and one TLS context: each of their own would block the loop
for 20 ms and cost close to a megabyte.
"""

from __future__ import annotations

import asyncio
import logging
import random
import weakref
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field, replace
from functools import partial

from airflow_provider_dataworks.client.asking import Service
from airflow_provider_dataworks.client.driving import arun
from airflow_provider_dataworks.client.http.session import AsyncSession, make_ready
from airflow_provider_dataworks.exceptions import DataWorksUnavailable
from airflow_provider_dataworks.hooks import _reading as reading
from airflow_provider_dataworks.hooks.dataworks import DataWorksHook
from airflow_provider_dataworks.triggers._watcher import Watcher

del reading  # only loaded, because here that is done in a thread

log = logging.getLogger(__name__)

_FIRST_PAUSE, _LONGEST_PAUSE = 2.0, 60.0  # seconds between readings of a connection that cannot be read
_FRESH = 60.0  # seconds for which a connection that was read is taken for unchanged


@dataclass
class _Office:
    """What the watchers of one connection share in one event loop."""

    account: tuple[object, ...]
    session: AsyncSession
    service: Service
    watchers: dict[int | None, Watcher] = field(default_factory=dict)

    def watcher(self, project_id: int | None) -> Watcher:
        """Return the watcher of a workspace."""
        if project_id not in self.watchers:
            drive = partial(arun, exchange=self.session.exchange)
            self.watchers[project_id] = Watcher(self.service, drive, project_id)
        return self.watchers[project_id]


@dataclass
class _Door:
    """An office that is open or being opened, when its connection was read last, and how many waits are in it."""

    office: asyncio.Task[_Office]
    read: float
    inside: int = 0


_doors: weakref.WeakKeyDictionary[asyncio.AbstractEventLoop, dict[str, _Door]] = weakref.WeakKeyDictionary()


async def _account(hook: DataWorksHook) -> tuple[object, ...]:
    """Read the connection, and return what waits must have in common to share an office."""
    account = await hook.load_account()
    return account.settings, account.source.identity


async def _open(conn_id: str) -> _Office:
    hook = DataWorksHook(conn_id)
    account = await _account(hook)
    await asyncio.to_thread(make_ready, hook.account.settings.ca_file)
    # A watcher spaces its looks by itself, so that no look sleeps while others wait for theirs.
    return _Office(account, hook.new_async_session(), replace(hook.service, patience=0))


async def _door_of(doors: dict[str, _Door], conn_id: str) -> _Door:
    """Return where to go in; where the connection was changed since, that is a new office, not that of older waits."""
    loop = asyncio.get_running_loop()
    door = doors.get(conn_id)
    if door is not None and loop.time() - door.read > _FRESH and door.office.done() and not door.office.exception():
        door.read = loop.time()
        try:
            account = await _account(DataWorksHook(conn_id))
        except DataWorksUnavailable as error:
            # What was read before still serves: an outage of Airflow's is no news about the connection.
            log.warning("%s What was read before is used.", error.summary)
            return door
        if doors.get(conn_id) is door and account != door.office.result().account:
            del doors[conn_id]
        door = doors.get(conn_id)
    if door is None:
        office = loop.create_task(_open(conn_id), name=f"dataworks-open-{conn_id}")
        door = doors[conn_id] = _Door(office, loop.time())
    return door


@asynccontextmanager
async def watcher_of(
    conn_id: str, project_id: int | None, *, seconds_left: float = float("inf")
) -> AsyncIterator[Watcher]:
    """
    Lend the watcher of a connection and workspace; the connection is read, and its client opened, by the first to come.

    Trouble in reading the connection is waited out: it would end a thousand waits at once, for good, because a secrets
    backend did not answer for a moment.

    :param seconds_left: seconds in which to go on trying.
    :raises DataWorksError: the connection is wrong, or could not be read until then.
    """
    until = asyncio.get_running_loop().time() + seconds_left
    async with AsyncExitStack() as stack:
        yield await _enter_patiently(stack, conn_id, project_id, until)


async def _enter_patiently(stack: AsyncExitStack, conn_id: str, project_id: int | None, until: float) -> Watcher:
    """Enter where the watcher is, as soon as the connection can be read."""
    pause = _FIRST_PAUSE
    while True:
        try:
            return await stack.enter_async_context(_entered(conn_id, project_id))
        except DataWorksUnavailable as error:
            left = until - asyncio.get_running_loop().time()
            if left <= pause:
                raise
            wait = pause * random.uniform(0.5, 1)  # so that a thousand waits do not all come back at once
            log.warning("%s Reading it again in %.0f s.", error.summary, wait)
            await asyncio.sleep(wait)
            pause = min(2 * pause, _LONGEST_PAUSE)


@asynccontextmanager
async def _entered(conn_id: str, project_id: int | None) -> AsyncIterator[Watcher]:
    loop = asyncio.get_running_loop()
    doors = _doors.setdefault(loop, {})
    door = await _door_of(doors, conn_id)
    door.inside += 1
    try:
        # Shielded: the first to come may be cancelled while others wait for the same office.
        office = await asyncio.shield(door.office)
        yield office.watcher(project_id)
    finally:
        door.inside -= 1
        if not door.inside:
            if doors.get(conn_id) is door:
                del doors[conn_id]
            await _close(door)


async def _close(door: _Door) -> None:
    if not door.office.done():
        door.office.cancel()
    elif not door.office.cancelled() and door.office.exception() is None:
        await door.office.result().session.close()
