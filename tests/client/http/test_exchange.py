"""Each call has a connection of its own, in an event loop and out of it: what one leaves behind meets no other."""

from __future__ import annotations

import asyncio
import gzip
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from airflow_provider_dataworks.client.asking import Send
from airflow_provider_dataworks.client.auth.credentials import Credentials, StaticCredentials
from airflow_provider_dataworks.client.auth.signer import Signer
from airflow_provider_dataworks.client.config import ClientConfig
from airflow_provider_dataworks.client.http.decoding import Reply
from airflow_provider_dataworks.client.http.session import AsyncSession, Session
from airflow_provider_dataworks.client.operations import APIS
from airflow_provider_dataworks.exceptions import DataWorksUnavailable

CALL = APIS["2020-05-18"].StopDIJob(7)
GOOD = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 17\r\n\r\n" + b'{"RequestId":"r"}'


class Server:
    """A server that does as it is told, and remembers its connections and the requests on each."""

    def __init__(self) -> None:
        self.answer: bytes | None = GOOD
        self.then_close = False
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


def session_with(endpoint: str) -> AsyncSession:
    """Make a session; whoever made it closes it."""
    settings = ClientConfig(endpoint, read_timeout=5)
    return AsyncSession(settings, Signer(settings.signature, StaticCredentials(Credentials("LTAIexample", "secret"))))


class Blocking:
    """A blocking session, in threads, so that the tests can ask it as they ask the other."""

    def __init__(self, endpoint: str) -> None:
        settings = ClientConfig(endpoint, read_timeout=5)
        keys = StaticCredentials(Credentials("LTAIexample", "secret"))
        self._session = Session(settings, Signer(settings.signature, keys))

    async def exchange(self, send: Send) -> Reply:
        """Send one call."""
        return await asyncio.to_thread(self._session.exchange, send)

    async def close(self) -> None:
        """Do nothing; see the other kind."""


@pytest_asyncio.fixture(params=[session_with, Blocking], ids=["asyncio", "blocking"])
async def either(server: Server, request: pytest.FixtureRequest) -> AsyncIterator[AsyncSession | Blocking]:
    """A session of either kind with that server."""
    opened = request.param(f"http://127.0.0.1:{server.port}")  # type: ignore[attr-defined]
    yield opened
    await opened.close()


@pytest_asyncio.fixture
async def session(server: Server) -> AsyncIterator[AsyncSession]:
    """A session of the event loop with that server."""
    opened = session_with(f"http://127.0.0.1:{server.port}")  # type: ignore[attr-defined]
    yield opened
    await opened.close()


async def test_each_call_has_a_connection_of_its_own(server: Server, either: AsyncSession | Blocking) -> None:
    """With the path and the body that were signed; it is closed behind the answer."""
    replies = [await either.exchange(Send(CALL)) for _ in range(3)]

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
    server: Server, either: AsyncSession | Blocking, left_over: str
) -> None:
    """In the same piece as the answer, such as from a gateway that answers twice."""
    server.answer = GOOD + LEFT_OVER[left_over]

    replies = [await either.exchange(Send(CALL)) for _ in range(3)]

    assert [(reply.status, reply.body) for reply in replies] == [(200, b'{"RequestId":"r"}')] * 3


async def test_in_an_event_loop_no_more_than_sixty_four_go_at_once(server: Server, session: AsyncSession) -> None:
    """More wait for one to end."""
    replies = await asyncio.gather(*(session.exchange(Send(CALL)) for _ in range(100)))

    assert len(replies) == 100
    assert server.most_at_once <= 64


async def test_a_call_that_was_cancelled_leaves_nothing_behind(server: Server, session: AsyncSession) -> None:
    """Its answer must not be taken for that of the next one."""
    server.answer = None
    call = asyncio.create_task(session.exchange(Send(CALL)))
    await server.asked.wait()
    call.cancel()
    with pytest.raises(asyncio.CancelledError):
        await call
    server.answer = GOOD

    assert (await session.exchange(Send(CALL))).status == 200
    assert list(map(len, server.requests)) == [1, 1]


@pytest.mark.parametrize(
    ("answer", "what"),
    [(b"", "RemoteProtocolError"), (GOOD[:-4], "RemoteProtocolError"), (b"HELO\r\n\r\n", "RemoteProtocolError")],
    ids=["closed", "half", "garbage"],
)
async def test_a_lost_answer_says_that_the_request_may_have_arrived(
    server: Server, either: AsyncSession | Blocking, answer: bytes, what: str
) -> None:
    """And the next call has a new connection."""
    server.answer, server.then_close = answer, True
    with pytest.raises(DataWorksUnavailable, match=what) as caught:
        await either.exchange(Send(CALL))
    server.answer, server.then_close = GOOD, False

    assert caught.value.sent
    assert (await either.exchange(Send(CALL))).status == 200


async def test_threads_do_not_meet_in_one_connection(server: Server) -> None:
    """A hook may be used by several; each takes a connection of its own, and leaves it to whoever comes next."""
    blocking = Blocking(f"http://127.0.0.1:{server.port}")  # type: ignore[attr-defined]
    for _ in range(2):
        replies = await asyncio.gather(*(blocking.exchange(Send(CALL)) for _ in range(4)))
        assert [reply.status for reply in replies] == [200] * 4
    await blocking.close()

    assert list(map(len, server.requests)) == [1] * 8


async def test_where_nobody_listens_nothing_was_sent() -> None:
    """So that the request may be repeated at once."""
    nowhere = session_with("http://127.0.0.1:1")
    with pytest.raises(DataWorksUnavailable, match="ConnectError") as caught:
        await nowhere.exchange(Send(CALL))
    await nowhere.close()

    assert not caught.value.sent


async def test_an_answer_that_was_compressed_all_the_same_is_not_read(
    server: Server, either: AsyncSession | Blocking
) -> None:
    """We ask for none: a few bytes could unfold to gigabytes. The next call finds a connection as if nothing was."""
    body = gzip.compress(b'{"RequestId":"r"}')
    server.answer = b"HTTP/1.1 200 OK\r\ncontent-encoding: gzip\r\ncontent-length: %d\r\n\r\n" % len(body) + body

    with pytest.raises(DataWorksUnavailable, match="encoded") as caught:
        await either.exchange(Send(CALL))
    server.answer = b'HTTP/1.1 200 OK\r\ncontent-length: 17\r\n\r\n{"RequestId":"r"}'

    assert caught.value.sent
    assert (await either.exchange(Send(CALL))).body == b'{"RequestId":"r"}'
