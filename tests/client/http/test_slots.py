"""All processes of a machine keep one pace; where they cannot share it, each keeps its own."""

from __future__ import annotations

import fcntl
import logging
import multiprocessing
import os
import tempfile
import time
from pathlib import Path

import pytest
from fake_dataworks import Clock

from airflow_provider_dataworks.client.http import slots
from airflow_provider_dataworks.client.http.rate_limit import SLACK, RateLimiter, row_length
from airflow_provider_dataworks.client.http.slots import FREE, SharedSlots, folder


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """Return the folder of the shared files, which nobody has made yet."""
    return tmp_path / "shared"


def reserve(path: Path, qps: int, times: int) -> list[float]:
    """Be another process: take slots, and return their moments."""
    pace = RateLimiter(qps, time.monotonic, SharedSlots(path, row_length(qps)))
    return [time.monotonic() + pace.reserve() for _ in range(times)]


def test_processes_that_call_at_once_keep_one_rate(home: Path) -> None:
    """Four of them together never get more slots in a second than one alone may have."""
    with multiprocessing.get_context("spawn").Pool(4) as workers:
        taken = workers.starmap(reserve, [(home / "slots", 50, 100)] * 4)

    slots_taken = sorted(moment for each in taken for moment in each)
    assert len(slots_taken) == 400
    # What a process says of its clock and the slot's distance is read in two steps, some microseconds apart.
    assert all(later - earlier > 1 for earlier, later in zip(slots_taken, slots_taken[50:], strict=False))
    assert slots_taken[-1] - slots_taken[0] == pytest.approx(7 * (1 + SLACK), abs=0.9)


def test_what_the_service_asked_of_one_process_holds_for_the_others(home: Path) -> None:
    """A hold is in the file, too."""
    clock = Clock(100.0)
    one, other = (RateLimiter(5, clock, SharedSlots(home / "slots", row_length(5))) for _ in range(2))
    one.pause(30)

    assert other.reserve() == 30.0


@pytest.mark.parametrize("kept", [b"", b"short", b"\xff" * 56, b"\x00" * 56], ids=["new", "cut", "no numbers", "zeros"])
def test_a_file_that_cannot_be_meant_is_begun_anew(home: Path, kept: bytes) -> None:
    """Such as one that another version left, or a crash."""
    home.mkdir(mode=0o700)
    (home / "slots").write_bytes(kept)
    pace = RateLimiter(5, lambda: 100.0, SharedSlots(home / "slots", row_length(5)))

    assert [pace.reserve() for _ in range(6)] == pytest.approx([0.0] * 5 + [1 + SLACK])


def test_moments_of_an_earlier_start_of_the_machine_do_not_count(home: Path) -> None:
    """Its clock had come further than ours."""
    path = home / "slots"
    RateLimiter(1, lambda: 1e6, SharedSlots(path, row_length(1))).reserve()

    assert RateLimiter(1, lambda: 10.0, SharedSlots(path, row_length(1))).reserve() == 0.0


def test_a_file_that_was_cleaned_away_is_made_anew(home: Path) -> None:
    """And shared again by all."""
    clock = Clock(100.0)
    one, other = (RateLimiter(1, clock, SharedSlots(home / "slots", row_length(1))) for _ in range(2))
    assert [one.reserve(), other.reserve()] == pytest.approx([0.0, 1 + SLACK])
    (home / "slots").unlink()

    assert [one.reserve(), other.reserve()] == pytest.approx([0.0, 1 + SLACK])


@pytest.fixture
def unusable(request: pytest.FixtureRequest, home: Path) -> Path:
    """A place where no file can be shared; return the file's path."""
    if request.param == "open to others":
        home.mkdir()
        home.chmod(0o777)
    elif request.param == "a file":
        home.write_text("")
    elif request.param == "a link":
        home.mkdir(mode=0o700)
        (home / "slots").symlink_to("/dev/null")
    return home / "slots"


@pytest.mark.parametrize("unusable", ["open to others", "a file", "a link"], indirect=True)
def test_without_a_file_the_process_keeps_its_own_pace(unusable: Path, caplog: pytest.LogCaptureFixture) -> None:
    """Still spaced out, and said once."""
    pace = RateLimiter(1, lambda: 100.0, SharedSlots(unusable, row_length(1)))

    assert [pace.reserve(), pace.reserve()] == pytest.approx([0.0, 1 + SLACK])
    (told,) = [record.getMessage() for record in caplog.records if record.levelno == logging.WARNING]
    assert "by this process alone" in told


def hold_the_lock(path: str, held: multiprocessing.synchronize.Event, end: multiprocessing.synchronize.Event) -> None:
    """Be a process that was stopped while it held the file."""
    fcntl.lockf(os.open(path, os.O_RDWR), fcntl.LOCK_EX)
    held.set()
    end.wait(60)


def test_nobody_waits_for_a_process_that_does_not_let_go(home: Path) -> None:
    """An event loop may not be held up by another process's trouble."""
    path = home / "slots"
    pace = RateLimiter(1, lambda: 100.0, SharedSlots(path, row_length(1)))
    pace.reserve()
    spawn = multiprocessing.get_context("spawn")
    held, end = spawn.Event(), spawn.Event()
    other = spawn.Process(target=hold_the_lock, args=(str(path), held, end))
    other.start()
    try:
        assert held.wait(60)
        assert pace.reserve() == 0.0, "from the process's own memory, which knows of no call"
    finally:
        end.set()
        other.join()
    assert pace.reserve() == pytest.approx(1 + SLACK), "from the file again"


def test_the_file_tells_nothing_and_is_private(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither account nor endpoint stands in its name, and nobody else may read it."""
    monkeypatch.setattr(slots, "folder", lambda: home)
    found = slots.shared_slots("https://h LTAIkey 5", 6)
    found.update(lambda row: None)

    (path,) = home.iterdir()
    assert "LTAI" not in path.name
    assert (path.stat().st_mode & 0o777, home.stat().st_mode & 0o777) == (0o600, 0o700)


def test_each_start_of_the_machine_has_files_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the system tells one start from another."""
    names = set()
    for told in ("one", "other"):
        monkeypatch.setattr(slots, "boot", lambda told=told: told)
        names.add(slots.shared_slots("n", 6)._path.name)

    assert len(names) == 2


def test_a_system_without_boot_ids_will_do(monkeypatch: pytest.MonkeyPatch) -> None:
    """Moments that are too far away are dropped there all the same."""
    slots.boot.cache_clear()
    monkeypatch.setattr(Path, "read_text", lambda *_: (_ for _ in ()).throw(FileNotFoundError()))

    assert slots.boot() == ""
    slots.boot.cache_clear()
    assert FREE < 0


def test_the_files_lie_with_the_machines_temporary_ones() -> None:
    """In a folder that names the user, since no two may share it."""
    assert folder().parent == Path(tempfile.gettempdir())
    assert folder().name.endswith(f"-{os.getuid()}")
