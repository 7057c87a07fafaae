"""Reads single fields of a connection as safe text and numbers; never shows the value of one that it refuses."""

from __future__ import annotations

import re
from typing import Any

from airflow_provider_dataworks.values import invalid, plain_text, shown

LONGEST = 8_000  # characters of a field
_IN_JSON = str.maketrans("\t\r\n", "   ")
_DIGITS = 4_000  # of a number; Python writes no longer ones
_QUOTES = "Give it as text: in JSON in quotation marks, in a connection URI by the parameter __extra__."


def text_field(name: str, value: Any) -> str | None:
    """
    Return a field that is text, without space around it; ``None`` where it is empty.

    A whole number is taken as its digits, since Airflow makes numbers of digits in a connection URI.

    :param name: the connection's field, for errors, which never hold the value.
    :raises DataWorksInvalidRequest: it is something else, too long, or holds a character that no field has.
    """
    text = _text(name, value)
    return _safe(name, text.strip()) if text else None


def json_field(name: str, value: Any) -> str | None:
    """Return a field that holds JSON as text, in which lines may end; see :func:`text_field`."""
    text = (_text(name, value) or "").strip()
    _safe(name, text.translate(_IN_JSON))
    return text or None


def key_field(name: str, value: Any) -> str | None:
    """Return one half of an AccessKey as it stands there: nothing around it is taken off, as that may be a mistake."""
    text = _text(name, value)
    if text and (len(text) > LONGEST or not re.fullmatch("[!-~]*", text)):
        raise invalid(
            name,
            f"is longer than {LONGEST} characters, or holds one that keys do not have, such as a space or a line end",
            "Copy it anew, without anything around it.",
        )
    return text


def number_field(name: str, value: Any) -> float | None:
    """
    Return a field that is a number, or its digits in text; ``None`` where it is empty.

    :raises DataWorksInvalidRequest: it is something else.
    """
    if value in (None, ""):
        return None
    try:
        if isinstance(value, bool) or (isinstance(value, str) and len(value) > LONGEST):
            raise TypeError(name)
        return float(value)
    except (TypeError, ValueError, OverflowError) as error:
        raise invalid(name, f"{shown(value)} is not a number") from error


def _text(name: str, value: Any) -> str | None:
    if value is None or value == "":
        return None
    if isinstance(value, int) and not isinstance(value, bool) and value.bit_length() < _DIGITS:
        return str(value)
    if not isinstance(value, str):
        raise invalid(name, f"is a {type(value).__name__}, not text", _QUOTES)
    return value


def _safe(name: str, text: str) -> str | None:
    if len(text) > LONGEST:
        raise invalid(name, f"is longer than {LONGEST} characters")
    if plain_text(text, LONGEST) != text:
        raise invalid(name, "holds a character that no field has, such as a line end or half a character")
    return text or None
