"""
Checks and cleans values from outside: arguments of DAG authors, and text, numbers and JSON that services give.

Arguments are checked where a DAG is made, for what holds no template, and again after templating; each error names
field and remedy. Airflow stores what a task says in databases and sends it between processes: half a surrogate pair
ends a triggerer, a NUL an insert into PostgreSQL, and a line end or an escape sequence makes a log say what nobody
wrote. So whatever came from outside passes here once, where it is read. It must stay cheap to import, and must never
look anything up.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterable, Mapping
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from airflow_provider_dataworks.exceptions import DataWorksInvalidRequest

if TYPE_CHECKING:
    from airflow_provider_dataworks.windows import MaintenanceWindow

LARGEST_INT64 = 2**63 - 1
DEEPEST = 50  # objects and lists inside each other
_DIGITS = re.compile(r"[0-9]{1,19}")
_LINE_ENDS = re.compile("[\t-\r\x85\u2028\u2029]")
# Control characters, half surrogate pairs, and the invisible ones that reorder, join or tag what is around them; but
# not the two joiners that stand inside words of some languages, and inside emoji.
_UNSAFE = re.compile(
    "[\x00-\x1f\x7f-\x9f\u061c\u180e\u200b\u200e\u200f\u202a-\u202e\u2060-\u206f\ud800-\udfff\ufeff\ufff9-\ufffb"
    "\U000e0000-\U000e007f]"
)
MILLISECONDS = 10**11  # an epoch of seconds reaches this in the year 5138, one of milliseconds has in 1973
_LONGEST = timedelta(days=365).total_seconds()


def invalid(field: str, problem: str, remedy: str | None = None) -> DataWorksInvalidRequest:
    """Return the error for a field that is refused before anything is sent."""
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
    if not 0 < value <= LARGEST_INT64:
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


def sentence(text: str) -> str:
    """Return somebody else's text so that another sentence can follow."""
    return text if text.endswith((".", "!", "?", ":", "。")) else f"{text}."


def plain_text(text: str, longest: int) -> str:
    """
    Return text that can be encoded, is of one line and of bounded length.

    What ends a line becomes a space; other control characters, half surrogate pairs, and what turns the direction of
    writing become U+FFFD. Nothing is left out, so that no text turns into another that means something.

    :param longest: characters to keep; a longer text is cut, and ends in ``...``.
    """
    if len(text) > longest:
        text = f"{text[: longest - 3]}..."
    # Almost every text is printable as it is, which is known in no time.
    return text if text.isprintable() else _UNSAFE.sub("\ufffd", _LINE_ENDS.sub(" ", text))


def whole_number(value: object, least: int = 1, most: int = LARGEST_INT64) -> int | None:
    """Return a whole number in range, given as such or by its ASCII digits in text; ``None`` for anything else."""
    if isinstance(value, str):
        found = int(value) if _DIGITS.fullmatch(value) else None
    else:
        found = value if isinstance(value, int) and not isinstance(value, bool) else None
    return found if found is not None and least <= found <= most else None


def finite_number(value: object, least: float, most: float) -> float | None:
    """Return a number in range; ``None`` for anything else, and for what is no number at all (NaN)."""
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    return value if is_number and least <= value <= most else None  # type: ignore[operator,return-value]


def shown(value: object, longest: int = 80) -> str:
    """Return a short text that shows a value of any kind to a person, as :func:`repr` does."""
    try:
        text = repr(value[: longest + 1] if isinstance(value, str | bytes) else value)
    except Exception:  # whatever somebody's own class raises; a number may have too many digits to be written
        text = f"a value of type {type(value).__name__}"
    return plain_text(text, longest)


def json_value(value: object, longest: int) -> Any:
    """
    Return a copy of a JSON value whose every text and number is safe; anything that is none becomes ``None``.

    :param longest: characters to keep of each text.
    :raises ValueError: it is nested deeper than :data:`DEEPEST`.
    """
    return _json_value(value, longest, DEEPEST)


def _json_value(value: Any, longest: int, depth: int) -> Any:
    if isinstance(value, str):
        return plain_text(value, longest)
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, int):
        return int(value) if -LARGEST_INT64 <= value <= LARGEST_INT64 else None
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    is_mapping = isinstance(value, dict | Mapping)  # a dict is asked for first, since that takes no time
    if not is_mapping and not isinstance(value, list | tuple):
        return None
    if not depth:
        raise ValueError("nested too deeply")
    if not is_mapping:
        return [_json_value(item, longest, depth - 1) for item in value]
    return {
        plain_text(name, longest): _json_value(item, longest, depth - 1)
        for name, item in value.items()
        if isinstance(name, str)
    }
