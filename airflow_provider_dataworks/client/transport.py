"""How bytes travel: the only module that imports the HTTP library; sends what flows yield, and holds no policy.

Calls go straight to the library's transports, and in an event loop to its connections: its clients take as much time
again for each call, and print every URL to the log.
"""

from __future__ import annotations

import asyncio
import functools
import ssl
from collections import deque
from collections.abc import Callable
from functools import partial
from typing import Any
from urllib.parse import urlsplit

# A move to httpx2 is two imports (lanes.py), loggers' names (httpcore2), NO_PROXY patterns, and get_conn()'s type.
import httpx

from airflow_provider_dataworks.client.asking import Send
from airflow_provider_dataworks.client.calls import Call
from airflow_provider_dataworks.client.codes import on_the_way
from airflow_provider_dataworks.client.credentials import Credentials, Fetch, Load, without_keys
from airflow_provider_dataworks.client.decoding import Reply
from airflow_provider_dataworks.client.driving import arun, run
from airflow_provider_dataworks.client.keyring import Held
from airflow_provider_dataworks.client.lanes import BROKEN, NEVER_SENT, BlockingLane, Lane, load
from airflow_provider_dataworks.client.limits import Encoded, Limit, NotRead, OverLimit, longest_exchange
from airflow_provider_dataworks.client.messages import Answer, Headers, Request, is_encoded, raw
from airflow_provider_dataworks.client.proxies import proxy_for
from airflow_provider_dataworks.client.safe_values import plain_text
from airflow_provider_dataworks.client.settings import Settings, is_loopback, user_agent
from airflow_provider_dataworks.client.signer import FORM, AuthorsAuth, Signer
from airflow_provider_dataworks.client.signing import form_body
from airflow_provider_dataworks.client.tls import trust_only
from airflow_provider_dataworks.client.troubles import TROUBLES
from airflow_provider_dataworks.exceptions import DataWorksUnavailable

Client = httpx.Client
# A pool of the library's serves few calls at a time well, and a hundred badly: it looks at all that wait for each one.
_POOLED = 16
# Lanes do not look at each other: the more of them have something to read, the less often the event loop looks for it.
_LANES = 64
# Raised before a single byte of the request left; after anything else the request may have arrived.
_UNSENT = (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout, httpx.ProxyError, httpx.UnsupportedProtocol)
_NEVER_SENT = (*NEVER_SENT, *_UNSENT)
_BROKEN = (*BROKEN, httpx.TransportError, httpx.DecodingError, NotRead)


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
        self.client_options: dict[str, Any] = {
            "base_url": settings.endpoint,
            "timeout": timeout,
            "follow_redirects": False,
            "headers": {name: value for name, value in self._headers.items() if name != "host"},
        }

    def transport_options(self, connections: int) -> dict[str, Any]:
        """Arguments for the library's transports."""
        limits = httpx.Limits(max_connections=connections, max_keepalive_connections=connections)
        context = tls_context(self._settings.ca_file)
        return {"verify": context, "limits": limits, "proxy": self.proxy, "trust_env": False}

    def origin(self) -> tuple[bytes, bytes, int, ssl.SSLContext]:
        """Arguments for a lane."""
        port = self._url.port or (443 if self._url.scheme == "https" else 80)
        return self._url.raw_scheme, self._url.raw_host, port, tls_context(self._settings.ca_file)

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
        timeout = {**self._timeout, "connect": min(self._settings.connect_timeout, send.time_to_send())}
        target, added = self._signer.sign(keys, call.method, "/", query, headers, body)
        headers.update(added)
        return Request(call.method, self._url, target.encode("ascii"), raw(headers), body, timeout)

    def reply(self, answer: Answer, held: Held | None = None) -> Reply:
        """Return an answer as flows want it, without the keys it was asked with where it echoes them."""
        headers = {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in answer.headers}
        body = without_keys(answer.body, held.keys) if held else answer.body
        return Reply(answer.status, headers, body, self._signer.clock(), held.generation if held else 0)

    def plain(self, fetch: Fetch) -> tuple[dict[str, Any], Request]:
        """Arguments for a transport of its own, and the request, for what is asked of others than DataWorks."""
        url = httpx.URL(fetch.url)
        proxy = proxy_for(fetch.url) if fetch.proxied and not is_loopback(url.host) else None
        headers = {"host": url.netloc.decode("ascii"), "user-agent": user_agent(), "accept-encoding": "identity"}
        if fetch.method != "GET":
            headers["content-length"] = str(len(fetch.body))
        headers.update(fetch.headers)
        address, timeout = url.copy_with(raw_path=b"/"), httpx.Timeout(fetch.timeout).as_dict()
        request = Request(fetch.method, address, url.raw_path, raw(headers), fetch.body, timeout)
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
        said = plain_text(without_keys(str(error).encode(errors="replace"), keys).decode(errors="replace"), 300)
        return DataWorksUnavailable(
            f"{what} {self._url.netloc.decode('ascii')}: {type(error).__name__}: {said}",
            sent=sent,
            action=call.action,
            di_job_id=call.di_job_id,
            **on_the_way(error, sent=sent, by_proxy=isinstance(error, httpx.ProxyError)).advice,
        )


def _for_transport(request: Request) -> httpx.Request:
    stream, extensions = httpx.ByteStream(request.body), {"timeout": dict(request.timeout), "target": request.target}
    return httpx.Request(request.method, request.url, headers=request.headers, stream=stream, extensions=extensions)


def _head(answer: Any) -> tuple[int, Headers]:
    library = isinstance(answer, httpx.Response)  # else a lane's
    status, headers = (answer.status_code, answer.headers.raw) if library else (answer.status, answer.headers)
    if is_encoded(headers):
        raise Encoded("the answer is encoded (Content-Encoding), which was not asked for")
    return status, headers


class Session:
    """
    A signed blocking connection to one account at one endpoint.

    :param transport: one of the HTTP library's, for tests; by default a real one.
    """

    def __init__(self, settings: Settings, signer: Signer, transport: httpx.BaseTransport | None = None) -> None:
        self._wire, self._keyring = _Wire(settings, signer), signer.keyring
        self._signed = AuthorsAuth(signer, settings.api_version, lambda: self._held().keys)
        self._library = transport or (self._pooled() if self._wire.proxy else None)
        # Each is taken out while in use, so that threads do not meet in one.
        self._lanes: deque[BlockingLane] = deque()

    def _pooled(self) -> httpx.HTTPTransport:
        return httpx.HTTPTransport(**self._wire.transport_options(_POOLED))

    @functools.cached_property
    def client(self) -> Client:
        """A client of the library's that signs what an author sends."""
        return Client(transport=self._library or self._pooled(), auth=self._signed, **self._wire.client_options)

    def exchange(self, send: Send) -> Reply:
        """Send one call and return its answer; raises :class:`DataWorksUnavailable` where none came."""
        refused = send.refused.generation if send.refused else None
        held = self._keyring.ready(refused) or self._held(refused)
        if send.refused and held.generation == refused:
            return send.refused
        way = self._library or (self._lanes.pop() if self._lanes else BlockingLane(*self._wire.origin()))
        try:
            answer = _answered(way, self._wire.request(send, held.keys))
        except _BROKEN as error:
            raise self._wire.lost(error, send.call, held.keys) from None
        finally:
            if isinstance(way, BlockingLane):
                self._lanes.append(way)
        return self._wire.reply(answer, held)

    def _held(self, refused: int | None = None) -> Held:
        return self._keyring.ready(refused) or self._keyring.get(partial(run, exchange=self._obey), refused)

    def _obey(self, command: Fetch | Load) -> Any:
        if isinstance(command, Load):
            return command.blocking()
        options, request = self._wire.plain(command)
        try:
            with httpx.HTTPTransport(**options) as transport:
                return self._wire.reply(_answered(transport, request))
        except _BROKEN as error:
            raise self._wire.unreached(error, command) from None

    def close(self) -> None:
        """Close the connections."""
        for each in (*self._lanes, *filter(None, (self._library, self.__dict__.get("client")))):
            each.close()


def _answered(way: BlockingLane | httpx.BaseTransport, request: Request) -> Answer:
    answer: Any = way.send(request) if isinstance(way, BlockingLane) else way.handle_request(_for_transport(request))
    limit = Limit(request.timeout["read"] or 0)
    try:
        status, headers = _head(answer)
        return Answer(status, headers, b"".join([limit.passed(chunk) for chunk in answer.stream]))
    finally:
        answer.close()


class AsyncSession:
    """
    A signed connection to one account at one endpoint, in one event loop.

    :param transport: one of the HTTP library's, for tests; by default a few real ones of one connection each.
    """

    def __init__(self, settings: Settings, signer: Signer, transport: httpx.AsyncBaseTransport | None = None) -> None:
        self._wire, self._keyring = _Wire(settings, signer), signer.keyring
        make: Callable[[], Lane | httpx.AsyncBaseTransport] = partial(Lane, *self._wire.origin())
        if self._wire.proxy:
            make = partial(httpx.AsyncHTTPTransport, **self._wire.transport_options(1))
        self._transports = [transport or make() for _ in range(_LANES)]
        # Last in, first out: little traffic stays on few connections.
        self._free: asyncio.LifoQueue[Lane | httpx.AsyncBaseTransport] = asyncio.LifoQueue()
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
            answer = await _aanswered(transport, self._wire.request(send, held.keys))
        except _BROKEN as error:
            raise self._wire.lost(error, send.call, held.keys) from None
        finally:
            self._free.put_nowait(transport)
        return self._wire.reply(answer, held)

    async def _obey(self, command: Fetch | Load) -> Any:
        if isinstance(command, Load):
            return await (command.native() if command.native else asyncio.to_thread(command.blocking))
        # In a thread, because the first may have to load the trust store.
        options, request = await asyncio.to_thread(self._wire.plain, command)
        try:
            async with httpx.AsyncHTTPTransport(**options) as transport:
                return self._wire.reply(await _aanswered(transport, request))
        except _BROKEN as error:
            raise self._wire.unreached(error, command) from None

    async def close(self) -> None:
        """Close the connections."""
        for transport in dict.fromkeys(self._transports):
            await transport.aclose()


async def _aanswered(way: Lane | httpx.AsyncBaseTransport, request: Request) -> Answer:
    """Exchange a request for its whole answer; heads, interim answers and trailers have no time limit of their own."""
    try:
        async with asyncio.timeout(longest_exchange(request.timeout)):
            return await _aread(way, request)
    except TimeoutError:
        raise OverLimit("the answer takes too long to arrive") from None


async def _aread(way: Lane | httpx.AsyncBaseTransport, request: Request) -> Answer:
    sending = way.send(request) if isinstance(way, Lane) else way.handle_async_request(_for_transport(request))
    answer: Any = await sending
    limit = Limit(request.timeout["read"] or 0)
    try:
        status, headers = _head(answer)
        return Answer(status, headers, b"".join([limit.passed(chunk) async for chunk in answer.stream]))
    finally:
        await answer.aclose()
