"""A server of this machine that answers with any bytes, also such as no HTTP library would send."""

from __future__ import annotations

import re
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress


def _request(connection: socket.socket) -> bytes:
    """Read one request to its end; empty where the other side has closed."""
    read = b""
    while b"\r\n\r\n" not in read:
        piece = connection.recv(65536)
        if not piece:
            return b""
        read += piece
    head, _, body = read.partition(b"\r\n\r\n")
    length = re.search(rb"(?i)\r\ncontent-length: *(\d+)", head)
    left = int(length[1]) - len(body) if length else 0
    while left > 0:
        piece = connection.recv(65536)
        if not piece:
            return b""
        read, left = read + piece, left - len(piece)
    return read


@contextmanager
def raw_server(respond: Callable[[bytes], Iterator[bytes]]) -> Iterator[int]:
    """
    Serve on a port of this machine, which is what comes out; each connection is closed behind its answer.

    :param respond: is given a request, and yields the bytes of the answer; it may take its time.
    """
    server = socket.create_server(("127.0.0.1", 0), backlog=128)
    open_ones: set[socket.socket] = set()

    def serve(connection: socket.socket) -> None:
        with suppress(OSError), connection:
            if request := _request(connection):
                for piece in respond(request):
                    connection.sendall(piece)

    def accept() -> None:
        with suppress(OSError):
            while True:
                connection, _ = server.accept()
                open_ones.add(connection)
                threading.Thread(target=serve, args=(connection,), daemon=True).start()

    thread = threading.Thread(target=accept, daemon=True)
    thread.start()
    try:
        yield server.getsockname()[1]
    finally:
        server.shutdown(socket.SHUT_RDWR)
        server.close()
        thread.join()
        for connection in open_ones:
            with suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)
            connection.close()
