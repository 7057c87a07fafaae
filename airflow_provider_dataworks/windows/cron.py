"""Crons as croniter, Airflow's own cron library, reads them, by a local clock; it knows no zone."""

from __future__ import annotations

import re
from bisect import bisect_left, bisect_right
from calendar import monthrange
from datetime import date, datetime, timedelta
from functools import lru_cache
from itertools import product, takewhile
from typing import TYPE_CHECKING, NamedTuple

from airflow_provider_dataworks.values import invalid

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

MINUTE = timedelta(minutes=1)

_DAY = 24 * 60  # minutes
_LONGEST = 500  # characters
_EVERY_DAY = "0 0 * * *"
_ALL = ["*"]  # how croniter writes a field that leaves nothing out
# What Airflow's own cron timetables understand besides five fields (airflow.utils.dates.cron_presets).
_PRESETS = {
    "@hourly": "0 * * * *",
    "@daily": "0 0 * * *",
    "@weekly": "0 0 * * 0",
    "@monthly": "0 0 1 * *",
    "@quarterly": "0 0 1 */3 *",
    "@yearly": "0 0 1 1 *",
}
_NAMES = ("Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
_WEEKDAYS = {key: name for number, name in enumerate(_NAMES) for key in (str(number), name.upper())}
# The calendar repeats after 28 years (until 2100): no two crons meet that did not meet by then.
_CYCLE = range(2000, 2028)


class Cron(NamedTuple):
    """
    A cron taken apart: on which days it fires, and at which times of such a day.

    :param text: five fields, as the author wrote them.
    :param days: the same cron, firing at midnight of its days, in every month.
    :param months: the months of its days, 1 to 12.
    :param times: minutes after midnight, sorted.
    """

    text: str
    days: str
    months: tuple[int, ...]
    times: tuple[int, ...]


@lru_cache(maxsize=256)
def read_cron(text: str) -> Cron:
    """
    Take a cron apart, as croniter, Airflow's own cron library, reads it.

    :raises DataWorksInvalidRequest: where croniter refuses it, it can never fire, or it means something else each time.
    """
    from croniter import CroniterBadDateError, croniter  # type: ignore[import-untyped]

    if len(text) > _LONGEST:
        raise invalid("cron", f"has {len(text)} characters, more than {_LONGEST}", "A field takes lists and ranges.")
    fields = _PRESETS.get(text.strip(), text).split()
    plain = " ".join(fields)
    remedy = "Give five fields (minute hour day month weekday), for example '0 2 * * SUN'."
    if len(fields) != 5:
        raise invalid("cron", f"{text!r} has {len(fields)} fields, not five", remedy)
    if re.search(r"\b[HR]\b", plain, re.IGNORECASE):
        raise invalid("cron", f"{text!r} asks for a random or hashed time (R, H)", remedy)
    try:
        expanded, numbered = croniter.expand(plain)
        croniter(plain, start_time=midnight(date(_CYCLE[0], 1, 1))).get_next(datetime)
    except CroniterBadDateError as error:
        raise invalid("cron", f"{text!r} names a date that never comes", remedy) from error
    except (ValueError, KeyError) as error:
        raise invalid("cron", f"{text!r} is not a cron: {error}", remedy) from error
    minutes, hours, day, months, weekday = expanded
    every_day = day == weekday == _ALL and not numbered
    days = _EVERY_DAY if every_day else f"0 0 {fields[2]} * {fields[4]}"
    times = product(_numbers(hours, range(24)), _numbers(minutes, range(60)))
    return Cron(plain, days, tuple(_numbers(months, range(1, 13))), tuple(h * 60 + m for h, m in times))


def _numbers(field: Sequence[int | str], every: Sequence[int]) -> Sequence[int]:
    return every if field == _ALL else sorted(map(int, field))


@lru_cache(maxsize=2048)
def _shape(days: str, weekday: int, length: int) -> Sequence[int]:
    """
    Days, from 1, on which a cron fires in a month of that length whose first day is that weekday (0: Monday).

    croniter takes up to 0.1 ms for a step, so it is asked once for each of the 28 shapes that a month can have.
    """
    from croniter import croniter

    if days == _EVERY_DAY:
        return range(1, length + 1)
    year, month = _like(weekday, length)
    # croniter looks for what comes after its start.
    fires = croniter(days, start_time=midnight(date(year, month, 1)) - MINUTE)
    found = iter(lambda: fires.get_next(datetime), None)
    return tuple(day.day for day in takewhile(lambda day: (day.year, day.month) == (year, month), found))


@lru_cache(maxsize=28)
def _like(weekday: int, length: int) -> tuple[int, int]:
    """Year and month of the first month of that shape."""
    return next(found for found in product(_CYCLE, range(1, 13)) if monthrange(*found) == (weekday, length))


def after(cron: Cron, local: datetime) -> datetime:
    """Return the first local minute after this one at which the cron fires."""
    from croniter import croniter

    fires, first = croniter(cron.text), local + MINUTE
    while True:
        if first.month in cron.months:
            fires.set_current(first - MINUTE, force=True)
            found: datetime = fires.get_next(datetime)
            # Releases before 6.2.1 may leave a match out where a search goes on into another month.
            if (found.year, found.month) == (first.year, first.month):
                return found
        first = midnight(first.date().replace(day=1) + timedelta(days=31)).replace(day=1)


def until(cron: Cron, local: datetime) -> datetime:
    """Return the last local minute, up to and with this one, at which the cron fires."""
    from croniter import croniter

    fires, last = croniter(cron.text), local
    while True:
        if last.month in cron.months:
            fires.set_current(last + MINUTE, force=True)
            found: datetime = fires.get_prev(datetime)
            if (found.year, found.month) == (last.year, last.month):  # as above
                return found
        last = midnight(last.date().replace(day=1)) - MINUTE


def overlap(crons: Sequence[Cron], duration: timedelta) -> tuple[str, str, timedelta] | None:
    """
    Find two openings of which the second comes while the first still lasts, by the clock on the wall.

    :param duration: how long an opening lasts.
    :return: the cron of the first, that of the second, and the time between them; ``None`` where there are none.
    """
    lasts = duration / MINUTE
    for days_apart in range(int(lasts // _DAY) + 2):
        for (place, one), (at, other) in product(enumerate(crons), repeat=2):
            # An opening does not overlap itself, only others of its cron.
            closest = _closest(one, other, days_apart, bisect_right if at == place else bisect_left)
            if closest is not None and closest < lasts and _meet(one, other, days_apart):
                return one.text, other.text, timedelta(minutes=closest)
    return None


def _closest(one: Cron, other: Cron, days_apart: int, search: Callable[[Sequence[int], int], int]) -> int | None:
    """Fewest minutes from a time of one cron to a time of the other, that many days later."""
    gaps = []
    for time in one.times:
        found = search(other.times, time - days_apart * _DAY)
        if found < len(other.times):
            gaps.append(other.times[found] + days_apart * _DAY - time)
    return min(gaps, default=None)


def _meet(one: Cron, other: Cron, days_apart: int) -> bool:
    """Whether there is a day of one cron that many days before a day of the other."""
    first, second = (_in_cycle(cron.days, cron.months) for cron in (one, other))
    return any(day + days_apart in second for day in first)


@lru_cache(maxsize=64)
def _in_cycle(days: str, months: tuple[int, ...]) -> frozenset[int]:
    """All day numbers of the calendar's cycle on which a cron fires."""
    found: set[int] = set()
    for year, month in product(_CYCLE, months):
        before = date(year, month, 1).toordinal() - 1
        found.update(before + day for day in _shape(days, *monthrange(year, month)))
    return frozenset(found)


def midnight(day: date) -> datetime:
    """Start of a day in local time, which has no zone yet."""
    return datetime(day.year, day.month, day.day)


def describe(text: str) -> str:
    """Short text of a cron: day and time where it is that simple, else the cron itself."""
    minute, hour, day, month, weekday = text.split()
    if not (minute.isdecimal() and hour.isdecimal() and month == "*" and (day == "*" or weekday == "*")):
        return f"cron '{text}'"
    time = f"{int(hour):02}:{int(minute):02}"
    if day == weekday == "*":
        return f"daily {time}"
    if weekday == "*":
        return f"day {day} of the month {time}" if day.isdecimal() else f"cron '{text}'"
    names = [_WEEKDAYS.get(part.upper()) for part in weekday.split(",")]
    return f"{','.join(filter(None, names))} {time}" if all(names) else f"cron '{text}'"
