"""Decides which fault rule a call meets, counted in order; never answers a call."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from .rules import Rule, parse_rule


@dataclass
class _Armed:
    rule: Rule
    source: dict[str, Any]
    seen: int = 0
    fired: int = 0

    def count(self) -> bool:
        self.seen += 1
        if self.seen <= self.rule.skip:
            return False
        self.fired += 1
        return True

    @property
    def spent(self) -> bool:
        return self.rule.times is not None and self.fired >= self.rule.times


class FaultScript:
    """
    Rules in order. The first one that matches and is neither skipping nor spent is the one for the call.

    A call that an earlier rule matched is not seen by later ones: two rules for one operation happen in turn.
    """

    def __init__(self, rules: Iterable[Mapping[str, Any]] = ()) -> None:
        self._armed: list[_Armed] = []
        self.add(rules)

    def add(self, rules: Iterable[Mapping[str, Any]]) -> None:
        """
        Put rules behind those already there: all of them, or none if one is wrong.

        :raises ValueError: naming the rule and the field.
        """
        self._armed += [_Armed(parse_rule(rule, f"fault {place}"), dict(rule)) for place, rule in enumerate(rules, 1)]

    def match(self, operation: str, version: str, number: int | None) -> Rule | None:
        """Tell which rule, if any, this call runs into, and count it."""
        for armed in self._armed:
            if not armed.spent and armed.rule.matches(operation, version, number) and armed.count():
                return armed.rule
        return None

    def as_list(self) -> list[dict[str, Any]]:
        """Give the rules as JSON values, with how many calls each has seen and met."""
        return [
            {"rule": _shown(armed.source), "seen": armed.seen, "fired": armed.fired, "spent": armed.spent}
            for armed in self._armed
        ]


def _shown(source: Mapping[str, Any]) -> dict[str, Any]:
    return {
        name: value.decode(errors="replace") if isinstance(value, bytes) else value for name, value in source.items()
    }


HINTS: Final = ("retry-after", "x-acs-retry-after", "x-ratelimit-user", "x-ratelimit-user-api")
_NUMBERS: Final = frozenset({"job_id", "skip", "status", "times"})
_BARE: Final = frozenset({"throttle", "error", "truncate", "success_false"})


def parse_option(text: str) -> dict[str, Any]:
    """
    Read a rule from one command line option: JSON, or ``OPERATION,KIND[=VALUE],NAME=VALUE,..``.

    ``StopDIJob,throttle,times=2,x-acs-retry-after=2000`` and ``*,drop=after,job_id=11668`` are short;
    ``status``, ``message`` and the hint headers then belong to the ``throttle`` or ``error`` of the same rule.

    :raises ValueError: if it is neither.
    """
    if text.lstrip().startswith("{"):
        try:
            rule: dict[str, Any] = json.loads(text)
        except ValueError as error:
            raise ValueError(f"fault {text!r}: not JSON ({error})") from error
        return rule
    operation, *parts = (part.strip() for part in text.split(","))
    rule = {"operation": operation}
    for part in parts:
        name, given, value = part.partition("=")
        if not given and name not in _BARE:
            raise ValueError(f"fault {text!r}: {part!r} needs a value, as {part}=VALUE")
        rule[name] = _option_value(name, value, f"fault {text!r}: {name}") if given else True
    _nest(rule)
    return rule


def _option_value(name: str, value: str, where: str) -> object:
    if name == "times" and value == "always":
        return None
    if name in _NUMBERS:
        if not (value.isascii() and value.isdigit()):
            raise ValueError(f"{where}: {value!r} is not a whole number")
        return int(value)
    if name in ("effect", "truncate", "success_false") and value in ("true", "false"):
        return value == "true"
    return value


def _nest(rule: dict[str, Any]) -> None:
    """Move what belongs to a throttle or an error inside it, and hint headers among the hints."""
    hints = {name: rule.pop(name) for name in HINTS if name in rule}
    for kind in ("throttle", "error", "success_false"):
        if kind in rule:
            details = {} if rule[kind] is True else {"code": rule[kind]}
            details.update({name: rule.pop(name) for name in ("status", "message") if name in rule})
            rule[kind] = {**details, "hints": hints} if hints else details
            return
    if hints:
        rule["hints"] = hints
