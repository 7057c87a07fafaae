"""Reads body and headers of an answer, JSON or XML alike, into safe plain values; it does not judge what they mean.

This is the one door for what a service, or whatever stands between, says: behind it texts can be encoded and are of one
line, numbers are in range, dates are ones that a clock can have, and each is bounded. Reading takes time in proportion
to the size of the answer, which the session bounds.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC
from email.utils import parsedate_to_datetime
from typing import Any
from xml.parsers import expat

from airflow_provider_dataworks.client.locks import cached_property
from airflow_provider_dataworks.values import DEEPEST, json_value, plain_text

Payload = Mapping[str, Any]


class Decoded(dict[str, Any]):
    """
    What an answer says, as safe values.

    :ivar told: the same as it came, where that can be said; only to see whether a part of it may be sent back.
    """

    told: Payload | None = None

    def is_exact(self, part: object, *path: str | int) -> bool:
        """Say whether each text and number of a part, which stands at this path, is as it came."""
        told: Any = self.told
        try:
            for step in path:
                told = told[step]
        except (KeyError, IndexError, TypeError):
            return False
        return bool(told == part)


_MOST_VALUES = 100_000  # that an answer may hold, about; a page of 100 DI jobs holds a thousand or two
_MOST_LINES = 2_000  # the last ones of a log
LONGEST_TEXT = 10_000  # characters of any one text of an answer
MOST_CLOCK_SKEW = 86_400.0  # seconds that a clock may be off and still be corrected by the service's
_LONGEST_WAIT = 30 * 86_400.0  # seconds
_TIME_LEFT = re.compile(r"TimeLeft:\s*(\d{1,10})(?!\d)", re.ASCII)
_SECONDS = re.compile(r"[0-9]{1,10}")
_MEDIA_TYPE = re.compile(r"\s*([\w.+-]{1,40}/[\w.+-]{1,40})\s*(;|$)", re.ASCII)


@dataclass(frozen=True)
class Reply:
    """
    One answer as it came.

    :param headers: names in lower case.
    :param received_at: epoch seconds by this machine's clock.
    """

    status: int
    headers: Mapping[str, str] = field(repr=False)
    body: bytes = field(repr=False)
    received_at: float

    @cached_property
    def payload(self) -> Payload | None:
        """What the body says, as safe values; ``None`` where it is neither JSON nor XML of the service's kind."""
        return decode(self)


def decode(reply: Reply) -> Payload | None:
    """
    Decode JSON or XML by what it looks like: gateways send either under any content type.

    :return: safe values; ``None`` for what is neither, is nested deeper than any answer of the service, or says two
        things under one name.
    """
    # As UTF-8 alone: in another encoding our own secrets, where an answer echoes them, would not have been found.
    body = reply.body.decode("utf-8", "replace").removeprefix("\ufeff").strip()
    is_xml = body.startswith("<")
    if body.count("<" if is_xml else ",") > _MOST_VALUES:
        return None
    try:
        found = _from_xml(body) if is_xml else json.loads(body, **_JSON)
        return _decoded(found, is_xml or "\ufffd" in body) if isinstance(found, dict) else None
    except (ValueError, RecursionError, expat.ExpatError):
        return None


def _decoded(found: dict[str, Any], altered: bool) -> Decoded:
    if isinstance(log := found.get("Log"), str):  # GetDIJobLog's: the one text that is made of lines
        found["Log"] = log.splitlines()[-_MOST_LINES:]
    payload = Decoded(json_value(found, LONGEST_TEXT))
    payload.told = None if altered else found
    return payload


def _one_value_a_name(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs) and any(found[name] != value for name, value in pairs):
        raise ValueError("two values under one name")
    return found


def _int(digits: str) -> int | str:
    # Where a deployment lifts Python's limit, a million digits take minutes. As text, twenty and more are in no range.
    if len(digits) > 1000:
        raise ValueError("a number of that many digits")
    return int(digits) if len(digits) <= 20 else digits


_JSON: dict[str, Any] = {
    "object_pairs_hook": _one_value_a_name,
    "parse_int": _int,
    "parse_constant": lambda name: None,  # NaN and Infinity, which JSON does not know
}


class _Elements:
    """Builds the values of an XML document while it is read; attributes are not looked at."""

    def __init__(self) -> None:
        self.root: tuple[str, Any] = ("", "")
        # Of each element that is open: what its text is made of, and its children.
        self._open: list[tuple[list[str], dict[str, Any]]] = []

    def start(self, name: str, attributes: list[str]) -> None:
        if len(self._open) > DEEPEST:
            raise ValueError("nested too deeply")
        self._open.append(([], {}))

    def data(self, text: str) -> None:
        pieces, children = self._open[-1]
        if not children:
            pieces.append(text)

    def end(self, name: str) -> None:
        pieces, children = self._open.pop()
        value: Any = children or "".join(pieces)
        if not self._open:
            self.root = (name, value)
            return
        siblings = self._open[-1][1]
        if name not in siblings:
            siblings[name] = value
        elif isinstance(siblings[name], list):
            siblings[name].append(value)
        else:
            siblings[name] = [siblings[name], value]

    def doctype(self, *_: Any) -> None:
        # Entities can only be declared in a document type; without one there is nothing to expand or to fetch.
        raise ValueError("an XML answer with a document type is not read")


def _from_xml(body: str) -> Any:
    elements, parser = _Elements(), expat.ParserCreate()
    parser.buffer_text = parser.ordered_attributes = True
    parser.StartElementHandler, parser.EndElementHandler = elements.start, elements.end
    parser.CharacterDataHandler, parser.StartDoctypeDeclHandler = elements.data, elements.doctype
    parser.Parse(body, True)
    name, value = elements.root
    return None if name.lower() == "html" else value


def media_type(reply: Reply) -> str:
    """Return what kind of answer it says to be, in the words of the standard alone: the rest may echo a request."""
    found = _MEDIA_TYPE.match(reply.headers.get("content-type", "")[:200])
    return found.group(1).lower() if found else "no content type"


def retry_after(reply: Reply) -> float | None:
    """
    Seconds the service asked to wait, or ``None``; a wait of no time, or till a moment that is past, asks for nothing.

    ``x-acs-retry-after`` and the ``TimeLeft`` of ``x-ratelimit-user-api`` and ``x-ratelimit-user`` are milliseconds and
    read by one or another generation of the vendor's SDKs; ``Retry-After`` is seconds or a date, as in RFC 9110.
    """
    headers = reply.headers
    if _SECONDS.fullmatch(asked := headers.get("x-acs-retry-after", "").strip()) and int(asked) > 0:
        return min(int(asked) / 1000, _LONGEST_WAIT)
    left = [
        int(found.group(1))
        for name in ("x-ratelimit-user-api", "x-ratelimit-user")
        if (found := _TIME_LEFT.search(headers.get(name, "")[:1000]))
    ]
    if left and max(left) > 0:
        return min(max(left) / 1000, _LONGEST_WAIT)
    standard = headers.get("retry-after", "").strip()
    until = float(standard) if _SECONDS.fullmatch(standard) else _seconds_until(standard, reply)
    return min(until, _LONGEST_WAIT) if until is not None and until > 0 else None


def _seconds_until(date: str, reply: Reply) -> float | None:
    until, since = _date(date), _date(reply.headers.get("date", ""))
    # Both dates are the server's, so that our own clock does not matter.
    return None if until is None else until - (reply.received_at if since is None else since)


def clock_skew(reply: Reply) -> float | None:
    """Seconds by which the service's clock is ahead of ours; ``None`` if not known, or more than a clock may be off."""
    ahead = _ahead(reply)
    return ahead if ahead is not None and abs(ahead) <= MOST_CLOCK_SKEW else None


def off_by(reply: Reply) -> str:
    """Return a sentence about the difference of clocks, to follow another; none where it is not known."""
    ahead = _ahead(reply)
    if ahead is None:
        return ""
    if abs(ahead) > MOST_CLOCK_SKEW:
        return (
            " By the answer's date the service's clock is off by more than a day from ours, which is not taken for "
            "true: compare this machine's clock with the real time, and see whether DataWorks itself answers there."
        )
    return f" The service's clock is {abs(ahead):.0f} s {'ahead of' if ahead > 0 else 'behind'} ours."


def _ahead(reply: Reply) -> float | None:
    theirs = _date(reply.headers.get("date", ""))
    return None if theirs is None else theirs - reply.received_at


def _date(text: str) -> float | None:
    try:
        found = parsedate_to_datetime(text[:100])
        return (found if found.tzinfo else found.replace(tzinfo=UTC)).timestamp()
    except (ValueError, TypeError, IndexError, OverflowError):
        return None


def text(payload: Payload, *names: str, longest: int = LONGEST_TEXT) -> str | None:
    """
    Return the first of these fields that holds something, as text; booleans in lower case.

    :param longest: characters to keep.
    """
    for name in names:
        value = payload.get(name)
        if isinstance(value, bool):
            return str(value).lower()
        if isinstance(value, str | int) and value != "":
            return plain_text(str(value), longest)
    return None


def items(value: Any) -> list[Any]:
    """Return a list however XML wrote it: repeated elements, one element, or elements inside a wrapper."""
    while isinstance(value, Mapping) and "JobStatus" not in value and len(value) == 1:
        value = next(iter(value.values()))
    if value is None or value == "":
        return []
    return value if isinstance(value, list) else [value]
