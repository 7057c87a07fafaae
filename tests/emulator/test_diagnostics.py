"""What the emulator says of how a job runs, as API 2024-05-18 does; and a start that ends badly."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from airflow_provider_dataworks.emulator import Emulator
from airflow_provider_dataworks.emulator.jobs import DEFAULT_ERROR_MESSAGE, LOST_PLACE

JOB = 7
V2020, V2024 = "2020-05-18", "2024-05-18"


@pytest.fixture
def ask(new_service, signer, clock) -> Callable[..., dict[str, Any]]:
    """Makes a job, lets seconds pass while it runs, asks one question, and gives the answer."""

    def answer(settings: dict[str, Any], seconds: int, action: str, **params: object) -> dict[str, Any]:
        service = new_service(jobs={JOB: settings})
        clock.pass_(seconds)
        request = signer.but(version=V2024).request(action, DIJobId=JOB, **params)
        return json.loads(service.handle(request)[0].body)

    return answer


@pytest.fixture
def ask_for(raw) -> Callable[..., dict[str, Any]]:
    """Asks the running emulator one question, by default of the older version, and gives the answer."""

    def answer(action: str, version: str = V2020, status: int | None = None, **params: object) -> dict[str, Any]:
        found = raw.call(action, version, **params)
        assert status in (None, found.status_code)
        return found.json()

    return answer


@pytest.fixture
def delays(ask, clock) -> Callable[..., list[float]]:
    """Gives the delays that are told of the last minutes."""

    def of(lag: Any, seconds: int = 120, name: str = "delayTime") -> list[float]:
        begun = int(clock())
        names = json.dumps([name])
        found = ask({"lag": lag}, seconds, "ListDIJobMetrics", StartTime=begun, EndTime=begun + 999, MetricName=names)
        series = found["PagingInfo"]["JobMetrics"]
        assert [each["Name"] for each in series] in ([], ["JobDelay" if name == "delayTime" else name])
        return [sample["Value"] for each in series for sample in each["SeriesList"]]

    return of


def test_each_kind_of_lag_has_its_series(delays):
    """A sample a period, while the job runs."""
    found = {name: delays(name) for name in ("missing", "idle")}
    assert found["missing"] == []
    assert len(found["idle"]) in (4, 5)
    assert found["idle"] == sorted(found["idle"])
    assert set(delays("idle", name="speedRecordsRead")) == {0.0}
    assert set(delays(0, name="speedRecordsRead")) == {100.0}
    assert set(delays(9)) == {9.0}
    assert set(delays({"stuck": 300})) == {300.0}
    falls, grows = delays({"start": 300, "falls": 10}), delays({"start": 60, "grows": 2})
    assert falls == sorted(falls, reverse=True)
    assert falls[-1] == 0.0
    assert grows == sorted(grows)
    assert len(delays({"stale": 90})) in (1, 2)
    assert delays({"stale": 600}) == []


def test_a_question_for_no_metric_is_refused(ask):
    """As the gateway refuses a parameter."""
    wrong = ("", "delayTime", "[]", '["delay"]', "{")
    found = [ask({}, 1, "ListDIJobMetrics", StartTime=1, EndTime=2, MetricName=names)["Code"] for names in wrong]
    assert found == ["InvalidParameter"] * len(wrong)


def test_a_log_has_pages_and_no_end_marker(ask):
    """A page behind the last is empty."""
    settings = {"log": [f"line {number}" for number in range(150)]}
    pages = [ask(settings, 0, "GetDIJobLog", PageNumber=number)["Log"].splitlines() for number in (1, 2, 3)]
    assert [len(page) for page in pages] == [100, 50, 0]


def test_settings_that_are_none_are_refused():
    """Naming job and field, and the place in a list."""
    rows: list[tuple[str, Any, str]] = [
        ("lag", "much", "lag: 'much' is none of seconds"),
        ("lag", True, "lag: True is none"),
        ("lag", -1, "lag: -1 is not a number of seconds"),
        ("lag", {}, "lag: {} is none"),
        ("lag", {"falls": 1}, "lag: {'falls': 1} is none"),
        ("lag", {"stuck": 1, "stale": 2}, "is none"),
        ("lag", {"stuck": "long"}, "lag.stuck: 'long' is not a number"),
        ("metrics_period", "x", "metrics_period: 'x'"),
        ("log_retention", -1, "log_retention: -1"),
        ("retention_fail_seconds", None, "retention_fail_seconds: None"),
        ("fails_after_start", float("inf"), "fails_after_start: inf"),
        ("fails_after_start", 10**400, "fails_after_start: 1"),
        ("full_load", "maybe", "full_load: 'maybe' is neither true nor false"),
        ("log", "all", "log: 'all' is not a list"),
        ("log", ["a", 1], "log 2: 1 is not text"),
        ("tables", "all", "tables: not a list"),
        ("tables", [{"source": "a"}, 1], "tables 2: not an object"),
        ("tables", [{"status": "Running"}], "tables 1: the field 'source' is missing"),
        ("tables", [{"source": "a", "state": "Running"}], "tables 1: unknown field 'state'"),
        ("tables", [{"source": 1}], "tables 1: source: 1 is not text"),
        ("events", [{"at": 5}], "events 1: the field 'kind' is missing"),
        ("events", [{"kind": "Stop"}], "events 1: kind: 'Stop' is none of Failover, Alarm, DDL"),
        ("events", [{"kind": "DDL", "at": "soon"}], "events 1: at: 'soon' is not a number"),
        ("events", [{"kind": "DDL", "text": 5}], "events 1: text: 5 is not text"),
    ]
    missed = []
    for name, value, wanted in rows:
        try:
            Emulator(jobs={JOB: {name: value}})
            missed.append((name, value, "accepted"))
        except ValueError as error:
            if not str(error).startswith(f"job {JOB}: {name}") or wanted not in str(error):
                missed.append((name, value, str(error)))
    assert missed == []


def test_a_start_can_end_badly(emulator, ask_for, clock):
    """Soon after Running; or where the source no longer has what the job wants to read first."""
    recent, old = int(clock()) + 60, int(clock()) - 60
    rows: tuple[tuple[dict[str, Any], int, dict[str, Any], str], ...] = (
        ({"fails_after_start": 5, "error_message": "no room"}, 0, {}, "no room"),
        ({"fails_after_start": 5}, 0, {}, DEFAULT_ERROR_MESSAGE),
        ({"fails_after_start": 5, "log_retention": 60}, 100, {}, LOST_PLACE),
        ({"log_retention": 60, "error_message": "no room"}, 100, {}, LOST_PLACE),
        ({"log_retention": 60, "retention_fail_seconds": 8}, 100, {}, LOST_PLACE),
        ({"log_retention": 60, "retention_fail_seconds": 50}, 100, {}, ""),
        ({"log_retention": 60}, 20, {}, ""),
        ({"log_retention": 60}, 100, {"RealtimeStartSettings": json.dumps({"StartTime": recent})}, ""),
        ({"log_retention": 60}, 20, {"RealtimeStartSettings": json.dumps({"StartTime": old})}, LOST_PLACE),
        ({"log_retention": 60}, 100, {"ForceToRerun": "True"}, ""),
        ({"status": "Stopped", "log_retention": 60}, 100, {}, LOST_PLACE),
        ({"fails_after_start": 500}, 0, {}, ""),
    )
    missed = []
    for settings, down, params, wanted in rows:
        begun = clock.time
        emulator.add_job(JOB, **{"status": "Running", "stop_seconds": 0, "start_seconds": 1, **settings})
        ask_for("StopDIJob", DIJobId=JOB)
        clock.pass_(down)
        ask_for("StartDIJob", DIJobId=JOB, **params)
        clock.pass_(1)
        running = emulator.job(JOB).status
        clock.pass_(10)
        data = ask_for("GetDIJob", DIJobId=JOB)["Data"]
        found = (running, data["JobStatus"], data.get("ErrorMessage", ""))
        if found != ("Running", "Failed" if wanted else "Running", wanted):
            missed.append((settings, down, params, found))
        clock.time = begun
    assert missed == []


def test_a_place_that_is_lost_stays_lost_until_a_start_gives_another(emulator, ask_for, clock):
    """A second resume finds no more than the first; a person can put it right too."""
    emulator.add_job(JOB, "Stopped", start_seconds=0, stop_seconds=0, log_retention=60)
    clock.pass_(100)
    seen = []
    for params in ({}, {}, {"RealtimeStartSettings": json.dumps({"StartTime": int(clock()) + 1})}, {}):
        ask_for("StartDIJob", DIJobId=JOB, **params)
        clock.pass_(2)
        seen.append(emulator.job(JOB).status)
        ask_for("StopDIJob", DIJobId=JOB)
    assert seen == ["Failed", "Failed", "Running", "Running"]


def test_a_stop_comes_before_a_failure_that_was_due(emulator, ask_for, clock):
    """Then the job does not fail."""
    emulator.add_job(JOB, "Stopped", start_seconds=0, stop_seconds=1, fails_after_start=10)
    ask_for("StartDIJob", DIJobId=JOB)
    clock.pass_(9)
    ask_for("StopDIJob", DIJobId=JOB)
    clock.pass_(60)
    assert [status for _, status in emulator.job(JOB).history[-3:]] == ["Running", "Stopping", "Stopped"]


def test_samples_are_only_of_times_in_which_the_job_ran(emulator, ask_for, clock):
    """A lag that falls falls anew after each start."""
    clock.time = 1_790_000_010.0
    emulator.add_job(JOB, lag={"start": 100, "falls": 1}, stop_seconds=0, start_seconds=0)
    begun = int(clock())
    clock.pass_(45)
    ask_for("StopDIJob", DIJobId=JOB)
    clock.pass_(100)
    ask_for("StartDIJob", DIJobId=JOB)
    clock.pass_(60)
    asked = {"StartTime": begun, "EndTime": begun + 999, "MetricName": '["delayTime"]'}
    (series,) = ask_for("ListDIJobMetrics", V2024, DIJobId=JOB, **asked)["PagingInfo"]["JobMetrics"]
    found = [(sample["Time"] - begun, sample["Value"]) for sample in series["SeriesList"]]
    assert found == [(0, 100.0), (30, 70.0), (150, 95.0), (180, 65.0)]


def test_an_idle_source_has_read_what_it_has_written(emulator, ask_for, clock):
    """Nothing is read, and the totals are the same and stay so; a busy one reads on."""
    clock.pass_(120)
    totals: dict[str, set[tuple[float, float]]] = {}
    for lag in ("idle", 0):
        emulator.add_job(JOB, lag=lag)
        begun = int(clock())
        clock.pass_(120)
        asked = {"StartTime": begun, "EndTime": begun + 120, "MetricName": '["totalRecordsRead","totalRecordsWrite"]'}
        read, written = ask_for("ListDIJobMetrics", V2024, DIJobId=JOB, **asked)["PagingInfo"]["JobMetrics"]
        values = [[sample["Value"] for sample in series["SeriesList"]] for series in (read, written)]
        totals[str(lag)] = set(zip(*values, strict=True))
    ((idle_read, idle_written),) = totals["idle"]
    assert idle_read == idle_written
    assert len(totals["0"]) >= 4


def test_events_are_told_once_they_have_happened(emulator, ask_for, clock):
    """By kind and time; a small time counts from when the job was made."""
    now = int(clock())
    emulator.add_job(
        JOB,
        events=[
            {"kind": "DDL", "at": 10, "text": "ALTER TABLE t", "table": "t", "action": "Ignore"},
            {"kind": "Failover", "at": now + 20, "text": "lost a worker"},
            {"kind": "Alarm", "at": -30, "text": "late", "type": "Heartbeat", "severity": "Critical"},
            {"kind": "DDL", "at": 70},
        ],
    )
    clock.pass_(60)

    def told(kind: str, start: int = -100, end: int = 900, **params: object) -> dict[str, Any]:
        times = {"StartTime": now + start, "EndTime": now + end}
        return ask_for("ListDIJobEvents", V2024, DIJobId=JOB, EventType=kind, **times, **params)["PagingInfo"]

    ddl = {"Id": "1", "CreateTime": str(now + 10), "Action": "Ignore", "SrcSql": "ALTER TABLE t", "SrcTable": "t"}
    alarm = {"Type": "Heartbeat", "Status": "Success", "Severity": "Critical", "Detail": "late"}
    assert told("DDL") == {"TotalCount": 1, "PageNumber": 1, "PageSize": 10, "DIJobEvent": [ddl]}
    assert told("DDL", start=11)["TotalCount"] == 0
    assert told("Failover")["DIJobEvent"] == [
        {"Id": "2", "CreateTime": str(now + 20), "FailoverMessage": "lost a worker"}
    ]
    assert told("Alarm")["DIJobEvent"] == [{"Id": "3", "CreateTime": str(now - 30), **alarm}]
    clock.pass_(60)
    assert [each["Id"] for each in told("DDL", PageSize=1, PageNumber=2)["DIJobEvent"]] == ["4"]
    asked = {"DIJobId": JOB, "StartTime": 1, "EndTime": 2}
    assert ask_for("ListDIJobEvents", V2024, **asked)["Code"] == "MissingEventType"
    assert ask_for("ListDIJobEvents", V2024, **asked, EventType="Stop")["Code"] == "InvalidParameter"


def test_tables_have_pages_filters_and_a_full_load(emulator, ask_for, clock):
    """A full load lasts some seconds from the start; a table that says how it is, is so."""
    tables = [{"source": f"mysql_1.shop.t{place}", "destination": f"public.t{place}"} for place in range(11)]
    tables[3] |= {"full": "Failed", "status": "Failed", "error": "no column"}
    emulator.add_job(JOB, tables=tables, full_load=True, full_load_seconds=30)

    def told(**params: object) -> dict[str, Any]:
        return ask_for("ListDIJobRunDetails", V2024, DIJobId=JOB, **params)["PagingInfo"]

    page = told(PageNumber=2)
    assert (page["TotalCount"], page["PageNumber"], page["PageSize"]) == ("11", "2", "10")
    assert [table["SourceTableName"] for table in page["JobRunInfos"]] == ["t10"]
    (table,) = told(SourceTableName="t3", SourceDatabaseName="shop", SourceDataSourceName="mysql_1")["JobRunInfos"]
    assert (table["FullMigrationStatus"], table["RealtimeMigrationErrorMessage"]) == ("Failed", "no column")
    assert (table["DestinationDatabaseName"], table["DestinationTableName"]) == ("public", "t3")
    assert told(SourceDatabaseName="other")["JobRunInfos"] == []
    (other,) = told(SourceTableName="t4")["JobRunInfos"]
    assert (other["FullMigrationStatus"], other["RealtimeMigrationStatus"]) == ("Running", "Running")
    assert "RealtimeMigrationErrorMessage" not in other
    clock.pass_(30)
    assert told(SourceTableName="t4")["JobRunInfos"][0]["FullMigrationStatus"] == "Finished"
    emulator.add_job(JOB, full_load="true")
    assert [each["FullMigrationStatus"] for each in told()["JobRunInfos"]] == ["Running"]


def test_metrics_can_be_refused_by_edition_or_rights(emulator, ask_for):
    """A fault rule is enough, and other operations are answered on."""
    details = {"status": 403, "code": "Forbidden.Access", "message": "Buy DataWorks Enterprise Edition."}
    emulator.inject({"operation": "ListDIJobMetrics", "times": None, "error": details})
    asked = {"DIJobId": 11668, "StartTime": 1, "EndTime": 2, "MetricName": '["delayTime"]'}
    for _ in range(2):
        body = ask_for("ListDIJobMetrics", V2024, status=403, **asked)
        assert (body["Code"], body["Message"]) == (details["code"], details["message"])
    assert "PagingInfo" in ask_for("ListDIJobRunDetails", V2024, DIJobId=11668)
    assert emulator.count("ListDIJobMetrics", "refused") == 2


def test_quotas_and_the_call_log_count_every_question(emulator, ask_for):
    """As the account's other calls."""
    emulator.set_quotas(calls_per_day=3)
    asked = {"DIJobId": 11668, "StartTime": 1, "EndTime": 2}
    ask_for("ListDIJobMetrics", V2024, MetricName='["delayTime"]', **asked)
    ask_for("ListDIJobEvents", V2024, EventType="DDL", **asked)
    ask_for("ListDIJobRunDetails", V2024, DIJobId=11668)
    assert ask_for("GetDIJobLog", V2024, Id=11668, status=429)["Code"] == "Throttling.Api.Risk"
    assert {call.job_id for call in emulator.calls} == {11668}
    assert [call.outcome for call in emulator.calls] == ["served"] * 3 + ["refused"]
