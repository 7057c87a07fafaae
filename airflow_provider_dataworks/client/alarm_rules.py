"""Switches an alarm rule on or off: looks first, changes what nobody else has changed; must never repeat blindly.

A rule is remembered by its fingerprint. Where it has another one now, somebody edited the rule meanwhile: then their
wish counts, and nothing is sent. After a lost answer the rule itself says what happened.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace

from airflow_provider_dataworks.client.client import DataWorksClient
from airflow_provider_dataworks.client.diagnostics import AlarmRule, AlarmRuleChange, Listed, Outcome
from airflow_provider_dataworks.exceptions import DataWorksNotFound, DataWorksUnavailable
from airflow_provider_dataworks.values import flag, invalid

_SWITCH = "UpdateDIAlarmRule"


def _nothing(_: Iterable[str]) -> None:
    """Mask nothing."""


def switch_alarm_rule(
    client: DataWorksClient,
    rule: AlarmRule,
    enabled: bool,
    mask: Callable[[Iterable[str]], None] = _nothing,
) -> AlarmRuleChange:
    """
    Switch an alarm rule on or off unless that is done, or somebody has edited it.

    API 2024-05-18 sends the switch alone. 2020-05-18 replaces a rule, so the whole rule is sent as it was just read.

    :param rule: as it was remembered.
    :param enabled: whether it shall be on.
    :param mask: given each text of the rule that no log may show, before anything is sent.
    :raises DataWorksInvalidRequest: in API 2020-05-18, the service does not show all that has to be sent back.
    :raises DataWorksUnavailable: the answer stayed lost, and the rule was not as wanted when it was last looked at.
    """
    if flag(enabled, "enabled") is None:
        raise invalid("enabled", "is missing", "Give enabled as True or False.")
    may_have_arrived = False

    def attempt() -> AlarmRuleChange:
        nonlocal may_have_arrived
        found = _look(client, rule)
        if found is None:
            return AlarmRuleChange(Outcome.GONE, None, sent=may_have_arrived)
        if found.fingerprint != rule.fingerprint:
            return AlarmRuleChange(Outcome.EDITED, found, sent=may_have_arrived)
        if found.enabled is enabled:
            outcome = Outcome.CHANGED if may_have_arrived else Outcome.ALREADY
            return AlarmRuleChange(outcome, found, sent=may_have_arrived)
        mask(found.secrets())
        try:
            request_id = client.call(client.diagnostics.UpdateDIAlarmRule(found, enabled))
        except DataWorksUnavailable as error:
            may_have_arrived = may_have_arrived or error.sent
            raise
        return AlarmRuleChange(Outcome.CHANGED, replace(found, enabled=enabled), sent=True, request_id=request_id)

    with client.named_errors():
        return client.retrying(_answer_was_lost)(attempt)


def _look(client: DataWorksClient, rule: AlarmRule) -> AlarmRule | None:
    """Return the rule as it is now, or ``None`` where there is none any more."""
    try:
        found = client.call(client.diagnostics.GetDIAlarmRule(rule))
    except DataWorksNotFound:
        return None
    if isinstance(found, Listed):
        shown = next((each for each in found.items if each.id == rule.id), None)
        if shown is None:
            # Whoever believes one empty answer forgets a rule that is off. Nor may the filter have been kept: then it
            # stands on any page.
            shown = next((each for each in client.alarm_rules(rule.di_job_id) if each.id == rule.id), None)
        return shown
    return found


def _answer_was_lost(error: BaseException) -> bool:
    # A look at the rule that failed had its own tries: only a lost answer to the request itself leads on.
    return isinstance(error, DataWorksUnavailable) and error.sent and error.action == _SWITCH
