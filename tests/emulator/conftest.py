"""A clock to turn by hand and a client that signs raw requests, for tests of the emulator."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlencode

import httpx
import pytest

from airflow_provider_dataworks.client.auth import signing
from airflow_provider_dataworks.emulator import Emulator
from airflow_provider_dataworks.emulator.requests import Request
from airflow_provider_dataworks.emulator.service import Service, Settings

V2020, V2024 = "2020-05-18", "2024-05-18"
START = 1_790_000_000.0
_nonces = itertools.count(1)


@dataclass
class Clock:
    """Seconds since 1970 that pass only when a test says so."""

    time: float = START

    def __call__(self) -> float:
        return self.time

    def pass_(self, seconds: float) -> None:
        self.time += seconds


@dataclass
class Signer:
    """Makes one signed request; every field may be made wrong."""

    version: str = V2020
    signature: str = signing.ACS3
    access_key_id: str = "LTAIemulator"
    secret: str = "emulator-secret"
    token: str | None = None
    accept: str = "application/json"
    host: str = "127.0.0.1:8900"
    now: Callable[[], float] = field(default_factory=Clock)
    nonce: str | None = None
    method: str | None = None
    headers: Mapping[str, str] = field(default_factory=dict)

    def but(self, **changes: Any) -> Signer:
        """The same, with some fields changed."""
        return replace(self, **changes)

    def request(self, action: str, **params: object) -> Request:
        """Sign a request for an operation, with method and place of the parameters as its version has them."""
        posted = self.version == V2020 or action == "ListProjects"
        method = self.method or ("POST" if posted else "GET")
        values = signing.flat(params)
        date = datetime.fromtimestamp(self.now(), UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        common = {
            "method": method,
            "date": date,
            "nonce": self.nonce or f"nonce-{next(_nonces)}",
            "access_key_id": self.access_key_id,
            "access_key_secret": self.secret,
            "security_token": self.token,
        }
        if self.signature == signing.RPC:
            signed = signing.rpc_params(
                action=action,
                version=self.version,
                params=values,
                response_format="XML" if "xml" in self.accept else "JSON",
                **common,
            )
            headers = {"host": self.host, **self.headers}
            return Request(method, "/", urlencode(signed), tuple(headers.items()))
        query = {} if method == "POST" else values
        body = urlencode(values).encode() if method == "POST" else b""
        headers = {"host": self.host, "x-acs-action": action, "x-acs-version": self.version}
        if method == "POST":
            headers["content-type"] = "application/x-www-form-urlencoded"
        headers.update(self.headers)
        added = signing.acs3_headers(path="/", query=query, headers=headers, body=body, **common)
        every = {**headers, **added, "accept": self.accept}
        return Request(method, "/", urlencode(query), tuple(every.items()), body)


@dataclass
class Raw:
    """Sends signed requests to a running emulator and follows nothing."""

    emulator: Emulator
    signer: Signer
    http: httpx.Client

    def send(self, request: Request, **options: Any) -> httpx.Response:
        url = f"{self.emulator.url}/?{request.query}" if request.query else f"{self.emulator.url}/"
        headers = [(name, value) for name, value in request.headers if name.lower() != "host"]
        return self.http.request(request.method, url, headers=headers, content=request.body, **options)

    def call(self, action: str, version: str = V2020, options: Mapping[str, Any] | None = None, **params: object):
        signer = self.signer.but(version=version, host=f"127.0.0.1:{self.emulator.port}", now=self.signer.now)
        return self.send(signer.request(action, **params), **(options or {}))


@pytest.fixture
def clock() -> Clock:
    """A clock that stands still."""
    return Clock()


@pytest.fixture
def signer(clock: Clock) -> Signer:
    """Signs with the built-in pair at the time of the test's clock."""
    return Signer(now=clock)


@pytest.fixture
def new_service(clock: Clock) -> Callable[..., Service]:
    """Makes a service with one running job, no socket and the test's clock."""

    def make(**settings: Any) -> Service:
        return Service(Settings(**{"jobs": {11668: "Running"}, **settings}), clock)

    return make


@pytest.fixture
def emulator(clock: Clock) -> Iterator[Emulator]:
    """A running emulator with one running job and the test's clock."""
    with Emulator(jobs={11668: "Running"}, now=clock) as running:
        yield running


@pytest.fixture
def raw(emulator: Emulator, signer: Signer) -> Iterator[Raw]:
    """A client for the running emulator."""
    with httpx.Client(timeout=5, trust_env=False) as http:
        yield Raw(emulator, signer, http)
