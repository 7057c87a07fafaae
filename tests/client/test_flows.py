"""Conversations, each under both drivers: read, list, wait, and the stop that looks before it acts."""

from __future__ import annotations

import logging
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any

import httpx
import pytest
from fake_dataworks import JOB, PROJECT, REQUEST_ID, START, Drive, FakeDataWorks, answer, lose, refuse, serve, spoil

from airflow_provider_dataworks.client import state_change
from airflow_provider_dataworks.client.auth.signing import SIGNATURES
from airflow_provider_dataworks.client.client import ATTEMPTS
from airflow_provider_dataworks.client.config import API_2020, API_2024, API_VERSIONS
from airflow_provider_dataworks.client.http.rate_limit import SLACK, RateLimiter
from airflow_provider_dataworks.client.models import ChangeRequest, ChangeResult, DIJob, JobStatus, Verdict
from airflow_provider_dataworks.exceptions import (
    DataWorksError,
    DataWorksForbidden,
    DataWorksInvalidRequest,
    DataWorksNotFound,
    DataWorksThrottled,
    DataWorksUnavailable,
    DIJobWaitTimeout,
)

versions = pytest.mark.parametrize("version", API_VERSIONS)


class Memory:
    """What a run keeps of its own stop, across tries."""

    def __init__(self) -> None:
        self.events: list[str] = []

    def write(self, job: DIJob) -> None:
        self.events.append(f"write {job.status}")

    def withdraw(self) -> None:
        self.events.append("withdraw")


def ask_to_stop(drive: Drive, memory: Memory | None = None, **more: Any) -> ChangeResult:
    """Drive one stop of the job of these tests."""
    kept = memory or Memory()
    instance_id = more.pop("instance_id", None)
    request = ChangeRequest(
        **{
            "di_job_id": JOB,
            "deadline": START + 600,
            "poll_interval": 30,
            "write_note": kept.write,
            "withdraw_note": kept.withdraw,
            **more,
        }
    )
    return state_change.stop(drive.client, request, instance_id)


@pytest.mark.parametrize("xml", [False, True], ids=["json", "xml"])
@pytest.mark.parametrize("signature", SIGNATURES)
@versions
def test_every_question_works_in_both_versions_signatures_and_formats(
    drive: Drive, version: str, signature: str, xml: bool
):
    """One round of all operations, each answered once."""
    drive.use(dataworks=FakeDataWorks(drive.clock, version=version, xml=xml), signature=signature)
    job = drive.client.get_di_job(str(JOB))
    jobs = drive.client.list_di_jobs(PROJECT)
    stop_id = drive.client.stop_di_job(JOB)
    start_id = drive.client.start_di_job(JOB, None, None)
    workspaces = drive.client.count_projects()

    assert (job.id, job.status, job.project_id) == (JOB, JobStatus.RUNNING, PROJECT)
    assert jobs == [job]
    assert (stop_id, start_id, workspaces) == (REQUEST_ID, REQUEST_ID, 3)
    assert drive.dataworks.actions == ["GetDIJob", "ListDIJobs", "StopDIJob", "StartDIJob", "ListProjects"]
    assert drive.dataworks.effective_stops == 1
    assert drive.slept == []


def test_an_unknown_job_is_not_found(drive: Drive):
    """A job that is not there is asked for once."""
    with pytest.raises(DataWorksNotFound, match="DI job 5 "):
        drive.client.get_di_job(5)

    assert drive.dataworks.actions == ["GetDIJob"]


@versions
@pytest.mark.parametrize(("count", "pages"), [(0, 1), (1, 1), (100, 1), (101, 2), (250, 3)])
def test_a_list_is_read_page_by_page(drive: Drive, version: str, count: int, pages: int):
    """All jobs of the workspace come, and no page too many is asked for."""
    dataworks = drive.use(api_version=version)
    dataworks.jobs.clear()
    for number in range(1, count + 1):
        dataworks.add(number, "Running", name=f"job-{number}")
    dataworks.add(9999, "Running", project_id=1)
    jobs = drive.client.list_di_jobs(PROJECT)

    assert [job.id for job in jobs] == list(range(1, count + 1))
    assert [heard.params["PageNumber"] for heard in dataworks.heard] == [str(n) for n in range(1, pages + 1)]


def test_pages_that_shift_meanwhile_give_no_job_twice(drive: Drive):
    """A job that moved to the next page in between is counted once, as seen last."""
    for number in range(1, 102):
        drive.dataworks.add(number, "Running")
    del drive.dataworks.jobs[JOB]

    def shift(request: httpx.Request, serve_: Any) -> httpx.Response:
        drive.dataworks.jobs = {0: drive.dataworks.add(500, "Running"), **drive.dataworks.jobs}
        drive.dataworks.jobs[100].statuses = ["Stopped"]
        return serve_()

    drive.dataworks.script("ListDIJobs", serve, shift)
    jobs = drive.client.list_di_jobs(PROJECT)
    ids = [job.id for job in jobs]

    assert len(ids) == len(set(ids))
    assert {100, 101} <= set(ids)
    assert {job.id: job.status for job in jobs}[100] is JobStatus.STOPPED


def test_a_list_that_shrinks_meanwhile_ends(drive: Drive):
    """An empty page ends the list, whatever the total said before."""
    for number in range(1, 102):
        drive.dataworks.add(number, "Running")

    def nothing_left(request: httpx.Request, serve_: Any) -> httpx.Response:
        return httpx.Response(200, json={"RequestId": "R", "DIJobPaging": {"TotalCount": 1000, "DIJobs": []}})

    drive.dataworks.script("ListDIJobs", serve, nothing_left)

    assert len(drive.client.list_di_jobs(PROJECT)) == 100
    assert drive.dataworks.actions == ["ListDIJobs"] * 2


@versions
def test_a_name_must_match_exactly(drive: Drive, version: str):
    """The service's filter is fuzzy; ours is not."""
    dataworks = drive.use(api_version=version)
    dataworks.add(1, "Running", name="orders")
    dataworks.add(2, "Running", name="orders_archive")
    jobs = drive.client.list_di_jobs(PROJECT, "orders")

    assert [job.id for job in jobs] == [1]


def looked_at(drive: Drive, **more: Any) -> DIJob:
    """Wait until the job is stopped, ten minutes at most."""
    given = {"deadline": START + 600, "poll_interval": 30.0, **more}
    return drive.client.wait_until(JOB, lambda job: job.status is JobStatus.STOPPED, **given)


def test_waiting_looks_once_per_interval(drive: Drive):
    """Each look but the last is followed by one interval of sleep."""
    drive.dataworks.add(JOB, "Running", "Stopping", "Stopping", "Stopped")

    assert looked_at(drive).status is JobStatus.STOPPED
    assert drive.dataworks.actions == ["GetDIJob"] * 4
    assert drive.slept == [30.0] * 3


def test_waiting_does_not_ask_what_is_known(drive: Drive):
    """With the answer in hand nothing is sent."""
    known = DIJob(JOB, JobStatus.STOPPED)

    assert looked_at(drive, first=known) is known
    assert drive.dataworks.heard == []


def test_waiting_ends_at_the_deadline_with_the_last_status(drive: Drive):
    """The last sleep is cut to the deadline, and one more look follows it."""
    drive.dataworks.add(JOB, "Stopping")
    with pytest.raises(DIJobWaitTimeout, match="still Stopping") as caught:
        looked_at(drive, deadline=START + 75)

    assert caught.value.last_status == "Stopping"
    assert caught.value.di_job_id == JOB
    assert drive.slept == [30.0, 30.0, 15.0]
    assert len(drive.dataworks.heard) == 4


def test_a_job_that_made_it_is_never_timed_out(drive: Drive):
    """The deadline is looked at only after the job."""
    drive.dataworks.add(JOB, "Stopped")

    assert looked_at(drive, deadline=START - 3600).status is JobStatus.STOPPED


def test_an_unknown_status_is_waited_on_and_told_as_it_is(drive: Drive):
    """What a status of tomorrow means cannot be known, so the wait goes on."""
    drive.dataworks.add(JOB, "Draining")
    with pytest.raises(DIJobWaitTimeout) as caught:
        looked_at(drive, deadline=START + 10)

    assert caught.value.last_status == "Draining"


# Stop: state first

STATUS_BEFORE = [
    # status before, statuses after a stop, is StopDIJob sent
    ("Running", True),
    ("Initialized", True),
    ("Stopping", False),
    ("Stopped", False),
    ("Finished", False),
    ("Failed", False),
]


@versions
@pytest.mark.parametrize(("before", "sends"), STATUS_BEFORE, ids=[row[0] for row in STATUS_BEFORE])
def test_a_stop_looks_first(drive: Drive, version: str, before: str, sends: bool):
    """Only a job that may run is asked to stop; every other status is left alone."""
    dataworks = drive.use(api_version=version)
    dataworks.add(JOB, before)
    memory = Memory()
    outcome = ask_to_stop(drive, memory)

    assert outcome == ChangeResult(
        job=outcome.job, before=JobStatus(before), sent=sends, request_id=REQUEST_ID if sends else None
    )
    assert outcome.job.status is JobStatus(before)
    assert dataworks.actions == ["GetDIJob"] + ["StopDIJob"] * sends
    assert dataworks.effective_stops == int(sends)
    assert memory.events == ([f"write {before}"] if sends else [])


def test_the_newer_spelling_of_stopped_sends_nothing(drive: Drive):
    """`Stop`, as the newer version documents it, is a stopped job."""
    drive.use(api_version=API_2024).add(JOB, "Stop")
    outcome = ask_to_stop(drive)

    assert (outcome.before, outcome.sent) == (JobStatus.STOPPED, False)
    assert drive.dataworks.actions == ["GetDIJob"]


def test_an_instance_is_stopped_by_the_newer_version_only(drive: Drive):
    """The instance travels with the stop; the older version refuses before anything is sent."""
    dataworks = drive.use(api_version=API_2024)
    ask_to_stop(drive, instance_id=1234)
    older = drive.use(api_version=API_2020)
    with pytest.raises(DataWorksInvalidRequest, match=r"^instance_id: "):
        ask_to_stop(drive, instance_id=1234)

    assert dataworks.heard[-1].params["InstanceId"] == "1234"
    assert older.heard == []


@pytest.mark.parametrize("job_id", [0, -5, "x", "11668/..", None, True], ids=repr)
def test_a_bad_id_is_refused_before_any_request(drive: Drive, job_id: Any):
    """Nothing is sent for an id that is none."""
    for call in (
        lambda: state_change.stop(drive.client, ChangeRequest(job_id, START, 30)),
        lambda: drive.client.get_di_job(job_id),
        lambda: drive.client.stop_di_job(job_id),
        lambda: drive.client.start_di_job(job_id, None, None),
    ):
        with pytest.raises(DataWorksInvalidRequest, match=r"di_job_id: "):
            call()

    assert drive.dataworks.heard == []


def test_an_initialized_job_that_refuses_the_stop_never_ran(drive: Drive):
    """There was nothing to stop, and nothing is remembered of the try."""
    drive.dataworks.add(JOB, "Initialized")
    drive.dataworks.may_be_stopped = {"Running"}
    memory = Memory()
    outcome = ask_to_stop(drive, memory)

    assert (outcome.before, outcome.job.status, outcome.sent) == (JobStatus.INITIALIZED, JobStatus.INITIALIZED, False)
    assert drive.dataworks.actions == ["GetDIJob", "StopDIJob", "GetDIJob"]
    assert memory.events == ["write Initialized", "withdraw"]


def test_an_initialized_job_that_starts_meanwhile_is_stopped(drive: Drive):
    """A start that was under way does not slip through the stop."""
    drive.dataworks.add(JOB, "Initialized", "Initialized", "Running")
    drive.dataworks.may_be_stopped = {"Running"}
    drive.dataworks.script("StopDIJob", then_starts(drive), serve)
    memory = Memory()
    outcome = ask_to_stop(drive, memory)

    assert (outcome.before, outcome.job.status, outcome.sent) == (JobStatus.INITIALIZED, JobStatus.RUNNING, True)
    assert drive.dataworks.actions == ["GetDIJob", "StopDIJob", "GetDIJob", "StopDIJob"]
    assert drive.dataworks.effective_stops == 1
    assert memory.events == ["write Initialized"]


def then_starts(drive: Drive):
    """Refuse the stop; right after it the job runs."""

    def fault(request: httpx.Request, serve_: Any) -> httpx.Response:
        response = serve_()
        drive.dataworks.add(JOB, "Running")
        return response

    return fault


@pytest.mark.parametrize("meanwhile", ["Stopping", "Stopped", "Finished", "Failed"])
def test_a_refused_stop_of_a_job_that_stopped_meanwhile_is_no_error(drive: Drive, meanwhile: str):
    """Somebody else was faster, so this run did not stop it."""

    def refuse_and_change(request: httpx.Request, serve_: Any) -> httpx.Response:
        drive.dataworks.add(JOB, meanwhile)
        return refuse("InvalidParameter.JobStatus", 400, "no")(request, serve_)

    drive.dataworks.script("StopDIJob", refuse_and_change)
    memory = Memory()
    outcome = ask_to_stop(drive, memory)

    assert (outcome.before, outcome.job.status, outcome.sent) == (JobStatus.RUNNING, JobStatus(meanwhile), False)
    assert memory.events == ["write Running", "withdraw"]


def test_a_refused_stop_of_a_job_that_still_runs_is_an_error(drive: Drive):
    """The refusal is reported, once it is certain that the job was not stopped."""
    drive.dataworks.script("StopDIJob", refuse("InvalidParameter", 400, "no"))
    memory = Memory()
    with pytest.raises(DataWorksInvalidRequest, match="no"):
        ask_to_stop(drive, memory)

    assert drive.dataworks.actions == ["GetDIJob", "StopDIJob", "GetDIJob"]
    assert memory.events == ["write Running", "withdraw"]


def test_a_job_that_will_not_settle_is_not_asked_for_ever(drive: Drive):
    """A job that comes and goes between refusals is given up, for the wait to judge."""
    drive.dataworks.add(JOB, *["Running", "Initialized"] * 10)
    drive.dataworks.script("StopDIJob", forever=refuse("InvalidParameter", 400, "no"))
    outcome = ask_to_stop(drive)

    assert not outcome.sent
    assert drive.dataworks.actions.count("StopDIJob") == 6


def test_an_unknown_status_is_waited_out_before_the_stop(drive: Drive):
    """Nobody knows whether a stop would be safe, so it is sent once the status is known."""
    drive.dataworks.add(JOB, "Resuming", "Resuming", "Running")
    memory = Memory()
    outcome = ask_to_stop(drive, memory)

    assert (outcome.before, outcome.sent) == (JobStatus.RUNNING, True)
    assert drive.dataworks.actions == ["GetDIJob"] * 3 + ["StopDIJob"]
    assert drive.slept == [30, 30]


def test_a_status_that_stays_unknown_ends_at_the_deadline(drive: Drive):
    """Nothing is sent to a job in a state nobody knows."""
    drive.dataworks.add(JOB, "Resuming")
    with pytest.raises(DIJobWaitTimeout, match="still Resuming"):
        ask_to_stop(drive, deadline=START + 60)

    assert set(drive.dataworks.actions) == {"GetDIJob"}


def test_a_stop_without_anybody_to_remember_works(drive: Drive):
    """Remembering is the caller's choice."""
    quiet = state_change.stop(drive.client, ChangeRequest(JOB, START + 600, 30))
    drive.dataworks.add(JOB, "Initialized")
    drive.dataworks.may_be_stopped = set()
    refused = state_change.stop(drive.client, ChangeRequest(JOB, START + 600, 30))

    assert (quiet.sent, refused.sent) == (True, False)


# Stop: what is remembered when the answer is lost


@pytest.mark.parametrize(
    ("fault", "kept"),
    [
        pytest.param(refuse("Forbidden.Access", 403, "no"), False, id="refused for good"),
        pytest.param(refuse("Throttling.User", 429, "slow", {"retry-after": "3600"}), False, id="throttled"),
        pytest.param(lose(httpx.ConnectTimeout("t")), False, id="never sent"),
        pytest.param(answer(503, b"busy"), True, id="answer lost"),
        pytest.param(lose(httpx.ReadTimeout("t")), True, id="timeout"),
        pytest.param(spoil(200, b'{"RequestI'), True, id="truncated answer"),
    ],
)
def test_a_stop_that_may_have_arrived_is_remembered(drive: Drive, fault: Any, kept: bool):
    """Only a stop that certainly never arrived is forgotten when the try fails."""
    drive.dataworks.after_stop = ["Running"]
    drive.dataworks.script("StopDIJob", forever=fault)
    memory = Memory()
    with pytest.raises(DataWorksError):
        ask_to_stop(drive, memory)

    assert memory.events == ["write Running"] + ["withdraw"] * (not kept)


def test_a_stop_whose_state_cannot_be_read_is_remembered(drive: Drive):
    """After a lost answer the look at the state may fail too; the stop may still have happened."""
    drive.dataworks.script("GetDIJob", serve, forever=answer(502, b""))
    drive.dataworks.script("StopDIJob", lose(httpx.ReadTimeout("t"), after_effect=True))
    memory = Memory()
    with pytest.raises(DataWorksUnavailable) as caught:
        ask_to_stop(drive, memory)

    assert caught.value.action == "GetDIJob"
    assert memory.events == ["write Running"]
    assert drive.dataworks.actions == ["GetDIJob", "StopDIJob"] + ["GetDIJob"] * ATTEMPTS


def test_a_stop_that_may_have_arrived_stays_remembered_when_the_network_goes(drive: Drive):
    """Later tries that never leave do not undo that the first one may have arrived."""
    drive.dataworks.script("StopDIJob", lose(httpx.ReadTimeout("t")), forever=lose(httpx.ConnectError("c")))
    memory = Memory()
    with pytest.raises(DataWorksUnavailable) as caught:
        ask_to_stop(drive, memory)

    assert not caught.value.sent
    assert memory.events == ["write Running"]


# The rate, and the client itself


def test_calls_wait_for_their_slot(drive: Drive):
    """A full second of calls makes the next one sleep."""
    drive.use(limiter=RateLimiter(2, drive.clock))
    for _ in range(5):
        drive.client.get_di_job(JOB)

    assert sum(drive.slept) == pytest.approx(2 * (1.0 + SLACK))


def test_a_call_that_is_signed_once_more_waits_for_its_slot_too(drive: Drive):
    """It is one more call, whatever the first was refused for: here a clock that is an hour off."""
    drive.use(limiter=RateLimiter(1, drive.clock))
    drive.dataworks.skew = 3600
    drive.client.get_di_job(JOB)

    assert drive.slept == pytest.approx([1.0 + SLACK])


def test_waits_between_tries_are_logged_with_their_reason(drive: Drive, caplog: pytest.LogCaptureFixture):
    """The task log says what happened, how long it waits and whose wish that is."""
    drive.dataworks.script("GetDIJob", refuse("Throttling.User", 429, "slow", {"retry-after": "7"}), answer(502))
    with caplog.at_level(logging.INFO):
        drive.client.get_di_job(JOB)
    lines = [record.getMessage() for record in caplog.records if "waiting" in record.getMessage()]

    assert "Throttling.User" in lines[0]
    assert "waiting 7.0 s, as the service asks (try 1)" in lines[0]
    assert "then trying again (try 2)" in lines[1]


def test_a_wait_says_what_it_saw_and_not_what_was_known_before_it(drive: Drive, caplog: pytest.LogCaptureFixture):
    """Right after StopDIJob was taken, "it is Running" would read as if it had failed."""
    drive.dataworks.add(JOB, "Running", "Stopping", "Stopped")
    job = drive.client.get_di_job(JOB)
    with caplog.at_level(logging.INFO):
        drive.client.wait_until(JOB, Verdict(), deadline=START + 600, poll_interval=30, first=job)

    assert [record.getMessage() for record in caplog.records] == [f"DI job {JOB} is Stopping; next look in 30 s."]


def test_an_error_of_the_code_itself_ends_the_conversation(drive: Drive):
    """What is no trouble with the service is never repeated."""

    def broken(job: DIJob) -> bool:
        raise ZeroDivisionError("a slip")

    with pytest.raises(ZeroDivisionError):
        drive.client.wait_until(JOB, broken, deadline=START, poll_interval=1)

    assert len(drive.dataworks.heard) == 1


def test_an_interrupted_wait_ends_at_once(drive: Drive):
    """Ctrl-C, or Airflow ending a task, is no error of ours: nothing is asked any more."""

    def interrupt(seconds: float) -> None:
        raise KeyboardInterrupt

    drive.client.sleep = interrupt
    with pytest.raises(KeyboardInterrupt):
        drive.client.wait_until(JOB, Verdict(), deadline=START + 60, poll_interval=5)

    assert drive.dataworks.actions == ["GetDIJob"]


def test_a_mistake_of_ours_keeps_its_way(drive: Drive):
    """An error that is none of this package's is neither tried again nor stripped of its traceback."""

    def broken(action: str, payload: object) -> None:
        raise KeyError("k")

    call = replace(drive.client.api.GetDIJob(JOB), read=broken)
    with pytest.raises(KeyError) as caught:
        drive.client.call(call)

    assert caught.traceback[-1].name == "broken"
    assert len(drive.dataworks.heard) == 1


def test_threads_share_one_client(drive: Drive):
    """Many calls at once all come to their end."""
    with ThreadPoolExecutor(16) as threads:
        jobs = list(threads.map(drive.client.get_di_job, [JOB] * 80))

    assert [job.id for job in jobs] == [JOB] * 80


@pytest.mark.parametrize("error", [DataWorksThrottled, DataWorksForbidden])
def test_errors_of_a_flow_keep_no_reply(drive: Drive, error: type[DataWorksError]):
    """What reaches the caller is an error of this package with the facts in it."""
    fault = {
        DataWorksThrottled: refuse("Throttling.User", 429, "slow", {"retry-after": "3600"}),
        DataWorksForbidden: refuse("Forbidden.Access", 403, "no"),
    }[error]
    drive.dataworks.script("GetDIJob", fault)
    with pytest.raises(error) as caught:
        drive.client.get_di_job(JOB)

    assert caught.value.request_id == REQUEST_ID
