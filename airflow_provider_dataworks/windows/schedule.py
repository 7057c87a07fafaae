"""The moments at which crons open in a zone, around clock changes and frozen dates; knows no window and no Airflow."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable
from datetime import UTC, date, datetime, timedelta, tzinfo
from functools import cached_property, lru_cache
from itertools import islice
from typing import TYPE_CHECKING, Any

from airflow_provider_dataworks.windows import cron as crons
from airflow_provider_dataworks.windows.cron import DAY, Cron, midnight, refuse

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from pendulum import Timezone

    from airflow_provider_dataworks.exceptions import DataWorksInvalidRequest


# Ends of the searched time: beyond them zones are guesses, and the calendar of Python ends.
FIRST = datetime(1900, 1, 1, tzinfo=UTC)
LAST = datetime(9000, 1, 1, tzinfo=UTC)

_MOST_FROZEN = 1000
_TICK = timedelta(microseconds=1)
_NONE = timedelta()


class Openings:
    """
    The moments at which crons open in a zone, outside frozen dates; all of them in UTC.

    A local time that does not exist opens at the first moment after the gap, one that comes twice at its first.

    :param schedule: what opens, in local time.
    :param zone: the zone of that local time.
    :param freeze: first and last day of each frozen range, sorted and apart from each other.
    """

    def __init__(self, schedule: Sequence[Cron], zone: tzinfo, freeze: Sequence[tuple[date, date]]) -> None:
        self.schedule = schedule
        self.zone = zone
        self.freeze = freeze
        # What opens first after the end of a frozen time: a search past a hundred of them is made once.
        self._beyond: dict[datetime, datetime | None] = {}

    def after(self, moment: datetime) -> datetime | None:
        """First opening after the moment, frozen or not."""
        if not FIRST <= moment < LAST:
            return None
        local = moment.astimezone(self.zone)
        opening = min(self._first_after(cron, _minute(local), moment) for cron in self.schedule)
        return opening if opening < LAST else None

    def _first_after(self, cron: Cron, minute: int, moment: datetime) -> datetime:
        # Only where the clock shows an hour for the second time are the times after it no later than the moment.
        while (opening := self._moment(minute := crons.after(cron, minute))) <= moment:
            pass
        return opening

    def until(self, moment: datetime) -> datetime | None:
        """Last opening up to and with the moment, frozen or not."""
        if not FIRST <= moment < LAST:
            return None
        local = moment.astimezone(self.zone)
        minute = _minute(local)
        if local.fold:
            # The hour comes for the second time: the rest of it has opened the first time, so look ahead as well.
            repeated = (local.replace(fold=0).utcoffset() or _NONE) - (local.utcoffset() or _NONE)
            minute += -(-repeated // timedelta(minutes=1))
        opening = max(self._last_until(cron, minute, moment) for cron in self.schedule)
        return opening if opening >= FIRST else None

    def _last_until(self, cron: Cron, minute: int, moment: datetime) -> datetime:
        while (opening := self._moment(minute := crons.until(cron, minute))) > moment:
            minute -= 1
        return opening

    def open_after(self, moment: datetime) -> datetime | None:
        """First opening after the moment that is not frozen; ``None`` where there is none before the year 9000."""
        opening = self.after(moment)
        passed = []
        while opening and (frozen := self.frozen(opening)):
            end = frozen[1]
            if end in self._beyond:
                opening = self._beyond[end]
                break
            passed.append(end)
            opening = self.after(end - _TICK)
        self._beyond.update(dict.fromkeys(passed, opening))
        return opening

    def open_from(self, moment: datetime) -> datetime | None:
        """First opening at or after the moment that is not frozen; ``None`` as above."""
        return self.open_after(moment - _TICK)

    def open_until(self, moment: datetime) -> datetime | None:
        """Last opening up to and with the moment that is not frozen; ``None`` where there is none since 1900."""
        opening = self.until(moment)
        while opening and (frozen := self.frozen(opening)):
            opening = self.until(frozen[0] - _TICK)
        return opening

    def frozen(self, moment: datetime) -> tuple[datetime, datetime] | None:
        """Start and end (exclusive) of the frozen time around the moment."""
        starts, ends = self._frozen
        found = bisect_right(starts, moment) - 1
        return (starts[found], ends[found]) if found >= 0 and moment < ends[found] else None

    def next_freeze(self, moment: datetime) -> datetime | None:
        """Start of the first frozen time after the moment."""
        starts, _ = self._frozen
        found = bisect_right(starts, moment)
        return starts[found] if found < len(starts) else None

    @cached_property
    def _frozen(self) -> tuple[list[datetime], list[datetime]]:
        """Starts and ends of the frozen times, sorted."""
        return [self._day_starts(first) for first, _ in self.freeze], [self._day_ends(last) for _, last in self.freeze]

    def _day_starts(self, day: date) -> datetime:
        """First moment at which the clock shows this day, or a later one where the zone left this one out."""
        if not FIRST.date() < day < LAST.date():
            return FIRST - _TICK if day <= FIRST.date() else LAST
        return self._moment(day.toordinal() * DAY)

    def _day_ends(self, day: date) -> datetime:
        """First moment after the last one at which the clock shows this day."""
        if not FIRST.date() < day < LAST.date():
            return FIRST if day <= FIRST.date() else LAST
        after = day + timedelta(days=1)
        first = self._moment(after.toordinal() * DAY)
        second = midnight(after).replace(tzinfo=self.zone, fold=1).astimezone(UTC)
        # Newfoundland set its clock back at 00:01 until 2011: the day before came back for most of an hour.
        came_back = first < second and (second - _TICK).astimezone(self.zone).date() <= day
        return second if came_back else first

    def _moment(self, minute: int) -> datetime:
        """Moment of a local minute: of two the first, and the end of the gap where the clock left it out."""
        day, time = divmod(minute, DAY)
        wall = datetime.fromordinal(day) + timedelta(minutes=time)
        early, late = (wall.replace(tzinfo=self.zone, fold=fold).utcoffset() or _NONE for fold in (0, 1))
        if early >= late:
            return (wall - early).replace(tzinfo=UTC)
        # A gap (PEP 495): `early` is the offset before it, `late` the one after it. The change lies between.
        before, after = (wall - late).replace(tzinfo=UTC), (wall - early).replace(tzinfo=UTC)
        while after - before > _TICK:
            middle = before + (after - before) // 2
            if middle.astimezone(self.zone).utcoffset() == early:
                before = middle
            else:
                after = middle
        return after


def read_zone(name: Any) -> Timezone:
    """
    Zone of an IANA name.

    :raises DataWorksInvalidRequest: where there is none of that name.
    """
    import pendulum

    try:
        return pendulum.timezone(name if isinstance(name, str) else "")
    except (ValueError, OSError) as error:  # OSError: a folder of zones, such as Europe
        raise refuse("timezone", f"{name!r} is not a known zone", "Give an IANA name such as Asia/Shanghai.") from error


def read_freeze(freeze: Any) -> tuple[tuple[date, date], ...]:
    """
    First and last days of frozen ranges, sorted, those that meet made one.

    :param freeze: dates, pairs of dates, and text of either; or a single date or text.
    :raises DataWorksInvalidRequest: naming what is not a date, or ends before it starts.
    """
    entries = [freeze] if isinstance(freeze, (date, str)) else freeze
    if not isinstance(entries, Iterable):
        raise _bad_freeze(freeze)
    if isinstance(entries, tuple) and len(entries) == 2 and all(map(_is_one_day, entries)):
        # Taken for two days, the days of a range that was meant would be open.
        remedy = "Give [(first, last)] for a range, or [one, other] for two days."
        raise refuse("freeze", f"{entries!r} may mean a range, or two days", remedy)
    given = list(islice(entries, _MOST_FROZEN + 1))
    if len(given) > _MOST_FROZEN:
        remedy = "Give ranges, such as 2026-01-29/2026-02-02, instead of their days."
        raise refuse("freeze", f"there are more than {_MOST_FROZEN} dates and ranges", remedy)
    merged: list[tuple[date, date]] = []
    for first, last in sorted(map(_range, given)):
        if merged and first.toordinal() <= merged[-1][1].toordinal() + 1:
            first, last = merged[-1][0], max(last, merged.pop()[1])
        merged.append((first, last))
    return tuple(merged)


def _is_one_day(entry: Any) -> bool:
    return isinstance(entry, date) or (isinstance(entry, str) and "/" not in entry)


def _range(entry: Any) -> tuple[date, date]:
    days = entry.split("/") if isinstance(entry, str) else entry
    days = days if isinstance(days, (tuple, list)) else [days]
    if len(days) not in (1, 2):
        raise _bad_freeze(entry)
    first, last = _date(days[0]), _date(days[-1])
    if last < first:
        raise refuse("freeze", f"{first}/{last} ends before it starts", "Give the first day first.")
    return first, last


def _date(value: Any) -> date:
    # A datetime would be a date too, but of which zone?
    if isinstance(value, date) and not isinstance(value, datetime):
        return date(value.year, value.month, value.day)
    if not isinstance(value, str):
        raise _bad_freeze(value)
    try:
        found = date.fromisoformat(value)
    except ValueError as error:
        raise _bad_freeze(value) from error
    if found.isoformat() != value:
        raise _bad_freeze(value)
    return found


def _bad_freeze(value: Any) -> DataWorksInvalidRequest:
    remedy = "Give dates such as 2026-01-31, or ranges such as 2026-01-29/2026-02-02."
    return refuse("freeze", f"{value!r} is not a date or a range of dates", remedy)


@lru_cache(maxsize=64)
def turning_minutes(timezone: str) -> frozenset[int]:
    """
    Minutes of the day that some clock change of the zone left out or repeated, since 2000.

    By the zone's name: the zones of pendulum 3.1 and 3.2 cannot be hashed.

    There, and only there, Airflow's cron timetables and a window differ: Airflow moves a time that does not exist by
    the width of the gap, and takes the second of two.
    """
    zone = read_zone(timezone)
    found: set[int] = set()
    week = timedelta(days=7)
    before = datetime(2000, 1, 1, tzinfo=UTC)
    while before.year < 2038:
        after = before + week
        # No change is taken back within a week.
        if _offset(before, zone) != _offset(after, zone):
            found.update(_turned(before, after, zone))
        before = after
    return frozenset(found)


def _turned(before: datetime, after: datetime, zone: tzinfo) -> Iterator[int]:
    old = _offset(before, zone)
    while after - before > timedelta(seconds=1):
        middle = before + (after - before) // 2
        before, after = (middle, after) if _offset(middle, zone) == old else (before, middle)
    new = _offset(after, zone)
    start = _minute((after + min(old, new)).replace(tzinfo=None))
    return (minute % DAY for minute in range(start, start + abs(new - old) // timedelta(minutes=1)))


def utc(moment: datetime) -> datetime:
    """
    Return the same moment as a plain datetime in UTC: pendulum's calculate ten times slower.

    :param moment: a datetime with a timezone.
    """
    plain = datetime.combine(moment.date(), moment.time(), moment.tzinfo)
    return plain.replace(fold=moment.fold).astimezone(UTC)


def _offset(moment: datetime, zone: tzinfo) -> timedelta:
    return moment.astimezone(zone).utcoffset() or _NONE


def _minute(local: datetime) -> int:
    return local.toordinal() * DAY + local.hour * 60 + local.minute
