"""A hunt for secrets: whatever happens, no log line, error or restored error holds the secret or the token."""

from __future__ import annotations

import json
import logging
import pickle
import threading
import traceback
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qsl, quote, quote_plus

import httpx
import pytest
from fake_dataworks import JOB, SECRET, START, TOKEN, Drive, FakeDataWorks, Fault, answer, lose, refuse

from airflow_provider_dataworks.client import state_change
from airflow_provider_dataworks.client.auth import signing
from airflow_provider_dataworks.client.auth.cache import CredentialCache
from airflow_provider_dataworks.client.auth.credentials import Credentials, StaticCredentials
from airflow_provider_dataworks.client.auth.signing import SIGNATURES
from airflow_provider_dataworks.client.config import API_2024, API_VERSIONS
from airflow_provider_dataworks.client.models import ChangeRequest
from airflow_provider_dataworks.exceptions import DataWorksError, DataWorksInvalidRequest


class Hangup(Exception):
    """Makes the server close the connection without an answer."""


def escaped(text: str, form: str) -> str:
    """Spell every character that is no letter or digit in some escape."""
    return "".join(char if char.isalnum() else form.format(ord(char)) for char in text)


SPELLINGS: dict[str, Callable[[str], str]] = {
    "plain": str,
    "percent-encoded": lambda text: quote(text, safe="~"),
    "percent-encoded in lower case": lambda text: escaped(text, "%{:02x}"),
    "form-encoded": quote_plus,
    "percent-encoded twice": lambda text: quote(quote(text, safe="~"), safe="~"),
    "escaped slashes": lambda text: text.replace("/", "\\/"),
    "escaped for JSON": lambda text: escaped(text, "\\u{:04x}"),
    "escaped for JSON in capitals": lambda text: escaped(text, "\\u{:04X}"),
    "escaped for JSON where HTML asks for it": lambda text: text.replace("=", "\\u003d").replace("+", "\\u002b"),
    "escaped for XML": lambda text: escaped(text, "&#x{:x};"),
    "escaped for XML by numbers": lambda text: escaped(text, "&#{};"),
}
NEEDLES = {spell(secret) for spell in SPELLINGS.values() for secret in (SECRET, TOKEN)}


def assert_nothing_leaks(where: str, text: str) -> None:
    """No spelling of secret or token is in the text."""
    for needle in NEEDLES:
        assert needle not in text, f"{where}: ...{text[max(0, text.index(needle) - 80) :][:300]}"


def assert_error_is_clean(error: BaseException) -> None:
    """Neither its texts, nor its whole traceback, nor what another process gets of it holds a secret."""
    assert_nothing_leaks("str", str(error))
    assert_nothing_leaks("repr", repr(error))
    assert_nothing_leaks("facts", repr(vars(error)))
    assert_nothing_leaks("traceback", "".join(traceback.format_exception(error)))
    restored = pickle.loads(pickle.dumps(error))  # noqa: S301 - made on this line
    assert_nothing_leaks("restored", f"{restored} {restored!r} {vars(restored)!r}")


def assert_log_is_clean(caplog: pytest.LogCaptureFixture) -> None:
    """No line of anybody's, and no argument of one, holds a secret."""
    assert caplog.records
    assert_nothing_leaks("log", caplog.text)
    for record in caplog.records:
        assert_nothing_leaks("log line", record.getMessage())
        assert_nothing_leaks("log arguments", repr(record.args))


@pytest.fixture
def served(drive: Drive) -> Iterator[Drive]:
    """The fake service behind a real socket of this machine, so that the HTTP library logs all it ever logs."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True

        def do_GET(self) -> None:
            body = self.rfile.read(int(self.headers.get("content-length", 0)))
            request = httpx.Request(
                self.command,
                f"http://{self.headers['host']}/",
                headers=list(self.headers.items()),
                content=body,
                extensions={"target": self.path.encode()},
            )
            try:
                response = drive.dataworks.handler(request)
            except Hangup as hangup:
                self.wfile.write(str(hangup).encode())
                self.close_connection = True
                return
            self.send_response_only(response.status_code)
            for name, value in response.headers.items():
                if name not in ("content-length", "transfer-encoding"):
                    self.send_header(name, value)
            self.send_header("content-length", str(len(response.content)))
            self.end_headers()
            self.wfile.write(response.content)

        do_POST = do_GET  # noqa: N815 - http.server's name

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    drive.local = f"http://127.0.0.1:{server.server_port}"  # type: ignore[attr-defined]
    yield drive
    server.shutdown()
    server.server_close()
    thread.join()


def whole_request(request: httpx.Request) -> str:
    """Everything that came, as a careless proxy shows it on its error page."""
    target = request.extensions["target"].decode()
    headers = "\n".join(f"{name}: {value}" for name, value in request.headers.items())
    return f"{request.method} {target}\n{headers}\n\n{request.content.decode()}"


def string_to_sign(request: httpx.Request) -> str:
    """What the service says it signed: with the token in it, in both signatures."""
    query = dict(parse_qsl(request.extensions["target"].decode().partition("?")[2]))
    if "Signature" in query:
        return signing.rpc_string_to_sign(request.method, query)
    lines, names = signing.canonical_headers(request.headers)
    return f"{request.method}\n/\n{lines}\n{names}"


def mismatch(request: httpx.Request, serve: Any) -> httpx.Response:
    """Refuse the signature as the service does, echoing the string to sign."""
    message = (
        f"Specified signature is not matched with our calculation. server string to sign is:{string_to_sign(request)}"
    )
    return refuse("SignatureDoesNotMatch", 400, message)(request, serve)


def other_code_with_echo(request: httpx.Request, serve: Any) -> httpx.Response:
    """Echo the whole request under a code of which nothing special is known."""
    return refuse("SomethingElse", 400, f"cannot serve {whole_request(request)}")(request, serve)


def error_page(request: httpx.Request, serve: Any) -> httpx.Response:
    """A gateway's page with the whole request in it."""
    page = f"<html><body>Bad request: {whole_request(request)}</body></html>"
    return httpx.Response(502, content=page.encode(), headers={"content-type": "text/html"})


def redirect(request: httpx.Request, serve: Any) -> httpx.Response:
    """Send the caller elsewhere, with the query in the new address."""
    return httpx.Response(307, headers={"location": f"https://evil.example{request.extensions['target'].decode()}"})


def hang_up(request: httpx.Request, serve: Any) -> httpx.Response:
    """Close the connection."""
    raise Hangup("")


def hang_up_with_echo(request: httpx.Request, serve: Any) -> httpx.Response:
    """Answer with the request itself, which is no HTTP answer."""
    raise Hangup(whole_request(request) + "\r\n\r\n")


def hang_up_after_effect(request: httpx.Request, serve: Any) -> httpx.Response:
    """Stop the job, then close the connection."""
    serve()
    raise Hangup("")


SCENARIOS: dict[str, Fault | None] = {
    "success": None,
    "throttled": refuse("Throttling.User", 429, "slow", {"retry-after": "3600"}),
    "SignatureDoesNotMatch": mismatch,
    "another code that echoes": other_code_with_echo,
    "error page that echoes": error_page,
    "connection lost": hang_up,
    "connection lost after the effect": hang_up_after_effect,
    "wrong clock": refuse("InvalidTimeStamp.Expired", 400, "expired."),
    "no permission": refuse("Forbidden.RAM", 403, "no"),
    "redirect": redirect,
}


def stop_for_real(drive: Drive, fault: Fault | None, version: str, signature: str) -> DataWorksError | None:
    """Stop the job over the socket, with temporary keys; what went wrong, if anything."""
    dataworks = FakeDataWorks(drive.clock, version=version)
    dataworks.script("StopDIJob", *([fault] if fault else []))
    if fault is not None and fault is not hang_up_after_effect:
        dataworks.script("StopDIJob", forever=fault)
    drive.use(
        dataworks=dataworks,
        token=TOKEN,
        transport=False,
        endpoint=drive.local,  # type: ignore[attr-defined]
        signature=signature,
    )
    try:
        state_change.stop(drive.client, ChangeRequest(JOB, START + 600, 30))
    except DataWorksError as error:
        return error
    return None


@pytest.mark.parametrize("scenario", SCENARIOS)
@pytest.mark.parametrize("signature", SIGNATURES)
@pytest.mark.parametrize("version", API_VERSIONS)
def test_no_secret_is_ever_shown(
    served: Drive, version: str, signature: str, scenario: str, caplog: pytest.LogCaptureFixture
):
    """Log lines at DEBUG of everybody, and errors in all their forms, hold neither secret nor token."""
    fault = SCENARIOS[scenario]
    with caplog.at_level(logging.DEBUG):
        error = stop_for_real(served, fault, version, signature)

    assert (error is None) is (fault is None or fault is hang_up_after_effect)
    assert "httpcore" in {record.name.partition(".")[0] for record in caplog.records}
    if scenario != "redirect":
        assert_log_is_clean(caplog)
    else:
        # What the HTTP library logs of an answer's headers at DEBUG is the server's text, and not ours to change.
        own = [record.getMessage() for record in caplog.records if not record.name.startswith("httpcore")]
        assert_nothing_leaks("log", "\n".join(own))
    if error is not None:
        assert_error_is_clean(error)


@pytest.mark.parametrize("signature", SIGNATURES)
def test_an_answer_that_is_our_own_request_shows_no_secret(served: Drive, signature: str):
    """A peer that sends back the request line breaks the protocol; the error must not quote it."""
    error = stop_for_real(served, hang_up_with_echo, API_2024, signature)

    assert error is not None
    assert_error_is_clean(error)


@pytest.mark.parametrize("spelling", SPELLINGS)
@pytest.mark.parametrize("kind", ["json", "xml"])
@pytest.mark.parametrize("secret", [SECRET, TOKEN], ids=["secret", "token"])
def test_no_spelling_of_a_secret_gets_through(drive: Drive, secret: str, kind: str, spelling: str):
    """Services escape what they echo in many ways; after decoding, none of them brings a secret back."""
    spelled = SPELLINGS[spelling](secret)
    if kind == "json":
        spelled = spelled if "JSON" in spelling or "slashes" in spelling else json.dumps(spelled)[1:-1]
        body = f'{{"Code": "InvalidSecurityToken.Malformed", "Message": "bad token {spelled} given"}}'
    else:
        body = f"<Error><Code>InvalidSecurityToken.Malformed</Code><Message>bad token {spelled} given</Message></Error>"
    drive.use(token=TOKEN)
    drive.dataworks.script("GetDIJob", answer(400, body))
    with pytest.raises(DataWorksError) as caught:
        drive.client.get_di_job(JOB)

    assert caught.value.code == "InvalidSecurityToken.Malformed"
    assert_error_is_clean(caught.value)


@pytest.mark.parametrize("kind", [httpx.RemoteProtocolError, httpx.LocalProtocolError, httpx.ConnectError])
@pytest.mark.parametrize("signature", SIGNATURES)
def test_errors_of_the_http_library_show_no_secret(drive: Drive, signature: str, kind: type[Exception]):
    """Its texts may quote what was sent or received."""
    drive.use(token=TOKEN, signature=signature)
    text = f"illegal status line: bytearray(b'GET /?SecurityToken={quote(TOKEN, safe='~')}&x={TOKEN}')"
    drive.dataworks.script("GetDIJob", forever=lose(kind(text)))
    with pytest.raises(DataWorksError) as caught:
        drive.client.get_di_job(JOB)

    assert kind.__name__ in str(caught.value)
    assert_error_is_clean(caught.value)


@pytest.mark.parametrize("field", ["access_key_id", "access_key_secret", "security_token"])
@pytest.mark.parametrize("end", ["\n", "\r\n", "\x00", "\u200b", "中"], ids=ascii)
def test_keys_that_cannot_be_sent_are_refused_without_showing_them(field: str, end: str):
    """A line end pasted along would end up, with the token, in an error of the HTTP library."""
    given = {"access_key_id": "LTAI5tInvented", "access_key_secret": SECRET, "security_token": TOKEN}
    given[field] += end
    with pytest.raises(DataWorksInvalidRequest, match=f"^{field}: ") as caught:
        Credentials(**given)

    assert_error_is_clean(caught.value)


def test_nothing_that_holds_keys_prints_them(drive: Drive):
    """Clients, settings and credentials may be printed by anybody."""
    drive.use(token=TOKEN)
    keys = Credentials("LTAI5tInvented", SECRET, TOKEN)
    cache = CredentialCache(StaticCredentials(keys), drive.clock)

    for thing in (keys, StaticCredentials(keys), cache, cache.get(), drive.session, drive.client, drive.config):
        assert_nothing_leaks(type(thing).__name__, repr(thing))
        assert_nothing_leaks(type(thing).__name__, str(thing))


@pytest.mark.parametrize("signature", SIGNATURES)
def test_requests_print_without_secrets(drive: Drive, signature: str):
    """A request or answer that shows up in somebody's log line holds only the address."""
    drive.use(token=TOKEN, signature=signature)
    drive.client.get_di_job(JOB)
    request = drive.dataworks.heard[0].request

    assert_nothing_leaks("request", f"{request!r} {request.url} {request.url!r}")


def test_a_short_secret_does_not_blank_out_everything(drive: Drive):
    """Emulators have toy keys; an answer is not torn to pieces because of them."""
    drive.use(source=StaticCredentials(Credentials("id", "a", "u")))

    assert drive.client.get_di_job(JOB).name == "mysql_to_holo"
