"""A small HTTP server on this machine, in one thread; it says exactly whether it is busy, and decides no answer."""

from __future__ import annotations

import selectors
import socket
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from urllib.parse import parse_qsl


@dataclass(frozen=True)
class Request:
    """One request as it arrived; header names in lower case."""

    method: str
    target: str
    headers: Mapping[str, str]
    body: bytes

    @property
    def query(self) -> dict[str, str]:
        """Parameters of the URL."""
        return dict(parse_qsl(self.target.partition("?")[2], keep_blank_values=True))

    @property
    def form(self) -> dict[str, str]:
        """Parameters of the body."""
        return dict(parse_qsl(self.body.decode("latin-1"), keep_blank_values=True))


@dataclass(frozen=True)
class Answer:
    """
    What is sent back.

    :param data: the bytes of the answer, as much as there is of it.
    :param close: whether the connection ends with it.
    """

    data: bytes = b""
    close: bool = False


@dataclass
class _Caller:
    socket: socket.socket
    came: bytearray = field(default_factory=bytearray)


class Endpoint:
    """
    Serves on a free port of 127.0.0.1 until the process ends.

    :param answer: called in the server's thread with each request.
    """

    def __init__(self) -> None:
        self.answer: Callable[[Request], Answer] = lambda request: Answer(close=True)
        self.broken: BaseException | None = None
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=64)
        self._listener.setblocking(False)
        self._selector = selectors.DefaultSelector()
        self._selector.register(self._listener, selectors.EVENT_READ, None)
        self._lock = threading.Lock()
        self._thread = threading.Thread(target=self._serve, name="campaign-endpoint", daemon=True)
        self._thread.start()

    @property
    def port(self) -> int:
        """Port it listens on."""
        return int(self._listener.getsockname()[1])

    @property
    def thread(self) -> int | None:
        """The server's thread."""
        return self._thread.ident

    def busy(self) -> bool:
        """Say whether something arrived that is not answered yet; what was answered can be read by the caller."""
        if not self._lock.acquire(blocking=False):
            return True
        try:
            return bool(self._selector.select(0))
        finally:
            self._lock.release()

    def _serve(self) -> None:
        while True:
            self._selector.select()
            with self._lock:
                for key, _ in self._selector.select(0):
                    if key.data is None:
                        self._accept()
                    else:
                        self._read(key.data)

    def _accept(self) -> None:
        try:
            found, _ = self._listener.accept()
        except OSError:  # whoever called has gone again
            return
        found.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._selector.register(found, selectors.EVENT_READ, _Caller(found))

    def _read(self, caller: _Caller) -> None:
        try:
            data = caller.socket.recv(65536)
        except OSError:
            data = b""
        if not data:
            self._close(caller)
            return
        caller.came += data
        while (request := _taken(caller.came)) is not None:
            try:
                answer = self.answer(request)
            except BaseException as error:
                self.broken, answer = error, Answer(close=True)
            try:
                caller.socket.sendall(answer.data)
            except OSError:  # whoever called does not listen any more
                answer = Answer(close=True)
            if answer.close:
                self._close(caller)
                return

    def _close(self, caller: _Caller) -> None:
        self._selector.unregister(caller.socket)
        caller.socket.close()


def _taken(came: bytearray) -> Request | None:
    """Take one whole request out of what came."""
    end = came.find(b"\r\n\r\n")
    if end < 0:
        return None
    first, *lines = came[:end].decode("latin-1").split("\r\n")
    headers = {name.strip().lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
    length = end + 4 + int(headers.get("content-length", 0))
    if len(came) < length:
        return None
    body = bytes(came[end + 4 : length])
    del came[:length]
    method, target, _ = first.split(" ", 2)
    return Request(method, target, headers, body)
