"""The DataWorks of :mod:`fake_dataworks` with alarm rules that can be changed, and with what a test tells of a job."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import httpx
from fake_dataworks import JOB, REQUEST_ID, Drive, FakeDataWorks, Heard, refuse

from airflow_provider_dataworks.client.config import API_2020, API_2024

DING = "dingtoken0123456789abcdef"
HOOK_TOKEN = "9f1c0a77feedbeef0123456789"
WEBHOOK = f"https://oapi.example.com/robot/send?access_token={HOOK_TOKEN}"
UID = "1234567890123456"
RECEIVERS = (DING, WEBHOOK, HOOK_TOKEN)
RULE = 45242


def rule_fields(rule_id: int = RULE, enabled: bool = True, metric: str = "Delay", **more: Any) -> dict[str, Any]:
    """Return an alarm rule in the service's words, of both versions."""
    return {
        "DIAlarmRuleId": rule_id,
        "DIJobId": JOB,
        "Description": "delay of orders",
        "Enabled": enabled,
        "MetricType": metric,
        "NotificationSettings": {
            "InhibitionInterval": 5,
            "NotificationChannels": [{"Channels": ["Ding", "Mail"], "Severity": "Warning"}],
            "NotificationReceivers": [
                {"ReceiverType": "DingToken", "ReceiverValues": [DING, WEBHOOK]},
                {"ReceiverType": "AliyunUid", "ReceiverValues": [UID]},
            ],
        },
        "TriggerConditions": [{"Duration": 10, "Severity": "Warning", "Threshold": 600}],
        **more,
    }


class FakeDiagnostics(FakeDataWorks):
    """
    A service with alarm rules.

    :ivar rules: the service's own fields by the rule's id.
    :ivar told: what it answers to other operations: a payload, or what makes one of the page's number.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.rules: dict[int, dict[str, Any]] = {}
        self.told: dict[str, Any] = {}
        self.changes = 0
        self.put(rule_fields())

    def put(self, fields: dict[str, Any]) -> dict[str, Any]:
        """Add a rule, or replace it."""
        if self.version == API_2024:
            fields = {"Id": fields["DIAlarmRuleId"], "Name": "delay", **fields}
        return self.rules.setdefault(fields["DIAlarmRuleId"], fields)

    def _answer(self, action: str, payload: Mapping[str, Any], **flags: Any) -> httpx.Response:
        if self.xml:
            return super()._answer(action, payload, **flags)
        # With escapes, so that half an emoji gets there.
        body = json.dumps({"RequestId": REQUEST_ID, **flags, **payload})
        return httpx.Response(200, content=body, headers={"content-type": "application/json"})

    def _serve(self, heard: Heard) -> httpx.Response:
        if heard.action not in self.told:
            return super()._serve(heard)
        told = self.told[heard.action]
        return self._answer(heard.action, told(int(heard.params["PageNumber"])) if callable(told) else told)

    def _ListDIAlarmRules(self, heard: Heard) -> httpx.Response:  # noqa: N802 - the vendor's name
        wanted = int(heard.params.get("DIAlarmRuleId") or 0)
        found = [fields for rule_id, fields in self.rules.items() if wanted in (0, rule_id)]
        first = (int(heard.params["PageNumber"]) - 1) * 100
        page = {"TotalCount": len(found), "DIJobAlarmRules": found[first : first + 100]}
        return self._answer(
            "ListDIAlarmRules", {"DIAlarmRulePaging" if self.version == API_2020 else "PagingInfo": page}
        )

    def _GetDIAlarmRule(self, heard: Heard) -> httpx.Response:  # noqa: N802 - the vendor's name
        rule_id = int(heard.params["DIAlarmRuleId"])
        if rule_id not in self.rules:
            return refuse("AlarmRule.NotExist", 404, "no such rule")(heard.request, None)
        touched = {"UpdatedTime": int(self.now()), "UpdatedUid": "u", "CreatedUid": "c"}
        return self._answer("GetDIAlarmRule", {"DIAlarmRule": {**self.rules[rule_id], **touched}})

    def _UpdateDIAlarmRule(self, heard: Heard) -> httpx.Response:  # noqa: N802 - the vendor's name
        params, enabled = heard.params, heard.params["Enabled"] == "true"
        self.changes += 1
        if self.version == API_2024:
            self.rules[int(params["Id"])]["Enabled"] = enabled
        else:
            # Everything is replaced: what was not sent is gone.
            structures = {name: json.loads(params[name]) for name in ("NotificationSettings", "TriggerConditions")}
            plain = {name: params[name] for name in ("Description", "MetricType") if name in params}
            rule_id = int(params["DIAlarmRuleId"])
            self.rules[rule_id] = {
                "DIAlarmRuleId": rule_id,
                "DIJobId": JOB,
                "Enabled": enabled,
                **plain,
                **structures,
            }
        return self._done("UpdateDIAlarmRule")


def use_diagnostics(drive: Drive, version: str = API_2024, **more: Any) -> FakeDiagnostics:
    """Give a client such a service."""
    dataworks = FakeDiagnostics(drive.clock, version=version)
    drive.use(dataworks=dataworks, **more)
    return dataworks
