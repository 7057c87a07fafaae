"""One exchange has an end, however slowly a server goes on sending."""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest
from fake_dataworks import JOB, Drive
from raw_server import raw_server

from airflow_provider_dataworks.exceptions import DataWorksUnavailable

CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n"


def dripped(request: bytes) -> Iterator[bytes]:
    """A head that never ends."""
    yield b"HTTP/1.1 200 OK\r\nX-A: "
    while True:
        time.sleep(0.02)
        yield b"a"


def interim(request: bytes) -> Iterator[bytes]:
    """An endless row of 1xx."""
    while True:
        time.sleep(0.02)
        yield b"HTTP/1.1 102 Processing\r\n\r\n"


def body(request: bytes) -> Iterator[bytes]:
    """A body that never ends."""
    yield b"HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n"
    while True:
        time.sleep(0.02)
        yield b" "


def trailers(request: bytes) -> Iterator[bytes]:
    """Trailers that never end."""
    yield CHUNKED
    yield b"0\r\nX-A: "
    while True:
        time.sleep(0.02)
        yield b"a"


@pytest.mark.parametrize("respond", [dripped, interim, body, trailers], ids=lambda respond: respond.__name__)
def test_an_answer_that_drips_is_given_up(drive: Drive, respond) -> None:
    """Heads, interim answers and trailers too; the request may have had its effect."""
    with raw_server(_for_two_seconds(respond)) as port:
        limits = {"connect_timeout": 0.1, "read_timeout": 0.1}
        drive.use(endpoint=f"http://127.0.0.1:{port}", transport=False, patience=0, **limits)
        begun = time.monotonic()
        with pytest.raises(DataWorksUnavailable) as caught:
            drive.client.stop_di_job(JOB)
        took = time.monotonic() - begun

    assert caught.value.sent
    assert took < 1.5


def _for_two_seconds(respond):
    # A test that fails must end too.
    def some(request: bytes) -> Iterator[bytes]:
        until = time.monotonic() + 2
        for piece in respond(request):
            yield piece
            if time.monotonic() > until:
                return

    return some
