"""The HTTP library's client for what an author sends by hand, signed and bounded; it retries nothing."""

from __future__ import annotations

import ssl
from collections.abc import Callable
from urllib.parse import parse_qsl

# One of three modules that import the HTTP library; see transport.py.
import httpx

from airflow_provider_dataworks.client.auth.credentials import Credentials, without_keys
from airflow_provider_dataworks.client.auth.signer import Signer
from airflow_provider_dataworks.client.config import Settings, refusal, user_agent
from airflow_provider_dataworks.client.http.exchange import exchange, for_library, read
from airflow_provider_dataworks.client.http.limits import NotRead, TooSlow
from airflow_provider_dataworks.client.http.messages import Answer, Request
from airflow_provider_dataworks.client.safe_values import plain_text

_LONGEST = 300  # characters of an error of the library's


class SignedTransport(httpx.BaseTransport):
    """
    Signs each request with the keys of now and exchanges it over a connection of its own.

    It signs a copy: request, URL and log lines of the library's client stay without signature and token.

    :param keys: gives the keys to sign with.
    :param context: verifies the server.
    :param proxy: address of the proxy to go through.
    :param transport: one of the library's to send by, for tests.
    """

    def __init__(
        self,
        settings: Settings,
        signer: Signer,
        keys: Callable[[], Credentials],
        context: ssl.SSLContext,
        proxy: str | None = None,
        transport: httpx.BaseTransport | None = None,
    ) -> None:
        self._settings, self._signer, self._keys = settings, signer, keys
        self._context, self._proxy, self._transport = context, proxy, transport
        self._origin = _origin(httpx.URL(settings.endpoint))

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        """
        Send a request and return its whole answer.

        :raises httpx.TransportError: no answer came, or one that is not read: too large, too slow or encoded.
        :raises DataWorksInvalidRequest: the request is for another host than the connection's.
        """
        if _origin(request.url) != self._origin:
            raise refusal("url", "is not at the connection's endpoint, and no other may see the signature")
        keys = self._keys()
        try:
            answer = self._exchange(self._signed(request, keys))
        except NotRead as error:
            kind = httpx.ReadTimeout if isinstance(error, TooSlow) else httpx.DecodingError
            raise kind(str(error), request=request) from None
        except httpx.TransportError as error:
            # The library quotes what it could not read, and a peer may echo the request: with it, the token.
            text = without_keys(str(error).encode(errors="replace"), keys).decode(errors="replace")
            raise type(error)(plain_text(text, _LONGEST), request=request) from None
        return httpx.Response(answer.status, headers=answer.headers, stream=httpx.ByteStream(answer.body))

    def _exchange(self, request: Request) -> Answer:
        if self._transport is not None:
            return read(self._transport, for_library(request))
        return exchange(request, self._context, self._proxy)

    def _signed(self, request: httpx.Request, keys: Credentials) -> Request:
        body, headers = request.read(), httpx.Headers(request.headers)
        headers.setdefault("x-acs-version", self._settings.api_version)
        headers["accept-encoding"] = "identity"
        path, _, query = request.url.raw_path.partition(b"?")
        pairs = parse_qsl(query.decode("ascii"), keep_blank_values=True)
        target, added = self._signer.sign(keys, request.method, path.decode("ascii"), pairs, headers, body)
        headers.update(added)
        given = request.extensions.get("timeout", {})
        usual = {"connect": self._settings.connect_timeout, "read": self._settings.read_timeout, "write": None}
        timeout = {name: given.get(name) or seconds for name, seconds in usual.items()}
        url = request.url.copy_with(raw_path=b"/")
        return Request(request.method, url, target.encode("ascii"), headers.raw, body, timeout)


def _origin(url: httpx.URL) -> tuple[str, str, int]:
    return url.scheme, url.host, url.port or (443 if url.scheme == "https" else 80)


def client_of(settings: Settings, transport: SignedTransport) -> httpx.Client:
    """Return a client of the library's for a connection's endpoint; redirects are not followed."""
    return httpx.Client(
        transport=transport,
        base_url=settings.endpoint,
        timeout=httpx.Timeout(settings.read_timeout, connect=settings.connect_timeout),
        follow_redirects=False,
        trust_env=False,
        headers={"accept": "application/json", "accept-encoding": "identity", "user-agent": user_agent()},
    )
