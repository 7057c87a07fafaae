"""The fault table: everything that can go wrong on the way, each row under both drivers."""

from __future__ import annotations

import gzip
from collections.abc import Callable, Iterator
from typing import Any

import httpx
import pytest
from fake_dataworks import (
    JOB,
    REQUEST_ID,
    START,
    TOKEN,
    Drive,
    FakeDataWorks,
    Fault,
    Stream,
    answer,
    epoch,
    lose,
    refuse,
    serve,
    spoil,
)

from airflow_provider_dataworks.client import state_change
from airflow_provider_dataworks.client.auth.signing import SIGNATURES
from airflow_provider_dataworks.client.client import ATTEMPTS, PATIENCE
from airflow_provider_dataworks.client.config import API_2024, API_VERSIONS
from airflow_provider_dataworks.client.http.exchange import LARGEST_ANSWER
from airflow_provider_dataworks.client.http.rate_limit import LONGEST_PAUSE, RateLimiter
from airflow_provider_dataworks.client.models import ChangeRequest, ChangeResult, JobStatus
from airflow_provider_dataworks.exceptions import (
    DataWorksAuthError,
    DataWorksError,
    DataWorksForbidden,
    DataWorksInvalidRequest,
    DataWorksNotFound,
    DataWorksQuotaExceeded,
    DataWorksThrottled,
    DataWorksUnavailable,
)

HTML = b"<!DOCTYPE html><html><head><title>502 Bad Gateway</title></head><body>nginx</body></html>"
IN_XML = (
    "<?xml version='1.0' encoding='UTF-8'?><Error><RequestId>R</RequestId><Code>{}</Code><Message>m</Message></Error>"
)

NEVER_SENT = {
    "connection refused": httpx.ConnectError("[Errno 111] Connection refused"),
    "connect timeout": httpx.ConnectTimeout("timed out"),
    "pool timeout": httpx.PoolTimeout("no connection free"),
    "proxy refuses": httpx.ProxyError("403 Forbidden"),
}
MAYBE_SENT = {
    "read timeout": httpx.ReadTimeout("timed out"),
    "write timeout": httpx.WriteTimeout("timed out"),
    "reset while reading": httpx.ReadError("[Errno 104] Connection reset by peer"),
    "reset while writing": httpx.WriteError("[Errno 32] Broken pipe"),
    "server disconnects": httpx.RemoteProtocolError("Server disconnected without sending a response."),
    "undecodable": httpx.DecodingError("incorrect header check"),
}
LOST_ANSWERS: dict[str, bytes | int] = {
    "500": 500,
    "502": 502,
    "503": 503,
    "504": 504,
    "truncated json": b'{"RequestId": "92F7',
    "truncated xml": b"<StopDIJobResponse><RequestId>92F7",
    "empty": b"",
    "list": b"[1]",
    "html": HTML,
    "no request id": b'{"Success": true}',
    "success false": b'{"Success": false, "RequestId": "R"}',
}


def stop(drive: Drive, **more: Any) -> ChangeResult:
    """Drive one stop of the job of these tests."""
    return state_change.stop(drive.client, ChangeRequest(JOB, START + 600, 30, **more))


def get(drive: Drive) -> Any:
    """Drive one look at the job of these tests."""
    return drive.client.get_di_job(JOB)


def assert_every_attempt_was_signed_anew(dataworks: FakeDataWorks) -> None:
    """No nonce was used twice."""
    nonces = [heard.nonce for heard in dataworks.heard]
    assert len(set(nonces)) == len(nonces)


# Throttling


THROTTLED = {
    "429 Throttling.User": refuse("Throttling.User", 429, "Your request is too frequent."),
    "429 Throttling.Api": refuse("Throttling.Api", 429, "exceeded your available limit."),
    "429 Throttling.System": refuse("Throttling.System", 429, "busy."),
    "400 Throttling": refuse("Throttling", 400, "denied due to request throttling."),
    "400 Throttling.User": refuse("Throttling.User", 400, "denied due to user flow control."),
    "503 Rejected.Throttling": refuse("Rejected.Throttling", 503, "rejected"),
    "400 9990020002": refuse("9990020002", 400, "Throttling.User"),
    "500 9990020002": refuse("9990020002", 500, "Throttling.User"),
    "200 Success false": answer(200, b'{"Success": false, "Code": "9990020002", "RequestId": "R"}'),
    "number with the name in the message": refuse("1102030001", 400, "code: Throttling.Api"),
    "429 XML": answer(429, IN_XML.format("Throttling.User")),
}
HINTS = {
    "x-acs-retry-after": ({"x-acs-retry-after": "2500"}, 2.5),
    "x-ratelimit-user-api": ({"x-ratelimit-user-api": "Limit:1,Remain:0,TimeLeft:2000,Reset:1"}, 2.0),
    "x-ratelimit-user": ({"x-ratelimit-user": "Limit:1,Remain:0,TimeLeft:3000,Reset:1"}, 3.0),
    "larger ratelimit": ({"x-ratelimit-user-api": "TimeLeft:2000", "x-ratelimit-user": "TimeLeft:4000"}, 4.0),
    "retry-after seconds": ({"retry-after": "7"}, 7.0),
    "retry-after date": (
        {"retry-after": "Wed, 21 Oct 2026 07:28:09 GMT", "date": "Wed, 21 Oct 2026 07:28:00 GMT"},
        9.0,
    ),
}


@pytest.mark.parametrize("fault", THROTTLED.values(), ids=THROTTLED)
def test_throttling_in_every_shape_is_waited_out(drive: Drive, fault: Fault):
    """A throttled stop was not executed, so it is sent again after a short wait."""
    drive.dataworks.script("StopDIJob", fault, fault)
    outcome = stop(drive)

    assert outcome.sent
    assert drive.dataworks.actions == ["GetDIJob", "StopDIJob", "StopDIJob", "StopDIJob"]
    assert drive.dataworks.effective_stops == 1
    assert len(drive.slept) == 2
    assert all(0 <= seconds <= 15 for seconds in drive.slept)
    assert_every_attempt_was_signed_anew(drive.dataworks)


@pytest.mark.parametrize("signature", SIGNATURES)
@pytest.mark.parametrize(("headers", "seconds"), HINTS.values(), ids=HINTS)
def test_the_wait_asked_for_is_waited_exactly(drive: Drive, headers: dict[str, str], seconds: float, signature: str):
    """Neither shorter, which would be refused again, nor longer."""
    drive.use(signature=signature)
    drive.dataworks.script("GetDIJob", refuse("Throttling.User", 429, "slow", headers))

    assert get(drive).id == JOB
    assert drive.slept == [seconds]


def test_a_hint_on_an_error_of_the_service_is_obeyed_like_one_on_throttling(drive: Drive):
    """By looks, and by a stop whose answer says nothing."""
    drive.dataworks.script("GetDIJob", answer(503, HTML, {"retry-after": "7"}))
    get(drive)
    drive.dataworks.script("StopDIJob", refuse("InternalError.System", 500, "busy", {"x-acs-retry-after": "8000"}))
    stop(drive)

    assert drive.slept == [7, 8]


@pytest.mark.parametrize(
    "headers",
    [
        {"retry-after": "0"},
        {"retry-after": "-5"},
        {"x-acs-retry-after": "0"},
        {"retry-after": "Mon, 21 Sep 2026 14:13:19 GMT", "date": "Mon, 21 Sep 2026 14:13:20 GMT"},
        {"retry-after": "Fri, 01 Jan 1700 00:00:00 GMT"},
    ],
    ids=repr,
)
def test_a_wait_of_no_time_is_no_hint(drive: Drive, headers: dict[str, str]):
    """All tries would be over in a moment; as without a hint they grow rarer."""
    drive.dataworks.script("GetDIJob", forever=refuse("Throttling.User", 429, "slow", headers))
    with pytest.raises(DataWorksThrottled) as caught:
        get(drive)

    assert caught.value.retry_after is None
    assert sum(drive.slept) > 0
    assert len(set(drive.slept)) == len(drive.slept) > 2


def test_a_hold_is_waited_out_in_a_call_and_told(drive: Drive, caplog: pytest.LogCaptureFixture):
    """Some seconds that the service asked of another caller."""
    limiter = RateLimiter(1000, drive.clock)
    drive.use(limiter=limiter)
    limiter.pause(30)
    with caplog.at_level("INFO"):
        get(drive)

    assert drive.slept == [30]
    (told,) = [record.getMessage() for record in caplog.records]
    assert told == "DataWorks asked callers of this account to wait: GetDIJob goes out in 30 s."


@pytest.mark.parametrize("asked", [46, 200, 3600, 9_999_999.999, 1e300])
def test_a_long_hold_never_outlasts_a_call(drive: Drive, asked: float):
    """It ends at once, for the task to be tried later; nothing was sent, and a stop has no note."""
    limiter, notes = RateLimiter(1000, drive.clock), []
    drive.use(limiter=limiter)
    limiter.pause(asked)
    with pytest.raises(DataWorksThrottled, match="nothing was sent") as caught:
        get(drive)
    with pytest.raises(DataWorksThrottled):
        stop(drive, write_note=notes.append)

    assert caught.value.retry_after == min(asked, LONGEST_PAUSE)
    assert (drive.slept, drive.dataworks.heard, notes) == ([], [], [])


def test_a_hold_that_comes_after_the_look_withdraws_the_note(drive: Drive):
    """The stop itself was not sent."""
    limiter, notes = RateLimiter(1000, drive.clock), []
    drive.use(limiter=limiter)
    drive.dataworks.script("GetDIJob", lambda request, serve_: limiter.pause(300) or serve_())
    with pytest.raises(DataWorksThrottled):
        stop(drive, write_note=notes.append, withdraw_note=notes.clear)

    assert (notes, drive.dataworks.actions) == ([], ["GetDIJob"])


@pytest.mark.parametrize("seconds", [46, 3600])
def test_a_wait_beyond_patience_is_left_to_airflow(drive: Drive, seconds: int):
    """The error says how long the service asked to wait, and no further try is made."""
    drive.dataworks.script("StopDIJob", refuse("Throttling.User", 429, "slow", {"retry-after": str(seconds)}))
    with pytest.raises(DataWorksThrottled) as caught:
        stop(drive)

    assert caught.value.retry_after == seconds
    assert caught.value.retryable
    assert (caught.value.action, caught.value.code, caught.value.status) == ("StopDIJob", "Throttling.User", 429)
    assert drive.slept == []
    assert drive.dataworks.actions == ["GetDIJob", "StopDIJob"]


def test_patience_counts_all_waits_of_a_call_together(drive: Drive):
    """Three waits of 20 s would be a minute, so only two are made."""
    drive.dataworks.script("GetDIJob", forever=refuse("Throttling.User", 429, "slow", {"retry-after": "20"}))
    with pytest.raises(DataWorksThrottled) as caught:
        get(drive)

    assert caught.value.retry_after == 20
    assert drive.slept == [20, 20]
    assert len(drive.dataworks.heard) == 3


def test_patience_may_be_widened(drive: Drive):
    """A trigger waits throttling out inside its own deadline."""
    drive.use(patience=600)
    drive.dataworks.script("GetDIJob", refuse("Throttling.User", 429, "slow", {"retry-after": "300"}))

    assert get(drive).id == JOB
    assert drive.slept == [300]


def test_throttling_without_end_is_left_to_airflow(drive: Drive):
    """Where the service asks for nothing, waits are few, random, and short together."""
    drive.dataworks.script("GetDIJob", forever=refuse("Throttling.User", 429, "slow"))
    with pytest.raises(DataWorksThrottled) as caught:
        get(drive)

    assert caught.value.retry_after is None
    assert len(drive.dataworks.heard) <= ATTEMPTS
    assert sum(drive.slept) <= PATIENCE


@pytest.mark.parametrize(
    "fault",
    [
        pytest.param(refuse("Throttling.Api.Risk", 429, "daily", {"retry-after": "1"}), id="daily limit"),
        pytest.param(refuse("Throttling.Resource", 429, "edition", {"retry-after": "1"}), id="edition limit"),
        pytest.param(refuse("123", 400, "Throttling.Api.Risk"), id="daily limit in the message"),
        pytest.param(answer(429, IN_XML.format("Throttling.Api.Risk")), id="daily limit in XML"),
    ],
)
def test_a_used_up_quota_is_never_hammered(drive: Drive, fault: Fault):
    """Waiting minutes does not help, and failed calls may count too."""
    drive.dataworks.script("StopDIJob", forever=fault)
    with pytest.raises(DataWorksQuotaExceeded) as caught:
        stop(drive)

    assert not caught.value.retryable
    assert drive.dataworks.actions == ["GetDIJob", "StopDIJob"]
    assert drive.slept == []


# Lost answers


@pytest.mark.parametrize("after_effect", [False, True], ids=["before the effect", "after the effect"])
@pytest.mark.parametrize("error", MAYBE_SENT.values(), ids=MAYBE_SENT)
@pytest.mark.parametrize("version", API_VERSIONS)
def test_a_lost_exchange_makes_no_second_stop(drive: Drive, version: str, error: Exception, after_effect: bool):
    """The state is read before anything is sent again, so there is one effective stop either way."""
    drive.use(api_version=version)
    drive.dataworks.script("StopDIJob", lose(error, after_effect=after_effect))
    outcome = stop(drive)

    assert outcome.sent
    assert outcome.before is JobStatus.RUNNING
    assert drive.dataworks.effective_stops == 1
    assert drive.dataworks.actions == ["GetDIJob", "StopDIJob", "GetDIJob"] + ["StopDIJob"] * (not after_effect)
    assert outcome.request_id == (None if after_effect else REQUEST_ID)
    assert_every_attempt_was_signed_anew(drive.dataworks)


@pytest.mark.parametrize("after_effect", [False, True], ids=["before the effect", "after the effect"])
@pytest.mark.parametrize("lost", LOST_ANSWERS.values(), ids=LOST_ANSWERS)
def test_a_useless_answer_makes_no_second_stop(drive: Drive, lost: bytes | int, after_effect: bool):
    """5xx, broken, foreign and half answers say nothing about the effect; the state does."""
    status, content = (lost, b"") if isinstance(lost, int) else (200, lost)
    drive.use(api_version=API_2024)
    drive.dataworks.script("StopDIJob", (spoil if after_effect else answer)(status, content))
    outcome = stop(drive)

    if lost == b'{"Success": true}':
        assert outcome.request_id in (None, REQUEST_ID)
    assert outcome.sent
    assert drive.dataworks.effective_stops == 1
    assert drive.dataworks.actions == ["GetDIJob", "StopDIJob", "GetDIJob"] + ["StopDIJob"] * (not after_effect)


@pytest.mark.parametrize("error", NEVER_SENT.values(), ids=NEVER_SENT)
def test_a_stop_that_never_left_is_sent_again(drive: Drive, error: Exception):
    """Without a connection nothing can have happened, so there is nothing to look at."""
    drive.dataworks.script("StopDIJob", lose(error), lose(error))
    outcome = stop(drive)

    assert outcome.request_id == REQUEST_ID
    assert drive.dataworks.actions == ["GetDIJob", "StopDIJob", "StopDIJob", "StopDIJob"]
    assert drive.dataworks.effective_stops == 1
    assert_every_attempt_was_signed_anew(drive.dataworks)


@pytest.mark.parametrize(
    ("errors", "sent"), [(NEVER_SENT, False), (MAYBE_SENT, True)], ids=["never sent", "maybe sent"]
)
def test_trouble_on_the_way_says_whether_the_request_may_have_arrived(
    drive: Drive, errors: dict[str, Exception], sent: bool
):
    """Once tries are used up, the error names host, cause, and what may have happened."""
    for error in errors.values():
        drive.use()
        drive.dataworks.script("GetDIJob", forever=lose(error))
        with pytest.raises(DataWorksUnavailable) as caught:
            get(drive)

        assert caught.value.sent is sent
        assert caught.value.retryable
        assert caught.value.status is None
        assert type(error).__name__ in str(caught.value)
        assert "GetDIJob of DI job 11668" in str(caught.value)
        assert "dataworks.cn-shanghai.aliyuncs.com" in str(caught.value)
        assert 1 < len(drive.dataworks.heard) <= ATTEMPTS


def test_a_lost_answer_then_no_connection_is_still_looked_at(drive: Drive):
    """Once a stop may have arrived, every later try begins with a look."""
    drive.dataworks.script(
        "StopDIJob",
        lose(httpx.ReadTimeout("t")),
        lose(httpx.ConnectError("c")),
        lose(httpx.ReadTimeout("t"), after_effect=True),
    )
    outcome = stop(drive)

    assert outcome.sent
    assert drive.dataworks.effective_stops == 1
    assert drive.dataworks.actions == [
        "GetDIJob", "StopDIJob", "GetDIJob", "StopDIJob", "StopDIJob", "GetDIJob",
    ]  # fmt: skip


def test_a_stop_whose_answers_all_get_lost_ends(drive: Drive):
    """A job that keeps running under lost answers is reported, not asked for ever."""
    drive.dataworks.script("StopDIJob", forever=answer(500))
    with pytest.raises(DataWorksUnavailable) as caught:
        stop(drive)

    assert caught.value.action == "StopDIJob"
    assert 1 < drive.dataworks.actions.count("StopDIJob") <= ATTEMPTS
    assert drive.dataworks.effective_stops == 0
    assert sum(drive.slept) <= PATIENCE


@pytest.mark.parametrize("refused_later", ["Running", "Initialized"])
def test_a_refusal_after_a_lost_answer_is_reported(drive: Drive, refused_later: str):
    """A job that may have been asked already, still runs and refuses is nobody's success."""
    drive.dataworks.add(JOB, refused_later)
    drive.dataworks.script("StopDIJob", answer(500), refuse("InvalidParameter", 400, "no"))
    with pytest.raises(DataWorksInvalidRequest):
        stop(drive)

    assert drive.dataworks.actions == ["GetDIJob", "StopDIJob", "GetDIJob", "StopDIJob", "GetDIJob"]


def test_a_stop_that_took_effect_late_is_ours(drive: Drive):
    """The second StopDIJob is refused because the first one worked after all."""

    def refuse_as_stopping(request: httpx.Request, serve_: Any) -> httpx.Response:
        drive.dataworks.add(JOB, "Stopping")
        return refuse("InvalidParameter.JobStatus", 400, "no")(request, serve_)

    drive.dataworks.script("StopDIJob", answer(504), refuse_as_stopping)
    outcome = stop(drive)

    assert outcome.sent
    assert (outcome.job.status, outcome.request_id) == (JobStatus.STOPPING, None)


@pytest.mark.parametrize("fault", [answer(500), answer(502, HTML), answer(200, b"{"), answer(200, b"[]")])
def test_looking_is_simply_repeated(drive: Drive, fault: Fault):
    """A call that changes nothing may be asked as often as the policy allows."""
    drive.dataworks.script("GetDIJob", fault, fault)

    assert get(drive).status is JobStatus.RUNNING
    assert drive.dataworks.actions == ["GetDIJob"] * 3


@pytest.mark.parametrize(
    "body", [b'{"RequestId": "R-1"}', b'{"RequestId": "R-1", "Data": {"DIJobId": 5, "JobStatus": "Running"}}']
)
def test_half_an_answer_is_told_with_all_facts(drive: Drive, body: bytes):
    """Action, job, HTTP status and request id are in the text of every error, of this kind too."""
    drive.dataworks.script("GetDIJob", forever=answer(200, body))
    with pytest.raises(DataWorksUnavailable) as caught:
        get(drive)

    assert caught.value.summary.startswith("GetDIJob of DI job 11668 failed (HTTP 200, request id R-1): ")


def test_a_start_is_never_repeated_blindly(drive: Drive):
    """A start whose answer got lost may have happened; it is the caller's to look."""
    drive.dataworks.script("StartDIJob", lose(httpx.ReadTimeout("t")))
    with pytest.raises(DataWorksUnavailable) as caught:
        drive.client.start_di_job(JOB, None, None)

    assert caught.value.sent
    assert drive.dataworks.actions == ["StartDIJob"]


# Permanent errors, redirects


@pytest.mark.parametrize(
    ("fault", "expected"),
    [
        (refuse("Forbidden.Access", 403, "edition"), DataWorksForbidden),
        (refuse("Forbidden.RAM", 403, "no"), DataWorksForbidden),
        (refuse("Forbidden.Not.Server", 500, "region"), DataWorksInvalidRequest),
        (refuse("500130", 400, "no such job"), DataWorksNotFound),
        (refuse("InvalidAction.NotFound", 404, "no such action"), DataWorksInvalidRequest),
        (refuse("MissingDIJobId", 400, "mandatory"), DataWorksInvalidRequest),
        (refuse("SignatureDoesNotMatch", 400, "server string to sign is: x"), DataWorksAuthError),
        (refuse("InvalidAccessKeyId.NotFound", 404, "unknown"), DataWorksAuthError),
        (refuse("InvalidSecurityToken.Expired", 400, "expired"), DataWorksAuthError),
        (answer(404, HTML), DataWorksInvalidRequest),
        (answer(403, IN_XML.format("Forbidden.RAM")), DataWorksForbidden),
    ],
)
def test_a_permanent_error_costs_one_request(drive: Drive, fault: Fault, expected: type[DataWorksError]):
    """What no try can cure is not tried again."""
    drive.dataworks.script("GetDIJob", forever=fault)
    with pytest.raises(expected) as caught:
        get(drive)

    assert not caught.value.retryable
    assert len(drive.dataworks.heard) == 1
    assert drive.slept == []


@pytest.mark.parametrize("signature", SIGNATURES)
@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_redirect_is_never_followed(drive: Drive, status: int, signature: str):
    """The signature and the token go to nobody else."""
    hosts: list[str] = []

    def redirect(request: httpx.Request) -> httpx.Response:
        hosts.append(request.url.host)
        return httpx.Response(status, headers={"location": "https://evil.example/"})

    drive.use(transport=httpx.MockTransport(redirect), signature=signature, token=TOKEN)
    with pytest.raises(DataWorksInvalidRequest, match="redirect"):
        stop(drive)

    assert hosts == ["dataworks.cn-shanghai.aliyuncs.com"]


# Clock and nonce


@pytest.mark.parametrize("signature", SIGNATURES)
@pytest.mark.parametrize("skew", [-7200.0, 3600.0], ids=["ours ahead", "ours behind"])
def test_a_wrong_clock_is_corrected_once_and_for_all(drive: Drive, skew: float, signature: str):
    """The offset comes from the service's Date, and later calls keep it."""
    drive.use(dataworks=FakeDataWorks(drive.clock, skew=skew), signature=signature)
    outcome = stop(drive)
    again = get(drive)

    assert outcome.sent
    assert again.status is JobStatus.STOPPING
    assert drive.dataworks.actions == ["GetDIJob", "GetDIJob", "StopDIJob", "GetDIJob"]
    assert epoch(drive.dataworks.heard[-1].date) - drive.clock() == skew
    assert drive.slept == []
    assert_every_attempt_was_signed_anew(drive.dataworks)


def test_a_clock_that_stays_wrong_is_reported_with_the_skew(drive: Drive):
    """One correction, then the error says how far the clocks are apart."""
    late = {"date": "Mon, 21 Sep 2026 14:23:20 GMT"}
    drive.dataworks.script("StopDIJob", forever=refuse("InvalidTimeStamp.Expired", 400, "expired.", late))
    with pytest.raises(DataWorksAuthError, match="600 s ahead of ours") as caught:
        stop(drive)

    assert caught.value.clock_skew == 600
    assert not caught.value.retryable
    assert drive.dataworks.actions == ["GetDIJob", "StopDIJob", "StopDIJob"]


def test_a_clock_error_without_a_date_is_reported_at_once(drive: Drive):
    """Without the service's time there is nothing to correct by."""
    drive.dataworks.script("GetDIJob", forever=refuse("InvalidTimeStamp.Expired", 400, "expired.", {"date": "?"}))
    with pytest.raises(DataWorksAuthError) as caught:
        get(drive)

    assert caught.value.clock_skew is None
    assert len(drive.dataworks.heard) == 1


def test_a_clock_that_drifts_again_is_corrected_again(drive: Drive):
    """The offset is measured from our own clock each time, not added to the last one."""
    drive.use(dataworks=FakeDataWorks(drive.clock, skew=3600))
    get(drive)
    drive.dataworks.skew = -3600
    get(drive)

    assert epoch(drive.dataworks.heard[-1].date) - drive.clock() == -3600
    assert drive.dataworks.actions == ["GetDIJob"] * 4


@pytest.mark.parametrize("took_effect", [False, True], ids=["lost copy", "copy arrived"])
def test_a_nonce_used_already_means_look_at_the_state(drive: Drive, took_effect: bool):
    """An earlier copy of the request arrived; its effect is looked up, and no second stop is made of it."""
    nonce_used = b'{"RequestId": "R", "Code": "SignatureNonceUsed", "Message": "used already."}'
    drive.dataworks.script("StopDIJob", (spoil if took_effect else answer)(400, nonce_used))
    outcome = stop(drive)

    assert outcome.sent
    assert drive.dataworks.effective_stops == 1
    assert drive.dataworks.actions == ["GetDIJob", "StopDIJob", "GetDIJob"] + ["StopDIJob"] * (not took_effect)


@pytest.mark.parametrize("signature", SIGNATURES)
def test_every_attempt_has_a_new_nonce_and_the_date_of_its_moment(drive: Drive, signature: str):
    """The service refuses a repeated nonce, and an old date."""
    drive.use(signature=signature)
    drive.dataworks.script("GetDIJob", *[refuse("Throttling.User", 429, "slow", {"retry-after": "10"})] * 3)
    get(drive)
    heard = drive.dataworks.heard

    assert len({one.nonce for one in heard}) == 4
    assert all(len(one.nonce) == 32 for one in heard)
    assert [one.date for one in heard] == [
        "2026-09-21T14:13:20Z",
        "2026-09-21T14:13:30Z",
        "2026-09-21T14:13:40Z",
        "2026-09-21T14:13:50Z",
    ]


# Answers without end


def stream(make: Callable[[], Iterator[bytes]], headers: dict[str, str] | None = None) -> httpx.MockTransport:
    """A service that answers everything with this stream."""
    return httpx.MockTransport(lambda request: httpx.Response(200, stream=Stream(make()), headers=headers))


def test_an_answer_without_end_is_cut_off(drive: Drive):
    """Memory is not the server's to fill: reading stops at the limit."""
    chunks = 0

    def endless() -> Iterator[bytes]:
        nonlocal chunks
        while True:
            chunks += 1
            yield b"x" * 2**20

    drive.use(transport=stream(endless), patience=0)
    with pytest.raises(DataWorksUnavailable, match="larger than") as caught:
        stop(drive)

    assert caught.value.sent
    assert chunks * 2**20 == LARGEST_ANSWER + 2**20


@pytest.mark.parametrize("coding", ["gzip", "gzip, gzip, gzip", "br", "deflate", "zstd", "x-unheard-of", "GZIP"])
def test_a_compressed_answer_is_not_read(drive: Drive, coding: str):
    """A few bytes may unfold to gigabytes, so nothing is unpacked; it was asked for as it is."""
    read: list[int] = []

    def bomb() -> Iterator[bytes]:
        read.append(1)
        yield gzip.compress(gzip.compress(b"\0" * 2**20))

    drive.use(transport=stream(bomb, {"content-encoding": coding}), patience=0)
    with pytest.raises(DataWorksUnavailable, match="the answer is encoded") as caught:
        stop(drive)

    assert (caught.value.sent, caught.value.see, read) == (True, "unreadable-answer", [])


@pytest.mark.parametrize("coding", ["identity", "Identity", ""])
def test_an_answer_that_says_it_is_not_compressed_is_read(drive: Drive, coding: str):
    """As it was asked for."""
    body = b'{"RequestId": "R", "Data": {"DIJobId": 11668, "JobStatus": "Stopped"}}'
    drive.use(transport=stream(lambda: iter([body]), {"content-encoding": coding}))

    assert get(drive).status is JobStatus.STOPPED


def test_an_answer_in_many_pieces_is_put_together(drive: Drive):
    """Chunks are nothing special."""
    body = b'{"RequestId": "R", "Data": {"DIJobId": 11668, "JobStatus": "Stopped"}}'
    drive.use(transport=stream(lambda: (body[n : n + 7] for n in range(0, len(body), 7))))

    assert get(drive).status is JobStatus.STOPPED


def test_faults_in_every_call_still_make_one_stop(drive: Drive):
    """A bad day: throttling, lost answers and a broken body in one stop."""
    drive.dataworks.script("GetDIJob", refuse("Throttling.User", 429, "slow"), answer(502, HTML), serve, answer(500))
    drive.dataworks.script(
        "StopDIJob",
        refuse("Throttling.System", 429, "busy", {"x-acs-retry-after": "1500"}),
        lose(httpx.ConnectTimeout("t")),
        spoil(200, b'{"RequestId'),
    )
    outcome = stop(drive)

    assert outcome.sent
    assert drive.dataworks.effective_stops == 1
    assert outcome.job.status is JobStatus.STOPPING
    assert_every_attempt_was_signed_anew(drive.dataworks)
