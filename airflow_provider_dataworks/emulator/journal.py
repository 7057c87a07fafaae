"""What the emulator remembers of the calls it got: records and counts, never a secret, a token or a signature."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from airflow_provider_dataworks.client import signing

from .requests import Request

SERVED: Final = "served"
REFUSED: Final = "refused"
BROKEN: Final = "broken"

OUTCOMES: Final = (SERVED, REFUSED, BROKEN)
"""Answered as asked; answered with an error; no answer at all, or one that is not the operation's."""

KEPT_CALLS: Final = 10_000

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
    :param params: the operation's own parameters; kept only of calls that were signed correctly.
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


class Journal:
    """Keeps the last calls and counts all of them."""

    def __init__(self) -> None:
        self._calls: deque[CallRecord] = deque(maxlen=KEPT_CALLS)
        self._counts: Counter[tuple[str, str]] = Counter()

    def add(self, record: CallRecord) -> None:
        """Remember one call."""
        self._calls.append(record)
        self._counts[record.operation, record.outcome] += 1

    def clear(self) -> None:
        """Forget all calls."""
        self._calls.clear()
        self._counts.clear()

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

    def as_dict(self) -> dict[str, Any]:
        """Give the counts as JSON values: by operation and outcome, and in all."""
        names = sorted({name for name, _ in self._counts})
        return {
            "calls": {name: {result: self.count(name, result) for result in OUTCOMES} for name in names},
            "totals": {"all": self.count(), **{result: self.count(outcome=result) for result in OUTCOMES}},
        }
