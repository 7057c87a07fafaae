"""What a started DI job has to show: rules over looks and samples, with the numbers that a person needs."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import pytest

from airflow_provider_dataworks.client.diagnostics import Sample
from airflow_provider_dataworks.client.models import DIJob, JobStatus, Proof, ProofRules
from airflow_provider_dataworks.client.proof import CatchUp, SteadyRun
from airflow_provider_dataworks.exceptions import DataWorksForbidden, DataWorksUnavailable, DIJobFailed

JOB = 11668
START = 1_795_000_000.0


def series(values: Iterable[float], period: float = 60, first: float = START + 60) -> tuple[Sample, ...]:
    """Return samples of these values, a period apart."""
    return tuple(Sample(first + period * place, value) for place, value in enumerate(values))


def steady(statuses: str, seconds: float = 60, error: str | None = None) -> list[bool]:
    """Return what each look says, 30 s apart, at a job whose statuses begin with these letters."""
    names = {"R": "Running", "I": "Initialized", "F": "Failed", "S": "Stopped", "G": "Stopping", "D": "Finished"}
    times = iter(START + 30 * place for place in range(len(statuses)))
    run = SteadyRun(seconds, lambda: next(times))
    return [run(DIJob(JOB, JobStatus.read(names[letter]), error_message=error)) for letter in statuses]


def test_a_job_has_to_run_without_a_break() -> None:
    """A break begins the time anew; an end that is none to worry about ends it."""
    rows = {
        "RRR": [False, False, True],
        "RIRRR": [False, False, False, False, True],
        "IIRRR": [False, False, False, False, True],
        "RD": [False, True],
    }
    assert {letters: steady(letters) for letters in rows} == rows


def test_a_job_that_does_not_keep_running_says_how_long_it_ran() -> None:
    """Failed with its own text; stopped by somebody else."""
    rows: tuple[tuple[str, str, str], ...] = (
        ("RF", "it ran for 30 s, no longer, and is Failed: binlog lost.", "not-healthy"),
        ("F", "it did not keep running, and is Failed: binlog lost.", "not-healthy"),
        ("RRS", "it ran for 60 s, no longer, and is Stopped: somebody else stopped it.", "stopped-again"),
        ("RG", "it ran for 30 s, no longer, and is Stopping: somebody else stopped it.", "stopped-again"),
    )
    missed = []
    for letters, message, see in rows:
        with pytest.raises(DIJobFailed) as caught:
            steady(letters, 90, "binlog lost")
        if (caught.value.message, caught.value.see) != (message, see):
            missed.append((letters, caught.value.message, caught.value.see))
    assert missed == []


IDLE = {
    "speedRecordsRead": series([0, 0, 0]),
    "totalRecordsRead": series([5] * 3),
    "totalRecordsWrite": series([5] * 3),
}
# Metrics, seconds after the start of the look, rules; the lag it caught up with, or what is said of it.
LAGS: dict[str, tuple[dict[str, Any], float, dict[str, Any], float | str]] = {
    "close enough": ({"delayTime": series([30])}, 70, {}, 30.0),
    "falling": ({"delayTime": series([500, 300])}, 130, {}, "was 500 s at 11:07:40 UTC and is 300 s at 11:08:40 UTC"),
    "came back": ({"delayTime": series([500, 300, 20])}, 190, {}, 20.0),
    "no series": ({}, 190, {}, "no sample of its delay since the start"),
    "samples of before": ({"delayTime": series([0, 0], first=START - 120)}, 10, {}, "no sample"),
    "of before, where they count": ({"delayTime": series([0, 0], first=START - 120)}, 10, {"since": 0}, 0.0),
    "old": ({"delayTime": series([0])}, 500, {}, "the newest sample of its delay is 440 s old"),
    "old for its period": ({"delayTime": series([0, 0], 300)}, 360 + 899, {}, 0.0),
    "from the future": ({"delayTime": series([0], first=START + 600)}, 60, {}, "no sample"),
    "not stable yet": ({"delayTime": series([500, 20, 20])}, 190, {"stable_for": 120}, "is 20 s"),
    "stable": ({"delayTime": series([500, 20, 20, 20])}, 250, {"stable_for": 120}, 20.0),
    "not stable, with a peak": ({"delayTime": series([20, 20, 90, 20])}, 250, {"stable_for": 120}, "is 20 s"),
    "idle": ({"delayTime": series([100, 160, 220]), **IDLE}, 190, {}, 220.0),
    "idle for too short": ({"delayTime": series([100, 160, 220]), **IDLE}, 190, {"stable_for": 300}, "is 220 s"),
    "not read, but not written either": (
        {"delayTime": series([100, 160, 220]), **IDLE, "totalRecordsRead": series([6] * 3)},
        190,
        {},
        "is 220 s",
    ),
    "one look without a record": (
        {"delayTime": series([100, 160, 220]), **IDLE, "speedRecordsRead": series([9, 9, 0])},
        190,
        {},
        "is 220 s",
    ),
    "grew nine times": ({"delayTime": series(range(100, 1100, 100))}, 610, {}, "is 1000 s"),
    "stands still": ({"delayTime": series([700] * 15)}, 910, {}, "is 700 s"),
    "grows within the limit": ({"delayTime": series(range(15))}, 910, {}, 14.0),
}


def test_what_counts_as_caught_up() -> None:
    """Only what is known, new and small enough; of an idle source also a delay that grows."""
    missed = []
    for name, (metrics, after, rules, wanted) in LAGS.items():
        catch_up = CatchUp(JOB, ProofRules(max_lag=60, **rules), START)
        done = catch_up.judge(metrics, START + after)
        found = catch_up.proof.lag if catch_up.proof else catch_up.state
        idle = bool(catch_up.proof and catch_up.proof.idle)
        right = found == wanted if isinstance(wanted, float) else wanted in str(found)
        if not right or done is not isinstance(wanted, float) or idle is not (name == "idle"):
            missed.append((name, found, idle))
    assert missed == []


def test_a_lag_that_grows_fails_with_its_numbers() -> None:
    """Before the time is over."""
    catch_up = CatchUp(JOB, ProofRules(max_lag=60), START)
    with pytest.raises(DIJobFailed, match=r"its lag was 100 s at .* UTC and is 1100 s at .* UTC") as caught:
        catch_up.judge({"delayTime": series(range(100, 1200, 100))}, START + 670)
    assert (caught.value.see, caught.value.job_status) == ("lag-grows", "Running")


def asking(outcome: Any) -> Callable[..., Any]:
    """Return something that asks for metrics, and gets this."""

    def ask(di_job_id: int, names: Any, *, start: float, end: float) -> Any:
        if isinstance(outcome, BaseException):
            raise outcome
        return outcome

    return ask


def test_metrics_that_cannot_be_had_now_are_asked_for_again() -> None:
    """A refusal is not; the job runs either way."""
    catch_up = CatchUp(JOB, ProofRules(max_lag=60), START)

    assert not catch_up.look(asking(DataWorksUnavailable("down")), START + 70)
    assert "the metrics could not be had: down" in catch_up.timed_out(600).message
    with pytest.raises(DataWorksForbidden) as caught:
        catch_up.look(asking(DataWorksForbidden("no")), START + 70)
    assert caught.value.job_status == "Running"
    assert catch_up.look(asking({"delayTime": series([5])}), START + 70)


def test_a_proof_survives_a_database() -> None:
    """What is none is no proof."""
    found = Proof(START, START + 60, 20.0, idle=True)

    assert Proof.read(found.as_dict()) == found
    odd: tuple[Any, ...] = (
        None,
        [],
        {},
        {"running_since": "x"},
        {"running_since": float("nan")},
        {"running_since": True},
    )
    assert [Proof.read(each) for each in odd] == [None] * len(odd)
