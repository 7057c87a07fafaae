"""Reads what people set of an emulated job: ids, seconds, lag, events, tables, log; never keeps a job."""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping
from typing import Any, Final

LARGEST_ID: Final = 2**63 - 1
EVENT_KINDS: Final = ("Failover", "Alarm", "DDL")

# An event's time below this many seconds counts from when its job was made, above it from 1970.
_FIRST_EPOCH_SECOND: Final = 1_000_000_000
_LAGS: Final[tuple[tuple[frozenset[str], frozenset[str]], ...]] = (
    # Fields that one kind of lag needs, and all that it may have.
    (frozenset({"start", "falls"}), frozenset({"start", "falls"})),
    (frozenset({"grows"}), frozenset({"start", "grows"})),
    (frozenset({"stuck"}), frozenset({"stuck"})),
    (frozenset({"stale"}), frozenset({"stale"})),
)
_LAG_FORMS: Final = (
    'seconds, {"start", "falls"}, {"start", "grows"}, {"stuck"}, {"stale"} (each in seconds), "idle" or "missing"'
)
_TABLE_FIELDS: Final = ("source", "destination", "full", "status", "error")
_EVENT_FIELDS: Final = ("kind", "at", "text", "table", "action", "type", "status", "severity")


def job_id(value: object, field: str = "id") -> int:
    """
    Read a job or project id: a positive 64-bit integer, or the digits of one in text.

    :raises ValueError: for anything else, naming the field.
    """
    number = value
    if isinstance(value, str) and value.isascii() and value.isdigit() and len(value) <= 19:
        number = int(value)
    if not isinstance(number, int) or isinstance(number, bool) or not 0 < number <= LARGEST_ID:
        raise ValueError(f"{field}: {value!r} is not a positive 64-bit integer")
    return number


def seconds(value: object, field: str) -> float:
    """
    Read a duration in seconds: a finite number, zero or more, or text that spells one.

    :raises ValueError: for anything else, naming the field.
    """
    number = _number(value)
    if not number >= 0:
        raise ValueError(f"{field}: {value!r} is not a number of seconds, zero or more")
    return number


def _number(value: object) -> float:
    """Read a finite number, or text that spells one; give NaN for anything else."""
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return math.nan
    try:
        number = float(value)
    except (ValueError, OverflowError):
        return math.nan
    return number if math.isfinite(number) else math.nan


def flag(value: object, field: str) -> bool:
    """
    Read a truth value, or its text as on a command line.

    :raises ValueError: for anything else, naming the field.
    """
    if value in (True, "true"):
        return True
    if value in (False, "false"):
        return False
    raise ValueError(f"{field}: {value!r} is neither true nor false")


def lag(value: object, field: str) -> Any:
    """
    Read how far a job is behind its source.

    :raises ValueError: for what is none of the forms that :class:`~.jobs.Job` tells of, naming the field.
    """
    if value in ("idle", "missing"):
        return value
    if not isinstance(value, Mapping):
        if math.isnan(_number(value)):
            raise ValueError(f"{field}: {value!r} is none of {_LAG_FORMS}")
        return seconds(value, field)
    names = frozenset(value)
    if not any(needed <= names <= known for needed, known in _LAGS):
        raise ValueError(f"{field}: {value!r} is none of {_LAG_FORMS}")
    return {name: seconds(given, f"{field}.{name}") for name, given in value.items()}


def lines(value: object, field: str) -> tuple[str, ...]:
    """
    Read the lines of a log.

    :raises ValueError: for what is no list of text, naming the field.
    """
    if not isinstance(value, list | tuple):
        raise ValueError(f"{field}: {value!r} is not a list of lines")
    for place, line in enumerate(value, 1):
        if not isinstance(line, str):
            raise ValueError(f"{field} {place}: {line!r} is not text")
    return tuple(value)


def tables(value: object, field: str) -> tuple[Mapping[str, str], ...]:
    """
    Read the tables of a job.

    :raises ValueError: naming the field, and the table by its place.
    """
    found = []
    for where, table in objects(value, field, _TABLE_FIELDS, needed="source"):
        for name, text in table.items():
            if not isinstance(text, str):
                raise ValueError(f"{where}: {name}: {text!r} is not text")
        found.append(dict(table))
    return tuple(found)


def events(value: object, field: str, made: float) -> tuple[Mapping[str, Any], ...]:
    """
    Read the events of a job; each gets its time in seconds since 1970.

    :param made: when the job was made, in seconds of the emulator's clock.
    :raises ValueError: naming the field, and the event by its place.
    """
    found = []
    for where, event in objects(value, field, _EVENT_FIELDS, needed="kind"):
        if event["kind"] not in EVENT_KINDS:
            raise ValueError(f"{where}: kind: {event['kind']!r} is none of {', '.join(EVENT_KINDS)}")
        at = _number(event.get("at", 0))
        if math.isnan(at):
            raise ValueError(f"{where}: at: {event['at']!r} is not a number of seconds")
        for name, text in event.items():
            if name != "at" and not isinstance(text, str):
                raise ValueError(f"{where}: {name}: {text!r} is not text")
        found.append({**event, "at": at if at >= _FIRST_EPOCH_SECOND else made + at})
    return tuple(found)


def objects(value: object, field: str, known: Collection[str], *, needed: str) -> list[tuple[str, Mapping[str, Any]]]:
    """
    Read a list of objects that have some fields, and give each with how errors call it.

    No value is quoted: one may hold a secret.

    :param needed: the field that each must have.
    :raises ValueError: naming the field, and the object by its place.
    """
    if not isinstance(value, list | tuple):
        raise ValueError(f"{field}: not a list of objects")
    found = []
    for place, item in enumerate(value, 1):
        where = f"{field} {place}"
        if not isinstance(item, Mapping):
            raise ValueError(f"{where}: not an object of fields")
        unknown = sorted(str(name) for name in set(item) - set(known))
        if unknown:
            raise ValueError(f"{where}: unknown field {unknown[0]!r}; known are {', '.join(known)}")
        if needed not in item:
            raise ValueError(f"{where}: the field {needed!r} is missing")
        found.append((where, item))
    return found
