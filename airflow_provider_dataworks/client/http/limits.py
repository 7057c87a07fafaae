"""How large and how slow an answer may be, and in which coding; it reads nothing itself."""

from __future__ import annotations

import time
from collections.abc import Mapping

# A server that sends a byte now and then never runs into a limit for the next byte, so the whole has one too.
_READS = 3  # times the seconds to wait for the next byte
LARGEST_ANSWER = 8 * 2**20  # bytes; a page of 100 DI jobs is far below


class NotRead(Exception):
    """An answer that is not read, or not to its end."""


class OverLimit(NotRead):
    """An answer that is too large."""


class TooSlow(NotRead):
    """An answer that takes too long to arrive."""

    def __init__(self) -> None:
        super().__init__("the answer takes too long to arrive")


class Encoded(NotRead):
    """An answer in a content coding, which was not asked for: a few bytes of it may unfold to gigabytes."""


class Limit:
    """
    A guard for one answer.

    :param read_timeout: seconds to wait for the next byte; the whole body has three times as long.
    """

    def __init__(self, read_timeout: float) -> None:
        self._until, self._left = time.monotonic() + _READS * read_timeout, LARGEST_ANSWER

    def passed(self, chunk: bytes) -> bytes:
        """Let a piece of the answer pass, or end the reading."""
        self._left -= len(chunk)
        if self._left < 0:
            raise OverLimit(f"the answer is larger than {LARGEST_ANSWER} bytes")
        if time.monotonic() > self._until:
            raise TooSlow
        return chunk


def longest_exchange(timeout: Mapping[str, float | None]) -> float:
    """
    Return the seconds that a request and its answer may take together.

    :param timeout: seconds by ``connect``, which TLS may take once more, and ``read``.
    """
    return 2 * (timeout["connect"] or 0) + _READS * (timeout["read"] or 0)
