"""How bytes travel: what clients are told, and how they behave on a real socket."""

from __future__ import annotations

import ssl
import time

import httpx
import pytest
from fake_dataworks import JOB, KEY_ID, SECRET, Drive

from airflow_provider_dataworks import __version__
from airflow_provider_dataworks.client.auth.cache import CredentialCache
from airflow_provider_dataworks.client.auth.credentials import Credentials, StaticCredentials
from airflow_provider_dataworks.client.config import ClientConfig, user_agent
from airflow_provider_dataworks.client.http.environment import tls_context
from airflow_provider_dataworks.client.http.rate_limit import RateLimiter
from airflow_provider_dataworks.client.http.session import Session
from airflow_provider_dataworks.exceptions import DataWorksUnavailable


def session_for(endpoint: str) -> Session:
    """Make a session for an endpoint, without sending anything."""
    settings = ClientConfig(endpoint, connect_timeout=3, read_timeout=7)
    cache = CredentialCache(StaticCredentials(Credentials(KEY_ID, SECRET)), time.time)
    return Session(settings, cache, RateLimiter(5, time.monotonic))


def test_an_authors_client_is_told_the_limits():
    """Timeouts are the connection's, redirects are not followed, and the answer is asked for in JSON and unpacked."""
    with session_for("https://dataworks.cn-shanghai.aliyuncs.com").new_client() as client:
        assert client.timeout == httpx.Timeout(7, connect=3)
        assert client.follow_redirects is False
        assert client.headers["user-agent"] == f"airflow-provider-dataworks/{__version__}"
        assert client.headers["accept"] == "application/json"
        assert client.headers["accept-encoding"] == "identity"


def test_one_process_has_one_trust_store():
    """Loading it blocks for long, so all sessions share it; certificates and names are checked."""
    assert tls_context() is tls_context()
    assert tls_context().verify_mode is ssl.CERT_REQUIRED
    assert tls_context().check_hostname


def test_the_service_is_reached_through_the_proxy(drive: Drive, monkeypatch: pytest.MonkeyPatch):
    """With a proxy that refuses, it is the proxy that could not be connected to, and nothing was sent."""
    monkeypatch.setenv("https_proxy", "http://127.0.0.1:1")
    drive.use(transport=False, patience=0)

    with pytest.raises(DataWorksUnavailable, match="ConnectError") as caught:
        drive.client.get_di_job(JOB)

    assert not caught.value.sent


@pytest.mark.parametrize("name", ["HTTP_PROXY", "http_proxy", "ALL_PROXY"])
def test_an_emulator_is_reached_past_a_proxy(drive: Drive, name: str, monkeypatch: pytest.MonkeyPatch):
    """With a proxy that does not exist, a loopback address that refuses is told as itself."""
    monkeypatch.setenv(name, "http://proxy.invalid:3128")
    drive.use(transport=False, endpoint="http://127.0.0.1:1", patience=0)
    with pytest.raises(DataWorksUnavailable, match=r"could not connect to 127\.0\.0\.1:1: ConnectError") as caught:
        drive.client.get_di_job(JOB)

    assert not caught.value.sent


def test_the_vendor_can_tell_who_calls(drive: Drive):
    """Each request carries the name and version of this package."""
    drive.client.get_di_job(JOB)

    assert drive.dataworks.heard[0].request.headers["user-agent"] == user_agent()
    assert user_agent() == f"airflow-provider-dataworks/{__version__}"
