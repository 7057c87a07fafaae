"""How bytes travel: the only module that imports the HTTP library; signs, sends, obeys flows, holds no policy.

:func:`run` and :func:`arun` drive the same flows, one blocking, one in an event loop. Redirects are never followed:
the HTTP library would hand the security token on to the other host.
"""

from __future__ import annotations

import asyncio
import functools
import secrets
import ssl
import time
from collections.abc import Awaitable, Callable, Generator, Mapping
from datetime import UTC, datetime
from typing import TypeVar
from urllib.parse import parse_qsl, urlencode, urlsplit

# The one line to change when the project moves to httpx2, the maintained fork with the same names.
import httpx

from airflow_provider_dataworks.client import signing
from airflow_provider_dataworks.client.asking import Flow, Send, Sleep
from airflow_provider_dataworks.client.calls import Call
from airflow_provider_dataworks.client.credentials import Credentials, CredentialSource, without_keys
from airflow_provider_dataworks.client.decoding import Reply
from airflow_provider_dataworks.client.settings import Settings
from airflow_provider_dataworks.exceptions import DataWorksUnavailable

T = TypeVar("T")

LARGEST_ANSWER = 8 * 2**20  # bytes; a page of 100 DI jobs is far below
_FORM = "application/x-www-form-urlencoded"
# Raised before a single byte of the request left; after anything else the request may have arrived.
_NEVER_SENT = (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout, httpx.ProxyError, httpx.UnsupportedProtocol)


class AcsAuth(httpx.Auth):
    """
    Sign each request as it is sent, with a new date and nonce every time.

    :param clock: epoch seconds.
    :param nonce: draws a text never used before.
    """

    requires_request_body = True

    def __init__(
        self,
        settings: Settings,
        credentials: CredentialSource,
        *,
        clock: Callable[[], float] = time.time,
        nonce: Callable[[], str] = functools.partial(secrets.token_hex, 16),
    ) -> None:
        self.settings = settings
        self.credentials = credentials
        self.clock = clock
        self.clock_offset = 0.0
        self._nonce = nonce

    def auth_flow(self, request: httpx.Request) -> Generator[httpx.Request, httpx.Response, None]:
        """Add the signature; see :class:`httpx.Auth`."""
        keys = self.credentials.current()
        date = datetime.fromtimestamp(self.clock() + self.clock_offset, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        if self.settings.signature == signing.RPC:
            self._sign_rpc(request, keys, date)
        else:
            self._sign_acs3(request, keys, date)
        yield request

    def _sign_acs3(self, request: httpx.Request, keys: Credentials, date: str) -> None:
        request.headers.setdefault("x-acs-version", self.settings.api_version)
        to_sign = {
            name: value
            for name, value in request.headers.items()
            if name in ("host", "content-type") or (name.startswith("x-acs-") and name not in _ADDED_BY_SIGNING)
        }
        request.headers.update(
            signing.acs3_headers(
                method=request.method,
                path=request.url.raw_path.partition(b"?")[0].decode("ascii"),
                query=dict(parse_qsl(request.url.query.decode("ascii"), keep_blank_values=True)),
                headers=to_sign,
                body=request.content,
                date=date,
                nonce=self._nonce(),
                access_key_id=keys.access_key_id,
                access_key_secret=keys.access_key_secret,
                security_token=keys.security_token,
            )
        )

    def _sign_rpc(self, request: httpx.Request, keys: Credentials, date: str) -> None:
        query = dict(parse_qsl(request.url.query.decode("ascii"), keep_blank_values=True))
        is_form = request.headers.get("content-type", "").startswith(_FORM)
        form = dict(parse_qsl(request.content.decode(), keep_blank_values=True)) if is_form else {}
        signed = signing.rpc_params(
            method=request.method,
            action=request.headers.get("x-acs-action", query.get("Action", "")),
            version=request.headers.get("x-acs-version", self.settings.api_version),
            params={**query, **form},
            response_format="XML" if "xml" in request.headers.get("accept", "") else "JSON",
            date=date,
            nonce=self._nonce(),
            access_key_id=keys.access_key_id,
            access_key_secret=keys.access_key_secret,
            security_token=keys.security_token,
        )
        in_url = {name: value for name, value in signed.items() if name not in form}
        # The signed query holds the token. As the request's target instead of its URL it stays out of the HTTP
        # library's log lines and error texts, which print the URL.
        request.extensions["target"] = f"{request.url.path}?{signing.canonical_query(in_url)}".encode()


_ADDED_BY_SIGNING = frozenset(("x-acs-date", "x-acs-signature-nonce", "x-acs-content-sha256", "x-acs-security-token"))


@functools.cache
def _tls() -> ssl.SSLContext:
    # Loading the trust store blocks for about 20 ms and takes close to a megabyte, so once a process must do.
    return httpx.create_ssl_context()


def options(settings: Settings, auth: AcsAuth) -> dict[str, object]:
    """Arguments for the HTTP library's clients, the same for both kinds so that they cannot drift apart."""
    return {
        "base_url": settings.endpoint,
        "auth": auth,
        "verify": _tls(),
        "timeout": httpx.Timeout(settings.read_timeout, connect=settings.connect_timeout),
        "follow_redirects": False,
        # A proxy for the internet has no business with an emulator on this machine.
        "trust_env": not settings.is_local,
        "headers": {"user-agent": user_agent(), "accept": "application/json", "accept-encoding": "identity"},
    }


@functools.cache
def user_agent() -> str:
    """Name of this package and its version, so that the vendor can tell who calls."""
    from airflow_provider_dataworks import __version__

    return f"airflow-provider-dataworks/{__version__}"


def _request(client: httpx.Client | httpx.AsyncClient, call: Call[object], signature: str) -> httpx.Request:
    headers = {"x-acs-action": call.action, "x-acs-version": call.version}
    # The older signature carries everything in the query, whatever the operation's place for its parameters is.
    if call.in_query or signature == signing.RPC:
        query = signing.canonical_query(call.params)
        return client.build_request(call.method, f"/?{query}" if query else "/", headers=headers)
    headers["content-type"] = _FORM
    return client.build_request(call.method, "/", headers=headers, content=urlencode(sorted(call.params.items())))


def _lost(error: Exception, endpoint: str) -> DataWorksUnavailable:
    """Translate a failure of the HTTP library, saying whether the request may have arrived."""
    sent = not isinstance(error, _NEVER_SENT)
    host = urlsplit(endpoint).netloc
    what = "no usable answer came from" if sent else "could not connect to"
    return DataWorksUnavailable(
        f"{what} {host}: {type(error).__name__}: {error}",
        sent=sent,
        remedy="Check network, proxy and DNS from the machine of this log, and host or region of the connection.",
    )


class _Body:
    """The bytes of one answer as they come in, with a limit on size and on time."""

    def __init__(self, settings: Settings, clock: Callable[[], float]) -> None:
        self._chunks: list[bytes] = []
        self._size = 0
        self._clock = clock
        # A server that sends a byte now and then never runs into the read timeout.
        self._until = clock() + 3 * settings.read_timeout

    def add(self, chunk: bytes) -> None:
        self._chunks.append(chunk)
        self._size += len(chunk)
        if self._size > LARGEST_ANSWER:
            raise httpx.DecodingError(f"the answer is larger than {LARGEST_ANSWER} bytes")
        if self._clock() > self._until:
            raise httpx.ReadTimeout("the answer takes too long to arrive")

    def reply(self, response: httpx.Response, auth: AcsAuth) -> Reply:
        body = without_keys(b"".join(self._chunks), auth.credentials.current())
        return Reply(response.status_code, _lower(response.headers), body, auth.clock())


def _lower(headers: Mapping[str, str]) -> dict[str, str]:
    return {name.lower(): value for name, value in headers.items()}


class Session:
    """A signed blocking client for one account at one endpoint."""

    def __init__(self, settings: Settings, auth: AcsAuth, **more: object) -> None:
        self.client = httpx.Client(**{**options(settings, auth), **more})  # type: ignore[arg-type]
        self._settings, self._auth = settings, auth

    def exchange(self, send: Send) -> Reply:
        """Send one call and return its answer; raises :class:`DataWorksUnavailable` where none came."""
        _adjust(self._auth, send)
        body = _Body(self._settings, time.monotonic)
        try:
            response = self.client.send(_request(self.client, send.call, self._settings.signature), stream=True)
            try:
                for chunk in response.iter_bytes():
                    body.add(chunk)
            finally:
                response.close()
        except (httpx.TransportError, httpx.DecodingError) as error:
            raise _about(_lost(error, self._settings.endpoint), send.call) from error
        return body.reply(response, self._auth)

    def close(self) -> None:
        """Close the connections."""
        self.client.close()


class AsyncSession:
    """A signed client for one account at one endpoint in one event loop."""

    def __init__(self, settings: Settings, auth: AcsAuth, **more: object) -> None:
        self.client = httpx.AsyncClient(**{**options(settings, auth), **more})  # type: ignore[arg-type]
        self._settings, self._auth = settings, auth
        # The HTTP library's pool looks at every waiting request for each one served: a few at a time are faster.
        self._few = asyncio.Semaphore(5)

    async def exchange(self, send: Send) -> Reply:
        """Send one call and return its answer; raises :class:`DataWorksUnavailable` where none came."""
        _adjust(self._auth, send)
        async with self._few:
            body = _Body(self._settings, time.monotonic)
            try:
                request = _request(self.client, send.call, self._settings.signature)
                response = await self.client.send(request, stream=True)
                try:
                    async for chunk in response.aiter_bytes():
                        body.add(chunk)
                finally:
                    await response.aclose()
            except (httpx.TransportError, httpx.DecodingError) as error:
                raise _about(_lost(error, self._settings.endpoint), send.call) from error
            return body.reply(response, self._auth)

    async def close(self) -> None:
        """Close the connections."""
        await self.client.aclose()


def _adjust(auth: AcsAuth, send: Send) -> None:
    if send.clock_offset is not None:
        auth.clock_offset = send.clock_offset


def _about(error: DataWorksUnavailable, call: Call[object]) -> DataWorksUnavailable:
    error.action, error.di_job_id = call.action, call.di_job_id
    return error


def run(flow: Flow[T], exchange: Callable[[Send], Reply], sleep: Callable[[float], None] = time.sleep) -> T:
    """Drive a flow to its end, blocking."""
    step = functools.partial(flow.send, None)
    try:
        while True:
            command = step()
            try:
                if isinstance(command, Sleep):
                    sleep(command.seconds)
                    step = functools.partial(flow.send, None)
                else:
                    step = functools.partial(flow.send, exchange(command))
            except DataWorksUnavailable as error:
                step = functools.partial(flow.throw, error)
    except StopIteration as end:
        return end.value  # type: ignore[no-any-return]
    finally:
        flow.close()


async def arun(
    flow: Flow[T],
    exchange: Callable[[Send], Awaitable[Reply]],
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
) -> T:
    """Drive a flow to its end in an event loop."""
    step = functools.partial(flow.send, None)
    try:
        while True:
            command = step()
            try:
                if isinstance(command, Sleep):
                    await sleep(command.seconds)
                    step = functools.partial(flow.send, None)
                else:
                    step = functools.partial(flow.send, await exchange(command))
            except DataWorksUnavailable as error:
                step = functools.partial(flow.throw, error)
    except StopIteration as end:
        return end.value  # type: ignore[no-any-return]
    finally:
        flow.close()
