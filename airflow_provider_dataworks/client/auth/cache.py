"""The keys in use and when to ask their source again; decides only: clock and drivers are passed in, nothing is sent.

The vendor's library renews a fixed 15 minutes ahead, so that keys of the shortest life, 900 seconds, are asked for at
every request, and raises when a renewal fails although the keys are good. Here a renewal ahead of time costs nobody a
wait but the one who makes it, and its failure costs nothing at all.
"""

from __future__ import annotations

import asyncio
import copy
import logging
import weakref
from collections.abc import Awaitable, Callable
from typing import NamedTuple

from airflow_provider_dataworks.client.auth.credentials import Credentials, CredentialSource, Fetching
from airflow_provider_dataworks.client.http.locks import Lock
from airflow_provider_dataworks.exceptions import DataWorksError

log = logging.getLogger(__name__)

_AHEAD = 300.0  # seconds before the end at which keys are renewed, or a tenth of their life if that is more
_NEVER = float("inf")
_PAUSE = 30.0  # seconds between renewals that fail while the keys are still good


class Held(NamedTuple):
    """
    The keys to sign with.

    :param generation: counts the sets of keys; the same for the same keys.
    """

    keys: Credentials
    generation: int


class Keyring:
    """
    The keys of one account, for all threads and event loops that sign with them.

    :param clock: epoch seconds.
    :param mask: told of new keys by blocking callers, so that they can be kept out of logs.
    """

    def __init__(
        self,
        source: CredentialSource,
        clock: Callable[[], float],
        mask: Callable[[Credentials], None] = lambda keys: None,
    ) -> None:
        self._source, self._clock, self._mask = source, clock, mask
        self._held: Held | None = None
        self._due = _NEVER  # epoch seconds of the next renewal
        self._rounds = 0  # renewals that ended, well or not
        self._trouble: DataWorksError | None = None
        self._renewing = Lock()
        self._tasks: weakref.WeakKeyDictionary[asyncio.AbstractEventLoop, asyncio.Task[None]] = (
            weakref.WeakKeyDictionary()
        )

    def ready(self, refused: int | None = None) -> Held | None:
        """
        Return the keys to sign with, or ``None`` if it is time to renew them.

        :param refused: generation that the service no longer takes.
        """
        held = self._held
        if held is None or held.generation == refused:
            return None
        return held if self._due == _NEVER or self._clock() < self._due else None

    def get(self, drive: Callable[[Fetching], Credentials], refused: int | None = None) -> Held:
        """
        Return the keys to sign with, renewed if it is time; many threads make one renewal.

        :param drive: runs a conversation with the source, blocking.
        :param refused: generation that the service no longer takes; where the source has no other, it comes back.
        :raises DataWorksError: there are no keys that are good.
        """
        rounds = self._rounds
        # While the keys are good, only one thread waits for their renewal.
        if not self._renewing.acquire(blocking=self._good(refused) is None):
            return self._outcome(refused)
        try:
            if self.ready(refused) is None and self._rounds == rounds:
                try:
                    self._take(drive(self._source.fetch(self._clock())))
                except DataWorksError as error:
                    self._failed(error)
                else:
                    self._mask(self._held.keys)  # type: ignore[union-attr]
            return self._outcome(refused)
        finally:
            self._renewing.release()

    async def aget(self, drive: Callable[[Fetching], Awaitable[Credentials]], refused: int | None = None) -> Held:
        """Return the keys in an event loop; see :meth:`get`. Who is cancelled does not cancel the others' renewal."""
        loop = asyncio.get_running_loop()
        task = self._tasks.get(loop)
        if task is None:
            task = self._tasks[loop] = loop.create_task(self._renew(drive), name="dataworks-keys")
            task.add_done_callback(lambda _: self._tasks.pop(loop, None))
        elif self._good(refused) is not None:
            return self._outcome(refused)
        await asyncio.shield(task)
        return self._outcome(refused)

    async def _renew(self, drive: Callable[[Fetching], Awaitable[Credentials]]) -> None:
        try:
            self._take(await drive(self._source.fetch(self._clock())))
        except DataWorksError as error:
            self._failed(error)

    def _take(self, keys: Credentials) -> None:
        now, held = self._clock(), self._held
        generation = 1 if held is None else held.generation + (held.keys != keys)
        self._due = now + self._source.max_age
        if keys.expires is not None:
            life = keys.expires - now
            # Never more than half of the life: short-lived keys would be asked for at every request.
            self._due = keys.expires - min(max(_AHEAD, life / 10), life / 2)
        self._held, self._trouble = Held(keys, generation), None
        self._rounds += 1

    def _failed(self, error: DataWorksError) -> None:
        held = self._good(None)
        if held is not None:
            log.warning("%s The present keys are used until they expire; README.md#%s.", error.summary, error.see)
            self._due = min(self._clock() + _PAUSE, held.keys.expires or _NEVER)
        self._trouble = error
        self._rounds += 1

    def _good(self, refused: int | None) -> Held | None:
        held = self._held
        if held is None or held.generation == refused:
            return None
        return held if held.keys.expires is None or self._clock() < held.keys.expires else None

    def _outcome(self, refused: int | None) -> Held:
        held, trouble = self._held, self._trouble
        if trouble is not None and self._good(refused) is None:
            # A copy for each: callers in many threads and tasks would write their tracebacks into one.
            raise copy.copy(trouble) from None
        assert held is not None  # noqa: S101 - without trouble there are keys
        return held
