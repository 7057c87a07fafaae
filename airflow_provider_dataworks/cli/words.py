"""Says durations, moments and lags in few words; plain values only."""

from __future__ import annotations

from datetime import UTC, datetime

_UNITS = ((86_400, "d"), (3_600, "h"), (60, "min"), (1, "s"))


def span(seconds: float) -> str:
    """Return a duration in its two largest units, such as ``2 h 5 min``."""
    left = max(0, round(seconds))
    for place, (size, unit) in enumerate(_UNITS):
        if left >= size:
            text = f"{left // size} {unit}"
            if place + 1 < len(_UNITS):
                smaller, name = _UNITS[place + 1]
                if rest := left % size // smaller:
                    return f"{text} {rest} {name}"
            return text
    return "0 s"


def clock(at: float | None) -> str:
    """Return a moment in UTC, such as ``2026-01-31 02:00 UTC``."""
    return "unknown" if at is None else f"{datetime.fromtimestamp(at, UTC):%Y-%m-%d %H:%M} UTC"


def iso(at: float | None) -> str | None:
    """Return a moment as ISO 8601 UTC."""
    return None if at is None else datetime.fromtimestamp(at, UTC).isoformat(timespec="seconds")
