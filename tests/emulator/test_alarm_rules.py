"""Alarm rules of emulated jobs: the same in both API versions, replaced in one, their receivers shown nowhere."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from airflow_provider_dataworks.emulator import Emulator

JOB, DELAY, BEAT = 11668, 45242, 45243
V2020, V2024 = "2020-05-18", "2024-05-18"
TOKEN, WEBHOOK = "dingtoken0123456789", "https://hooks.example.com/robot?access_token=feedbeef0123"
RULES: list[dict[str, Any]] = [
    {
        "id": DELAY,
        "metric": "Delay",
        "name": "late",
        "description": "orders are late",
        "receivers": {"DingToken": [TOKEN], "WebHookUrl": [WEBHOOK]},
        "channels": {"Warning": ["Ding"], "Critical": ["Phone", "Ding"]},
        "conditions": [{"severity": "Warning", "threshold": 600, "duration": 10}],
        "interval": 20,
    },
    {"id": BEAT, "metric": "Heartbeat", "enabled": False},
]
SETTINGS = {
    "InhibitionInterval": 20,
    "NotificationChannels": [
        {"Severity": "Warning", "Channels": ["Ding"]},
        {"Severity": "Critical", "Channels": ["Phone", "Ding"]},
    ],
    "NotificationReceivers": [
        {"ReceiverType": "DingToken", "ReceiverValues": [TOKEN]},
        {"ReceiverType": "WebHookUrl", "ReceiverValues": [WEBHOOK]},
    ],
}
CONDITIONS = [{"Severity": "Warning", "Threshold": 600, "Duration": 10}]
SHOWN = {
    "DIAlarmRuleId": DELAY,
    "DIJobId": JOB,
    "Description": "orders are late",
    "Enabled": True,
    "MetricType": "Delay",
    "NotificationSettings": SETTINGS,
    "TriggerConditions": CONDITIONS,
}
WHOLE = {
    "DIAlarmRuleId": DELAY,
    "MetricType": "Delay",
    "NotificationSettings": json.dumps(SETTINGS),
    "TriggerConditions": json.dumps(CONDITIONS),
}


@pytest.fixture
def ask(emulator: Emulator, raw: Any) -> Callable[..., dict[str, Any]]:
    """Gives the job two rules; then asks one question and gives the answer without its request id."""
    emulator.add_job(JOB, alarm_rules=RULES)

    def answer(action: str, version: str = V2020, **params: object) -> dict[str, Any]:
        body: dict[str, Any] = raw.call(action, version, **params).json()
        del body["RequestId"]
        return body

    return answer


def test_both_versions_see_the_same_rules(ask):
    """Each in its own words: the newer has a name and two ids."""
    page = ask("ListDIAlarmRules", DIJobId=JOB)["DIAlarmRulePaging"]
    assert (page["TotalCount"], page["PageNumber"], page["PageSize"]) == (2, 1, 10)
    assert page["DIJobAlarmRules"][0] == SHOWN
    assert [rule["Enabled"] for rule in page["DIJobAlarmRules"]] == [True, False]
    newer = {**SHOWN, "Id": DELAY, "Name": "late", "NotificationSettings": {**SETTINGS, "MuteInterval": 20}}
    assert ask("ListDIAlarmRules", V2024, JobId=JOB)["PagingInfo"]["DIJobAlarmRules"][0] == newer
    one = ask("ListDIAlarmRules", V2024, JobId=JOB, PageSize=1, PageNumber=2)["PagingInfo"]
    assert (one["TotalCount"], [rule["Id"] for rule in one["DIJobAlarmRules"]]) == (2, [BEAT])


def test_a_rule_can_be_asked_for_alone(ask, clock):
    """By an operation of the older version, and by a filter of the newer one."""
    rule = ask("GetDIAlarmRule", DIAlarmRuleId=DELAY)["DIAlarmRule"]
    times = {"CreatedTime": int(clock()), "UpdatedTime": int(clock())}
    assert rule == {**SHOWN, **times, "CreatedUid": "100000001", "UpdatedUid": "100000001"}
    for params, found in (
        ({"DIAlarmRuleId": BEAT}, [BEAT]),
        ({"DIAlarmRuleId": BEAT, "JobId": JOB}, [BEAT]),
        ({"DIAlarmRuleId": 5, "JobId": JOB}, []),
        ({"DIAlarmRuleId": 5}, []),
    ):
        page = ask("ListDIAlarmRules", V2024, **params)["PagingInfo"]
        assert [rule["Id"] for rule in page["DIJobAlarmRules"]] == found
    assert ask("GetDIAlarmRule", V2024, DIAlarmRuleId=DELAY)["Code"] == "InvalidAction.NotFound"


def test_the_newer_version_changes_what_is_sent(ask, emulator, clock):
    """The rest of the rule stays."""
    before, _ = emulator.alarm_rules(JOB)
    clock.pass_(60)
    assert ask("UpdateDIAlarmRule", V2024, Id=DELAY, Enabled="False") == {"Success": True}
    rule, other = emulator.alarm_rules(JOB)
    assert (rule.enabled, rule.changes, rule.edits, rule.updated_at) == (False, 1, 0, clock())
    assert (rule.receivers, rule.conditions, rule.name) == (before.receivers, before.conditions, "late")
    assert other.changes == 0
    ask(
        "UpdateDIAlarmRule",
        V2024,
        DIAlarmRuleId=DELAY,
        DIJobId=JOB,
        Name="new",
        Description="d",
        MetricType="DdlReport",
    )
    ask(
        "UpdateDIAlarmRule",
        V2024,
        Id=DELAY,
        TriggerConditions='[{"Severity": "Critical", "DdlTypes": ["RenameTable"]}]',
    )
    ask("UpdateDIAlarmRule", V2024, Id=DELAY, NotificationSettings='{"MuteInterval": 7}')
    rule, _ = emulator.alarm_rules(JOB)
    assert (rule.name, rule.description, rule.metric, rule.interval, rule.receivers) == ("new", "d", "DdlReport", 7, ())
    assert (rule.conditions, rule.changes) == (({"severity": "Critical", "ddl_types": ["RenameTable"]},), 4)
    (shown, _) = ask("ListDIAlarmRules", V2024, JobId=JOB)["PagingInfo"]["DIJobAlarmRules"]
    assert shown["TriggerConditions"] == [{"Severity": "Critical", "DdlTypes": ["RenameTable"]}]


def test_the_older_version_replaces_the_rule(ask, emulator):
    """What is sent back whole stays as it was; what is left out is gone, and a rule is off unless said otherwise."""
    ask("UpdateDIAlarmRule", **WHOLE, Description="orders are late", Enabled="true")
    (shown, _) = ask("ListDIAlarmRules", DIJobId=JOB)["DIAlarmRulePaging"]["DIJobAlarmRules"]
    assert shown == SHOWN
    assert ask("UpdateDIAlarmRule", **WHOLE) == {}
    rule, _ = emulator.alarm_rules(JOB)
    assert (rule.enabled, rule.description, rule.name, rule.changes) == (False, "", "late", 2)


def test_what_cannot_be_changed_is_refused(ask, emulator):
    """By the gateway's codes, and nothing has changed then."""

    def without(name: str) -> dict[str, Any]:
        return {key: value for key, value in WHOLE.items() if key != name}

    def settings(**changes: Any) -> dict[str, Any]:
        return {**WHOLE, "NotificationSettings": json.dumps({**SETTINGS, **changes})}

    wrong = ("{", "5", "[5]", '{"Severity": "Warning"}', "[{}]", '[{"Severity": "Warning", "Threshold": "much"}]')
    rows: list[tuple[str, dict[str, Any], str]] = [
        *((V2020, without(name), f"Missing{name}") for name in WHOLE),
        (V2020, settings(NotificationChannels=[]), "MissingNotificationChannels"),
        (V2020, settings(NotificationReceivers=None), "MissingNotificationReceivers"),
        (V2020, settings(NotificationReceivers=[{"ReceiverType": "Owl", "ReceiverValues": []}]), "InvalidParameter"),
        (V2020, settings(NotificationReceivers=[{"ReceiverType": "DingToken"}]), "InvalidParameter"),
        (V2020, settings(NotificationChannels=[5]), "InvalidParameter"),
        (V2020, settings(InhibitionInterval="long"), "InvalidParameter"),
        (V2020, {**WHOLE, "NotificationSettings": "{"}, "InvalidParameter"),
        (V2020, {**WHOLE, "NotificationSettings": "[]"}, "InvalidParameter"),
        (V2020, {**WHOLE, "MetricType": "Weather"}, "InvalidParameter"),
        (V2020, {**WHOLE, "Enabled": "maybe"}, "InvalidParameter"),
        (V2020, {**WHOLE, "DIAlarmRuleId": 5}, "InvalidDIAlarmRuleId.NotFound"),
        *((V2020, {**WHOLE, "TriggerConditions": text}, "InvalidParameter") for text in wrong),
        (V2024, {"Enabled": "true"}, "MissingId"),
        (V2024, {"Id": 5, "Enabled": "true"}, "500130"),
        (V2024, {"Id": DELAY, "DIJobId": 5, "Enabled": "true"}, "500130"),
        (V2024, {"Id": DELAY, "NotificationSettings": "{"}, "InvalidParameter"),
    ]
    missed = []
    for version, params, code in rows:
        found = ask("UpdateDIAlarmRule", version, **params)
        if found.get("Code") != code or TOKEN in str(found) or WEBHOOK in str(found):
            missed.append((version, params, found))
    assert missed == []
    assert [rule.changes for rule in emulator.alarm_rules(JOB)] == [0, 0]
    assert ask("ListDIAlarmRules", V2024)["Code"] == "MissingJobId"
    assert ask("ListDIAlarmRules", V2024, JobId=5)["Code"] == "500130"
    assert ask("ListDIAlarmRules", DIJobId=5)["Code"] == "InvalidDIJobId.NotFound"


def test_a_person_in_the_console_edits_and_deletes_rules(ask, emulator, clock):
    """Counted apart from what the API changed."""
    clock.pass_(5)
    rule = emulator.edit_alarm_rule(DELAY, enabled=False, conditions=[{"severity": "Critical", "threshold": 5}])
    assert rule == emulator.alarm_rules(JOB)[0]
    assert (rule.enabled, rule.changes, rule.edits, rule.updated_at) == (False, 0, 1, clock())
    shown = ask("GetDIAlarmRule", DIAlarmRuleId=DELAY)["DIAlarmRule"]
    assert (shown["TriggerConditions"], shown["UpdatedTime"]) == (
        [{"Severity": "Critical", "Threshold": 5}],
        int(clock()),
    )
    emulator.remove_alarm_rule(DELAY)
    assert ask("GetDIAlarmRule", DIAlarmRuleId=DELAY)["Code"] == "InvalidDIAlarmRuleId.NotFound"
    for wanted in (lambda: emulator.edit_alarm_rule(DELAY), lambda: emulator.remove_alarm_rule(DELAY)):
        with pytest.raises(KeyError, match="no alarm rule 45242"):
            wanted()
    with pytest.raises(KeyError, match="no job 5"):
        emulator.alarm_rules(5)
    with pytest.raises(ValueError, match="alarm rule 45243: unknown field 'changes'"):
        emulator.edit_alarm_rule(BEAT, changes=5)


def test_rules_come_and_go_with_their_job(emulator, raw):
    """Setting a job sets its rules, also by the control endpoint; a reset brings back those of the start."""
    emulator.add_job(1, alarm_rules=RULES)
    emulator.add_job(2)
    with pytest.raises(ValueError, match="job 2: alarm_rules 1: id: there is an alarm rule 45242 already"):
        emulator.add_job(2, "Stopped", alarm_rules=RULES)
    assert emulator.job(2).status == "Running"
    emulator.add_job(1, alarm_rules=RULES[1:])
    assert [rule.id for rule in emulator.alarm_rules(1)] == [BEAT]
    emulator.add_job(2, alarm_rules=RULES[:1])
    emulator.add_job(1)
    assert emulator.alarm_rules(1) == []
    answer = raw.http.post(f"{emulator.url}/_emulator/jobs", json={"id": 3, "alarm_rules": [{**RULES[0], "id": 9}]})
    shown = {"id": 9, "metric": "Delay", "name": "late", "enabled": True, "changes": 0, "edits": 0}
    assert answer.json()["jobs"]["3"]["alarm_rules"] == [shown]
    emulator.reset()
    assert emulator.alarm_rules(JOB) == []
    emulator.add_job(5, alarm_rules=RULES)


def test_settings_of_rules_that_are_none_are_refused(raw):
    """Naming the field, and quoting no receiver; by the control endpoint too."""
    rows: list[tuple[Any, str]] = [
        ("all", "alarm_rules: not a list"),
        ([TOKEN], "alarm_rules 1: not an object"),
        ([{"id": 1}], "alarm_rules 1: the field 'metric' is missing"),
        ([{"metric": "Delay"}], "alarm_rules 1: the field 'id' is missing"),
        ([{"id": 0, "metric": "Delay"}], "alarm_rules 1: id: 0 is not a positive"),
        ([{"id": 1, "metric": "Delay"}] * 2, "alarm_rules 2: id: there is an alarm rule 1 already"),
        ([{"id": 1, "metric": "Weather"}], "alarm_rules 1: metric: none of Heartbeat"),
        ([{"id": 1, "metric": "Delay", "token": TOKEN}], "alarm_rules 1: unknown field 'token'"),
    ]
    fields: list[tuple[str, Any, str]] = [
        ("name", [TOKEN], "not text"),
        ("enabled", "maybe", "neither true nor false"),
        ("receivers", TOKEN, "not an object of lists"),
        ("receivers", {"DingToken": TOKEN}, "not an object of lists"),
        ("receivers", {TOKEN: []}, "not made of lists of texts by AliyunUid"),
        ("receivers", {"DingToken": [[TOKEN]]}, "not made of lists of texts by AliyunUid"),
        ("channels", {"Loud": []}, "not made of lists of texts by Warning, Critical"),
        ("interval", "long", "not a whole number"),
        ("conditions", [{}], "conditions 1: the field 'severity' is missing"),
        ("conditions", [{"severity": "Loud"}], "conditions 1: severity: none of Warning"),
        ("conditions", [{"severity": "Warning", "duration": -1}], "conditions 1: duration: not a whole number"),
        ("conditions", [{"severity": "Warning", "ddl_types": "all"}], "conditions 1: ddl_types: not a list"),
    ]
    for name, value, wanted in fields:
        rows.append(([{"id": 1, "metric": "Delay", name: value}], f"alarm_rules 1: {name}"))
        rows.append(([{"id": 1, "metric": "Delay", name: value}], wanted))
    missed = []
    for value, wanted in rows:
        answer = raw.http.post(f"{raw.emulator.url}/_emulator/jobs", json={"id": 8, "alarm_rules": value})
        text = answer.json().get("error", "")
        if answer.status_code != 400 or not text.startswith("job 8: ") or wanted not in text or TOKEN in text:
            missed.append((value, wanted, text))
    assert missed == []


@pytest.mark.parametrize("version", [V2020, V2024])
def test_receivers_are_shown_nowhere(ask, emulator, raw, version):
    """Neither in the call log, the state, nor any repr: but that they were sent can be seen."""
    secrets = (TOKEN, WEBHOOK, "feedbeef0123")
    odd = json.dumps({TOKEN: 1, "Channels": [WEBHOOK], "Severity": {"x": TOKEN}, "NotificationReceivers": TOKEN})
    for text in (WHOLE["NotificationSettings"], odd, TOKEN, json.dumps([WEBHOOK]), f'"{TOKEN}"'):
        ask("UpdateDIAlarmRule", version, **{**WHOLE, "NotificationSettings": text})
    ask("UpdateDIAlarmRule", version, **{"DIAlarmRuleId": DELAY, "NotificationSettings.NotificationReceivers.1": TOKEN})
    ask("ListDIAlarmRules", version, DIJobId=JOB, JobId=JOB)
    state = raw.http.get(f"{emulator.url}/_emulator/state").text
    page = raw.http.get(f"{emulator.url}/_emulator/", headers={"accept": "text/html"}).text
    request = raw.signer.but(version=version).request("UpdateDIAlarmRule", **WHOLE)
    for text in (
        state,
        page,
        repr(emulator.calls),
        repr(emulator.alarm_rules(JOB)),
        repr(emulator.jobs()),
        repr(request),
    ):
        assert [secret for secret in secrets if secret in text] == []
    kept = json.loads(emulator.calls[0].params["NotificationSettings"])
    assert [receiver["ReceiverType"] for receiver in kept["NotificationReceivers"]] == ["DingToken", "WebHookUrl"]
    assert kept["NotificationReceivers"][0]["ReceiverValues"] == ["***"]
    assert (kept["InhibitionInterval"], kept["NotificationChannels"]) == (20, SETTINGS["NotificationChannels"])
    assert emulator.alarm_rules(JOB)[0].receivers == (("DingToken", (TOKEN,)), ("WebHookUrl", (WEBHOOK,)))


def test_faults_quotas_and_the_call_log_know_the_job_of_a_rule(ask, emulator):
    """A fault rule for a job meets what is asked of its alarm rules; what was refused changes nothing."""
    refused = {"status": 403, "code": "Forbidden.RAM"}
    emulator.inject({"operation": "UpdateDIAlarmRule", "job_id": JOB, "error": refused})
    emulator.inject({"operation": "UpdateDIAlarmRule", "job_id": 5, "times": None, "error": refused})
    emulator.inject({"operation": "UpdateDIAlarmRule", "job_id": JOB, "error": {"status": 500}, "effect": True})
    assert ask("UpdateDIAlarmRule", V2024, Id=DELAY, Enabled="false")["Code"] == "Forbidden.RAM"
    assert emulator.alarm_rules(JOB)[0].enabled is True
    assert ask("UpdateDIAlarmRule", **WHOLE)["Code"] == "InternalError.System"
    assert emulator.alarm_rules(JOB)[0].enabled is False
    ask("GetDIAlarmRule", DIAlarmRuleId=DELAY)
    ask("ListDIAlarmRules", V2024, JobId=JOB)
    assert [call.job_id for call in emulator.calls] == [JOB] * 4
    emulator.set_quotas(calls_per_day=4)
    assert ask("ListDIAlarmRules", DIJobId=JOB)["Code"] == "Throttling.Api.Risk"
    assert emulator.job(JOB).stop_calls == 0
