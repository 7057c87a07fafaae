"""The moments at which crons open in a zone, around clock changes and frozen dates; it knows no duration."""

from __future__ import annotations

from bisect import bisect_right
from datetime import UTC, date, datetime, timedelta, tzinfo
from functools import cached_property
from typing import TYPE_CHECKING

from airflow_provider_dataworks.windows import cron as crons
from airflow_provider_dataworks.windows.cron import MINUTE, Cron, midnight

if TYPE_CHECKING:
    from collections.abc import Sequence

# Ends of the searched time: beyond them zones are guesses, and the calendar of Python ends.
FIRST = datetime(1900, 1, 1, tzinfo=UTC)
LAST = datetime(9000, 1, 1, tzinfo=UTC)

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
        # The answer given last, which is mostly asked for again.
        self._around: tuple[datetime | None, datetime | None] = (None, None)
        # What opens first after the end of a frozen time: a search past a hundred of them is made once.
        self._beyond: dict[datetime, datetime | None] = {}

    def around(self, moment: datetime) -> tuple[datetime | None, datetime | None]:
        """Last opening up to and with the moment, and first one after it, frozen or not; ``None`` where none is."""
        last, following = self._around
        if last is None or following is None or not last <= moment < following:
            last, following = self._around = self.until(moment), self.after(moment)
        return last, following

    def after(self, moment: datetime) -> datetime | None:
        """First opening after the moment, frozen or not."""
        if not FIRST <= moment < LAST:
            return None
        local = self._local(moment)
        opening = min(self._first_after(cron, local, moment) for cron in self.schedule)
        return opening if opening < LAST else None

    def _first_after(self, cron: Cron, local: datetime, moment: datetime) -> datetime:
        # Only where the clock shows an hour for the second time are the times after it no later than the moment.
        while (opening := self._moment(local := crons.after(cron, local))) <= moment:
            pass
        return opening

    def until(self, moment: datetime) -> datetime | None:
        """Last opening up to and with the moment, frozen or not."""
        if not FIRST <= moment < LAST:
            return None
        local, second = self._local(moment), moment.astimezone(self.zone)
        if second.fold:
            # The hour comes for the second time: the rest of it has opened the first time, so look ahead as well.
            repeated = (second.replace(fold=0).utcoffset() or _NONE) - (second.utcoffset() or _NONE)
            local += -(-repeated // MINUTE) * MINUTE  # rounded up
        opening = max(self._last_until(cron, local, moment) for cron in self.schedule)
        return opening if opening >= FIRST else None

    def _last_until(self, cron: Cron, local: datetime, moment: datetime) -> datetime:
        while (opening := self._moment(local := crons.until(cron, local))) > moment:
            local -= MINUTE
        return opening

    def open_after(self, moment: datetime) -> datetime | None:
        """First opening after the moment that is not frozen; ``None`` where there is none before the year 9000."""
        opening = self.around(moment)[1]
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
        return self._moment(midnight(day))

    def _day_ends(self, day: date) -> datetime:
        """First moment after the last one at which the clock shows this day."""
        if not FIRST.date() < day < LAST.date():
            return FIRST if day <= FIRST.date() else LAST
        after = day + timedelta(days=1)
        first = self._moment(midnight(after))
        second = midnight(after).replace(tzinfo=self.zone, fold=1).astimezone(UTC)
        # Newfoundland set its clock back at 00:01 until 2011: the day before came back for most of an hour.
        came_back = first < second and (second - _TICK).astimezone(self.zone).date() <= day
        return second if came_back else first

    def _local(self, moment: datetime) -> datetime:
        """Minute that the clock shows."""
        return moment.astimezone(self.zone).replace(second=0, microsecond=0, tzinfo=None, fold=0)

    def _moment(self, wall: datetime) -> datetime:
        """Moment of a local minute: of two the first, and the end of the gap where the clock left it out."""
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


def utc(moment: datetime) -> datetime:
    """
    Return the same moment as a plain datetime in UTC: pendulum's calculate ten times slower.

    :param moment: a datetime with a timezone.
    """
    plain = datetime.combine(moment.date(), moment.time(), moment.tzinfo)
    return plain.replace(fold=moment.fold).astimezone(UTC)
