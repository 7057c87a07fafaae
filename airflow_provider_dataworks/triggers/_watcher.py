"""Many waits for DI jobs of one workspace that share their looks at the service; never more calls than the waits need.

One edition allows 100 calls a day for everybody in an account and region, so a thousand waits must not poll a thousand
times. A watcher looks at all jobs that are due in one round: by ListDIJobs, 100 jobs a page, where that costs fewer
calls than one GetDIJob a job. No round waits for another, nor a job for the look at another that hangs. It lives in one
event loop, starts with its first wait and ends with its last.
"""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import Awaitable, Callable, Coroutine, Iterable, Sequence
from contextvars import Context, copy_context
from dataclasses import dataclass, field, replace
from typing import Any

from airflow_provider_dataworks.client.asking import Flow, Service, ask
from airflow_provider_dataworks.client.flows import get_di_job, timed_out
from airflow_provider_dataworks.client.http.rate_limit import LONGEST_HOLD
from airflow_provider_dataworks.client.http.responses import DIJob, JobStatus, Page
from airflow_provider_dataworks.exceptions import DataWorksError, DataWorksPermanentError, DIJobWaitTimeout
from airflow_provider_dataworks.triggers._paging import Listing

log = logging.getLogger(__name__)

# Airflow marks a task failed whose trigger fires while its worker is still going home: apache/airflow#72716.
FIRST_LOOK = 10.0  # seconds
_SLOWEST = 300.0  # seconds between looks at a job that has been waited for for long
_GRACE = 30.0  # seconds a last look may take beyond a deadline
_HANGS = 10.0  # seconds after which a look is not waited for any longer by whoever can do without
_NEVER = float("inf")


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
    # When the round began that is to tell of it; None between rounds.
    asked: float | None = None
    has_last_look: bool = False
    # Airflow tells by it in whose log a line belongs; the watcher itself runs in that of the wait that began it.
    context: Context = field(default_factory=copy_context, repr=False)

    def saw(self, job: DIJob) -> None:
        """Keep what a look saw, and log it where it is new."""
        if self.last is None or self.last.status != job.status:
            self.context.run(log.info, "DI job %s is %s now.", job.id, job.status)
        elif self.trouble is not None:
            self.context.run(log.info, "DI job %s can be looked at again; it is still %s.", job.id, job.status)
        self.last, self.trouble = job, None

    def failed(self, error: DataWorksError) -> None:
        """Keep that a look failed, and log it where its kind is new: an outage is no news in each round."""
        if self.trouble is None or self.trouble.see != error.see:
            text = "DI job %s could not be looked at, and is looked at again: %s"
            self.context.run(log.warning, text, self.di_job_id, error.summary)
        self.trouble = error


class Watcher:
    """
    The waits of one workspace in one event loop.

    :param service: what flows need; its ``patience`` should be 0, because a watcher waits by itself; holds are waited
        out however long they are.
    :param drive: runs a flow, in this event loop.
    :param project_id: the workspace; without it each job is asked for by itself.
    """

    def __init__(
        self, service: Service, drive: Callable[[Flow[Any]], Awaitable[Any]], project_id: int | None = None
    ) -> None:
        self._service, self._drive, self._project_id = replace(service, longest_hold=float("inf")), drive, project_id
        self._waits: list[_Wait] = []
        self._listing = Listing(possible=project_id is not None)
        self._listing_lock = asyncio.Lock()  # pages tell where the next ones are worth a call, so one after the other
        self._held_until = 0.0
        self._task: asyncio.Task[None] | None = None
        self._looks: set[asyncio.Task[None]] = set()
        self._changed = asyncio.Event()

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
        ending = {task, *self._looks}
        for each in ending:
            each.cancel()
        # Until they have let go of their looks: whoever leaves last closes the connections next.
        await asyncio.wait(ending)

    async def _run(self) -> None:
        try:
            while True:
                await self._until_due()
                self._begin_looks(_now())
        except Exception as error:
            # A mistake of ours: every wait must learn of it instead of hanging until its deadline.
            for wait in self._open():
                wait.future.set_exception(error)

    def _begin_looks(self, now: float) -> None:
        if due := [wait for wait in self._open() if wait.asked is None and wait.earliest <= now]:
            for wait in due:
                wait.asked = now
            self._begin(self._round(due, now))
        # Whoever is at the deadline does not wait for a look that hangs, but takes the last one alone.
        for wait in self._open():
            if wait.asked != now and self._next(wait) <= now:
                wait.asked, wait.has_last_look = now, True
                self._begin(self._one(wait.di_job_id, now))

    def _begin(self, look: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        task = asyncio.get_running_loop().create_task(look)
        self._looks.add(task)
        task.add_done_callback(self._looks.discard)
        return task

    def _open(self) -> list[_Wait]:
        return [wait for wait in self._waits if not wait.future.done()]

    def _next(self, wait: _Wait) -> float:
        """Return when something has to be done about a wait."""
        if wait.asked is None:
            return wait.latest
        if wait.has_last_look:
            return _NEVER
        return max(wait.deadline, wait.asked + _HANGS, self._held_until + _HANGS)

    async def _until_due(self) -> None:
        while True:
            self._changed.clear()
            left = min((self._next(wait) for wait in self._open()), default=_NEVER) - _now()
            if left <= 0:
                return
            alarm = asyncio.get_running_loop().call_later(min(left, _SLOWEST), self._changed.set)
            try:
                await self._changed.wait()
            finally:
                alarm.cancel()

    def _plan(self, wait: _Wait, asked: float) -> None:
        """
        Plan the next look, or end the wait if this one was taken at its deadline.

        :param asked: when the look began.
        """
        now, wait.asked = _now(), None
        if asked >= wait.deadline:
            error = _gave_up(wait)
            error.__cause__ = wait.trouble
            wait.future.set_exception(error)
            return
        pause = spacing(now - wait.started, wait.poll_interval)
        wait.earliest = min(now + pause / 2, wait.deadline)
        wait.latest = min(now + pause * random.uniform(0.9, 1.0), wait.deadline)
        self._changed.set()

    async def _round(self, waits: Sequence[_Wait], asked: float) -> None:
        """One round: pages where they are cheaper, then the rest one by one, several at a time."""

        def unanswered() -> list[_Wait]:
            return [wait for wait in waits if wait.asked == asked and not wait.future.done()]

        try:
            async with self._listing_lock:
                left = await self._pages({wait.di_job_id for wait in unanswered()}, asked)
            looks = {self._begin(self._one(job_id, asked)) for job_id in sorted(left)}
            if looks:
                await asyncio.wait(looks)
        except Exception as error:
            # A mistake of ours: these waits must learn of it instead of hanging until their deadlines.
            for wait in unanswered():
                wait.future.set_exception(error)
        for wait in unanswered():
            self._plan(wait, asked)

    async def _pages(self, job_ids: set[int], asked: float) -> set[int]:
        """Ask for pages as far as they pay; return which jobs are to be asked for by themselves."""
        left = set(job_ids)
        for number in self._listing.pages_for(job_ids) if left else ():
            page = await self._page(number, left, asked)
            if page is None:
                break
            left -= {job.id for job in page.jobs if job.status is not JobStatus.FAILED}
            if not left:
                break
        return set() if self._listing.busy else left

    async def _page(self, number: int, wanted: set[int], asked: float) -> Page | None:
        assert self._project_id is not None  # noqa: S101 - a listing without workspace is never possible
        call = self._service.api.ListDIJobs(self._project_id, None, number)
        try:
            page: Page = await self._drive(ask(self._service, call))
            self._listing.seen(number, page, wanted)
        except DataWorksError as error:
            self._trouble(error, wanted)
            self._listing.failed(error)
            return None
        except Exception as error:  # a mistake of ours in reading pages: each job can be asked for by itself
            log.exception("A page of the workspace could not be read.")
            self._listing.failed(
                DataWorksPermanentError(f"{type(error).__name__} while a page was read.", action=call.action)
            )
            return None
        # A list does not tell why a job failed: that job is asked for by itself.
        self._tell_all((job for job in page.jobs if job.status is not JobStatus.FAILED), asked)
        return page

    async def _one(self, di_job_id: int, asked: float) -> None:
        try:
            self._tell_all([await self._drive(get_di_job(self._service, di_job_id))], asked)
        except Exception as error:
            if isinstance(error, DataWorksError):
                self._trouble(error, (di_job_id,))
            lasts = not isinstance(error, DataWorksError) or not error.retryable
            for wait in self._open():
                if wait.di_job_id == di_job_id and lasts:
                    wait.future.set_exception(error)
                elif wait.di_job_id == di_job_id:
                    self._plan(wait, asked)

    def _trouble(self, error: DataWorksError, job_ids: Iterable[int]) -> None:
        if error.retryable and error.retry_after is not None:
            # Whoever asks next in this process would be refused too, and that would count.
            self._service.pace.hold(error.retry_after)
            self._held_until = max(self._held_until, _now() + min(error.retry_after, LONGEST_HOLD))
        about = set(job_ids)
        for wait in self._open():
            # Of a list that may not be read the listing tells: its jobs are asked for by themselves.
            if wait.di_job_id in about and (error.retryable or error.di_job_id):
                wait.failed(error)

    def _tell_all(self, jobs: Iterable[DIJob], asked: float) -> None:
        # Sorted once: a thousand waits searched for each job of a page would hold the event loop.
        waits: dict[int, list[_Wait]] = {}
        for wait in self._open():
            waits.setdefault(wait.di_job_id, []).append(wait)
        for job in jobs:
            # Once told, a wait is not told again: a page might name a job twice.
            for wait in waits.pop(job.id, ()):
                self._tell(wait, job, asked)

    def _tell(self, wait: _Wait, job: DIJob, asked: float) -> None:
        wait.saw(job)
        try:
            if wait.until(job):
                wait.future.set_result(job)
            else:
                self._plan(wait, asked)
        except Exception as error:  # whatever it is, it is this wait's alone
            wait.future.set_exception(error)


def _now() -> float:
    return asyncio.get_running_loop().time()


def _gave_up(wait: _Wait) -> DIJobWaitTimeout:
    error = timed_out(wait.di_job_id, wait.last)
    if wait.trouble is not None:
        error.last_look_failed = True
        error.message = f"{error.message} The last look failed: {wait.trouble.summary}"
    return error
