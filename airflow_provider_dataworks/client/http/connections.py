"""Connections to one host: each exchanges one request at a time, in bounded time, and few are kept for the next.

The HTTP library limits the wait for the next byte only, and a server that sends one now and then never runs into that.
So a watchdog shuts the connection of an exchange down that takes too long. A connection serves again only where an
answer can be told from what a server sent behind the one before; a request that changes something has its own.
"""

from __future__ import annotations

import os
import select
import socket
import ssl
import time
import weakref
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from functools import partial
from typing import Any

import httpx

from airflow_provider_dataworks.client.http import watchdog
from airflow_provider_dataworks.client.http.exchange import BROKEN, Answer, RawRequest, TooSlow, read

_MOST_KEPT = 4  # connections
_KEPT_FOR = 4.0  # seconds; servers and what stands before them close an idle connection after five or more
_ONE = httpx.Limits(max_connections=1, max_keepalive_connections=1, keepalive_expiry=None)


class AnswerOfAnother(Exception):
    """What was read on a kept connection is not certain to be the answer to this request: it has to be sent again."""


class Connection:
    """
    A connection to one host, opened by its first exchange, for one exchange at a time.

    :param context: verifies the server, and a proxy that speaks TLS.
    :param proxy: address of a proxy, with user and password if it wants them; ``None`` to go straight.
    """

    def __init__(self, context: ssl.SSLContext, proxy: str | None = None) -> None:
        # Only a proxy that speaks TLS itself may be given a context.
        for_proxy = context if proxy and httpx.URL(proxy).scheme == "https" else None
        self._transport = httpx.HTTPTransport(
            verify=context,
            trust_env=False,
            limits=_ONE,
            proxy=httpx.Proxy(proxy, ssl_context=for_proxy) if proxy else None,
        )
        self._is_proxied = proxy is not None
        self._socket: socket.socket | None = None
        self._is_over = False
        self._is_kept = False
        self._process, self._used = os.getpid(), 0.0

    def exchange(self, request: RawRequest) -> Answer:
        """
        Send a request and read its answer to the end, within :attr:`RawRequest.longest` seconds.

        :raises httpx.TransportError: no answer came in time.
        :raises httpx.DecodingError: the answer is too large or encoded.
        :raises AnswerOfAnother: the connection had served before, and what came may answer something else.
        """
        stream = _Body(request.body, partial(self._wait_for_answer, request.timeout["read"])) if self._is_kept else None
        found = request.for_library(proxied=self._is_proxied, stream=stream, trace=self._watch)
        deadline = time.monotonic() + request.longest
        watchdog.begin(self, deadline)
        try:
            answer = read(self._transport, found, deadline)
        except BROKEN as error:
            if self._is_over:
                raise TooSlow from None
            if self._is_kept and not isinstance(error, httpx.TimeoutException):
                raise AnswerOfAnother from None
            raise
        finally:
            watchdog.end(self)
        if self._is_over:  # what was read may be the half of it: some answers end where the connection does
            raise TooSlow
        if self._is_kept and self._is_readable():
            raise AnswerOfAnother
        self._used = time.monotonic()
        return answer

    def can_serve_again(self) -> bool:
        """Say whether the connection can serve again; the next exchange looks out for what may be left over."""
        is_fresh = self._process == os.getpid() and time.monotonic() - self._used < _KEPT_FOR
        self._is_kept = is_fresh and self._socket is not None and not self._is_readable()
        return self._is_kept

    def close(self) -> None:
        """Close the connection."""
        self._transport.close()
        if self._socket is not None:
            self._socket.close()

    def shut_down(self) -> None:
        """Break the exchange off that is going on in another thread."""
        self._is_over = True
        if self._socket is not None:
            with suppress(OSError):  # it has ended already
                self._socket.shutdown(socket.SHUT_RDWR)

    def _watch(self, event: str, info: Mapping[str, Any]) -> None:
        """Take the socket from the library as it is opened; see https://www.python-httpx.org/advanced/extensions/."""
        if event.endswith("connect_tcp.complete"):
            if self._socket is not None:  # of a connection that the library found closed, and opens anew
                self._socket.close()
            # A duplicate, because the library's own becomes another one with TLS.
            self._socket = info["return_value"].get_extra_info("socket").dup()
            if self._is_over:
                self.shut_down()

    def _wait_for_answer(self, seconds: float | None) -> None:
        # On the socket as it is now: the library may have found the one before closed, and have opened another.
        if self._socket is not None:
            _wait_readable(self._socket, seconds)

    def _is_readable(self) -> bool:
        assert self._socket is not None  # noqa: S101 - it served before
        return _wait_readable(self._socket, 0)


class ConnectionPool:
    """
    Connections to one host for exchanges in many threads: one for each exchange, or a kept one for repeatable requests.

    :param context: verifies the server.
    :param proxy: address of the proxy to go through.
    """

    def __init__(self, context: ssl.SSLContext, proxy: str | None = None) -> None:
        self._context, self._proxy = context, proxy
        self._kept: list[Connection] = []  # appending and taking are atomic, so that no lock can be held in a fork
        # Whoever has a hook closes nothing: what is kept is closed as the pool is forgotten.
        weakref.finalize(self, _close_all, self._kept)

    def exchange(self, request: RawRequest, *, repeatable: bool) -> Answer:
        """
        Send a request and read its answer; see :meth:`Connection.exchange`.

        :param repeatable: the request changes nothing, so it may go over a connection that has served before, and
            again over a new one where the answer there cannot be trusted.
        """
        if repeatable and (kept := self._take()) is not None:
            try:
                answer = kept.exchange(request)
            except AnswerOfAnother:
                kept.close()
            except BaseException:
                kept.close()
                raise
            else:
                self._keep(kept, answer)
                return answer
        connection = Connection(self._context, self._proxy)
        try:
            answer = connection.exchange(request)
        except BaseException:
            connection.close()
            raise
        if repeatable:
            self._keep(connection, answer)
        else:
            connection.close()
        return answer

    def _keep(self, connection: Connection, answer: Answer) -> None:
        if len(self._kept) < _MOST_KEPT and not answer.ends_connection:
            self._kept.append(connection)
        else:
            connection.close()

    def _take(self) -> Connection | None:
        while True:
            try:
                connection = self._kept.pop()
            except IndexError:
                return None
            if connection.can_serve_again():
                return connection
            connection.close()

    def close(self) -> None:
        """Close the connections that are kept."""
        _close_all(self._kept)


def _close_all(connections: list[Connection]) -> None:
    while connections:
        connections.pop().close()


class _Body(httpx.SyncByteStream):
    """
    The body of a request on a connection that has served before; its end is when the answer begins to arrive.

    The library may hold bytes that came behind the answer before, and would read them as the answer to this request
    without a look at the socket. So the answer is let arrive first: is some of it still there after "the answer" was
    read, then something else was.
    """

    def __init__(self, body: bytes, wait_for_answer: Callable[[], None]) -> None:
        self._body, self._wait_for_answer = body, wait_for_answer

    def __iter__(self) -> Iterator[bytes]:
        yield self._body
        self._wait_for_answer()


def _wait_readable(sock: socket.socket, seconds: float | None) -> bool:
    # Not select(): it refuses a process that has many files open.
    poll = select.poll()
    poll.register(sock, select.POLLIN)
    return bool(poll.poll(None if seconds is None else seconds * 1000))
