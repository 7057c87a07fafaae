"""Makes text, numbers and JSON values that others gave safe to log, store and send on; it knows none of their meanings.

Airflow stores what a task says in databases and sends it between processes: half a surrogate pair ends a triggerer, a
NUL an insert into PostgreSQL, and a line end or an escape sequence makes a log say what nobody wrote. So whatever came
from outside passes here once, where it is read, and nobody behind that asks again.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from typing import Any

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
