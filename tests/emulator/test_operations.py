"""What each operation answers, in both versions, in JSON and XML, through the whole service but without a socket."""

from __future__ import annotations

import json
from email.utils import parsedate_to_datetime
from xml.etree import ElementTree

import pytest

from airflow_provider_dataworks.client.auth import signing
from airflow_provider_dataworks.emulator.job_store import Behaviour
from airflow_provider_dataworks.emulator.operations import OPERATIONS
from airflow_provider_dataworks.emulator.quotas import Quotas
from airflow_provider_dataworks.emulator.requests import Request

V2020, V2024 = "2020-05-18", "2024-05-18"
VERSIONS = pytest.mark.parametrize("version", [V2020, V2024])
ID_OF = {V2020: "DIJobId", V2024: "Id"}
ALARM_RULE = {
    "DIAlarmRuleId": 1,
    "MetricType": "Delay",
    "NotificationSettings": '{"NotificationChannels": [{"Severity": "Warning", "Channels": ["Mail"]}],'
    '"NotificationReceivers": [{"ReceiverType": "AliyunUid", "ReceiverValues": ["1"]}]}',
    "TriggerConditions": '[{"Severity": "Warning"}]',
}


def answered(service, request) -> tuple[int, dict]:
    """Status and JSON of the answer."""
    answer, _ = service.handle(request)
    assert answer.headers["Content-Type"] == "application/json;charset=utf-8"
    return answer.status, json.loads(answer.body)


def code(service, request) -> tuple[int, str]:
    """Status and vendor code of an error answer."""
    status, body = answered(service, request)
    assert set(body) == {"RequestId", "HostId", "Code", "Message"}
    return status, body["Code"]


def test_a_stop_answers_what_the_version_documents(new_service, signer):
    """Only the newer version has Success."""
    service = new_service()
    status, old = answered(service, signer.request("StopDIJob", DIJobId=11668))
    assert (status, set(old)) == (200, {"RequestId"})
    status, new = answered(service, signer.but(version=V2024).request("StopDIJob", Id=11668, InstanceId=1234))
    assert (status, new) == (200, {"RequestId": new["RequestId"], "Success": True})
    assert service.job(11668).effective_stops == 1
    assert service.job(11668).stop_calls == 2


def test_a_start_answers_and_records_how_it_was_asked(new_service, signer, clock):
    """StartTime resets the offset, so a test must be able to see whether it was sent."""
    service = new_service(jobs={11743: "Stopped"})
    settings = '{"StartTime":1671516776,"FailoverSettings":{"Interval":10,"UpperLimit":30}}'
    params = {"DIJobId": 11743, "RealtimeStartSettings": settings, "ForceToRerun": "True"}
    assert answered(service, signer.request("StartDIJob", **params))[0] == 200
    job = service.job(11743)
    assert (job.status, job.start_time, job.force_to_rerun) == ("Initialized", 1671516776, True)
    clock.pass_(1)
    assert service.job(11743).status == "Running"
    assert answered(service, signer.but(version=V2024).request("StartDIJob", Id=11743))[1]["Success"] is True
    assert service.job(11743).start_calls == 2


@pytest.mark.parametrize("settings", ["{", "[]", '{"StartTime":"soon"}', '{"StartTime":[]}', '{"StartTime":1e999}'])
def test_start_settings_that_cannot_be_read_are_refused(new_service, signer, settings):
    """Nothing is started then."""
    service = new_service(jobs={1: "Stopped"})
    request = signer.request("StartDIJob", DIJobId=1, RealtimeStartSettings=settings)
    assert code(service, request) == (400, "InvalidParameter")
    assert service.job(1).effective_starts == 0


def test_a_job_of_2020_comes_as_data(new_service, signer, clock):
    """Envelope, fields and times of the older version."""
    service = new_service(jobs={11668: {"status": "Failed", "error_message": "binlog lost", "project_id": 22}})
    _, body = answered(service, signer.request("GetDIJob", DIJobId=11668))
    data = body["Data"]
    assert (data["DIJobId"], data["JobStatus"], data["ErrorMessage"]) == (11668, "Failed", "binlog lost")
    assert (data["ProjectId"], data["JobName"]) == (22, "mysql_to_holo_sync_11668")
    assert data["CreatedTime"] == int(clock())
    assert "JobType" not in data


def test_a_job_of_2024_comes_as_paging_info(new_service, signer):
    """Envelope and fields of the newer version: no error text, the id in two types."""
    service = new_service(jobs={11668: {"status": "Failed", "error_message": "binlog lost"}})
    _, body = answered(service, signer.but(version=V2024).request("GetDIJob", Id=11668, ProjectId=1967))
    info = body["PagingInfo"]
    assert (info["Id"], info["DIJobId"], info["JobStatus"]) == (11668, "11668", "Failed")
    assert info["JobType"] == "DatabaseRealtimeMigration"
    assert "ErrorMessage" not in info


def test_details_can_be_left_out(new_service, signer):
    """They are there by default; the SDK spells false as False."""
    service = new_service()
    for version, envelope in ((V2020, "Data"), (V2024, "PagingInfo")):
        ask = signer.but(version=version)
        assert "TableMappings" in answered(service, ask.request("GetDIJob", DIJobId=11668))[1][envelope]
        brief = ask.request("GetDIJob", DIJobId=11668, WithDetails="False")
        assert "TableMappings" not in answered(service, brief)[1][envelope]
        wrong = ask.request("GetDIJob", DIJobId=11668, WithDetails="no")
        assert code(service, wrong) == (400, "InvalidParameter")


def test_stopped_is_spelt_stop_in_one_place_only(new_service, signer):
    """GetDIJob of the newer version, by the vendor's own pages."""
    service = new_service(jobs={1: "Stopped"})
    new = signer.but(version=V2024)
    assert answered(service, new.request("GetDIJob", Id=1))[1]["PagingInfo"]["JobStatus"] == "Stop"
    assert answered(service, signer.request("GetDIJob", DIJobId=1))[1]["Data"]["JobStatus"] == "Stopped"
    listed = answered(service, new.request("ListDIJobs", ProjectId=1967))[1]["PagingInfo"]["DIJobs"]
    assert listed[0]["JobStatus"] == "Stopped"


def test_an_unknown_status_comes_out_as_it_was_set(new_service, signer):
    """A status the API adds later must reach the client as it is."""
    service = new_service()
    service.set_status(11668, "Hibernating")
    for version, envelope in ((V2020, "Data"), (V2024, "PagingInfo")):
        body = answered(service, signer.but(version=version).request("GetDIJob", DIJobId=11668))[1]
        assert body[envelope]["JobStatus"] == "Hibernating"


@VERSIONS
@pytest.mark.parametrize("action", ["StopDIJob", "StartDIJob", "GetDIJob"])
@pytest.mark.parametrize("value", ["0", "-1", "9223372036854775808", "abc", "1.5", "٣"])
def test_an_id_that_is_none_is_an_invalid_parameter(new_service, signer, version, action, value):
    """Ids are positive 64-bit integers."""
    request = signer.but(version=version).request(action, **{ID_OF[version]: value})
    assert code(new_service(), request) == (400, "InvalidParameter")


@VERSIONS
@pytest.mark.parametrize("action", ["StopDIJob", "StartDIJob", "GetDIJob", "ListDIJobs"])
def test_a_missing_parameter_is_named(new_service, signer, version, action):
    """MissingDIJobId, MissingId, MissingProjectId."""
    name = "ProjectId" if action == "ListDIJobs" else ID_OF[version]
    assert code(new_service(), signer.but(version=version).request(action)) == (400, f"Missing{name}")


@pytest.mark.parametrize("action", ["StopDIJob", "StartDIJob", "GetDIJob"])
def test_an_unknown_job_is_told_in_the_versions_own_way(new_service, signer, action):
    """A number in the newer version, our guess in the older."""
    assert code(new_service(), signer.request(action, DIJobId=5)) == (404, "InvalidDIJobId.NotFound")
    assert code(new_service(), signer.but(version=V2024).request(action, Id=5)) == (400, "500130")


def test_a_job_of_another_project_is_unknown(new_service, signer):
    """The newer version takes the project along."""
    request = signer.but(version=V2024).request("GetDIJob", Id=11668, ProjectId=5)
    assert code(new_service(), request) == (400, "500130")


def test_the_newer_version_still_takes_the_old_name_of_the_id(new_service, signer):
    """Deprecated, not gone."""
    assert answered(new_service(), signer.but(version=V2024).request("StopDIJob", DIJobId=11668))[0] == 200


def test_jobs_are_listed_page_by_page(new_service, signer):
    """Both versions count pages from 1; a page past the end is empty."""
    service = new_service(jobs={**dict.fromkeys(range(1, 24), "Running"), 99: {"project_id": 5}})
    for version, envelope in ((V2020, "DIJobPaging"), (V2024, "PagingInfo")):
        ask = signer.but(version=version)
        page = answered(service, ask.request("ListDIJobs", ProjectId=1967))[1][envelope]
        assert (page["TotalCount"], page["PageNumber"], page["PageSize"]) == (23, 1, 10)
        assert [item["DIJobId"] for item in page["DIJobs"]] == list(range(1, 11))
        last = ask.request("ListDIJobs", ProjectId=1967, PageNumber=3, PageSize=10)
        assert [item["DIJobId"] for item in answered(service, last)[1][envelope]["DIJobs"]] == [21, 22, 23]
        past = ask.request("ListDIJobs", ProjectId=1967, PageNumber=2**62, PageSize=100)
        assert answered(service, past)[1][envelope]["DIJobs"] == []
        item = page["DIJobs"][0]
        assert item["JobStatus"] == "Running"
        assert (item.get("Id"), "Owner" in item) == ((None, False) if version == V2020 else (1, True))


@pytest.mark.parametrize(("name", "value"), [("PageNumber", "0"), ("PageSize", "101"), ("PageSize", "x")])
def test_a_page_that_cannot_be_is_refused(new_service, signer, name, value):
    """At most 100 jobs a page."""
    request = signer.request("ListDIJobs", ProjectId=1967, **{name: value})
    assert code(new_service(), request) == (400, f"Invalid{name}")


@VERSIONS
def test_jobs_are_filtered_by_name_and_type(new_service, signer, version):
    """The name is matched loosely, so a client must look again; types whatever their case."""
    jobs = {1: {"name": "a_test"}, 2: {"name": "a_test_2"}, 3: {"name": "b", "destination_type": "Hive"}}
    service = new_service(jobs=jobs)

    def listed(**filters: str) -> list[int]:
        request = signer.but(version=version).request("ListDIJobs", ProjectId=1967, **filters)
        body = answered(service, request)[1]
        return [item["DIJobId"] for item in body["DIJobPaging" if version == V2020 else "PagingInfo"]["DIJobs"]]

    assert listed(**{"JobName" if version == V2020 else "Name": "a_test"}) == [1, 2]
    assert listed(DestinationDataSourceType="HIVE") == [3]
    assert listed(SourceDataSourceType="Kafka") == []


def test_projects_are_listed_in_the_versions_own_envelope(new_service, signer):
    """What a connection test asks for; one project is there even without jobs."""
    service = new_service(jobs={1: "Running", 2: {"project_id": 22}})
    old = answered(service, signer.request("ListProjects", PageSize=10))[1]["PageResult"]
    assert [project["ProjectId"] for project in old["ProjectList"]] == [22, 1967]
    new = answered(service, signer.but(version=V2024).request("ListProjects", PageSize=1))[1]["PagingInfo"]
    assert (new["TotalCount"], [project["Id"] for project in new["Projects"]]) == (2, [22])
    empty = answered(new_service(jobs={}), signer.request("ListProjects"))[1]["PageResult"]
    assert [project["ProjectId"] for project in empty["ProjectList"]] == [1967]


@pytest.mark.parametrize("action", ["StopDIJob", "StartDIJob", "GetDIJob", "ListDIJobs"])
def test_the_newer_version_serves_its_operations_by_get_only(new_service, signer, action):
    """The metadata declare one method."""
    request = signer.but(version=V2024, method="POST").request(action, Id=11668, ProjectId=1967)
    assert code(new_service(), request) == (400, "UnsupportedHTTPMethod")


def test_the_newer_version_lists_projects_by_post_only(new_service, signer):
    """The metadata declare one method."""
    request = signer.but(version=V2024, method="GET").request("ListProjects")
    assert code(new_service(), request) == (400, "UnsupportedHTTPMethod")


@pytest.mark.parametrize("signature", signing.SIGNATURES)
def test_the_older_version_takes_parameters_from_the_query_too(new_service, signer, signature):
    """As its documented sample requests do."""
    request = signer.but(method="GET", signature=signature).request("StopDIJob", DIJobId=11668)
    assert answered(new_service(), request)[0] == 200


@pytest.mark.parametrize(("action", "version"), [("DeleteDIJob", V2020), ("StopDIJob", "2019-01-01"), ("", V2024)])
def test_what_is_not_served_is_not_found(new_service, signer, action, version):
    """Unknown operations and versions alike."""
    request = signer.but(version=version).request(action, Id=1)
    assert code(new_service(), request) == (404, "InvalidAction.NotFound")


def test_another_path_is_not_found(new_service):
    """The API lives on the root path; without a signature the answer is XML, the documented default."""
    answer, record = new_service().handle(Request("GET", "/favicon.ico"))
    assert (answer.status, record.code) == (404, "InvalidApi.NotFound")
    assert answer.headers["Content-Type"] == "text/xml;charset=utf-8"


@pytest.mark.parametrize(("version", "action"), sorted(OPERATIONS))
@pytest.mark.parametrize("signature", signing.SIGNATURES)
def test_every_operation_answers_in_xml_too(new_service, signer, version, action, signature):
    """The root is named after the operation, and a list is its name repeated."""
    jobs = {1: {"name": "<&>\x00", "alarm_rules": [{"id": 1, "metric": "Delay"}]}, 2: "Running"}
    service = new_service(jobs=jobs)
    metrics = {"DIJobId": 1, "StartTime": 1, "EndTime": 2, "MetricName": '["delayTime"]'}
    names = {"ListDIJobs": {"ProjectId": 1967}, "ListProjects": {}, "ListDIJobMetrics": metrics}
    names["ListDIJobEvents"] = {**metrics, "EventType": "DDL"}
    names |= {"GetDIAlarmRule": {"DIAlarmRuleId": 1}, "UpdateDIAlarmRule": ALARM_RULE}
    names["ListDIAlarmRules"] = {"DIJobId": 1, "JobId": 1}
    ask = signer.but(version=version, signature=signature, accept="application/xml")
    answer, _ = service.handle(ask.request(action, **names.get(action, {ID_OF[version]: 1})))
    assert (answer.status, answer.headers["Content-Type"]) == (200, "text/xml;charset=utf-8")
    root = ElementTree.fromstring(answer.body)  # noqa: S314 - our own text
    assert root.tag == f"{action}Response"
    assert root.findtext("RequestId")
    if action == "ListDIJobs":
        names_found = [node.text for node in root.iter("JobName")]
        assert names_found == ["<&>\ufffd", "mysql_to_holo_sync_2"]
        assert len(root.findall("*/DIJobs")) == 2
    if version == V2024 and action.endswith("pDIJob"):
        assert root.findtext("Success") == "true"


@pytest.mark.parametrize("signature", signing.SIGNATURES)
def test_errors_answer_in_xml_too(new_service, signer, signature):
    """Root Error, as documented."""
    ask = signer.but(signature=signature, accept="text/xml")
    answer, _ = new_service().handle(ask.request("StopDIJob", DIJobId=5))
    root = ElementTree.fromstring(answer.body)  # noqa: S314 - our own text
    assert (root.tag, root.findtext("Code"), root.findtext("HostId")) == (
        "Error",
        "InvalidDIJobId.NotFound",
        "127.0.0.1:8900",
    )


def test_a_refusal_in_a_200_answers_in_xml_too(new_service, signer):
    """What has no value has no element."""
    service = new_service(faults=({"success_false": {"code": "9990040003"}},))
    ask = signer.but(version=V2024, accept="application/xml")
    root = ElementTree.fromstring(service.handle(ask.request("StopDIJob", Id=11668))[0].body)  # noqa: S314 - our own text
    assert [(node.tag, node.text) for node in root][1:] == [("Success", "false"), ("Code", "9990040003")]


def test_a_job_name_no_encoding_can_hold_does_not_break_the_answer(new_service, signer):
    """A lone surrogate can come in over JSON."""
    service = new_service(jobs={1: {"name": "a\ud800"}})
    assert answered(service, signer.request("GetDIJob", DIJobId=1))[1]["Data"]["JobName"] == "a?"


def test_answers_carry_the_shifted_clock(new_service, signer, clock):
    """A client that is refused for its clock takes the right time from here."""
    service = new_service(clock_offset=1200.0)
    answer, record = service.handle(signer.request("StopDIJob", DIJobId=11668))
    assert record.code == "InvalidTimeStamp.Expired"
    shown = parsedate_to_datetime(answer.headers["Date"]).timestamp()
    assert shown == int(clock() + 1200)
    right = signer.but(now=lambda: shown)
    assert answered(service, right.request("StopDIJob", DIJobId=11668))[0] == 200


def test_quotas_hold_for_signed_calls_only(new_service, signer):
    """A stranger cannot use up the account's calls."""
    service = new_service(quotas=Quotas(calls_per_day=1))
    for _ in range(3):
        assert code(service, signer.but(secret="x").request("ListProjects"))[1] == "SignatureDoesNotMatch"
    assert answered(service, signer.request("ListProjects"))[0] == 200
    assert code(service, signer.request("ListProjects")) == (429, "Throttling.Api.Risk")
    service.set_quotas({"calls_per_day": None, "calls_per_second": 1})
    assert answered(service, signer.request("ListProjects"))[0] == 200
    assert code(service, signer.request("ListProjects")) == (429, "Throttling.User")


def test_a_refused_stop_of_a_stopped_job_reaches_the_caller(new_service, signer):
    """As configured."""
    service = new_service(jobs={1: "Stopped"}, behaviour=Behaviour(stop_of_stopped="refuse"))
    assert code(service, signer.request("StopDIJob", DIJobId=1)) == (400, "InvalidDIJobStatus")
    service = new_service(jobs={1: "Running"}, behaviour=Behaviour(start_of_running="refuse"))
    assert code(service, signer.request("StartDIJob", DIJobId=1)) == (400, "InvalidDIJobStatus")


@pytest.mark.parametrize("signature", signing.SIGNATURES)
def test_calls_are_recorded_without_secrets(new_service, signer, signature):
    """Enough to see what happened, nothing to sign with."""
    service = new_service()
    ask = signer.but(signature=signature, nonce="n-1")
    service.handle(ask.request("StopDIJob", DIJobId=11668))
    (record,) = service.calls
    assert (record.operation, record.version, record.job_id) == ("StopDIJob", V2020, 11668)
    assert (record.outcome, record.code, record.http_status) == ("served", "", 200)
    assert (record.status_before, record.status_after) == ("Running", "Stopping")
    assert (record.signature, record.nonce, record.params) == (signature, "n-1", {"DIJobId": "11668"})
    service.add_access_key(type(service.settings.access_keys[0])("STS.x", "other-secret", "tok-en"))
    service.handle(ask.but(access_key_id="STS.x", secret="other-secret", token="tok-en").request("ListProjects"))
    service.handle(ask.but(secret="wrong-secret").request("StopDIJob", DIJobId=11668))
    text = repr(service.calls)
    assert "Signature=" not in text
    assert not [word for word in ("emulator-secret", "tok-en", "wrong-secret") if word in text]
    assert service.calls[-1].params == {}


def test_counts_and_a_reset(new_service, signer, clock):
    """After a reset all is as at the start, but a call sent before cannot be sent again."""
    service = new_service(faults=({"operation": "GetDIJob", "throttle": True},))
    service.put_job(5, "Stopped")
    service.inject({"drop": "before"})
    service.set_quotas({"calls_per_day": 10})
    stop = signer.request("StopDIJob", DIJobId=11668)
    service.handle(signer.request("GetDIJob", DIJobId=11668))
    service.handle(signer.request("GetDIJob", DIJobId=11668))
    service.handle(stop)
    assert (service.count(), service.count("GetDIJob"), service.count("GetDIJob", "refused")) == (3, 2, 1)
    assert (service.count(outcome="broken"), service.count(outcome="served")) == (1, 1)
    with pytest.raises(ValueError, match="outcome: 'ok'"):
        service.count(outcome="ok")
    service.clock_offset = 60.0
    service.reset()
    state = service.state()
    assert (list(state["jobs"]), state["jobs"]["11668"]["stop_calls"]) == (["11668"], 0)
    assert (state["totals"]["all"], state["calls"], service.clock_offset) == (0, {}, 0.0)
    assert state["quotas"] == {"calls_per_second": None, "calls_per_day": None, "burst": None, "calls_today": 0}
    assert [fault["fired"] for fault in state["faults"]] == [0]
    assert code(service, stop)[1] == "SignatureNonceUsed"


def test_an_unknown_job_is_a_key_error(new_service):
    """Asking the emulator for a job it has not is a mistake of the test."""
    with pytest.raises(KeyError, match="no job 5"):
        new_service().job(5)


def test_the_state_is_json(new_service, signer):
    """It is what the control endpoint sends."""
    service = new_service()
    service.handle(signer.request("StopDIJob", DIJobId=11668))
    state = json.loads(json.dumps(service.state()))
    assert [step["status"] for step in state["jobs"]["11668"]["history"]] == ["Running", "Stopping"]
    assert state["calls"] == {"StopDIJob": {"served": 1, "refused": 0, "broken": 0}}
