"""
Checks of what authors give: ids, durations, flags and times, each with an error that names field and remedy.

Used where a DAG is made, for what holds no template, and again after templating; so it must stay cheap to import, and
must never look anything up.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from datetime import timedelta
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from airflow_provider_dataworks.exceptions import DataWorksInvalidRequest
    from airflow_provider_dataworks.windows import MaintenanceWindow

LARGEST_LONG = 2**63 - 1
MILLISECONDS = 10**11  # an epoch of seconds reaches this in the year 5138, one of milliseconds has in 1973
_LONGEST = timedelta(days=365).total_seconds()


def invalid(field: str, problem: str, remedy: str | None = None) -> DataWorksInvalidRequest:
    """Return the error for a field that is refused before anything is sent."""
    # With Airflow, which windows and their checks do without.
    from airflow_provider_dataworks.exceptions import DataWorksInvalidRequest

    return DataWorksInvalidRequest(f"{field}: {problem}.", remedy=remedy or f"Correct {field}.", see="bad-input")


def is_template(value: object) -> bool:
    """Whether Airflow has yet to make a value of it: text with Jinja in it, or what another task returns."""
    if isinstance(value, str):
        return "{{" in value or "{%" in value or "{#" in value
    return hasattr(value, "resolve") and hasattr(value, "iter_references")


def checked(given: Mapping[str, Any], checks: Mapping[str, Callable[[Any, str], Any]]) -> None:
    """
    Check each argument that is given and holds no template.

    :param given: arguments by name.
    :param checks: what reads a value, by the argument's name.
    :raises DataWorksInvalidRequest: (a ValueError) naming the first that is wrong.
    """
    for name, check in checks.items():
        if name in given and not is_template(given[name]):
            check(given[name], name)


def optional(check: Callable[[Any, str], Any]) -> Callable[[Any, str], Any]:
    """Return the same check, which lets ``None`` pass."""
    return lambda value, name: None if value is None else check(value, name)


def int64(value: object, name: str) -> int:
    """
    Return an id as the positive 64-bit integer it must be.

    :param value: a whole number, or its ASCII digits in text, as templates give it.
    :param name: the parameter, for the message.
    :raises DataWorksInvalidRequest: if it is anything else.
    """
    remedy = f"Give {name} as a positive whole number, or as its digits in text."
    if isinstance(value, bool) or not isinstance(value, int | str):
        raise invalid(name, f"{_shown(value)} is a {type(value).__name__}, not an id", remedy)
    if isinstance(value, str):
        digits = value.strip()
        if not (digits.isascii() and digits.isdigit()) or len(digits) > 19:
            raise invalid(name, f"{_shown(value)} is not a positive whole number", remedy)
        value = int(digits)
    if not 0 < value <= LARGEST_LONG:
        raise invalid(name, f"{_shown(value)} is not between 1 and 2^63-1", remedy)
    return value


def seconds(value: object, name: str) -> float:
    """
    Return a duration in seconds.

    :param value: a number of seconds above 0, or a ``timedelta``; a year at most.
    :param name: the parameter, for the message.
    :raises DataWorksInvalidRequest: if it is anything else.
    """
    number = value.total_seconds() if isinstance(value, timedelta) else value
    if isinstance(number, bool) or not isinstance(number, int | float) or not 0 < number <= _LONGEST:
        problem = f"{_shown(value)} is not a number of seconds above 0, nor a timedelta, of a year at most"
        raise invalid(name, problem, f"Give {name} in seconds, for example 1800, or as timedelta(minutes=30).")
    return float(number)


def seconds_or_none(value: object, name: str) -> float:
    """Return a duration as :func:`seconds` does, or 0 where 0 is meant."""
    return 0.0 if not isinstance(value, bool) and value in (0, timedelta()) else seconds(value, name)


def flag(value: object, name: str) -> bool | None:
    """
    Return a switch that is on, off or not set.

    Text such as ``"False"``, sent as it is, would be true to whoever reads it.
    """
    if value is None or isinstance(value, bool):
        return value
    raise invalid(name, f"{_shown(value)} is neither True nor False", f"Give {name} as True or False, or leave it out.")


def flag_or_text(value: object, name: str) -> bool:
    """Return a switch that a template may have made into text: on for ``true``, ``1`` and ``yes``, else off."""
    if not isinstance(value, bool | str | int | None):
        raise invalid(name, f"{_shown(value)} is neither true nor false", f"Give {name} as True or False.")
    return str(value).strip().lower() in ("true", "1", "yes")


def start_time(value: object, name: str = "start_time", *, now: float | None = None) -> int | None:
    """
    Return a start time, the moment from which a source's log is read again.

    :param value: epoch seconds, as a number or its digits; ``None`` and empty text keep the recorded offset.
    :param now: epoch seconds; without it the future is not refused.
    :raises DataWorksInvalidRequest: if it is in the future, in milliseconds, or no time at all.
    """
    if value is None or value == "":
        return None
    found = int64(value, name)
    if found >= MILLISECONDS:
        raise invalid(name, f"{found} looks like milliseconds", "Give epoch seconds, like 1671516776.")
    if now is not None and found > now:
        raise invalid(name, f"{found} is in the future", "Give a moment that the source's log still holds.")
    return found


def one_of(*known: str) -> Callable[[Any, str], str]:
    """Return a check for one of these words."""

    def check(value: Any, name: str) -> str:
        if value not in known:
            raise invalid(name, f"{_shown(value)} is not known", f"Use {' or '.join(known)}.")
        return str(value)

    return check


def window(value: Any, name: str = "window") -> MaintenanceWindow:
    """Return a maintenance window, from the window itself, its JSON object or its JSON text."""
    from airflow_provider_dataworks.windows import MaintenanceWindow  # with croniter, so only where there is a window

    return MaintenanceWindow.parse(value)


def task_ids(value: Any, name: str) -> list[str] | None:
    """
    Return the task ids in a value that names tasks.

    :param value: task ids, operators or their outputs, one or several; ``None`` for none.
    """
    if value is None:
        return None
    single = isinstance(value, str) or hasattr(value, "task_id") or is_template(value)
    given = [value] if single or not isinstance(value, Iterable) else list(value)
    # An output names its operator.
    found = [getattr(getattr(each, "operator", each), "task_id", each) for each in given]
    if not found or not all(isinstance(each, str) and each for each in found):
        remedy = "Give stop tasks, their outputs or task_ids; leave it out to start the job whoever stopped it."
        raise invalid(name, f"{_shown(value)} names no task", remedy)
    return found


def _shown(value: object) -> str:
    """Return a value for a message: short, and of characters that any log can hold."""
    try:
        text = ascii(value)
    except ValueError:  # a number of more digits than Python writes
        return f"a {type(value).__name__} too large to show"
    return text if len(text) <= 80 else f"{text[:77]}..."
