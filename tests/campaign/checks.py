"""What must hold of every schedule, as functions of its book; each says what was not right, and changes nothing."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import pairwise

from airflow.sdk.exceptions import AirflowSensorTimeout, AirflowSkipException, TaskDeferralError, TaskDeferralTimeout

from airflow_provider_dataworks.exceptions import (
    DataWorksError,
    DIJobFailed,
    DIJobWaitTimeout,
    OutsideMaintenanceWindow,
)
from campaign import faults
from campaign.airflow_model import NotStorable
from campaign.dataworks_model import CHANGES, Call
from campaign.processes import Process
from campaign.run import Book, End, Problem

_PATIENCE = 45.0  # seconds that one blocking call may wait
_LEAST_CAP = 120.0  # seconds for which an answer's wish must be obeyed; for more, the package may choose
_LONGEST_GAP = 640.0  # seconds between two looks of a wait in the triggerer: five minutes, and a hold of as much
_LOOKS = ("GetDIJob", "ListDIJobs")
_MAY_STOP = {"Running", "Initialized"}
_MAY_START = {"Stopped", "Finished", "Failed", "Initialized"}
_DOWN = {"Stopped", "Finished", "Failed"}
_VERDICTS = (DIJobFailed, DIJobWaitTimeout, OutsideMaintenanceWindow)

Check = Callable[[Book], Iterator[str]]


def calls_of(book: Book, process: Process) -> list[Call]:
    """Return the calls of one process."""
    return [call for call in book.service.calls if call.process is process]


def may_have_stopped(book: Book) -> bool:
    """Say whether this run may have stopped the job, by all that the package can know."""
    sent = any(call.action == "StopDIJob" and call.fate != faults.REFUSED for call in book.service.calls)
    stops = [process for process in book.processes if process.task == "stop"]
    killed = any(process.outcome == "killed" for process in stops)
    # Without a store, or with one discarded, nobody knows what earlier tries did: better one restart too many.
    blind = book.schedule.airflow == "2.11" and any(process.try_number > 1 for process in stops)
    blind = blind or (book.schedule.airflow == "3.4" and any(process.since_clear for process in stops))
    return sent or killed or blind


def one_effective_stop(book: Book) -> Iterator[str]:
    """At most one effective stop, unless others started the job meanwhile or a person cleared the stop."""
    stops = [call for call in book.service.calls if call.action == "StopDIJob" and call.effective]
    for first, second in pairwise(stops):
        started = any(
            first.at <= change.at <= second.at and change.by != "us" and change.status in ("Initialized", "Running")
            for change in book.service.job.history
        )
        cleared = any(first.at <= each.at <= second.at and each.task == "stop" for each in book.cleared)
        if not (started or cleared):
            yield f"effective stops at {first.at:.1f} and {second.at:.1f}"


def nothing_that_the_last_look_forbade(book: Book) -> Iterator[str]:
    """A process sends a change only after a look of its own that allows it, and looks again after a lost answer."""
    for process in book.processes:
        known: set[str] = set()
        for call in calls_of(book, process):
            if call.told is not None:
                known = known | {call.told} if call.unsure else {call.told}
            if call.action not in CHANGES:
                continue
            if process.kind == "trigger":
                yield f"{call.action} in the triggerer at {call.at:.1f}"
            allowed = _MAY_STOP if call.action == "StopDIJob" else _MAY_START
            if not known & allowed:
                yield f"{call.action} at {call.at:.1f} after {sorted(known) or 'no look'}"
            if not (call.fate == faults.REFUSED and (call.busy or call.code)):
                known = set()


def nothing_too_late(book: Book) -> Iterator[str]:
    """No stop after the window's end or the deadline; none that begins with too little of the window left."""
    schedule, closes = book.schedule, book.window_closes
    for call in book.service.calls:
        if call.action != "StopDIJob":
            continue
        if closes is not None and call.epoch > closes + 0.01:
            yield f"StopDIJob {call.epoch - closes:.1f} s after the window's end"
        left = closes - call.process.began_epoch if closes is not None else float("inf")
        if left < schedule.min_remaining - 0.01:
            yield f"StopDIJob of a try that began {left:.1f} s before the window's end"
        deadline = _first_epoch(book, call.process) + schedule.timeout
        if call.epoch > deadline + 0.01:
            yield f"StopDIJob {call.epoch - deadline:.1f} s after the deadline"


def _first_epoch(book: Book, process: Process) -> float:
    alike = [
        call.epoch
        for call in book.service.calls
        if call.process.task == process.task
        and call.process.since_clear == process.since_clear
        and (call.process is process or book.schedule.airflow != "2.11")
    ]
    return alike[0]


def _last_told(book: Book, end: End) -> tuple[set[str], Call | None]:
    """What the task's last look told, and the one before where that may have been taken for none."""
    since = end.process.since_clear if end.process else 0
    mine = [
        call
        for call in book.service.calls
        if call.process.task == end.task and call.process.since_clear == since and call.told is not None
    ]
    told: set[str] = set()
    for call in reversed(mine):
        told.add(str(call.told))
        if not call.unsure:
            break
    return told, mine[-1] if mine else None


def stop_succeeds_only_on_a_stopped_job(book: Book) -> Iterator[str]:
    """Stop and check succeed only where the last look told that nothing runs."""
    for end in book.ends:
        if (
            end.state != "success"
            or end.task not in ("stop", "check")
            or (end.task == "stop" and not book.schedule.wait)
        ):
            continue
        told, last = _last_told(book, end)
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
        told, last = _last_told(book, end)
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


def only_what_was_stopped_is_started(book: Book) -> Iterator[str]:
    """What this run did not stop is not started."""
    starts = [call for call in book.service.calls if call.action == "StartDIJob"]
    if starts and not may_have_stopped(book):
        yield "StartDIJob for a job that this run did not stop"


def nobody_is_asked_for_nothing(book: Book) -> Iterator[str]:
    """Where nothing was stopped, the restart asks nobody."""
    asked = [call for call in book.service.calls if call.process.task == "restart"]
    if asked and not may_have_stopped(book):
        yield f"{asked[0].action} by the restart although nothing was stopped"


def permanent_refusals_end_at_once(book: Book) -> Iterator[str]:
    """After a refusal that is permanent nothing of the kind is sent again, and the task is not tried again."""
    for place, call in enumerate(book.service.calls):
        if not call.permanent or call.action == "ListDIJobs" or call.process.outcome == "killed":
            continue
        for later in book.service.calls[place + 1 :]:
            mine = later.process.task == call.process.task and later.process.since_clear == call.process.since_clear
            if mine and (later.action == call.action or later.process.try_number > call.process.try_number):
                if not any(each.outcome == "killed" and each.task == call.process.task for each in book.processes):
                    yield f"{later.action} at {later.at:.1f} after {call.action} was refused for good"
                break


def waits_are_as_long_as_asked(book: Book) -> Iterator[str]:
    """A wait is never shorter than the service asked, and never nothing."""
    calls = book.service.calls
    for first, second in pairwise(calls):
        if first.hint is None or second.process.task != first.process.task:
            continue
        same = first.process is second.process
        retried = (
            second.process.kind == "execute"
            and first.process.outcome == "raised"
            and first.process.since_clear == second.process.since_clear
            and book.schedule.airflow != "2.11"
        )
        gap, asked = second.at - first.at, min(first.hint, _LEAST_CAP)
        if (same or retried) and gap < max(asked - 0.01, 0.001):
            yield f"{second.action} {gap:.3f} s after {first.action} was answered with a wait of {first.hint:g} s"


def waits_are_bounded(book: Book) -> Iterator[str]:
    """Nobody sleeps for longer than the package says."""
    schedule = book.schedule
    most = max(_PATIENCE, schedule.poll_interval, 4 / schedule.max_qps + 2) + 0.1
    slow = sum(fault.seconds * fault.times for fault in schedule.faults if fault.kind == "slow")
    slow += sum(deed.seconds for deed in schedule.deeds if deed.what == "gone")
    for process in book.processes:
        if process.kind != "trigger":
            if process.sleeps and max(process.sleeps) > most:
                yield f"{process.task} slept {max(process.sleeps):.0f} s at once in a worker"
            continue
        moments = [process.began, *(call.at for call in calls_of(book, process)), process.ended or 0.0]
        gap = max(second - first for first, second in pairwise(moments))
        if gap > max(_LONGEST_GAP, 2 * schedule.poll_interval) + slow:
            yield f"{process.task} did not look for {gap:.0f} s in the triggerer"


def calls_and_time_are_bounded(book: Book) -> Iterator[str]:
    """A process ends, soon after its deadline, with no more calls than its looks need."""
    schedule = book.schedule
    more = 700 + sum(abs(deed.seconds) for deed in schedule.deeds)
    more += sum(fault.seconds * fault.times for fault in schedule.faults if fault.kind == "slow")
    for process in book.processes:
        lasted, calls = (process.ended or 0.0) - process.began, len(calls_of(book, process))
        most = (schedule.restart_timeout if process.task == "restart" else schedule.timeout) + more
        if process.ended_for:
            yield f"{process.task}: {process.ended_for}"
        elif lasted > most:
            yield f"{process.task} ({process.kind}) lasted {lasted:.0f} s"
        elif calls > 60 + 14 * (lasted / schedule.poll_interval + 1):
            yield f"{process.task} ({process.kind}) made {calls} calls in {lasted:.0f} s"


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
        if end.task != "restart" or end.state != "failed" or not isinstance(_error(end), DIJobWaitTimeout):
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
        if end.task != "restart" or end.state != "failed" or not isinstance(_error(end), DIJobWaitTimeout):
            continue
        started = any(call.action == "StartDIJob" for call in book.service.calls)
        if end.tries_left > 0 and end.down_by == "us" and end.job in _DOWN and not started:
            yield f"restart gave up with {end.tries_left} tries left; the job is {end.job}"


def _error(end: End) -> BaseException | None:
    return end.process.error if end.process else None


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


CHECKS: dict[str, Check] = {
    "one effective stop": one_effective_stop,
    "last look": nothing_that_the_last_look_forbade,
    "too late": nothing_too_late,
    "stop succeeds on a running job": stop_succeeds_only_on_a_stopped_job,
    "restart succeeds on a job that is down": restart_succeeds_only_on_a_running_job,
    "stopped_by_this_run": stopped_by_this_run_is_true,
    "left down": nothing_left_down,
    "started what was not stopped": only_what_was_stopped_is_started,
    "asked for nothing": nobody_is_asked_for_nothing,
    "permanent": permanent_refusals_end_at_once,
    "wait too short": waits_are_as_long_as_asked,
    "wait too long": waits_are_bounded,
    "calls or time without bound": calls_and_time_are_bounded,
    "error of another kind": errors_are_ours,
    "failed for good": what_may_pass_is_tried_again,
    "start not waited for": a_start_is_waited_for,
    "restart gave up": a_restart_does_not_give_up,
    "log line": log_lines_can_be_read,
    "secret": no_secret_is_told,
}
# Found while a schedule is lived through, since the value is gone afterwards.
FOUND_ON_THE_WAY = ("cannot be stored",)


def problems(book: Book) -> list[Problem]:
    """Return everything that was not right, without repetition."""
    found = {(each.check, each.text): each for each in book.problems}
    for name, check in CHECKS.items():
        for text in check(book):
            found.setdefault((name, text), Problem(name, text))
    return list(found.values())
