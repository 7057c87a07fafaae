"""Reads what makes a window: duration, zone, frozen dates and JSON; it refuses by name what makes no sense."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from datetime import date, datetime, timedelta
from itertools import islice
from typing import TYPE_CHECKING, Any

from airflow_provider_dataworks.values import invalid

if TYPE_CHECKING:
    from pendulum import Timezone

    from airflow_provider_dataworks.exceptions import DataWorksInvalidRequest

_DURATION = re.compile(r"P(?:(\d+)W)?(?:(\d+)D)?(?:T(?=\d)(?:(\d+)H)?(?:(\d+)M)?(?:(\d+)S)?)?")
_UNITS = ("weeks", "days", "hours", "minutes", "seconds")
_MOST_CRONS = 20  # each is compared with each other, so that openings do not overlap
_MOST_FROZEN = 1000
_SHORTEST = timedelta(minutes=1)  # nothing is stopped and started again in less; a number meant as hours is caught


def read_texts(cron: Any) -> list[str]:
    """Return crons as a list of texts."""
    several = isinstance(cron, Iterable) and not isinstance(cron, str)
    texts = list(islice(cron, _MOST_CRONS + 1)) if several else [cron]
    if len(texts) > _MOST_CRONS:
        raise invalid("cron", f"there are more than {_MOST_CRONS}", "A field takes lists and ranges: '0 1-5 * * *'.")
    if not texts or not all(isinstance(text, str) for text in texts):
        raise invalid("cron", f"{cron!r} is neither a cron nor a list of them", "Give text such as '0 2 * * SUN'.")
    return texts


def read_duration(value: Any) -> timedelta:
    """Return a duration of whole seconds, a minute or more."""
    try:
        found = _timedelta(value)
    except OverflowError:
        found = None
    remedy = "Give a timedelta, whole seconds, or ISO 8601 text of weeks to seconds such as PT2H30M."
    if found is None:
        raise invalid("duration", f"{value!r} is not a duration", remedy)
    if found <= timedelta() or found.microseconds:
        raise invalid("duration", f"{value!r} is not one second or more, in whole seconds", remedy)
    if found < _SHORTEST:
        problem = f"{value!r} is {short(found)}, too short for any maintenance"
        raise invalid("duration", problem, "Give seconds, or say the unit, as in timedelta(hours=3) or PT3H.")
    return found


def _timedelta(value: Any) -> timedelta | None:
    if isinstance(value, timedelta):
        # Also makes a plain timedelta of pendulum's Duration, which would not compare and pickle alike.
        return timedelta(days=value.days, seconds=value.seconds, microseconds=value.microseconds)
    if isinstance(value, str) and not value.isdecimal():
        match = _DURATION.fullmatch(value)
        parts = [int(part or 0) for part in match.groups()] if match and value != "P" else []
        return timedelta(**dict(zip(_UNITS, parts, strict=True))) if parts else None
    if isinstance(value, (int, str)) and not isinstance(value, bool):
        return timedelta(seconds=int(value))
    return None


def read_zone(name: Any) -> Timezone:
    """
    Zone of an IANA name.

    :raises DataWorksInvalidRequest: where there is none of that name.
    """
    import pendulum

    try:
        return pendulum.timezone(name if isinstance(name, str) else "")
    except (ValueError, OSError) as error:  # OSError: a folder of zones, such as Europe
        raise invalid(
            "timezone", f"{name!r} is not a known zone", "Give an IANA name such as Asia/Shanghai."
        ) from error


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
        raise invalid("freeze", f"{entries!r} may mean a range, or two days", remedy)
    given = list(islice(entries, _MOST_FROZEN + 1))
    if len(given) > _MOST_FROZEN:
        remedy = "Give ranges, such as 2026-01-29/2026-02-02, instead of their days."
        raise invalid("freeze", f"there are more than {_MOST_FROZEN} dates and ranges", remedy)
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
        raise invalid("freeze", f"{first}/{last} ends before it starts", "Give the first day first.")
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
    return invalid("freeze", f"{value!r} is not a date or a range of dates", remedy)


def read_json(text: str) -> Any:
    """Return what JSON text says."""
    try:
        return json.loads(text)
    except ValueError as error:
        remedy = "In a template, write {{ … | tojson }}; of a window, {{ window.to_json() | tojson }}."
        raise invalid("window", f"{text!r} is not JSON", remedy) from error


def iso(duration: timedelta) -> str:
    """Return a duration as ISO 8601 text."""
    days, hours, minutes, seconds = _parts(duration)
    day = f"{days}D" if days else ""
    time = "".join(f"{count}{unit}" for count, unit in ((hours, "H"), (minutes, "M"), (seconds, "S")) if count)
    return f"P{day}T{time}" if time else f"P{day}"


def short(duration: timedelta) -> str:
    """Return a duration as short text for people."""
    return "".join(f"{count}{unit}" for count, unit in zip(_parts(duration), "dhms", strict=True) if count) or "0s"


def _parts(duration: timedelta) -> tuple[int, int, int, int]:
    minutes, seconds = divmod(duration.seconds, 60)
    return duration.days, *divmod(minutes, 60), seconds


def range_text(first: date, last: date, to: str) -> str:
    """Return frozen days as text."""
    return first.isoformat() if first == last else f"{first.isoformat()}{to}{last.isoformat()}"
