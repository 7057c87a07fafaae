"""Credential cache: holds the keys in use, and asks their source again before they expire, once for all threads.

The vendor's library renews a fixed 15 minutes ahead, so that keys of the shortest life, 900 seconds, are asked for at
every request, and raises when a renewal fails although the keys are good. Here a renewal ahead of time costs nobody a
wait but the one who makes it, and its failure must never cost a call.
"""

from __future__ import annotations

import copy
import logging
from collections.abc import Callable
from typing import NamedTuple

from airflow_provider_dataworks.client.auth.credentials import Credentials, CredentialSource
from airflow_provider_dataworks.client.locks import Lock
from airflow_provider_dataworks.exceptions import EXPLAIN, DataWorksError

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


class CredentialCache:
    """
    The keys of one account, for all threads that sign with them.

    :param source: hands out keys.
    :param clock: epoch seconds.
    :param mask: told of new keys, so that they can be kept out of logs.
    :param ca_file: the only certificate authorities to trust where the source asks a service.
    """

    def __init__(
        self,
        source: CredentialSource,
        clock: Callable[[], float],
        mask: Callable[[Credentials], None] = lambda keys: None,
        ca_file: str | None = None,
    ) -> None:
        self._source, self._clock, self._mask, self._ca_file = source, clock, mask, ca_file
        self._held: Held | None = None
        self._due = _NEVER  # epoch seconds of the next renewal
        self._renewals = 0  # that ended, well or not
        self._error: DataWorksError | None = None
        self._lock = Lock()

    def get(self, refused: int | None = None) -> Held:
        """
        Return the keys to sign with, renewed if it is time; many threads make one renewal.

        :param refused: generation that the service no longer takes; where the source has no other, it comes back.
        :raises DataWorksError: there are no keys that are good.
        """
        if (held := self._not_due(refused)) is not None:
            return held
        renewals = self._renewals
        # While the keys are good, only one thread waits for their renewal.
        if not self._lock.acquire(blocking=self._good(refused) is None):
            return self._outcome(refused)
        try:
            if self._not_due(refused) is None and self._renewals == renewals:
                self._renew()
            return self._outcome(refused)
        finally:
            self._lock.release()

    def _not_due(self, refused: int | None) -> Held | None:
        held = self._held
        if held is None or held.generation == refused:
            return None
        return held if self._due == _NEVER or self._clock() < self._due else None

    def _renew(self) -> None:
        try:
            keys = self._source.fetch(self._clock, self._ca_file)
        except DataWorksError as error:
            held = self._good(None)
            if held is not None:
                text = "%s The present keys are used until they expire. For more: %s %s"
                log.warning(text, error.summary, EXPLAIN, error.see)
                self._due = min(self._clock() + _PAUSE, held.keys.expires or _NEVER)
            self._error = error
        else:
            now, held = self._clock(), self._held
            generation = 1 if held is None else held.generation + (held.keys != keys)
            self._due = now + self._source.max_age
            if keys.expires is not None:
                life = keys.expires - now
                # Never more than half of the life: short-lived keys would be asked for at every request.
                self._due = keys.expires - min(max(_AHEAD, life / 10), life / 2)
            self._held, self._error = Held(keys, generation), None
            self._mask(keys)
        self._renewals += 1

    def _good(self, refused: int | None) -> Held | None:
        held = self._held
        if held is None or held.generation == refused:
            return None
        return held if held.keys.expires is None or self._clock() < held.keys.expires else None

    def _outcome(self, refused: int | None) -> Held:
        held, error = self._held, self._error
        if error is not None and self._good(refused) is None:
            # A copy for each: callers in many threads would write their tracebacks into one.
            raise copy.copy(error) from None
        assert held is not None  # noqa: S101 - without an error there are keys
        return held
