"""Reads the parameters of calls: ids, pages, and which job or alarm rule one is about; refuses what is wrong."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from .alarm_rules import AlarmRule
from .job_settings import LARGEST_ID, job_id
from .job_store import JobStore
from .jobs import Job
from .responses import Refusal
from .rules import V2020, V2024

Params = Mapping[str, str]

_ABOUT_A_RULE: Final = frozenset({"GetDIAlarmRule", "UpdateDIAlarmRule"})


def own_job_id(store: JobStore, version: str, action: str, params: Params) -> int | None:
    """Tell which job a call is about, by an alarm rule too, or ``None`` if it names none or not properly."""
    if action in _ABOUT_A_RULE:
        rule = store.alarm_rules.find(_first_id(params, _rule_names(version)) or 0)
        return None if rule is None else rule.job_id
    return _first_id(params, ("JobId",) if (version, action) == (V2024, "ListDIAlarmRules") else _id_names(version))


def _first_id(params: Params, names: tuple[str, ...]) -> int | None:
    for name in names:
        try:
            return job_id(params[name])
        except (KeyError, ValueError):
            continue
    return None


def _rule_names(version: str) -> tuple[str, ...]:
    return ("DIAlarmRuleId",) if version == V2020 else ("Id", "DIAlarmRuleId")


def _id_names(version: str) -> tuple[str, ...]:
    # 2024-05-18 replaced DIJobId by Id and still takes the old name.
    return ("DIJobId",) if version == V2020 else ("Id", "DIJobId")


def whole(params: Params, name: str, *, required: bool = False) -> int | None:
    """Read a positive whole number; refuse anything else, and nothing where it is required."""
    value = params.get(name, "")
    if not value:
        if required:
            raise Refusal(400, f"Missing{name}", f"{name} is mandatory for this action.")
        return None
    try:
        return job_id(value, name)
    except ValueError as error:
        raise Refusal(400, "InvalidParameter", f"The specified parameter {name} is not valid.") from error


def boolean(params: Params, name: str) -> bool | None:
    """Read a truth value; ``None`` where there is none."""
    value = params.get(name, "")
    # The vendor's Python SDK sends Python's own spelling, True and False.
    if value.lower() not in ("", "true", "false"):
        raise Refusal(400, "InvalidParameter", f"The specified parameter {name} is not valid.")
    return value.lower() == "true" if value else None


def job_of(store: JobStore, version: str, params: Params, now: float, names: tuple[str, ...] = ()) -> Job:
    """
    Find the job that a call is about, as it is now; refuse a call about none.

    :param names: parameters of which one names the job; by default those of most operations.
    """
    names = names or _id_names(version)
    given = [name for name in names if params.get(name)]
    number = whole(params, given[0] if given else names[0], required=True)
    job = store.find(number or 0, now)
    if job is not None:
        return job
    if version == V2024:
        # The code is the one Terraform's provider takes for "not found"; the HTTP status is not published.
        raise Refusal(400, "500130", "The DI job does not exist.")
    # Nothing is published for 2020-05-18: status and code are a guess, after the gateway's Invalid<Parameter>.NotFound.
    raise Refusal(404, "InvalidDIJobId.NotFound", "The specified DIJobId does not exist.")


def rule_of(store: JobStore, version: str, params: Params) -> AlarmRule:
    """Find the alarm rule that a call is about; refuse a call about none, or about another job's."""
    names = _rule_names(version)
    given = [name for name in names if params.get(name)]
    rule = store.alarm_rules.find(whole(params, given[0] if given else names[0], required=True) or 0)
    if rule is not None and whole(params, "DIJobId") in (None, rule.job_id):
        return rule
    # Nothing is published for either version; these follow what is known of jobs.
    if version == V2024:
        raise Refusal(400, "500130", "The alarm rule does not exist.")
    raise Refusal(404, "InvalidDIAlarmRuleId.NotFound", "The specified DIAlarmRuleId does not exist.")


def page_of(params: Params, total: int) -> tuple[int, int, slice]:
    """Read page number and size, and say which part of all that page holds."""
    numbers = []
    for name, usual, most in (("PageNumber", 1, LARGEST_ID), ("PageSize", 10, 100)):
        value = params.get(name, "") or str(usual)
        if not (value.isascii() and value.isdigit() and len(value) <= 19 and 0 < int(value) <= most):
            raise Refusal(400, f"Invalid{name}", f"The specified parameter {name} is not valid.")
        numbers.append(int(value))
    number, size = numbers
    first = min((number - 1) * size, total)
    return number, size, slice(first, first + size)
