"""Which proxy is used: what the HTTP library's own client would do with the same environment."""

from __future__ import annotations

import httpx
import pytest

from airflow_provider_dataworks.client.http.environment import proxy_for

PROXY, OTHER = "http://p.example:3128", "http://all.example:3128"
ENDPOINTS = [
    "https://dataworks.cn-shanghai.aliyuncs.com",
    "https://aliyuncs.com",
    "https://notaliyuncs.com",
    "https://h.example:8443",
    "https://10.1.2.3",
    "https://10.1.2.3:8443",
    "https://[fd00::1]",
    "https://[fd00::1]:8443",
    "http://localhost:8900",
]
NO_PROXY = [
    "",
    "*",
    " x , * ",
    "com",
    "aliyuncs.com",
    ".aliyuncs.com",
    "*.aliyuncs.com",
    "ALIYUNCS.com",
    "other.com, aliyuncs.com",
    "aliyuncs.com:443",
    "h.example",
    "h.example:8443",
    "h.example:443",
    ".example:8443",
    "example:8444",
    "10.1.2.3",
    "10.1.2",
    "10.0.0.0/8",
    "10.1.2.3:8443",
    "fd00::1",
    "localhost",
    "localhost:8900",
    "[bad",
    "https://aliyuncs.com",
    "https://dataworks.cn-shanghai.aliyuncs.com",
    "https://*.aliyuncs.com",
    "https://*aliyuncs.com",
    "http://h.example",
    "https://h.example:8443",
    "all://h.example",
    "https://*",
]


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    """An environment without any proxy."""
    for name in ("http_proxy", "https_proxy", "all_proxy", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)
    return monkeypatch


def httpx_proxy(endpoint: str) -> str | None:
    """Ask the HTTP library's client through which proxy it would send."""
    with httpx.Client() as client:
        found = client._transport_for_url(httpx.URL(endpoint))
        if found is client._transport:
            return None
        url = found._pool._proxy_url  # type: ignore[attr-defined]
        return f"{url.scheme.decode()}://{url.host.decode()}:{url.port}"


@pytest.mark.parametrize("endpoint", ENDPOINTS)
@pytest.mark.parametrize("no_proxy", NO_PROXY, ids=repr)
def test_no_proxy_means_what_it_means_to_the_http_library(
    endpoint: str, no_proxy: str, environment: pytest.MonkeyPatch
) -> None:
    """By name, suffix, port, scheme, address and star."""
    environment.setenv("https_proxy", PROXY)
    environment.setenv("all_proxy", OTHER)
    environment.setenv("no_proxy", no_proxy)

    assert proxy_for(endpoint) == httpx_proxy(endpoint)


@pytest.mark.parametrize("endpoint", ["https://dataworks.cn-shanghai.aliyuncs.com", "http://localhost:8900"])
@pytest.mark.parametrize(
    ("variables", "expected"),
    [
        pytest.param({}, {"https": None, "http": None}, id="none"),
        pytest.param({"https_proxy": PROXY}, {"https": PROXY, "http": None}, id="https"),
        pytest.param({"HTTPS_PROXY": PROXY}, {"https": PROXY, "http": None}, id="in-capitals"),
        pytest.param({"http_proxy": PROXY}, {"https": None, "http": PROXY}, id="http-is-for-http"),
        pytest.param({"all_proxy": PROXY}, {"https": PROXY, "http": PROXY}, id="all"),
        pytest.param({"all_proxy": PROXY, "https_proxy": OTHER}, {"https": OTHER, "http": PROXY}, id="own-before-all"),
        pytest.param({"https_proxy": ""}, {"https": None, "http": None}, id="empty"),
        pytest.param({"https_proxy": "p.example:3128"}, {"https": PROXY, "http": None}, id="without-scheme"),
    ],
)
def test_the_proxy_is_the_one_the_http_library_takes(
    endpoint: str, variables: dict[str, str], expected: dict[str, str | None], environment: pytest.MonkeyPatch
) -> None:
    """By the scheme of the address, else the one for all."""
    for name, value in variables.items():
        environment.setenv(name, value)

    assert proxy_for(endpoint) == httpx_proxy(endpoint) == expected[endpoint.partition(":")[0]]


@pytest.mark.parametrize("no_proxy", ["h.example:port", "[fd00::1]", "fd00::1/64"])
def test_what_the_library_cannot_read_takes_nothing_else_out(no_proxy: str, environment: pytest.MonkeyPatch) -> None:
    """Its client could not even be made; a connection of ours does not depend on an entry about another host."""
    environment.setenv("https_proxy", PROXY)
    environment.setenv("no_proxy", no_proxy)
    with pytest.raises(httpx.InvalidURL):
        httpx.Client()

    assert proxy_for("https://h.example:8443") == PROXY
