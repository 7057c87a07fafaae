"""Virtual time: what is under way is waited for, what sleeps is not; with sockets and threads, as triggers have."""

from __future__ import annotations

import asyncio
import queue
import threading
import time
import urllib.request
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from campaign.clock import CLOCK, Stuck, run_virtually, virtual_time
from campaign.endpoint import Answer, Endpoint, Request

HOUR = 3600.0
_real_sleep = time.sleep


@pytest.fixture(scope="module")
def endpoint() -> Endpoint:
    """An endpoint that takes a little real time for each answer."""
    found = Endpoint()

    def answer(request: Request) -> Answer:
        _real_sleep(0.02)
        return Answer(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok", close=True)

    found.answer = answer
    return found


def passed_during(work: Any, endpoint: Endpoint) -> tuple[Any, float]:
    """Run a coroutine; return its result and how much virtual time passed."""
    with virtual_time():
        CLOCK.begin(1_795_000_000.0)
        return run_virtually(work, endpoint), CLOCK.elapsed


def fetched(port: int) -> bytes:
    """Ask the endpoint, blocking."""
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/") as answer:
        return bytes(answer.read())


def test_an_answer_on_its_way_is_not_overtaken_by_a_timer(endpoint: Endpoint) -> None:
    """A time limit of a hour does not end while the endpoint works."""

    async def work() -> bytes:
        async with asyncio.timeout(HOUR):
            reader, writer = await asyncio.open_connection("127.0.0.1", endpoint.port)
            writer.write(b"GET / HTTP/1.1\r\nHost: here\r\n\r\n")
            found = await reader.read()
            writer.close()
            return found

    for _ in range(20):
        found, seconds = passed_during(work(), endpoint)
        assert found.endswith(b"ok")
        assert seconds == 0


def test_a_loop_that_only_sleeps_jumps(endpoint: Endpoint) -> None:
    """Hours take no time."""

    async def work() -> None:
        await asyncio.gather(*(asyncio.sleep(hours * HOUR) for hours in range(1, 20)))

    _, seconds = passed_during(work(), endpoint)
    assert seconds == pytest.approx(19 * HOUR)


@pytest.mark.parametrize("own", [False, True])
def test_a_thread_that_works_is_waited_for(endpoint: Endpoint, own: bool) -> None:
    """Of the loop's executor or of one of its own: the clock stands still while it asks."""
    pool = ThreadPoolExecutor(2)

    async def work() -> bytes:
        async with asyncio.timeout(HOUR):
            if own:
                return await asyncio.wrap_future(pool.submit(fetched, endpoint.port))
            return await asyncio.to_thread(fetched, endpoint.port)

    try:
        for _ in range(10):
            found, seconds = passed_during(work(), endpoint)
            assert (found, seconds) == (b"ok", 0)
    finally:
        pool.shutdown()


def test_a_thread_of_its_own_with_a_queue_is_waited_for(endpoint: Endpoint) -> None:
    """As a watcher may hand its calls to a few threads that live as long as it."""
    asked: queue.Queue[Any] = queue.Queue()

    def serve() -> None:
        while (job := asked.get()) is not None:
            loop, future = job
            found = fetched(endpoint.port)
            loop.call_soon_threadsafe(future.set_result, found)

    thread = threading.Thread(target=serve)
    thread.start()

    async def work() -> list[bytes]:
        found = []
        for _ in range(10):
            loop = asyncio.get_running_loop()
            future = loop.create_future()
            asked.put((loop, future))
            async with asyncio.timeout(HOUR):
                found.append(await future)
        return found

    try:
        found, seconds = passed_during(work(), endpoint)
        assert (found, seconds) == ([b"ok"] * 10, 0)
    finally:
        asked.put(None)
        thread.join()


def test_a_thread_that_sleeps_and_the_loop_have_one_time(endpoint: Endpoint) -> None:
    """Both sleep beside each other, not one after the other."""

    async def work() -> list[float]:
        async def in_the_loop() -> float:
            await asyncio.sleep(2 * HOUR)
            return CLOCK.elapsed

        def in_a_thread() -> float:
            time.sleep(HOUR)
            return CLOCK.elapsed

        return list(await asyncio.gather(in_the_loop(), asyncio.to_thread(in_a_thread)))

    found, seconds = passed_during(work(), endpoint)
    assert found == pytest.approx([2 * HOUR, HOUR], abs=0.01)
    assert seconds == pytest.approx(2 * HOUR, abs=0.01)


def test_a_loop_that_nothing_will_wake_says_so(endpoint: Endpoint) -> None:
    """Instead of hanging for ever."""

    async def work() -> None:
        await asyncio.get_running_loop().create_future()

    with pytest.raises(Stuck):
        passed_during(work(), endpoint)


def test_the_real_time_is_back_afterwards(endpoint: Endpoint) -> None:
    """Other tests live by it."""
    before = time.time, time.monotonic, time.sleep
    with virtual_time():
        assert time.time() == CLOCK.epoch

    assert (time.time, time.monotonic, time.sleep) == before
