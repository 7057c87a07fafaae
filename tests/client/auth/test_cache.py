"""When keys are asked for again, and that many callers make one request for them; clock and source are made up."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from fake_dataworks import START, Clock

from airflow_provider_dataworks.client.auth.cache import Held, Keyring
from airflow_provider_dataworks.client.auth.credentials import Credentials, Fetching, Load, StaticCredentials
from airflow_provider_dataworks.client.driving import arun, run
from airflow_provider_dataworks.exceptions import DataWorksAuthError, DataWorksError, DataWorksUnavailable

BROKEN = DataWorksUnavailable("no keys for now", sent=False)


class Source:
    """Hands out a new set of keys each time, or what it is told to."""

    identity, max_age = "made-up", float("inf")

    def __init__(self, clock: Clock, life: float | None) -> None:
        self.clock, self.life = clock, life
        self.asked = 0
        self.errors: list[Exception] = []
        self.same = False
        self.work: Callable[[], Any] = lambda: None

    def fetch(self, now: float) -> Fetching:
        self.asked += 1
        number = 1 if self.same else self.asked
        yield Load(self.work)
        if self.errors:
            raise self.errors.pop(0)
        expires = None if self.life is None else now + self.life
        return Credentials(f"id{number}", f"secret-{number}", "token", expires)


class Ring:
    """A keyring of such a source, asked by either driver."""

    def __init__(self, kind: str, life: float | None) -> None:
        self.kind, self.clock = kind, Clock()
        self.source = Source(self.clock, life)
        self.masked: list[Credentials] = []
        self.keyring = Keyring(self.source, self.clock, self.masked.append)

    def keys(self, refused: int | None = None) -> Held:
        """Return the keys as a session gets them."""
        if self.kind == "blocking":
            return self.keyring.ready(refused) or self.keyring.get(self.drive, refused)
        return asyncio.run(self.akeys(refused))

    def drive(self, flow: Fetching) -> Credentials:
        return run(flow, lambda command: command.blocking())

    async def akeys(self, refused: int | None = None) -> Held:
        """The same in an event loop."""
        return self.keyring.ready(refused) or await self.keyring.aget(self.adrive, refused)

    async def adrive(self, flow: Fetching) -> Credentials:
        async def obey(command: Load) -> Any:
            return await asyncio.to_thread(command.blocking)

        return await arun(flow, obey)

    def after(self, seconds: float) -> int:
        """Let time pass, and return whose number the keys then have."""
        self.clock.time = START + seconds
        return int(self.keys().keys.access_key_id.removeprefix("id"))


@pytest.fixture(params=["blocking", "asyncio"])
def ring(request: pytest.FixtureRequest) -> Callable[[float | None], Ring]:
    """Make a keyring whose keys live so many seconds."""
    return lambda life: Ring(request.param, life)


@pytest.mark.parametrize(
    ("life", "renewed_after"),
    [
        pytest.param(3600, 3240, id="an-hour-by-a-tenth"),
        pytest.param(1800, 1500, id="half-an-hour-by-five-minutes"),
        pytest.param(900, 600, id="shortest-of-sts"),
        pytest.param(400, 200, id="short-by-half"),
        pytest.param(10, 5, id="very-short-by-half"),
    ],
)
def test_keys_are_renewed_ahead_of_their_end_and_not_before(
    ring: Callable[..., Ring], life: float, renewed_after: float
):
    """Five minutes or a tenth of the life ahead, but never more than half of it: no request for every call."""
    keys = ring(life)

    seen = [keys.after(seconds) for seconds in (0, 1, renewed_after - 1, renewed_after, renewed_after + 1)]

    assert seen == [1, 1, 1, 2, 2]
    assert keys.source.asked == 2


def test_keys_without_an_end_are_asked_for_once_in_their_age(ring: Callable[..., Ring]):
    """A profile's keys; and those of a connection never."""
    forever, aged = ring(None), ring(None)
    aged.source.max_age = 60

    assert [forever.after(seconds) for seconds in (0, 1e9)] == [1, 1]
    assert [aged.after(seconds) for seconds in (0, 59, 60, 61, 120)] == [1, 1, 2, 2, 3]


def test_a_renewal_that_fails_costs_nothing_while_the_keys_are_good(
    ring: Callable[..., Ring], caplog: pytest.LogCaptureFixture
):
    """It is logged, and tried again half a minute later at the earliest; past the end it is an error."""
    keys = ring(900)
    keys.after(0)
    keys.source.errors = [BROKEN] * 100

    seen = [keys.after(seconds) for seconds in (600, 601, 629, 630, 899)]
    asked = keys.source.asked
    with pytest.raises(DataWorksUnavailable, match="no keys for now") as caught:
        keys.after(900)

    assert seen == [1] * 5
    assert asked == 4
    assert caught.value is not BROKEN
    lines = [record.getMessage() for record in caplog.records]
    assert sum("The present keys are used until they expire; README.md#" in line for line in lines) == 3
    assert not any("\n" in line for line in lines)
    assert "secret-" not in caplog.text
    keys.source.errors = []
    assert keys.after(901) == keys.source.asked


def test_a_renewal_that_fails_shortly_before_the_end_is_not_put_off_past_it(ring: Callable[..., Ring]):
    """Half a minute of rest would sign with keys that have ended."""
    keys = ring(900)
    keys.after(0)
    keys.source.errors = [BROKEN]

    assert [keys.after(seconds) for seconds in (890, 899, 900)] == [1, 1, 3]


def test_an_aged_profile_that_fails_keeps_its_keys(ring: Callable[..., Ring]):
    """Keys that do not say when they end are good until the service says otherwise."""
    keys = ring(None)
    keys.source.max_age = 60
    keys.after(0)
    keys.source.errors = [BROKEN]

    assert [keys.after(seconds) for seconds in (60, 89, 90)] == [1, 1, 3]


def test_a_permanent_error_is_raised_as_it_is(ring: Callable[..., Ring]):
    """With its facts, and a new one for each caller."""
    keys = ring(900)
    keys.source.errors = [DataWorksAuthError("refused", code="NoPermission", action="AssumeRole")]

    with pytest.raises(DataWorksAuthError) as caught:
        keys.keys()

    assert (caught.value.code, caught.value.action) == ("NoPermission", "AssumeRole")


def test_refused_keys_are_replaced_once_for_all(ring: Callable[..., Ring]):
    """Who was refused with older keys gets those that somebody else has fetched in the meantime."""
    keys = ring(900)
    old = keys.keys()

    new = keys.keys(refused=old.generation)

    assert (old.keys.access_key_id, new.keys.access_key_id) == ("id1", "id2")
    assert keys.keys(refused=old.generation) == new == keys.keys()
    assert keys.source.asked == 2


def test_the_same_keys_keep_their_generation(ring: Callable[..., Ring]):
    """So that who was refused with them sees that there are no others."""
    keys = ring(900)
    keys.source.same = True
    old = keys.keys()

    assert keys.keys(refused=old.generation).generation == old.generation
    assert keys.source.asked == 2


def test_refused_keys_are_not_good_although_they_have_not_ended(ring: Callable[..., Ring]):
    """Where no others can be had, that is the error."""
    keys = ring(900)
    old = keys.keys()
    keys.source.errors = [BROKEN]

    with pytest.raises(DataWorksUnavailable):
        keys.keys(refused=old.generation)


class Gate:
    """A lock that tells who has come to it."""

    def __init__(self) -> None:
        self.arrived = threading.Semaphore(0)
        self._lock = threading.Lock()
        self.release = self._lock.release

    def acquire(self, blocking: bool = True) -> bool:
        """Arrive, then wait."""
        self.arrived.release()
        return self._lock.acquire(blocking)


@pytest.mark.parametrize("error", [None, BROKEN], ids=["good", "failing"])
def test_fifty_threads_make_one_renewal(error: DataWorksError | None, monkeypatch: pytest.MonkeyPatch):
    """And share its failure, too: one after the other they would wait fifty times as long."""
    keys, gate = Ring("blocking", 900), Gate()
    keys.source.errors = [error] if error else []
    monkeypatch.setattr(keys.keyring, "_renewing", gate)
    # The renewal ends only once everybody waits for it.
    keys.source.work = lambda: [gate.arrived.acquire() for _ in range(50)]

    def ask(_: int) -> Any:
        try:
            return keys.keyring.get(keys.drive).generation
        except DataWorksError as failure:
            return type(failure)

    with ThreadPoolExecutor(50) as pool:
        found = set(pool.map(ask, range(50)))

    assert keys.source.asked == 1
    assert found == ({DataWorksUnavailable} if error else {1})


@pytest.mark.parametrize("error", [None, BROKEN], ids=["good", "failing"])
def test_fifty_coroutines_make_one_renewal(error: DataWorksError | None):
    """One task for an event loop."""
    keys = Ring("asyncio", 900)
    keys.source.errors = [error] if error else []

    async def main() -> list[Any]:
        return await asyncio.gather(*(keys.akeys() for _ in range(50)), return_exceptions=True)

    found = asyncio.run(main())

    assert keys.source.asked == 1
    assert {type(each) for each in found} == ({DataWorksUnavailable} if error else {Held})


def test_who_is_cancelled_does_not_cancel_the_others():
    """Not even the one who began the renewal."""
    keys = Ring("asyncio", 900)
    gate = threading.Event()
    keys.source.work = gate.wait

    async def main() -> list[Any]:
        tasks = [asyncio.create_task(keys.akeys()) for _ in range(3)]
        await asyncio.sleep(0)
        tasks[0].cancel()
        await asyncio.sleep(0)
        gate.set()
        return await asyncio.gather(*tasks, return_exceptions=True)

    first, *others = asyncio.run(main())

    assert isinstance(first, asyncio.CancelledError)
    assert {each.generation for each in others} == {1}
    assert keys.source.asked == 1


def test_others_go_on_with_good_keys_while_one_renews_them_in_threads():
    """A slow service holds up one call, not all of them."""
    keys = Ring("blocking", 900)
    keys.keys()
    keys.clock.time += 700
    entered, gate = threading.Event(), threading.Event()
    keys.source.work = lambda: (entered.set(), gate.wait())

    with ThreadPoolExecutor(1) as pool:
        renewing = pool.submit(keys.keys)
        entered.wait()
        meanwhile = keys.keys()
        gate.set()
        after = renewing.result()

    assert (meanwhile.generation, after.generation) == (1, 2)


def test_others_go_on_with_good_keys_while_one_renews_them_in_a_loop():
    """The same for coroutines."""
    keys = Ring("asyncio", 900)
    gate = threading.Event()

    async def main() -> tuple[Held, Held]:
        await keys.akeys()
        keys.clock.time += 700
        keys.source.work = gate.wait
        renewing = asyncio.create_task(keys.akeys())
        await asyncio.sleep(0)
        meanwhile = await keys.akeys()
        gate.set()
        return meanwhile, await renewing

    meanwhile, after = asyncio.run(main())

    assert (meanwhile.generation, after.generation) == (1, 2)


def test_one_keyring_serves_several_event_loops():
    """A hook may be used in one loop after the other; a task belongs to one."""
    keys = Ring("asyncio", 10)

    assert [keys.after(seconds) for seconds in (0, 6, 12)] == [1, 2, 3]
    assert not keys.keyring._tasks


def test_a_mistake_in_a_source_is_not_taken_for_an_answer(ring: Callable[..., Ring]):
    """It comes out as it is, and the next caller may try."""
    keys = ring(900)
    keys.source.errors = [ZeroDivisionError("ours")]

    with pytest.raises(ZeroDivisionError):
        keys.keys()

    assert keys.keys().generation == 1


def test_blocking_callers_have_new_keys_masked():
    """In an event loop Airflow cannot be told without waiting for it."""
    blocking, looping = Ring("blocking", 900), Ring("asyncio", 900)
    blocking.keys(), looping.keys()

    assert [keys.access_key_id for keys in blocking.masked] == ["id1"]
    assert looping.masked == []


def test_written_keys_are_read_again_only_for_who_comes_back():
    """First as they were read with the connection; without a way to read them they stay."""
    old, new = Credentials("id", "secret-old"), Credentials("id", "secret-new")
    reading = StaticCredentials(old, Load(lambda: new))
    written = StaticCredentials(old)

    def fetched(source: StaticCredentials) -> Credentials:
        return run(source.fetch(START), lambda command: command.blocking())

    assert [fetched(reading) for _ in range(3)] == [old, new, new]
    assert [fetched(written) for _ in range(2)] == [old, old]
    assert reading.identity == "id"
