"""Answers the operations on alarm rules of both API versions; knows no HTTP, and quotes no value of a rule.

2020-05-18 replaces a rule by what is sent, so that what is left out is gone; 2024-05-18 changes what is sent.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Final

from .alarm_rules import METRICS, RECEIVER_TYPES, SEVERITIES, AlarmRule, Texts, whole_number
from .job_store import JobStore
from .parameters import Params, boolean, job_of, page_of, rule_of, whole
from .responses import Refusal
from .rules import V2020, V2024

Result = dict[str, Any]

# What a rule becomes in 2020-05-18 by a field that was left out. The vendor: "By default, the alert rule is disabled."
_REPLACED: Final[Mapping[str, Any]] = {"enabled": False, "description": ""}
_USUAL_INTERVAL: Final = 5


def list_2020(store: JobStore, params: Params, now: float) -> Result:
    """Answer ListDIAlarmRules of 2020-05-18: the rules of a job."""
    rules = store.alarm_rules.of_job(job_of(store, V2020, params, now).id)
    return {"DIAlarmRulePaging": _paged(params, rules, V2020)}


def list_2024(store: JobStore, params: Params, now: float) -> Result:
    """Answer ListDIAlarmRules of 2024-05-18: the rules of a job, or one rule, or neither if they do not belong."""
    rule_id = whole(params, "DIAlarmRuleId")
    if rule_id is None or params.get("JobId"):
        rules = store.alarm_rules.of_job(job_of(store, V2024, params, now, ("JobId",)).id)
        rules = [rule for rule in rules if rule_id in (None, rule.id)]
    else:
        found = store.alarm_rules.find(rule_id)
        rules = [] if found is None else [found]
    return {"PagingInfo": _paged(params, rules, V2024)}


def _paged(params: Params, rules: list[AlarmRule], version: str) -> Result:
    number, size, part = page_of(params, len(rules))
    items = [_shown(rule, version) for rule in rules[part]]
    return {"TotalCount": len(rules), "PageNumber": number, "PageSize": size, "DIJobAlarmRules": items}


def get_2020(store: JobStore, params: Params, now: float) -> Result:
    """Answer GetDIAlarmRule, which 2024-05-18 does not have."""
    rule = rule_of(store, V2020, params)
    owner = getattr(store.find(rule.job_id, now), "owner", "")
    touched = {
        "CreatedTime": int(rule.created_at),
        "CreatedUid": owner,
        "UpdatedTime": int(rule.updated_at),
        "UpdatedUid": owner,
    }
    return {"DIAlarmRule": {**_shown(rule, V2020), **touched}}


def update_2020(store: JobStore, params: Params, now: float) -> Result:
    """Answer UpdateDIAlarmRule of 2020-05-18, which knows no name and keeps it."""
    rule = rule_of(store, V2020, params)
    for name in ("MetricType", "NotificationSettings", "TriggerConditions"):
        if not params.get(name):
            raise _missing(name)
    settings = _json(params, "NotificationSettings")
    for name in ("NotificationChannels", "NotificationReceivers"):
        if not settings.get(name):
            raise _missing(name)
    sent = {name: value for name, value in _sent(params).items() if name != "name"}
    store.alarm_rules.update(rule, {**_REPLACED, **sent}, now)
    return {}


def update_2024(store: JobStore, params: Params, now: float) -> Result:
    """Answer UpdateDIAlarmRule of 2024-05-18."""
    store.alarm_rules.update(rule_of(store, V2024, params), _sent(params), now)
    return {"Success": True}


def _shown(rule: AlarmRule, version: str) -> Result:
    """Give a rule in the words of a version; the older has neither its name nor kinds of DDL statements."""
    newer = version == V2024
    conditions = []
    for condition in rule.conditions:
        named = {"Severity": "severity", "Threshold": "threshold", "Duration": "duration"}
        named |= {"DdlTypes": "ddl_types"} if newer else {}
        conditions.append({name: condition[field] for name, field in named.items() if field in condition})
    settings = {
        "InhibitionInterval": rule.interval,
        **({"MuteInterval": rule.interval} if newer else {}),
        "NotificationChannels": [{"Severity": kind, "Channels": list(texts)} for kind, texts in rule.channels],
        "NotificationReceivers": [
            {"ReceiverType": kind, "ReceiverValues": list(texts)} for kind, texts in rule.receivers
        ],
    }
    return {
        **({"Id": rule.id, "Name": rule.name} if newer else {}),
        "DIAlarmRuleId": rule.id,
        "DIJobId": rule.job_id,
        "Description": rule.description,
        "Enabled": rule.enabled,
        "MetricType": rule.metric,
        "NotificationSettings": settings,
        "TriggerConditions": conditions,
    }


def _sent(params: Params) -> dict[str, Any]:
    """Read the fields of a rule that a call sends."""
    found: dict[str, Any] = {}
    for name, field in (("Name", "name"), ("Description", "description"), ("MetricType", "metric")):
        if params.get(name):
            found[field] = params[name]
    if found.get("metric", METRICS[0]) not in METRICS:
        raise _invalid("MetricType")
    enabled = boolean(params, "Enabled")
    if enabled is not None:
        found["enabled"] = enabled
    if params.get("NotificationSettings"):
        found |= _notification(_json(params, "NotificationSettings"))
    if params.get("TriggerConditions"):
        try:
            found["conditions"] = tuple(map(_condition, json.loads(params["TriggerConditions"])))
        except (ValueError, TypeError, AttributeError, RecursionError) as error:
            raise _invalid("TriggerConditions") from error
    return found


def _json(params: Params, name: str) -> dict[str, Any]:
    try:
        found = json.loads(params[name])
    except (ValueError, RecursionError) as error:
        raise _invalid(name) from error
    if not isinstance(found, dict):
        raise _invalid(name)
    return found


def _notification(settings: Mapping[str, Any]) -> dict[str, Any]:
    try:
        interval = settings.get("MuteInterval", settings.get("InhibitionInterval", _USUAL_INTERVAL))
        return {
            "interval": whole_number(interval, "NotificationSettings"),
            "channels": _lists(settings.get("NotificationChannels") or [], "Severity", "Channels", SEVERITIES),
            "receivers": _lists(
                settings.get("NotificationReceivers") or [], "ReceiverType", "ReceiverValues", RECEIVER_TYPES
            ),
        }
    except (ValueError, TypeError, AttributeError) as error:
        raise _invalid("NotificationSettings") from error


def _lists(items: list[Mapping[str, Any]], kind: str, texts: str, kinds: tuple[str, ...]) -> Texts:
    found = []
    for item in items:
        values = item.get(texts)
        if item.get(kind) not in kinds or not isinstance(values, list) or not all(isinstance(v, str) for v in values):
            raise ValueError(kind)
        found.append((str(item[kind]), tuple(values)))
    return tuple(found)


def _condition(item: Mapping[str, Any]) -> dict[str, Any]:
    found = {"severity": item.get("Severity")}
    if found["severity"] not in SEVERITIES:
        raise ValueError("Severity")
    for name in ("Threshold", "Duration"):
        if item.get(name) is not None:
            found[name.lower()] = whole_number(item[name], name)
    if item.get("DdlTypes"):
        found["ddl_types"] = [str(text) for text in item["DdlTypes"]]
    return found


def _missing(name: str) -> Refusal:
    return Refusal(400, f"Missing{name}", f"{name} is mandatory for this action.")


def _invalid(name: str) -> Refusal:
    return Refusal(400, "InvalidParameter", f"The specified parameter {name} is not valid.")
