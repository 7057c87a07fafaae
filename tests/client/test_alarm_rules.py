"""Switching an alarm rule: once, never over somebody's edit, never with a loss; and its receivers are seen nowhere."""

from __future__ import annotations

import copy
import itertools
import json
import logging
import pickle
import traceback
from collections.abc import Callable
from typing import Any

import httpx
import pytest
from fake_dataworks import JOB, Drive, Fault, lose, refuse, serve, spoil
from fake_diagnostics import RECEIVERS, RULE, UID, FakeDiagnostics, rule_fields, use_diagnostics
from odd_answers import HALF

from airflow_provider_dataworks.client.alarm_rules import switch_alarm_rule
from airflow_provider_dataworks.client.auth.signing import SIGNATURES
from airflow_provider_dataworks.client.config import API_2020, API_2024, API_VERSIONS
from airflow_provider_dataworks.client.diagnostics import AlarmRule, AlarmRuleChange, Outcome
from airflow_provider_dataworks.exceptions import (
    DataWorksError,
    DataWorksForbidden,
    DataWorksInvalidRequest,
    DataWorksUnavailable,
)

versions = pytest.mark.parametrize("version", API_VERSIONS)


def remembered(drive: Drive) -> AlarmRule:
    """The rule as another task remembers it: nothing of it is secret."""
    rule = drive.client.alarm_rules(JOB)[0]
    drive.dataworks.heard.clear()
    return AlarmRule(id=rule.id, di_job_id=rule.di_job_id, fingerprint=rule.fingerprint)


def outcome_of(change: AlarmRuleChange) -> tuple[Outcome, bool | None, bool]:
    """What came of it: outcome, whether the rule is on now, whether something was sent."""
    return change.outcome, change.rule.enabled if change.rule else None, change.sent


@versions
def test_a_rule_is_switched_off_and_on_again_and_nothing_else_of_it_changes(drive: Drive, version: str) -> None:
    """In 2020-05-18 too, where it is replaced as a whole; asked twice, nothing is sent."""
    dataworks = use_diagnostics(drive, version)
    rule, before = remembered(drive), copy.deepcopy(dataworks.rules[RULE])
    off, off_again = (switch_alarm_rule(drive.client, rule, False) for _ in range(2))
    is_off = dataworks.rules[RULE]["Enabled"] is False
    on = switch_alarm_rule(drive.client, rule, True)

    assert is_off
    assert outcome_of(off) == (Outcome.CHANGED, False, True)
    assert outcome_of(off_again) == (Outcome.ALREADY, False, False)
    assert outcome_of(on) == (Outcome.CHANGED, True, True)
    assert (off.request_id is not None, off_again.request_id) == (True, None)
    assert dataworks.rules[RULE] == before
    assert dataworks.changes == 2


@versions
def test_only_what_is_needed_is_sent(drive: Drive, version: str) -> None:
    """The switch alone, or in 2020-05-18 the whole rule as the service knows it."""
    dataworks = use_diagnostics(drive, version)
    switch_alarm_rule(drive.client, remembered(drive), False)
    params = dict(dataworks.heard[-1].params)
    fields = rule_fields()

    if version == API_2024:
        assert params == {"Id": str(RULE), "Enabled": "false"}
    else:
        assert json.loads(params.pop("NotificationSettings")) == fields["NotificationSettings"]
        assert json.loads(params.pop("TriggerConditions")) == fields["TriggerConditions"]
        plain = {name: str(fields[name]) for name in ("DIAlarmRuleId", "Description", "MetricType")}
        assert params == {**plain, "Enabled": "false"}


@versions
def test_a_rule_that_is_gone_or_edited_is_left_alone(drive: Drive, version: str) -> None:
    """And it is said which; a rule that is edited and already as wanted counts as edited."""
    dataworks = use_diagnostics(drive, version)
    rule = remembered(drive)
    found = []
    for change in ({"MetricType": "Heartbeat"}, {"TriggerConditions": []}, {"Enabled": False, "Description": "mine"}):
        dataworks.rules[RULE].update(change)
        found.append(outcome_of(switch_alarm_rule(drive.client, rule, False)))
    dataworks.rules.clear()
    found.append(outcome_of(switch_alarm_rule(drive.client, rule, False)))

    assert found == [
        (Outcome.EDITED, True, False),
        (Outcome.EDITED, True, False),
        (Outcome.EDITED, False, False),
        (Outcome.GONE, None, False),
    ]
    assert dataworks.changes == 0


def test_a_rule_is_found_where_the_service_does_not_filter(drive: Drive) -> None:
    """On whatever page of the list it stands."""
    dataworks = use_diagnostics(drive)
    rule = remembered(drive)
    rows = [{**rule_fields(number), "Id": number} for number in range(1, 151)]
    rows.append(dataworks.rules[RULE])

    def page(number: int) -> dict[str, Any]:
        return {"PagingInfo": {"TotalCount": 151, "DIJobAlarmRules": rows[(number - 1) * 100 : number * 100]}}

    dataworks.told["ListDIAlarmRules"] = page

    assert switch_alarm_rule(drive.client, rule, False).outcome is Outcome.CHANGED


LOST = httpx.ReadTimeout("late")


@versions
def test_a_lost_answer_is_resolved_by_another_look(drive: Drive, version: str) -> None:
    """Not by another request; only where the rule is not as wanted it is sent again, and not without an end."""
    rows: list[tuple[str, tuple[Fault, ...], tuple[Outcome, bool | None, bool] | None, int]] = [
        ("after the effect", (lose(LOST, after_effect=True),), (Outcome.CHANGED, False, True), 1),
        ("before it", (lose(LOST),), (Outcome.CHANGED, False, True), 1),
        ("half an answer", (spoil(200, b"{"),), (Outcome.CHANGED, False, True), 1),
        ("a gateway", (spoil(502, b"<html>"),), (Outcome.CHANGED, False, True), 1),
        ("twice", (lose(LOST), lose(LOST)), (Outcome.CHANGED, False, True), 1),
        ("never sent", (lose(httpx.ConnectError("no")),), (Outcome.CHANGED, False, True), 1),
        ("throttled", (refuse("Throttling.User", 429),), (Outcome.CHANGED, False, True), 1),
        ("always", (lose(LOST),) * 10, None, 0),
    ]
    misses = []
    for name, faults, expected, changes in rows:
        dataworks = use_diagnostics(drive, version)
        rule = remembered(drive)
        dataworks.script("UpdateDIAlarmRule", *faults)
        try:
            found = outcome_of(switch_alarm_rule(drive.client, rule, False))
        except DataWorksUnavailable as error:
            found = None if error.sent and error.action == "UpdateDIAlarmRule" else error  # type: ignore[assignment]
        if (found, dataworks.changes) != (expected, changes) or dataworks.actions.count("UpdateDIAlarmRule") > 6:
            misses.append((name, found, dataworks.actions))

    assert misses == []


@versions
def test_an_edit_that_is_seen_after_a_lost_answer_stays(drive: Drive, version: str) -> None:
    """The second look finds another rule than the first, and nothing more is sent."""
    dataworks = use_diagnostics(drive, version)
    rule = remembered(drive)

    def edited_meanwhile(request: httpx.Request, serve: Callable[[], httpx.Response]) -> httpx.Response:
        dataworks.rules[RULE]["MetricType"] = "FailoverCount"
        raise LOST

    dataworks.script("UpdateDIAlarmRule", edited_meanwhile)
    found = switch_alarm_rule(drive.client, rule, False)

    assert outcome_of(found) == (Outcome.EDITED, True, True)
    assert dataworks.changes == 0


def test_a_wish_that_is_none_is_refused(drive: Drive) -> None:
    """Text such as False would be true to whoever reads it."""
    use_diagnostics(drive)
    rule = remembered(drive)
    for wish in ("False", None, 0):
        with pytest.raises(DataWorksInvalidRequest, match=r"^enabled: "):
            switch_alarm_rule(drive.client, rule, wish)  # type: ignore[arg-type]

    assert drive.dataworks.heard == []


def settings(**change: Any) -> dict[str, Any]:
    """Return the notification settings of the usual rule, changed."""
    return {"NotificationSettings": {**rule_fields()["NotificationSettings"], **change}}


def receiver(*values: Any) -> dict[str, Any]:
    """Return settings with one receiver."""
    return settings(NotificationReceivers=[{"ReceiverType": "DingToken", "ReceiverValues": list(values)}])


def test_a_rule_that_is_not_shown_in_full_is_never_sent_back(drive: Drive) -> None:
    """By 2020-05-18, which would lose the rest; in 2024-05-18 only the switch is sent."""
    rows: list[tuple[str, dict[str, Any]]] = [
        ("masked", receiver("12****89")),
        ("masked", receiver("good", "***")),
        ("masked", receiver(None)),
        ("masked", receiver(True)),
        ("masked", receiver(["nested"])),
        ("ReceiverValues", receiver()),
        ("ReceiverValues", settings(NotificationReceivers=[{"ReceiverType": "DingToken"}])),
        ("ReceiverValues", settings(NotificationReceivers=[{"ReceiverValues": "token"}])),
        ("NotificationReceivers", settings(NotificationReceivers=[])),
        ("NotificationReceivers", settings(NotificationReceivers=None)),
        ("NotificationReceivers", settings(NotificationReceivers=["token"])),
        ("NotificationChannels", settings(NotificationChannels=None)),
        ("NotificationChannels and NotificationReceivers", {"NotificationSettings": None}),
        ("NotificationChannels and NotificationReceivers", {"NotificationSettings": json.dumps({})}),
        ("TriggerConditions", {"TriggerConditions": None}),
        ("TriggerConditions", {"TriggerConditions": [None]}),
        ("MetricType", {"MetricType": None}),
        ("MetricType", {"MetricType": ""}),
        ("Description", {"Description": {"text": 1}}),
        ("characters", {"Description": HALF}),
        ("characters", {"Description": "two\nlines"}),
        ("characters", {"Description": "x" * 10_001}),
        ("characters", {"Unknown": "\u202e"}),
    ]
    misses = []
    for words, change in rows:
        dataworks = use_diagnostics(drive, API_2020)
        dataworks.rules[RULE].update(change)
        listed = drive.client.alarm_rules(JOB)[0]
        for ask in (drive.client.check_alarm_rule, lambda rule: switch_alarm_rule(drive.client, rule, False)):
            try:
                misses.append((words, ask(listed)))
            except DataWorksInvalidRequest as error:
                if error.see != "alarm-rule-not-safe" or words not in error.message:
                    misses.append((words, error))
        if dataworks.changes:
            misses.append((words, "was sent"))

        newer = use_diagnostics(drive, API_2024)
        newer.rules[RULE].update(change)
        drive.client.check_alarm_rule(drive.client.alarm_rules(JOB)[0])
        if switch_alarm_rule(drive.client, remembered(drive), False).outcome is not Outcome.CHANGED:
            misses.append((words, "2024-05-18"))

    assert misses == []


def test_a_rule_is_judged_by_itself(drive: Drive) -> None:
    """Another one on the same page, of several lines, does not matter; bytes that are no text do."""
    dataworks = use_diagnostics(drive, API_2020)
    dataworks.put(rule_fields(7, Description="two\nlines"))
    good, bad = drive.client.alarm_rules(JOB)
    body = json.dumps({"RequestId": "R", "DIAlarmRule": rule_fields(Description="caf_")}).encode()
    dataworks.script("GetDIAlarmRule", spoil(200, body.replace(b"caf_", b"caf\xe9")))

    drive.client.check_alarm_rule(good)
    with pytest.raises(DataWorksInvalidRequest, match="alarm rule 7 would be damaged"):
        drive.client.check_alarm_rule(bad)
    dataworks.rules[RULE]["Description"] = "caf\ufffd"
    rule = remembered(drive)
    with pytest.raises(DataWorksInvalidRequest, match="would be damaged"):
        switch_alarm_rule(drive.client, rule, False)


def test_a_rule_in_xml_is_not_sent_back(drive: Drive) -> None:
    """Whether something is a number, a text or a list of one is not to be seen there; it is read all the same."""
    dataworks = FakeDiagnostics(drive.clock, version=API_2020, xml=True)
    drive.use(dataworks=dataworks)
    rule = drive.client.alarm_rules(JOB)[0]

    assert (rule.id, rule.enabled) == (RULE, True)
    assert set(RECEIVERS) <= set(rule.secrets())
    with pytest.raises(DataWorksInvalidRequest, match="would be damaged"):
        switch_alarm_rule(drive.client, rule, False)


def test_another_rule_than_was_asked_for_is_no_answer(drive: Drive) -> None:
    """It could be sent back over the one that was asked for."""
    dataworks = use_diagnostics(drive, API_2020, patience=0)
    rule = remembered(drive)
    for payload in ({}, {"DIAlarmRule": rule_fields(7)}, {"DIAlarmRule": rule_fields(DIJobId=8)}):
        dataworks.told["GetDIAlarmRule"] = payload
        with pytest.raises(DataWorksUnavailable, match="incomplete or contradictory"):
            switch_alarm_rule(drive.client, rule, False)

    assert dataworks.changes == 0


# Secrets


def echo(status: int, code: str | None) -> Fault:
    """Answer with everything that was sent, as a careless service or gateway does."""

    def fault(request: httpx.Request, serve: Any) -> httpx.Response:
        whole = f"{request.content.decode()} {request.extensions['target'].decode()} {' '.join(RECEIVERS)}"
        if code is None:
            return httpx.Response(status, content=f"<html>{whole}".encode(), headers={"content-type": "text/html"})
        body = {"RequestId": "R-1", "Code": code, "Message": whole}
        return httpx.Response(status, content=json.dumps(body).encode())

    return fault


def breaking(request: httpx.Request, serve: Any) -> httpx.Response:
    """Break the protocol with an echo, which the HTTP library quotes."""
    raise httpx.RemoteProtocolError(f"illegal status line: {RECEIVERS} {request.content!r}")


ECHOES: list[tuple[str, Fault, type[DataWorksError]]] = [
    ("refused", echo(400, "InvalidParameter.NotificationSettings"), DataWorksInvalidRequest),
    ("forbidden", echo(403, "Forbidden.RAM"), DataWorksForbidden),
    ("no code", echo(200, "Odd"), DataWorksError),
    ("server error", echo(500, "InternalError.System"), DataWorksUnavailable),
    ("a page", echo(502, None), DataWorksUnavailable),
    ("not found", echo(404, None), DataWorksError),
    ("a broken protocol", breaking, DataWorksUnavailable),
]


def leaks(text: str) -> list[str]:
    """Return the receivers in a text."""
    return [secret for secret in (*RECEIVERS, UID) if secret in text]


@versions
@pytest.mark.parametrize("signature", SIGNATURES)
def test_no_receiver_is_ever_shown(
    drive: Drive, version: str, signature: str, caplog: pytest.LogCaptureFixture
) -> None:
    """In no error, as text, restored or with its traceback, and in no log line at DEBUG; but code and ids are."""
    caplog.set_level(logging.DEBUG)
    misses: list[Any] = []
    look = "GetDIAlarmRule" if version == API_2020 else "ListDIAlarmRules"
    for action, (name, fault, kind) in itertools.product(("UpdateDIAlarmRule", look), ECHOES):
        dataworks = use_diagnostics(drive, version, signature=signature)
        rule = remembered(drive)
        dataworks.script(action, forever=fault)
        with pytest.raises(kind) as caught:
            switch_alarm_rule(drive.client, rule, False)
        error = caught.value
        restored = pickle.loads(pickle.dumps(error))  # noqa: S301 - made on this line
        texts = [str(error), repr(error), repr(vars(error)), f"{restored!r} {vars(restored)}", error.summary]
        texts += traceback.format_exception(error)
        misses += [(name, text) for text in texts if leaks(text)]
        if error.action != action or error.di_job_id != JOB:
            misses.append((name, error))
    found = [record.getMessage() for record in caplog.records if leaks(f"{record.getMessage()} {record.args!r}")]

    assert (misses, found, leaks(caplog.text)) == ([], [], [])


def test_a_call_shows_no_parameter(drive: Drive) -> None:
    """Nor does the rule that it is made of."""
    use_diagnostics(drive, API_2020)
    rule = drive.client.alarm_rules(JOB)[0]

    assert leaks(repr(drive.client.diagnostics.UpdateDIAlarmRule(rule, False))) == []


def test_all_is_masked_before_anything_is_sent(drive: Drive) -> None:
    """Also receivers that are seen only when the rule is looked at anew."""
    dataworks = use_diagnostics(drive, API_2020)
    rule = remembered(drive)
    heard_before: list[list[str]] = []
    masked: set[str] = set()

    def mask(secrets: Any) -> None:
        masked.update(secrets)
        heard_before.append(list(dataworks.actions))

    dataworks.script("UpdateDIAlarmRule", serve)
    switch_alarm_rule(drive.client, rule, False, mask)

    assert set(RECEIVERS) <= masked
    assert heard_before == [["GetDIAlarmRule"]]
