"""The vendor's own SDKs drive the emulator: they are the independent judge of its signatures, envelopes and errors."""

from __future__ import annotations

import asyncio
import importlib
import time
from collections.abc import Callable, Iterator
from types import ModuleType
from typing import Any

import pytest

from airflow_provider_dataworks.emulator import Emulator

# The SDK and what it depends on are not ours to change, and use what newer Pythons deprecate.
pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning:(alibabacloud|darabonba|Tea|apscheduler).*")

V2020, V2024 = "2020-05-18", "2024-05-18"
TOKEN = "emulator-token+/="
VERSIONS = pytest.mark.parametrize("version", [V2020, V2024])
SIGNATURES = pytest.mark.parametrize("signature", ["ACS3-HMAC-SHA256", "v2"])
TOKENS = pytest.mark.parametrize("token", ["", TOKEN], ids=["permanent", "sts"])
MODES = pytest.mark.parametrize("asynchronous", [False, True], ids=["sync", "async"])


class Vendor:
    """One of the SDK's clients, with the names that differ between versions and modes taken away."""

    def __init__(self, emulator: Emulator, version: str, signature: str, asynchronous: bool, **config: Any) -> None:
        name = f"alibabacloud_dataworks_public{version.replace('-', '')}"
        module = importlib.import_module(f"{name}.client")
        self.models: ModuleType = importlib.import_module(f"{name}.models")
        settings = importlib.import_module("alibabacloud_tea_openapi.utils_models")
        values = {
            "access_key_id": emulator.access_key_id,
            "access_key_secret": emulator.access_key_secret,
            "security_token": emulator.security_token or None,
            "endpoint": f"127.0.0.1:{emulator.port}",
            "protocol": "HTTP",
            "signature_algorithm": signature,
            **config,
        }
        self.client = module.Client(settings.Config(**values))
        self.asynchronous = asynchronous
        self.id_field = "dijob_id" if version == V2020 else "id"

    def call(self, method: str, model: str, **fields: Any) -> Any:
        """Call an operation and give the body of its answer."""
        request = getattr(self.models, model)(**fields)
        if self.asynchronous:
            return asyncio.run(getattr(self.client, f"{method}_async")(request)).body
        return getattr(self.client, method)(request).body

    def stop(self, job: int) -> Any:
        """Call StopDIJob."""
        return self.call("stop_dijob", "StopDIJobRequest", **{self.id_field: job})


@pytest.fixture(scope="module")
def emulators() -> Iterator[dict[str, Emulator]]:
    """One emulator for a permanent pair, one that wants a token."""
    with Emulator() as permanent, Emulator(access_keys={"STS.emulator": "other"}, security_token=TOKEN) as temporary:
        yield {"": permanent, TOKEN: temporary}


@pytest.fixture
def emulator(emulators: dict[str, Emulator]) -> Emulator:
    """The emulator for a permanent pair, without jobs."""
    emulators[""].reset()
    return emulators[""]


@pytest.fixture
def new_vendor(emulators: dict[str, Emulator]) -> Callable[..., tuple[Emulator, Vendor]]:
    """Makes an SDK client and gives the emulator it talks to, with no jobs in it."""

    def make(version: str, signature: str, token: str, asynchronous: bool) -> tuple[Emulator, Vendor]:
        emulators[token].reset()
        return emulators[token], Vendor(emulators[token], version, signature, asynchronous)

    return make


def client_error(vendor: Vendor, *, job: int = 11668) -> tuple[int, str]:
    """Status and code of the SDK's exception for a stop."""
    errors = importlib.import_module("alibabacloud_tea_openapi.exceptions")
    with pytest.raises(errors.ClientException) as error:
        vendor.stop(job)
    return error.value.status_code, error.value.code


@VERSIONS
@SIGNATURES
@TOKENS
@MODES
def test_the_sdk_stops_watches_and_starts_a_job(new_vendor, version, signature, token, asynchronous):
    """All five operations, both versions, both signatures, with and without a token, blocking and not."""
    emulator, vendor = new_vendor(version, signature, token, asynchronous)
    emulator.add_job(11668, stop_seconds=0, start_seconds=0, project_id=1967, name="mysql_to_holo_sync_8772")
    old = version == V2020

    stopped = vendor.stop(11668)
    assert stopped.request_id
    assert old or stopped.success is True

    got = vendor.call("get_dijob", "GetDIJobRequest", **{vendor.id_field: 11668})
    job = got.data if old else got.paging_info
    assert job.job_status == ("Stopped" if old else "Stop")
    assert (job.dijob_id, job.project_id) == (11668 if old else "11668", 1967)
    assert (job.source_data_source_type, job.destination_data_source_type) == ("MySQL", "Hologres")
    assert job.table_mappings[0].source_object_selection_rules[0].object_type == "Table"

    settings = importlib.import_module(f"{vendor.models.__name__}._start_dijob_request")
    begin = settings.StartDIJobRequestRealtimeStartSettings(start_time=1671516776)
    fields = {"realtime_start_settings": begin, "force_to_rerun": True, vendor.id_field: 11668}
    assert vendor.call("start_dijob", "StartDIJobRequest", **fields).request_id

    listed = vendor.call("list_dijobs", "ListDIJobsRequest", project_id=1967, page_size=10)
    page = listed.dijob_paging if old else listed.paging_info
    assert [(item.dijob_id, item.job_status) for item in page.dijobs] == [(11668, "Running")]

    projects = vendor.call("list_projects", "ListProjectsRequest", page_size=10)
    names = projects.page_result.project_list if old else projects.paging_info.projects
    assert [project.project_id if old else project.id for project in names] == [1967]

    seen = emulator.job(11668)
    assert (seen.effective_stops, seen.effective_starts) == (1, 1)
    assert (seen.start_time, seen.force_to_rerun) == (1671516776, True)
    assert {(call.outcome, call.version) for call in emulator.calls} == {("served", version)}
    assert {call.signature for call in emulator.calls} == {"HMAC-SHA1" if signature == "v2" else signature}
    assert len({call.nonce for call in emulator.calls}) == 5


@VERSIONS
@SIGNATURES
@MODES
def test_the_sdk_reports_a_wrong_secret(emulator, version, signature, asynchronous):
    """400 SignatureDoesNotMatch."""
    vendor = Vendor(emulator, version, signature, asynchronous, access_key_secret="wrong")
    assert client_error(vendor) == (400, "SignatureDoesNotMatch")


@VERSIONS
@SIGNATURES
def test_the_sdk_reports_an_unknown_key(emulator, version, signature):
    """404 InvalidAccessKeyId.NotFound."""
    vendor = Vendor(emulator, version, signature, False, access_key_id="LTAInobody")
    assert client_error(vendor) == (404, "InvalidAccessKeyId.NotFound")


@VERSIONS
@SIGNATURES
def test_the_sdk_reports_a_wrong_token(emulators, version, signature):
    """400 InvalidSecurityToken."""
    vendor = Vendor(emulators[TOKEN], version, signature, False, security_token="stale")
    assert client_error(vendor) == (400, "InvalidSecurityToken.Malformed")


@VERSIONS
@SIGNATURES
@MODES
@pytest.mark.parametrize("offset", [3600.0, -3600.0])
def test_the_sdk_reports_a_wrong_clock(emulator, version, signature, asynchronous, offset):
    """400 InvalidTimeStamp.Expired; the SDK corrects nothing by itself."""
    emulator.clock_offset = offset
    assert client_error(Vendor(emulator, version, signature, asynchronous)) == (400, "InvalidTimeStamp.Expired")


@VERSIONS
def test_the_sdk_reports_an_unknown_job(emulator, version):
    """Each version in its own way."""
    expected = {V2020: (404, "InvalidDIJobId.NotFound"), V2024: (400, "500130")}
    assert client_error(Vendor(emulator, version, "ACS3-HMAC-SHA256", False), job=5) == expected[version]


@VERSIONS
@SIGNATURES
def test_the_sdk_reports_a_reused_nonce(emulator, version, signature, monkeypatch):
    """The same request again, as a retry below the signer would send it."""
    utils = importlib.import_module("alibabacloud_tea_openapi.utils")
    emulator.add_job(11668)
    vendor = Vendor(emulator, version, signature, False)
    moment = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
    monkeypatch.setattr(utils.Utils, "get_nonce", staticmethod(lambda: f"same-{version}-{signature}"))
    monkeypatch.setattr(utils.Utils, "get_timestamp", staticmethod(lambda: moment))
    vendor.stop(11668)
    assert client_error(vendor) == (400, "SignatureNonceUsed")
    assert emulator.job(11668).effective_stops == 1


@VERSIONS
@MODES
def test_the_sdk_sees_throttling_by_the_hint_it_knows(emulator, version, asynchronous):
    """Only x-acs-retry-after makes it a ThrottlingException, whatever the code."""
    errors = importlib.import_module("alibabacloud_tea_openapi.exceptions")
    emulator.add_job(11668)
    emulator.inject({"throttle": {"hints": {"x-acs-retry-after": 2000}}}, {"throttle": True})
    vendor = Vendor(emulator, version, "ACS3-HMAC-SHA256", asynchronous)
    with pytest.raises(errors.ThrottlingException) as throttled:
        vendor.stop(11668)
    assert (throttled.value.status_code, throttled.value.code) == (429, "Throttling.User")
    assert throttled.value.retry_after == 2000
    assert client_error(vendor) == (429, "Throttling.User")
    vendor.stop(11668)
    assert emulator.job(11668).effective_stops == 1


def test_the_sdk_reads_an_error_in_xml(emulator):
    """It parses XML under one exact content type, and only for errors."""
    utils_models = importlib.import_module("alibabacloud_tea_openapi.utils_models")
    parameters = utils_models.GlobalParameters(headers={"accept": "application/xml"})
    vendor = Vendor(emulator, V2024, "ACS3-HMAC-SHA256", False, global_parameters=parameters)
    assert client_error(vendor, job=5) == (400, "500130")


def test_the_sdk_does_not_notice_a_refusal_in_a_200(emulator):
    """Success false is the caller's to look at."""
    emulator.add_job(11668)
    emulator.inject({"success_false": True})
    assert Vendor(emulator, V2024, "ACS3-HMAC-SHA256", False).stop(11668).success is False
    assert emulator.job(11668).effective_stops == 0


@MODES
def test_the_sdk_reports_a_server_error_and_a_lost_answer(emulator, asynchronous):
    """5xx as its ServerException; a dropped connection as the one that holds the cause."""
    errors = importlib.import_module("alibabacloud_tea_openapi.exceptions")
    dara = importlib.import_module("darabonba.exceptions")
    emulator.add_job(11668)
    emulator.inject({"error": {}}, {"drop": "after"})
    # Not the newer version: there the asynchronous client's HTTP library sends a GET whose connection broke once more
    # by itself, with the same nonce, and what comes back is SignatureNonceUsed.
    vendor = Vendor(emulator, V2020, "ACS3-HMAC-SHA256", asynchronous)
    with pytest.raises(errors.ServerException) as failed:
        vendor.stop(11668)
    assert (failed.value.status_code, failed.value.code) == (500, "InternalError.System")
    with pytest.raises(dara.UnretryableException):
        vendor.stop(11668)
    assert emulator.job(11668).effective_stops == 1
