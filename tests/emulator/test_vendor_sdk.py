"""The vendor's own SDKs drive the emulator: they are the independent judge of its signatures, envelopes and errors."""

from __future__ import annotations

import asyncio
import importlib
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
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


@SIGNATURES
def test_the_sdk_reads_how_a_job_runs(new_vendor, signature):
    """Metrics, events, tables and log, which only the newer version has."""
    emulator, vendor = new_vendor(V2024, signature, "", False)
    now = int(time.time())
    tables = [{"source": "shop.orders", "destination": "public.orders", "status": "Failed", "error": "no column"}]
    events = [{"kind": "DDL", "at": now - 60, "text": "ALTER TABLE orders", "table": "orders"}]
    emulator.add_job(11668, lag=12, metrics_period=1, tables=tables, events=events, log=["first", "last"])
    emulator.add_job(11669, full_load=True)
    time.sleep(1.1)  # the SDK signs by the real clock, and samples are a second apart

    span = {"dijob_id": 11668, "start_time": now - 100, "end_time": now + 100}
    names = ["delayTime", "speedRecordsRead"]
    metrics = vendor.call("list_dijob_metrics", "ListDIJobMetricsRequest", **span, metric_name=names)
    delay, speed = metrics.paging_info.job_metrics
    assert (delay.name, speed.name) == ("JobDelay", "speedRecordsRead")
    assert {sample.value for sample in delay.series_list} == {12.0}
    assert all(now <= sample.time <= now + 60 for sample in delay.series_list)

    told = vendor.call(
        "list_dijob_events", "ListDIJobEventsRequest", **span, event_type="DDL", page_size=10
    ).paging_info
    (event,) = told.dijob_event
    assert (told.total_count, event.create_time, event.src_sql) == (1, str(now - 60), "ALTER TABLE orders")

    ask = {"dijob_id": 11668, "instance_id": 1234, "page_number": 1, "source_table_name": "orders"}
    (table,) = vendor.call("list_dijob_run_details", "ListDIJobRunDetailsRequest", **ask).paging_info.job_run_infos
    assert (table.realtime_migration_status, table.realtime_migration_error_message) == ("Failed", "no column")
    loading = vendor.call("list_dijob_run_details", "ListDIJobRunDetailsRequest", dijob_id=11669).paging_info
    assert (loading.total_count, loading.job_run_infos[0].full_migration_status) == ("1", "Running")

    logs = [
        vendor.call("get_dijob_log", "GetDIJobLogRequest", id=11668, node_type="MASTER", page_number=page).log
        for page in (1, 2)
    ]
    assert logs == ["first\nlast", ""]
    assert {call.outcome for call in emulator.calls} == {"served"}


@VERSIONS
@SIGNATURES
def test_the_sdk_reads_and_switches_alarm_rules(new_vendor, version, signature):
    """The older version takes the whole rule as it was read; the newer one the switch alone."""
    emulator, vendor = new_vendor(version, signature, "", False)
    rule = {"id": 45242, "metric": "Delay", "name": "late", "receivers": {"DingToken": ["ding-token"]}}
    emulator.add_job(11668, alarm_rules=[rule, {"id": 45243, "metric": "Heartbeat"}])
    (before, other), old = emulator.alarm_rules(11668), version == V2020

    listed = vendor.call(
        "list_dialarm_rules", "ListDIAlarmRulesRequest", **{"dijob_id" if old else "job_id": 11668, "page_size": 100}
    )
    page = listed.dialarm_rule_paging if old else listed.paging_info
    read = page.dijob_alarm_rules[0]
    assert (page.total_count, read.dialarm_rule_id, read.enabled, read.metric_type) == (2, 45242, True, "Delay")
    assert read.notification_settings.notification_receivers[0].receiver_values == ["ding-token"]
    assert old or (read.id, read.name, read.notification_settings.mute_interval) == (45242, "late", 5)

    fields: dict[str, Any] = {"id": 45242, "enabled": False}
    if old:
        read = vendor.call("get_dialarm_rule", "GetDIAlarmRuleRequest", dialarm_rule_id=45242).dialarm_rule
        assert read.updated_time == int(before.updated_at)
        sent = importlib.import_module(f"{vendor.models.__name__}._update_dialarm_rule_request")
        conditions = [
            sent.UpdateDIAlarmRuleRequestTriggerConditions().from_map(each.to_map()) for each in read.trigger_conditions
        ]
        settings = sent.UpdateDIAlarmRuleRequestNotificationSettings().from_map(read.notification_settings.to_map())
        fields = {"dialarm_rule_id": 45242, "metric_type": read.metric_type, "enabled": False}
        fields |= {"notification_settings": settings, "trigger_conditions": conditions}
    changed = vendor.call("update_dialarm_rule", "UpdateDIAlarmRuleRequest", **fields)
    assert changed.request_id
    assert old or changed.success is True

    after, untouched = emulator.alarm_rules(11668)
    assert after == replace(before, enabled=False, changes=1, updated_at=after.updated_at)
    assert untouched == other
    assert {(call.outcome, call.job_id) for call in emulator.calls} == {("served", 11668)}
    assert "ding-token" not in repr(emulator.calls)


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
