"""What must hold of every schedule, by name; what each means is where it is written."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from campaign import checks_of_calls as calls
from campaign import checks_of_ends as ends
from campaign.book import Book, Problem

Check = Callable[[Book], Iterator[str]]
CHECKS: dict[str, Check] = {
    "one effective stop": calls.one_effective_stop,
    "last look": calls.nothing_that_the_last_look_forbade,
    "too late": calls.nothing_too_late,
    "stop succeeds on a running job": ends.stop_succeeds_only_on_a_stopped_job,
    "restart succeeds on a job that is down": ends.restart_succeeds_only_on_a_running_job,
    "stopped_by_this_run": ends.stopped_by_this_run_is_true,
    "left down": ends.nothing_left_down,
    "started what was not stopped": calls.only_what_was_stopped_is_started,
    "asked for nothing": calls.nobody_is_asked_for_nothing,
    "permanent": calls.permanent_refusals_end_at_once,
    "wait too short": calls.waits_are_as_long_as_asked,
    "wait too long": calls.waits_are_bounded,
    "calls or time without bound": calls.calls_and_time_are_bounded,
    "error of another kind": ends.errors_are_ours,
    "failed for good": ends.what_may_pass_is_tried_again,
    "start not waited for": ends.a_start_is_waited_for,
    "restart gave up": ends.a_restart_does_not_give_up,
    "log line": ends.log_lines_can_be_read,
    "secret": ends.no_secret_is_told,
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
