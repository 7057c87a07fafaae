"""Many waits for DI jobs of one workspace that share their looks at the service; never more calls than the waits need.

One edition allows 100 calls a day for everybody in an account and region, so a thousand waits must not poll a thousand
times. A watcher looks at all jobs that are due in one round: by ListDIJobs, 100 jobs a page, where that costs fewer
calls than one GetDIJob a job. It lives in one event loop, starts with its first wait and ends with its last.
"""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from airflow_provider_dataworks.client.asking import Flow, Service, ask
from airflow_provider_dataworks.client.decoding import sentence
from airflow_provider_dataworks.client.flows import get_di_job, timed_out
from airflow_provider_dataworks.client.listing import Listing
from airflow_provider_dataworks.client.replies import DIJob, JobStatus, Page
from airflow_provider_dataworks.exceptions import DataWorksError, DataWorksThrottled

log = logging.getLogger(__name__)

# Airflow marks a task failed whose trigger fires while its worker is still going home: apache/airflow#72716.
FIRST_LOOK = 10.0  # seconds
_SLOWEST = 300.0  # seconds between looks at a job that has been waited for for long
_GRACE = 30.0  # seconds a last look may take beyond a deadline
_NAMED = 10  # jobs that a line of the log names


def spacing(age: float, poll_interval: float) -> float:
    """
    Seconds between looks at a job.

    :param age: seconds it has been waited for: a tenth of that is soon enough to notice, up to five minutes.
    :param poll_interval: seconds the author asked for; never less.
    """
    return max(poll_interval, min(age / 10, _SLOWEST))


@dataclass(eq=False)
class _Wait:
    di_job_id: int
    until: Callable[[DIJob], bool]
    poll_interval: float
    started: float
    deadline: float
    future: asyncio.Future[DIJob]
    # The next look may be taken between these; the room between them is what lets waits share a round.
    earliest: float = 0.0
    latest: float = 0.0
    last: DIJob | None = None
    trouble: DataWorksError | None = field(default=None, repr=False)


class Watcher:
    """
    The waits of one workspace in one event loop.

    :param service: what flows need; its ``patience`` should be 0, because a watcher waits by itself.
    :param drive: runs a flow, in this event loop.
    :param project_id: the workspace; without it each job is asked for by itself.
    """

    def __init__(
        self, service: Service, drive: Callable[[Flow[Any]], Awaitable[Any]], project_id: int | None = None
    ) -> None:
        self._service, self._drive, self._project_id = service, drive, project_id
        self._waits: list[_Wait] = []
        self._listing = Listing(possible=project_id is not None)
        self._task: asyncio.Task[None] | None = None
        self._changed = asyncio.Event()
        # Of the present round, for the log.
        self._changes: dict[str, list[int]] = {}
        self._failures: dict[str | None, list[DataWorksError]] = {}

    async def wait(
        self, di_job_id: int, until: Callable[[DIJob], bool], *, seconds_left: float, poll_interval: float
    ) -> DIJob:
        """
        Wait until a DI job is as wanted.

        :param until: says whether it is; may raise to give up.
        :param seconds_left: seconds until the wait is over; the last look is taken then.
        :param poll_interval: seconds between looks, to begin with; it grows with the age of the wait.
        :raises DIJobWaitTimeout: with the last status, and what kept us from a newer one.
        :raises DataWorksError: a permanent error of a look at this job.
        """
        loop = asyncio.get_running_loop()
        now = loop.time()
        wait = _Wait(di_job_id, until, poll_interval, now, now + seconds_left, loop.create_future())
        wait.earliest = min(now + FIRST_LOOK, wait.deadline)
        wait.latest = min(now + max(FIRST_LOOK, poll_interval), wait.deadline)
        self._waits.append(wait)
        self._changed.set()
        if self._task is None or self._task.done():
            self._task = loop.create_task(self._run(), name=f"dataworks-watcher-{self._project_id}")
        try:
            async with asyncio.timeout(max(0.0, seconds_left) + _GRACE):
                return await wait.future
        except TimeoutError:
            raise _gave_up(wait) from wait.trouble
        finally:
            self._waits.remove(wait)
            if not self._waits:
                await self._end()

    async def _end(self) -> None:
        task, self._task = self._task, None
        assert task is not None  # noqa: S101 - it began with the first wait
        task.cancel()
        # Until it has let go of its look: whoever leaves last closes the connections next.
        await asyncio.wait((task,))

    async def _run(self) -> None:
        try:
            while True:
                await self._until_due()
                now = _now()
                await self._look({wait.di_job_id for wait in self._open() if wait.earliest <= now})
                self._log_round()
                self._plan_next()
        except Exception as error:
            # A mistake of ours: every wait must learn of it instead of hanging until its deadline.
            for wait in self._open():
                wait.future.set_exception(error)

    def _open(self) -> list[_Wait]:
        return [wait for wait in self._waits if not wait.future.done()]

    async def _until_due(self) -> None:
        while True:
            self._changed.clear()
            waits = self._open()
            left = min((wait.latest for wait in waits), default=_now() + _SLOWEST) - _now()
            if waits and left <= 0:
                return
            alarm = asyncio.get_running_loop().call_later(left, self._changed.set)
            try:
                await self._changed.wait()
            finally:
                alarm.cancel()

    def _plan_next(self) -> None:
        now = _now()
        for wait in self._open():
            if now >= wait.deadline:
                error = _gave_up(wait)
                error.__cause__ = wait.trouble
                wait.future.set_exception(error)
            elif wait.earliest <= now:
                pause = spacing(now - wait.started, wait.poll_interval)
                wait.earliest = min(now + pause / 2, wait.deadline)
                wait.latest = min(now + pause * random.uniform(0.9, 1.0), wait.deadline)

    async def _look(self, job_ids: set[int]) -> None:
        """One round: pages where they are cheaper, then the rest one by one, several at a time."""
        left = set(job_ids)
        for page in self._listing.pages_for(job_ids):
            found = await self._page(page, left)
            if found is None:
                break
            left -= {job.id for job in found.jobs if job.status is not JobStatus.FAILED}
            if not left:
                break
        if left and not self._listing.busy:
            await asyncio.gather(*(self._one(job_id) for job_id in sorted(left)))

    async def _page(self, number: int, wanted: Iterable[int]) -> Page | None:
        assert self._project_id is not None  # noqa: S101 - a listing without workspace is never possible
        call = self._service.api.ListDIJobs(self._project_id, None, number)
        try:
            page: Page = await self._drive(ask(self._service, call))
        except DataWorksError as error:
            self._trouble(error, wanted)
            self._listing.failed(error)
            return None
        self._listing.seen(number, page, wanted)
        # A list does not tell why a job failed: that job is asked for by itself.
        self._news(job for job in page.jobs if job.status is not JobStatus.FAILED)
        return page

    async def _one(self, di_job_id: int) -> None:
        try:
            self._news([await self._drive(get_di_job(self._service, di_job_id))])
        except DataWorksError as error:
            self._trouble(error, (di_job_id,))
            if not error.retryable:
                for wait in self._open():
                    if wait.di_job_id == di_job_id:
                        wait.future.set_exception(error)

    def _trouble(self, error: DataWorksError, job_ids: Iterable[int]) -> None:
        if error.retryable or error.di_job_id:  # else the listing tells what it makes of it
            self._failures.setdefault(error.see, []).append(error)
        if isinstance(error, DataWorksThrottled) and error.retry_after is not None:
            # Whoever asks next in this process would be refused too, and that would count.
            self._service.pace.hold(error.retry_after)
        about = set(job_ids)
        for wait in self._open():
            if wait.di_job_id in about:
                wait.trouble = error

    def _news(self, jobs: Iterable[DIJob]) -> None:
        # Sorted once: a thousand waits searched for each job of a page would hold the event loop.
        waits: dict[int, list[_Wait]] = {}
        for wait in self._open():
            waits.setdefault(wait.di_job_id, []).append(wait)
        now = _now()
        for job in jobs:
            # Once told, a wait is not told again: a page might name a job twice.
            for wait in waits.pop(job.id, ()):
                self._tell(wait, job, now)

    def _tell(self, wait: _Wait, job: DIJob, now: float) -> None:
        if wait.last is None or wait.last.status != job.status:
            self._changes.setdefault(str(job.status), []).append(job.id)
        wait.last, wait.trouble = job, None
        wait.earliest = min(wait.earliest, now)  # looked at, so the next look is planned from here
        try:
            if wait.until(job):
                wait.future.set_result(job)
        except Exception as error:  # whatever it is, it is this wait's alone
            wait.future.set_exception(error)

    def _log_round(self) -> None:
        """Say what a round brought, a line for each kind of news: forty jobs that stop together are one."""
        failures, self._failures = self._failures, {}
        changes, self._changes = self._changes, {}
        for errors in failures.values():
            more = f" So did {len(errors) - 1} more looks of this round." if errors[1:] else ""
            log.warning("%s%s", sentence(errors[0].summary), more)
        for status, ids in changes.items():
            log.info("%s %s now.", _named(sorted(set(ids))), status)


def _named(ids: Sequence[int]) -> str:
    if not ids[1:]:
        return f"DI job {ids[0]} is"
    more = f" and {len(ids) - _NAMED} more" if ids[_NAMED:] else ""
    return f"DI jobs {', '.join(map(str, ids[:_NAMED]))}{more} are"


def _now() -> float:
    return asyncio.get_running_loop().time()


def _gave_up(wait: _Wait) -> DataWorksError:
    error = timed_out(wait.di_job_id, wait.last)
    if wait.trouble is not None:
        error.message = f"{error.message} The last look failed: {wait.trouble.summary}"
    return error
