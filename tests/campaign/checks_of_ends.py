"""What must hold of the end of every task: its state, result and error, and what it told on the way."""

from __future__ import annotations

from collections.abc import Iterator

from airflow.sdk.exceptions import AirflowSensorTimeout, AirflowSkipException, TaskDeferralError, TaskDeferralTimeout

from airflow_provider_dataworks.exceptions import (
    DataWorksError,
    DIJobFailed,
    DIJobWaitTimeout,
    OutsideMaintenanceWindow,
)
from campaign import faults
from campaign.airflow_model import NotStorable
from campaign.book import Book
from campaign.facts import error, last_told, may_have_stopped

_DOWN = {"Stopped", "Finished", "Failed"}
_VERDICTS = (DIJobFailed, DIJobWaitTimeout, OutsideMaintenanceWindow)


def stop_succeeds_only_on_a_stopped_job(book: Book) -> Iterator[str]:
    """Stop and check succeed only where the last look told that nothing runs."""
    for end in book.ends:
        if (
            end.state != "success"
            or end.task not in ("stop", "check")
            or (end.task == "stop" and not book.schedule.wait)
        ):
            continue
        told, last = last_told(book, end)
        good = {"Stopped", "Finished"} if end.task == "check" else set(_DOWN)
        stops = [call for call in book.service.calls if call.process is end.process and call.action == "StopDIJob"]
        if stops and stops[-1].fate == faults.REFUSED:
            good.add("Initialized")
        if not told & good:
            yield f"{end.task} succeeded although the job was last seen {sorted(told)}"
        elif end.result["status"] not in told:
            yield f"{end.task} tells {end.result['status']}, and the last look told {sorted(told)}"
        elif last is not None and stops and stops[-1].at > last.at:
            yield f"{end.task} succeeded without a look after its StopDIJob"


def restart_succeeds_only_on_a_running_job(book: Book) -> Iterator[str]:
    """The restart succeeds where the job runs, or was not stopped by this run."""
    for end in book.ends:
        if end.state != "success" or end.task != "restart" or not book.schedule.wait:
            continue
        if not may_have_stopped(book):
            continue
        told, last = last_told(book, end)
        mine = [call for call in book.service.calls if call.process.task == "restart" and call.at <= end.at]
        since = end.process.since_clear if end.process else 0
        started = any(call.action == "StartDIJob" and call.process.since_clear == since for call in mine)
        if not told & {"Running", "Finished"} and (started or end.down_by == "us"):
            yield f"restart succeeded although the job was last seen {sorted(told)}"
        if last is not None and started and not book.schedule.lag:
            truth = book.service.job.status_at(last.told_at)
            if truth not in ("Running", "Finished"):
                yield f"restart succeeded although the job was {truth} at its last look"


def stopped_by_this_run_is_true(book: Book) -> Iterator[str]:
    """``stopped_by_this_run`` is true exactly when it was."""
    for end in book.ends:
        if end.state != "success" or end.task != "stop":
            continue
        claimed = end.result["stopped_by_this_run"]
        if end.down_by == "us" and end.job in (*_DOWN, "Stopping") and not claimed:
            yield "stopped_by_this_run is False although this run stopped it"
        if claimed and not may_have_stopped(book):
            yield "stopped_by_this_run is True although this run did not stop it"


def nothing_left_down(book: Book) -> Iterator[str]:
    """A job that this run stopped is never down under a restart that succeeded or was skipped."""
    changes = [call for call in book.service.calls if call.effective]
    for end in book.ends:
        if end.task == "restart" and end.state in ("success", "skipped"):
            if not book.schedule.wait and changes and changes[-1].action == "StartDIJob":
                continue  # it was asked not to wait for what becomes of it
            if end.down_by == "us" and end.job in (*_DOWN, "Stopping"):
                yield f"restart ended in {end.state}, and the job that this run stopped is {end.job}"


def errors_are_ours(book: Book) -> Iterator[str]:
    """A task ends in this package's errors, or in Airflow's own for skips and time limits."""
    ours = (DataWorksError, AirflowSkipException, AirflowSensorTimeout)
    for process in book.processes:
        if process.outcome != "raised" or isinstance(process.error, (*ours, NotStorable)):
            continue
        if process.kind == "resume" and isinstance(process.error, TaskDeferralError | TaskDeferralTimeout):
            continue  # told of at its cause
        yield f"{process.task} ({process.kind}) ended in {process.error!r}"[:300]


def what_may_pass_is_tried_again(book: Book) -> Iterator[str]:
    """A task whose trouble may pass does not fail as long as it has tries left."""
    for end in book.ends:
        error = end.process.error if end.process else None
        if end.state != "failed" or end.tries_left <= 0 or not isinstance(error, DataWorksError):
            continue
        if error.retryable:
            yield f"{end.task} failed with {end.tries_left} tries left: {error!r}"[:300]
        gone = [deed for deed in book.schedule.deeds if deed.what == "gone"]
        told = error.action or error.code or error.status or isinstance(error, _VERDICTS)
        if not told and any(deed.at <= end.at <= deed.at + deed.seconds + 120 for deed in gone):
            yield f"{end.task} failed for good while Airflow could not give out the connection: {error!r}"[:300]


def a_start_is_waited_for(book: Book) -> Iterator[str]:
    """A restart does not time out right after it asked for the start."""
    for end in book.ends:
        if end.task != "restart" or end.state != "failed" or not isinstance(error(end), DIJobWaitTimeout):
            continue
        starts = [call for call in book.service.calls if call.action == "StartDIJob" and call.fate != faults.REFUSED]
        mine = [call for call in starts if end.process and call.process.try_number == end.process.try_number]
        if mine and mine[-1].process.since_clear == (end.process.since_clear if end.process else 0):
            waited = end.at - mine[-1].at
            if waited < min(60.0, book.schedule.restart_timeout / 2):
                yield f"restart timed out {waited:.2f} s after its StartDIJob"


def a_restart_does_not_give_up(book: Book) -> Iterator[str]:
    """A restart with tries left does not fail for lack of time while the job is down and was never asked to start."""
    for end in book.ends:
        if end.task != "restart" or end.state != "failed" or not isinstance(error(end), DIJobWaitTimeout):
            continue
        started = any(call.action == "StartDIJob" for call in book.service.calls)
        if end.tries_left > 0 and end.down_by == "us" and end.job in _DOWN and not started:
            yield f"restart gave up with {end.tries_left} tries left; the job is {end.job}"


def no_secret_is_told(book: Book) -> Iterator[str]:
    """No key, token or signature stands in a log line, an error, an XCom, a trigger row or an event."""
    secrets = [*book.service.keys.secrets(), *(text for text in book.service.signatures if len(text) > 10)]
    for where, texts in (("a log line", book.lines), ("something stored", book.database.written)):
        everything = "\n".join(texts)
        for secret in secrets:
            if secret in everything:
                line = next(text for text in texts if secret in text)
                yield f"a secret in {where}: {line.replace(secret, '<SECRET>')[:200]}"
                break


def log_lines_can_be_read(book: Book) -> Iterator[str]:
    """A log line can be encoded, is of a length to be read, and steers no terminal."""
    for line in book.lines:
        if len(line) > 5000:
            yield f"a log line of {len(line)} characters: {line[:100]!a}"
        elif "\x1b" in line or "\x00" in line or any("\ud800" <= each <= "\udfff" for each in line):
            yield f"a log line that cannot be printed: {ascii(line)[:200]}"
