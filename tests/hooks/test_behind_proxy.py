"""Calls through a strict proxy with TLS behind it: it sees host and port and nothing else, and neither do logs."""

from __future__ import annotations

import asyncio
import base64
import json
import logging
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlsplit

import pytest
from certificates import Authority
from emulated import JOB, SECURITY_TOKEN, Clock, emulator, in_triggerer, logged, on_clock
from emulated import real_clock as clock
from issuer import BASE_KEY, BASE_SECRET, OIDC_ROLE, OIDC_TOKEN, PROVIDER, ROLE, Issuer, serving
from strict_proxy import StrictProxy, strict_proxy

from airflow_provider_dataworks.emulator import Emulator
from airflow_provider_dataworks.exceptions import DataWorksInvalidRequest, DataWorksUnavailable
from airflow_provider_dataworks.hooks.dataworks import DataWorksHook
from airflow_provider_dataworks.triggers.dataworks import DIJobStatusTrigger
from airflow_provider_dataworks.version_compat import AirflowFailException

__all__ = ["clock", "emulator", "logged"]

HOST, STS, URI = "dataworks.test", "sts.test", "keys.test"
SECRET = "hunted/secret+with=specials"
IN_URI = "path-that-is-secret"
SIGNATURES = pytest.mark.parametrize("signature", ["ACS3-HMAC-SHA256", "HMAC-SHA1"])


@pytest.fixture(autouse=True)
def no_proxy_of_the_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    """Take out what the machine's own environment says."""
    for name in ("http_proxy", "https_proxy", "all_proxy", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    """Make an authority that only the connection's ca_file trusts."""
    return Authority(tmp_path)


@pytest.fixture
def issuer(emulator: Emulator) -> Iterator[Issuer]:
    """All that hands out keys, which the emulator then takes."""
    with serving(Issuer()) as found:
        found.on_issue = emulator.add_access_key
        yield found


@pytest.fixture
def proxy(
    emulator: Emulator, issuer: Issuer, authority: Authority, monkeypatch: pytest.MonkeyPatch
) -> Iterator[StrictProxy]:
    """Put the emulator, STS and a credentials URI behind a proxy; their names exist nowhere else."""
    ports = {HOST: urlsplit(emulator.url).port, STS: urlsplit(issuer.address).port, URI: urlsplit(issuer.address).port}
    with strict_proxy(authority, ports) as running:
        monkeypatch.setenv("HTTPS_PROXY", f"http://127.0.0.1:{running.port}")
        yield running


@pytest.fixture
def connect(emulator: Emulator, authority: Authority, monkeypatch: pytest.MonkeyPatch) -> Callable[..., DataWorksHook]:
    """Make a connection to the host behind the proxy, and a hook of it."""

    def make(login: str | None = "LTAIhunted", password: str | None = SECRET, **extra: Any) -> DataWorksHook:
        emulator.add_access_key("LTAIhunted", SECRET, extra.get("security_token", ""))
        found = {
            "conn_type": "dataworks",
            "host": HOST,
            "login": login,
            "password": password,
            "extra": {"ca_file": str(authority.ca_file), "max_qps": 1000, **extra},
        }
        monkeypatch.setenv("AIRFLOW_CONN_DATAWORKS_DEFAULT", json.dumps(found))
        hook = DataWorksHook()
        hook.sleep = lambda seconds: None
        return hook

    return make


def assert_nothing_seen(proxy: StrictProxy, *hosts: str, log: str = "", issuer: Issuer | None = None) -> None:
    """The proxy saw host and port alone, and neither it nor the log anything secret or signed."""
    assert proxy.lines == sorted(f"CONNECT {host}:443 HTTP/1.1" for host in hosts)
    for head in proxy.asked:
        names = {line.partition(b":")[0].lower() for line in head.split(b"\r\n")[1:] if line}
        assert names <= {b"host", b"accept", b"proxy-authorization", b"user-agent"}
    seen = b"".join((*proxy.asked, *proxy.passed)).decode("latin-1") + log
    secrets = {SECRET, SECURITY_TOKEN, "Signature=", "AccessKeyId=", IN_URI} | (issuer.secrets if issuer else set())
    for secret in secrets:
        once = quote(secret, safe="~=")
        for spelled in (secret, once, quote(once, safe="~")):
            assert spelled not in seen, secret


@pytest.fixture
def log_of(logged: Callable[[], str], monkeypatch: pytest.MonkeyPatch) -> Callable[[], str]:
    """All that anybody logs at DEBUG."""
    for name in ("httpx", "httpcore"):
        monkeypatch.setattr(logging.getLogger(name), "level", logging.DEBUG)
    return logged


@SIGNATURES
@pytest.mark.parametrize("version", ["2020-05-18", "2024-05-18"])
def test_blocking_calls(
    proxy: StrictProxy,
    connect: Callable[..., DataWorksHook],
    log_of: Callable[[], str],
    emulator: Emulator,
    signature: str,
    version: str,
) -> None:
    """Look and stop, with a temporary token."""
    hook = connect(signature=signature, api_version=version, security_token=SECURITY_TOKEN)

    assert hook.get_di_job(JOB).status == "Running"
    assert hook.stop_di_job(JOB)
    assert emulator.job(JOB).effective_stops == 1
    log = log_of()
    assert "send_request_headers" in log
    assert_nothing_seen(proxy, HOST, log=log)


@SIGNATURES
def test_an_authors_own_calls(
    proxy: StrictProxy, connect: Callable[..., DataWorksHook], log_of: Callable[[], str], signature: str
) -> None:
    """By get_conn; the library's own line shows the URL as the author gave it."""
    hook = connect(signature=signature, security_token=SECURITY_TOKEN)
    with hook.get_conn() as client:
        answers = [client.get("/", params={"PageSize": 10}, headers={"x-acs-action": "ListProjects"}) for _ in range(2)]

    assert [answer.status_code for answer in answers] == [200, 200]
    log = log_of()
    assert f"https://{HOST}/?PageSize=10 " in log
    assert_nothing_seen(proxy, HOST, log=log)


@SIGNATURES
def test_a_trigger(
    proxy: StrictProxy,
    connect: Callable[..., DataWorksHook],
    log_of: Callable[[], str],
    emulator: Emulator,
    monkeypatch: pytest.MonkeyPatch,
    signature: str,
) -> None:
    """In an event loop."""
    monkeypatch.setattr(DIJobStatusTrigger, "first_look", 0.05)
    connect(signature=signature, security_token=SECURITY_TOKEN)
    emulator.add_job(JOB, "Stopped")
    trigger = DIJobStatusTrigger(di_job_id=JOB, project_id=1967, deadline=time.time() + 20, poll_interval=0.05)

    async def events() -> list[Any]:
        return [event.payload async for event in trigger.run()]

    (event,) = asyncio.run(events())
    assert event["job"]["status"] == "Stopped"
    assert_nothing_seen(proxy, HOST, log=log_of())


@SIGNATURES
@pytest.mark.parametrize("source", ["role", "oidc", "uri"])
@pytest.mark.parametrize("in_loop", [False, True], ids=["blocking", "loop"])
def test_whoever_hands_out_keys(
    proxy: StrictProxy,
    connect: Callable[..., DataWorksHook],
    issuer: Issuer,
    log_of: Callable[[], str],
    tmp_path: Path,
    signature: str,
    source: str,
    in_loop: bool,
) -> None:
    """STS with a signed query, STS with an OIDC token, and an address that is a secret itself."""
    token = tmp_path / "token"
    token.write_text(OIDC_TOKEN)
    fields: dict[str, dict[str, Any]] = {
        "role": {"login": BASE_KEY, "password": BASE_SECRET, "credential_type": "ram_role_arn", "role_arn": ROLE},
        "oidc": {"credential_type": "oidc_role_arn", "role_arn": OIDC_ROLE, "oidc_provider_arn": PROVIDER},
        "uri": {"credential_type": "credentials_uri", "credentials_uri": f"https://{URI}/{IN_URI}"},
    }
    more = {} if source == "uri" else {"sts_endpoint": STS}
    if source == "oidc":
        more["oidc_token_file"] = str(token)
    hook = connect(**{"login": None, "password": None, "signature": signature, **fields[source], **more})
    if in_loop:
        assert in_triggerer(hook).status == "Running"
    else:
        assert hook.get_di_job(JOB).status == "Running"

    assert_nothing_seen(proxy, HOST, URI if source == "uri" else STS, log=log_of(), issuer=issuer)


USER, PASSWORD = "svc", "proxy#pass@word"


@pytest.mark.parametrize("name", ["https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY"])
def test_user_and_password_of_the_proxy(
    proxy: StrictProxy,
    connect: Callable[..., DataWorksHook],
    log_of: Callable[[], str],
    monkeypatch: pytest.MonkeyPatch,
    name: str,
) -> None:
    """Are sent to the proxy, and shown to nobody; it does not matter how the variable is spelled."""
    monkeypatch.delenv("HTTPS_PROXY")
    monkeypatch.setenv(name, f"http://{USER}:{quote(PASSWORD, safe='')}@127.0.0.1:{proxy.port}")
    coded = base64.b64encode(f"{USER}:{PASSWORD}".encode()).decode()
    proxy.password = f"Basic {coded}"
    hook = connect()

    assert hook.get_di_job(JOB).status == "Running"
    log = log_of()
    for spelled in (PASSWORD, quote(PASSWORD, safe=""), coded):
        assert spelled not in log
    assert_nothing_seen(proxy, HOST, log=log)


def test_a_proxy_that_refuses(
    proxy: StrictProxy, connect: Callable[..., DataWorksHook], log_of: Callable[[], str], clock: Clock
) -> None:
    """Nothing was sent, and the error says where to look; of the proxy's own words only the status is shown."""
    proxy.password = "Basic something-else"
    hook = on_clock(connect(), clock)

    with pytest.raises(DataWorksUnavailable, match=r"ProxyError: 407\b") as caught:
        hook.stop_di_job(JOB)

    assert not caught.value.sent
    assert "HTTPS_PROXY" in str(caught.value)
    assert "Authentication Required" not in str(caught.value)
    assert_nothing_seen(proxy, HOST, log=log_of() + str(caught.value))


def test_what_is_taken_out_of_the_proxy_goes_straight(
    proxy: StrictProxy, connect: Callable[..., DataWorksHook], clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By NO_PROXY; here to a name that nobody knows."""
    monkeypatch.setenv("NO_PROXY", ".test")
    hook = on_clock(connect(), clock)

    with pytest.raises(DataWorksUnavailable, match="ConnectError") as caught:
        hook.get_di_job(JOB)

    assert not caught.value.sent
    assert proxy.asked == []


UNUSABLE = {
    "socks without the package": "socks5://part-of-it@host.example:1080",
    "a hash in the password": "http://svc:part#9@host.example:3128",
    "an at in the password": "http://svc:part@9@host.example:3128",
    "a slash in the password": "http://svc:part/9@host.example:3128",
    "percent without digits": "http://svc:part%zz@host.example:3128",
    "no port": "http://part.example:notaport",
    "port too high": "http://part.example:70000",
    "port zero": "http://part.example:0",
    "a scheme that is none": "ftp://part.example",
    "no host": "http://:3128",
    "nothing but a scheme": "http://",
    "a space": "http://part .example:3128",
    "a line end": "http://part.example:3128\r\nX: y",
    "an escape": "http://part\x1b[31m.example:3128",
    "half a bracket": "http://[::1:3128",
    "no address in brackets": "http://[part]:3128",
    "two dots": "http://part..example:3128",
    "not ascii": "http://pärt.example:3128",
    "half a character": "http://part\udcff.example:3128",
    "a query": "http://part.example:3128?x=1",
    "endless": f"http://part{'a' * 5000}.example:3128",
}


@pytest.mark.parametrize("name", ["https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY"])
def test_a_variable_that_names_no_proxy(
    connect: Callable[..., DataWorksHook], monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    """Is refused by its name, without a word of what it holds, whichever way a call would go; never repeated."""
    misses = []
    for why, value in UNUSABLE.items():
        monkeypatch.setenv(name, value)
        hook = connect()
        hook.sleep = lambda seconds: pytest.fail("repeated")
        for ask in (
            DataWorksHook.get_conn,
            DataWorksHook.new_client,
            partial(DataWorksHook.get_di_job, di_job_id=JOB),
        ):
            try:
                ask(hook)
            except DataWorksInvalidRequest as error:
                said = f"{error}{error!r}{error.__cause__!r}"
                good = str(error).startswith(f"{name}: ") and isinstance(error, AirflowFailException)
                if not good or any(part in said for part in ("part", "9@", "notaport", "70000", "ftp:", "X: y")):
                    misses.append((why, said))
            except Exception as error:
                misses.append((why, repr(error)))
            else:
                misses.append((why, "no error"))
    assert misses == []


def test_a_variable_that_names_no_proxy_in_a_trigger(
    connect: Callable[..., DataWorksHook], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Ends the wait for good in one event that names the variable."""
    monkeypatch.setattr(DIJobStatusTrigger, "first_look", 0.05)
    monkeypatch.setenv("https_proxy", "http://svc:part#9@host.example:3128")
    connect()
    trigger = DIJobStatusTrigger(di_job_id=JOB, deadline=time.time() + 5, poll_interval=0.05)

    async def events() -> list[Any]:
        return [event.payload async for event in trigger.run()]

    (event,) = asyncio.run(events())
    assert "https_proxy: is not the address of a proxy" in json.dumps(event)
    assert "part#9" not in json.dumps(event)


@pytest.mark.parametrize("credentials", ["role", "uri"])
def test_a_variable_that_names_no_proxy_for_whoever_hands_out_keys(
    proxy: StrictProxy, connect: Callable[..., DataWorksHook], monkeypatch: pytest.MonkeyPatch, credentials: str
) -> None:
    """Is refused as well where only they go through it."""
    fields: dict[str, Any] = {"credential_type": "credentials_uri", "credentials_uri": f"https://{URI}/x"}
    if credentials == "role":
        fields = {"login": BASE_KEY, "password": BASE_SECRET, "credential_type": "ram_role_arn", "role_arn": ROLE}
        fields["sts_endpoint"] = STS
    hook = connect(**{"login": None, "password": None, **fields})
    hook.sleep = lambda seconds: pytest.fail("repeated")
    monkeypatch.setenv("HTTPS_PROXY", "http://svc:part#9@host.example:3128")
    monkeypatch.setenv("NO_PROXY", HOST)

    with pytest.raises(DataWorksInvalidRequest, match=r"^HTTPS_PROXY: is not the address") as caught:
        hook.get_di_job(JOB)

    assert "part#9" not in f"{caught.value!r}"
