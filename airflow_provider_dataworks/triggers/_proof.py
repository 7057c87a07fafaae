"""Waits in the event loop until a started DI job has shown that it lives and has caught up; never changes a job.

The rules are those of :mod:`.client.proof`. The job's status is looked at with all other waits of its workspace; its
metrics cost a call a round, because there is no list of them.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable
from typing import Any

from airflow_provider_dataworks.client.client import DataWorksClient
from airflow_provider_dataworks.client.models import DIJob, Proof
from airflow_provider_dataworks.client.proof import CatchUp, SteadyRun, interval
from airflow_provider_dataworks.triggers._arguments import Wait
from airflow_provider_dataworks.triggers._watcher import Watcher, poll_interval_for

_BEYOND = 60.0  # seconds that the look at the status outlasts the wait for the lag, which ends it


async def prove(watcher: Watcher, wait: Wait, job: DIJob, *, poll_interval: float, first_look: float) -> Proof:
    """
    Wait until a job that runs has shown what it has to.

    :param job: as it was seen to run.
    :param poll_interval: seconds between looks, to begin with.
    :param first_look: seconds until the first of them.
    :raises DIJobFailed: it does not keep running, or its lag grows.
    :raises DIJobWaitTimeout: it has not caught up in time.
    """
    rules, steady = wait.proof, SteadyRun(wait.proof.healthy_for, time.time)
    left = wait.deadline + rules.healthy_for - time.time()
    each = interval(rules, poll_interval)
    looks = {"poll_interval": each, "first_look": min(each, first_look)}
    await watcher.wait(wait.di_job_id, steady, seconds_left=left, steadily=True, known=job, **looks)
    since = time.time() if steady.since is None else steady.since
    if rules.max_lag is None:
        return Proof(since)

    catch_up = CatchUp(wait.di_job_id, rules, since)
    keeps = watcher.wait(
        wait.di_job_id,
        SteadyRun(float("inf"), time.time),
        seconds_left=rules.lag_timeout + _BEYOND,
        poll_interval=poll_interval,
        first_look=first_look,
        known=job,
    )
    # A job that is Finished has nothing to catch up with.
    return await _while_it_runs(keeps, _caught_up(watcher, catch_up, rules.lag_timeout, poll_interval)) or Proof(since)


async def _while_it_runs(keeps: Awaitable[Any], caught_up: Awaitable[Proof]) -> Proof | None:
    """Return what the job has shown, or ``None`` where it came to its end; raise where it does not keep running."""
    waits = {asyncio.ensure_future(keeps), asyncio.ensure_future(caught_up)}
    try:
        ended, _ = await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
        found = [each.result() for each in ended]
        return next((each for each in found if isinstance(each, Proof)), None)
    finally:
        for each in waits:
            each.cancel()
        await asyncio.gather(*waits, return_exceptions=True)


async def _caught_up(watcher: Watcher, catch_up: CatchUp, seconds: float, poll_interval: float) -> Proof:
    def look(client: DataWorksClient) -> bool:
        return catch_up.look(client.job_metrics, time.time())

    begun = time.monotonic()
    while not await watcher.call(look):
        waited = time.monotonic() - begun
        if waited >= seconds:
            raise catch_up.timed_out(seconds)
        await asyncio.sleep(min(poll_interval_for(waited, poll_interval), seconds - waited))
    assert catch_up.proof is not None  # noqa: S101 - it has caught up
    return catch_up.proof
