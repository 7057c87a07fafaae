"""What can be asked about how a DI job runs, and of its alarm rules: a function that returns a Call; nothing is sent.

As in :mod:`.operations`, names, method and place of the parameters are the vendor's. Most of it exists in API
2024-05-18 only; asked of the other, it is refused here. In 2020-05-18 a change of an alarm rule replaces the whole
rule, so one that the service did not show in full must never be sent back.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any, NoReturn, Protocol, TypeVar

from airflow_provider_dataworks.client.auth.signing import flat
from airflow_provider_dataworks.client.config import API_2020, API_2024
from airflow_provider_dataworks.client.diagnostics import (
    EVENT_KINDS,
    METRICS,
    AlarmRule,
    JobEvent,
    Listed,
    Sample,
    TableRun,
)
from airflow_provider_dataworks.client.errors.catalog import CATALOG
from airflow_provider_dataworks.client.http.decoding import Payload
from airflow_provider_dataworks.client.http.diagnostic_responses import (
    PAGING,
    read_alarm_rule,
    read_alarm_rules,
    read_events,
    read_log_lines,
    read_samples,
    read_table_runs,
)
from airflow_provider_dataworks.client.http.responses import read_request_id
from airflow_provider_dataworks.client.operations import PAGE_SIZE, Call
from airflow_provider_dataworks.exceptions import DataWorksInvalidRequest
from airflow_provider_dataworks.values import MILLISECONDS, finite_number, int64, invalid, one_of, shown

T = TypeVar("T")


class Diagnostics(Protocol):
    """The operations, in either API version."""

    def ListDIJobMetrics(
        self, di_job_id: int | str, names: Sequence[str], start: float, end: float
    ) -> Call[dict[str, tuple[Sample, ...]]]:
        """Ask for the samples of some metrics between two moments, in epoch seconds."""
        ...

    def ListDIJobEvents(
        self, di_job_id: int | str, kind: str, start: float, end: float, page: int
    ) -> Call[Listed[JobEvent]]:
        """Ask for one page of the events of a kind between two moments, in epoch seconds."""
        ...

    def ListDIJobRunDetails(self, di_job_id: int | str, page: int) -> Call[Listed[TableRun]]:
        """Ask for one page of the job's tables and how each runs."""
        ...

    def GetDIJobLog(self, di_job_id: int | str, page: int) -> Call[tuple[str, ...]]:
        """Ask for the lines of one page of the job's log."""
        ...

    def ListDIAlarmRules(self, di_job_id: int | str, page: int) -> Call[Listed[AlarmRule]]:
        """Ask for one page of the job's alarm rules."""
        ...

    def GetDIAlarmRule(self, rule: AlarmRule) -> Call[AlarmRule | Listed[AlarmRule]]:
        """Ask for one alarm rule as it is now; the answer may be a list of it alone."""
        ...

    def UpdateDIAlarmRule(self, rule: AlarmRule, enabled: bool) -> Call[str]:
        """Ask to switch an alarm rule; the answer is the request id."""
        ...


class Diagnostics20200518:
    """API 2020-05-18: it knows alarm rules only, and replaces a whole rule."""

    def ListDIJobMetrics(self, di_job_id: int | str, names: Sequence[str], start: float, end: float) -> NoReturn:
        """Refuse: only 2024-05-18 has it."""
        raise _needs_2024("ListDIJobMetrics", di_job_id)

    def ListDIJobEvents(self, di_job_id: int | str, kind: str, start: float, end: float, page: int) -> NoReturn:
        """Refuse: only 2024-05-18 has it."""
        raise _needs_2024("ListDIJobEvents", di_job_id)

    def ListDIJobRunDetails(self, di_job_id: int | str, page: int) -> NoReturn:
        """Refuse: only 2024-05-18 has it."""
        raise _needs_2024("ListDIJobRunDetails", di_job_id)

    def GetDIJobLog(self, di_job_id: int | str, page: int) -> NoReturn:
        """Refuse: only 2024-05-18 has it."""
        raise _needs_2024("GetDIJobLog", di_job_id)

    def ListDIAlarmRules(self, di_job_id: int | str, page: int) -> Call[Listed[AlarmRule]]:
        """https://www.alibabacloud.com/help/en/dataworks/developer-reference/api-dataworks-public-2020-05-18-listdialarmrules"""
        job_id = int64(di_job_id, "di_job_id")
        read = partial(read_alarm_rules, envelope="DIAlarmRulePaging", di_job_id=job_id)
        params = {"DIJobId": job_id, **_page(page)}
        return _form("ListDIAlarmRules", params, read, di_job_id=job_id, confidential=True)

    def GetDIAlarmRule(self, rule: AlarmRule) -> Call[AlarmRule]:
        """https://www.alibabacloud.com/help/en/dataworks/developer-reference/api-dataworks-public-2020-05-18-getdialarmrule"""
        rule_id, job_id = _ids(rule)
        read = partial(read_alarm_rule, rule_id=rule_id, di_job_id=job_id)
        return _form("GetDIAlarmRule", {"DIAlarmRuleId": rule_id}, read, di_job_id=job_id, confidential=True)

    def UpdateDIAlarmRule(self, rule: AlarmRule, enabled: bool) -> Call[str]:
        """
        https://www.alibabacloud.com/help/en/dataworks/developer-reference/api-dataworks-public-2020-05-18-updatedialarmrule

        :raises DataWorksInvalidRequest: the rule as it was read cannot be sent back without a loss.
        """
        rule_id, job_id = _ids(rule)
        if problem := _loss(rule):
            message = f"alarm rule {rule_id} would be damaged by it: {problem}. Nothing was sent."
            row = CATALOG["alarm-rule-not-safe"]
            raise DataWorksInvalidRequest(message, action="UpdateDIAlarmRule", di_job_id=job_id, **row.kwargs)
        params = {
            "DIAlarmRuleId": rule_id,
            "Description": rule.whole.get("Description"),
            "Enabled": enabled,
            "MetricType": rule.whole["MetricType"],
            "NotificationSettings": _json(rule.whole["NotificationSettings"]),
            "TriggerConditions": _json(rule.whole["TriggerConditions"]),
        }
        more = {"changes": True, "di_job_id": job_id, "confidential": True}
        return _form("UpdateDIAlarmRule", params, read_request_id, **more)


class Diagnostics20240518:
    """API 2024-05-18: parameters in the query, one envelope ``PagingInfo``."""

    def ListDIJobMetrics(
        self, di_job_id: int | str, names: Sequence[str], start: float, end: float
    ) -> Call[dict[str, tuple[Sample, ...]]]:
        """https://www.alibabacloud.com/help/en/dataworks/developer-reference/api-dataworks-public-2024-05-18-listdijobmetrics"""
        job_id, wanted = int64(di_job_id, "di_job_id"), _known(names, "names", METRICS)
        times = _between(start, end)
        read = partial(read_samples, names=wanted, end=times["EndTime"])
        params = {"DIJobId": job_id, "MetricName": _json(wanted), **times}
        return _query("ListDIJobMetrics", params, read, di_job_id=job_id)

    def ListDIJobEvents(
        self, di_job_id: int | str, kind: str, start: float, end: float, page: int
    ) -> Call[Listed[JobEvent]]:
        """https://www.alibabacloud.com/help/en/dataworks/developer-reference/api-dataworks-public-2024-05-18-listdijobevents"""
        job_id, wanted = int64(di_job_id, "di_job_id"), one_of(*EVENT_KINDS)(kind, "kinds")
        params = {"DIJobId": job_id, "EventType": wanted, **_between(start, end), **_page(page)}
        return _query("ListDIJobEvents", params, partial(read_events, kind=wanted), di_job_id=job_id)

    def ListDIJobRunDetails(self, di_job_id: int | str, page: int) -> Call[Listed[TableRun]]:
        """https://www.alibabacloud.com/help/en/dataworks/developer-reference/api-dataworks-public-2024-05-18-listdijobrundetails"""
        job_id = int64(di_job_id, "di_job_id")
        return _query("ListDIJobRunDetails", {"DIJobId": job_id, **_page(page)}, read_table_runs, di_job_id=job_id)

    def GetDIJobLog(self, di_job_id: int | str, page: int) -> Call[tuple[str, ...]]:
        """https://www.alibabacloud.com/help/en/dataworks/developer-reference/api-dataworks-public-2024-05-18-getdijoblog"""
        # NodeType is for serverless resource groups only, by the vendor's page: MASTER is the job manager's log.
        job_id = int64(di_job_id, "di_job_id")
        params = {"Id": job_id, "NodeType": "MASTER", "PageNumber": int64(page, "page")}
        return _query("GetDIJobLog", params, read_log_lines, di_job_id=job_id)

    def ListDIAlarmRules(self, di_job_id: int | str, page: int) -> Call[Listed[AlarmRule]]:
        """https://www.alibabacloud.com/help/en/dataworks/developer-reference/api-dataworks-public-2024-05-18-listdialarmrules"""
        return self._alarm_rules(di_job_id, page)

    def GetDIAlarmRule(self, rule: AlarmRule) -> Call[Listed[AlarmRule]]:
        """Ask ListDIAlarmRules for one rule: this version has no operation of that name."""
        rule_id, job_id = _ids(rule)
        return self._alarm_rules(job_id, 1, rule_id)

    def _alarm_rules(self, di_job_id: int | str, page: int, rule_id: int | None = None) -> Call[Listed[AlarmRule]]:
        job_id = int64(di_job_id, "di_job_id")
        read = partial(read_alarm_rules, envelope=PAGING, di_job_id=job_id)
        params = {"JobId": job_id, "DIAlarmRuleId": rule_id, **_page(page)}
        return _query("ListDIAlarmRules", params, read, di_job_id=job_id, confidential=True)

    def UpdateDIAlarmRule(self, rule: AlarmRule, enabled: bool) -> Call[str]:
        """https://www.alibabacloud.com/help/en/dataworks/developer-reference/api-dataworks-public-2024-05-18-updatedialarmrule"""
        rule_id, job_id = _ids(rule)
        more = {"changes": True, "di_job_id": job_id, "confidential": True}
        return _query("UpdateDIAlarmRule", {"Id": rule_id, "Enabled": enabled}, read_request_id, **more)


DIAGNOSTICS: dict[str, Diagnostics] = {API_2020: Diagnostics20200518(), API_2024: Diagnostics20240518()}


def _form(action: str, params: Mapping[str, object], read: Callable[[str, Payload], T], **more: Any) -> Call[T]:
    return Call(action, API_2020, "POST", False, flat(params), read, **more)


def _query(action: str, params: Mapping[str, object], read: Callable[[str, Payload], T], **more: Any) -> Call[T]:
    return Call(action, API_2024, "GET", True, flat(params), read, **more)


def _needs_2024(action: str, di_job_id: int | str) -> DataWorksInvalidRequest:
    job_id, message = int64(di_job_id, "di_job_id"), f"API {API_2020} has no {action}. Nothing was sent."
    return DataWorksInvalidRequest(message, action=action, di_job_id=job_id, **CATALOG["needs-2024"].kwargs)


def _json(value: object) -> str:
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False)


def _page(number: int) -> dict[str, int]:
    return {"PageNumber": int64(number, "page"), "PageSize": PAGE_SIZE}


def _ids(rule: AlarmRule) -> tuple[int, int]:
    return int64(rule.id, "rule.id"), int64(rule.di_job_id, "rule.di_job_id")


def _known(given: Sequence[str], name: str, known: tuple[str, ...]) -> list[str]:
    check = one_of(*known)
    found = list(dict.fromkeys(check(each, name) for each in ([given] if isinstance(given, str) else given)))
    if not found:
        raise invalid(name, "is empty", f"Use {' or '.join(known)}.")
    return found


def _between(start: float, end: float) -> dict[str, int]:
    for name, moment in (("start", start), ("end", end)):
        if finite_number(moment, 1, MILLISECONDS - 1) is None:
            raise invalid(name, f"{shown(moment)} is no moment", f"Give {name} in epoch seconds, like 1671516776.")
    times = {"StartTime": math.floor(start), "EndTime": math.ceil(end)}
    if times["StartTime"] >= times["EndTime"]:
        raise invalid("end", f"{shown(end)} is not after start", "Give a later moment.")
    return times


def _loss(rule: AlarmRule) -> str | None:
    """Return what would be lost if the rule were sent back as it was read."""
    settings, conditions = rule.whole.get("NotificationSettings"), rule.whole.get("TriggerConditions")
    receivers = settings.get("NotificationReceivers") if isinstance(settings, Mapping) else None
    channels = settings.get("NotificationChannels") if isinstance(settings, Mapping) else None
    lists = {"TriggerConditions": conditions, "NotificationChannels": channels, "NotificationReceivers": receivers}
    missing = [name for name, value in lists.items() if not _holds_objects(value)]
    if not (isinstance(rule.whole.get("MetricType"), str) and rule.whole["MetricType"]):
        missing.append("MetricType")
    if missing:
        return f"the service did not show its {' and '.join(missing)}"
    for receiver in receivers or ():
        values = receiver.get("ReceiverValues")
        if not isinstance(values, list) or not values:
            return "the service did not show its ReceiverValues"
        if any(isinstance(each, bool) or not isinstance(each, str | int) or "*" in str(each) for each in values):
            return "the service shows its receivers masked"
    if not isinstance(rule.whole.get("Description"), str | None):
        return "its Description is no text"
    return None if rule.exact else "the service shows it with characters, or in a form, that cannot be sent back"


def _holds_objects(value: object) -> bool:
    return isinstance(value, list) and bool(value) and all(isinstance(each, Mapping) and each for each in value)
