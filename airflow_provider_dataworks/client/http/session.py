"""How calls travel: sends what flows yield, and returns what came or raises what went wrong; holds no policy.

Each call has a connection of its own, see :mod:`.exchange`. They go past the HTTP library's clients, which take as much
time again for each call, and print every URL to the log.
"""

from __future__ import annotations

import asyncio
import ssl
from functools import partial
from typing import Any
from urllib.parse import urlsplit

# A move to httpx2 is three imports, loggers' names (httpcore2), NO_PROXY patterns, and get_conn()'s type.
import httpx

from airflow_provider_dataworks.client.asking import Send
from airflow_provider_dataworks.client.auth.cache import Held
from airflow_provider_dataworks.client.auth.credentials import Credentials, Fetch, Load, without_keys
from airflow_provider_dataworks.client.auth.signer import FORM, Signer
from airflow_provider_dataworks.client.auth.signing import form_body
from airflow_provider_dataworks.client.config import Settings, is_loopback, user_agent
from airflow_provider_dataworks.client.driving import arun, run
from airflow_provider_dataworks.client.errors.catalog import CATALOG
from airflow_provider_dataworks.client.errors.codes import on_the_way
from airflow_provider_dataworks.client.http.decoding import Reply
from airflow_provider_dataworks.client.http.exchange import (
    BROKEN,
    NEVER_SENT,
    aexchange,
    aread,
    exchange,
    for_library,
    read,
)
from airflow_provider_dataworks.client.http.messages import Answer, Request, raw
from airflow_provider_dataworks.client.http.own_calls import SignedTransport, client_of
from airflow_provider_dataworks.client.http.proxies import proxy_for
from airflow_provider_dataworks.client.http.tls import context_for
from airflow_provider_dataworks.client.operations import Call
from airflow_provider_dataworks.client.safe_values import plain_text
from airflow_provider_dataworks.exceptions import DataWorksUnavailable

Client = httpx.Client
_LEAST_TO_CONNECT = 0.25  # seconds, also for a request that may leave at this very moment only
_AT_ONCE = 64  # connections of one session in an event loop


def tls_context(ca_file: str | None = None) -> ssl.SSLContext:
    """
    Return this process's one TLS context for these authorities; certificates and names are always verified.

    :param ca_file: see :func:`~.tls.context_for`; by default the authorities of the HTTP library are trusted.
    :raises DataWorksInvalidRequest: naming field or variable, where it leads to no certificates.
    """
    return context_for(ca_file, _public_authorities)


def _public_authorities() -> ssl.SSLContext:
    return httpx.create_ssl_context(trust_env=False)


def make_ready(ca_file: str | None = None) -> None:
    """Load what the first call in an event loop would otherwise load there, holding it for some 40 ms; for a thread."""
    import anyio

    tls_context(ca_file)
    # The library's way into asyncio, which it loads itself as it connects for the first time.
    anyio.run(anyio.sleep, 0)


class _Wire:
    """What both kinds of session share, so that they cannot drift apart: requests out, answers in, errors."""

    def __init__(self, settings: Settings, signer: Signer) -> None:
        self._settings, self._signer = settings, signer
        self._url = httpx.URL(f"{settings.endpoint}/")
        # A proxy for the internet has no business with an emulator on this machine.
        self.proxy = None if settings.is_local else proxy_for(settings.endpoint)
        timeout = httpx.Timeout(settings.read_timeout, connect=settings.connect_timeout)
        # A request of this size is written at once, into the socket's buffer: no timer is needed for that.
        self._timeout = {**timeout.as_dict(), "write": None}
        self._headers = {
            "host": self._url.netloc.decode("ascii"),
            "accept": "application/json",
            "accept-encoding": "identity",
            "user-agent": user_agent(),
        }

    @property
    def context(self) -> ssl.SSLContext:
        """What verifies the server."""
        return tls_context(self._settings.ca_file)

    def request(self, send: Send, keys: Credentials) -> Request:
        """Build and sign the request for a command."""
        if send.clock_offset is not None:
            self._signer.clock_offset = send.clock_offset
        call = send.call
        headers = {**self._headers, "x-acs-action": call.action, "x-acs-version": call.version}
        query, body = call.params, b""
        # The older signature carries everything in the query, whatever the operation's place for its parameters is.
        if not (call.in_query or self._signer.in_query):
            query, body = {}, form_body(call.params)
            headers["content-type"] = FORM
        if call.method == "POST":
            headers["content-length"] = str(len(body))
        # The last moment before the bytes leave; a connection that takes long to open must not make them late either.
        left = max(send.time_to_send(), _LEAST_TO_CONNECT)
        timeout = {**self._timeout, "connect": min(self._settings.connect_timeout, left)}
        target, added = self._signer.sign(keys, call.method, "/", query, headers, body)
        headers.update(added)
        return Request(call.method, self._url, target.encode("ascii"), raw(headers), body, timeout)

    def reply(self, answer: Answer, held: Held | None = None) -> Reply:
        """Return an answer as flows want it, without the keys it was asked with where it echoes them."""
        headers = {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in answer.headers}
        body = without_keys(answer.body, held.keys) if held else answer.body
        return Reply(answer.status, headers, body, self._signer.clock(), held.generation if held else 0)

    def plain(self, fetch: Fetch) -> tuple[str | None, Request]:
        """The proxy to go through, and the request, for what is asked of others than DataWorks."""
        url = httpx.URL(fetch.url)
        proxy = proxy_for(fetch.url) if fetch.proxied and not is_loopback(url.host) else None
        headers = {"host": url.netloc.decode("ascii"), "user-agent": user_agent(), "accept-encoding": "identity"}
        if fetch.method != "GET":
            headers["content-length"] = str(len(fetch.body))
        headers.update(fetch.headers)
        address, timeout = url.copy_with(raw_path=b"/"), httpx.Timeout(fetch.timeout).as_dict()
        request = Request(fetch.method, address, url.raw_path, raw(headers), fetch.body, timeout)
        return proxy, request

    def unreached(self, error: Exception, fetch: Fetch) -> DataWorksUnavailable:
        """Translate a failure of such a request; not a word of the library's text, which may quote an answer."""
        why = on_the_way(error, sent=not isinstance(error, NEVER_SENT), by_proxy=isinstance(error, httpx.ProxyError))
        return DataWorksUnavailable(
            f"no usable answer came from {urlsplit(fetch.url).netloc}: {type(error).__name__} ({why.title}).",
            sent=False,  # of the call that needs the keys, nothing was
            action=fetch.action,
            **CATALOG[fetch.see].kwargs,
        )

    def lost(self, error: Exception, call: Call[Any], keys: Credentials) -> DataWorksUnavailable:
        """Translate a failure of the HTTP library, saying whether the request may have arrived."""
        sent = not isinstance(error, NEVER_SENT)
        what = "no usable answer came from" if sent else "could not connect to"
        # The library quotes what it could not read, and a peer may echo the request: with it, the token.
        said = plain_text(without_keys(str(error).encode(errors="replace"), keys).decode(errors="replace"), 300)
        if isinstance(error, httpx.ProxyError):  # the words behind its status are the proxy's, which knows a password
            said = said[:3]
        return DataWorksUnavailable(
            f"{what} {self._url.netloc.decode('ascii')}: {type(error).__name__}: {said}",
            sent=sent,
            action=call.action,
            di_job_id=call.di_job_id,
            **on_the_way(error, sent=sent, by_proxy=isinstance(error, httpx.ProxyError)).kwargs,
        )


class Session:
    """
    A signed blocking way to one account at one endpoint; it keeps nothing open.

    :param transport: one of the HTTP library's, for tests; by default a real one.
    """

    def __init__(self, settings: Settings, signer: Signer, transport: httpx.BaseTransport | None = None) -> None:
        self._wire, self._keyring = _Wire(settings, signer), signer.keyring
        self._settings, self._signer, self._transport = settings, signer, transport
        self._context = self._wire.context

    def new_client(self) -> Client:
        """Return a client of the library's that signs what an author sends; whoever holds it closes it."""
        way = (lambda: self._held().keys, self._context, self._wire.proxy, self._transport)
        return client_of(self._settings, SignedTransport(self._settings, self._signer, *way))

    def exchange(self, send: Send) -> Reply:
        """Send one call and return its answer; raises :class:`DataWorksUnavailable` where none came."""
        refused = send.refused.generation if send.refused else None
        held = self._held(refused)
        if send.refused and held.generation == refused:
            return send.refused
        request = self._wire.request(send, held.keys)
        try:
            answer = self._answer(request)
        except BROKEN as error:
            raise self._wire.lost(error, send.call, held.keys) from None
        return self._wire.reply(answer, held)

    def _answer(self, request: Request) -> Answer:
        if self._transport is not None:
            return read(self._transport, for_library(request))
        return exchange(request, self._context, self._wire.proxy)

    def _held(self, refused: int | None = None) -> Held:
        return self._keyring.ready(refused) or self._keyring.get(partial(run, exchange=self._obey), refused)

    def _obey(self, command: Fetch | Load) -> Any:
        if isinstance(command, Load):
            return command.blocking()
        proxy, request = self._wire.plain(command)
        try:
            return self._wire.reply(exchange(request, self._context, proxy))
        except BROKEN as error:
            raise self._wire.unreached(error, command) from None


class AsyncSession:
    """
    The same in one event loop; calls beyond some dozens at once wait for others to end.

    :param transport: one of the HTTP library's, for tests; by default a real one.
    """

    def __init__(self, settings: Settings, signer: Signer, transport: httpx.AsyncBaseTransport | None = None) -> None:
        self._wire, self._keyring, self._transport = _Wire(settings, signer), signer.keyring, transport
        self._context, self._at_once = self._wire.context, asyncio.Semaphore(_AT_ONCE)

    async def exchange(self, send: Send) -> Reply:
        """Send one call and return its answer; raises :class:`DataWorksUnavailable` where none came."""
        refused = send.refused.generation if send.refused else None
        held = self._keyring.ready(refused) or await self._keyring.aget(partial(arun, exchange=self._obey), refused)
        if send.refused and held.generation == refused:
            return send.refused
        async with self._at_once:
            request = self._wire.request(send, held.keys)
            try:
                answer = await self._answer(request)
            except BROKEN as error:
                raise self._wire.lost(error, send.call, held.keys) from None
        return self._wire.reply(answer, held)

    async def _answer(self, request: Request) -> Answer:
        if self._transport is not None:
            return await aread(self._transport, for_library(request))
        return await aexchange(request, self._context, self._wire.proxy)

    async def _obey(self, command: Fetch | Load) -> Any:
        if isinstance(command, Load):
            return await (command.native() if command.native else asyncio.to_thread(command.blocking))
        proxy, request = self._wire.plain(command)
        try:
            return self._wire.reply(await aexchange(request, self._context, proxy))
        except BROKEN as error:
            raise self._wire.unreached(error, command) from None

    async def close(self) -> None:
        """Do nothing: nothing is kept open."""
