"""What must hold of the calls of every schedule: what is sent, when, and how often."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise

from campaign import faults
from campaign.book import Book
from campaign.dataworks_model import CHANGES
from campaign.facts import calls_of, first_epoch, may_have_stopped

_PATIENCE = 45.0  # seconds that one blocking call may wait
_LEAST_CAP = 120.0  # seconds for which an answer's wish must be obeyed; for more, the package may choose
_LONGEST_GAP = 640.0  # seconds between two looks of a wait in the triggerer: five minutes, and a hold of as much
_MAY_STOP = {"Running", "Initialized"}
_MAY_START = {"Stopped", "Finished", "Failed", "Initialized"}


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
        deadline = first_epoch(book, call.process) + schedule.timeout
        if call.epoch > deadline + 0.01:
            yield f"StopDIJob {call.epoch - deadline:.1f} s after the deadline"


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
    """
    After a refusal that is permanent nothing of the kind is sent again, and the task is not tried again.

    What a refused stop or start means is decided by a look at the job; where that was lost, a retry may ask again.
    """
    for place, call in enumerate(book.service.calls):
        if not call.permanent or call.action == "ListDIJobs" or call.process.outcome == "killed":
            continue
        after = [each for each in book.service.calls[place + 1 :] if each.process is call.process]
        if call.action in ("StopDIJob", "StartDIJob") and after and all(each.told is None for each in after):
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
