"""Serves the emulator over HTTP with aiohttp; never decides what to answer."""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Callable
from concurrent.futures import Future

from aiohttp import web
from aiohttp.http_exceptions import HttpProcessingError

from .call_log import CallRecord
from .control import control, for_people
from .requests import Request
from .responses import Answer
from .service import Service
from .status_page import PREFIX, headers

# Calls to DataWorks are short; anything longer is a mistake or an attack.
LARGEST_BODY_BYTES = 1024 * 1024
# A slow answer still waiting when the emulator ends is not waited for.
SHUTDOWN_SECONDS = 0.2

OnCall = Callable[[CallRecord], None]


async def _read(request: web.Request) -> Request:
    """
    Take a request over as it arrived on the wire.

    The query is taken raw, since what was signed must not have been decoded and written anew in between. Bytes that are
    not UTF-8 are replaced; a signature over them then fails, as it should.
    """
    raw = request.raw_path.encode(errors="surrogateescape").decode(errors="replace")
    path, _, query = raw.partition("?")
    headers = tuple(
        (name, value.encode(errors="surrogateescape").decode(errors="replace"))
        for name, value in request.headers.items()
    )
    return Request(request.method, path, query, headers, await request.read())


async def _send(request: web.Request, answer: Answer) -> web.StreamResponse:
    """Send an answer the way it is to end."""
    if answer.delay:
        await asyncio.sleep(answer.delay)
    if answer.ending == "dropped":
        if request.transport is not None:
            request.transport.abort()
        return web.Response()
    if answer.ending == "whole":
        return web.Response(status=answer.status, headers=answer.headers, body=answer.body)
    response = web.StreamResponse(status=answer.status, headers=answer.headers)
    response.content_length = len(answer.body)
    await response.prepare(request)
    await response.write(answer.body[: len(answer.body) // 2])
    if request.transport is not None:
        # close, not abort: the half that was written must still arrive.
        request.transport.close()
    return response


def application(service: Service, *, allow_remote: bool, on_call: OnCall | None) -> web.Application:
    """
    Make the web application.

    :param allow_remote: whether the control endpoint answers to other machines.
    :param on_call: told of every call once its effect is done.
    """

    async def control_endpoint(request: web.Request) -> web.StreamResponse:
        asked = await _read(request)
        shown = for_people(asked, allow_remote=allow_remote)
        if shown is not None:
            return await _send(request, shown)
        status, values = control(service, asked, allow_remote=allow_remote)
        # Indented for whoever uses curl. Who asks for JSON is a program: 400 jobs cost it a third of the time.
        text = json.dumps(values, indent=None if "json" in asked.header("accept") else 2) + "\n"
        return web.Response(status=status, text=text, headers=headers("application/json"))

    async def api(request: web.Request) -> web.StreamResponse:
        asked = await _read(request)
        shown = for_people(asked, allow_remote=allow_remote)
        if shown is not None:
            return await _send(request, shown)
        answer, record = service.handle(asked)
        if on_call is not None:
            on_call(record)
        return await _send(request, answer)

    app = web.Application(client_max_size=LARGEST_BODY_BYTES)
    app.router.add_route("*", PREFIX + "{rest:.*}", control_endpoint)
    app.router.add_route("*", "/{rest:.*}", api)
    return app


async def serve(app: web.Application, host: str, port: int, listening: Future[tuple[int, Callable[[], None]]]) -> None:
    """
    Serve until told to end.

    :param port: 0 takes a free one.
    :param listening: is given the port and a function, for any thread, that ends serving; or the reason why the address
        cannot be had.
    """
    loop, end = asyncio.get_running_loop(), asyncio.Event()
    # A caller that gave up must not keep a slow answer alive.
    runner = web.AppRunner(
        app,
        access_log=None,
        logger=_logger(),
        handle_signals=False,
        handler_cancellation=True,
        shutdown_timeout=SHUTDOWN_SECONDS,
    )
    try:
        await runner.setup()
        await web.TCPSite(runner, host, port).start()
        listening.set_result((int(runner.addresses[0][1]), lambda: _tell(loop, end)))
        await end.wait()
    except Exception as error:
        # Whoever started this waits for one of the two.
        if listening.done():
            raise
        listening.set_exception(error)
    finally:
        serving = runner.server
        open_ones = _transports(serving)
        await runner.cleanup()
        # Those that came in as serving ended, and those whose caller does not read: closing waits for it without end.
        await asyncio.sleep(0)
        for transport in (*open_ones, *_transports(serving)):
            transport.abort()
        # What is aborted takes a turn of the loop to let go of its socket.
        await asyncio.sleep(0)


def _transports(serving: web.Server | None) -> list[asyncio.Transport]:
    connections = serving.connections if serving is not None else ()
    return [connection.transport for connection in connections if connection.transport is not None]


def _logger() -> logging.Logger:
    """
    Give aiohttp a logger that keeps silent about requests that are not HTTP.

    aiohttp quotes their first line, which in the older signature form holds the security token. The
    caller is told all the same.
    """
    logger = logging.getLogger(__name__)
    logger.addFilter(_is_about_us)
    return logger


def _is_about_us(record: logging.LogRecord) -> bool:
    return not (record.exc_info and isinstance(record.exc_info[1], HttpProcessingError))


def _tell(loop: asyncio.AbstractEventLoop, end: asyncio.Event) -> None:
    loop.call_soon_threadsafe(end.set)
