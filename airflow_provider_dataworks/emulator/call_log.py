"""Records and counts the calls that the emulator got; never keeps a secret, a token or a signature."""

from __future__ import annotations

import json
import re
from collections import Counter, defaultdict, deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import islice
from typing import Any, Final

from airflow_provider_dataworks.client.auth import signing

from .requests import Request

SERVED: Final = "served"
REFUSED: Final = "refused"
BROKEN: Final = "broken"

OUTCOMES: Final = (SERVED, REFUSED, BROKEN)
"""Answered as asked; answered with an error; no answer at all, or one that is not the operation's."""

KEPT_CALLS: Final = 10_000
SHOWN_CALLS: Final = 50
SHOWN_SECONDS: Final = 60

KEPT_HEADERS: Final = frozenset(
    {
        "accept",
        "content-type",
        "host",
        "user-agent",
        "x-acs-action",
        "x-acs-content-sha256",
        "x-acs-date",
        "x-acs-retry-attempts",
        "x-acs-version",
    }
)


MASK: Final = "***"
_PLAIN_FIELDS: Final = frozenset({"InhibitionInterval", "MuteInterval", "Severity", "Channels", "ReceiverType"})
_PLAIN: Final = re.compile("[A-Za-z]{1,16}|[0-9]{1,6}")
_FIELDS_OF_RULES: Final = _PLAIN_FIELDS | {"NotificationChannels", "NotificationReceivers", "ReceiverValues"}


@dataclass(frozen=True)
class CallRecord:
    """
    One call as it was answered.

    :param time: seconds of the emulator's clock when it arrived.
    :param operation: the operation's name as sent.
    :param version: the API version as sent.
    :param job_id: the job it was about, if it named one properly.
    :param outcome: ``served``, ``refused`` or ``broken``.
    :param code: vendor code of an error answer, else empty.
    :param http_status: HTTP status, ``None`` where nothing was sent.
    :param fault: kind of the fault rule it met, else empty.
    :param method: HTTP method.
    :param signature: ``ACS3-HMAC-SHA256``, ``HMAC-SHA1`` or empty.
    :param nonce: signature nonce as sent.
    :param request_id: id given in the answer.
    :param headers: those request headers that hold nothing secret.
    :param params: the operation's own parameters, receivers of alarms masked; kept only of calls that were signed
        correctly.
    :param status_before: the job's status before the call.
    :param status_after: the job's status after the call.
    """

    time: float
    operation: str
    version: str
    job_id: int | None
    outcome: str
    code: str
    http_status: int | None
    fault: str = ""
    method: str = ""
    signature: str = ""
    nonce: str = ""
    request_id: str = ""
    headers: Mapping[str, str] = field(default_factory=dict)
    params: Mapping[str, str] = field(default_factory=dict)
    status_before: str | None = None
    status_after: str | None = None


def kept_headers(request: Request) -> dict[str, str]:
    """Give the request headers that may be remembered."""
    return {name.lower(): value for name, value in request.headers if name.lower() in KEPT_HEADERS}


def kept_nonce(request: Request) -> str:
    """Give the nonce, which is no secret and shows whether every attempt was signed anew."""
    if request.signature == signing.RPC:
        return request.params.get("SignatureNonce", "")
    return request.header("x-acs-signature-nonce")


def kept_params(request: Request) -> dict[str, str]:
    """
    Give the operation's parameters without whom an alarm rule tells.

    That is often a token or an address that lets its holder write to a chat.
    """
    return {
        name: _masked(value) if name.startswith("NotificationSettings") else value
        for name, value in request.own_params.items()
    }


def _masked(text: str) -> str:
    try:
        return json.dumps(_without_texts(json.loads(text)))
    except (ValueError, RecursionError):
        return MASK


def _without_texts(value: Any, name: str = "") -> Any:
    if isinstance(value, Mapping):
        return {key if key in _FIELDS_OF_RULES else MASK: _without_texts(item, key) for key, item in value.items()}
    if isinstance(value, list):
        return [_without_texts(item, name) for item in value]
    return value if name in _PLAIN_FIELDS and _PLAIN.fullmatch(str(value)) else MASK


@dataclass
class _Trouble:
    """Calls of one operation that went wrong for one reason."""

    number: int = 0
    last: float = 0.0


class CallLog:
    """Keeps the last calls and counts all of them."""

    def __init__(self) -> None:
        self._calls: deque[CallRecord] = deque(maxlen=KEPT_CALLS)
        self._counts: Counter[tuple[str, str]] = Counter()
        self._troubles: defaultdict[tuple[str, str, str, str], _Trouble] = defaultdict(_Trouble)

    def add(self, record: CallRecord) -> None:
        """Remember one call."""
        self._calls.append(record)
        self._counts[record.operation, record.outcome] += 1
        if record.outcome != SERVED:
            trouble = self._troubles[record.operation, record.outcome, record.code, record.fault]
            trouble.number, trouble.last = trouble.number + 1, record.time

    def clear(self) -> None:
        """Forget all calls."""
        self._calls.clear()
        self._counts.clear()
        self._troubles.clear()

    @property
    def calls(self) -> list[CallRecord]:
        """Give the last calls, oldest first."""
        return list(self._calls)

    def count(self, operation: str | None = None, outcome: str | None = None) -> int:
        """
        Count calls, of one operation and outcome or of all.

        :raises ValueError: for an outcome that does not exist, which would always count none.
        """
        if outcome is not None and outcome not in OUTCOMES:
            raise ValueError(f"outcome: {outcome!r} is none of {', '.join(OUTCOMES)}")
        return sum(
            number
            for (name, result), number in self._counts.items()
            if operation in (None, name) and outcome in (None, result)
        )

    def as_dict(self, now: float) -> dict[str, Any]:
        """
        Give counts and the last calls as JSON values.

        :param now: seconds of the emulator's clock.
        :return: ``calls`` by operation and outcome, ``totals``, ``troubles`` (why calls were not served, the latest
            first), ``recent`` (the last calls, the latest first) and ``last_minute`` (calls by second and outcome).
        """
        names = sorted({name for name, _ in self._counts})
        total = self.count()
        last = islice(reversed(self._calls), SHOWN_CALLS)
        troubles = sorted(self._troubles.items(), key=lambda item: item[1].last, reverse=True)
        return {
            "calls": {name: {result: self.count(name, result) for result in OUTCOMES} for name in names},
            "totals": {"all": total, **{result: self.count(outcome=result) for result in OUTCOMES}},
            "troubles": [
                {
                    "operation": name,
                    "outcome": result,
                    "code": code,
                    "fault": fault,
                    "calls": it.number,
                    "last": it.last,
                }
                for (name, result, code, fault), it in troubles
            ],
            "recent": [{"number": total - place, **_shown(record)} for place, record in enumerate(last)],
            "last_minute": self._last_minute(now),
        }

    def _last_minute(self, now: float) -> dict[str, list[int]]:
        """Count calls by outcome and second, the second that is still running last."""
        seconds = {result: [0] * SHOWN_SECONDS for result in OUTCOMES}
        for record in reversed(self._calls):
            age = int(now) - int(record.time)
            if age >= SHOWN_SECONDS:
                break
            # A clock that was set back makes calls of the future.
            seconds[record.outcome][-1 - max(0, age)] += 1
        return seconds


def _shown(record: CallRecord) -> dict[str, Any]:
    """
    Give what the last calls show of one.

    Neither its parameters nor its nonce, and the job as text: JavaScript rounds 64-bit numbers.
    """
    return {
        "time": record.time,
        "operation": record.operation,
        "version": record.version,
        "job_id": None if record.job_id is None else str(record.job_id),
        "outcome": record.outcome,
        "code": record.code,
        "http_status": record.http_status,
        "fault": record.fault,
        "status_before": record.status_before,
        "status_after": record.status_after,
    }
