"""``restart`` of given jobs: a look, a question, at most one start, and a job that has to keep running."""

from __future__ import annotations

import pytest
from command_line import Say
from dag_runs import database
from emulated import JOB
from stored import forget_notes

from airflow_provider_dataworks.emulator import Emulator
from airflow_provider_dataworks.hooks.dataworks import DataWorksHook

STARTED = "DataWorks took the start"


@pytest.fixture(autouse=True)
def jobs(emulator: Emulator) -> None:
    """One job that runs, and two that are down; no run of another test has stopped them."""
    forget_notes()
    emulator.add_job(7, "Stopped", start_seconds=20)
    emulator.add_job(8, "Failed", start_seconds=20)


@pytest.fixture(autouse=True, scope="module")
def _database() -> None:
    database()


def starts(emulator: Emulator) -> dict[int, int]:
    """Return how often each job was asked to start."""
    return {job.id: job.start_calls for job in emulator.jobs()}


def test_it_asks_before_it_acts(say: Say, emulator: Emulator) -> None:
    """Only a yes is one; and nobody there is no yes."""
    rows = [("n\n", 1), ("\n", 1), ("why\n", 1), ("", 2)]
    misses = [(answer, said) for answer, code in rows if (said := say("restart", 7, answer=answer)).code != code]

    assert misses == []
    assert starts(emulator)[7] == 0
    said = say("restart", 7, answer="y\n")
    assert said.code == 0
    assert "Start 1 DI job: 7 (Stopped)? [y/N]" in said.err
    assert "AccessKey ID LTAI" in said.err
    assert starts(emulator)[7] == 1
    assert emulator.job(7).status == "Running"


def test_what_runs_is_left_alone(say: Say, emulator: Emulator) -> None:
    """Of several jobs only those that are down are started, each once, and waited for."""
    said = say("restart", JOB, 7, 8, "--yes")

    assert said.code == 0
    assert starts(emulator) == {7: 1, 8: 1, JOB: 0}
    assert [line for line in said.out.splitlines() if line.startswith("DI job")][-2:] == [
        "DI job 7: Running.",
        "DI job 8: Running.",
    ]
    again = say("restart", JOB, 7, 8, "--yes")
    assert again.code == 0
    assert "Nothing is to be started." in again.out
    assert starts(emulator) == {7: 1, 8: 1, JOB: 0}


def test_a_job_that_fails_soon_after_its_start(say: Say, emulator: Emulator) -> None:
    """It ran, and is not well: that is a no, and the others are waited for all the same."""
    emulator.add_job(7, "Stopped", fails_after_start=30)

    said = say("restart", 7, 8, "-y")

    assert said.code == 1
    assert "DI job 7: not started, or not well. See below." in said.out
    assert "DI job 8: Running." in said.out
    assert "explain not-healthy" in said.err
    assert say("restart", 7, "-y", "--healthy-for", "0").code == 0


def test_a_start_that_is_refused(say: Say, emulator: Emulator) -> None:
    """It keeps no other from being started."""
    refusal = {"status": 403, "code": "Forbidden.RAM", "message": "no"}
    emulator.inject({"operation": "StartDIJob", "job_id": 7, "error": refusal})

    said = say("restart", 7, 8, "-y")

    assert said.code == 4
    assert "dataworks:StartDIJob" in said.err
    assert emulator.job(8).status == "Running"


def test_a_lost_answer_makes_no_second_start(say: Say, emulator: Emulator) -> None:
    """The job's state decides, as with the operator."""
    emulator.inject({"operation": "StartDIJob", "drop": "after"})

    said = say("restart", 7, "-y")

    assert said.code == 0
    assert emulator.job(7).effective_starts == 1


def test_a_job_that_never_runs(say: Say, emulator: Emulator) -> None:
    """The wait ends, and the exit code is a no."""
    emulator.add_job(7, "Stopped", start_ends_in="never")

    said = say("restart", 7, "-y", "--timeout", "60")

    assert said.code == 1
    assert "explain wait-timed-out" in said.err


def test_without_waiting(say: Say, emulator: Emulator) -> None:
    """It returns once the requests were taken."""
    said = say("restart", 7, 8, "-y", "--no-wait")

    assert said.code == 0
    assert said.out.count(STARTED) == 2
    assert emulator.job(7).status == "Initialized"


def test_a_job_that_is_still_stopping_is_waited_for(say: Say, emulator: Emulator) -> None:
    """The start follows when the stop is over."""
    emulator.add_job(7, "Running", stop_seconds=50)
    DataWorksHook().stop_di_job(7)

    said = say("restart", 7, "-y")

    assert said.code == 0
    assert "7       Stopping" in said.out
    assert (starts(emulator)[7], emulator.job(7).status) == (1, "Running")


def test_bad_input_is_named(say: Say, emulator: Emulator) -> None:
    """With exit code 2, before any call."""
    rows = [
        ((), "Give either ids of DI jobs, or --dag-id"),
        ((7, "-d", "a_dag"), "Give either ids of DI jobs, or --dag-id"),
        (("-r", "a_run"), "--dag-id: is missing"),
        (("x",), "DI_JOB_ID: 'x'"),
        ((7, "--timeout", "long"), "--timeout: 'long'"),
        ((7, "--healthy-for", "-1"), "--healthy-for: '-1'"),
        ((7, "--poll-interval", "nan"), "--poll-interval: 'nan'"),
    ]
    misses = [
        (words, said) for words, named in rows if (said := say("restart", *words)).code != 2 or named not in said.err
    ]

    assert misses == []
    assert emulator.calls == []
