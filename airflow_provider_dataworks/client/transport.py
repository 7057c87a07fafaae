"""How bytes travel: the only module that imports the HTTP library; sends what flows yield, and holds no policy.

Calls go straight to the library's transports, and in an event loop to its connections: its clients take as much time
again for each call, and print every URL to the log.
"""

from __future__ import annotations

import asyncio
import functools
import ssl
from collections.abc import AsyncIterator
from functools import partial
from typing import Any
from urllib.parse import urlsplit

# The one line to change when the project moves to httpx2, the maintained fork with the same names.
import httpx

from airflow_provider_dataworks.client.asking import Send
from airflow_provider_dataworks.client.calls import Call
from airflow_provider_dataworks.client.codes import on_the_way
from airflow_provider_dataworks.client.credentials import Credentials, Fetch, Load, without_keys
from airflow_provider_dataworks.client.decoding import Reply
from airflow_provider_dataworks.client.driving import arun, run
from airflow_provider_dataworks.client.keyring import Held
from airflow_provider_dataworks.client.lanes import BROKEN, NEVER_SENT, Lane, load
from airflow_provider_dataworks.client.limits import Limit, OverLimit
from airflow_provider_dataworks.client.proxies import proxy_for
from airflow_provider_dataworks.client.settings import Settings, is_loopback, user_agent
from airflow_provider_dataworks.client.signer import FORM, AuthorsAuth, Signer
from airflow_provider_dataworks.client.signing import form_body
from airflow_provider_dataworks.client.tls import trust_only
from airflow_provider_dataworks.client.troubles import TROUBLES
from airflow_provider_dataworks.exceptions import DataWorksUnavailable

# A pool of the library's serves few calls at a time well, and a hundred badly: it looks at all that wait for each one.
_POOLED = 16
# Lanes do not look at each other: the more of them have something to read, the less often the event loop looks for it.
_LANES = 64
# Raised before a single byte of the request left; after anything else the request may have arrived.
_UNSENT = (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout, httpx.ProxyError, httpx.UnsupportedProtocol)
_NEVER_SENT = (*NEVER_SENT, *_UNSENT)
_BROKEN = (*BROKEN, httpx.TransportError, httpx.DecodingError, OverLimit)


@functools.cache
def tls_context(ca_file: str | None = None) -> ssl.SSLContext:
    """
    Return this process's one TLS context for these authorities; certificates and names are always verified.

    :param ca_file: absolute path of a PEM file with the only authorities to trust; those of the HTTP library if None.
    :raises DataWorksInvalidRequest: the file cannot be read or holds no certificate.
    """
    # Loading the trust store blocks for about 20 ms and takes close to a megabyte, so once a process must do.
    return trust_only(ca_file) if ca_file else httpx.create_ssl_context()


def make_ready(ca_file: str | None = None) -> None:
    """Load what the first call in an event loop would otherwise load there, holding it for some 40 ms; for a thread."""
    tls_context(ca_file)
    load()


class _Wire:
    """What both kinds of session share, so that they cannot drift apart: requests out, answers in, errors."""

    def __init__(self, settings: Settings, signer: Signer) -> None:
        self._settings, self._signer = settings, signer
        self._url = httpx.URL(f"{settings.endpoint}/")
        timeout = httpx.Timeout(settings.read_timeout, connect=settings.connect_timeout)
        # A request of this size is written at once, into the socket's buffer: no timer is needed for that.
        self._timeout = {**timeout.as_dict(), "write": None}
        self._headers = {
            "host": self._url.netloc.decode("ascii"),
            "accept": "application/json",
            "accept-encoding": "identity",
            "user-agent": user_agent(),
        }
        self.client_options: dict[str, Any] = {
            "base_url": settings.endpoint,
            "timeout": timeout,
            "follow_redirects": False,
            "headers": {name: value for name, value in self._headers.items() if name != "host"},
        }

    def transport_options(self, connections: int) -> dict[str, Any]:
        """Arguments for the library's transports."""
        # A proxy for the internet has no business with an emulator on this machine.
        proxy = None if self._settings.is_local else proxy_for(self._settings.endpoint)
        limits = httpx.Limits(max_connections=connections, max_keepalive_connections=connections)
        context = tls_context(self._settings.ca_file)
        return {"verify": context, "limits": limits, "proxy": proxy, "trust_env": False}

    def one_connection(self) -> httpx.AsyncBaseTransport:
        """Return a transport for one call at a time."""
        options = self.transport_options(1)
        if options["proxy"] is not None:
            return httpx.AsyncHTTPTransport(**options)
        port = self._url.port or (443 if self._url.scheme == "https" else 80)
        return _ByLane(Lane(self._url.raw_scheme, self._url.raw_host, port, options["verify"]))

    def request(self, send: Send, keys: Credentials) -> httpx.Request:
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
        target, added = self._signer.sign(keys, call.method, "/", query, headers, body)
        headers.update(added)
        raw = [(name.encode("ascii"), value.encode("ascii")) for name, value in headers.items()]
        extensions = {"timeout": self._timeout, "target": target.encode("ascii")}
        stream = httpx.ByteStream(body)  # as a stream, the library takes it as it is
        return httpx.Request(call.method, self._url, headers=raw, stream=stream, extensions=extensions)

    def reply(self, response: httpx.Response, body: bytes, held: Held | None = None) -> Reply:
        """Return an answer as flows want it, without the keys it was asked with where it echoes them."""
        headers = {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in response.headers.raw}
        clean = without_keys(body, held.keys) if held else body
        return Reply(response.status_code, headers, clean, self._signer.clock(), held.generation if held else 0)

    def limit(self, timeout: float | None = None) -> Limit:
        """Return a guard for one answer."""
        return Limit(timeout or self._settings.read_timeout)

    def plain(self, fetch: Fetch) -> tuple[dict[str, Any], httpx.Request]:
        """Arguments for a transport of its own, and the request, for what is asked of others than DataWorks."""
        url = httpx.URL(fetch.url)
        proxy = proxy_for(fetch.url) if fetch.proxied and not is_loopback(url.host) else None
        headers = {"host": url.netloc.decode("ascii"), "user-agent": user_agent(), "accept-encoding": "identity"}
        if fetch.method != "GET":
            headers["content-length"] = str(len(fetch.body))
        # As with signed calls, the query stays out of the URL and so out of the library's texts.
        extensions = {"timeout": httpx.Timeout(fetch.timeout).as_dict(), "target": url.raw_path}
        stream = httpx.ByteStream(fetch.body)
        address = url.copy_with(raw_path=b"/")
        headers.update(fetch.headers)
        request = httpx.Request(fetch.method, address, headers=headers, stream=stream, extensions=extensions)
        return {"verify": tls_context(self._settings.ca_file), "proxy": proxy, "trust_env": False}, request

    def unreached(self, error: Exception, fetch: Fetch) -> DataWorksUnavailable:
        """Translate a failure of such a request; not a word of the library's text, which may quote an answer."""
        why = on_the_way(error, sent=not isinstance(error, _NEVER_SENT), by_proxy=isinstance(error, httpx.ProxyError))
        return DataWorksUnavailable(
            f"no usable answer came from {urlsplit(fetch.url).netloc}: {type(error).__name__} ({why.title}).",
            sent=False,  # of the call that needs the keys, nothing was
            action=fetch.action,
            **TROUBLES[fetch.see].advice,
        )

    def lost(self, error: Exception, call: Call[Any], keys: Credentials) -> DataWorksUnavailable:
        """Translate a failure of the HTTP library, saying whether the request may have arrived."""
        sent = not isinstance(error, _NEVER_SENT)
        what = "no usable answer came from" if sent else "could not connect to"
        # The library quotes what it could not read, and a peer may echo the request: with it, the token.
        said = without_keys(str(error).encode(), keys).decode()
        return DataWorksUnavailable(
            f"{what} {self._url.netloc.decode('ascii')}: {type(error).__name__}: {said}",
            sent=sent,
            action=call.action,
            di_job_id=call.di_job_id,
            **on_the_way(error, sent=sent, by_proxy=isinstance(error, httpx.ProxyError)).advice,
        )


def _is_encoded(response: httpx.Response) -> bool:
    # By the raw headers: looking one up by name makes the library guess the encoding of them all, for each answer.
    return any(name.lower() == b"content-encoding" for name, _ in response.headers.raw)


class _Pieces(httpx.AsyncByteStream):
    """An answer's body, piece by piece, as the library wants it from a transport."""

    def __init__(self, answer: Any) -> None:
        self._answer = answer

    def __aiter__(self) -> AsyncIterator[bytes]:
        return self._answer.stream.__aiter__()  # type: ignore[no-any-return]

    async def aclose(self) -> None:
        await self._answer.aclose()


class _ByLane(httpx.AsyncBaseTransport):
    """A lane as one of the library's transports."""

    def __init__(self, lane: Lane) -> None:
        self._lane = lane

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        target, timeout = request.extensions["target"], request.extensions["timeout"]
        answer = await self._lane.send(request.method, target, request.headers.raw, request.stream, timeout)
        return httpx.Response(answer.status, headers=answer.headers, stream=_Pieces(answer))

    async def aclose(self) -> None:
        await self._lane.close()


class Session:
    """
    A signed blocking connection to one account at one endpoint.

    :param transport: one of the HTTP library's, for tests; by default a real one.
    """

    def __init__(self, settings: Settings, signer: Signer, transport: httpx.BaseTransport | None = None) -> None:
        self._wire, self._keyring = _Wire(settings, signer), signer.keyring
        self._transport = transport or httpx.HTTPTransport(**self._wire.transport_options(_POOLED))
        auth = AuthorsAuth(signer, settings.api_version, lambda: self._held().keys)
        self.client = httpx.Client(transport=self._transport, auth=auth, **self._wire.client_options)

    def exchange(self, send: Send) -> Reply:
        """Send one call and return its answer; raises :class:`DataWorksUnavailable` where none came."""
        refused = send.refused.generation if send.refused else None
        held = self._keyring.ready(refused) or self._held(refused)
        if send.refused and held.generation == refused:
            return send.refused
        try:
            request = self._wire.request(send, held.keys)
            response, body = _answered(self._transport, request, self._wire.limit())
        except _BROKEN as error:
            raise self._wire.lost(error, send.call, held.keys) from None
        return self._wire.reply(response, body, held)

    def _held(self, refused: int | None = None) -> Held:
        return self._keyring.ready(refused) or self._keyring.get(partial(run, exchange=self._obey), refused)

    def _obey(self, command: Fetch | Load) -> Any:
        if isinstance(command, Load):
            return command.blocking()
        options, request = self._wire.plain(command)
        try:
            with httpx.HTTPTransport(**options) as transport:
                return self._wire.reply(*_answered(transport, request, self._wire.limit(command.timeout)))
        except _BROKEN as error:
            raise self._wire.unreached(error, command) from None

    def close(self) -> None:
        """Close the connections."""
        self.client.close()


def _answered(transport: httpx.BaseTransport, request: httpx.Request, limit: Limit) -> tuple[httpx.Response, bytes]:
    response = transport.handle_request(request)
    try:
        pieces = response.iter_bytes() if _is_encoded(response) else response.stream
        return response, b"".join([limit.passed(chunk) for chunk in pieces])  # type: ignore[union-attr]
    finally:
        response.close()


class AsyncSession:
    """
    A signed connection to one account at one endpoint, in one event loop.

    :param transport: one of the HTTP library's, for tests; by default a few real ones of one connection each.
    """

    def __init__(self, settings: Settings, signer: Signer, transport: httpx.AsyncBaseTransport | None = None) -> None:
        self._wire, self._keyring = _Wire(settings, signer), signer.keyring
        self._transports = [transport or self._wire.one_connection() for _ in range(_LANES)]
        # Last in, first out: little traffic stays on few connections.
        self._free: asyncio.LifoQueue[httpx.AsyncBaseTransport] = asyncio.LifoQueue()
        for free in self._transports:
            self._free.put_nowait(free)

    async def exchange(self, send: Send) -> Reply:
        """Send one call and return its answer; raises :class:`DataWorksUnavailable` where none came."""
        refused = send.refused.generation if send.refused else None
        held = self._keyring.ready(refused) or await self._keyring.aget(partial(arun, exchange=self._obey), refused)
        if send.refused and held.generation == refused:
            return send.refused
        transport = await self._free.get()
        try:
            request = self._wire.request(send, held.keys)
            response, body = await _aanswered(transport, request, self._wire.limit())
        except _BROKEN as error:
            raise self._wire.lost(error, send.call, held.keys) from None
        finally:
            self._free.put_nowait(transport)
        return self._wire.reply(response, body, held)

    async def _obey(self, command: Fetch | Load) -> Any:
        if isinstance(command, Load):
            return await (command.native() if command.native else asyncio.to_thread(command.blocking))
        # In a thread, because the first may have to load the trust store.
        options, request = await asyncio.to_thread(self._wire.plain, command)
        try:
            async with httpx.AsyncHTTPTransport(**options) as transport:
                return self._wire.reply(*await _aanswered(transport, request, self._wire.limit(command.timeout)))
        except _BROKEN as error:
            raise self._wire.unreached(error, command) from None

    async def close(self) -> None:
        """Close the connections."""
        for transport in dict.fromkeys(self._transports):
            await transport.aclose()


async def _aanswered(
    transport: httpx.AsyncBaseTransport, request: httpx.Request, limit: Limit
) -> tuple[httpx.Response, bytes]:
    response = await transport.handle_async_request(request)
    try:
        pieces = response.aiter_bytes() if _is_encoded(response) else response.stream
        return response, b"".join([limit.passed(chunk) async for chunk in pieces])  # type: ignore[union-attr]
    finally:
        await response.aclose()
