"""What each answer means: JSON and XML, both envelopes, documented and unheard-of statuses, halves and lies."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable
from typing import Any

import pytest
from fake_dataworks import xml_answer

from airflow_provider_dataworks.client.config import API_2020, API_2024, API_VERSIONS
from airflow_provider_dataworks.client.http.decoding import Reply
from airflow_provider_dataworks.client.http.responses import parse
from airflow_provider_dataworks.client.models import DIJob, JobStatus, Page, Verdict
from airflow_provider_dataworks.client.operations import APIS, Api, Call
from airflow_provider_dataworks.exceptions import (
    DataWorksError,
    DataWorksForbidden,
    DataWorksInvalidRequest,
    DataWorksQuotaExceeded,
    DataWorksThrottled,
    DataWorksUnavailable,
    DIJobFailed,
)

JOB_2020 = {"ProjectId": 22, "DIJobId": 11588, "JobName": "j", "JobStatus": "Failed", "ErrorMessage": "binlog lost"}
JOB_2024 = {
    "Id": 32601,
    "DIJobId": "32601",
    "ProjectId": 98330,
    "JobName": "j",
    "JobType": "DatabaseRealtimeMigration",
    "JobStatus": "Running",
}
as_json_and_xml = pytest.mark.parametrize("spelled", ["json", "xml"])


def get_job(api: Api) -> Call[DIJob]:
    """GetDIJob about the job of these tests."""
    return api.GetDIJob(11588 if api.version == API_2020 else 32601)


def stop_job(api: Api) -> Call[str]:
    """StopDIJob about the job of these tests."""
    return api.StopDIJob(11588)


def list_jobs(api: Api) -> Call[Page]:
    """ListDIJobs of some workspace."""
    return api.ListDIJobs(22, None, 1)


def list_projects(api: Api) -> Call[int]:
    """ListProjects."""
    return api.ListProjects()


def read(call: Call[Any], payload: Any, spelled: str = "json", status: int = 200) -> Any:
    """What the call makes of such an answer."""
    if spelled == "xml":
        body = xml_answer(f"{call.action}Response", payload).content
    else:
        body = payload if isinstance(payload, bytes) else json.dumps(payload).encode()
    reply = Reply(status, {"content-type": f"text/{spelled}"}, body, 0.0)
    return call.read(call.action, parse(call.action, call.di_job_id, reply))


@as_json_and_xml
@pytest.mark.parametrize("ask", [stop_job, lambda api: api.StartDIJob(1, None, None)], ids=["stop", "start"])
@pytest.mark.parametrize(
    ("version", "payload"),
    [(API_2020, {"RequestId": "R-1"}), (API_2024, {"Success": True, "RequestId": "R-1"})],
)
def test_stop_and_start_answer_with_a_request_id(
    version: str, payload: dict[str, Any], ask: Callable[[Api], Call[str]], spelled: str
):
    """The request id is all there is to an accepted stop or start."""
    assert read(ask(APIS[version]), payload, spelled) == "R-1"


@as_json_and_xml
@pytest.mark.parametrize(
    ("version", "payload", "expected"),
    [
        pytest.param(
            API_2020,
            {"RequestId": "R", "Data": JOB_2020},
            DIJob(11588, JobStatus.FAILED, project_id=22, name="j", error_message="binlog lost"),
            id=API_2020,
        ),
        pytest.param(
            API_2024,
            {"RequestId": "R", "PagingInfo": JOB_2024},
            DIJob(32601, JobStatus.RUNNING, project_id=98330, name="j", job_type="DatabaseRealtimeMigration"),
            id=API_2024,
        ),
        pytest.param(
            API_2024,
            {"RequestId": "R", "PagingInfo": {"DIJobId": "32601", "JobStatus": "Stop"}},
            DIJob(32601, JobStatus.STOPPED),
            id="only the deprecated id",
        ),
    ],
)
def test_one_job_is_read_from_either_envelope(version: str, payload: dict[str, Any], expected: DIJob, spelled: str):
    """The versions differ in envelope, id and facts; what comes out is one kind of job."""
    job = read(get_job(APIS[version]), payload, spelled)

    assert job == expected
    assert job.raw["JobStatus"] == payload.get("Data", payload.get("PagingInfo"))["JobStatus"]
    assert "raw" not in repr(job)


@as_json_and_xml
@pytest.mark.parametrize("count", [0, 1, 2])
@pytest.mark.parametrize(("version", "envelope"), [(API_2020, "DIJobPaging"), (API_2024, "PagingInfo")])
def test_a_page_holds_its_jobs_and_the_total(version: str, envelope: str, count: int, spelled: str):
    """No job, one job and several are three different spellings in XML."""
    fields = [{"DIJobId": n, "ProjectId": 22, "JobName": f"j{n}", "JobStatus": "Stopped"} for n in range(1, count + 1)]
    page = read(list_jobs(APIS[version]), {"RequestId": "R", envelope: {"TotalCount": 7, "DIJobs": fields}}, spelled)

    assert page.total == 7
    assert [(job.id, job.status, job.name) for job in page.jobs] == [
        (n, JobStatus.STOPPED, f"j{n}") for n in range(1, count + 1)
    ]


@as_json_and_xml
@pytest.mark.parametrize(("version", "envelope"), [(API_2020, "PageResult"), (API_2024, "PagingInfo")])
def test_workspaces_are_counted(version: str, envelope: str, spelled: str):
    """ListProjects proves the key and says how many workspaces there are."""
    assert read(list_projects(APIS[version]), {"RequestId": "R", envelope: {"TotalCount": 3}}, spelled) == 3


@pytest.mark.parametrize(
    ("spelled", "status"),
    [
        ("Initialized", JobStatus.INITIALIZED),
        ("Running", JobStatus.RUNNING),
        ("Stopping", JobStatus.STOPPING),
        ("Stopped", JobStatus.STOPPED),
        ("Stop", JobStatus.STOPPED),
        ("Failed", JobStatus.FAILED),
        ("Finished", JobStatus.FINISHED),
    ],
)
def test_every_documented_status_is_known(spelled: str, status: JobStatus):
    """`Stop`, which one operation of one version documents, and `Stopped` are one status."""
    assert JobStatus.read(spelled) is status


def test_an_unknown_status_is_kept_and_logged_once(caplog: pytest.LogCaptureFixture):
    """A status of tomorrow is no error, and no line for each look."""
    with caplog.at_level(logging.WARNING):
        found = [JobStatus.read("Hibernating-in-test-replies") for _ in range(3)]

    assert found == ["Hibernating-in-test-replies"] * 3
    assert not any(isinstance(status, JobStatus) for status in found)
    assert [record.args for record in caplog.records] == [("Hibernating-in-test-replies",)]


@pytest.mark.parametrize("version", API_VERSIONS)
@pytest.mark.parametrize(
    ("ask", "payload"),
    [
        pytest.param(stop_job, {}, id="stop without RequestId"),
        pytest.param(stop_job, {"RequestId": ""}, id="stop with empty RequestId"),
        pytest.param(stop_job, {"RequestId": ["R"]}, id="stop with a list for RequestId"),
        pytest.param(get_job, {"RequestId": "R"}, id="no envelope"),
        pytest.param(get_job, {"Data": [], "PagingInfo": []}, id="list for the envelope"),
        pytest.param(get_job, {"Data": "x", "PagingInfo": "x"}, id="text for the envelope"),
        pytest.param(get_job, {"Data": {}, "PagingInfo": {}}, id="empty envelope"),
        pytest.param(get_job, {"Data": {"DIJobId": 11588}, "PagingInfo": {"Id": 32601}}, id="no status"),
        pytest.param(
            get_job,
            {"Data": {"DIJobId": 11588, "JobStatus": {}}, "PagingInfo": {"Id": 32601, "JobStatus": []}},
            id="status of a wrong type",
        ),
        pytest.param(
            get_job, {"Data": {"JobStatus": "Running"}, "PagingInfo": {"JobStatus": "Running"}}, id="job without id"
        ),
        pytest.param(
            get_job,
            {"Data": {"DIJobId": "x", "JobStatus": "Running"}, "PagingInfo": {"Id": [], "JobStatus": "Running"}},
            id="id of a wrong type",
        ),
        pytest.param(
            get_job,
            b'{"Data": {"DIJobId": 1e999, "JobStatus": "Stop"}, "PagingInfo": {"Id": 1e999, "JobStatus": "Stop"}}',
            id="infinite id",
        ),
        pytest.param(
            get_job,
            {"Data": {"DIJobId": 5, "JobStatus": "Stopped"}, "PagingInfo": {"Id": 5, "JobStatus": "Stopped"}},
            id="another job",
        ),
        pytest.param(list_jobs, {"RequestId": "R"}, id="list without envelope"),
        pytest.param(list_jobs, {"DIJobPaging": {"DIJobs": []}, "PagingInfo": {"DIJobs": []}}, id="list without total"),
        pytest.param(
            list_jobs,
            {"DIJobPaging": {"TotalCount": 1, "DIJobs": ["x"]}, "PagingInfo": {"TotalCount": 1, "DIJobs": "x"}},
            id="list of something else",
        ),
        pytest.param(
            list_jobs,
            {"DIJobPaging": {"TotalCount": 1, "DIJobs": [{}]}, "PagingInfo": {"TotalCount": 1, "DIJobs": [{"Id": 1}]}},
            id="list of half a job",
        ),
        pytest.param(list_projects, {"RequestId": "R"}, id="projects without envelope"),
        pytest.param(list_projects, {"PageResult": {}, "PagingInfo": {"TotalCount": "x"}}, id="projects without total"),
    ],
)
def test_half_an_answer_is_no_answer(version: str, ask: Callable[[Api], Call[Any]], payload: Any):
    """A good status with a wrong body is trouble of the service, and the call may have had its effect."""
    call = ask(APIS[version])
    with pytest.raises(DataWorksUnavailable, match="incomplete or contradictory") as caught:
        read(call, payload)

    assert caught.value.sent
    assert caught.value.retryable
    assert caught.value.action == call.action


@pytest.mark.parametrize(
    "body",
    [b"", b'{"RequestId": ', b"[]", b"null", b'"x"', b"<html>login</html>", b"<StopDIJobResponse", b"\xff\xfe"],
    ids=ascii,
)
def test_a_body_that_is_no_answer_is_trouble_on_the_way(body: bytes):
    """Nothing of a foreign body is shown: it may repeat the request."""
    with pytest.raises(DataWorksUnavailable, match=f"not one of DataWorks .*{len(body)} bytes") as caught:
        read(stop_job(APIS[API_2020]), body)

    assert caught.value.sent
    assert "login" not in str(caught.value)


@pytest.mark.parametrize(
    ("status", "expected"),
    [(429, DataWorksThrottled), (502, DataWorksUnavailable), (403, DataWorksForbidden), (404, DataWorksInvalidRequest)],
)
def test_a_foreign_body_is_judged_by_the_http_status(status: int, expected: type[DataWorksError]):
    """A gateway's page still says by its status whether to try again."""
    with pytest.raises(DataWorksError) as caught:
        read(stop_job(APIS[API_2020]), b"<html>nginx</html>", status=status)

    assert type(caught.value) is expected
    assert (caught.value.status, caught.value.action, caught.value.di_job_id) == (status, "StopDIJob", 11588)


@pytest.mark.parametrize("status", [300, 301, 302, 303, 307, 308, 399])
def test_a_redirect_is_an_error_of_the_endpoint(status: int):
    """Following it would carry the signature elsewhere."""
    with pytest.raises(DataWorksInvalidRequest, match="redirect") as caught:
        read(stop_job(APIS[API_2020]), {"RequestId": "R"}, status=status)

    assert caught.value.status == status


@as_json_and_xml
@pytest.mark.parametrize("flag", ["Success", "success"])
@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        pytest.param({}, DataWorksUnavailable, id="without a code"),
        pytest.param({"Code": "Forbidden.Access", "Message": "m"}, DataWorksForbidden, id="with a code"),
        pytest.param({"ErrorCode": "Throttling.Api.Risk"}, DataWorksQuotaExceeded, id="older field names"),
        pytest.param({"errorCode": "9990030003", "errorMessage": "m"}, DataWorksInvalidRequest, id="numeric code"),
    ],
)
def test_success_false_is_an_error_whatever_the_http_status_says(
    flag: str, fields: dict[str, Any], expected: type[DataWorksError], spelled: str
):
    """A 200 with `Success: false` is no success."""
    with pytest.raises(DataWorksError) as caught:
        read(stop_job(APIS[API_2024]), {"RequestId": "R-1", flag: False, **fields}, spelled)

    assert type(caught.value) is expected
    assert (caught.value.status, caught.value.request_id) == (200, "R-1")
    assert caught.value.message


@pytest.mark.parametrize("code", ["", "0", "200", 200, "OK", "Success"], ids=repr)
def test_a_code_that_says_all_is_well_is_no_error(code: Any):
    """Some answers of the service carry a code in every case."""
    assert read(stop_job(APIS[API_2020]), {"RequestId": "R", "Code": code}) == "R"


def test_a_code_in_a_good_answer_is_an_error_unless_it_says_success():
    """An error envelope with HTTP 200 is not taken for an answer."""
    payload = {"RequestId": "R", "Code": "Throttling.User", "Message": "m"}
    with pytest.raises(DataWorksThrottled):
        read(stop_job(APIS[API_2024]), payload)

    assert read(stop_job(APIS[API_2024]), {**payload, "Success": True}) == "R"


@as_json_and_xml
def test_an_error_envelope_is_read_in_json_and_xml(spelled: str):
    """The gateway may answer an error in XML although JSON was asked for."""
    payload = {"RequestId": "R-1", "HostId": "h", "Code": "Forbidden.RAM", "Message": "no & <never>"}
    with pytest.raises(DataWorksForbidden, match="no & <never>") as caught:
        read(stop_job(APIS[API_2020]), payload, spelled, status=403)

    assert (caught.value.code, caught.value.request_id) == ("Forbidden.RAM", "R-1")


@pytest.mark.parametrize("code", ["SignatureDoesNotMatch", "IncompleteSignature"])
def test_the_string_to_sign_is_never_repeated(code: str):
    """The service echoes it, with every parameter in it; the error says what happened instead."""
    payload = {"RequestId": "R", "Code": code, "Message": "server string to sign is: GET&%2F&SecurityToken%3Dxyz"}
    with pytest.raises(DataWorksError) as caught:
        read(stop_job(APIS[API_2020]), payload, status=400)

    assert "SecurityToken" not in str(caught.value)
    assert caught.value.code == code


def test_a_message_has_an_end():
    """A page-long message does not flood the task log."""
    with pytest.raises(DataWorksError) as caught:
        read(stop_job(APIS[API_2020]), {"Code": "Forbidden", "Message": "x" * 10_000}, status=403)

    assert len(caught.value.message) == 600


def test_a_refusal_without_a_word_still_says_something():
    """An empty error envelope becomes a sentence."""
    with pytest.raises(DataWorksError, match="gave no message"):
        read(stop_job(APIS[API_2020]), {"RequestId": "R"}, status=500)
    with pytest.raises(DataWorksError, match="without saying why"):
        read(stop_job(APIS[API_2024]), {"RequestId": "R", "Success": False})


@pytest.mark.parametrize(
    ("date", "skew", "words"),
    [
        ("Thu, 01 Jan 1970 01:00:00 GMT", 3600.0, "3600 s ahead of ours"),
        ("Wed, 31 Dec 1969 23:00:00 GMT", -3600.0, "3600 s behind ours"),
        ("", None, None),
    ],
)
def test_a_clock_error_tells_the_skew(date: str, skew: float | None, words: str | None):
    """The answer's Date says how far the clocks are apart."""
    body = json.dumps({"Code": "InvalidTimeStamp.Expired", "Message": "expired."}).encode()
    with pytest.raises(DataWorksError) as caught:
        parse("StopDIJob", 1, Reply(400, {"date": date}, body, 0.0))

    assert getattr(caught.value, "clock_skew", "missing") == skew
    assert words is None or words in str(caught.value)
    assert words is not None or "ours" not in str(caught.value)


@pytest.mark.parametrize(
    ("detail", "told"),
    [
        (
            {
                "AuthAction": "dataworks:StopDIJob",
                "NoPermissionType": "ImplicitDeny",
                "PolicyType": "AccountLevelIdentityBasedPolicy",
                "EncodedDiagnosticMessage": "AQEAAA",
            },
            "No. RAM denied dataworks:StopDIJob (ImplicitDeny, AccountLevelIdentityBasedPolicy).",
        ),
        (
            {"authAction": "dataworks:StopDIJob", "noPermissionType": "ExplicitDeny"},
            "dataworks:StopDIJob (ExplicitDeny).",
        ),
        ({"AuthAction": "dataworks:StopDIJob"}, "No. RAM denied dataworks:StopDIJob."),
        ({"PolicyType": "ControlPolicy"}, "No."),
        ("text", "No."),
        (None, "No."),
    ],
)
def test_a_denial_names_the_action_that_ram_denied(detail: Any, told: str):
    """The action to grant, and which kind of policy to look at; not the long encoded diagnosis."""
    body = {"Code": "Forbidden.RAM", "Message": "No", "accessDeniedDetail": detail}
    with pytest.raises(DataWorksForbidden) as caught:
        parse("StopDIJob", 1, Reply(403, {}, json.dumps(body).encode(), 0.0))

    assert caught.value.message.endswith(told)
    assert "AQEAAA" not in str(caught.value)


@pytest.mark.parametrize("message", ["", "500130", None])
def test_an_answer_that_only_names_a_code_is_put_into_words(message: str | None):
    """The first line says what happened also where the service does not."""
    body = {"Code": "500130", "Message": message}
    with pytest.raises(DataWorksError, match="No such DI job; the service gave no message"):
        parse("StopDIJob", 1, Reply(400, {}, json.dumps(body).encode(), 0.0))


# The verdict on a wait


@pytest.mark.parametrize(
    ("status", "expected"),
    [
        (JobStatus.STOPPED, True),
        (JobStatus.FINISHED, True),
        (JobStatus.RUNNING, False),
        (JobStatus.STOPPING, False),
        (JobStatus.INITIALIZED, False),
        ("Unheard", False),
    ],
)
def test_a_wait_for_a_stop_ends_when_nothing_runs(status: JobStatus | str, expected: bool):
    """Stopped and finished are both wanted; everything that still changes is waited on."""
    assert Verdict()(DIJob(1, status)) is expected


@pytest.mark.parametrize(("text", "words"), [("binlog lost", "binlog lost"), (None, "gave no text")])
def test_a_job_that_failed_is_told_in_its_own_words(text: str | None, words: str):
    """Waiting does not change a failure, unless it is as good as a stop."""
    job = DIJob(11668, JobStatus.FAILED, error_message=text)
    with pytest.raises(DIJobFailed, match=words) as caught:
        Verdict()(job)

    assert caught.value.di_job_id == 11668
    assert Verdict(accept=(JobStatus.STOPPED, JobStatus.FAILED))(job) is True


@pytest.mark.parametrize("status", [JobStatus.STOPPED, JobStatus.FINISHED])
def test_an_end_that_is_not_accepted_is_not_waited_on(status: JobStatus):
    """A job at its end stays there, so the wait fails at once and says what to accept."""
    other = {JobStatus.STOPPED: JobStatus.FINISHED, JobStatus.FINISHED: JobStatus.STOPPED}[status]
    with pytest.raises(DIJobFailed, match=f"it is {status}, .*\nWhat to do: Add that status to accept"):
        Verdict(accept=(other,))(DIJob(1, status))

    assert Verdict(accept=(JobStatus.RUNNING,))(DIJob(1, JobStatus.RUNNING)) is True
