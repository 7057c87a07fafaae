"""Keeps the alarm rules of emulated jobs, one set for both API versions; knows no HTTP and no clock.

A rule holds whom it tells, often by a token that lets its holder write to a chat: no ``repr`` shows that, and nothing
but the API's own answers and :attr:`AlarmRule.receivers` gives it.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Final

from .job_settings import flag, job_id, objects

METRICS: Final = ("Heartbeat", "FailoverCount", "Delay", "DdlReport", "ResourceUtilization")
RECEIVER_TYPES: Final = ("AliyunUid", "DingToken", "FeishuToken", "WebHookUrl")
SEVERITIES: Final = ("Warning", "Critical")

Texts = tuple[tuple[str, tuple[str, ...]], ...]


@dataclass(frozen=True)
class AlarmRule:
    """
    One alarm rule at one moment; every change makes a new value.

    In settings, ``receivers`` and ``channels`` are objects, and all but ``id`` and ``metric`` may be left out.

    :param id: positive 64-bit id.
    :param job_id: the job it is about.
    :param metric: one of :data:`METRICS`.
    :param enabled: whether it is on.
    :param receivers: lists of whom it tells, by one of :data:`RECEIVER_TYPES`; secret.
    :param channels: lists of ways, such as Mail or Ding, by severity.
    :param conditions: a list of ``{"severity": "Warning", "threshold": 300, "duration": 5, "ddl_types": []}``: seconds
        of a delay or number of failovers, and minutes.
    :param interval: minutes for which it is silent after an alarm.
    :param changes: how often UpdateDIAlarmRule took effect.
    :param edits: how often :meth:`.Emulator.edit_alarm_rule` did.
    :param created_at: when it was made, in seconds of the emulator's clock.
    :param updated_at: when it was changed or edited last.
    """

    id: int
    job_id: int
    metric: str
    name: str = ""
    enabled: bool = True
    description: str = ""
    receivers: Texts = field(default=(("AliyunUid", ("100000001",)),), repr=False)
    channels: Texts = (("Warning", ("Mail",)),)
    conditions: tuple[Mapping[str, Any], ...] = ({"severity": "Warning", "threshold": 300, "duration": 5},)
    interval: int = 5
    changes: int = 0
    edits: int = 0
    created_at: float = 0.0
    updated_at: float = 0.0

    def shown(self) -> dict[str, Any]:
        """Give what anybody may see of it, as JSON values."""
        names = ("id", "metric", "name", "enabled", "changes", "edits")
        return {name: getattr(self, name) for name in names}


class AlarmRules:
    """Keeps the rules of all jobs."""

    def __init__(self) -> None:
        self._rules: dict[int, AlarmRule] = {}

    def clear(self) -> None:
        """Forget all rules."""
        self._rules.clear()

    def set_of_job(self, number: int, rules: Mapping[int, AlarmRule]) -> None:
        """Let these, read by :func:`read_rules`, be the rules of a job."""
        others = {rule.id: rule for rule in self._rules.values() if rule.job_id != number}
        self._rules = {**others, **rules}

    def find(self, rule_id: int) -> AlarmRule | None:
        """Look a rule up."""
        return self._rules.get(rule_id)

    def of_job(self, number: int) -> list[AlarmRule]:
        """Give the rules of a job, by id."""
        return self.by_job().get(number, [])

    def by_job(self) -> dict[int, list[AlarmRule]]:
        """Give all rules by job, and there by id; for the status page, which may show hundreds of jobs."""
        found = defaultdict[int, list[AlarmRule]](list)
        for rule_id in sorted(self._rules):
            found[self._rules[rule_id].job_id].append(self._rules[rule_id])
        return found

    def update(self, rule: AlarmRule, fields: Mapping[str, Any], now: float) -> None:
        """Carry out UpdateDIAlarmRule with fields that were read already."""
        self._rules[rule.id] = replace(rule, **fields, changes=rule.changes + 1, updated_at=now)

    def edit(self, rule_id: int, settings: Mapping[str, Any], now: float) -> AlarmRule:
        """
        Change some fields as a person in the console does.

        :raises KeyError: if there is no such rule.
        :raises ValueError: naming the field that is wrong.
        """
        rule = self._existing(rule_id)
        fields = _read(settings, f"alarm rule {rule_id}")
        self._rules[rule_id] = rule = replace(rule, **fields, edits=rule.edits + 1, updated_at=now)
        return rule

    def remove(self, rule_id: int) -> None:
        """
        Delete a rule as a person in the console does.

        :raises KeyError: if there is no such rule.
        """
        del self._rules[self._existing(rule_id).id]

    def _existing(self, rule_id: int) -> AlarmRule:
        if rule_id not in self._rules:
            raise KeyError(f"no alarm rule {rule_id} in the emulator")
        return self._rules[rule_id]

    def read(self, number: int, settings: object, now: float) -> dict[int, AlarmRule]:
        """
        Read the rules of a job from its settings, by id; no value is quoted, since one may be a secret.

        :raises ValueError: naming the field that is wrong.
        """
        where, found = f"job {number}: alarm_rules", dict[int, AlarmRule]()
        for place, given in objects(settings, where, ("id", *_READERS), needed="metric"):
            if "id" not in given:
                raise ValueError(f"{place}: the field 'id' is missing")
            rule_id = job_id(given["id"], f"{place}: id")
            known = self.find(rule_id)
            if rule_id in found or (known is not None and known.job_id != number):
                raise ValueError(f"{place}: id: there is an alarm rule {rule_id} already")
            fields = _read({name: value for name, value in given.items() if name != "id"}, place)
            found[rule_id] = AlarmRule(rule_id, number, created_at=now, updated_at=now, **fields)
        return found


def _read(settings: Mapping[str, Any], where: str) -> dict[str, Any]:
    """Read some fields of a rule."""
    for name in settings:
        if name not in _READERS:
            raise ValueError(f"{where}: unknown field {name!r}; known are {', '.join(_READERS)}")
    return {name: _READERS[name](value, f"{where}: {name}") for name, value in settings.items()}


def _text(value: object, where: str) -> str:
    if not isinstance(value, str):
        raise ValueError(f"{where}: not text")
    return value


def _metric(value: object, where: str) -> str:
    if value not in METRICS:
        raise ValueError(f"{where}: none of {', '.join(METRICS)}")
    return str(value)


def whole_number(value: object, where: str) -> int:
    """
    Read a number of minutes, seconds or times.

    :raises ValueError: for anything else, naming the field.
    """
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value < 2**31:
        raise ValueError(f"{where}: not a whole number, zero or more")
    return value


def _lists(kinds: tuple[str, ...]) -> Callable[[object, str], Texts]:
    """Make a reader of lists of texts by a kind."""

    def read(value: object, where: str) -> Texts:
        if not isinstance(value, Mapping) or not all(isinstance(texts, list | tuple) for texts in value.values()):
            raise ValueError(f"{where}: not an object of lists")
        for kind, texts in value.items():
            if kind not in kinds or not all(isinstance(text, str) for text in texts):
                raise ValueError(f"{where}: not made of lists of texts by {', '.join(kinds)}")
        return tuple((kind, tuple(texts)) for kind, texts in value.items())

    return read


def _conditions(value: object, where: str) -> tuple[Mapping[str, Any], ...]:
    found = []
    for place, given in objects(value, where, ("severity", "threshold", "duration", "ddl_types"), needed="severity"):
        if given["severity"] not in SEVERITIES:
            raise ValueError(f"{place}: severity: none of {', '.join(SEVERITIES)}")
        for name in {"threshold", "duration"} & set(given):
            whole_number(given[name], f"{place}: {name}")
        types = given.get("ddl_types", [])
        if not isinstance(types, list | tuple) or not all(isinstance(text, str) for text in types):
            raise ValueError(f"{place}: ddl_types: not a list of texts")
        found.append(dict(given))
    return tuple(found)


_READERS: Final[Mapping[str, Callable[[object, str], Any]]] = {
    "metric": _metric,
    "name": _text,
    "enabled": flag,
    "description": _text,
    "receivers": _lists(RECEIVER_TYPES),
    "channels": _lists(SEVERITIES),
    "conditions": _conditions,
    "interval": whole_number,
}
