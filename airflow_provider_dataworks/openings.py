"""When crons open in a zone's local time, around clock changes and frozen dates; knows no window, JSON or Airflow."""

from __future__ import annotations

import re
from bisect import bisect_left, bisect_right
from datetime import UTC, date, datetime, timedelta, tzinfo
from functools import cached_property, lru_cache, partial
from itertools import product, takewhile
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from airflow_provider_dataworks.exceptions import DataWorksInvalidRequest

# Ends of the searched time: beyond them zones are guesses, and the calendar of Python ends.
FIRST = datetime(1900, 1, 1, tzinfo=UTC)
LAST = datetime(9000, 1, 1, tzinfo=UTC)

_TICK = timedelta(microseconds=1)
_DAY = 24 * 60  # minutes
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
# The calendar repeats after 28 years (until 2100): no two crons meet that did not meet by then.
_CYCLE = (date(2000, 1, 1), date(2028, 1, 1))
_WEEKS = (date(2000, 1, 1), date(2000, 1, 29))


def refuse(field: str, problem: str, remedy: str | None = None) -> DataWorksInvalidRequest:
    """Error about a field; its module loads only when there is one, so that importing a window stays cheap."""
    from airflow_provider_dataworks.client.settings import refusal

    return refusal(field, problem, remedy)


class Cron(NamedTuple):
    """
    A cron taken apart: on which days it fires, and at which times of such a day.

    :param text: five fields, as the author wrote them.
    :param days: the same cron, firing at midnight of its days.
    :param times: minutes after midnight, sorted.
    :param every_day: whether it fires on every day.
    :param weekly: whether each week is like the next.
    """

    text: str
    days: str
    times: tuple[int, ...]
    every_day: bool
    weekly: bool


@lru_cache(maxsize=256)
def read_cron(text: str) -> Cron:
    """
    Take a cron apart, as croniter, Airflow's own cron library, reads it.

    :raises DataWorksInvalidRequest: where croniter refuses it, it can never fire, or it means something else each time.
    """
    from croniter import CroniterBadDateError, croniter

    fields = _PRESETS.get(text.strip(), text).split()
    plain = " ".join(fields)
    remedy = "Give five fields (minute hour day month weekday), for example '0 2 * * SUN'."
    if len(fields) != 5:
        raise refuse("cron", f"{text!r} has {len(fields)} fields, not five", remedy)
    if re.search(r"\b[HR]\b", plain, re.IGNORECASE):
        raise refuse("cron", f"{text!r} asks for a random or hashed time (R, H)", remedy)
    days = " ".join(("0", "0", *fields[2:]))
    try:
        (minutes, hours, *rest), nth = croniter.expand(plain)
        croniter(days, start_time=datetime(2000, 1, 1)).get_next(datetime)  # noqa: DTZ001 - local time has no zone
    except CroniterBadDateError as error:
        raise refuse("cron", f"{text!r} names a date that never comes", remedy) from error
    except (ValueError, KeyError) as error:
        raise refuse("cron", f"{text!r} is not a cron: {error}", remedy) from error
    times = product(
        range(24) if hours == _ALL else sorted(map(int, hours)),
        range(60) if minutes == _ALL else sorted(map(int, minutes)),
    )
    weekly = rest[:2] == [_ALL, _ALL] and not nth
    return Cron(plain, days, tuple(h * 60 + m for h, m in times), weekly and rest[2] == _ALL, weekly)


def _days(cron: Cron, first: date, end: date) -> Iterator[int]:
    """Day numbers on which the cron fires, from ``first`` on, and without end: the reader stops."""
    from croniter import croniter

    days = croniter(cron.days, start_time=datetime.combine(first, datetime.min.time()) - _TICK)
    while True:
        yield days.get_next(datetime).toordinal()


@lru_cache(maxsize=1024)
def _month(cron: Cron, year: int, month: int) -> Sequence[int]:
    """
    Day numbers on which the cron fires in a month, with the last one before it and the first one after it.

    croniter needs up to 0.1 ms for a step, so its answers are kept by the month; with a neighbour on either side, a
    search ends in the month where it began, even for a cron that fires every leap year.
    """
    from croniter import croniter

    first, end = date(year, month, 1), date(year + month // 12, month % 12 + 1, 1)
    if cron.every_day:
        return range(first.toordinal() - 1, end.toordinal() + 1)
    before = croniter(cron.days, start_time=datetime.combine(first, datetime.min.time())).get_prev(datetime)
    found = [before.toordinal()]
    for day in _days(cron, first, end):
        found.append(day)
        if day >= end.toordinal():
            return tuple(found)
    raise AssertionError("_days ends by itself")
