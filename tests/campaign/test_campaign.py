"""Some hundred random schedules in a few seconds, and ten thousand where they are asked for (``make test-fire``)."""

from __future__ import annotations

import pytest

from campaign import breaks, generate, settings
from campaign.__main__ import main
from campaign.campaign import first_lines, live_through, noticed
from campaign.checks import CHECKS, FOUND_ON_THE_WAY
from campaign.run import live
from campaign.schedule import Clear, Deed, Fault, Kill, Outage, Schedule

HERE = 300
names = {"Schedule": Schedule, "Fault": Fault, "Outage": Outage, "Deed": Deed, "Kill": Kill, "Clear": Clear}


def test_random_schedules_keep_every_promise() -> None:
    """What is found is told with its seed: ``make test-fire ARGS="--seed N"`` shrinks it and shows its book."""
    found = live_through((1, HERE, settings.switched_off()))

    assert not found, "\n".join(f"seed {each.seed}: {each.check}: {each.text}" for each in found)


@pytest.mark.fire
def test_ten_thousand_schedules_keep_every_promise() -> None:
    """The same as ``make test-fire``."""
    assert main([]) == 0


@pytest.mark.fire
def test_every_break_of_the_package_is_noticed() -> None:
    """The same as ``make test-fire ARGS="--breaks"``."""
    assert main(["--breaks"]) == 0


def test_a_break_of_the_package_is_noticed_soon() -> None:
    """A few of all kinds, those that show within some schedules: a net with a hole would pass everything."""
    kinds = (
        breaks.stop_without_a_look,
        breaks.success_without_looking,
        breaks.never_our_stop,
        breaks.no_note_for_the_restart,
        breaks.a_secret_in_the_log,
    )
    missed = [kind.__name__ for kind in kinds if not noticed(breaks.BREAKS.index(kind), 40, settings.switched_off())[1]]

    assert not missed


def test_a_seed_is_the_same_schedule_and_the_same_book_again() -> None:
    """Else nothing that was found could be looked at."""
    for seed in (3, 21, 34, 55, 89):
        schedule = generate.schedule(seed)
        books = [[line.replace("-0.00", " 0.00") for line in first_lines(live(schedule))] for _ in range(2)]

        assert schedule == generate.schedule(seed)
        assert books[0] == books[1]


def test_a_schedule_is_shown_as_the_code_that_makes_it() -> None:
    """So that it can become a test."""
    for seed in range(50):
        schedule = generate.schedule(seed)

        assert eval(repr(schedule), names) == schedule  # noqa: S307 - made in the line before


def test_what_is_switched_off_is_known_and_left_out() -> None:
    """A misspelled name would switch nothing off, and one too many hides what is mended."""
    deeds = {f"deed: {what}" for what in ("stop", "start", "fail", "finish", "odd", "clock", "rotate", "gone")}
    known = {*generate.FAULTS, *generate.OTHERS, *CHECKS, *FOUND_ON_THE_WAY, *deeds}

    assert set(settings.NOT_YET_MENDED) <= known
    for seed in range(300):
        schedule = generate.schedule(seed, known)
        drawn = [*schedule.faults, *(outage.fault for outage in schedule.outages), *schedule.deeds]
        assert not drawn
