"""When keys are asked for again, and that many callers make one request for them; clock and source are made up."""

from __future__ import annotations

import sys
import threading
import time
import traceback
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from fake_dataworks import START, Clock

from airflow_provider_dataworks.client.auth.cache import CredentialCache, Held
from airflow_provider_dataworks.client.auth.credentials import Credentials, StaticCredentials
from airflow_provider_dataworks.exceptions import DataWorksAuthError, DataWorksError, DataWorksUnavailable

BROKEN = DataWorksUnavailable("no keys for now", sent=False)


class Source:
    """Hands out a new set of keys each time, or what it is told to."""

    identity, max_age = "made-up", float("inf")

    def __init__(self, life: float | None) -> None:
        self.life = life
        self.asked = 0
        self.errors: list[Exception] = []
        self.same = False
        self.work: Callable[[], Any] = lambda: None

    def fetch(self, clock: Callable[[], float], ca_file: str | None = None) -> Credentials:
        self.asked += 1
        number = 1 if self.same else self.asked
        self.work()
        if self.errors:
            raise self.errors.pop(0)
        expires = None if self.life is None else clock() + self.life
        return Credentials(f"id{number}", f"secret-{number}", "token", expires)


class Keys:
    """A credential cache of such a source."""

    def __init__(self, life: float | None) -> None:
        self.clock = Clock()
        self.source = Source(life)
        self.masked: list[Credentials] = []
        self.cache = CredentialCache(self.source, self.clock, self.masked.append)

    def keys(self, refused: int | None = None) -> Held:
        """Return the keys as a session gets them."""
        return self.cache.get(refused)

    def after(self, seconds: float) -> int:
        """Let time pass, and return whose number the keys then have."""
        self.clock.time = START + seconds
        return int(self.keys().keys.access_key_id.removeprefix("id"))


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
def test_keys_are_renewed_ahead_of_their_end_and_not_before(life: float, renewed_after: float):
    """Five minutes or a tenth of the life ahead, but never more than half of it: no request for every call."""
    keys = Keys(life)

    seen = [keys.after(seconds) for seconds in (0, 1, renewed_after - 1, renewed_after, renewed_after + 1)]

    assert seen == [1, 1, 1, 2, 2]
    assert keys.source.asked == 2


def test_keys_without_an_end_are_asked_for_once_in_their_age():
    """A profile's keys; and those of a connection never."""
    forever, aged = Keys(None), Keys(None)
    aged.source.max_age = 60

    assert [forever.after(seconds) for seconds in (0, 1e9)] == [1, 1]
    assert [aged.after(seconds) for seconds in (0, 59, 60, 61, 120)] == [1, 1, 2, 2, 3]


def test_a_renewal_that_fails_costs_nothing_while_the_keys_are_good(caplog: pytest.LogCaptureFixture):
    """It is logged, and tried again half a minute later at the earliest; past the end it is an error."""
    keys = Keys(900)
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
    assert sum("The present keys are used until they expire. For more: python -m " in line for line in lines) == 3
    assert not any("\n" in line for line in lines)
    assert "secret-" not in caplog.text
    keys.source.errors = []
    assert keys.after(901) == keys.source.asked


def test_a_renewal_that_fails_shortly_before_the_end_is_not_put_off_past_it():
    """Half a minute of rest would sign with keys that have ended."""
    keys = Keys(900)
    keys.after(0)
    keys.source.errors = [BROKEN]

    assert [keys.after(seconds) for seconds in (890, 899, 900)] == [1, 1, 3]


def test_an_aged_profile_that_fails_keeps_its_keys():
    """Keys that do not say when they end are good until the service says otherwise."""
    keys = Keys(None)
    keys.source.max_age = 60
    keys.after(0)
    keys.source.errors = [BROKEN]

    assert [keys.after(seconds) for seconds in (60, 89, 90)] == [1, 1, 3]


def test_a_permanent_error_is_raised_as_it_is():
    """With its facts, and a new one for each caller."""
    keys = Keys(900)
    keys.source.errors = [DataWorksAuthError("refused", code="NoPermission", action="AssumeRole")]

    with pytest.raises(DataWorksAuthError) as caught:
        keys.keys()

    assert (caught.value.code, caught.value.action) == ("NoPermission", "AssumeRole")


def test_refused_keys_are_replaced_once_for_all():
    """Who was refused with older keys gets those that somebody else has fetched in the meantime."""
    keys = Keys(900)
    old = keys.keys()

    new = keys.keys(refused=old.generation)

    assert (old.keys.access_key_id, new.keys.access_key_id) == ("id1", "id2")
    assert keys.keys(refused=old.generation) == new == keys.keys()
    assert keys.source.asked == 2


def test_the_same_keys_keep_their_generation():
    """So that who was refused with them sees that there are no others."""
    keys = Keys(900)
    keys.source.same = True
    old = keys.keys()

    assert keys.keys(refused=old.generation).generation == old.generation
    assert keys.source.asked == 2


def test_refused_keys_are_not_good_although_they_have_not_ended():
    """Where no others can be had, that is the error."""
    keys = Keys(900)
    old = keys.keys()
    keys.source.errors = [BROKEN]

    with pytest.raises(DataWorksUnavailable):
        keys.keys(refused=old.generation)


def waiting_in(function: str) -> int:
    """Count the threads that stand in a function of the cache."""
    frames = sys._current_frames().values()
    return sum(any(frame.f_code.co_name == function for frame, _ in traceback.walk_stack(each)) for each in frames)


@pytest.mark.parametrize("error", [None, BROKEN], ids=["good", "failing"])
def test_fifty_threads_make_one_renewal(error: DataWorksError | None):
    """And share its failure, too: one after the other they would wait fifty times as long."""
    keys = Keys(900)
    keys.source.errors = [error] if error else []

    def until_all_wait() -> None:
        until = time.monotonic() + 30
        while waiting_in("get") < 50 and time.monotonic() < until:
            time.sleep(0.001)

    keys.source.work = until_all_wait

    def ask(_: int) -> Any:
        try:
            return keys.keys().generation
        except DataWorksError as failure:
            return type(failure)

    with ThreadPoolExecutor(50) as pool:
        found = set(pool.map(ask, range(50)))

    assert keys.source.asked == 1
    assert found == ({DataWorksUnavailable} if error else {1})


def test_others_go_on_with_good_keys_while_one_renews_them():
    """A slow service holds up one call, not all of them."""
    keys = Keys(900)
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


def test_a_mistake_in_a_source_is_not_taken_for_an_answer():
    """It comes out as it is, and the next caller may try."""
    keys = Keys(900)
    keys.source.errors = [ZeroDivisionError("ours")]

    with pytest.raises(ZeroDivisionError):
        keys.keys()

    assert keys.keys().generation == 1


def test_new_keys_are_masked():
    """Each set once."""
    keys = Keys(900)
    keys.keys(), keys.keys()

    assert [masked.access_key_id for masked in keys.masked] == ["id1"]


def test_written_keys_are_read_again_only_for_who_comes_back():
    """First as they were read with the connection; without a way to read them they stay."""
    old, new = Credentials("id", "secret-old"), Credentials("id", "secret-new")
    reading = StaticCredentials(old, lambda: new)
    written = StaticCredentials(old)

    assert [reading.fetch(lambda: START) for _ in range(3)] == [old, new, new]
    assert [written.fetch(lambda: START) for _ in range(2)] == [old, old]
    assert reading.identity == "id"
