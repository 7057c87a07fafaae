"""A proxy of this machine that takes nothing but CONNECT, and TLS servers behind it; it remembers what it saw."""

from __future__ import annotations

import re
import socket
import ssl
import threading
from abc import ABC, abstractmethod
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from certificates import Authority

_CONNECT = rb"CONNECT ([a-z0-9.-]+:[0-9]+) HTTP/%s"


def _pump(one: socket.socket, other: socket.socket, seen: list[bytes] | None = None) -> None:
    with suppress(OSError):
        while piece := one.recv(65536):
            if seen is not None:
                seen.append(piece)
            other.sendall(piece)
    with suppress(OSError):
        other.shutdown(socket.SHUT_RDWR)


class _Listening(ABC):
    """A server with a thread for each connection."""

    def __init__(self) -> None:
        self._server = socket.create_server(("127.0.0.1", 0), backlog=64)
        self.port = self._server.getsockname()[1]
        self._open: set[socket.socket] = set()
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                connection, _ = self._server.accept()
                self._open.add(connection)
                threading.Thread(target=self._guarded, args=(connection,), daemon=True).start()

    def _guarded(self, connection: socket.socket) -> None:
        with suppress(OSError):
            self.serve(connection)
        connection.close()

    @abstractmethod
    def serve(self, connection: socket.socket) -> None:
        """Serve one connection."""

    def close(self) -> None:
        """End it and its connections."""
        with suppress(OSError):
            self._server.shutdown(socket.SHUT_RDWR)
        self._server.close()
        for connection in self._open:
            with suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)


class TlsFront(_Listening):
    """Speaks TLS with a certificate for a name, and passes on in clear to a port of this machine."""

    def __init__(self, certificate: tuple[Path, Path], port: int) -> None:
        self._context, self._behind = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH), port
        self._context.load_cert_chain(*certificate)
        super().__init__()

    def serve(self, connection: socket.socket) -> None:
        """Shake hands and pass on, both ways."""
        with (
            self._context.wrap_socket(connection, server_side=True) as wrapped,
            socket.create_connection(("127.0.0.1", self._behind)) as behind,
        ):
            back = threading.Thread(target=_pump, args=(behind, wrapped), daemon=True)
            back.start()
            _pump(wrapped, behind)
            back.join()


class StrictProxy(_Listening):
    """
    Answers 400 to all but ``CONNECT host:port HTTP/1.1``, and 407 without the password, if it has one.

    :param routes: port of this machine by ``host:port``.
    :param password: what it wants as ``Proxy-Authorization``.
    :param version: of HTTP, as a pattern; other proxies may ask in an older one.
    """

    def __init__(self, routes: dict[str, int], password: str | None = None, version: bytes = rb"1\.1") -> None:
        self._connect = re.compile(_CONNECT % version)
        self.routes, self.password = routes, password
        self.asked: list[bytes] = []  # heads of requests
        self.passed: list[bytes] = []  # what went through it from whoever called
        super().__init__()

    @property
    def lines(self) -> list[str]:
        """First lines of what it was asked, and each once."""
        return sorted({head.partition(b"\r\n")[0].decode("latin-1") for head in self.asked})

    def serve(self, connection: socket.socket) -> None:
        """Read one head; what follows is passed on."""
        head = b""
        while b"\r\n\r\n" not in head:
            piece = connection.recv(65536)
            if not piece:
                return
            head += piece
        self.asked.append(head)
        found = self._connect.fullmatch(head.partition(b"\r\n")[0])
        port = self.routes.get(found[1].decode()) if found else None
        if port is None:
            connection.sendall(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n")
            return
        if self.password and f"proxy-authorization: {self.password}".encode() not in head.replace(
            b"Proxy-A", b"proxy-a"
        ):
            connection.sendall(b"HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 0\r\n\r\n")
            return
        with socket.create_connection(("127.0.0.1", port)) as behind:
            connection.sendall(b"HTTP/1.1 200 Connection established\r\n\r\n")
            back = threading.Thread(target=_pump, args=(behind, connection), daemon=True)
            back.start()
            _pump(connection, behind, self.passed)
            back.join()


@contextmanager
def strict_proxy(authority: Authority, behind: dict[str, int], **more: Any) -> Iterator[StrictProxy]:
    """
    Run a proxy with TLS servers behind it.

    :param behind: by name of a host, the port of this machine that answers for it in clear.
    :param more: for :class:`StrictProxy`.
    """
    fronts = {f"{name}:443": TlsFront(authority.server(name), port) for name, port in behind.items()}
    proxy = StrictProxy({name: front.port for name, front in fronts.items()}, **more)
    try:
        yield proxy
    finally:
        for each in (proxy, *fronts.values()):
            each.close()
