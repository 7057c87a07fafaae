"""One request and its whole answer, as they travel: reads an answer within its limits; never signs or repeats one."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import httpx

LARGEST_ANSWER = 8 * 2**20  # bytes; a page of 100 DI jobs is far below
_READS = 3  # times the seconds to wait for the next byte, for a whole answer

# Raised before a single byte of the request left; after anything else the request may have arrived.
NEVER_SENT = (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout, httpx.ProxyError, httpx.UnsupportedProtocol)
BROKEN = (httpx.TransportError, httpx.DecodingError)


class TooSlow(httpx.ReadTimeout):
    """The answer takes too long to arrive."""

    def __init__(self, message: str = "the answer takes too long to arrive", **more: Any) -> None:
        super().__init__(message, **more)


@dataclass(frozen=True)
class Answer:
    """
    An answer, read to its end.

    :param headers: names and values as they came.
    :param ends_connection: whether the connection ends behind it.
    """

    status: int
    headers: list[tuple[bytes, bytes]]
    body: bytes
    ends_connection: bool = False

    @property
    def text_headers(self) -> dict[str, str]:
        """Headers as text, their names in lower case."""
        return {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in self.headers}


@dataclass(frozen=True)
class RawRequest:
    """
    A request as it travels.

    :param origin: the library's own value for where it goes, without path and query: libraries print it.
    :param target: path and query, byte for byte as they were signed.
    :param timeout: seconds by ``connect``, ``read`` and ``write``.
    """

    method: str
    origin: httpx.URL
    target: str
    headers: Mapping[str, str]
    body: bytes
    timeout: Mapping[str, float | None]

    @property
    def longest(self) -> float:
        """Seconds that the request and its answer may take together; TLS may take the time to connect once more."""
        return 2 * (self.timeout["connect"] or 0) + _READS * (self.timeout["read"] or 0)

    def for_library(
        self,
        *,
        proxied: bool = False,
        stream: httpx.SyncByteStream | None = None,
        trace: Callable[[str, dict[str, Any]], None] | None = None,
    ) -> httpx.Request:
        """
        Return the request as the library's transports want it.

        :param proxied: whether it goes through a proxy.
        :param stream: its body, if not the bytes as they are.
        :param trace: told of each step, as the library documents it.
        """
        extensions: dict[str, Any] = {"timeout": self.timeout}
        if trace is not None:
            extensions["trace"] = trace
        url, target = self.origin, self.target.encode("ascii")
        if proxied:
            # The library takes an own target for the one of its CONNECT, too, which is all that a proxy may see.
            url = url.copy_with(raw_path=target)
        else:
            # Signed query and token stand apart from the URL, which others print, such as libraries that trace calls.
            extensions["target"] = target
        stream = stream or httpx.ByteStream(self.body)
        return httpx.Request(self.method, url, headers=self.headers, stream=stream, extensions=extensions)


def read(transport: httpx.BaseTransport, request: httpx.Request, deadline: float = float("inf")) -> Answer:
    """
    Send a request by one of the library's transports, and read the answer to its end.

    :param deadline: seconds of the steady clock.
    :raises httpx.DecodingError: the answer is too large, or in a content coding: nobody asked for one, and a few bytes
        of it may unfold to gigabytes.
    """
    response = transport.handle_request(request)
    try:
        ends = response.extensions.get("http_version") != b"HTTP/1.1"
        # By the raw headers: looking one up by name makes the library guess the encoding of them all.
        for name, value in response.headers.raw:
            ends = ends or (name.lower() == b"connection" and b"close" in value.lower())
            if name.lower() == b"content-encoding" and value.strip().lower() not in (b"", b"identity"):
                raise httpx.DecodingError("the answer is encoded (Content-Encoding), which was not asked for")
        chunks, size = [], 0
        for chunk in response.stream:  # type: ignore[union-attr]
            size += len(chunk)
            if size > LARGEST_ANSWER:
                raise httpx.DecodingError(f"the answer is larger than {LARGEST_ANSWER} bytes")
            if time.monotonic() > deadline:
                raise TooSlow
            chunks.append(chunk)
        return Answer(response.status_code, response.headers.raw, b"".join(chunks), ends)
    finally:
        response.close()
