"""Lives through seeds, shrinks what went wrong and shows its book; nothing here decides what is right."""

from __future__ import annotations

# First, since it gives Airflow a home of its own before anything imports Airflow.
import emulated  # noqa: F401 # isort: skip

import traceback
from collections.abc import Collection
from dataclasses import dataclass

from campaign import breaks, generate
from campaign.book import Book
from campaign.checks import problems
from campaign.run import live
from campaign.schedule import Schedule
from campaign.shrinking import shrunk


@dataclass(frozen=True)
class Found:
    """Something that was not right with a seed's schedule."""

    seed: int
    check: str
    text: str


def wrongs(schedule: Schedule, without: Collection[str] = ()) -> list[tuple[str, str]]:
    """Live through a schedule and return check and text of everything that was not right."""
    return [(each.check, each.text) for each in problems(live(schedule)) if each.check not in without]


def live_through(job: tuple[int, int, Collection[str]]) -> list[Found]:
    """
    Live through some seeds.

    :param job: the first seed, how many, and what is left out.
    """
    first, count, without = job
    found = []
    for seed in range(first, first + count):
        try:
            these = wrongs(generate.schedule(seed, without), without)
        except Exception as error:
            these = [("the campaign itself", "".join(traceback.format_exception(error)[-6:]))]
        found += [Found(seed, check, text) for check, text in these]
    return found


def noticed(number: int, most: int, without: Collection[str]) -> tuple[str, int, str]:
    """
    Break the package on purpose and live through schedules until one goes wrong.

    :param number: which of the breaks.
    :param most: how many schedules to try.
    :return: name of the break, at which schedule it was noticed (0 for not at all), and by which checks.
    """
    broken = breaks.BREAKS[number]
    name = broken.__name__.replace("_", " ")
    for tried in range(1, most + 1):
        schedule = generate.schedule(tried, without)
        with broken():
            found = wrongs(schedule)
        # What goes wrong with the package as it is proves nothing.
        usual = {check for check, _ in wrongs(schedule)} if found else set()
        new = [check for check, _ in found if check not in usual]
        if new:
            return name, tried, ", ".join(dict.fromkeys(new))
    return name, 0, ""


def smallest(seed: int, check: str, without: Collection[str]) -> Schedule:
    """Return the smallest part found of a seed's schedule that a check still finds."""
    return shrunk(
        generate.schedule(seed, without), lambda schedule: any(name == check for name, _ in wrongs(schedule, without))
    )


def explained(seed: int, check: str, without: Collection[str]) -> tuple[Schedule, Book]:
    """Return a seed's schedule, shrunk if a check is named, and the book of it."""
    schedule = smallest(seed, check, without) if check else generate.schedule(seed, without)
    return schedule, live(schedule)


def first_lines(book: Book) -> list[str]:
    """Return the book as lines, in the order of time."""
    found: list[tuple[float, int, str]] = []
    for call in book.service.calls:
        who = f"{call.process.task}, {call.process.kind} of try {call.process.try_number}"
        facts = " ".join(
            filter(None, (call.fate, call.code, call.told, "EFFECT" * call.effective, call.fault and f"[{call.fault}]"))
        )
        asked = "" if call.hint is None else f" wait {call.hint:g} s"
        found.append((call.at, 1, f"   {who}: {call.action} {facts}{asked}"))
    for process in book.processes:
        name = f"{process.task}, {process.kind} of try {process.try_number}"
        error = "" if process.error is None else f" {process.error!r}"
        value = "" if process.value is None else f" {process.value!r}"
        found.append((process.began, 0, f"> {name} begins"))
        found.append((process.ended or 0.0, 2, f"< {name} {process.outcome}{error or value}"[:400]))
    found += [(end.at, 3, f"= {end.task} {end.state}; the job is {end.job}") for end in book.ends]
    found += [(each.at, 4, f"! a person cleared {each.task}") for each in book.cleared]
    found += [(each.at, 1, f"   the job is {each.status}, by {each.by}") for each in book.service.job.history[1:]]
    lines = [f"{at:10.2f} {text}" for at, _, text in sorted(found, key=lambda each: each[:2])]
    return lines + [f"NOT RIGHT {each.check}: {each.text}" for each in problems(book)]
