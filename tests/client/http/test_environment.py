"""Who is trusted and which proxy is used: a real TLS server of a private authority, files that are none, variables."""

from __future__ import annotations

import ssl
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from certificates import Authority
from fake_dataworks import JOB, Drive

from airflow_provider_dataworks.client.http.environment import proxy_for, tls_context
from airflow_provider_dataworks.exceptions import DataWorksInvalidRequest, DataWorksUnavailable

ANSWER = b'{"RequestId": "R", "Success": true, "Data": {"DIJobId": %d, "JobStatus": "Running"}}' % JOB


class Answering(BaseHTTPRequestHandler):
    """Gives one answer and counts the requests."""

    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        """Answer."""
        self.server.heard += 1  # type: ignore[attr-defined]
        self.send_response_only(200)
        self.send_header("content-length", str(len(ANSWER)))
        self.end_headers()
        self.wfile.write(ANSWER)

    do_POST = do_GET  # noqa: N815 - http.server's name

    def log_message(self, *_: object) -> None:
        """Stay quiet."""


class Tls(ThreadingHTTPServer):
    """A server that shakes hands in the connection's own thread; clients that hang up are no trouble."""

    daemon_threads = True
    heard = 0

    def __init__(self, certificate: Path, key: Path) -> None:
        super().__init__(("127.0.0.1", 0), Answering)
        self._context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        self._context.load_cert_chain(certificate, key)
        self.url = f"https://127.0.0.1:{self.server_port}"

    def finish_request(self, request, client_address) -> None:
        """Shake hands first."""
        try:
            with self._context.wrap_socket(request, server_side=True) as wrapped:
                super().finish_request(wrapped, client_address)
        except OSError:
            return  # the client did not trust us


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    """An authority that no public one knows."""
    return Authority(tmp_path)


@pytest.fixture
def serve(authority: Authority) -> Iterator[Callable[..., Tls]]:
    """Start servers whose certificate is for an address."""
    running: list[tuple[Tls, threading.Thread]] = []

    def start(address: str = "127.0.0.1") -> Tls:
        server = Tls(*authority.server(address))
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        running.append((server, thread))
        thread.start()
        return server

    yield start
    for server, thread in running:
        server.shutdown()
        server.server_close()
        thread.join()


def ask(drive: Drive, server: Tls, ca_file: Path | None) -> str:
    """Ask for the job's status."""
    drive.use(transport=False, endpoint=server.url, ca_file=ca_file and str(ca_file), patience=0)
    return drive.client.get_di_job(JOB).status


def test_a_private_authority_is_not_trusted_by_itself(drive: Drive, serve: Callable[..., Tls]) -> None:
    """No request is sent, and the error says which field to set."""
    server = serve()

    with pytest.raises(DataWorksUnavailable, match="CERTIFICATE_VERIFY_FAILED") as caught:
        ask(drive, server, None)

    assert not caught.value.sent
    assert "ca_file" in str(caught.value)
    assert server.heard == 0


def test_a_private_authority_is_trusted_where_the_connection_names_it(
    drive: Drive, serve: Callable[..., Tls], authority: Authority
) -> None:
    """The call goes through."""
    server = serve()

    assert ask(drive, server, authority.ca_file) == "Running"
    assert server.heard == 1


def test_a_trusted_certificate_for_another_host_is_refused(
    drive: Drive, serve: Callable[..., Tls], authority: Authority
) -> None:
    """A private authority vouches for its own names only."""
    server = serve("127.0.0.9")

    with pytest.raises(DataWorksUnavailable, match=r"certificate is not valid for '127\.0\.0\.1'") as caught:
        ask(drive, server, authority.ca_file)

    assert not caught.value.sent
    assert server.heard == 0


def test_another_authoritys_certificate_is_refused(drive: Drive, serve: Callable[..., Tls], tmp_path: Path) -> None:
    """The named authority is the only one, in place of all others."""
    other = Authority(tmp_path, "Other CA")

    with pytest.raises(DataWorksUnavailable, match="CERTIFICATE_VERIFY_FAILED"):
        ask(drive, serve(), other.ca_file)

    assert tls_context(str(other.ca_file)).cert_store_stats() == {"x509": 1, "crl": 0, "x509_ca": 1}


def test_each_authority_is_loaded_once_a_process(authority: Authority, tmp_path: Path) -> None:
    """And always verifies certificates and names."""
    other = Authority(tmp_path, "Other CA")
    found = tls_context(str(authority.ca_file))

    assert tls_context(str(authority.ca_file)) is found
    assert len({found, tls_context(str(other.ca_file)), tls_context()}) == 3
    assert (found.verify_mode, found.check_hostname) == (ssl.CERT_REQUIRED, True)


def unusable(folder: Path, kind: str) -> str:
    """Make a path that leads to no authority."""
    path = folder / "ca.pem"
    if kind == "garbage":
        path.write_bytes(b"\x00\xff not a certificate")
    elif kind == "empty":
        path.touch()
    elif kind == "only-a-key":
        path.write_bytes(Authority(folder).server("127.0.0.1")[1].read_bytes())
    elif kind == "cut-short":
        path.write_bytes(Authority(folder).ca_file.read_bytes()[:200])
    return {"directory": str(folder), "null-byte": "/etc/\0"}.get(kind, str(path))


@pytest.mark.parametrize("kind", ["missing", "garbage", "empty", "only-a-key", "cut-short", "directory", "null-byte"])
def test_a_file_that_is_none_is_told_before_anything_is_sent(
    drive: Drive, serve: Callable[..., Tls], tmp_path: Path, kind: str
) -> None:
    """By the field's name, without its value, and what to do."""
    server, path = serve(), unusable(tmp_path, kind)

    with pytest.raises(DataWorksInvalidRequest, match=r"^ca_file: the file cannot be used") as caught:
        ask(drive, server, Path(path))

    assert path not in str(caught.value)
    assert "PEM file" in str(caught.value)
    assert server.heard == 0


def test_a_file_that_comes_later_is_found(authority: Authority, tmp_path: Path) -> None:
    """A failure is not kept; the next task of the same process tries again."""
    path = tmp_path / "later.pem"
    with pytest.raises(DataWorksInvalidRequest):
        tls_context(str(path))
    path.write_bytes(authority.ca_file.read_bytes())

    tls_context(str(path))


PROXY, OTHER = "http://p.example:3128", "http://all.example:3128"
CLOUD, LOCAL = "https://dataworks.cn-shanghai.aliyuncs.com", "http://localhost:8900"


@pytest.fixture
def environment(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    """An environment without any proxy."""
    for name in ("http_proxy", "https_proxy", "all_proxy", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)
    return monkeypatch


def test_the_proxy_is_the_one_that_the_environment_names(environment: pytest.MonkeyPatch) -> None:
    """By the scheme of the address, else the one for all; in small letters or capitals, with or without a scheme."""
    rows: list[tuple[dict[str, str], str | None, str | None]] = [
        ({}, None, None),
        ({"https_proxy": PROXY}, PROXY, None),
        ({"HTTPS_PROXY": PROXY}, PROXY, None),
        ({"http_proxy": PROXY}, None, PROXY),
        ({"all_proxy": PROXY}, PROXY, PROXY),
        ({"all_proxy": PROXY, "https_proxy": OTHER}, OTHER, PROXY),
        ({"https_proxy": ""}, None, None),
        ({"https_proxy": "p.example:3128"}, PROXY, None),
    ]
    wrong = []
    for variables, cloud, local in rows:
        with environment.context() as patch:
            for name, value in variables.items():
                patch.setenv(name, value)
            found = proxy_for(CLOUD), proxy_for(LOCAL)
        if found != (cloud, local):
            wrong.append((variables, found))

    assert wrong == []


def test_no_proxy_takes_hosts_out(environment: pytest.MonkeyPatch) -> None:
    """By name, by what it ends in, with its port, by address, or all; as the standard library reads it."""
    address, port = "https://[fd00::1]:8443", "https://h.example:8443"
    rows = [
        ("", CLOUD, True),
        ("*", CLOUD, False),
        ("com", CLOUD, False),
        ("aliyuncs.com", CLOUD, False),
        (".aliyuncs.com", CLOUD, False),
        ("ALIYUNCS.com", CLOUD, False),
        ("other.com, aliyuncs.com", CLOUD, False),
        ("aliyuncs.com", "https://notaliyuncs.com", True),
        ("h.example", port, False),
        ("h.example:8443", port, False),
        ("h.example:443", port, True),
        ("10.1.2.3", "https://10.1.2.3:8443", False),
        ("10.1.2", "https://10.1.2.3", True),
        ("fd00::1", address, False),
        ("[fd00::1]", address, False),
        ("localhost", "https://localhost:8900", False),
        ("[bad", CLOUD, True),
    ]
    environment.setenv("https_proxy", PROXY)
    wrong = []
    for no_proxy, endpoint, proxied in rows:
        environment.setenv("no_proxy", no_proxy)
        if proxy_for(endpoint) != (PROXY if proxied else None):
            wrong.append((no_proxy, endpoint, proxy_for(endpoint)))

    assert wrong == []
