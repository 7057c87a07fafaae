"""After a call that changes something, only the service's own refusal means that nothing happened."""

from __future__ import annotations

import json
from typing import Any

import httpx
import pytest
from fake_dataworks import JOB, REQUEST_ID, START, Drive, answer, lose, refuse, spoil

from airflow_provider_dataworks.client import state_change
from airflow_provider_dataworks.client.config import API_VERSIONS
from airflow_provider_dataworks.client.models import ChangeRequest, ChangeResult, DIJob, JobStatus
from airflow_provider_dataworks.exceptions import (
    DataWorksError,
    DataWorksForbidden,
    DataWorksInvalidRequest,
    DataWorksThrottled,
    DataWorksUnavailable,
)

HTML = b"<!DOCTYPE html><html><body>Sign in</body></html>"
CODED = {"RequestId": REQUEST_ID, "Code": "Forbidden.RAM", "Message": "m"}


def body(**fields: Any) -> bytes:
    """A JSON body."""
    return json.dumps(fields).encode()


STATUSES = (
    200,
    201,
    202,
    203,
    204,
    206,
    208,
    226,
    300,
    301,
    302,
    303,
    304,
    307,
    308,
    400,
    401,
    403,
    404,
    405,
    407,
    408,
)
STATUSES += (409, 410, 413, 418, 421, 425, 429, 431, 451, 499, 500, 501, 502, 503, 504, 520, 522, 599)
# What is no envelope of the service with a code, whatever the status.
NO_VERDICT = {
    "empty": b"",
    "html": HTML,
    "truncated": b'{"RequestId": "92F7',
    "truncated xml": b"<Error><RequestId>R</RequestId><Code>Forbid",
    "list": b"[]",
    "no fields": b"{}",
    "another's JSON": body(code=40301, message="blocked by policy"),
    "another's code": body(Code="Forbidden.RAM", Message="m"),
    "Success false without a code": body(RequestId="R", Success=False),
    "Success false in XML": b"<R><RequestId>R</RequestId><Success>false</Success></R>",
    "code of all is well": body(RequestId="R", Success=False, Code="200"),
    "empty code": body(RequestId="R", Success=False, Code=""),
    "code that is no text": body(RequestId="R", Success=False, Code={"a": 1}),
    "empty request id": body(RequestId="", Code="Forbidden.RAM"),
}
REDIRECTS = [(status, json.dumps(CODED).encode()) for status in (301, 302, 307)]
LOST = [(status, content) for status in STATUSES for content in NO_VERDICT.values()] + REDIRECTS


class Note:
    """The note that this run asked."""

    kept: str | None = None

    def remember(self, job: DIJob) -> None:
        self.kept = str(job.status)

    def forget(self) -> None:
        self.kept = None


def stop(drive: Drive, note: Note, **more: Any) -> ChangeResult:
    """Drive one stop of the job of these tests."""
    plan = ChangeRequest(JOB, START + 600, 30, write_note=note.remember, withdraw_note=note.forget, **more)
    return state_change.stop(drive.client, plan)


@pytest.mark.parametrize("version", API_VERSIONS)
@pytest.mark.parametrize("after_effect", [False, True], ids=["before the effect", "after the effect"])
def test_what_is_no_refusal_makes_no_second_stop_and_loses_no_note(
    drive: Drive, version: str, after_effect: bool
) -> None:
    """Of any status, with any body: the job's state decides, the note stays, and one stop has its effect."""
    wrong = []
    for status, content in LOST:
        dataworks, note = drive.use(api_version=version), Note()
        dataworks.script("StopDIJob", (spoil if after_effect else answer)(status, content))
        try:
            outcome: Any = stop(drive, note)
        except DataWorksError as error:
            outcome = error
        looked = ["GetDIJob", "StopDIJob", "GetDIJob"] + ["StopDIJob"] * (not after_effect)
        went_well = isinstance(outcome, ChangeResult) and outcome.sent and note.kept == "Running"
        if not (went_well and dataworks.effective_stops == 1 and dataworks.actions == looked):
            wrong.append((status, content[:30], outcome, dataworks.actions, note.kept))

    assert wrong == []


def test_a_stop_that_nobody_answers_well_ends_retryable_with_its_note(drive: Drive) -> None:
    """Whatever the status of the page that something in between shows for ever."""
    wrong = []
    for status in (202, 204, 302, 403, 404, 407, 429, 502):
        dataworks, note = drive.use(), Note()
        dataworks.script("StopDIJob", forever=spoil(status, HTML))
        dataworks.after_stop = ["Running"]  # the effect takes its time
        with pytest.raises(DataWorksUnavailable) as caught:
            stop(drive, note)
        if (caught.value.sent, caught.value.status, note.kept) != (True, status, "Running"):
            wrong.append((status, caught.value, note.kept))

    assert wrong == []


def test_the_hook_s_own_calls_tell_it_too(drive: Drive) -> None:
    """Who asks once, without looking, learns that it may have arrived."""
    for call in (
        lambda: drive.client.stop_di_job(JOB),
        lambda: drive.client.start_di_job(JOB, None, None),
    ):
        for status in (202, 302, 404):
            drive.use()
            for action in ("StopDIJob", "StartDIJob"):
                drive.dataworks.script(action, answer(status, HTML))
            with pytest.raises(DataWorksUnavailable) as caught:
                call()
            assert (caught.value.sent, len(drive.dataworks.heard)) == (True, 1)
            assert caught.value.see == "unreadable-answer"


@pytest.mark.parametrize(
    ("refusal", "expected"),
    [
        (refuse("Forbidden.RAM", 403), DataWorksForbidden),
        (refuse("Forbidden.Not.Server", 500), DataWorksInvalidRequest),
        (refuse("InvalidParameter", 400), DataWorksInvalidRequest),
        (answer(200, json.dumps({**CODED, "Success": False})), DataWorksForbidden),
        (answer(403, "<Error><RequestId>R</RequestId><Code>Forbidden.RAM</Code></Error>"), DataWorksForbidden),
    ],
)
def test_the_service_s_own_refusal_withdraws_the_note(drive: Drive, refusal: Any, expected: type[Exception]) -> None:
    """Nothing happened, and the restart must leave the job alone."""
    note = Note()
    drive.dataworks.script("StopDIJob", forever=refusal)
    with pytest.raises(expected):
        stop(drive, note)

    assert note.kept is None


def test_a_throttled_stop_is_known_not_to_have_happened(drive: Drive) -> None:
    """By its code, not by a status that a gateway may give too."""
    note = Note()
    drive.dataworks.script("StopDIJob", forever=refuse("Throttling.User", 429, headers={"retry-after": "60"}))
    with pytest.raises(DataWorksThrottled):
        stop(drive, note)

    assert note.kept is None


@pytest.mark.parametrize(
    "code", ["InternalError.System", "InternalError.UserId.Missing", "ServiceUnavailable", "New.Code"]
)
def test_an_error_inside_the_service_may_come_after_the_effect(drive: Drive, code: str) -> None:
    """Although it has a code: the vendor says to look at the status first."""
    note = Note()
    drive.dataworks.script("StopDIJob", spoil(500, json.dumps({**CODED, "Code": code}).encode()))
    outcome = stop(drive, note)

    assert (outcome.sent, note.kept, drive.dataworks.effective_stops) == (True, "Running", 1)
    assert drive.dataworks.actions == ["GetDIJob", "StopDIJob", "GetDIJob"]


@pytest.mark.parametrize("lost", [lose(httpx.ReadTimeout("t"), after_effect=True), spoil(204, b"")], ids=["cut", "204"])
@pytest.mark.parametrize(
    "look",
    [answer(404, HTML), answer(302), refuse("Forbidden.RAM", 403), refuse("InvalidParameter", 400)],
    ids=["404", "302", "403", "400"],
)
def test_a_look_that_is_refused_afterwards_loses_no_note(drive: Drive, lost: Any, look: Any) -> None:
    """What refuses the look says nothing about the stop, and is not taken for a refusal of it."""
    note = Note()
    drive.dataworks.script("StopDIJob", lost)
    drive.dataworks.script("GetDIJob", lambda request, serve: serve(), look)
    with pytest.raises(DataWorksError) as caught:
        stop(drive, note)

    assert caught.value.action == "GetDIJob"
    assert note.kept == "Running"
    assert drive.dataworks.actions == ["GetDIJob", "StopDIJob", "GetDIJob"]


@pytest.mark.parametrize("status", [202, 302, 404])
def test_a_start_whose_answer_says_nothing_is_looked_up(drive: Drive, status: int) -> None:
    """As a stop is."""
    drive.dataworks.add(JOB, "Stopped")
    drive.dataworks.script("StartDIJob", spoil(status, b""))
    outcome = state_change.start(drive.client, ChangeRequest(JOB, START + 600, 30))

    assert (outcome.sent, outcome.job.status) == (True, JobStatus.INITIALIZED)
    assert drive.dataworks.effective_starts == 1


@pytest.mark.parametrize("status", [201, 202, 203, 204, 206])
def test_a_look_whose_answer_says_nothing_is_repeated(drive: Drive, status: int) -> None:
    """It changes nothing; and what is no error is no reason to end for good."""
    drive.dataworks.script("GetDIJob", answer(status), answer(status, HTML))

    assert drive.client.get_di_job(JOB).status is JobStatus.RUNNING


def test_a_stop_in_its_envelope_is_done_whatever_good_status_it_has(drive: Drive) -> None:
    """A request id and no error: the service took it."""
    drive.dataworks.script("StopDIJob", spoil(202, body(RequestId="R-202")))

    assert stop(drive, Note()).request_id == "R-202"
