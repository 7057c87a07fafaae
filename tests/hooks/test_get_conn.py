"""The client for an author's own calls: signed as given, usable as long as it is held, and bounded like ours."""

from __future__ import annotations

import gc
import gzip
import importlib
import json
import re
import time
from collections.abc import Callable, Iterator
from typing import Any
from urllib.parse import parse_qsl

import httpx
import pytest
from airflow_limits import needs_vendor_sdk
from emulated import JOB, SECURITY_TOKEN, Clock, on_clock
from raw_server import raw_server

from airflow_provider_dataworks.emulator import Emulator
from airflow_provider_dataworks.exceptions import DataWorksInvalidRequest
from airflow_provider_dataworks.hooks.dataworks import DataWorksHook

SIGNATURES = pytest.mark.parametrize("signature", ["ACS3-HMAC-SHA256", "HMAC-SHA1"])
SECRET = "authors-secret"
LIST = {"x-acs-action": "ListProjects"}


@pytest.fixture
def to(monkeypatch: pytest.MonkeyPatch) -> Callable[..., DataWorksHook]:
    """Make a connection to a port of this machine, and a hook of it."""

    def make(port: int, **extra: Any) -> DataWorksHook:
        found = {"conn_type": "dataworks", "host": f"http://127.0.0.1:{port}", "login": "LTAIauthor"}
        found |= {"password": SECRET, "extra": {"max_qps": 1000, **extra}}
        monkeypatch.setenv("AIRFLOW_CONN_DATAWORKS_DEFAULT", json.dumps(found))
        return DataWorksHook()

    return make


def test_it_outlives_its_hook(connect: Callable[..., None], clock: Clock) -> None:
    """Nobody holds the hook."""
    client = on_clock(DataWorksHook(), clock).get_conn()
    gc.collect()

    assert client.post("/", headers=LIST).status_code == 200
    assert on_clock(DataWorksHook(), clock).get_conn().post("/", headers=LIST).status_code == 200
    client.close()


def test_each_call_gives_a_client_of_its_own(hook: DataWorksHook) -> None:
    """So that whoever closes one closes nobody else's."""
    held = hook.get_conn()
    for _ in range(3):
        with hook.get_conn() as client:
            assert client.post("/", headers=LIST).status_code == 200
            assert client.post("/", headers=LIST).status_code == 200
        assert client.is_closed

    assert held.post("/", headers=LIST).status_code == 200
    assert hook.get_di_job(JOB).id == JOB


class Name(str):
    """A name that may stand in a dict several times, since the vendor's signer takes nothing but a dict."""

    __slots__ = ()
    __hash__ = object.__hash__

    def __eq__(self, other: object) -> bool:
        return self is other


def pairs_of(text: str) -> list[tuple[str, str]]:
    """Decode a query or form as it came."""
    return parse_qsl(text, keep_blank_values=True)


GIVEN = {"Ids": [3, 1, 2], "Name": "a b&c*~é", "Empty": ""}
FLAT = [("Ids", "3"), ("Ids", "1"), ("Ids", "2"), ("Name", "a b&c*~é"), ("Empty", "")]


@SIGNATURES
@needs_vendor_sdk
@pytest.mark.parametrize("place", ["query", "form"])
@pytest.mark.parametrize("token", [None, SECURITY_TOKEN], ids=["key", "token"])
def test_repeated_parameters_are_sent_as_given_and_signed_as_the_vendors_signer_does(
    to: Callable[..., DataWorksHook], signature: str, place: str, token: str | None
) -> None:
    """In their order, in the query as in a form."""
    heard: list[bytes] = []

    def answer(request: bytes) -> Iterator[bytes]:
        heard.append(request)
        yield b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}"

    with raw_server(answer) as port, to(port, signature=signature, security_token=token).get_conn() as client:
        where = {"params": GIVEN} if place == "query" else {"data": {**GIVEN, "Ids": ["3", "1", "2"]}}
        client.post("/", headers={"x-acs-action": "ListThings"}, **where)  # type: ignore[arg-type]

    head, _, body = heard[0].decode().partition("\r\n\r\n")
    target = head.split(" ")[1]
    headers = {n.lower(): v.strip() for n, _, v in (line.partition(":") for line in head.split("\r\n")[1:])}
    query, form = pairs_of(target.partition("?")[2]), pairs_of(body)
    sent = query if place == "query" else form
    assert [value for name, value in sent if name == "Ids"] == ["3", "1", "2"]
    assert sorted(pair for pair in sent if pair[0] in GIVEN) == sorted(FLAT)
    utils = importlib.import_module("alibabacloud_tea_openapi.utils").Utils
    if signature == "HMAC-SHA1":
        signed = {Name(name): value for name, value in (*query, *form) if name != "Signature"}
        assert dict(query)["Signature"] == utils.get_rpcsignature(signed, "POST", SECRET)
        assert dict(query).get("SecurityToken") == token
        return
    request = importlib.import_module("darabonba.request").DaraRequest()
    names = headers["authorization"].partition("SignedHeaders=")[2].partition(",")[0].split(";")
    request.method, request.pathname = "POST", "/"
    request.query = {Name(name): value for name, value in query}
    request.headers = {name: headers[name] for name in names}
    payload_hash = utils.hex_encode(utils.hash(body.encode(), signature))
    assert headers["authorization"] == utils.get_authorization(request, signature, payload_hash, "LTAIauthor", SECRET)
    assert headers.get("x-acs-security-token") == token


@pytest.mark.parametrize("coding", ["gzip", "deflate", "br", "gzip, gzip"])
def test_an_encoded_answer_is_refused(to: Callable[..., DataWorksHook], coding: str) -> None:
    """None is asked for, whatever the author wants: a few bytes may unfold to gigabytes."""
    heard: list[bytes] = []
    body = gzip.compress(b"{}")

    def answer(request: bytes) -> Iterator[bytes]:
        heard.append(request)
        yield f"HTTP/1.1 200 OK\r\nContent-Encoding: {coding}\r\nContent-Length: {len(body)}\r\n\r\n".encode() + body

    with (
        raw_server(answer) as port,
        to(port).get_conn() as client,
        pytest.raises(httpx.DecodingError, match="which was not asked for"),
    ):
        client.post("/", headers={**LIST, "accept-encoding": "gzip"})

    assert re.findall(rb"(?i)accept-encoding: *([^\r]*)", heard[0]) == [b"identity"]


def test_an_endless_answer_is_given_up(to: Callable[..., DataWorksHook]) -> None:
    """Too large is told as such, and too slow as a time-out, whatever limits the author sets."""

    def large(request: bytes) -> Iterator[bytes]:
        yield b"HTTP/1.1 200 OK\r\n\r\n"
        while True:
            yield b" " * 65536

    def slow(request: bytes) -> Iterator[bytes]:
        yield b"HTTP/1.1 200 OK\r\nX-A: "
        until = time.monotonic() + 3
        while time.monotonic() < until:
            time.sleep(0.02)
            yield b"a"

    with raw_server(large) as port, pytest.raises(httpx.DecodingError, match="larger than"):
        to(port).get_conn().post("/", headers=LIST)
    begun = time.monotonic()
    with raw_server(slow) as port, pytest.raises(httpx.ReadTimeout):
        to(port, connect_timeout=0.1, read_timeout=0.1).get_conn().post("/", headers=LIST, timeout=None)
    assert time.monotonic() - begun < 2


@SIGNATURES
def test_an_error_of_the_library_shows_no_secret(to: Callable[..., DataWorksHook], signature: str) -> None:
    """A peer that sends back the request is no HTTP, and the library quotes it."""

    def echo(request: bytes) -> Iterator[bytes]:
        yield request

    hook = to(1, signature=signature, security_token=SECURITY_TOKEN)
    with raw_server(echo) as port:
        hook = to(port, signature=signature, security_token=SECURITY_TOKEN)
        with pytest.raises(httpx.TransportError) as caught:
            hook.get_conn().get("/", headers=LIST)

    for text in (
        str(caught.value),
        repr(caught.value),
        str(caught.value.request.url),
        repr(caught.value.request.headers),
    ):
        assert SECURITY_TOKEN not in text
        assert "token%2Bwith" not in text


@pytest.mark.parametrize("url", ["http://127.0.0.1:{other}/", "https://evil.example/"])
def test_no_other_host_gets_a_signature(
    hook: DataWorksHook, emulator: Emulator, connect: Callable[..., None], url: str
) -> None:
    """Not even if the author asks for it."""
    with (
        raw_server(lambda request: pytest.fail("asked")) as port,
        hook.get_conn() as client,
        pytest.raises(DataWorksInvalidRequest, match=r"^url: is not at the connection's endpoint"),
    ):
        client.get(url.format(other=port), headers=LIST)

    assert emulator.count() == 0


def test_a_redirect_to_another_host_is_not_followed(to: Callable[..., DataWorksHook]) -> None:
    """Also where the author wants redirects to be followed."""

    def redirect(request: bytes) -> Iterator[bytes]:
        yield b"HTTP/1.1 307 Away\r\nLocation: http://127.0.0.2:1/\r\nContent-Length: 0\r\n\r\n"

    with raw_server(redirect) as port, to(port).get_conn() as client:
        assert client.post("/", headers=LIST).status_code == 307
        with pytest.raises(DataWorksInvalidRequest, match=r"^url: "):
            client.post("/", headers=LIST, follow_redirects=True)


def test_a_parameter_given_twice_is_not_dropped_on_its_way(hook: DataWorksHook) -> None:
    """The emulator, which takes none twice, says so, and that the signature was good."""
    answer = hook.get_conn().get("/", headers={"x-acs-action": "ListProjects"}, params={"PageSize": [1, 2]})

    assert (answer.status_code, "more than once" in answer.text) == (400, True)
