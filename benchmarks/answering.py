"""A server that gives one fixed answer to whatever it is asked, at next to no cost; told by one line of JSON."""

from __future__ import annotations

import asyncio
import json
import ssl
import sys
import threading
from typing import Any

# What the vendor's gateway sends; an HTTP library reads each of these.
_HEADERS = (
    "HTTP/1.1 200 OK\r\nDate: Mon, 23 Nov 2026 10:00:00 GMT\r\nContent-Type: application/json;charset=utf-8\r\n"
    "Content-Length: {}\r\nConnection: keep-alive\r\nKeep-Alive: timeout=25\r\nAccess-Control-Allow-Origin: *\r\n"
    "Access-Control-Expose-Headers: *\r\nx-acs-request-id: 92F778C7-8F00-53B1-AE1A-B3B17101247D\r\n"
    "x-acs-trace-id: 0bb19f2c0a6e4f8c9d27d1b1a6d4e0f1\r\n\r\n"
)


class _Answering(asyncio.Protocol):
    """One connection; knows just enough HTTP to see where a request ends."""

    def __init__(self, answer: bytes) -> None:
        self._answer, self._read = answer, b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep what to write to."""
        assert isinstance(transport, asyncio.Transport)  # noqa: S101 - a stream server makes no other
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        """Answer each request that has arrived in full."""
        self._read += data
        while (end := self._read.find(b"\r\n\r\n")) >= 0:
            head = self._read[:end].lower()
            place = head.find(b"content-length:")
            length = int(head[place + 15 :].split(b"\r\n")[0]) if place >= 0 else 0
            if len(self._read) < end + 4 + length:
                return
            self._read = self._read[end + 4 + length :]
            self._transport.write(self._answer)


async def _serve(settings: dict[str, Any]) -> None:
    body = json.dumps(settings["body"]).encode()
    answer = _HEADERS.format(len(body)).encode() + body
    context = None
    if "certificate" in settings:
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        context.load_cert_chain(settings["certificate"], settings["key"])
    loop, end = asyncio.get_running_loop(), asyncio.Event()
    server = await loop.create_server(lambda: _Answering(answer), "127.0.0.1", 0, ssl=context, backlog=500)
    print(json.dumps({"port": server.sockets[0].getsockname()[1]}), flush=True)

    def until_told() -> None:
        sys.stdin.read()
        loop.call_soon_threadsafe(end.set)

    threading.Thread(target=until_told, daemon=True).start()
    await end.wait()
    server.close()


if __name__ == "__main__":
    asyncio.run(_serve(json.loads(sys.stdin.readline())))
