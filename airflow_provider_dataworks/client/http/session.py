"""Sends requests to one DataWorks endpoint: waits for the rate limiter, signs, exchanges, renews keys or clock once.

It is a transport of the HTTP library, below its client, so that log lines and errors of the library show the unsigned
URL. It must never repeat a request for another reason than refused keys or a refused clock, nor follow a redirect.
"""

from __future__ import annotations

import functools
import logging
import secrets
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from urllib.parse import parse_qsl

import httpx

from airflow_provider_dataworks.client.auth.cache import CredentialCache, Held
from airflow_provider_dataworks.client.auth.credentials import Credentials, redact
from airflow_provider_dataworks.client.auth.signing import FORM, RPC, Params, form_body, sign
from airflow_provider_dataworks.client.config import ClientConfig, user_agent
from airflow_provider_dataworks.client.errors.catalog import CATALOG
from airflow_provider_dataworks.client.errors.codes import is_about_keys, network_error
from airflow_provider_dataworks.client.http.connections import ConnectionPool
from airflow_provider_dataworks.client.http.decoding import Reply, clock_skew
from airflow_provider_dataworks.client.http.environment import proxy_for, tls_context
from airflow_provider_dataworks.client.http.exchange import BROKEN, NEVER_SENT, Answer, RawRequest, read
from airflow_provider_dataworks.client.http.rate_limit import RateLimiter, TooLongToWait
from airflow_provider_dataworks.client.http.responses import CLOCK_CODES, refusal_code
from airflow_provider_dataworks.client.operations import Call
from airflow_provider_dataworks.exceptions import DataWorksThrottled, DataWorksUnavailable
from airflow_provider_dataworks.values import invalid, plain_text

log = logging.getLogger(__name__)

HttpClient = httpx.Client

LONGEST_PAUSE = 45.0  # seconds
_LONGEST_TEXT = 300  # characters of an error of the library's
_LEAST_TO_CONNECT = 0.25  # seconds, also for a request that may leave at this very moment only


def always() -> float:
    """Return that a request may leave at any time."""
    return float("inf")


@dataclass(frozen=True)
class _Unsigned:
    """
    What is to be sent.

    :param query: parameters of the URL; as pairs where a name may stand there more than once.
    :param headers: names in lower case; ``x-acs-action`` among them.
    :param body: exactly the bytes that are sent.
    :param changes: whether it changes something, so that it goes over a connection of its own.
    :param time_to_send: returns the seconds in which the request may still leave, and raises where there are none;
        asked last, right before the bytes leave.
    :param timeout: seconds by ``connect`` and ``read``, where they are not the connection's.
    """

    method: str
    path: str
    query: Params
    headers: Mapping[str, str]
    body: bytes
    changes: bool = True
    time_to_send: Callable[[], float] = always
    timeout: Mapping[str, float | None] | None = None


class Session(httpx.BaseTransport):
    """
    A signed way to one account at one endpoint, for all threads.

    :param config: endpoint, versions and limits.
    :param cache: the keys to sign with.
    :param limiter: the rate that the processes of this machine keep together.
    :param clock: epoch seconds.
    :param sleep: lets seconds pass.
    :param nonce: draws a text never used before.
    :param longest_pause: seconds that a call waits at most for its turn, where the service asked everybody to wait.
    :param on_call: told of each request that was sent: its operation, and whether it was refused as one too many.
    :param transport: one of the HTTP library's to send by, for tests; by default real connections.
    :raises DataWorksInvalidRequest: naming the field or variable by which nothing can be sent.
    """

    def __init__(
        self,
        config: ClientConfig,
        cache: CredentialCache,
        limiter: RateLimiter,
        *,
        clock: Callable[[], float] = time.time,
        sleep: Callable[[float], None] = time.sleep,
        nonce: Callable[[], str] = functools.partial(secrets.token_hex, 16),
        longest_pause: float = LONGEST_PAUSE,
        on_call: Callable[[str, bool], None] | None = None,
        transport: httpx.BaseTransport | None = None,
    ) -> None:
        self._config, self._cache, self._limiter = config, cache, limiter
        self._clock, self._sleep, self._nonce, self._longest_pause = clock, sleep, nonce, longest_pause
        self._clock_offset = 0.0  # seconds to add to our clock, once the service told us that it is off
        self._origin = httpx.URL(f"{config.endpoint}/")
        self._headers = {
            "host": self._origin.netloc.decode("ascii"),
            "accept": "application/json",
            "user-agent": user_agent(),
        }
        # A request of this size is written at once, into the socket's buffer: no timer is needed for that.
        self._timeout = {"connect": config.connect_timeout, "read": config.read_timeout, "write": None, "pool": None}
        # A proxy for the internet has no business with an emulator on this machine.
        proxy = None if config.is_local else proxy_for(config.endpoint)
        self._pool = ConnectionPool(tls_context(config.ca_file), proxy)
        self._transport, self._on_call = transport, on_call

    def new_client(self) -> httpx.Client:
        """Return a client of the HTTP library's that sends by this session; whoever holds it closes it."""
        config = self._config
        return httpx.Client(
            transport=self,
            base_url=config.endpoint,
            timeout=httpx.Timeout(config.read_timeout, connect=config.connect_timeout),
            follow_redirects=False,
            trust_env=False,
            headers={"accept": "application/json", "accept-encoding": "identity", "user-agent": user_agent()},
        )

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        """
        Send what the library's client was given, signed, and return its whole answer.

        :raises httpx.TransportError: no answer came in time.
        :raises httpx.DecodingError: the answer is too large or encoded.
        :raises DataWorksError: see :meth:`send`; or the request is for another host than the connection's.
        """
        if _origin(request.url) != _origin(self._origin):
            raise invalid("url", "is not at the connection's endpoint, and no other may see the signature")
        path, _, query = request.url.raw_path.partition(b"?")
        given = request.extensions.get("timeout", {})
        unsigned = _Unsigned(
            method=request.method,
            path=path.decode("ascii"),
            query=parse_qsl(query.decode("ascii"), keep_blank_values=True),
            headers={name.lower(): value for name, value in request.headers.items()},
            body=request.read(),
            timeout={name: given[name] for name in ("connect", "read") if given.get(name)},
        )
        try:
            reply, answer = self._send_and_renew(unsigned)
        except BROKEN as error:
            error.request = request
            raise
        return httpx.Response(answer.status, headers=answer.headers, stream=httpx.ByteStream(reply.body))

    def send(self, call: Call[Any], time_to_send: Callable[[], float] = always) -> Reply:
        """
        Sign a call, send it and return its answer; keys or a clock that the service refuses are renewed once.

        :param time_to_send: returns the seconds in which the request may still leave, and raises where there are none;
            it is asked last, right before the bytes leave.
        :raises DataWorksUnavailable: no answer came; ``.sent`` says whether the request may have arrived.
        :raises DataWorksThrottled: the service asked to wait for longer than a call waits; nothing was sent.
        :raises DataWorksError: there are no keys to sign with, or what ``time_to_send`` raises.
        """
        headers = {**self._headers, "x-acs-action": call.action, "x-acs-version": call.version}
        query, body = call.params, b""
        # The older signature carries everything in the query, whatever the operation's place for its parameters is.
        if not (call.in_query or self._config.signature == RPC):
            query, body = {}, form_body(call.params)
            headers["content-type"] = FORM
        if call.method == "POST":
            headers["content-length"] = str(len(body))
        request = _Unsigned(call.method, "/", query, headers, body, call.changes, time_to_send)
        try:
            return self._send_and_renew(request)[0]
        except BROKEN as error:
            raise self._unanswered(error, call) from None

    def _unanswered(self, error: Exception, call: Call[Any]) -> DataWorksUnavailable:
        sent, by_proxy = not isinstance(error, NEVER_SENT), isinstance(error, httpx.ProxyError)
        what = "no usable answer came from" if sent else "could not connect to"
        info = network_error(error, sent=sent, by_proxy=by_proxy)
        if isinstance(error, httpx.DecodingError):
            info = CATALOG["unreadable-answer"]
        # The library quotes what it could not read, such as an echo of the request, or a piece of the answer.
        why = type(error).__name__ if call.confidential else f"{type(error).__name__}: {error}"
        return DataWorksUnavailable(
            f"{what} {self._headers['host']}: {why}",
            sent=sent,
            action=call.action,
            di_job_id=call.di_job_id,
            **info.kwargs,
        )

    def _send_and_renew(self, request: _Unsigned) -> tuple[Reply, Answer]:
        held = self._cache.get()
        reply, answer = self._send_once(request, held)
        code = refusal_code(reply)
        if code is None:
            return reply, answer
        # What is refused so was not executed, and may be sent again whatever it does.
        if code in CLOCK_CODES and (skew := clock_skew(reply)) is not None:
            log.warning("DataWorks refused our clock: trying once more by its own, %.0f s ahead of ours.", skew)
            self._clock_offset = skew
        elif is_about_keys(code):
            log.info("DataWorks refused the keys (%s): looking for newer ones.", code)
            newer = self._cache.get(refused=held.generation)
            if newer.generation == held.generation:
                return reply, answer
            held = newer
        else:
            return reply, answer
        return self._send_once(request, held)

    def _send_once(self, request: _Unsigned, held: Held) -> tuple[Reply, Answer]:
        action = request.headers.get("x-acs-action", "a request")
        self._wait_for_turn(action)
        signed = self._sign(request, held.keys)
        try:
            if self._transport is not None:
                answer = read(self._transport, signed.for_library())
            else:
                answer = self._pool.exchange(signed, repeatable=not request.changes)
        except BROKEN as error:
            self._count(action, throttled=False)
            raise type(error)(_safe_text(error, held.keys)) from None
        reply = Reply(answer.status, answer.text_headers, redact(answer.body, held.keys), self._clock())
        throttled = reply.status == 429 or (refusal_code(reply) or "").startswith("Throttling")
        self._limiter.answered(throttled=throttled)
        self._count(action, throttled=throttled)
        return reply, answer

    def _count(self, action: str, *, throttled: bool) -> None:
        if self._on_call is not None:
            self._on_call(action, throttled)

    def _wait_for_turn(self, action: str) -> None:
        # However slow the rate is set, a call may wait for its own turn.
        longest = max(self._longest_pause, 2 / self._config.max_qps) if self._longest_pause else 0.0
        while True:
            try:
                wait = self._limiter.reserve(longest)
            except TooLongToWait as error:
                raise DataWorksThrottled(
                    f"DataWorks asked callers of this account to wait, {error.seconds:.0f} s more; nothing was sent.",
                    retry_after=error.seconds,
                    **CATALOG["throttled"].kwargs,
                ) from None
            if wait <= 0:
                return
            paused = self._limiter.paused_for()
            if paused > 0 and self._limiter.is_news(paused):
                log.info("DataWorks asked callers of this account to wait: %s goes out in %.0f s.", action, wait)
            self._sleep(wait)
            if self._limiter.is_due():
                return

    def _sign(self, request: _Unsigned, keys: Credentials) -> RawRequest:
        timeout: dict[str, Any] = {**self._timeout, **(request.timeout or {})}
        # The last moment before the bytes leave; a connection that takes long to open must not make them late either.
        timeout["connect"] = min(timeout["connect"], max(request.time_to_send(), _LEAST_TO_CONNECT))
        headers = {"x-acs-version": self._config.api_version, **request.headers, "accept-encoding": "identity"}
        target, added = sign(
            self._config.signature,
            keys,
            method=request.method,
            path=request.path,
            query=request.query,
            headers=headers,
            body=request.body,
            date=datetime.fromtimestamp(self._clock() + self._clock_offset, UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
            nonce=self._nonce(),
        )
        return RawRequest(request.method, self._origin, target, {**headers, **added}, request.body, timeout)

    @property
    def clock_offset(self) -> float:
        """Seconds to add to this machine's clock, as the service said when it refused it; 0 where it never did."""
        return self._clock_offset

    def pause(self, seconds: float) -> None:
        """Let nobody call this account for these seconds, some minutes at most: the service asked to wait."""
        self._limiter.pause(seconds)

    def release(self) -> None:
        """Close the connections that are kept; the session can be used again."""
        self._pool.close()


def _origin(url: httpx.URL) -> tuple[str, str, int]:
    return url.scheme, url.host, url.port or (443 if url.scheme == "https" else 80)


def _safe_text(error: Exception, keys: Credentials) -> str:
    """Return the library's text for an error without what a peer may have echoed: it quotes what it could not read."""
    text = redact(str(error).encode(errors="replace"), keys).decode(errors="replace")
    # Of a proxy's refusal the status alone: the words behind it are the proxy's, which knows a password.
    return text[:3] if isinstance(error, httpx.ProxyError) else plain_text(text, _LONGEST_TEXT)
