"""What DataWorks tells about how a DI job runs: samples, events, tables, alarm rules; plain values, never I/O.

An alarm rule names who is told, often by a token that lets its holder write to a chat. Those texts stand in
:attr:`AlarmRule.whole` alone, which no ``repr`` shows and which can be neither pickled nor stored.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from types import MappingProxyType
from typing import Any, Generic, TypeVar

T = TypeVar("T")

METRICS = (
    "delayTime",
    "totalRecordsRead",
    "speedRecordsRead",
    "totalRecordsWrite",
    "speedRecordsWrite",
    "resourceUtilization",
)
EVENT_KINDS = ("Failover", "Alarm", "DDL")

# What says who or which rule it is, or who touched it when, is no setting of the rule.
_NO_SETTING = re.compile(r"Id|DIAlarmRuleId|DIJobId|Enabled|(Creat|Updat|Modif|Gmt).*")
_SHORTEST_SECRET = 5  # characters; masking less would blank out ordinary words in logs
_TOKEN = re.compile(r"[\w.~-]{16,}", re.ASCII)


@dataclass(frozen=True)
class Sample:
    """
    One sample of a metric.

    :param at: epoch seconds.
    :param value: in the metric's own unit; the vendor writes none for delayTime, whose alarms count seconds.
    """

    at: float
    value: float


@dataclass(frozen=True)
class JobEvent:
    """
    Something that happened to a DI job; each text as the service wrote it, in one line.

    :param kind: which kind of event was asked for, one of :data:`EVENT_KINDS`.
    :param at: when, in the service's own words: the vendor documents no format.
    :param type: of an alarm, what it is about, such as ``Delay``.
    :param status: of an alarm, whether the message went out: ``Success``, ``Fail`` or ``Silence``.
    :param severity: of an alarm: ``Warning`` or ``Critical``.
    :param action: of a DDL statement, what was made of it: ``Critical``, ``Ignore``, ``Normal`` or ``Warning``.
    :param message: the text of the alarm, or of the failure.
    :param sql: the statement at the source, or else that at the destination.
    """

    kind: str
    at: str | None = None
    type: str | None = None
    status: str | None = None
    severity: str | None = None
    action: str | None = None
    message: str | None = None
    source_table: str | None = None
    destination_table: str | None = None
    sql: str | None = None


@dataclass(frozen=True)
class TableRun:
    """
    How one table of a DI job runs.

    :param source: data source, database, schema and table, as far as they are told, with dots between.
    :param destination: the same of where it is written to.
    :param structure: status of the copy of its structure, such as ``Finished``; the vendor lists no values.
    :param full: status of its full load.
    :param realtime: status of its real-time synchronization.
    :param error_message: why one of them failed; ``None`` where nothing did.
    """

    source: str
    destination: str
    structure: str | None = None
    full: str | None = None
    realtime: str | None = None
    error_message: str | None = None


@dataclass(frozen=True)
class AlarmRule:
    """
    One alarm rule of a DI job.

    To switch a rule that was remembered, make one of what was remembered: ``id``, ``di_job_id`` and ``fingerprint``
    are enough, and none of them is secret.

    :param metric: what it watches, such as ``Heartbeat`` or ``Delay``.
    :param fingerprint: 16 hexadecimal digits that change with each setting of the rule but ``Enabled``.
    :param whole: the service's own fields, receivers among them. Whoever logs near it masks :meth:`secrets` first.
    :param exact: whether ``whole`` holds every text as the service wrote it, so that it may be sent back.
    """

    id: int
    di_job_id: int
    name: str | None = None
    enabled: bool = True
    metric: str | None = None
    fingerprint: str = ""
    whole: Mapping[str, Any] = field(default_factory=dict, repr=False, compare=False)
    exact: bool = field(default=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        """Make ``whole`` something that pickle, ``asdict`` and Airflow's XCom refuse to write down."""
        object.__setattr__(self, "whole", MappingProxyType(dict(self.whole)))

    def secrets(self) -> Iterator[str]:
        """Yield what must be masked in logs: each receiver, each webhook, and the tokens in its address."""
        settings = self.whole.get("NotificationSettings")
        receivers = settings.get("NotificationReceivers") if isinstance(settings, Mapping) else settings
        addresses = [text for text in _texts(self.whole) if "://" in text]
        tokens = [token for text in addresses for token in _TOKEN.findall(text.partition("://")[2].partition("/")[2])]
        for text in dict.fromkeys([*_texts(receivers), *addresses, *tokens]):
            if len(text) >= _SHORTEST_SECRET:
                yield text


class Outcome(StrEnum):
    """What came of a wish to switch an alarm rule."""

    CHANGED = "changed"
    ALREADY = "already"
    GONE = "gone"
    EDITED = "edited"


@dataclass(frozen=True)
class AlarmRuleChange:
    """
    How the switching of an alarm rule went; as the rule in it, it cannot be stored.

    :param outcome: CHANGED: it was switched; ALREADY: it was as wanted; GONE: there is no such rule any more; EDITED:
        somebody changed its settings since it was remembered, and it was left as it is.
    :param rule: the rule as it is now; ``None`` where it is gone.
    :param sent: whether a request was sent that the service took, or may have taken.
    :param request_id: of that request, where its answer came.
    """

    outcome: Outcome
    rule: AlarmRule | None
    sent: bool = False
    request_id: str | None = None


@dataclass(frozen=True)
class Listed(Generic[T]):
    """One page of a list, and how many items it has in all."""

    items: tuple[T, ...]
    total: int


def fingerprint_of(fields: Mapping[str, Any]) -> str:
    """
    Return 16 hexadecimal digits that change with each setting of an alarm rule but ``Enabled``.

    Fields that are empty count as missing, and numbers as their digits: operations may differ in that about one rule.
    """
    settings = {name: value for name, value in fields.items() if not _NO_SETTING.fullmatch(name)}
    text = json.dumps(_canonical(settings), sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def _canonical(value: Any) -> Any:
    if isinstance(value, Mapping):
        pairs = ((name, _canonical(item)) for name, item in value.items())
        return {name: item for name, item in pairs if item not in ("", [], {})}
    if isinstance(value, list):
        return [_canonical(item) for item in value]
    if value is None:
        return ""
    return str(value).lower() if isinstance(value, bool) else str(value)


def _texts(value: Any) -> Iterator[str]:
    """Yield every text and number in it, as text; but not which type a receiver is of."""
    if isinstance(value, Mapping):
        for name, item in value.items():
            if name != "ReceiverType":
                yield from _texts(item)
    elif isinstance(value, list):
        for item in value:
            yield from _texts(item)
    elif value is not None and not isinstance(value, bool):
        yield str(value)
