"""Calls to one account are spaced out, by all processes of a machine; refusals lower the rate, and time raises it."""

from __future__ import annotations

import fcntl
import logging
import multiprocessing
import os
import random
import tempfile
import threading
from pathlib import Path

import pytest
from fake_dataworks import Clock
from reserving_process import reserve

from airflow_provider_dataworks.client import files
from airflow_provider_dataworks.client.http.rate_limit import (
    LONGEST_PAUSE,
    SLACK,
    RateLimiter,
    SharedState,
    TooLongToWait,
    row_length,
    shared_limiter,
)


def test_no_second_holds_more_calls_than_allowed() -> None:
    """Callers that come all at once get slots far enough apart, whatever the rate."""
    wrong = []
    for qps in (1, 2, 5, 50):
        limiter = RateLimiter(qps, lambda: 100.0)
        slots = [100.0 + limiter.reserve() for _ in range(4 * qps)]
        most = max(sum(start <= slot < start + 1 for slot in slots) for start in slots)
        if most > qps or not 103.0 - 1 / qps <= slots[-1] <= 104.2 or slots != sorted(slots):
            wrong.append((qps, most, slots[-1]))

    assert wrong == []


def test_a_few_calls_leave_at_once_and_the_rest_one_by_one() -> None:
    """Of many machines that begin together, most calls would be refused otherwise."""
    limiter = RateLimiter(5, lambda: 100.0)

    assert [limiter.reserve() for _ in range(5)] == pytest.approx([0, 0, 0.4, 0.4, 0.8])


def test_less_than_one_call_per_second_is_a_longer_period() -> None:
    """However many wait: fifty at once make a queue of hours."""
    wrong = []
    for qps in (1 / 3600, 0.001, 0.01, 0.5, 1):
        limiter = RateLimiter(qps, lambda: 100.0)
        waits = [limiter.reserve() for _ in range(50)]
        if waits != pytest.approx([number * (1 / qps + SLACK) for number in range(50)]):
            wrong.append((qps, waits[:3]))

    assert wrong == []


def test_nobody_waits_once_the_window_has_passed() -> None:
    """Only a full window makes callers wait, and only for what is left of it."""
    clock = Clock(100.0)
    limiter = RateLimiter(1, clock)
    first = limiter.reserve()
    clock.time += 0.75
    second = limiter.reserve()
    clock.time += 10
    later = limiter.reserve()

    assert (first, second, later) == (0.0, pytest.approx(0.25 + SLACK), 0.0)


def test_one_account_at_one_endpoint_has_one_limiter() -> None:
    """The service counts per account and region, so callers share the spacing; others do not."""
    ours = shared_limiter("https://h", "key-of-test-rate", 5.0)

    assert shared_limiter("https://h", "key-of-test-rate", 5.0) is ours
    assert shared_limiter("https://h", "another-key-of-test-rate", 5.0) is not ours
    assert shared_limiter("https://other", "key-of-test-rate", 5.0) is not ours
    assert ours.reserve() == 0.0


def test_a_pause_keeps_everybody_back() -> None:
    """What the service asked of one caller holds for all, and a shorter one never cuts a longer one."""
    clock = Clock(100.0)
    limiter = RateLimiter(5, clock)
    before = limiter.paused_for()
    limiter.pause(30)
    limiter.pause(10)
    during = limiter.paused_for(), limiter.reserve()
    clock.time += 40

    assert (before, during, limiter.paused_for(), limiter.reserve()) == (0.0, (30.0, 30.0), 0.0, 0.0)


def test_no_answer_pauses_everybody_for_more_than_minutes() -> None:
    """It may be absurd, and no process could be told to go on."""
    wrong = []
    for asked in (301, 86_400, 9_999_999.999, float("inf")):
        limiter = RateLimiter(5, lambda: 100.0)
        limiter.pause(asked)
        if (limiter.paused_for(), limiter.reserve()) != (LONGEST_PAUSE, LONGEST_PAUSE):
            wrong.append(asked)

    assert (wrong, LONGEST_PAUSE) == ([], 300.0)


def test_a_pause_that_is_too_long_takes_no_slot() -> None:
    """Whoever does not wait for it may come again."""
    clock = Clock(100.0)
    limiter = RateLimiter(1, clock)
    limiter.pause(60)
    for _ in range(3):
        with pytest.raises(TooLongToWait) as caught:
            limiter.reserve(longest=45)
        assert caught.value.seconds == 60
    clock.time += 20

    assert limiter.reserve(longest=45) == 40


def test_a_long_queue_of_ones_own_is_waited_for() -> None:
    """It is nobody's wish but that of max_qps."""
    limiter = RateLimiter(1, lambda: 100.0)
    waits = [limiter.reserve(longest=5) for _ in range(20)]

    assert waits[-1] > 15


def test_each_process_tells_of_a_pause_once() -> None:
    """And of the next one again."""
    clock = Clock(100.0)
    limiter = RateLimiter(5, clock)
    limiter.pause(30)
    told = [limiter.is_news(limiter.paused_for()) for _ in range(2)]
    clock.time += 100
    limiter.pause(30)

    assert (told, limiter.is_news(limiter.paused_for())) == ([True, False], True)


def rate_of(limiter: RateLimiter, clock: Clock) -> float:
    """Return how many calls a second are let through now, by two slots of a limiter with a long queue."""
    first, second = limiter.reserve(), limiter.reserve()
    clock.time += second
    return 1 / (second - first) if second > first else float("inf")


def test_a_throttled_answer_lowers_the_rate_and_time_raises_it() -> None:
    """Never beyond max_qps; and it goes up again however low it went."""
    clock = Clock(100.0)
    limiter = RateLimiter(5, clock)
    for _ in range(10):
        clock.time += limiter.reserve()
        limiter.answered(throttled=False)
    limiter.answered(throttled=True)
    lowered = rate_of(limiter, clock)
    rates = []
    for _ in range(12):
        clock.time += 10
        rates.append(rate_of(limiter, clock))

    assert 1 < lowered < 4
    assert rates == sorted(rates)
    clock.time += 3600
    waits = [limiter.reserve() for _ in range(5)]
    assert waits == pytest.approx([0, 0, 0.4, 0.4, 0.8])


def test_an_account_that_refuses_everything_is_asked_all_the_same() -> None:
    """A call that waits for its turn comes to it within seconds, however often others were refused."""
    clock = Clock(100.0)
    limiter = RateLimiter(5, clock)
    for _ in range(100):
        limiter.answered(throttled=True)

    assert limiter.reserve(longest=45) <= 5


def test_slots_under_a_rate_that_was_lowered_meanwhile_are_taken_anew() -> None:
    """Those who wait ask whether their slot still holds."""
    clock = Clock(100.0)
    limiter = RateLimiter(1, clock)
    limiter.reserve()
    waiting = limiter.reserve()
    holds = limiter.is_due()
    limiter.answered(throttled=True)

    assert (waiting, holds, limiter.is_due()) == (pytest.approx(1 + SLACK), True, False)


def test_a_thread_knows_its_own_slot() -> None:
    """One that reserved before a refusal, one after."""
    limiter = RateLimiter(5, lambda: 100.0)
    found: dict[str, bool] = {}
    reserved, refused = threading.Event(), threading.Event()

    def early() -> None:
        limiter.reserve()
        reserved.set()
        refused.wait()
        found["early"] = limiter.is_due()

    thread = threading.Thread(target=early)
    thread.start()
    reserved.wait()
    limiter.answered(throttled=True)
    limiter.reserve()
    found["late"] = limiter.is_due()
    refused.set()
    thread.join()

    assert found == {"early": False, "late": True}


def test_whatever_happens_no_second_holds_more_than_allowed() -> None:
    """Random schedules of calls, refusals, pauses and waits; slots stay within the rate, and end."""
    wrong = []
    for seed in range(200):
        draw = random.Random(seed)
        qps = draw.choice([0.2, 1, 3, 5, 20])
        clock, moments = Clock(1000.0), []
        limiter = RateLimiter(qps, clock)
        for _ in range(150):
            clock.time += draw.choice([0, 0, 0, 0.01, 0.3, 5])
            event = draw.random()
            if event < 0.1:
                limiter.answered(throttled=True)
                moments = [moment for moment in moments if moment <= clock.time]
            elif event < 0.13:
                limiter.pause(draw.choice([1, 60]))
            else:
                moments.append(clock.time + limiter.reserve())
        window, most = max(1.0, 1 / qps), max(1, int(qps))
        taken = sorted(moments)
        crowded = [a for a, b in zip(taken, taken[most:], strict=False) if b - a < window]
        if crowded:
            wrong.append((seed, qps, crowded[:3]))

    assert wrong == []


# All processes of a machine


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """Return the folder of the shared files, which nobody has made yet."""
    return tmp_path / "shared"


def test_processes_that_call_at_once_keep_one_rate(home: Path) -> None:
    """Four of them together never get more slots in a second than one alone may have."""
    with multiprocessing.get_context("spawn").Pool(4) as workers:
        taken = workers.starmap(reserve, [(home / "row", 50, 100)] * 4)

    slots = sorted(moment for each in taken for moment in each)
    assert len(slots) == 400
    # What a process says of its clock and the slot's distance is read in two steps, some microseconds apart.
    assert all(later - earlier > 1 for earlier, later in zip(slots, slots[50:], strict=False))
    assert slots[-1] - slots[0] == pytest.approx(7 * (1 + SLACK), abs=1.5)


def test_what_one_process_learned_holds_for_the_others(home: Path) -> None:
    """A pause and a lower rate are in the file, too."""
    clock = Clock(100.0)
    one, other = (RateLimiter(5, clock, SharedState(home / "row", row_length(5))) for _ in range(2))
    other.reserve()
    one.answered(throttled=True)
    still_due = other.is_due()
    one.pause(30)

    assert (still_due, other.reserve()) == (False, 30.0)


def test_a_file_that_cannot_be_meant_is_begun_anew(home: Path) -> None:
    """Such as one that another version left, or a crash, or a hand."""
    home.mkdir(mode=0o700)
    wrong = []
    size = 8 * row_length(5)
    huge = b"\x00\x00\x00\x00\x00\x00\xf0\x7f"  # infinity
    for kept in (b"", b"short", b"\xff" * size, b"\x00" * size, huge * row_length(5), os.urandom(size)):
        (home / "row").write_bytes(kept)
        limiter = RateLimiter(5, lambda: 100.0, SharedState(home / "row", row_length(5)))
        waits = [limiter.reserve() for _ in range(6)]
        if not all(0 <= wait < 8 for wait in waits):
            wrong.append((kept[:16], waits))

    assert wrong == []


def test_moments_of_an_earlier_start_of_the_machine_do_not_count(home: Path) -> None:
    """Its clock had come further than ours."""
    path = home / "row"
    earlier = RateLimiter(1, lambda: 1e6, SharedState(path, row_length(1)))
    earlier.reserve()
    earlier.pause(60)
    earlier.answered(throttled=True)

    assert RateLimiter(1, lambda: 10.0, SharedState(path, row_length(1))).reserve() == 0.0


def test_a_file_that_was_cleaned_away_is_made_anew(home: Path) -> None:
    """And shared again by all."""
    clock = Clock(100.0)
    one, other = (RateLimiter(1, clock, SharedState(home / "row", row_length(1))) for _ in range(2))
    assert [one.reserve(), other.reserve()] == pytest.approx([0.0, 1 + SLACK])
    (home / "row").unlink()

    assert [one.reserve(), other.reserve()] == pytest.approx([0.0, 1 + SLACK])


def test_without_a_file_the_process_keeps_a_rate_of_its_own(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """Still spaced out, and said once."""
    (tmp_path / "open").mkdir()
    (tmp_path / "open").chmod(0o777)
    (tmp_path / "file").write_text("")
    (tmp_path / "link").mkdir(mode=0o700)
    (tmp_path / "link" / "row").symlink_to("/dev/null")
    for name in ("open", "file", "link"):
        caplog.clear()
        limiter = RateLimiter(1, lambda: 100.0, SharedState(tmp_path / name / "row", row_length(1)))

        assert [limiter.reserve(), limiter.reserve()] == pytest.approx([0.0, 1 + SLACK]), name
        (told,) = [record.getMessage() for record in caplog.records if record.levelno == logging.WARNING]
        assert "by this process alone" in told


def hold_the_lock(path: str, held: multiprocessing.synchronize.Event, end: multiprocessing.synchronize.Event) -> None:
    """Be a process that was stopped while it held the file."""
    fcntl.lockf(os.open(path, os.O_RDWR), fcntl.LOCK_EX)
    held.set()
    end.wait(60)


def test_nobody_waits_for_a_process_that_does_not_let_go(home: Path) -> None:
    """A call may not be held up by another process's trouble."""
    path = home / "row"
    limiter = RateLimiter(1, lambda: 100.0, SharedState(path, row_length(1)))
    limiter.reserve()
    spawn = multiprocessing.get_context("spawn")
    held, end = spawn.Event(), spawn.Event()
    other = spawn.Process(target=hold_the_lock, args=(str(path), held, end))
    other.start()
    try:
        assert held.wait(60)
        assert limiter.reserve() == 0.0, "from the process's own memory, which knows of no call"
    finally:
        end.set()
        other.join()
    assert limiter.reserve() == pytest.approx(1 + SLACK), "from the file again"


def test_the_file_tells_nothing_and_is_private(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither account nor endpoint stands in its name, and nobody else may read it."""
    monkeypatch.setattr(files, "folder", lambda: home)
    shared_limiter("https://h", "LTAIkey-of-the-private-file", 5).reserve()

    (path,) = home.iterdir()
    assert "LTAI" not in path.name
    assert (path.stat().st_mode & 0o777, home.stat().st_mode & 0o777) == (0o600, 0o700)


def test_each_start_of_the_machine_has_files_of_its_own(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the system tells one start from another."""
    monkeypatch.setattr(files, "folder", lambda: home)
    for told in ("one", "other"):
        shared_limiter.cache_clear()
        monkeypatch.setattr(files, "boot", lambda told=told: told)
        shared_limiter("https://h", "key-of-two-boots", 5).reserve()

    assert len(list(home.iterdir())) == 2


def test_a_system_without_boot_ids_will_do(monkeypatch: pytest.MonkeyPatch) -> None:
    """Moments that are too far away are dropped there all the same."""
    files.boot.cache_clear()
    monkeypatch.setattr(Path, "read_text", lambda *_: (_ for _ in ()).throw(FileNotFoundError()))

    assert files.boot() == ""
    files.boot.cache_clear()


def test_the_files_lie_with_the_machines_temporary_ones(monkeypatch: pytest.MonkeyPatch) -> None:
    """In a folder that names the user, since no two may share it."""
    monkeypatch.undo()
    name = f"airflow-provider-dataworks-{os.getuid()}"

    assert Path(tempfile.gettempdir()) / name in (files.folder(), Path(tempfile.gettempdir()) / name)
