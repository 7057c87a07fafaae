"""A call that changes something has a connection of its own, looks share one: what one leaves behind meets no other."""

from __future__ import annotations

import asyncio
import gzip
import ssl
import time
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
import pytest_asyncio

from airflow_provider_dataworks.client.auth.cache import CredentialCache
from airflow_provider_dataworks.client.auth.credentials import Credentials, StaticCredentials
from airflow_provider_dataworks.client.config import ClientConfig
from airflow_provider_dataworks.client.http.connections import Connection
from airflow_provider_dataworks.client.http.decoding import Reply
from airflow_provider_dataworks.client.http.exchange import RawRequest
from airflow_provider_dataworks.client.http.rate_limit import RateLimiter
from airflow_provider_dataworks.client.http.session import Session
from airflow_provider_dataworks.client.operations import APIS, Call
from airflow_provider_dataworks.exceptions import DataWorksUnavailable

CALL = APIS["2020-05-18"].StopDIJob(7)
LOOK = APIS["2020-05-18"].GetDIJob(7)
GOOD = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 17\r\n\r\n" + b'{"RequestId":"r"}'


class Server:
    """A server that does as it is told, and remembers its connections and the requests on each."""

    def __init__(self) -> None:
        self.answer: bytes | None = GOOD
        self.then_close = False
        self.hang_ups = 0  # instead of answers to come
        self.requests: list[list[bytes]] = []
        self.writers: list[asyncio.StreamWriter] = []
        self.readers: list[asyncio.StreamReader] = []
        self.open = self.most_at_once = 0
        self.asked = asyncio.Event()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Serve one connection."""
        heard: list[bytes] = []
        self.requests.append(heard)
        self.writers.append(writer)
        self.readers.append(reader)
        self.open += 1
        self.most_at_once = max(self.most_at_once, self.open)
        try:
            while head := await reader.readuntil(b"\r\n\r\n"):
                length = int(head.lower().partition(b"content-length: ")[2].split(b"\r\n")[0] or 0)
                heard.append(head + await reader.readexactly(length))
                self.asked.set()
                if self.hang_ups:
                    self.hang_ups -= 1
                    writer.close()
                    return
                if self.answer is not None:
                    writer.write(self.answer)
                    await writer.drain()
                if self.then_close:
                    writer.close()
                    return
        except (asyncio.IncompleteReadError, ConnectionError):
            writer.close()
        finally:
            self.open -= 1


@pytest_asyncio.fixture
async def server() -> AsyncIterator[Server]:
    """A server on this machine; its ``port`` is where."""
    told = Server()
    listening = await asyncio.start_server(told.serve, "127.0.0.1", 0)
    told.port = listening.sockets[0].getsockname()[1]  # type: ignore[attr-defined]
    yield told
    listening.close()
    for writer in told.writers:
        writer.close()
    await listening.wait_closed()


def session_with(endpoint: str) -> Session:
    """Make a session with that server."""
    config = ClientConfig(endpoint, read_timeout=5)
    cache = CredentialCache(StaticCredentials(Credentials("LTAIexample", "secret")), time.time)
    return Session(config, cache, RateLimiter(1000, time.monotonic))


@pytest_asyncio.fixture
async def session(server: Server) -> Session:
    """A session with that server."""
    return session_with(f"http://127.0.0.1:{server.port}")  # type: ignore[attr-defined]


async def send(session: Session, call: Call[Any]) -> Reply:
    """Send one call from a thread, as a task does."""
    return await asyncio.to_thread(session.send, call)


async def test_each_call_has_a_connection_of_its_own(server: Server, session: Session) -> None:
    """With the path and the body that were signed; it is closed behind the answer."""
    replies = [await send(session, CALL) for _ in range(3)]

    assert [reply.status for reply in replies] == [200] * 3
    assert [len(heard) for heard in server.requests] == [1, 1, 1]
    assert all(heard[0].startswith(b"POST / HTTP/1.1\r\n") for heard in server.requests)
    assert all(heard[0].endswith(b"\r\n\r\nDIJobId=7") for heard in server.requests)
    for reader in server.readers:
        await asyncio.wait_for(reader.read(), 5)
        assert reader.at_eof()


LEFT_OVER = {
    "a second answer": GOOD.replace(b'"r"', b'"x"'),
    "half a head": b"HTTP/1.1 404 Not Found\r\nX-A: ",
    "noise": b"\x00\xffnoise",
}


@pytest.mark.parametrize("left_over", LEFT_OVER)
async def test_what_follows_an_answer_is_not_taken_for_the_next(
    server: Server, session: Session, left_over: str
) -> None:
    """In the same piece as the answer, such as from a gateway that answers twice."""
    server.answer = GOOD + LEFT_OVER[left_over]

    replies = [await send(session, CALL) for _ in range(3)]

    assert [(reply.status, reply.body) for reply in replies] == [(200, b'{"RequestId":"r"}')] * 3


@pytest.mark.parametrize(
    ("answer", "what"),
    [(b"", "RemoteProtocolError"), (GOOD[:-4], "RemoteProtocolError"), (b"HELO\r\n\r\n", "RemoteProtocolError")],
    ids=["closed", "half", "garbage"],
)
async def test_a_lost_answer_says_that_the_request_may_have_arrived(
    server: Server, session: Session, answer: bytes, what: str
) -> None:
    """And the next call has a new connection."""
    server.answer, server.then_close = answer, True
    with pytest.raises(DataWorksUnavailable, match=what) as caught:
        await send(session, CALL)
    server.answer, server.then_close = GOOD, False

    assert caught.value.sent
    assert (await send(session, CALL)).status == 200


async def test_threads_do_not_meet_in_one_connection(server: Server, session: Session) -> None:
    """A hook may be used by several; calls that change something never share one."""
    for _ in range(2):
        replies = await asyncio.gather(*(send(session, CALL) for _ in range(4)))
        assert [reply.status for reply in replies] == [200] * 4

    assert list(map(len, server.requests)) == [1] * 8


async def test_where_nobody_listens_nothing_was_sent() -> None:
    """So that the request may be repeated at once."""
    with pytest.raises(DataWorksUnavailable, match="ConnectError") as caught:
        await send(session_with("http://127.0.0.1:1"), CALL)

    assert not caught.value.sent


async def test_looks_one_after_the_other_share_a_connection(server: Server, session: Session) -> None:
    """They change nothing, and a handshake for each would cost more than the look."""
    replies = [await send(session, LOOK) for _ in range(3)]

    assert [reply.status for reply in replies] == [200] * 3
    assert list(map(len, server.requests)) == [3]


async def test_what_follows_an_answer_is_not_taken_for_that_of_the_next_look(server: Server) -> None:
    """Though the library may have read it already: the look is made again over a new connection."""
    wrong = []
    for name, left_over in LEFT_OVER.items():
        session = session_with(f"http://127.0.0.1:{server.port}")  # type: ignore[attr-defined]
        server.answer = GOOD + left_over
        first = await send(session, LOOK)
        server.answer = GOOD.replace(b'"r"', b'"s"')
        second = await send(session, LOOK)
        if (first.body, second.body) != (b'{"RequestId":"r"}', b'{"RequestId":"s"}'):
            wrong.append((name, first.body, second.body))

    assert wrong == []


async def test_what_comes_late_behind_an_answer_is_not_taken_for_that_of_the_next_look(
    server: Server, session: Session
) -> None:
    """Such as from a gateway that answers twice."""
    await send(session, LOOK)
    server.writers[0].write(GOOD.replace(b'"r"', b'"late"'))
    await server.writers[0].drain()

    assert (await send(session, LOOK)).body == b'{"RequestId":"r"}'


async def test_a_kept_connection_that_was_closed_costs_no_look(server: Server, session: Session) -> None:
    """Servers close idle ones when they like; also right as the request arrives."""
    await send(session, LOOK)
    server.writers[0].close()
    assert (await send(session, LOOK)).status == 200
    server.hang_ups = 1
    assert (await send(session, LOOK)).status == 200

    assert server.hang_ups == 0


async def test_a_kept_connection_that_closes_right_before_it_is_used_is_opened_anew(server: Server) -> None:
    """After it was seen to be open: the library finds it closed, and the answer is waited for on the new one."""
    look = RawRequest(
        "GET",
        httpx.URL(f"http://127.0.0.1:{server.port}/"),  # type: ignore[attr-defined]
        "/",
        {"host": "127.0.0.1"},
        b"",
        {"connect": 5, "read": 5, "write": None, "pool": None},
    )
    connection = Connection(ssl.create_default_context())
    await asyncio.to_thread(connection.exchange, look)
    assert connection.can_serve_again()
    server.writers[0].close()
    await server.writers[0].wait_closed()

    assert (await asyncio.to_thread(connection.exchange, look)).status == 200
    assert [len(heard) for heard in server.requests] == [1, 1]
    connection.close()


async def test_an_answer_that_was_compressed_all_the_same_is_not_read(server: Server, session: Session) -> None:
    """We ask for none: a few bytes could unfold to gigabytes. The next call finds a connection as if nothing was."""
    body = gzip.compress(b'{"RequestId":"r"}')
    server.answer = b"HTTP/1.1 200 OK\r\ncontent-encoding: gzip\r\ncontent-length: %d\r\n\r\n" % len(body) + body

    with pytest.raises(DataWorksUnavailable, match="encoded") as caught:
        await send(session, CALL)
    server.answer = b'HTTP/1.1 200 OK\r\ncontent-length: 17\r\n\r\n{"RequestId":"r"}'

    assert caught.value.sent
    assert (await send(session, CALL)).body == b'{"RequestId":"r"}'
