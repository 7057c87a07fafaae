"""Puts the openings of windows on the days of some weeks; it reads no clock and no database."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from functools import lru_cache

from airflow_provider_dataworks.records import DagWindow
from airflow_provider_dataworks.windows import MaintenanceWindow

_DAY = timedelta(days=1)


@dataclass(frozen=True)
class Span:
    """One time that a window is open, in UTC."""

    start: datetime
    end: datetime


@dataclass(frozen=True)
class Entry:
    """
    An opening on a day of the calendar.

    :param start: by the clock of the window's zone, as is ``end``.
    :param dag_ids: the DAGs that keep to it.
    :param day: on which it is shown: that of its start, or the calendar's first where it began before that.
    """

    start: datetime
    end: datetime
    zone: str
    dag_ids: tuple[str, ...]
    is_open: bool
    day: date

    @property
    def hours(self) -> str:
        """From when until when; ``+1`` where it ends on the next day, and no beginning where that is not shown."""
        days = (self.end.date() - self.day).days
        begin = f"{self.start:%H:%M}" if self.day == self.start.date() else ""
        return f"{begin}–{self.end:%H:%M}{f' +{days}' if days else ''}"  # noqa: RUF001 - a range


@dataclass
class Day:
    """A day of the calendar, by the clock of each window on it."""

    date: date
    entries: list[Entry] = field(default_factory=list)
    frozen: list[str] = field(default_factory=list)


@lru_cache(maxsize=2048)
def spans(window: MaintenanceWindow, first: date, last: date) -> tuple[Span, ...]:
    """
    Return the openings of a window that begin on these dates of its own clock; the answer never changes.

    :param first: the first date.
    :param last: the last date, included.
    """
    openings = window.openings
    moment = datetime(first.year, first.month, first.day, tzinfo=openings.zone).astimezone(UTC) - timedelta(seconds=1)
    found = []
    start = openings.after(moment)
    if start is not None and openings.frozen(start):
        start = openings.open_after(start)
    while start is not None and start.astimezone(openings.zone).date() <= last:
        following = openings.after(start)
        ends = (start + window.duration, openings.next_freeze(start), following)
        found.append(Span(start, min(end for end in ends if end is not None)))
        start = following if following is None or not openings.frozen(following) else openings.open_after(following)
    return tuple(found)


def reach(window: MaintenanceWindow, day: date, count: int) -> tuple[date, date]:
    """
    Return the first and last date on which openings begin that are to be seen in some weeks.

    :param day: of the first week.
    """
    monday = day - _DAY * day.weekday()
    return monday - _DAY * (window.duration.days + 1), monday + _DAY * (7 * count - 1)


def weeks(windows: Iterable[DagWindow], first: date, count: int, now: datetime) -> list[list[Day]]:
    """
    Return some weeks, from the Monday of the first date's week on, with what opens or is frozen on each day.

    :param now: in UTC.
    """
    monday = first - timedelta(days=first.weekday())
    days = {monday + _DAY * number: Day(monday + _DAY * number) for number in range(7 * count)}
    last = max(days)
    for window, dag_ids in _by_window(windows).items():
        zone = window.openings.zone
        for span in spans(window, *reach(window, monday, count)):
            start, end = span.start.astimezone(zone), span.end.astimezone(zone)
            day = max(start.date(), monday)
            # One that ended before the first of the weeks is shown nowhere.
            if (end - timedelta(microseconds=1)).date() >= day:
                is_open = span.start <= now < span.end
                days[day].entries.append(Entry(start, end, window.timezone, dag_ids, is_open, day))
        for day in _frozen(window, monday, last):
            days[day].frozen.extend(dag_ids)
    for found in days.values():
        found.entries.sort(key=lambda entry: (entry.start.replace(tzinfo=None), entry.dag_ids))
        found.frozen = sorted(set(found.frozen))
    ordered = [days[day] for day in sorted(days)]
    return [ordered[start : start + 7] for start in range(0, len(ordered), 7)]


def _by_window(windows: Iterable[DagWindow]) -> dict[MaintenanceWindow, tuple[str, ...]]:
    found: dict[MaintenanceWindow, set[str]] = {}
    for each in windows:
        found.setdefault(each.window, set()).add(each.dag_id)
    return {window: tuple(sorted(dag_ids)) for window, dag_ids in found.items()}


def _frozen(window: MaintenanceWindow, first: date, last: date) -> Iterator[date]:
    for begin, end in window.openings.freeze:
        day = max(begin, first)
        while day <= min(end, last):
            yield day
            day += _DAY
