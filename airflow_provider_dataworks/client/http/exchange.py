"""Exchanges one request for its whole answer, over a connection of its own and in bounded time; it signs nothing.

Blocking, and the same in an event loop. A connection serves one exchange and is closed, as with the vendor's SDK. So
what a server sends behind its answer is never taken for the next one, a fork has no connection to share, and none is
left open.
"""

from __future__ import annotations

import asyncio
import socket
import ssl
import threading
from collections.abc import Callable, Mapping
from contextlib import suppress
from types import TracebackType
from typing import Any

# One of three modules that import the HTTP library; see transport.py.
import httpx

from airflow_provider_dataworks.client.http.limits import Encoded, Limit, NotRead, TooSlow, longest_exchange
from airflow_provider_dataworks.client.http.messages import Answer, Request, is_encoded

# Raised before a single byte of the request left; after anything else the request may have arrived.
NEVER_SENT = (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout, httpx.ProxyError, httpx.UnsupportedProtocol)
BROKEN = (httpx.TransportError, httpx.DecodingError, NotRead)


def exchange(request: Request, context: ssl.SSLContext, proxy: str | None = None) -> Answer:
    """
    Send a request over a new connection and read its answer to the end, blocking.

    :param request: its ``timeout`` limits the single steps, and by :func:`~.limits.longest_exchange` the whole.
    :param context: verifies the server, and a proxy that speaks TLS.
    :param proxy: address of a proxy, with user and password if it wants them; ``None`` to go straight.
    :raises httpx.TransportError: no answer came.
    :raises NotRead: the answer is too large, too slow or encoded.
    """
    deadline = _Deadline(longest_exchange(request.timeout))
    with httpx.HTTPTransport(**_options(context, proxy)) as transport, deadline:
        try:
            answer = read(transport, for_library(request, proxied=proxy is not None, trace=deadline.watch))
        except httpx.TransportError:
            if deadline.is_over:
                raise TooSlow from None
            raise
    if deadline.is_over:  # what was read may be the half of it: some answers end where the connection does
        raise TooSlow
    return answer


async def aexchange(request: Request, context: ssl.SSLContext, proxy: str | None = None) -> Answer:
    """Send a request and read its answer in an event loop; see :func:`exchange`."""
    try:
        async with asyncio.timeout(longest_exchange(request.timeout)):
            async with httpx.AsyncHTTPTransport(**_options(context, proxy)) as transport:
                return await aread(transport, for_library(request, proxied=proxy is not None))
    except TimeoutError:
        raise TooSlow from None


def read(transport: httpx.BaseTransport, request: httpx.Request) -> Answer:
    """Send a request by one of the library's transports and read the answer to its end, within limits."""
    answer = transport.handle_request(request)
    limit = _limit(request)
    try:
        _refuse_encoded(answer)
        chunks = [limit.passed(chunk) for chunk in answer.stream]  # type: ignore[union-attr]
        return Answer(answer.status_code, answer.headers.raw, b"".join(chunks))
    finally:
        answer.close()


async def aread(transport: httpx.AsyncBaseTransport, request: httpx.Request) -> Answer:
    """Send and read in an event loop; see :func:`read`."""
    answer = await transport.handle_async_request(request)
    limit = _limit(request)
    try:
        _refuse_encoded(answer)
        chunks = [limit.passed(chunk) async for chunk in answer.stream]  # type: ignore[union-attr]
        return Answer(answer.status_code, answer.headers.raw, b"".join(chunks))
    finally:
        await answer.aclose()


def _limit(request: httpx.Request) -> Limit:
    return Limit(request.extensions["timeout"]["read"] or 0)


def _refuse_encoded(answer: httpx.Response) -> None:
    if is_encoded(answer.headers.raw):
        raise Encoded("the answer is encoded (Content-Encoding), which was not asked for")


def _options(context: ssl.SSLContext, proxy: str | None) -> dict[str, Any]:
    # Only one that speaks TLS itself may be given a context.
    for_proxy = context if proxy and httpx.URL(proxy).scheme == "https" else None
    through = httpx.Proxy(proxy, ssl_context=for_proxy) if proxy else None
    return {"verify": context, "proxy": through, "trust_env": False}


def for_library(
    request: Request, *, proxied: bool = False, trace: Callable[[str, dict[str, Any]], None] | None = None
) -> httpx.Request:
    """
    Return a request as the library's transports want it.

    :param proxied: whether it goes through a proxy.
    :param trace: told of each step, as the library documents it.
    """
    extensions: dict[str, Any] = {"timeout": dict(request.timeout)}
    url = request.url
    if proxied:
        # The library takes an own target for the one of its CONNECT, too, which is all that a proxy may see.
        url = url.copy_with(raw_path=request.target)
    else:
        # Signed query and token stand apart from the URL, which others print, such as libraries that trace requests.
        extensions["target"] = request.target
    if trace is not None:
        extensions["trace"] = trace
    return httpx.Request(
        request.method, url, headers=request.headers, stream=httpx.ByteStream(request.body), extensions=extensions
    )


class _Deadline:
    """
    Breaks a connection off once its exchange has taken too long.

    The library limits the wait for the next byte only, which a server that sends one now and then never runs into. The
    one way to end a read in another thread is to shut the connection down, so a timer does.

    :param seconds: from entering to the end.
    """

    def __init__(self, seconds: float) -> None:
        self.is_over = False
        self._connection: socket.socket | None = None
        self._timer = threading.Timer(seconds, self._end)
        self._timer.daemon = True

    def watch(self, event: str, info: Mapping[str, Any]) -> None:
        """Take the connection from the library as it is opened; see https://www.python-httpx.org/advanced/extensions/."""
        if event.endswith("connect_tcp.complete"):
            # A duplicate, because the library's own becomes another one with TLS.
            self._connection = info["return_value"].get_extra_info("socket").dup()
            if self.is_over:
                self._end()

    def _end(self) -> None:
        self.is_over = True
        if self._connection is not None:
            with suppress(OSError):  # it has ended already
                self._connection.shutdown(socket.SHUT_RDWR)

    def __enter__(self) -> None:
        self._timer.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._timer.cancel()
        if self._connection is not None:
            self._connection.close()
