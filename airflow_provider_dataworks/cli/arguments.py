"""Reads what was typed: ids, numbers, moments; each error names the argument and what it should be."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime

from airflow_provider_dataworks.values import finite_number, int64, invalid, shown, whole_number

_LONGEST = 366 * 86_400
_FIRST_YEAR, _LAST_YEAR = 2000, 2100


def ids(given: Iterable[str]) -> list[int]:
    """Return ids of DI jobs, each once."""
    texts = (part for word in given for part in word.split(",") if part.strip())
    return list(dict.fromkeys(int64(text, "DI_JOB_ID") for text in texts))


def whole(text: str, name: str, *, most: int) -> int:
    """Return a whole number from 1 to ``most``."""
    found = whole_number(text, 1, most)
    if found is None:
        raise invalid(name, f"{shown(text)} is not a whole number from 1 to {most}")
    return found


def number_of_seconds(text: str, name: str) -> float:
    """Return a number of seconds, a year at most; zero will do."""
    try:
        found = finite_number(float(text), 0, _LONGEST)
    except ValueError:
        found = None
    if found is None:
        raise invalid(name, f"{shown(text)} is not a number of seconds from 0 to a year", f"Give {name} like 1800.")
    return found


def duration(text: str, name: str) -> int | str:
    """Return a duration as a window takes it: whole seconds, or ISO 8601 text, which the window itself reads."""
    return int(text) if text.isascii() and text.isdigit() and len(text) < 10 else text


def moment(text: str, name: str) -> datetime:
    """Return a moment from ISO 8601 text; in UTC where it names no zone."""
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        remedy = f"Give {name} like 2026-01-31T02:00:00+08:00."
        raise invalid(name, f"{shown(text)} is no moment in ISO 8601", remedy) from None
    if not _FIRST_YEAR <= found.year < _LAST_YEAR:
        raise invalid(
            name, f"{shown(text)} is not of the years {_FIRST_YEAR} to {_LAST_YEAR}", f"Give {name} of these."
        )
    return found if found.tzinfo else found.replace(tzinfo=UTC)
