"""How large and how slow an answer may be; it reads nothing itself."""

from __future__ import annotations

import time

LARGEST_ANSWER = 8 * 2**20  # bytes; a page of 100 DI jobs is far below


class OverLimit(Exception):
    """An answer that is not read to its end."""


class Limit:
    """
    A guard for one answer.

    :param read_timeout: seconds to wait for the next byte. A server that sends one now and then never runs into that,
        so the whole answer has three times as long.
    """

    def __init__(self, read_timeout: float) -> None:
        self._until, self._left = time.monotonic() + 3 * read_timeout, LARGEST_ANSWER

    def passed(self, chunk: bytes) -> bytes:
        """Let a piece of the answer pass, or end the reading."""
        self._left -= len(chunk)
        if self._left < 0:
            raise OverLimit(f"the answer is larger than {LARGEST_ANSWER} bytes")
        if time.monotonic() > self._until:
            raise OverLimit("the answer takes too long to arrive")
        return chunk
