"""One connection to the endpoint that is kept open, for an event loop; it knows no proxy and holds no policy.

The HTTP library's pool looks through all its requests and connections before and after each call, even if it holds only
one: a seventh of what a call costs. Who uses a lane for one call at a time needs none of that.
"""

from __future__ import annotations

import ssl
from collections.abc import Mapping, Sequence

# What the HTTP library itself stands on; it changes with it, see transport.py.
import httpcore

# As in transport.py: the first are raised before a single byte of the request left.
NEVER_SENT = (httpcore.ConnectError, httpcore.ConnectTimeout)
BROKEN = (httpcore.NetworkError, httpcore.TimeoutException, httpcore.ProtocolError)
_IDLE = 5.0  # seconds an unused connection is trusted, as the HTTP library does


class Lane:
    """
    A connection, opened where it is needed and opened anew where it was closed meanwhile; for one call at a time.

    :param scheme: ``https``, or ``http`` for an address of this machine.
    :param context: verifies the server.
    """

    def __init__(self, scheme: bytes, host: bytes, port: int, context: ssl.SSLContext) -> None:
        self._origin, self._context = httpcore.Origin(scheme, host, port), context
        self._kept: httpcore.AsyncHTTPConnection | None = None

    async def send(
        self,
        method: str,
        target: bytes,
        headers: Sequence[tuple[bytes, bytes]],
        body: bytes,
        limits: Mapping[str, float | None],
    ) -> httpcore.Response:
        """
        Send a request and return its answer as soon as it begins; whoever reads it closes it.

        :param limits: seconds by ``connect``, ``read`` and ``write``.
        """
        kept = self._kept
        if kept is None or not kept.is_available() or kept.has_expired():
            await self.aclose()
            kept = self._kept = httpcore.AsyncHTTPConnection(
                self._origin, ssl_context=self._context, keepalive_expiry=_IDLE
            )
        url = httpcore.URL(scheme=self._origin.scheme, host=self._origin.host, port=self._origin.port, target=target)
        extensions = {"timeout": dict(limits)}
        return await kept.handle_async_request(
            httpcore.Request(method, url, headers=headers, content=body or None, extensions=extensions)
        )

    async def aclose(self) -> None:
        """Close the connection, if one is open."""
        kept, self._kept = self._kept, None
        if kept is not None:
            await kept.aclose()


def load() -> None:
    """Load the library's way into asyncio, which it does itself as it connects for the first time; for a thread."""
    import anyio

    anyio.run(anyio.sleep, 0)
