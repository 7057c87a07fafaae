"""What stands in an answer: body and headers as plain values, JSON or XML alike; nothing here judges what they mean."""

from __future__ import annotations

import json
import re
import xml.etree.ElementTree as ET
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC
from email.utils import parsedate_to_datetime
from typing import Any

Payload = Mapping[str, Any]

_TIME_LEFT = re.compile(r"TimeLeft:\s*(\d{1,10})(?!\d)")


@dataclass(frozen=True)
class Reply:
    """
    One answer as it came.

    :param headers: names in lower case.
    :param received_at: epoch seconds by this machine's clock.
    :param generation: which keys the request was signed with; see :class:`~.keyring.Keyring`.
    """

    status: int
    headers: Mapping[str, str] = field(repr=False)
    body: bytes = field(repr=False)
    received_at: float
    generation: int = 0


def decode(reply: Reply) -> Payload | None:
    """Decode JSON or XML by what it looks like: gateways send either under any content type."""
    body = reply.body.strip()
    try:
        found = _from_xml(body) if body.startswith((b"<?xml", b"<")) else json.loads(body)
    except (ValueError, ET.ParseError, RecursionError):
        return None
    return found if isinstance(found, dict) else None


class _NoDoctype(ET.TreeBuilder):
    def doctype(self, name: str, pubid: str | None, system: str | None) -> None:
        # Entities can only be declared in a document type; without one there is nothing to expand or to fetch.
        raise ValueError("an XML answer with a document type is not read")


def _from_xml(body: bytes) -> Any:
    parser = ET.XMLParser(target=_NoDoctype())  # noqa: S314 - document types, hence entities, are refused above
    parser.feed(body)
    root = parser.close()
    if root.tag.lower() == "html":
        return None
    return _element(root)


def _element(element: ET.Element) -> Any:
    if not len(element):
        return element.text or ""
    found: dict[str, Any] = {}
    for child in element:
        value = _element(child)
        if child.tag in found:
            earlier = found[child.tag]
            found[child.tag] = [*earlier, value] if isinstance(earlier, list) else [earlier, value]
        else:
            found[child.tag] = value
    return found


def retry_after(reply: Reply) -> float | None:
    """
    Seconds the service asked to wait, or ``None``.

    ``x-acs-retry-after`` and the ``TimeLeft`` of ``x-ratelimit-user-api`` and ``x-ratelimit-user`` are milliseconds and
    read by one or another generation of the vendor's SDKs; ``Retry-After`` is seconds or a date, as in RFC 9110.
    """
    headers = reply.headers
    if re.fullmatch(r"\d{1,10}", asked := headers.get("x-acs-retry-after", "").strip()) and int(asked) > 0:
        return int(asked) / 1000
    left = [
        int(found.group(1))
        for name in ("x-ratelimit-user-api", "x-ratelimit-user")
        if (found := _TIME_LEFT.search(headers.get(name, "")))
    ]
    if left and max(left) > 0:
        return max(left) / 1000
    standard = headers.get("retry-after", "").strip()
    if re.fullmatch(r"\d{1,10}", standard):
        return float(standard)
    until = _date(standard)
    if until is None:
        return None
    # Both dates are the server's, so that our own clock does not matter.
    since = _date(headers.get("date", ""))
    return max(0.0, until - (reply.received_at if since is None else since))


def clock_skew(reply: Reply) -> float | None:
    """Seconds by which the service's clock is ahead of ours, by the answer's ``Date``; ``None`` where it has none."""
    theirs = _date(reply.headers.get("date", ""))
    return None if theirs is None else theirs - reply.received_at


def off_by(skew: float | None) -> str:
    """Return a sentence about a difference of clocks, to follow another; none where it is not known."""
    if skew is None:
        return ""
    return f" The service's clock is {abs(skew):.0f} s {'ahead of' if skew > 0 else 'behind'} ours."


def _date(text: str) -> float | None:
    try:
        found = parsedate_to_datetime(text)
    except (ValueError, TypeError, IndexError, OverflowError):
        return None
    return (found if found.tzinfo else found.replace(tzinfo=UTC)).timestamp()


def text(payload: Payload, *names: str) -> str | None:
    """Return the first of these fields that holds something, as text; booleans in lower case."""
    for name in names:
        value = payload.get(name)
        if isinstance(value, bool):
            return str(value).lower()
        if isinstance(value, str | int) and value != "":
            return str(value)
    return None


def sentence(text: str) -> str:
    """Return somebody else's text so that another sentence can follow."""
    return text if text.endswith((".", "!", "?", ":", "。")) else f"{text}."


def number(value: Any) -> int | None:
    """Return a whole number however it was written (XML knows only text), or ``None``."""
    try:
        return int(value)
    except (TypeError, ValueError, OverflowError):
        return None


def items(value: Any) -> list[Any]:
    """Return a list however XML wrote it: repeated elements, one element, or elements inside a wrapper."""
    # A loop, since from Python 3.12 on JSON may be nested deeper than Python's own calls.
    while isinstance(value, Mapping) and "JobStatus" not in value and len(value) == 1:
        value = next(iter(value.values()))
    if value is None or value == "":
        return []
    return value if isinstance(value, list) else [value]
