"""What the client makes of samples, events, tables, logs and alarm rules, however odd the answer is."""

from __future__ import annotations

import contextlib
import dataclasses
import pickle
from typing import Any

import pytest
from fake_dataworks import JOB, START, Drive, refuse
from fake_diagnostics import DING, HOOK_TOKEN, RECEIVERS, RULE, UID, WEBHOOK, rule_fields, use_diagnostics
from odd_answers import HALF, ODD
from safe import assert_safe

from airflow_provider_dataworks.client.config import API_2020, API_VERSIONS
from airflow_provider_dataworks.client.diagnostics import AlarmRule, JobEvent, Sample, TableRun
from airflow_provider_dataworks.exceptions import DataWorksInvalidRequest, DataWorksThrottled, DataWorksUnavailable

T = int(START)
BETWEEN = {"start": T - 600, "end": T}
FAR = 2**70


def told_samples(drive: Drive, *series: Any, names: tuple[str, ...] = ("delayTime",)) -> dict[str, tuple[Sample, ...]]:
    """What the client makes of these series."""
    use_diagnostics(drive).told["ListDIJobMetrics"] = {"PagingInfo": {"JobMetrics": list(series)}}
    return drive.client.job_metrics(JOB, names, **BETWEEN)


def delay(*rows: Any, name: str = "JobDelay") -> dict[str, Any]:
    """Return a series of samples, as pairs of time and value."""
    times = [{"Time": row[0], "Value": row[1]} if isinstance(row, tuple) else row for row in rows]
    return {"Name": name, "SeriesList": times}


def test_samples_stand_under_the_name_that_was_asked(drive: Drive) -> None:
    """The service names the delay otherwise; the oldest comes first, each moment once, and what is missing is empty."""
    found = told_samples(
        drive,
        delay((T - 10, 3.5), (T - 70, 9), (T - 10, 4)),
        delay((T - 10, 120), name="speedRecordsRead"),
        delay((T - 10, 1), name="somethingElse"),
        names=("delayTime", "speedRecordsRead", "totalRecordsRead"),
    )

    assert found == {
        "delayTime": (Sample(T - 70, 9), Sample(T - 10, 4)),
        "speedRecordsRead": (Sample(T - 10, 120),),
        "totalRecordsRead": (),
    }
    assert drive.dataworks.heard[0].params["StartTime"] == str(T - 600)


def test_an_odd_sample_is_no_sample(drive: Drive) -> None:
    """Nothing that a job could be said to have caught up by is made of it; the good one beside it stays."""
    good = (T - 60, 7.0)
    rows: list[tuple[Any, tuple[Sample, ...]]] = [
        ((T - 30, None), ()),
        ((T - 30, "soon"), ()),
        ((T - 30, True), ()),
        ((T - 30, -1), ()),
        ((T - 30, "-1"), ()),
        ((T - 30, FAR), ()),
        ((T - 30, 1e300), ()),
        ((T - 30, [1]), ()),
        ((None, 1), ()),
        ((0, 1), ()),
        ((-5, 1), ()),
        ((True, 1), ()),
        ((FAR, 1), ()),
        ((T + 100_000, 1), ()),  # of tomorrow: it would look fresh for a day
        ((HALF, 1), ()),
        ("text", ()),
        ([T, 1], ()),
        ({}, ()),
        ({"Time": T - 30}, ()),
        ((str(T - 30), "1.5"), (Sample(T - 30, 1.5),)),
        (((T - 30) * 1000, 2), (Sample(T - 30, 2),)),  # milliseconds
        ((T + 60, 3), (Sample(T + 60, 3),)),  # clocks differ
    ]
    misses = [
        (row, found)
        for row, expected in rows
        if (found := told_samples(drive, delay(row, good))["delayTime"])
        != tuple(sorted((Sample(*good), *expected), key=lambda sample: sample.at))
    ]

    assert misses == []


def test_an_answer_about_metrics_that_is_none_is_not_an_empty_one(drive: Drive) -> None:
    """Without an envelope, or with a list of something else, it cannot be read; no series at all is no sample."""
    rows: list[tuple[Any, bool]] = [
        ({}, False),
        ({"PagingInfo": []}, False),
        ({"PagingInfo": {"JobMetrics": 7}}, False),
        ({"PagingInfo": {"JobMetrics": ["JobDelay"]}}, False),
        ({"PagingInfo": {"JobMetrics": [delay()] * 2000}}, False),
        ({"PagingInfo": {}}, True),
        ({"PagingInfo": {"JobMetrics": None}}, True),
        ({"PagingInfo": {"JobMetrics": []}}, True),
        ({"PagingInfo": {"JobMetrics": [{"Name": None, "SeriesList": 5}, {"Name": "JobDelay"}]}}, True),
        ({"PagingInfo": {"JobMetrics": [{"Name": "JobDelay", "SeriesList": "no"}]}}, True),
    ]
    misses: list[Any] = []
    for payload, good in rows:
        use_diagnostics(drive, patience=0).told["ListDIJobMetrics"] = payload
        try:
            found = drive.client.job_metrics(JOB, ["delayTime"], **BETWEEN)
            if not good or found != {"delayTime": ()}:
                misses.append((payload, found))
        except DataWorksUnavailable as error:
            if good or error.action != "ListDIJobMetrics":
                misses.append((payload, error))

    assert misses == []


def test_thousands_of_samples_are_read(drive: Drive) -> None:
    """In no time, and in order."""
    found = told_samples(drive, delay(*((T - number, number) for number in range(20_000))))["delayTime"]

    assert len(found) == 20_000
    assert found[0] == Sample(T - 19_999, 19_999)


def test_what_cannot_be_asked_is_refused_before_anything_is_sent(drive: Drive) -> None:
    """By the name of what is wrong."""
    client = (use_diagnostics(drive), drive.client)[1]
    rows: list[tuple[str, Any]] = [
        ("di_job_id", lambda: client.job_metrics("no", ["delayTime"], **BETWEEN)),
        ("names", lambda: client.job_metrics(JOB, [], **BETWEEN)),
        ("names", lambda: client.job_metrics(JOB, ["JobDelay"], **BETWEEN)),
        ("names", lambda: client.job_metrics(JOB, [7], **BETWEEN)),  # type: ignore[list-item]
        ("start", lambda: client.job_metrics(JOB, "delayTime", start=T * 1000, end=T)),
        ("start", lambda: client.job_metrics(JOB, "delayTime", start=float("nan"), end=T)),
        ("end", lambda: client.job_metrics(JOB, "delayTime", start=T, end=None)),  # type: ignore[arg-type]
        ("end", lambda: client.job_metrics(JOB, "delayTime", start=T, end=T)),
        ("kinds", lambda: client.job_events(JOB, kinds=["Fire"], **BETWEEN)),
        ("di_job_id", lambda: client.table_runs(0)),
        ("lines", lambda: client.job_log_tail(JOB, lines=0)),
        ("lines", lambda: client.job_log_tail(JOB, lines=1001)),
        ("pages", lambda: client.job_log_tail(JOB, pages=21)),
        ("di_job_id", lambda: client.alarm_rules(-1)),
        ("rule.id", lambda: client.check_alarm_rule(AlarmRule(id=0, di_job_id=JOB))),
    ]
    misses = []
    for field, ask in rows:
        try:
            misses.append((field, ask()))
        except DataWorksInvalidRequest as error:
            if not error.message.startswith(f"{field}: "):
                misses.append((field, error))

    assert misses == []
    assert drive.dataworks.heard == []


def test_the_older_version_says_what_it_does_not_know(drive: Drive) -> None:
    """Before anything is sent, with the version to set."""
    use_diagnostics(drive, API_2020)
    client, misses = drive.client, []
    for action, ask in (
        ("ListDIJobMetrics", lambda: client.job_metrics(JOB, "delayTime", **BETWEEN)),
        ("ListDIJobEvents", lambda: client.job_events(JOB, **BETWEEN)),
        ("ListDIJobRunDetails", lambda: client.table_runs(JOB)),
        ("GetDIJobLog", lambda: client.job_log_tail(JOB)),
    ):
        with pytest.raises(DataWorksInvalidRequest) as caught:
            ask()
        error = caught.value
        if (error.see, error.di_job_id) != ("needs-2024", JOB) or f"has no {action}" not in error.message:
            misses.append(error)

    assert misses == []
    assert drive.dataworks.heard == []


EVENT = {
    "Id": "1",
    "CreateTime": "1790000000",
    "Type": "DdlReport",
    "Status": "Success",
    "Severity": "Warning",
    "Action": "Ignore",
    "Detail": "a column was added",
    "SrcTable": "shop.orders",
    "DstTable": "public.orders",
    "SrcSql": "ALTER TABLE orders ADD c int",
    "DstSql": "ALTER TABLE public.orders ADD c int4",
}


def test_events_are_told_kind_by_kind(drive: Drive) -> None:
    """With the words of the service."""
    dataworks = use_diagnostics(drive)
    dataworks.told["ListDIJobEvents"] = {"PagingInfo": {"TotalCount": 1, "DIJobEvent": [EVENT]}}
    found = drive.client.job_events(JOB, **BETWEEN)

    assert [event.kind for event in found] == ["Failover", "Alarm", "DDL"]
    assert found[2] == JobEvent(
        kind="DDL",
        at="1790000000",
        type="DdlReport",
        status="Success",
        severity="Warning",
        action="Ignore",
        message="a column was added",
        source_table="shop.orders",
        destination_table="public.orders",
        sql="ALTER TABLE orders ADD c int",
    )
    assert [heard.params["EventType"] for heard in dataworks.heard] == ["Failover", "Alarm", "DDL"]


def test_a_long_list_of_events_has_an_end(drive: Drive, caplog: pytest.LogCaptureFixture) -> None:
    """A thousand of a kind, and a line that says how many more there are."""
    dataworks = use_diagnostics(drive)

    def page(number: int) -> dict[str, Any]:
        events = [{**EVENT, "CreateTime": str(number * 100 + each)} for each in range(100)]
        return {"PagingInfo": {"TotalCount": 5000, "DIJobEvent": events}}

    dataworks.told["ListDIJobEvents"] = page
    found = drive.client.job_events(JOB, kinds=["Failover"], **BETWEEN)

    assert (len(found), len(dataworks.heard)) == (1000, 10)
    assert "ListDIJobEvents: 1000 entries are read, and 4000 more are not." in caplog.text


def test_tables_tell_where_they_are_in_error(drive: Drive) -> None:
    """Of all pages; the paging's numbers come as text."""
    broken = {
        "SourceDatasourceName": "mysql_prod",
        "SourceDatabaseName": "shop",
        "SourceTableName": "orders",
        "DestinationDatasourceName": "holo",
        "DestinationSchemaName": "public",
        "DestinationTableName": "orders",
        "StructureMigrationStatus": "Finished",
        "FullMigrationStatus": "Finished",
        "RealtimeMigrationStatus": "Failed",
        "RealtimeMigrationErrorMessage": "binlog purged",
    }

    def page(number: int) -> dict[str, Any]:
        first = (number - 1) * 100
        rows = [{**broken, "SourceTableName": f"t{each}"} for each in range(first, min(first + 100, 150))]
        return {"PagingInfo": {"TotalCount": "150", "PageNumber": str(number), "PageSize": "100", "JobRunInfos": rows}}

    use_diagnostics(drive).told["ListDIJobRunDetails"] = page
    found = drive.client.table_runs(JOB)

    assert (len(found), len(drive.dataworks.heard)) == (150, 2)
    assert found[0] == TableRun(
        source="mysql_prod.shop.t0",
        destination="holo.public.orders",
        structure="Finished",
        full="Finished",
        realtime="Failed",
        error_message="binlog purged",
    )


def test_every_text_that_is_told_is_safe(drive: Drive) -> None:
    """Half an emoji, control characters, megabytes, other types: what comes out can be logged and stored."""
    odd: list[Any] = [HALF, ODD, ODD * 5_000, FAR, 1e400, True, None, [ODD], {ODD: ODD}, "", 7]
    fields = ("CreateTime", "Type", "Status", "Severity", "Action", "Detail", "SrcTable", "DstTable", "SrcSql")
    steps = ("StructureMigration", "FullMigration", "RealtimeMigration")
    dataworks = use_diagnostics(drive)
    for value in odd:
        names = {f"{step}{kind}": value for step in steps for kind in ("Status", "ErrorMessage")}
        names |= {f"{side}{part}Name": value for side in ("Source", "Destination") for part in ("Table", "Schema")}
        event = dict.fromkeys(fields, value)
        dataworks.told |= {
            "ListDIJobEvents": {"PagingInfo": {"TotalCount": 1, "DIJobEvent": [event]}},
            "ListDIJobRunDetails": {"PagingInfo": {"TotalCount": 1, "JobRunInfos": [names]}},
            "GetDIJobLog": {"Log": value},
        }
        told: list[Any] = [*drive.client.job_events(JOB, **BETWEEN), *drive.client.table_runs(JOB)]
        for each in told:
            assert_safe(dataclasses.asdict(each), longest=2_000)
        assert_safe(drive.client.job_log_tail(JOB), longest=500)


def test_a_list_of_something_else_is_not_an_empty_one(drive: Drive) -> None:
    """No envelope, no total, no objects, a total that cannot be."""
    rows: list[Any] = [
        {},
        {"PagingInfo": "x"},
        {"PagingInfo": {"JobRunInfos": []}},
        {"PagingInfo": {"TotalCount": -1, "JobRunInfos": []}},
        {"PagingInfo": {"TotalCount": FAR, "JobRunInfos": []}},
        {"PagingInfo": {"TotalCount": 1, "JobRunInfos": [None]}},
        {"PagingInfo": {"TotalCount": 1, "JobRunInfos": "orders"}},
        {"PagingInfo": {"TotalCount": 5000, "JobRunInfos": [{}] * 5000}},
    ]
    misses = []
    for payload in rows:
        use_diagnostics(drive, patience=0).told["ListDIJobRunDetails"] = payload
        try:
            misses.append((payload, drive.client.table_runs(JOB)))
        except DataWorksUnavailable as error:
            if error.action != "ListDIJobRunDetails":
                misses.append((payload, error))

    assert misses == []


def test_the_end_of_a_log_is_its_last_lines(drive: Drive) -> None:
    """Page by page until one is empty or the same again, each line bounded; what a further page answers is no error."""
    pages = {1: "first\nsecond\r\n\n  \nthird\x1b[31m", 2: "fourth\n" + "x" * 9_000}
    dataworks = use_diagnostics(drive)
    dataworks.told["GetDIJobLog"] = lambda number: {"Log": pages.get(number, "")}
    found = drive.client.job_log_tail(JOB, lines=3, pages=5)
    calls = len(dataworks.heard)
    dataworks.told["GetDIJobLog"] = {"Log": "the same"}
    again = drive.client.job_log_tail(JOB)
    dataworks.script("GetDIJobLog", lambda request, serve: serve(), refuse("Invalid.PageNumber", 400, "no such page"))

    assert found == ["third\ufffd[31m", "fourth", "x" * 497 + "..."]
    assert (calls, again) == (3, ["the same"])
    assert drive.client.job_log_tail(JOB) == ["the same"]


def test_a_log_that_cannot_be_read_at_all_is_an_error(drive: Drive) -> None:
    """Of its first page."""
    use_diagnostics(drive, patience=0).script("GetDIJobLog", refuse("Throttling.User", 429))

    with pytest.raises(DataWorksThrottled):
        drive.client.job_log_tail(JOB)


# Alarm rules


@pytest.mark.parametrize("version", API_VERSIONS)
def test_alarm_rules_are_read_whole(drive: Drive, version: str) -> None:
    """All of them, in either version; or, where one cannot be read, none."""
    dataworks = use_diagnostics(drive, version)
    for rule_id in range(1, 150):
        dataworks.put(rule_fields(rule_id, enabled=False, metric="Heartbeat"))
    found = drive.client.alarm_rules(JOB)
    first = found[0]
    name = "delay of orders" if version == API_2020 else "delay"

    assert len(found) == 150
    assert (first.id, first.di_job_id, first.enabled, first.metric, first.name) == (RULE, JOB, True, "Delay", name)
    assert (found[1].enabled, found[1].metric) == (False, "Heartbeat")
    assert len(first.fingerprint) == 16


def test_an_alarm_rule_that_cannot_be_read_is_not_left_out(drive: Drive) -> None:
    """It would stay on, or off, unknown to anybody."""
    rows: list[Any] = [
        rule_fields(DIAlarmRuleId=None),
        rule_fields(DIAlarmRuleId=FAR),
        rule_fields(Enabled=None),
        rule_fields(Enabled="perhaps"),
        rule_fields(Enabled=1),
        rule_fields(DIJobId=4711),
        None,
        "rule",
    ]
    misses = []
    for version, envelope in ((API_2020, "DIAlarmRulePaging"), ("2024-05-18", "PagingInfo")):
        for fields in rows:
            page = {"TotalCount": 1, "DIJobAlarmRules": [fields]}
            use_diagnostics(drive, version, patience=0).told["ListDIAlarmRules"] = {envelope: page}
            with contextlib.suppress(DataWorksUnavailable):
                misses.append((fields, drive.client.alarm_rules(JOB)))
    use_diagnostics(drive, patience=0).told["ListDIAlarmRules"] = {"PagingInfo": {"TotalCount": 2}}
    with pytest.raises(DataWorksUnavailable, match="2 alarm rules more"):
        drive.client.alarm_rules(JOB)

    assert misses == []


def fingerprint(drive: Drive, **fields: Any) -> str:
    """Return the fingerprint of a rule with these fields."""
    dataworks = use_diagnostics(drive, API_2020)
    dataworks.rules[RULE] = rule_fields(**fields)
    return drive.client.alarm_rules(JOB)[0].fingerprint


def test_a_fingerprint_changes_with_what_somebody_edits(drive: Drive) -> None:
    """Not with the switch, nor with who touched it when; empty fields are as good as none."""
    usual = fingerprint(drive)
    same: list[dict[str, Any]] = [
        {"enabled": False},
        {"UpdatedTime": 5, "UpdatedUid": "x", "CreatedUid": "y", "CreatedTime": 7, "GmtModified": "z"},
        {"Name": "", "Tags": [], "More": {"Nothing": None}},
        {"TriggerConditions": [{"Duration": "10", "Severity": "Warning", "Threshold": 600, "DdlTypes": []}]},
    ]
    other: list[dict[str, Any]] = [
        {"metric": "Heartbeat"},
        {"Description": "other"},
        {"TriggerConditions": [{"Duration": 10, "Severity": "Warning", "Threshold": 601}]},
        {"NotificationSettings": {"NotificationReceivers": []}},
        {"SomethingNew": 1},
    ]

    assert [fields for fields in same if fingerprint(drive, **fields) != usual] == []
    assert [fields for fields in other if fingerprint(drive, **fields) == usual] == []


def test_receivers_are_known_as_secrets_and_shown_nowhere(drive: Drive) -> None:
    """Each value, webhook and token is named for masking; a repr holds none; nothing writes a rule down."""
    use_diagnostics(drive)
    rule = drive.client.alarm_rules(JOB)[0]

    assert set(rule.secrets()) == {DING, WEBHOOK, HOOK_TOKEN, UID}
    assert not any(secret in f"{rule!r} {rule}" for secret in RECEIVERS)
    with pytest.raises(TypeError):
        pickle.dumps(rule)
    with pytest.raises(TypeError):
        dataclasses.asdict(rule)


def test_receivers_are_found_in_whatever_form_they_are_told(drive: Drive) -> None:
    """As an object, as text, as numbers, in places that nobody documents."""
    rows: list[Any] = [
        {"NotificationReceivers": {"ReceiverType": "DingToken", "ReceiverValues": DING}},
        {"NotificationReceivers": [{"Values": {"Deep": [[DING]]}}]},
        f'{{"NotificationReceivers": ["{DING}"]}}',
        [{"ReceiverValues": [DING]}],
        {"Elsewhere": f"https://h.example/hook/{DING}"},
    ]
    misses = []
    for settings in rows:
        dataworks = use_diagnostics(drive)
        dataworks.rules[RULE]["NotificationSettings"] = settings
        found = list(drive.client.alarm_rules(JOB)[0].secrets())
        if not any(DING in text for text in found) or "DingToken" in found:
            misses.append((settings, found))

    assert misses == []
