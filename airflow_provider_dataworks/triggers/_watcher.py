"""Watches DI jobs of one workspace for many waits that share their looks; never makes more calls than the waits need.

One edition allows 100 calls a day for everybody in an account and region, so a thousand waits must not poll a thousand
times. A watcher looks at all jobs that are due in one round: by ListDIJobs, 100 jobs a page, where that costs fewer
calls than one GetDIJob a job. No round waits for another, nor a job for the look at another that hangs. It decides in
one event loop, and its calls block in threads. It starts with its first wait and ends with its last.
"""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import Callable, Coroutine, Iterable, Sequence
from functools import partial
from typing import Any, TypeVar

from airflow_provider_dataworks.client.client import DataWorksClient
from airflow_provider_dataworks.client.http.rate_limit import LONGEST_PAUSE
from airflow_provider_dataworks.client.models import DIJob, JobStatus, Page
from airflow_provider_dataworks.exceptions import DataWorksError, DataWorksPermanentError
from airflow_provider_dataworks.triggers._open_wait import OpenWait
from airflow_provider_dataworks.triggers._paging import PagePlanner
from airflow_provider_dataworks.triggers._threads import Threads

log = logging.getLogger(__name__)

T = TypeVar("T")

FIRST_LOOK = 10.0  # seconds
_SLOWEST = 300.0  # seconds between looks at a job that has been waited for for long
_GRACE = 30.0  # seconds a last look may take beyond a deadline
_HANGS = 10.0  # seconds after which a look is not waited for any longer by whoever can do without
_NEVER = float("inf")


def poll_interval_for(age: float, poll_interval: float) -> float:
    """
    Seconds between looks at a job.

    :param age: seconds it has been waited for: a tenth of that is soon enough to notice, up to five minutes.
    :param poll_interval: seconds the author asked for; never less.
    """
    return max(poll_interval, min(age / 10, _SLOWEST))


class Watcher:
    """
    The waits of one workspace in one event loop.

    :param client: makes the calls; without patience, because a watcher waits by itself.
    :param threads: where the calls block.
    :param project_id: the workspace; without it each job is asked for by itself.
    """

    def __init__(self, client: DataWorksClient, threads: Threads, project_id: int | None = None) -> None:
        self._client, self._threads, self._project_id = client, threads, project_id
        self._waits: list[OpenWait] = []
        self._planner = PagePlanner(possible=project_id is not None)
        self._page_lock = asyncio.Lock()  # pages tell where the next ones are worth a call, so one after the other
        self._paused_until = 0.0
        self._task: asyncio.Task[None] | None = None
        self._looks: set[asyncio.Task[None]] = set()
        self._changed = asyncio.Event()

    async def wait(
        self,
        di_job_id: int,
        done: Callable[[DIJob], bool],
        *,
        seconds_left: float,
        poll_interval: float,
        first_look: float = FIRST_LOOK,
        steadily: bool = False,
        known: DIJob | None = None,
    ) -> DIJob:
        """
        Wait until a DI job is as wanted.

        :param done: says whether it is; may raise to give up.
        :param seconds_left: seconds until the wait is over; the last look is taken then.
        :param poll_interval: seconds between looks, to begin with; it grows with the age of the wait.
        :param first_look: seconds until the first look, at the earliest.
        :param steadily: look just as often when the wait has grown old.
        :param known: the job as its log knows it already.
        :raises DIJobWaitTimeout: with the last status, and what kept us from a newer one.
        :raises DataWorksError: a permanent error of a look at this job.
        """
        loop = asyncio.get_running_loop()
        now = loop.time()
        end, future = now + seconds_left, loop.create_future()
        wait = OpenWait(di_job_id, done, poll_interval, now, end, future, steadily, last=known)
        wait.earliest = min(now + first_look, wait.deadline)
        wait.latest = min(now + max(first_look, poll_interval), wait.deadline)
        self._waits.append(wait)
        self._changed.set()
        if self._task is None or self._task.done():
            self._task = loop.create_task(self._run(), name=f"dataworks-watcher-{self._project_id}")
        try:
            async with asyncio.timeout(max(0.0, seconds_left) + _GRACE):
                return await wait.future
        except TimeoutError:
            raise wait.timed_out() from wait.error
        finally:
            self._waits.remove(wait)
            if not self._waits:
                await self._end()

    async def call(self, function: Callable[[DataWorksClient], T]) -> T:
        """Call a function that asks this client something else, in a thread, and return what it returns."""
        return await self._threads.run(partial(function, self._client))

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
        paused = now < self._paused_until
        if due := [wait for wait in self._open() if wait.asked is None and wait.earliest <= now and not paused]:
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

    def _open(self) -> list[OpenWait]:
        return [wait for wait in self._waits if not wait.future.done()]

    def _next(self, wait: OpenWait) -> float:
        """Return when something has to be done about a wait."""
        if wait.asked is None:
            return max(wait.latest, min(self._paused_until, wait.deadline))
        if wait.has_last_look:
            return _NEVER
        return max(wait.deadline, wait.asked + _HANGS, self._paused_until + _HANGS)

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

    def _plan(self, wait: OpenWait, asked: float) -> None:
        """
        Plan the next look, or end the wait if this one was taken at its deadline.

        :param asked: when the look began.
        """
        now, wait.asked = _now(), None
        if asked >= wait.deadline:
            error = wait.timed_out()
            error.__cause__ = wait.error
            wait.future.set_exception(error)
            return
        pause = wait.poll_interval if wait.steadily else poll_interval_for(now - wait.started, wait.poll_interval)
        wait.earliest = min(now + pause / 2, wait.deadline)
        wait.latest = min(now + pause * random.uniform(0.9, 1.0), wait.deadline)
        self._changed.set()

    async def _round(self, waits: Sequence[OpenWait], asked: float) -> None:
        """One round: pages where they are cheaper, then the rest one by one, several at a time."""

        def unanswered() -> list[OpenWait]:
            return [wait for wait in waits if wait.asked == asked and not wait.future.done()]

        try:
            async with self._page_lock:
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
        for number in self._planner.pages_for(job_ids) if left else ():
            page = await self._page(number, left, asked)
            if page is None:
                break
            left -= {job.id for job in page.jobs if job.status is not JobStatus.FAILED}
            if not left:
                break
        return set() if self._planner.busy else left

    async def _page(self, number: int, wanted: set[int], asked: float) -> Page | None:
        assert self._project_id is not None  # noqa: S101 - a listing without workspace is never possible
        try:
            page = await self._threads.run(partial(self._client.list_page, self._project_id, number))
            self._planner.seen(number, page, wanted)
        except DataWorksError as error:
            self._failed(error, wanted)
            self._planner.failed(error)
            return None
        except Exception as error:  # a mistake of ours in reading pages: each job can be asked for by itself
            log.exception("A page of the workspace could not be read.")
            self._planner.failed(DataWorksPermanentError(f"{type(error).__name__} while a page was read."))
            return None
        # A list does not tell why a job failed: that job is asked for by itself.
        self._tell_all((job for job in page.jobs if job.status is not JobStatus.FAILED), asked)
        return page

    async def _one(self, di_job_id: int, asked: float) -> None:
        try:
            self._tell_all([await self._threads.run(partial(self._client.get_di_job, di_job_id))], asked)
        except Exception as error:
            if isinstance(error, DataWorksError):
                self._failed(error, (di_job_id,))
            lasts = not isinstance(error, DataWorksError) or not error.retryable
            for wait in self._open():
                if wait.di_job_id == di_job_id and lasts:
                    wait.future.set_exception(error)
                elif wait.di_job_id == di_job_id:
                    self._plan(wait, asked)

    def _failed(self, error: DataWorksError, job_ids: Iterable[int]) -> None:
        if error.retryable and error.retry_after is not None:
            # Whoever asks next in this process would be refused too, and that would count.
            self._client.pause(error.retry_after)
            self._paused_until = max(self._paused_until, _now() + min(error.retry_after, LONGEST_PAUSE))
        about = set(job_ids)
        for wait in self._open():
            # Of a list that may not be read the listing tells: its jobs are asked for by themselves.
            if wait.di_job_id in about and (error.retryable or error.di_job_id):
                wait.failed(error)

    def _tell_all(self, jobs: Iterable[DIJob], asked: float) -> None:
        # Sorted once: a thousand waits searched for each job of a page would hold the event loop.
        waits: dict[int, list[OpenWait]] = {}
        for wait in self._open():
            waits.setdefault(wait.di_job_id, []).append(wait)
        for job in jobs:
            # Once told, a wait is not told again: a page might name a job twice.
            for wait in waits.pop(job.id, ()):
                self._tell(wait, job, asked)

    def _tell(self, wait: OpenWait, job: DIJob, asked: float) -> None:
        wait.saw(job)
        try:
            if wait.done(job):
                wait.future.set_result(job)
            else:
                self._plan(wait, asked)
        except Exception as error:  # whatever it is, it is this wait's alone
            wait.future.set_exception(error)


def _now() -> float:
    return asyncio.get_running_loop().time()
