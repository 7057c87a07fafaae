"""Waits that share their looks: how many calls, when, and how trouble of one stays its own; on virtual time."""

from __future__ import annotations

import asyncio
import itertools
import json
import logging
from collections.abc import Awaitable, Callable, Iterator
from contextvars import ContextVar
from typing import Any

import httpx
import pytest
from fake_dataworks import PROJECT, FakeDataWorks, answer, refuse, serve
from virtual_time import run_virtually

from airflow_provider_dataworks.client.auth.cache import CredentialCache
from airflow_provider_dataworks.client.auth.credentials import Credentials, StaticCredentials
from airflow_provider_dataworks.client.client import DataWorksClient
from airflow_provider_dataworks.client.config import ClientConfig
from airflow_provider_dataworks.client.http.rate_limit import RateLimiter, TooLongToWait
from airflow_provider_dataworks.client.http.session import Session
from airflow_provider_dataworks.client.models import DIJob, JobStatus, Page, Verdict
from airflow_provider_dataworks.exceptions import (
    DataWorksForbidden,
    DataWorksNotFound,
    DataWorksThrottled,
    DIJobFailed,
    DIJobWaitTimeout,
)
from airflow_provider_dataworks.triggers import _open_wait
from airflow_provider_dataworks.triggers._paging import PagePlanner
from airflow_provider_dataworks.triggers._watcher import FIRST_LOOK, Watcher, poll_interval_for

Work = Callable[["Scene"], Awaitable[Any]]


class Passing(RateLimiter):
    """Lets every call pass, because its turn was waited for already, and hands on what answers ask for."""

    def __init__(self, real: RateLimiter) -> None:
        super().__init__(1000, lambda: 0.0)
        self._real = real

    def reserve(self, longest: float = float("inf")) -> float:
        return 0.0

    def answered(self, *, throttled: bool) -> None:
        self._real.answered(throttled=throttled)

    def pause(self, seconds: float) -> None:
        self._real.pause(seconds)


class Scene:
    """A watcher of a fake service in a loop on virtual time, and when which call was made."""

    def __init__(self, *, project_id: int | None = PROJECT, max_qps: float = 1000) -> None:
        loop = asyncio.get_running_loop()
        # Seconds that the answer about a job, or to an operation, takes; and the waits of those that never come.
        self.slow: dict[int | str, float] = {}
        self.now = loop.time
        self.dataworks = FakeDataWorks(self.epoch)
        self.dataworks.jobs.clear()
        self.calls: list[tuple[float, str]] = []
        self.asked: list[tuple[float, int | None]] = []
        self._limiter = RateLimiter(max_qps, loop.time)
        config = ClientConfig("https://dataworks.cn-shanghai.aliyuncs.com")
        keys = StaticCredentials(Credentials("LTAIinvented", "invented-secret"))
        session = Session(
            config,
            CredentialCache(keys, self.epoch),
            Passing(self._limiter),
            clock=self.epoch,
            transport=httpx.MockTransport(self.dataworks.handler),
        )
        client = DataWorksClient(config, session, clock=self.epoch, patience=0)
        self.watcher = Watcher(client, self, project_id)  # type: ignore[arg-type]

    def epoch(self) -> float:
        """Epoch seconds on virtual time."""
        return 1_790_000_000.0 + self.now()

    async def run(self, call: Any) -> Any:
        """Make a call as the threads of a watcher do, but wait for its turn and its answer on virtual time."""
        action, job_id = {"get_di_job": ("GetDIJob", call.args[0]), "list_page": ("ListDIJobs", None)}[
            call.func.__name__
        ]
        while True:
            try:
                wait = self._limiter.reserve(longest=10)
            except TooLongToWait as error:
                raise DataWorksThrottled("wait", action=action, retry_after=error.seconds) from None
            await asyncio.sleep(wait)
            if wait <= 0 or self._limiter.is_due():
                break
        self.calls.append((self.now(), action))
        self.asked.append((self.now(), job_id))
        await asyncio.sleep(self.slow.get(job_id or action, 0))
        return call()

    def wait(self, job_id: int, *, seconds: float = 3600, poll: float = 30, verdict: Any = None) -> asyncio.Task[DIJob]:
        """Begin to wait for a job."""
        waiting = self.watcher.wait(job_id, verdict or Verdict(), seconds_left=seconds, poll_interval=poll)
        return asyncio.get_running_loop().create_task(waiting)  # type: ignore[arg-type]

    def jobs(self, count: int, *statuses: str) -> list[int]:
        """Put as many jobs there, each showing these statuses one after the other."""
        ids = list(range(1, count + 1))
        for job_id in ids:
            self.dataworks.add(job_id, *statuses)
        return ids

    def count(self, action: str) -> int:
        """Count the calls of an operation."""
        return sum(name == action for _, name in self.calls)


def play(work: Work, **scene: Any) -> Any:
    """Play a scene on virtual time."""

    async def main() -> Any:
        return await work(Scene(**scene))

    return run_virtually(main())


def test_one_wait_asks_for_its_job_alone() -> None:
    """First after ten seconds at the earliest, then at its interval; a page would cost as much and tell less."""

    async def work(scene: Scene) -> None:
        scene.dataworks.add(7, "Running", "Stopping", "Stopped")
        job = await scene.wait(7)

        assert job.status is JobStatus.STOPPED
        assert [name for _, name in scene.calls] == ["GetDIJob"] * 3
        times = [when for when, _ in scene.calls]
        assert times[0] >= FIRST_LOOK
        assert all(13 <= later - earlier <= 30 for earlier, later in itertools.pairwise(times))

    play(work)


def test_many_waits_share_pages() -> None:
    """300 jobs: three pages a round, never 300 calls."""

    async def work(scene: Scene) -> None:
        waits = [scene.wait(job_id) for job_id in scene.jobs(300, *["Running"] * 10, "Stopped")]
        done = await asyncio.gather(*waits)

        assert {job.status for job in done} == {JobStatus.STOPPED}
        assert scene.count("GetDIJob") == 0
        assert scene.count("ListDIJobs") == 11 * 3

    play(work)


def test_waits_that_begin_one_after_the_other_fall_into_step() -> None:
    """Tasks defer over minutes; their looks are still taken together."""

    async def work(scene: Scene) -> None:
        waits = []
        for job_id in scene.jobs(200, "Running"):
            waits.append(scene.wait(job_id, seconds=600 - scene.now()))
            await asyncio.sleep(1)
        with pytest.raises(DIJobWaitTimeout):
            await waits[0]
        for wait in waits:
            wait.cancel()
        rounds = {when for when, _ in scene.calls}

        assert len(scene.calls) <= 1.5 * 2 * len(rounds)
        assert len(rounds) <= 600 / 15

    play(work)


def test_only_the_pages_that_hold_due_jobs_are_asked_for() -> None:
    """What earlier pages told is remembered."""

    async def work(scene: Scene) -> None:
        scene.jobs(500, "Running")
        for job_id in (410, 420, 430, 440, 450, 460):
            scene.dataworks.add(job_id, "Running", "Running", "Stopped")
        await asyncio.gather(*(scene.wait(job_id) for job_id in (410, 420, 430, 440, 450, 460)))

        # One sweep over five pages to find them all on the fifth, then that page alone.
        assert scene.count("ListDIJobs") == 5 + 2
        assert scene.count("GetDIJob") == 0

    play(work)


def test_a_job_the_list_does_not_show_is_asked_for_by_itself() -> None:
    """Which jobs are listed is not fully documented; a wait must not depend on it."""

    async def work(scene: Scene) -> None:
        ids = scene.jobs(5, "Running", "Running", "Stopped")
        scene.dataworks.add(99, "Running", "Stopped", project_id=4711)
        await asyncio.gather(*(scene.wait(job_id) for job_id in [*ids, 99]))

        assert scene.count("GetDIJob") == 2

    play(work)


def test_a_failed_job_is_asked_for_its_text() -> None:
    """A list does not tell why a job failed."""

    async def work(scene: Scene) -> None:
        ids = scene.jobs(5, "Running", "Stopped")
        scene.dataworks.add(3, "Failed", error_message="Binlog was purged")
        done = await asyncio.gather(*(scene.wait(job_id) for job_id in ids), return_exceptions=True)

        assert isinstance(done[2], DIJobFailed)
        assert "Binlog was purged" in str(done[2])
        assert [job.status for job in done if isinstance(job, DIJob)] == [JobStatus.STOPPED] * 4
        assert scene.count("GetDIJob") == 1

    play(work)


class Told(logging.Handler):
    """Keeps each line with the task whose log it belongs to, as Airflow's triggerer tells them apart: by context."""

    def __init__(self) -> None:
        super().__init__(logging.INFO)
        self.lines: list[tuple[str, str]] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.lines.append((TASK.get(), record.getMessage()))


TASK: ContextVar[str] = ContextVar("TASK", default="nobody's")


@pytest.fixture
def told() -> Iterator[list[tuple[str, str]]]:
    """What the watcher logged, and in whose log."""
    handler = Told()
    _open_wait.log.addHandler(handler)
    _open_wait.log.setLevel(logging.INFO)
    yield handler.lines
    _open_wait.log.removeHandler(handler)
    _open_wait.log.setLevel(logging.NOTSET)


async def as_task(scene: Scene, job_id: int) -> Any:
    """Wait for a job in a context of its own."""
    TASK.set(f"task of {job_id}")
    return await scene.wait(job_id)


def test_the_news_of_each_wait_stand_in_the_log_of_its_own_task(told: list[tuple[str, str]]) -> None:
    """Not in that of whoever began the watcher, who may be another team, and long gone."""

    async def work(scene: Scene) -> None:
        scene.dataworks.add(1, "Running", "Stopped")
        scene.dataworks.add(2, "Running", "Running", "Stopping", "Stopped")
        await asyncio.gather(*(asyncio.create_task(as_task(scene, job_id)) for job_id in (1, 2)))

    play(work)

    assert [line for line in told if line[0] == "task of 1"] == [
        ("task of 1", "DI job 1 is Running now."),
        ("task of 1", "DI job 1 is Stopped now."),
    ]
    assert [text for task, text in told if task == "task of 2"] == [
        "DI job 2 is Running now.",
        "DI job 2 is Stopping now.",
        "DI job 2 is Stopped now.",
    ]
    assert {task for task, _ in told} == {"task of 1", "task of 2"}


def test_trouble_is_told_to_each_wait_that_it_is_about_once(told: list[tuple[str, str]]) -> None:
    """An outage is no news in each round; its end is."""

    async def work(scene: Scene) -> None:
        scene.dataworks.add(1, "Running", "Running", "Stopped")
        scene.dataworks.add(2, "Stopped")
        scene.dataworks.script("GetDIJob", *[serve, answer(502), answer(502), answer(502)])
        await asyncio.create_task(as_task(scene, 1))
        await asyncio.create_task(as_task(scene, 2))

    play(work, project_id=None)

    lines = [text for task, text in told if task == "task of 1"]
    assert lines[0] == "DI job 1 is Running now."
    assert lines[1].startswith("DI job 1 could not be looked at, and is looked at again: GetDIJob of DI job 1 failed")
    assert lines[2:] == ["DI job 1 can be looked at again; it is still Running.", "DI job 1 is Stopped now."]
    assert [text for task, text in told if task == "task of 2"] == ["DI job 2 is Stopped now."]


def test_a_workspace_that_may_not_be_listed_is_warned_of_once(caplog: pytest.LogCaptureFixture) -> None:
    """With what follows from it."""

    async def work(scene: Scene) -> None:
        ids = scene.jobs(4, "Running", "Stopped")
        scene.dataworks.script("ListDIJobs", forever=refuse("Forbidden.RAM", 403))
        await asyncio.gather(*(scene.wait(job_id) for job_id in ids))

    with caplog.at_level(logging.WARNING):
        play(work)

    (line,) = [record.getMessage() for record in caplog.records]
    assert line.startswith("The workspace cannot be listed, so each DI job is asked for by itself: ListDIJobs failed")


def test_a_workspace_that_may_not_be_listed_is_asked_is_asked_job_by_job() -> None:
    """A RAM policy may allow GetDIJob only."""

    async def work(scene: Scene) -> None:
        ids = scene.jobs(4, "Running", "Stopped")
        scene.dataworks.script("ListDIJobs", forever=refuse("Forbidden.RAM", 403))
        await asyncio.gather(*(scene.wait(job_id) for job_id in ids))

        assert scene.count("ListDIJobs") == 1
        assert scene.count("GetDIJob") == 8

    play(work)


def test_waits_end_although_the_list_stays_broken() -> None:
    """An answer that cannot be read, say, each time; the jobs themselves could be asked for all the while."""

    async def work(scene: Scene) -> None:
        ids = scene.jobs(3, "Stopped")
        scene.dataworks.script("ListDIJobs", forever=answer(502, "<html>"))
        jobs = await asyncio.gather(*(scene.wait(job_id) for job_id in ids))

        assert {job.status for job in jobs} == {JobStatus.STOPPED}
        assert (scene.count("ListDIJobs"), scene.count("GetDIJob")) == (3, 3)

    play(work)


def test_without_a_workspace_each_job_is_asked_for_by_itself() -> None:
    """The workspace may be unknown."""

    async def work(scene: Scene) -> None:
        await asyncio.gather(*(scene.wait(job_id) for job_id in scene.jobs(3, "Stopped")))

        assert (scene.count("ListDIJobs"), scene.count("GetDIJob")) == (0, 3)

    play(work, project_id=None)


def test_a_permanent_error_ends_its_own_wait_only() -> None:
    """A job that was deleted, among others that are fine."""

    async def work(scene: Scene) -> None:
        scene.jobs(2, "Running", "Running", "Stopped")
        done = await asyncio.gather(scene.wait(1), scene.wait(4711), scene.wait(2), return_exceptions=True)

        assert isinstance(done[1], DataWorksNotFound)
        assert [done[0].status, done[2].status] == [JobStatus.STOPPED] * 2

    play(work, project_id=None)


def test_a_mistake_in_one_verdict_ends_its_own_wait_only() -> None:
    """Whatever a verdict raises."""

    async def work(scene: Scene) -> None:
        def broken(job: DIJob) -> bool:
            raise ZeroDivisionError

        scene.jobs(2, "Running", "Stopped")
        done = await asyncio.gather(scene.wait(1, verdict=broken), scene.wait(2), return_exceptions=True)

        assert isinstance(done[0], ZeroDivisionError)
        assert done[1].status is JobStatus.STOPPED

    play(work)


def test_a_mistake_in_reading_a_page_harms_no_wait(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each job is asked for by itself then."""

    async def work(scene: Scene) -> None:
        def broken(self: PagePlanner, *_: Any) -> None:
            raise ZeroDivisionError

        monkeypatch.setattr(PagePlanner, "seen", broken)
        done = await asyncio.gather(*(scene.wait(job_id) for job_id in scene.jobs(4, "Stopped")))

        assert {job.status for job in done} == {JobStatus.STOPPED}
        assert (scene.count("ListDIJobs"), scene.count("GetDIJob")) == (1, 4)

    play(work)


@pytest.mark.parametrize("field", [{"JobStatus": None}, {"DIJobId": 11668.7}, {"JobStatus": "\ud83d"}], ids=repr)
def test_one_odd_job_on_a_page_harms_no_other(field: dict[str, Any]) -> None:
    """The others are told by the page, and its own wait by a look at it alone."""

    async def work(scene: Scene) -> None:
        ids = scene.jobs(4, "Stopped")

        def odd(request: httpx.Request, serve: Any) -> httpx.Response:
            page = serve().json()
            page["DIJobPaging"]["DIJobs"][2].update(field)
            return httpx.Response(200, content=json.dumps(page).encode())

        scene.dataworks.script("ListDIJobs", odd)
        done = await asyncio.gather(*(scene.wait(job_id) for job_id in ids))

        assert {job.status for job in done} == {JobStatus.STOPPED}
        assert scene.count("ListDIJobs") == 1
        # A status that cannot be read as text is one that nobody documents, and is waited on.
        assert scene.count("GetDIJob") == 1

    play(work)


NEVER = float("inf")


@pytest.mark.parametrize("hangs", [35.0, NEVER], ids=["a while", "for ever"])
def test_a_look_that_hangs_starves_no_other_wait(hangs: float) -> None:
    """Those of a round, and those that come later, are looked at in time."""

    async def work(scene: Scene) -> None:
        for job_id in range(1, 6):
            scene.dataworks.add(job_id, "Running", "Running", "Stopped")
        scene.slow[3] = hangs
        hung = scene.wait(3, seconds=7200, poll=30)
        others = [scene.wait(job_id, seconds=100, poll=30) for job_id in (1, 2, 4)]
        await asyncio.sleep(12)
        others.append(scene.wait(5, seconds=100, poll=30))
        done = await asyncio.gather(*others)

        assert {job.status for job in done} == {JobStatus.STOPPED}
        assert scene.now() < 12 + 80
        hung.cancel()
        await asyncio.gather(hung, return_exceptions=True)

    play(work, project_id=None)


def test_a_page_that_hangs_makes_no_false_time_out() -> None:
    """Whoever is at the deadline takes a last look alone, as long as pages do not come."""

    async def work(scene: Scene) -> None:
        ids = scene.jobs(5, "Running", "Stopped")
        scene.slow["ListDIJobs"] = NEVER
        early = [scene.wait(job_id, seconds=60) for job_id in ids[:3]]
        await asyncio.sleep(30)
        late = [scene.wait(job_id, seconds=60) for job_id in ids[3:]]
        for job_id in ids:
            scene.dataworks.add(job_id, "Stopped")
        done = await asyncio.gather(*early, *late)

        assert {job.status for job in done} == {JobStatus.STOPPED}
        assert scene.now() < 30 + 60 + 30
        assert scene.count("GetDIJob") == 5

    play(work)


def test_a_last_look_begins_at_the_deadline_or_later() -> None:
    """One that began before it, and came back after it, is not taken for the last one."""

    async def work(scene: Scene) -> None:
        scene.dataworks.add(7, "Running", "Stopped")
        scene.slow[7] = 8
        assert (await scene.wait(7, seconds=15, poll=12)).status is JobStatus.STOPPED
        assert scene.count("GetDIJob") == 2

    play(work, project_id=None)


def test_a_hint_on_an_error_of_the_service_holds_for_everybody_too() -> None:
    """As one on throttling does."""

    async def work(scene: Scene) -> None:
        ids = scene.jobs(3, "Stopped")
        scene.dataworks.script("ListDIJobs", answer(503, "<html>", {"retry-after": "200"}))
        await asyncio.gather(*(scene.wait(job_id) for job_id in ids))

        assert scene.calls[1][0] - scene.calls[0][0] >= 200

    play(work)


def test_an_absurd_hint_holds_waits_for_minutes_and_says_so(caplog: pytest.LogCaptureFixture) -> None:
    """Ten billion milliseconds are four months; each wait says so once."""

    async def work(scene: Scene) -> None:
        ids = scene.jobs(3, "Stopped")
        scene.dataworks.script("GetDIJob", refuse("Throttling.User", 429, headers={"x-acs-retry-after": "9999999999"}))
        await asyncio.gather(*(scene.wait(job_id, poll=12) for job_id in ids))

        assert scene.now() < 300 + 30

    with caplog.at_level(logging.INFO):
        play(work, project_id=None, max_qps=0.5)
    told = [record for record in caplog.records if "could not be looked at" in record.getMessage()]
    assert len(told) == 3  # one for each wait, in its own log


@pytest.mark.parametrize("hint", [{"x-acs-retry-after": "200000"}, {"retry-after": "200"}])
def test_the_wait_the_service_asks_for_holds_for_everybody(hint: dict[str, str]) -> None:
    """No call of any wait is made before, and no wait is lost."""

    async def work(scene: Scene) -> None:
        ids = scene.jobs(3, "Running", "Stopped")
        scene.dataworks.script("ListDIJobs", refuse("Throttling.User", 429, headers=hint))
        done = await asyncio.gather(*(scene.wait(job_id) for job_id in ids), scene.wait(2, poll=12))
        first, second = scene.calls[0][0], scene.calls[1][0]

        assert second - first >= 200
        assert {job.status for job in done} == {JobStatus.STOPPED}

    play(work)


def test_trouble_is_waited_out_inside_the_deadline() -> None:
    """Throttling without a hint, a gateway's page and an internal error cost no retry of the task."""

    async def work(scene: Scene) -> None:
        scene.dataworks.add(7, "Stopped")
        faults = [refuse("Throttling.User", 429), answer(502, "<html>"), refuse("InternalError.System", 500)]
        scene.dataworks.script("GetDIJob", *faults)
        job = await scene.wait(7)

        assert job.status is JobStatus.STOPPED
        assert scene.count("GetDIJob") == 4

    play(work)


def test_a_wait_ends_at_its_deadline_with_what_was_seen_last() -> None:
    """Not before, and after one last look."""

    async def work(scene: Scene) -> None:
        scene.dataworks.add(7, "Stopping")
        with pytest.raises(DIJobWaitTimeout, match="Stopping") as caught:
            await scene.wait(7, seconds=100)

        assert caught.value.last_status == "Stopping"
        assert scene.now() == pytest.approx(100)
        assert scene.calls[-1][0] == pytest.approx(100)

    play(work)


def test_a_wait_whose_time_is_over_already_takes_one_look() -> None:
    """After a restart of the triggerer: a job that made it is not reported as timed out."""

    async def work(scene: Scene) -> None:
        scene.dataworks.add(7, "Stopped")
        scene.dataworks.add(8, "Running")

        assert (await scene.wait(7, seconds=-50)).status is JobStatus.STOPPED
        with pytest.raises(DIJobWaitTimeout, match="Running"):
            await scene.wait(8, seconds=-50)

    play(work)


def test_a_deadline_holds_even_while_the_service_asks_to_wait() -> None:
    """The error says what kept us from a newer status."""

    async def work(scene: Scene) -> None:
        scene.dataworks.add(7, "Running")
        scene.dataworks.script("GetDIJob", forever=refuse("Throttling.User", 429, headers={"retry-after": "3600"}))
        with pytest.raises(DIJobWaitTimeout, match=r"Throttling\.User") as caught:
            await scene.wait(7, seconds=120)

        assert isinstance(caught.value.__cause__, DataWorksThrottled)
        assert scene.now() <= 120 + 30

    play(work)


def test_a_wait_that_has_just_begun_is_not_looked_at_early() -> None:
    """Another's round comes before its first ten seconds are over: it keeps its own time."""

    async def work(scene: Scene) -> None:
        scene.jobs(2, "Running", "Stopped")
        early = scene.wait(1, poll=12)
        await asyncio.sleep(11)
        late = scene.wait(2, poll=12)
        await asyncio.gather(early, late)
        first_look_at_2 = next(when for when, job in scene.asked if job == 2)

        assert first_look_at_2 >= 11 + FIRST_LOOK

    play(work, project_id=None)


def test_the_pace_is_kept_whatever_is_due() -> None:
    """No second holds more calls than max_qps."""

    async def work(scene: Scene) -> None:
        ids = scene.jobs(40, "Running", "Stopped")
        await asyncio.gather(*(scene.wait(job_id, poll=20) for job_id in ids))
        times = sorted(when for when, _ in scene.calls)

        assert len(times) == 80
        assert all(later - earlier >= 0.999 for earlier, later in zip(times, times[5:], strict=False))

    play(work, project_id=None, max_qps=5)


def test_the_watcher_ends_with_its_last_wait() -> None:
    """Cancelled waits leave nothing behind, and a new one begins anew."""

    async def work(scene: Scene) -> None:
        scene.dataworks.add(7, "Running")
        waits = [scene.wait(7), scene.wait(7)]
        await asyncio.sleep(20)
        for wait in waits:
            wait.cancel()
        await asyncio.sleep(0.1)
        names = [task.get_name() for task in asyncio.all_tasks() if task is not asyncio.current_task()]
        scene.dataworks.add(7, "Stopped")

        assert names == []
        assert (await scene.wait(7)).status is JobStatus.STOPPED

    play(work)


def test_a_mistake_of_ours_reaches_every_wait(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody hangs until a deadline."""

    async def work(scene: Scene) -> None:
        def broken(self: PagePlanner, job_ids: set[int]) -> None:
            raise ZeroDivisionError

        monkeypatch.setattr(PagePlanner, "pages_for", broken)
        done = await asyncio.gather(scene.wait(1), scene.wait(2), return_exceptions=True)

        assert [type(error) for error in done] == [ZeroDivisionError] * 2

    play(work)


@pytest.mark.parametrize(
    ("age", "poll", "expected"),
    [(0, 30, 30), (200, 30, 30), (600, 30, 60), (1800, 30, 180), (86_400, 30, 300), (86_400, 900, 900)],
)
def test_looks_grow_rarer_with_age_within_bounds(age: float, poll: float, expected: float) -> None:
    """Never more often than asked for, and at most five minutes apart unless asked for."""
    assert poll_interval_for(age, poll) == expected


def listed(*ids: int, total: int) -> Page:
    """Make a page."""
    return Page(tuple(DIJob(job_id, JobStatus.RUNNING) for job_id in ids), total)


def test_a_full_scan_ends_where_single_calls_are_cheaper() -> None:
    """Two jobs in a workspace of a thousand: one page tells that, then each is asked for by itself."""
    planner = PagePlanner(possible=True)
    asked = []
    for page in planner.pages_for({5, 6}):
        asked.append(page)
        planner.seen(page, listed(1, 2, total=1000), {5, 6})

    assert asked == [1]
    assert list(planner.pages_for({5, 6})) == []


def test_a_job_that_left_its_page_is_searched_again() -> None:
    """Pages shift when jobs are deleted."""
    planner = PagePlanner(possible=True)
    planner.seen(1, listed(5, 6, total=2), {5, 6})
    assert list(planner.pages_for({5, 6})) == [1]

    planner.seen(1, listed(6, total=1), {5, 6})

    assert list(planner.pages_for({5, 6})) == []


def test_a_refused_page_is_remembered_only_if_the_refusal_lasts() -> None:
    """Throttling passes; a missing permission does not."""
    planner = PagePlanner(possible=True)
    planner.failed(DataWorksThrottled("busy"))
    assert planner.busy
    assert list(planner.pages_for({5, 6})) == [1]
    assert not planner.busy

    planner.failed(DataWorksForbidden("no"))

    assert list(planner.pages_for({5, 6})) == []
