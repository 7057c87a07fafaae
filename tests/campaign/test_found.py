"""Each schedule that once went wrong, by what must hold of it: found by the campaign, and shrunk."""

from __future__ import annotations

import pytest

from campaign.campaign import wrongs
from campaign.schedule import Clear, Deed, Fault, Kill, Outage, Schedule


def not_yet(issue: str) -> pytest.MarkDecorator:
    """To be taken away where the package is mended: such a test passes then, which fails it while the mark stands."""
    return pytest.mark.xfail(strict=True, raises=AssertionError, reason=issue)


def holds(schedule: Schedule, *checks: str) -> None:
    """See that a schedule passes these checks, whatever else is found."""
    found = [f"{check}: {text}" for check, text in wrongs(schedule) if check in checks]
    assert not found, found


# What may have arrived


def test_a_stop_that_was_answered_202_without_a_body_counts_as_sent() -> None:
    """The stop had its effect; the restart has to start the job."""
    holds(
        Schedule(faults=(Fault("2xx without a body", "StopDIJob", effect=True, variant=1),)),
        "left down",
        "stopped_by_this_run",
    )


def test_a_stop_that_was_answered_201_without_a_body_counts_as_sent() -> None:
    """As with 202."""
    holds(
        Schedule(deferrable=True, faults=(Fault("2xx without a body", "StopDIJob", effect=True),)),
        "left down",
        "stopped_by_this_run",
    )


def test_a_stop_that_was_answered_204_counts_as_sent() -> None:
    """As with 202."""
    holds(
        Schedule(faults=(Fault("2xx without a body", "StopDIJob", effect=True, variant=2),)),
        "left down",
        "stopped_by_this_run",
    )


def test_a_stop_that_was_answered_206_counts_as_sent() -> None:
    """As with 202."""
    holds(
        Schedule(deferrable=True, faults=(Fault("2xx without a body", "StopDIJob", effect=True, variant=3),)),
        "left down",
        "stopped_by_this_run",
    )


def test_a_stop_that_was_answered_by_a_redirect_counts_as_sent() -> None:
    """Something in between answered 302; the service had carried it out."""
    holds(
        Schedule(faults=(Fault("something in between", "StopDIJob", effect=True),)), "left down", "stopped_by_this_run"
    )


def test_a_stop_that_was_answered_by_a_404_of_another_counts_as_sent() -> None:
    """Something in between answered 404 in HTML."""
    holds(
        Schedule(faults=(Fault("something in between", "StopDIJob", effect=True, variant=1),)),
        "left down",
        "stopped_by_this_run",
    )


def test_after_a_429_of_another_the_job_is_looked_at() -> None:
    """Without the service's envelope a 429 says nothing about the effect."""
    holds(Schedule(faults=(Fault("something in between", "StopDIJob", variant=13),)), "last look")


def test_a_job_that_may_be_starting_is_not_taken_for_one_that_never_ran() -> None:
    """Initialized, and the stop was answered by something in between: it may be starting."""
    holds(
        Schedule(
            status="Stopped",
            start_seconds=400.0,
            deeds=(Deed("start", 0.0),),
            faults=(Fault("something in between", "StopDIJob", variant=1),),
        ),
        "stop succeeds on a running job",
    )


def test_a_job_that_failed_after_our_stop_is_ours_without_a_store() -> None:
    """On 2.11 a worker is killed after the stop, and the job ends Failed before the retry."""
    holds(
        Schedule(airflow="2.11", stop_ends_in="Failed", kills=(Kill("stop", 1, 5),)), "left down", "stopped_by_this_run"
    )


def test_a_job_that_finished_after_our_stop_is_ours_without_a_store() -> None:
    """The same with Finished."""
    holds(
        Schedule(airflow="2.11", stop_ends_in="Finished", kills=(Kill("stop", 1, 5),)),
        "left down",
        "stopped_by_this_run",
    )


def test_a_job_that_failed_after_our_stop_is_ours_after_a_clear_without_a_store() -> None:
    """On 2.11 a person clears stop and work of a job that ended Failed."""
    holds(
        Schedule(airflow="2.11", check=False, stop_ends_in="Failed", clears=(Clear("stop", "work"),)),
        "left down",
        "stopped_by_this_run",
    )


def test_a_last_try_that_is_killed_at_once_does_not_hide_what_an_earlier_one_did() -> None:
    """The XComs of the first try are gone, and the second tells nothing any more."""
    holds(Schedule(retries=1, kills=(Kill("stop", 1, 10), Kill("stop", 2, 0))), "left down")


def test_a_clear_that_discards_the_store_does_not_lose_the_claim() -> None:
    """Airflow 3.4 discards the task's store as a person clears it."""
    holds(Schedule(airflow="3.4", clears=(Clear("stop", "stop"),)), "left down", "stopped_by_this_run")


def test_a_cleared_try_that_cannot_look_does_not_lose_the_claim_without_a_store() -> None:
    """On 2.11 the note is gone with the XComs, and the try that follows the clear ends before it knows anything."""
    throttled = Fault("throttle", "GetDIJob", skip=2, times=2, seconds=90.0)
    holds(Schedule(airflow="2.11", retries=0, faults=(throttled,), clears=(Clear("stop", "stop"),)), "left down")


def test_a_cleared_try_that_cannot_look_does_not_lose_the_claim_with_its_store() -> None:
    """The same on 3.4, where the store is discarded too."""
    throttled = Fault("throttle", "GetDIJob", skip=2, times=2, seconds=90.0)
    holds(Schedule(airflow="3.4", retries=0, faults=(throttled,), clears=(Clear("stop", "stop"),)), "left down")


def test_a_clear_after_the_work_does_not_lose_the_claim() -> None:
    """The same, with the work cleared too."""
    holds(Schedule(airflow="3.4", deferrable=True, clears=(Clear("stop", "work"),)), "left down", "stopped_by_this_run")


def test_a_look_that_is_refused_for_good_after_a_lost_stop_ends_it() -> None:
    """Not the stop was refused but the look: it is not asked again."""
    holds(Schedule(faults=(Fault("lost", "StopDIJob"), Fault("refused", "GetDIJob", skip=1, variant=2))), "permanent")


# Time


def test_no_stop_after_the_window_when_calls_wait_for_their_slot() -> None:
    """One call in 20 seconds, and 12 seconds of the window left."""
    holds(Schedule(window=12.0, max_qps=0.05), "too late")


def test_no_stop_after_the_window_when_throttled() -> None:
    """Each repetition is 20 seconds later."""
    holds(Schedule(window=25.0, faults=(Fault("throttle", "StopDIJob", times=4, seconds=20.0),)), "too late")


def test_no_stop_after_the_window_when_answers_are_lost() -> None:
    """The job is looked at and asked again, until the window has closed."""
    holds(Schedule(window=10.0, faults=(Fault("lost", "StopDIJob", times=5),)), "too late")


def test_no_stop_after_the_deadline_when_throttled() -> None:
    """The service asks for 30 seconds, and 20 were left."""
    holds(Schedule(timeout=20.0, faults=(Fault("throttle", "StopDIJob", seconds=30.0),)), "too late")


def test_no_stop_by_a_retry_after_the_deadline() -> None:
    """A first try that could not look; the second begins when the time is over."""
    holds(Schedule(timeout=20.0, faults=(Fault("gateway", "GetDIJob", times=6),)), "too late")


def test_a_restart_waits_for_what_it_started() -> None:
    """The start is sent 10 seconds before the end of the time to wait."""
    holds(
        Schedule(restart_timeout=90.0, faults=(Fault("throttle", "StartDIJob", times=4, seconds=20.0),)),
        "start not waited for",
    )


def test_a_retry_of_a_restart_after_its_deadline_waits_for_what_it_started() -> None:
    """DataWorks was away for longer than the restart's time to wait."""
    holds(
        Schedule(restart_timeout=600.0, restart_retries=30, outages=(Outage(Fault("gateway"), 655.0, 1000.0),)),
        "start not waited for",
    )


def test_a_restart_that_could_not_look_goes_on_trying() -> None:
    """It waited in the triggerer for the stop to end, and DataWorks was away."""
    holds(
        Schedule(
            deferrable=True, timeout=20.0, restart_timeout=600.0, outages=(Outage(Fault("gateway"), 46.0, 5000.0),)
        ),
        "restart gave up",
    )


def test_one_absurd_hint_does_not_hold_everybody() -> None:
    """A look in the triggerer is answered with a wait of 115 days."""
    holds(
        Schedule(deferrable=True, faults=(Fault("absurd hint", "GetDIJob", skip=1, seconds=9_999_999.999),)),
        "wait too long",
    )


def test_a_hold_does_not_outlast_the_patience_of_a_worker() -> None:
    """A look in the triggerer was asked to wait 90 seconds, and a worker's call waits with it."""
    holds(
        Schedule(
            deferrable=True, check=False, timeout=20.0, faults=(Fault("throttle", "GetDIJob", skip=1, seconds=90.0),)
        ),
        "wait too long",
    )


def test_a_hint_of_zero_is_none() -> None:
    """``Retry-After: 0`` would burn all tries in no time."""
    holds(Schedule(faults=(Fault("throttle without a hint that is one", "GetDIJob", times=3),)), "wait too short")


def test_a_hint_that_is_past_is_none() -> None:
    """A ``Retry-After`` with a date that is over."""
    holds(
        Schedule(faults=(Fault("throttle without a hint that is one", "StopDIJob", times=3, variant=8),)),
        "wait too short",
    )


def test_a_hint_on_a_503_is_obeyed_in_the_triggerer() -> None:
    """As one on a 429 is."""
    holds(
        Schedule(deferrable=True, faults=(Fault("hint on a 5xx", "GetDIJob", skip=1, seconds=100.0),)), "wait too short"
    )


def test_a_hint_on_a_503_is_obeyed_by_the_retry_policy() -> None:
    """As one on a 429 is."""
    holds(Schedule(faults=(Fault("hint on a 5xx", "GetDIJob", seconds=100.0),)), "wait too short")


def test_one_running_right_after_a_start_is_looked_at_again() -> None:
    """Reads lag behind: the job is still starting."""
    holds(
        Schedule(start_seconds=200.0, start_ends_in="Failed", faults=(Fault("early running", "GetDIJob"),)),
        "restart succeeds on a job that is down",
    )


def test_a_running_that_lags_behind_our_stop_is_looked_at_again() -> None:
    """The stop timed out at once; the restart is told what the job was four seconds ago."""
    holds(Schedule(timeout=1.0, lag=4.0, check=False), "left down")


def test_a_running_that_lags_behind_a_lost_stop_is_looked_at_again() -> None:
    """The answer was lost, the second StopDIJob refused, and every look tells what was."""
    holds(Schedule(lag=4.0, refuses=True, faults=(Fault("lost", "StopDIJob", effect=True),)), "left down")


# Values from outside


def test_half_an_emoji_in_a_name_ends_no_wait() -> None:
    """The triggerer cannot encode the event."""
    holds(Schedule(deferrable=True, faults=(Fault("odd value", times=20),)), "cannot be stored")


def test_half_an_emoji_in_the_error_of_a_job_can_be_printed() -> None:
    """The text stands in the task's error and log."""
    holds(Schedule(status="Failed", faults=(Fault("odd value", times=20, variant=1),)), "cannot be stored", "log line")


def test_half_an_emoji_in_a_request_id_can_be_noted() -> None:
    """The note is written right after the stop."""
    holds(Schedule(faults=(Fault("odd value", times=20, variant=2),)), "cannot be stored")


def test_a_workspace_id_of_more_than_64_bits_ends_no_task() -> None:
    """``defer()`` fails after the stop was sent."""
    holds(Schedule(deferrable=True, faults=(Fault("odd value", times=20, variant=3),)), "cannot be stored")


def test_a_request_id_of_150_kb_is_cut() -> None:
    """It would stand in XCom, note, row and log."""
    holds(Schedule(faults=(Fault("odd value", times=20, variant=4),)), "cannot be stored", "log line")


def test_control_characters_in_a_name_are_not_passed_on() -> None:
    """PostgreSQL takes no NUL."""
    holds(Schedule(deferrable=True, faults=(Fault("odd value", times=20, variant=5),)), "cannot be stored", "log line")


def test_an_error_text_of_100_kb_is_cut() -> None:
    """It would stand in the event."""
    holds(Schedule(deferrable=True, faults=(Fault("odd value", times=20, variant=6),)), "cannot be stored", "log line")


def test_a_status_that_steers_a_terminal_is_not_printed() -> None:
    """Line ends and ESC in JobStatus."""
    holds(Schedule(faults=(Fault("odd value", "GetDIJob", times=3, variant=13),)), "cannot be stored", "log line")


def test_a_status_of_100_kb_is_cut() -> None:
    """It stands in each line of the log."""
    holds(
        Schedule(deferrable=True, faults=(Fault("odd value", "GetDIJob", times=3, variant=14),)),
        "cannot be stored",
        "log line",
    )


def test_a_note_that_somebody_spoiled_crashes_no_restart() -> None:
    """An XCom under the name of another stop's note."""
    holds(Schedule(spoiled_note=0), "error of another kind")


def test_a_note_whose_number_is_infinite_crashes_no_restart() -> None:
    """As JSON of another program may hold."""
    holds(Schedule(spoiled_note=3), "error of another kind")


# Airflow's own look-ups


def test_a_triggerer_that_cannot_read_the_connection_waits() -> None:
    """Airflow cannot tell a connection that is gone from one it cannot read for now."""
    holds(
        Schedule(deferrable=True, restart=False, deeds=(Deed("gone", 5.0, 40.0),), triggerer_restarts=(10.0,)),
        "failed for good",
    )


def test_a_worker_that_cannot_read_the_connection_says_so_in_our_words() -> None:
    """Retryable, and an error of this package."""
    holds(Schedule(deeds=(Deed("gone", 600.0, 100.0),)), "error of another kind")


# The restart


def test_a_restart_of_what_was_stopped_already_asks_nobody() -> None:
    """Nothing was stopped by this run."""
    holds(Schedule(status="Stopped"), "asked for nothing")


def test_a_restart_after_a_stop_that_was_refused_asks_nobody() -> None:
    """The key may not stop jobs."""
    holds(Schedule(faults=(Fault("refused", "StopDIJob"),)), "asked for nothing")
