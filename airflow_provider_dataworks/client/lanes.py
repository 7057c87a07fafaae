"""One connection to the endpoint that is kept open, blocking or in an event loop; it knows no proxy and no policy.

The HTTP library's pool looks through all its requests and connections before and after each call, even if it holds only
one: a seventh of what a call costs. Who uses a lane for one call at a time needs none of that.
"""

from __future__ import annotations

import ssl
from typing import Any

# What the HTTP library itself stands on; it changes with it, see transport.py.
import httpcore

from airflow_provider_dataworks.client.messages import Request

# As in transport.py: the first are raised before a single byte of the request left.
NEVER_SENT = (httpcore.ConnectError, httpcore.ConnectTimeout)
BROKEN = (httpcore.NetworkError, httpcore.TimeoutException, httpcore.ProtocolError)
_IDLE = 5.0  # seconds an unused connection is trusted, as the HTTP library does


class _Kept:
    """What both kinds of lane share."""

    def __init__(self, scheme: bytes, host: bytes, port: int, context: ssl.SSLContext) -> None:
        self._origin, self._context = httpcore.Origin(scheme, host, port), context

    def _options(self) -> dict[str, Any]:
        return {"origin": self._origin, "ssl_context": self._context, "keepalive_expiry": _IDLE}

    def _request(self, request: Request) -> httpcore.Request:
        scheme, host, port = self._origin.scheme, self._origin.host, self._origin.port
        url = httpcore.URL(scheme=scheme, host=host, port=port, target=request.target)
        content, extensions = request.body or None, {"timeout": dict(request.timeout)}
        return httpcore.Request(request.method, url, headers=request.headers, content=content, extensions=extensions)


class Lane(_Kept):
    """
    A connection, opened where it is needed and opened anew where it was closed meanwhile; for one call at a time.

    :param scheme: ``https``, or ``http`` for an address of this machine.
    :param context: verifies the server.
    """

    _kept: httpcore.AsyncHTTPConnection | None = None

    async def send(self, request: Request) -> httpcore.Response:
        """Send a request and return its answer as soon as it begins; whoever reads it closes it."""
        kept = self._kept
        if kept is None or not kept.is_available() or kept.has_expired():
            await self.aclose()
            kept = self._kept = httpcore.AsyncHTTPConnection(**self._options())
        return await kept.handle_async_request(self._request(request))

    async def aclose(self) -> None:
        """Close the connection, if one is open."""
        kept, self._kept = self._kept, None
        if kept is not None:
            await kept.aclose()


class BlockingLane(_Kept):
    """The same for code that blocks."""

    _kept: httpcore.HTTPConnection | None = None

    def send(self, request: Request) -> httpcore.Response:
        """Send a request; see :meth:`Lane.send`."""
        kept = self._kept
        if kept is None or not kept.is_available() or kept.has_expired():
            self.close()
            kept = self._kept = httpcore.HTTPConnection(**self._options())
        return kept.handle_request(self._request(request))

    def close(self) -> None:
        """Close the connection, if one is open."""
        kept, self._kept = self._kept, None
        if kept is not None:
            kept.close()


def load() -> None:
    """Load the library's way into asyncio, which it does itself as it connects for the first time; for a thread."""
    import anyio

    anyio.run(anyio.sleep, 0)
