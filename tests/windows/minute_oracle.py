"""What a window should do, found minute by minute; slow, plain, and sharing no code with the package or croniter.

It walks through real time and watches the clock on the wall. A minute opens when the cron names a wall minute that the
clock now shows for the first time, or has just jumped over: ``newest`` is the latest wall minute seen so far.
"""

from __future__ import annotations

import calendar
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from typing import NamedTuple
from zoneinfo import ZoneInfo

MINUTE = timedelta(minutes=1)
# Longer than any clock is set back.
WARM_UP = timedelta(hours=25)


class Fields(NamedTuple):
    """A cron as sets of numbers; ``last`` says whether the days of the month include the last one."""

    minutes: set[int]
    hours: set[int]
    days: set[int]
    months: set[int]
    weekdays: set[int]
    last: bool
    any_day: bool
    any_weekday: bool


def read(cron: str) -> Fields:
    """Read the simple crons of the tests."""
    minute, hour, day, month, weekday = cron.split()
    return Fields(
        _numbers(minute, 0, 59),
        _numbers(hour, 0, 23),
        _numbers(day.replace("L", "0"), 1, 31) - {0},
        _numbers(month, 1, 12),
        {number % 7 for number in _numbers(weekday, 0, 6)},
        "L" in day,
        day == "*",
        weekday == "*",
    )


def _numbers(text: str, first: int, last: int) -> set[int]:
    found: set[int] = set()
    for part in text.split(","):
        span, _, step = part.partition("/")
        start, _, end = (f"{first}-{last}" if span == "*" else span).partition("-")
        found.update(range(int(start), int(end or start) + 1, int(step or 1)))
    return found


def fires(cron: Fields, wall: datetime) -> bool:
    """Say whether the cron names this minute of the clock on the wall."""
    if wall.minute not in cron.minutes or wall.hour not in cron.hours or wall.month not in cron.months:
        return False
    by_day = wall.day in cron.days or (cron.last and wall.day == calendar.monthrange(wall.year, wall.month)[1])
    by_weekday = wall.isoweekday() % 7 in cron.weekdays
    # Cron's oldest oddity: where both are restricted, either will do.
    return by_day and by_weekday if cron.any_day or cron.any_weekday else by_day or by_weekday


class Minute(NamedTuple):
    """One minute of real time: when, whether a window opens, and since when one is open (``None``: closed)."""

    moment: datetime
    opens: bool
    since: datetime | None


def walk(
    crons: list[str], duration: timedelta, zone: str, frozen: set[date], start: datetime, end: datetime
) -> Iterator[Minute]:
    """
    Yield each minute from ``start`` to ``end``.

    :param duration: in whole minutes.
    :param frozen: the frozen dates, one by one.
    """
    fields, clock = [read(cron) for cron in crons], ZoneInfo(zone)
    moment = (start - duration - WARM_UP).astimezone(UTC).replace(second=0, microsecond=0)
    newest = moment.astimezone(clock).replace(tzinfo=None)
    since: datetime | None = None
    while moment < end:
        moment += MINUTE
        wall = moment.astimezone(clock).replace(tzinfo=None, fold=0)
        opens = False
        while newest < wall:
            newest += MINUTE
            opens = opens or any(fires(cron, newest) for cron in fields)
        if wall.date() in frozen:
            opens, since = False, None
        if since is not None and moment - since >= duration:
            since = None
        if opens:
            since = moment
        if moment >= start:
            yield Minute(moment, opens, since)
