"""The proof of a start in the triggerer: the same rules as in a worker, on the watcher that all waits share."""

from __future__ import annotations

import asyncio
import time
from typing import Any

import pytest
from emulated import JOB, Clock

from airflow_provider_dataworks.emulator import Emulator
from airflow_provider_dataworks.triggers.dataworks import DIJobStatusTrigger, outcome_of, proof_of

pytestmark = pytest.mark.usefixtures("connect")


@pytest.fixture
def clock() -> Clock:
    """The real clock: the watcher lives by the event loop's."""
    found = Clock()
    found.now = time.time  # type: ignore[method-assign]
    return found


@pytest.fixture(autouse=True)
def soon(monkeypatch: pytest.MonkeyPatch) -> None:
    """Take first looks at once; ten seconds are a guard against a race of Airflow's."""
    monkeypatch.setattr(DIJobStatusTrigger, "first_look", 0.05)


async def event_of(job_id: int = JOB, **proof: Any) -> Any:
    """Run a trigger that waits for a start and its proof, to its end."""
    found = DIJobStatusTrigger(
        di_job_id=job_id,
        project_id=1967,
        accept=["Running", "Finished"],
        fail_on=["Failed"],
        deadline=time.time() + 20,
        poll_interval=0.05,
        proof=proof,
    )
    (event,) = [event.payload async for event in found.run()]
    return event


async def test_a_job_has_to_run_for_as_long(emulator: Emulator) -> None:
    """And the event tells since when it does."""
    began = time.time()
    event = await event_of(healthy_for=0.5)

    proof = proof_of(event)
    assert time.time() - began >= 0.5
    assert proof is not None
    assert (began <= proof.running_since <= began + 5, proof.caught_up_at) == (True, None)
    assert str(outcome_of(event).status) == "Running"


async def test_a_job_that_fails_meanwhile_ends_the_wait(emulator: Emulator) -> None:
    """As it does in a worker."""
    waiting = asyncio.ensure_future(event_of(healthy_for=30))
    await asyncio.sleep(0.5)
    emulator.add_job(JOB, "Failed", error_message="binlog lost")

    event = await asyncio.wait_for(waiting, 10)

    assert event["error"]["see"] == "not-healthy"
    assert "and is Failed: binlog lost." in event["error"]["message"]


async def test_a_lag_that_comes_back_is_waited_for(emulator: Emulator, connect: Any) -> None:
    """A call a round for it, and the status beside it by the looks that all share."""
    connect(api_version="2024-05-18")
    emulator.add_job(JOB, lag={"start": 200, "falls": 60}, metrics_period=1)

    proof = proof_of(await event_of(max_lag=60, lag_timeout=20))

    assert proof is not None
    assert proof.caught_up_at is not None
    assert proof.lag is not None
    assert proof.lag <= 60


async def test_what_ends_the_wait_for_a_lag(emulator: Emulator, connect: Any) -> None:
    """The time, with numbers; a stop by somebody else; an answer that refuses; and nothing is left running."""
    connect(api_version="2024-05-18")
    emulator.add_job(JOB, lag={"stuck": 500}, metrics_period=1)
    late = await event_of(max_lag=60, lag_timeout=1.5)
    waiting = asyncio.ensure_future(event_of(max_lag=60, lag_timeout=30))
    await asyncio.sleep(0.5)
    emulator.set_status(JOB, "Stopping")
    stopped = await asyncio.wait_for(waiting, 10)
    emulator.set_status(JOB, "Running")
    # Each call, not one: a call of the wait before may still be on its way in a thread, and would take the refusal.
    refusal = {"status": 403, "code": "Forbidden.RAM"}
    emulator.inject({"operation": "ListDIJobMetrics", "times": None, "error": refusal})
    refused = await event_of(max_lag=60, lag_timeout=30)

    assert [event["error"]["see"] for event in (late, stopped, refused)] == [
        "not-caught-up",
        "stopped-again",
        "ram-action-missing",
    ]
    assert "500 s" in late["error"]["message"]
    assert len(asyncio.all_tasks()) == 1


async def test_a_job_that_is_finished_has_nothing_to_show(emulator: Emulator, connect: Any) -> None:
    """It is at its end."""
    connect(api_version="2024-05-18")
    emulator.add_job(JOB, "Finished")

    event = await event_of(healthy_for=30, max_lag=60, lag_timeout=30)

    assert (event["outcome"], proof_of(event) is not None) == ("settled", True)


async def test_a_proof_that_is_none_is_refused_by_name() -> None:
    """As every other stored argument is."""
    rows: tuple[Any, ...] = (
        {"healthy": 1},
        {"max_lag": "1"},
        {"healthy_for": float("nan")},
        {"lag_timeout": None},
        [1],
    )
    missed = []
    for row in rows:
        found = DIJobStatusTrigger(di_job_id=JOB, deadline=time.time() + 5, proof=row)
        (event,) = [event.payload async for event in found.run()]
        if "proof" not in event["error"]["message"]:
            missed.append((row, event))
    assert missed == []
