"""Reads and checks one fault rule; never counts or answers a call."""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from .job_settings import job_id, seconds

V2020: Final = "2020-05-18"
V2024: Final = "2024-05-18"

KINDS: Final = ("throttle", "error", "status", "body", "drop", "truncate", "slow", "redirect", "success_false")

DAILY: Final = "Throttling.Api.Risk"
MESSAGES: Final = {
    "Throttling.Api": "The request for this resource has exceeded your available limit.",
    DAILY: "The request for this resource has exceeded your daily available limit.",
    "Throttling.System": "The DataWorks system is busy. Try again later.",
    "Throttling.User": "Your request is too frequent. Try again later.",
    "Throttling.Resource": "The number of API calls has reached the upper limit of the edition.",
    # Seen with the newer version: a numeric code, and what it means only in the message.
    "9990020002": "Throttling.User",
}
"""Texts of the vendor's throttling codes, used where a rule gives none."""

_HEADER_NAME: Final = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]+")
_MATCHING: Final = frozenset({"operation", "version", "job_id", "skip", "times"})
_FIELDS: Final = {
    "throttle": frozenset({"throttle"}),
    "error": frozenset({"error", "effect"}),
    "raw": frozenset({"status", "body", "body_base64", "content_type", "hints", "effect"}),
    "drop": frozenset({"drop"}),
    "truncate": frozenset({"truncate"}),
    "slow": frozenset({"slow"}),
    "redirect": frozenset({"redirect", "status", "effect"}),
    "success_false": frozenset({"success_false", "effect"}),
}


@dataclass(frozen=True)
class Rule:
    """
    One rule of a script, already checked; :func:`parse_rule` makes it.

    :param kind: ``throttle``, ``error``, ``raw``, ``drop``, ``truncate``, ``slow``, ``redirect`` or ``success_false``.
    :param operation: the operation it meets, ``*`` for all.
    :param version: the API version it meets, ``*`` for both.
    :param job_id: the job it meets, ``None`` for calls about any job or none.
    :param skip: how many matching calls pass before it begins.
    :param times: how often it fires, ``None`` for ever.
    :param effect: whether the operation is carried out although its answer goes wrong.
    :param status: HTTP status of the answer.
    :param code: vendor code of the answer.
    :param message: vendor message of the answer.
    :param headers: additional answer headers.
    :param body: body of a ``raw`` answer.
    :param delay: seconds a ``slow`` answer waits.
    """

    kind: str
    operation: str = "*"
    version: str = "*"
    job_id: int | None = None
    skip: int = 0
    times: int | None = 1
    effect: bool = False
    status: int = 200
    code: str = ""
    message: str = ""
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""
    delay: float = 0.0

    def matches(self, operation: str, version: str, number: int | None) -> bool:
        """Whether a call is one this rule is about."""
        return (
            self.operation in ("*", operation)
            and self.version in ("*", version)
            and (self.job_id is None or self.job_id == number)
        )


def parse_rule(source: Mapping[str, Any], where: str = "fault") -> Rule:
    """
    Read and check one rule.

    :param source: the rule as JSON values; ``body`` may be bytes too.
    :param where: how errors call it.
    :raises ValueError: naming the field and what it should be.
    """
    if not isinstance(source, Mapping):
        raise ValueError(f"{where}: {source!r} is not an object of fields")
    kind = _kind(source, where)
    unknown = sorted(set(source) - _MATCHING - _FIELDS[kind])
    if unknown:
        known = ", ".join(sorted(_MATCHING | _FIELDS[kind]))
        raise ValueError(f"{where}: field {unknown[0]!r} does not belong to a rule of this kind; known are {known}")
    values = _matching(source, where)
    values.update(_READERS[kind](source, where))
    if kind == "success_false":
        # The older version has no Success, so such a rule waits for a call of the newer one.
        values["version"] = V2024
    if "effect" in source:
        values["effect"] = _boolean(source["effect"], f"{where}: effect")
    return Rule(kind=kind, **values)


def _kind(source: Mapping[str, Any], where: str) -> str:
    raw = {"body", "body_base64"} if "redirect" in source else {"status", "body", "body_base64"}
    named = {kind for kind in _FIELDS if kind in source} | ({"raw"} if raw & set(source) else set())
    if len(named) != 1:
        found = f"{' and '.join(sorted(named))} together" if named else "none of them"
        raise ValueError(f"{where}: give exactly one of {', '.join(KINDS)}; found {found}")
    return named.pop()


def _matching(source: Mapping[str, Any], where: str) -> dict[str, Any]:
    operation = _text(source.get("operation", "*"), f"{where}: operation")
    version = _text(source.get("version", "*"), f"{where}: version")
    if version not in ("*", V2020, V2024):
        raise ValueError(f"{where}: version: {version!r} is neither {V2020}, {V2024} nor *")
    number = source.get("job_id")
    times = source.get("times", 1)
    return {
        "operation": operation,
        "version": version,
        "job_id": None if number is None else job_id(number, f"{where}: job_id"),
        "skip": _count(source.get("skip", 0), f"{where}: skip", least=0),
        "times": None if times is None else _count(times, f"{where}: times", least=1),
    }


def _throttle(source: Mapping[str, Any], where: str) -> dict[str, Any]:
    details = _details(source["throttle"], f"{where}: throttle", {"code", "status", "message", "hints"})
    code = _text(details.get("code", "Throttling.User"), f"{where}: throttle.code")
    message = _text(details.get("message", MESSAGES.get(code, code)), f"{where}: throttle.message")
    return {
        "status": _status(details.get("status", 429), f"{where}: throttle.status", 400),
        "code": code,
        "message": message,
        "headers": _headers(details.get("hints", {}), f"{where}: throttle.hints"),
    }


def _error(source: Mapping[str, Any], where: str) -> dict[str, Any]:
    details = _details(source["error"], f"{where}: error", {"code", "status", "message", "hints"})
    code = _text(details.get("code", "InternalError.System"), f"{where}: error.code")
    message = "An internal system error occurred. Try again later." if code == "InternalError.System" else code
    return {
        "status": _status(details.get("status", 500), f"{where}: error.status", 400),
        "code": code,
        "message": _text(details.get("message", message), f"{where}: error.message"),
        "headers": _headers(details.get("hints", {}), f"{where}: error.hints"),
    }


def _raw(source: Mapping[str, Any], where: str) -> dict[str, Any]:
    status = _status(source.get("status", 200), f"{where}: status", 200)
    body = source.get("body", b"")
    if "body_base64" in source:
        try:
            body = base64.b64decode(_text(source["body_base64"], f"{where}: body_base64"), validate=True)
        except binascii.Error as error:
            raise ValueError(f"{where}: body_base64: not base64 ({error})") from error
    if not isinstance(body, str | bytes):
        raise ValueError(f"{where}: body: {body!r} is neither text nor bytes")
    content_type = _text(source.get("content_type", "application/json"), f"{where}: content_type")
    headers = {"Content-Type": content_type} if body else {}
    hints = _headers(source.get("hints", {}), f"{where}: hints")
    return {
        "status": status,
        "body": body.encode() if isinstance(body, str) else body,
        "headers": {**_headers(headers, f"{where}: content_type"), **hints},
        # An answer of 200 that cannot be read comes after the work; a gateway's 502 may well come before it.
        "effect": status < 300,
    }


def _drop(source: Mapping[str, Any], where: str) -> dict[str, Any]:
    if source["drop"] not in ("before", "after"):
        raise ValueError(f"{where}: drop: {source['drop']!r} is neither 'before' nor 'after' (the effect)")
    return {"effect": source["drop"] == "after"}


def _truncate(source: Mapping[str, Any], where: str) -> dict[str, Any]:
    if source["truncate"] is not True:
        raise ValueError(f"{where}: truncate: {source['truncate']!r} is not true")
    return {"effect": True}


def _slow(source: Mapping[str, Any], where: str) -> dict[str, Any]:
    return {"effect": True, "delay": seconds(source["slow"], f"{where}: slow")}


def _redirect(source: Mapping[str, Any], where: str) -> dict[str, Any]:
    status = _status(source.get("status", 307), f"{where}: status", 300)
    if status >= 400:
        raise ValueError(f"{where}: status: {status} is no redirect; give one from 300 to 399")
    location = _text(source["redirect"], f"{where}: redirect")
    return {"status": status, "headers": _headers({"Location": location}, f"{where}: redirect")}


def _success_false(source: Mapping[str, Any], where: str) -> dict[str, Any]:
    details = _details(source["success_false"], f"{where}: success_false", {"code", "message"})
    return {
        "code": _text(details.get("code", ""), f"{where}: success_false.code", empty=True),
        "message": _text(details.get("message", ""), f"{where}: success_false.message", empty=True),
    }


_READERS: Final = {
    "throttle": _throttle,
    "error": _error,
    "raw": _raw,
    "drop": _drop,
    "truncate": _truncate,
    "slow": _slow,
    "redirect": _redirect,
    "success_false": _success_false,
}


def _details(value: object, where: str, known: set[str]) -> dict[str, Any]:
    """Read what a kind says about itself: an object, its code alone, or ``true`` for the usual case."""
    if value is True:
        return {}
    if isinstance(value, str):
        return {"code": value}
    if not isinstance(value, Mapping):
        raise ValueError(f"{where}: {value!r} is neither an object, a code nor true")
    for name in value:
        if name not in known:
            raise ValueError(f"{where}: unknown field {name!r}; known are {', '.join(sorted(known))}")
    return dict(value)


def _text(value: object, where: str, *, empty: bool = False) -> str:
    if not isinstance(value, str) or not (value or empty):
        raise ValueError(f"{where}: {value!r} is not text")
    return value


def _boolean(value: object, where: str) -> bool:
    if not isinstance(value, bool):
        raise ValueError(f"{where}: {value!r} is neither true nor false")
    return value


def _count(value: object, where: str, *, least: int) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or value < least:
        raise ValueError(f"{where}: {value!r} is not a whole number of at least {least}")
    return value


def _status(value: object, where: str, least: int) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or not least <= value <= 599:
        raise ValueError(f"{where}: {value!r} is not an HTTP status from {least} to 599")
    return value


def _headers(value: object, where: str) -> dict[str, str]:
    if not isinstance(value, Mapping):
        raise ValueError(f"{where}: {value!r} is not an object of header names and values")
    headers: dict[str, str] = {}
    for name, content in value.items():
        text = str(content) if isinstance(content, int | str) and not isinstance(content, bool) else ""
        if not isinstance(name, str) or not _HEADER_NAME.fullmatch(name):
            raise ValueError(f"{where}: {name!r} is not a header name")
        if name.lower() in ("content-length", "transfer-encoding"):
            raise ValueError(f"{where}: {name}: would break HTTP itself; to cut an answer short use truncate")
        if not text or not text.isprintable():
            raise ValueError(f"{where}: {name}: {content!r} is not a header value")
        headers[name] = text
    return headers
