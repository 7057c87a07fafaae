"""When maintenance may happen, as a value: crons, a duration, a zone, frozen dates; it never reads the clock."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from functools import cached_property
from typing import TYPE_CHECKING, Any, ClassVar, TypeAlias

from airflow_provider_dataworks.values import invalid
from airflow_provider_dataworks.windows.cron import describe, overlap, read_cron
from airflow_provider_dataworks.windows.parsing import (
    iso,
    range_text,
    read_duration,
    read_freeze,
    read_json,
    read_texts,
    read_zone,
    short,
)
from airflow_provider_dataworks.windows.schedule import Openings, utc

if TYPE_CHECKING:
    from pendulum import DateTime

    from airflow_provider_dataworks.timetables import MaintenanceWindowTimetable

Day: TypeAlias = "date | str"
Frozen: TypeAlias = "Day | tuple[Day, Day] | list[Day]"

_FIELDS = ("cron", "duration", "timezone", "freeze")
_SHOWN = 3  # frozen ranges in a line of text


@dataclass(frozen=True)
class Opening:
    """
    One time that a window is open.

    Both are in UTC: Python compares datetimes of one zone by their clocks, so that 02:00 comes before 02:40 even where
    the clock was set back in between. :meth:`MaintenanceWindow.local` is for people.

    :param start: the moment it opens.
    :param end: the moment it closes, which is not part of it.
    """

    start: DateTime
    end: DateTime


@dataclass(frozen=True, init=False, repr=False)
class MaintenanceWindow:
    """
    Times at which maintenance may happen, by the clock of one zone.

    A window opens when a cron fires in local time and stays open for ``duration`` of elapsed time. A local time that a
    clock change leaves out opens at the first moment after the gap; one that comes twice opens once, at the first.
    Where a clock change brings the next opening so near that it comes before the end, the earlier one ends there.

    Nothing opens on a frozen date, and what opened before it closes as the date begins: no moment of a frozen date is
    ever inside. What would have opened on a frozen date stays closed, also for its part after that date.

    ::

        MaintenanceWindow("0 2 * * SUN", timedelta(hours=3), "Asia/Shanghai", freeze=[("2026-01-29", "2026-02-02")])

    :param cron: five fields (minute, hour, day, month, weekday) as croniter reads them, or a preset such as
        ``@weekly``; or several of these.
    :param duration: how long a window stays open: a timedelta, whole seconds, or ISO 8601 text such as ``PT2H30M``.
    :param timezone: IANA name of the zone whose clock counts, for example ``Europe/Berlin``.
    :param freeze: dates of that zone on which no window is open: each a date, ISO text such as ``2026-01-31``, or a
        range with both ends included, as a pair of these or as text such as ``2026-01-29/2026-02-02``.
        A pair outside a list is refused: it may mean a range, or two days.
    :raises DataWorksInvalidRequest: (a ValueError) for what makes no sense, and where openings would overlap.
    """

    __version__: ClassVar[int] = 1  # of what serialize() returns, for Airflow's serializer

    cron: tuple[str, ...]
    duration: timedelta
    timezone: str
    freeze: tuple[tuple[date, date], ...]

    def __init__(
        self,
        cron: str | Iterable[str],
        duration: timedelta | int | str,
        timezone: str,
        freeze: Day | Iterable[Frozen] = (),
    ) -> None:
        crons = tuple(read_cron(text) for text in read_texts(cron))
        lasts = read_duration(duration)
        values = (tuple(one.text for one in crons), lasts, read_zone(timezone).name, read_freeze(freeze))
        for name, value in zip(_FIELDS, values, strict=True):
            object.__setattr__(self, name, value)
        if found := overlap(crons, lasts):
            first, second, apart = found
            problem = f"{short(lasts)} is too long: {second!r} opens {short(apart)} after {first!r}"
            raise invalid("duration", problem, "Shorten it, or open less often: openings may not overlap.")

    def __reduce__(self) -> tuple[Any, ...]:
        """Pickle and copy the four values only."""
        return type(self), (self.cron, self.duration, self.timezone, self.freeze)

    def contains(self, moment: datetime) -> bool:
        """
        Whether a window is open at the moment.

        :param moment: a datetime with a timezone.
        """
        return self._span(_utc(moment)) is not None

    def current(self, moment: datetime) -> Opening | None:
        """
        Return the opening that the moment is in.

        :param moment: a datetime with a timezone.
        """
        span = self._span(_utc(moment))
        return _opening(*span) if span else None

    def next(self, moment: datetime) -> Opening | None:
        """
        Return the first opening that starts after the moment, never at it.

        So ``next(opening.start)`` is the opening that follows, and never the one that :meth:`current` returns.

        :param moment: a datetime with a timezone.
        :return: ``None`` where the freeze leaves none; the search is from 1900 to 9000.
        """
        start = self.openings.open_after(_utc(moment))
        return _opening(start, self._end(start, self.openings.after(start))) if start else None

    def remaining(self, moment: datetime) -> timedelta:
        """
        Return the time until the window closes; zero where none is open.

        :param moment: a datetime with a timezone.
        """
        now = _utc(moment)
        span = self._span(now)
        return span[1] - now if span else timedelta()

    def local(self, moment: datetime) -> DateTime:
        """
        Return the moment by the clock of the window's zone, to show it; calculate and compare in UTC.

        :param moment: a datetime with a timezone.
        """
        from pendulum import instance

        return instance(_utc(moment).astimezone(self.openings.zone))

    @property
    def timetable(self) -> MaintenanceWindowTimetable:
        """What ``schedule=`` of a DAG takes to run once at each opening."""
        # With Airflow's timetables, which only a DAG file and the scheduler need; and it imports this module.
        from airflow_provider_dataworks.timetables import MaintenanceWindowTimetable

        return MaintenanceWindowTimetable(self)

    @cached_property
    def openings(self) -> Openings:
        """The moments at which this window opens, in UTC."""
        return Openings([read_cron(text) for text in self.cron], read_zone(self.timezone), self.freeze)

    def _span(self, now: datetime) -> tuple[datetime, datetime] | None:
        start, following = self.openings.around(now)
        if start is None or self.openings.frozen(start) or self.openings.frozen(now):
            return None
        end = self._end(start, following)
        return (start, end) if now < end else None

    def _end(self, start: datetime, following: datetime | None) -> datetime:
        ends = (start + self.duration, self.openings.next_freeze(start), following)
        return min(end for end in ends if end is not None)

    def to_json(self) -> dict[str, Any]:
        """Return this window as JSON primitives, for :meth:`from_json`."""
        return {
            "cron": self.cron[0] if len(self.cron) == 1 else list(self.cron),
            "duration": iso(self.duration),
            "timezone": self.timezone,
            "freeze": [range_text(*days, "/") for days in self.freeze],
        }

    @classmethod
    def from_json(cls, value: Mapping[str, Any] | str) -> MaintenanceWindow:
        """
        Build a window from what :meth:`to_json` returns, or from that as JSON text.

        :raises DataWorksInvalidRequest: (a ValueError) naming what is missing, unknown or wrong.
        """
        data = read_json(value) if isinstance(value, str) else value
        if not isinstance(data, Mapping):
            raise invalid("window", f"{data!r} is not a JSON object", f"Give it the keys {', '.join(_FIELDS)}.")
        if unknown := [str(key) for key in data if key not in _FIELDS]:
            raise invalid("window", f"has no {', '.join(unknown)}", f"Use the keys {', '.join(_FIELDS)}.")
        if missing := [key for key in _FIELDS[:3] if data.get(key) is None]:
            raise invalid("window", f"needs {', '.join(missing)}", f"Set the keys {', '.join(_FIELDS[:3])}.")
        return cls(data["cron"], data["duration"], data["timezone"], data.get("freeze") or ())

    @classmethod
    def parse(cls, value: MaintenanceWindow | Mapping[str, Any] | str) -> MaintenanceWindow:
        """
        Return a window from whatever a templated field may hold: a window, its JSON object, or JSON text.

        :raises DataWorksInvalidRequest: (a ValueError) naming what is missing, unknown or wrong.
        """
        return value if isinstance(value, MaintenanceWindow) else cls.from_json(value)

    def serialize(self) -> dict[str, Any]:
        """For Airflow's serializer, see its page on serialization; the same as :meth:`to_json`."""
        return self.to_json()

    @staticmethod
    def deserialize(data: dict[str, Any], version: int) -> MaintenanceWindow:
        """For Airflow's serializer: undo :meth:`serialize`."""
        if version > MaintenanceWindow.__version__:
            raise invalid("window", f"was written by a newer release (format {version})", "Upgrade this one.")
        return MaintenanceWindow.from_json(data)

    def __str__(self) -> str:
        opens = " and ".join(map(describe, self.cron))
        text = f"{opens} for {short(self.duration)} ({self.timezone})"
        frozen = [range_text(*days, "..") for days in self.freeze[:_SHOWN]]
        if more := len(self.freeze) - len(frozen):
            frozen.append(f"{more} more")
        return f"{text}, frozen {', '.join(frozen)}" if frozen else text

    def __repr__(self) -> str:
        return f"MaintenanceWindow(**{self.to_json()!r})"


def _opening(start: datetime, end: datetime) -> Opening:
    from pendulum import instance

    return Opening(instance(start), instance(end))


def _utc(moment: Any) -> datetime:
    if not isinstance(moment, datetime) or moment.utcoffset() is None:
        raise invalid("moment", f"{moment!r} is no datetime with a timezone", "Use datetime.now(timezone.utc), say.")
    return utc(moment)
