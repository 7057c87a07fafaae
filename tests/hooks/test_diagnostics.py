"""The hook's questions about how a job runs: what the client answers, with every receiver masked in Airflow's logs."""

from __future__ import annotations

import inspect
from typing import Any

import pytest
from emulated import in_triggerer
from fake_dataworks import JOB, START, Drive
from fake_diagnostics import RECEIVERS, RULE, UID, use_diagnostics

from airflow_provider_dataworks.client.client import DataWorksClient
from airflow_provider_dataworks.client.config import API_2020, API_VERSIONS
from airflow_provider_dataworks.client.diagnostics import Outcome, Sample
from airflow_provider_dataworks.exceptions import DataWorksInvalidRequest
from airflow_provider_dataworks.hooks import _connection
from airflow_provider_dataworks.hooks.dataworks import DataWorksHook

T = int(START)


@pytest.fixture
def masked(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Texts that Airflow was told to mask."""
    found: list[str] = []
    monkeypatch.setattr(_connection, "mask_secret", found.append)
    return found


def hook_of(drive: Drive) -> DataWorksHook:
    """Return a hook that calls the fake service."""
    hook = DataWorksHook()
    hook.client = drive.client
    return hook


def test_each_question_is_the_clients(drive: Drive) -> None:
    """With the same answers, by the same names and defaults."""
    dataworks = use_diagnostics(drive)
    hook = hook_of(drive)
    dataworks.told |= {
        "ListDIJobMetrics": {
            "PagingInfo": {"JobMetrics": [{"Name": "JobDelay", "SeriesList": [{"Time": T - 5, "Value": 2.5}]}]}
        },
        "ListDIJobEvents": {"PagingInfo": {"TotalCount": 1, "DIJobEvent": [{"FailoverMessage": "lost"}]}},
        "ListDIJobRunDetails": {"PagingInfo": {"TotalCount": "1", "JobRunInfos": [{"SourceTableName": "orders"}]}},
        "GetDIJobLog": {"Log": "one\ntwo"},
    }
    names = ("job_metrics", "job_events", "table_runs", "job_log_tail", "alarm_rules", "check_alarm_rule")
    other = [
        name
        for name in names
        if inspect.signature(getattr(DataWorksHook, name)) != inspect.signature(getattr(DataWorksClient, name))
    ]

    assert hook.job_metrics(JOB, ["delayTime"], start=T - 60, end=T) == {"delayTime": (Sample(T - 5, 2.5),)}
    assert [event.message for event in hook.job_events(JOB, kinds=["Failover"], start=T - 60, end=T)] == ["lost"]
    assert [table.source for table in hook.table_runs(str(JOB))] == ["orders"]
    assert hook.job_log_tail(JOB, lines=1) == ["two"]
    assert other == []


@pytest.mark.parametrize("version", API_VERSIONS)
def test_receivers_are_masked_before_a_rule_is_handed_out(drive: Drive, version: str, masked: list[str]) -> None:
    """Also as a URL spells them; and again where a rule is looked at anew."""
    dataworks = use_diagnostics(drive, version)
    hook = hook_of(drive)
    (rule,) = hook.alarm_rules(JOB)
    first = set(masked)
    newer = "anothertoken0123456789"
    dataworks.rules[RULE]["NotificationSettings"]["NotificationReceivers"][1]["ReceiverValues"] = [newer]
    (rule,) = hook.alarm_rules(JOB)
    masked.clear()
    hook.check_alarm_rule(rule)
    change = hook.switch_alarm_rule(rule, False)

    assert {*RECEIVERS, UID} <= first
    assert any("%3A%2F%2F" in text for text in first)
    assert change.outcome is Outcome.CHANGED
    assert newer in masked
    assert dataworks.rules[RULE]["Enabled"] is False


def test_in_a_triggerer_nothing_is_masked_by_asking_airflow(
    drive: Drive, hook: DataWorksHook, masked: list[str]
) -> None:
    """It would block the event loop; a trigger logs no rule."""
    in_triggerer(hook)
    use_diagnostics(drive)
    hook.client = drive.client
    masked.clear()

    assert len(hook.alarm_rules(JOB)) == 1
    assert masked == []


def test_errors_name_the_connection(hook: DataWorksHook, connect: Any) -> None:
    """Of what is refused before anything is sent, too."""
    connect(api_version=API_2020)
    with pytest.raises(DataWorksInvalidRequest) as caught:
        hook.table_runs(JOB)

    assert (caught.value.see, caught.value.conn_id) == ("needs-2024", "dataworks_default")
