"""The vendor's own SDK judges our requests: its signer on what we send, and what it would send itself."""

from __future__ import annotations

import hashlib
import importlib
import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qsl

import httpx
import pytest
from airflow_limits import needs_vendor_sdk
from fake_dataworks import ENDPOINT, JOB, KEY_ID, PROJECT, SECRET, TOKEN, Clock, FakeDataWorks, answer

from airflow_provider_dataworks.client.auth.cache import CredentialCache
from airflow_provider_dataworks.client.auth.credentials import Credentials, StaticCredentials
from airflow_provider_dataworks.client.auth.signing import ACS3, RPC, SIGNATURES
from airflow_provider_dataworks.client.config import API_2020, API_2024, API_VERSIONS, ClientConfig
from airflow_provider_dataworks.client.diagnostic_operations import DIAGNOSTICS
from airflow_provider_dataworks.client.diagnostics import AlarmRule
from airflow_provider_dataworks.client.http.rate_limit import RateLimiter
from airflow_provider_dataworks.client.http.session import Session
from airflow_provider_dataworks.client.operations import APIS, Api, Call

pytestmark = [
    needs_vendor_sdk,
    # The vendor's packages warn of their own old habits.
    pytest.mark.filterwarnings("ignore::DeprecationWarning:(alibabacloud|darabonba|Tea|apscheduler|pkg_resources).*"),
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]

HOST = ENDPOINT.removeprefix("https://")
ODD_NAME = "a b*~+/=&中%41'"
OPERATIONS: dict[str, Callable[[Api], Call[Any]]] = {
    "stop": lambda api: api.StopDIJob(JOB),
    "start": lambda api: api.StartDIJob(JOB, None, None),
    "start-from": lambda api: api.StartDIJob(JOB, 1671516776, True),
    "get": lambda api: api.GetDIJob(JOB),
    "list": lambda api: api.ListDIJobs(PROJECT, None, 1),
    "list-named": lambda api: api.ListDIJobs(PROJECT, ODD_NAME, 2),
    "projects": lambda api: api.ListProjects(),
}
RULE = AlarmRule(
    id=45242,
    di_job_id=JOB,
    exact=True,
    whole={
        "DIAlarmRuleId": 45242,
        "Description": ODD_NAME,
        "Enabled": True,
        "MetricType": "Delay",
        "NotificationSettings": {
            "InhibitionInterval": 5,
            "NotificationChannels": [{"Channels": ["Ding", "Mail"], "Severity": "Warning"}],
            "NotificationReceivers": [{"ReceiverType": "DingToken", "ReceiverValues": ["a+/=&中%41"]}],
        },
        "TriggerConditions": [{"Duration": 10, "Severity": "Warning", "Threshold": 600}],
    },
)
NEW, OLD = DIAGNOSTICS[API_2024], DIAGNOSTICS[API_2020]
DIAGNOSTIC_CALLS: list[Call[Any]] = [
    NEW.ListDIJobMetrics(JOB, ["delayTime", "speedRecordsRead"], 1_790_000_000, 1_790_000_600.5),
    NEW.ListDIJobEvents(JOB, "Failover", 1_790_000_000.7, 1_790_000_600, 2),
    NEW.ListDIJobRunDetails(JOB, 1),
    NEW.GetDIJobLog(JOB, 3),
    NEW.ListDIAlarmRules(JOB, 1),
    NEW.GetDIAlarmRule(RULE),
    NEW.UpdateDIAlarmRule(RULE, False),
    OLD.ListDIAlarmRules(JOB, 2),
    OLD.GetDIAlarmRule(RULE),
    OLD.UpdateDIAlarmRule(RULE, False),
]
operations = pytest.mark.parametrize("operation", OPERATIONS)
versions = pytest.mark.parametrize("version", API_VERSIONS)


@dataclass(frozen=True)
class Wire:
    """One request as it would be written to the socket."""

    method: str
    target: str
    headers: dict[str, str]
    body: str

    @property
    def path(self) -> str:
        return self.target.partition("?")[0]

    @property
    def query(self) -> dict[str, str]:
        return dict(parse_qsl(self.target.partition("?")[2], keep_blank_values=True))

    @property
    def form(self) -> dict[str, str]:
        return dict(parse_qsl(self.body, keep_blank_values=True))


def session_with(dataworks: FakeDataWorks, signature: str = ACS3, token: str | None = None, **config: Any) -> Session:
    """Make a session with a fake service."""
    cache = CredentialCache(StaticCredentials(Credentials(KEY_ID, SECRET, token)), dataworks.now)
    return Session(
        ClientConfig(ENDPOINT, signature=signature, **config),
        cache,
        RateLimiter(1000, dataworks.now),
        clock=dataworks.now,
        transport=httpx.MockTransport(dataworks.handler),
    )


def sent_by_us(call: Call[Any], signature: str, token: str | None) -> Wire:
    """Send a call with our transport and return what left it."""
    dataworks = FakeDataWorks(Clock(), version=call.version)
    dataworks.script(call.action, answer(200, b"{}"))
    session_with(dataworks, signature, token, api_version=call.version).send(call)
    request = dataworks.heard[0].request
    target = request.extensions.get("target", request.url.raw_path).decode()
    return Wire(request.method, target, dict(request.headers), request.content.decode())


def sent_by_the_sdk(call: Call[Any], monkeypatch: pytest.MonkeyPatch) -> Wire:
    """Let the SDK of that version make the same call and return what it hands to its HTTP library."""
    package = f"alibabacloud_dataworks_public{call.version.replace('-', '')}"
    client_module = importlib.import_module(f"{package}.client")
    models = importlib.import_module(f"{package}.models")
    config = importlib.import_module("alibabacloud_tea_openapi.utils_models").Config
    runtime = importlib.import_module("darabonba.runtime").RuntimeOptions()
    core = importlib.import_module("darabonba.core")
    seen: list[Any] = []

    def do_action(request: Any, runtime_option: Any = None) -> Any:
        seen.append(request)
        response = importlib.import_module("darabonba.response").DaraResponse()
        response.status_code, response.headers, response.body = 200, {}, json.dumps({"RequestId": "r"}).encode()
        return response

    monkeypatch.setattr(core.DaraCore, "do_action", staticmethod(do_action))
    client = client_module.Client(config(access_key_id=KEY_ID, access_key_secret=SECRET, endpoint=HOST))
    request = getattr(models, f"{call.action}Request")()
    request.from_map({name: _as_model_value(name, value) for name, value in call.params.items()})
    method = {
        "StopDIJob": "stop_dijob",
        "StartDIJob": "start_dijob",
        "GetDIJob": "get_dijob",
        "ListDIJobs": "list_dijobs",
        "ListProjects": "list_projects",
        "ListDIJobMetrics": "list_dijob_metrics",
        "ListDIJobEvents": "list_dijob_events",
        "ListDIJobRunDetails": "list_dijob_run_details",
        "GetDIJobLog": "get_dijob_log",
        "ListDIAlarmRules": "list_dialarm_rules",
        "GetDIAlarmRule": "get_dialarm_rule",
        "UpdateDIAlarmRule": "update_dialarm_rule",
    }[call.action]
    getattr(client, f"{method}_with_options")(request, runtime)
    body = seen[0].body
    text = body.decode() if isinstance(body, bytes) else body or ""
    target = f"{seen[0].pathname}?{httpx.QueryParams(seen[0].query)}"
    return Wire(seen[0].method, target, dict(seen[0].headers), text)


def _as_model_value(name: str, value: str) -> object:
    # The SDK's models take structures and write them as JSON themselves.
    if name in ("RealtimeStartSettings", "MetricName", "NotificationSettings", "TriggerConditions"):
        return json.loads(value)
    return {"true": True, "false": False}.get(value, value)


def signed_names(wire: Wire) -> list[str]:
    """Return the headers that a request says are signed."""
    return wire.headers["authorization"].partition("SignedHeaders=")[2].partition(",")[0].split(";")


def acs3_of(wire: Wire) -> str:
    """Return the Authorization that the SDK's signer comes to for what we sent."""
    utils = importlib.import_module("alibabacloud_tea_openapi.utils").Utils
    request = importlib.import_module("darabonba.request").DaraRequest()
    request.method, request.pathname, request.query = wire.method, wire.path, wire.query
    request.headers = {name: wire.headers[name] for name in signed_names(wire)}
    payload_hash = utils.hex_encode(utils.hash(wire.body.encode(), ACS3))
    found: str = utils.get_authorization(request, ACS3, payload_hash, KEY_ID, SECRET)
    return found


def spelled_alike(params: dict[str, str]) -> dict[str, str]:
    """Return parameters as both spell them: the SDK writes Python's True, and lists that nobody filled."""
    return {
        name: {"True": "true", "False": "false"}.get(value, value) for name, value in params.items() if value != "[]"
    }


@versions
@operations
@pytest.mark.parametrize("token", [None, TOKEN], ids=["key", "token"])
def test_the_sdk_signs_our_acs3_requests_alike(version: str, operation: str, token: str | None):
    """The SDK's signer, given what we sent, comes to the Authorization that we sent."""
    wire = sent_by_us(OPERATIONS[operation](APIS[version]), ACS3, token)
    must_be_signed = {name for name in wire.headers if name in ("host", "content-type") or name.startswith("x-acs-")}

    assert wire.headers["authorization"] == acs3_of(wire)
    assert wire.headers["x-acs-content-sha256"] == hashlib.sha256(wire.body.encode()).hexdigest()
    assert set(signed_names(wire)) == must_be_signed
    assert wire.headers.get("x-acs-security-token") == token


@versions
@operations
@pytest.mark.parametrize("token", [None, TOKEN], ids=["key", "token"])
def test_the_sdk_signs_our_hmac_sha1_requests_alike(version: str, operation: str, token: str | None):
    """The SDK's signer, given the query that we sent, comes to the Signature in it."""
    utils = importlib.import_module("alibabacloud_tea_openapi.utils").Utils
    wire = sent_by_us(OPERATIONS[operation](APIS[version]), RPC, token)
    params = wire.query
    signature = params.pop("Signature")

    assert signature == utils.get_rpcsignature({**params, **wire.form}, wire.method, SECRET)
    assert params.get("SecurityToken") == token
    assert (params["Format"], params["SignatureMethod"], params["SignatureVersion"]) == ("JSON", RPC, "1.0")
    assert "authorization" not in wire.headers


@versions
@operations
def test_method_and_place_of_parameters_are_the_sdks(version: str, operation: str, monkeypatch: pytest.MonkeyPatch):
    """Each operation goes out with the SDK's method, and each parameter where the SDK puts it."""
    call = OPERATIONS[operation](APIS[version])
    ours, theirs = sent_by_us(call, ACS3, None), sent_by_the_sdk(call, monkeypatch)

    assert (ours.method, ours.path) == (theirs.method, theirs.path)
    assert spelled_alike(ours.query) == spelled_alike(theirs.query)
    assert spelled_alike(ours.form) == spelled_alike(theirs.form)
    assert ours.headers.get("content-type") == theirs.headers.get("content-type")
    for name in ("host", "accept", "x-acs-action", "x-acs-version"):
        assert ours.headers[name] == theirs.headers[name]


def test_questions_about_how_a_job_runs_are_the_sdks(monkeypatch: pytest.MonkeyPatch):
    """Of each, in its version: method, place and every parameter; and both signatures are the SDK's."""
    utils = importlib.import_module("alibabacloud_tea_openapi.utils").Utils
    misses = []
    for call in DIAGNOSTIC_CALLS:
        ours, theirs = sent_by_us(call, ACS3, None), sent_by_the_sdk(call, monkeypatch)
        older = sent_by_us(call, RPC, None)
        query = older.query
        signature = query.pop("Signature")
        checks = {
            "method": ours.method == theirs.method,
            "query": spelled_alike(ours.query) == spelled_alike(theirs.query),
            "form": spelled_alike(ours.form) == spelled_alike(theirs.form),
            "type": ours.headers.get("content-type") == theirs.headers.get("content-type"),
            "names": all(ours.headers[name] == theirs.headers[name] for name in ("x-acs-action", "x-acs-version")),
            "signature": ours.headers["authorization"] == acs3_of(ours),
            "older signature": signature == utils.get_rpcsignature({**query, **older.form}, older.method, SECRET),
        }
        misses += [(call.version, call.action, name, ours, theirs) for name, good in checks.items() if not good]

    assert misses == []


@versions
@pytest.mark.parametrize("signature", SIGNATURES)
def test_nothing_secret_is_in_the_url(version: str, signature: str):
    """The URL, which libraries print, never holds key, signature or token; only the request's target may."""
    dataworks = FakeDataWorks(Clock(), version=version)
    session_with(dataworks, signature, TOKEN, api_version=version).send(APIS[version].StopDIJob(JOB))
    url = str(dataworks.heard[0].request.url)

    assert "Signature" not in url
    assert "SecurityToken" not in url
    assert url.startswith(ENDPOINT)


def test_a_client_of_ones_own_is_signed_too():
    """A form that a user posts by hand with the older signature is signed together with the query."""
    utils = importlib.import_module("alibabacloud_tea_openapi.utils").Utils
    dataworks = FakeDataWorks(Clock())
    response = (
        session_with(dataworks, RPC).new_client().post("/", params={"Action": "GetDIJob"}, data={"DIJobId": str(JOB)})
    )
    request = dataworks.heard[0].request
    query = dict(parse_qsl(request.extensions["target"].decode().partition("?")[2]))
    signature = query.pop("Signature")

    assert response.json()["Data"]["DIJobId"] == JOB
    assert "DIJobId" not in query
    assert signature == utils.get_rpcsignature({**query, "DIJobId": str(JOB)}, "POST", SECRET)


@pytest.mark.parametrize(("accept", "wanted"), [("application/json", "JSON"), ("text/xml", "XML")])
def test_hmac_sha1_asks_for_the_format_that_is_accepted(accept: str, wanted: str):
    """The older signature names the answer's format in its query, as the header does."""
    dataworks = FakeDataWorks(Clock())
    session_with(dataworks, RPC).new_client().get(
        "/", params={"DIJobId": str(JOB)}, headers={"accept": accept, "x-acs-action": "GetDIJob"}
    ).raise_for_status()

    assert dataworks.heard[0].params["Format"] == wanted
    assert dataworks.heard[0].params["Version"] == API_2020
