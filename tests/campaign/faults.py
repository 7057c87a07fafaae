"""What each kind of fault makes of an answer, byte by byte; it knows which of them a caller can tell apart."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from email.utils import formatdate
from typing import Any

from campaign.schedule import Fault

# What a caller can know from an answer about a call that changes something.
SERVED = "served"  # a good answer of the service
REFUSED = "refused"  # the service's own refusal, with a code: nothing happened
LOST = "lost"  # anything else: the effect may have happened

PAGE = b"<html><head><title>Notice</title></head><body>The request was blocked.</body></html>"
LARGEST_ID = 2**63 - 1
ABSURD = 9_999_999_999

_PHRASE = {200: "OK", 302: "Found", 404: "Not Found", 429: "Too Many Requests", 503: "Service Unavailable"}


@dataclass(frozen=True)
class Told:
    """
    An answer and what it says.

    :param fate: :data:`SERVED`, :data:`REFUSED` or :data:`LOST`.
    :param permanent: whether the service said so that a later try cannot help.
    :param hint: seconds that the service asked to wait, if it asked.
    :param busy: whether it is a refusal for now, after which the caller may try again.
    :param unsure: whether the caller may take the answer for good or for none.
    """

    data: bytes
    fate: str
    close: bool = False
    permanent: bool = False
    hint: float | None = None
    busy: bool = False
    unsure: bool = False
    headers: Mapping[str, str] = field(default_factory=dict)


def http(status: int, body: bytes, epoch: float, headers: Mapping[str, str] | None = None) -> bytes:
    """Return the bytes of an answer."""
    found = {"Date": formatdate(int(epoch), usegmt=True), "Content-Type": "application/json", **(headers or {})}
    if status != 204:
        found["Content-Length"] = str(len(body))
    head = "".join(f"{name}: {value}\r\n" for name, value in found.items())
    return f"HTTP/1.1 {status} {_PHRASE.get(status, 'Answer')}\r\n{head}\r\n".encode("latin-1") + body


def refusal(code: str, message: str, status: int, epoch: float, headers: Mapping[str, str] | None = None) -> bytes:
    """Return the bytes of the service's own refusal."""
    found = {"RequestId": "0A1B2C3D-0000-4000-8000-00000000BEEF", "Code": code, "Message": message, "HostId": "local"}
    return http(status, json.dumps(found).encode(), epoch, headers)


THROTTLES = (
    ("Throttling.User", 400),
    ("Throttling.Api", 429),
    ("Throttling.System", 400),
    ("9990020002", 400),
)
BUSY = (("ServiceUnavailable", 503), ("InternalError", 500))
REFUSALS = (
    ("Forbidden.Access", 403, "Access is forbidden."),
    ("NoPermission", 403, "You are not authorized to do this action."),
    ("InvalidAction.NotFound", 404, "Specified api is not found."),
    ("500130", 400, "The job does not exist."),
    ("Forbidden.RAM", 403, "User not authorized to operate on the specified resource."),
)
EMPTY = (201, 202, 204, 206, 200)
BETWEEN = (302, 404, 403, 301, 307, 400, 401, 405, 407, 408, 410, 413, 418, 429, 451)
GATEWAY = (502, 504, 500, 503)


def hint_headers(variant: int, seconds: float, epoch: float) -> dict[str, str]:
    """Return the headers that ask for a wait, in one of the ways there are."""
    way = variant // 8 % 4
    if seconds <= 0:
        return ({"Retry-After": "0"}, {"Retry-After": formatdate(int(epoch) - 5, usegmt=True)})[way % 2]
    if way == 0:
        return {"x-acs-retry-after": str(round(seconds * 1000))}
    if way == 1:
        return {"x-ratelimit-user-api": f"Limit:10,Remain:0,TimeLeft:{round(seconds * 1000)},Reset:0"}
    if way == 2 or seconds > 86400:
        return {"Retry-After": str(math.ceil(seconds))}
    return {"Retry-After": formatdate(int(epoch) + math.ceil(seconds), usegmt=True)}


def told(fault: Fault, good: bytes, payload: dict[str, Any], epoch: float) -> Told:
    """
    Return what a fault makes of an answer.

    :param good: the bytes of the answer that there would be without it.
    :param payload: the same as JSON.
    :param epoch: the service's clock.
    """
    return _KINDS[fault.kind](fault, good, payload, epoch)


def _throttle(fault: Fault, good: bytes, payload: dict[str, Any], epoch: float) -> Told:
    code, status = THROTTLES[fault.variant % len(THROTTLES)]
    headers = hint_headers(fault.variant, fault.seconds, epoch) if fault.seconds else {}
    message = "Throttling.User" if code.isdigit() else "Your request is too frequent. Try again later."
    return Told(
        refusal(code, message, status, epoch, headers), REFUSED, busy=True, hint=fault.seconds if headers else None
    )


def _throttle_without_time(fault: Fault, good: bytes, payload: dict[str, Any], epoch: float) -> Told:
    code, status = THROTTLES[fault.variant % 3]
    data = refusal(code, "Try again later.", status, epoch, hint_headers(fault.variant, 0.0, epoch))
    return Told(data, REFUSED, busy=True, hint=0.0)


def _busy(fault: Fault, good: bytes, payload: dict[str, Any], epoch: float) -> Told:
    code, status = BUSY[fault.variant % len(BUSY)]
    headers = hint_headers(fault.variant, fault.seconds, epoch) if fault.seconds else {}
    data = refusal(code, "The service is busy.", status, epoch, headers)
    return Told(data, LOST, busy=True, hint=fault.seconds if headers else None)


def _gateway(fault: Fault, good: bytes, payload: dict[str, Any], epoch: float) -> Told:
    status = GATEWAY[fault.variant % len(GATEWAY)]
    return Told(http(status, PAGE, epoch, {"Content-Type": "text/html"}), LOST, busy=True)


def _lost(fault: Fault, good: bytes, payload: dict[str, Any], epoch: float) -> Told:
    return Told(b"", LOST, close=True, busy=True)


def _cut(fault: Fault, good: bytes, payload: dict[str, Any], epoch: float) -> Told:
    return Told(good[: max(1, len(good) * (fault.variant % 9 + 1) // 10)], LOST, close=True, busy=True)


def _empty(fault: Fault, good: bytes, payload: dict[str, Any], epoch: float) -> Told:
    return Told(http(EMPTY[fault.variant % len(EMPTY)], b"", epoch), LOST)


def _between(fault: Fault, good: bytes, payload: dict[str, Any], epoch: float) -> Told:
    status = BETWEEN[fault.variant % len(BETWEEN)]
    headers = {"Location": "https://login.example.com/"} if status < 400 else {}
    body = (PAGE, b"", b'{"error": "blocked"}')[fault.variant // len(BETWEEN) % 3]
    return Told(http(status, body, epoch, {"Content-Type": "text/html", **headers}), LOST)


def _refused(fault: Fault, good: bytes, payload: dict[str, Any], epoch: float) -> Told:
    code, status, message = REFUSALS[fault.variant % len(REFUSALS)]
    return Told(refusal(code, message, status, epoch), REFUSED, permanent=True)


def _quota(fault: Fault, good: bytes, payload: dict[str, Any], epoch: float) -> Told:
    data = refusal("Throttling.Api.Risk", "The request has exceeded your daily available limit.", 400, epoch)
    return Told(data, REFUSED, permanent=True)


def _slow(fault: Fault, good: bytes, payload: dict[str, Any], epoch: float) -> Told:
    return Told(good, SERVED)


def _garbage(fault: Fault, good: bytes, payload: dict[str, Any], epoch: float) -> Told:
    body = _GARBAGE[fault.variant % len(_GARBAGE)]
    return Told(http(200, body, epoch), LOST)


_GARBAGE = (
    b"\x00\xff\xfe",
    b'{"RequestId": "',
    b"[]",
    b'"' + b"x" * 200 + b'"',
    b"<?xml version='1.0'?><!DOCTYPE a [<!ENTITY b 'c'>]><a>&b;</a>",
    b"<html>",
    b"{" * 3000,
    b"\xef\xbb\xbf{}",
    b"null",
    b'{"a": NaN}',
)
# Each makes one field of a good answer strange. The job's id and status stay as they are.
ODD_VALUES: tuple[tuple[str, Any], ...] = (
    ("JobName", "stream \ud83d"),
    ("ErrorMessage", "because of \ud83d\ud83d"),
    ("RequestId", "\ud83d"),
    ("ProjectId", 2**70),
    ("RequestId", "R" * 150_000),
    ("JobName", "two\nlines \x1b[31m\x00"),
    ("ErrorMessage", "e" * 100_000),
    ("ProjectId", -1),
    ("ProjectId", "x"),
    ("JobType", ["a", {"b": None}]),
    ("JobName", 12),
    ("RequestId", {"a": 1}),
    ("ErrorMessage", "two\nlines \x1b[31m\x00"),
    ("JobStatus", "Odd\n\x1b[31m\ud83d\x00"),
    ("JobStatus", "S" * 100_000),
)


def hides_the_status(fault: Fault) -> bool:
    """Say whether an odd value stands where the job's status should."""
    return ODD_VALUES[fault.variant % len(ODD_VALUES)][0] == "JobStatus"


def _odd(fault: Fault, good: bytes, payload: dict[str, Any], epoch: float) -> Told:
    name, value = ODD_VALUES[fault.variant % len(ODD_VALUES)]
    return Told(http(200, json.dumps(_with(payload, name, value)).encode(), epoch), SERVED, unsure=True)


def _with(payload: dict[str, Any], name: str, value: Any) -> dict[str, Any]:
    if name == "RequestId":
        return {**payload, name: value}
    # Into the description of the job, wherever it stands.
    found: dict[str, Any] = {}
    for key, inner in payload.items():
        if isinstance(inner, dict):
            found[key] = {**inner, name: value} if "JobStatus" in inner else _with(inner, name, value)
        elif isinstance(inner, list):
            found[key] = [{**each, name: value} for each in inner]
        else:
            found[key] = inner
    return found


_KINDS = {
    "throttle": _throttle,
    "throttle without a hint that is one": _throttle_without_time,
    "absurd hint": _throttle,
    "busy": _busy,
    "hint on a 5xx": _busy,
    "gateway": _gateway,
    "lost": _lost,
    "cut": _cut,
    "2xx without a body": _empty,
    "something in between": _between,
    "refused": _refused,
    "quota": _quota,
    "slow": _slow,
    "garbage": _garbage,
    "odd value": _odd,
    "early running": _slow,
}
KINDS = tuple(_KINDS)
# Those that say nothing about whether the operation was carried out.
OPEN = (
    "busy",
    "hint on a 5xx",
    "gateway",
    "lost",
    "cut",
    "2xx without a body",
    "something in between",
    "garbage",
)
