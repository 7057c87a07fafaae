"""What the emulator says of how a job runs, as API 2024-05-18 does; and a start that ends badly."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from typing import Any

import pytest
from emulator.test_vendor_sdk import V2024, Vendor

from airflow_provider_dataworks.emulator import Emulator
from airflow_provider_dataworks.emulator.jobs import LOST_PLACE

JOB = 7


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
    """Naming job and field."""
    rows: dict[str, Any] = {"lag": "much", "tables": "all", "log": [1], "log_retention": -1, "metrics_period": "x"}
    missed = []
    for name, value in rows.items():
        with pytest.raises(ValueError, match=f"job {JOB}: {name}") as caught:
            Emulator(jobs={JOB: {name: value}})
        missed += [] if name in str(caught.value) else [name]
    with pytest.raises(ValueError, match="lag"):
        Emulator(jobs={JOB: {"lag": {"shrinks": 1}}})
    assert missed == []


def test_a_start_can_end_badly(new_service, clock):
    """Soon after Running; or where the source no longer has what the job wants to read on with."""
    rows = (
        ({"fails_after_start": 5}, 0, None, "Failed"),
        ({"log_retention": 60}, 100, None, "Failed"),
        ({"log_retention": 60}, 20, None, "Running"),
        ({"log_retention": 60}, 100, 1_700_000_000, "Running"),
    )
    missed = []
    for settings, down, start_time, wanted in rows:
        service = new_service(jobs={JOB: {"stop_seconds": 0, "start_seconds": 1, **settings}})
        job = service.job(JOB)
        service._jobs.stop(job, clock())
        clock.pass_(down)
        service._jobs.start(service.job(JOB), clock(), start_time=start_time, force_to_rerun=None)
        clock.pass_(1)
        began = service.job(JOB).status
        clock.pass_(10)
        found = service.job(JOB)
        text = LOST_PLACE if (down, wanted) == (100, "Failed") else ""
        if (began, found.status, found.error_message) != ("Running", wanted, text):
            missed.append((settings, down, began, found.status, found.error_message))
    assert missed == []


@pytest.mark.filterwarnings("ignore::DeprecationWarning:(alibabacloud|darabonba|Tea|apscheduler).*")
def test_the_vendors_sdk_reads_metrics_tables_and_log():
    """With the models of its own."""
    settings = {
        "lag": 12,
        "metrics_period": 1,
        "tables": [{"source": "shop.orders", "destination": "public.orders", "status": "Failed", "error": "no column"}],
        "log": ["first", "last"],
    }
    with Emulator(jobs={JOB: settings}) as emulator:
        time.sleep(1.1)  # the SDK signs by the real clock
        vendor, now = Vendor(emulator, V2024, "ACS3-HMAC-SHA256", False), int(time.time())
        asked = {"dijob_id": JOB, "start_time": now - 60, "end_time": now + 1, "metric_name": ["delayTime"]}
        metrics = vendor.call("list_dijob_metrics", "ListDIJobMetricsRequest", **asked)
        tables = vendor.call("list_dijob_run_details", "ListDIJobRunDetailsRequest", dijob_id=JOB)
        log = vendor.call("get_dijob_log", "GetDIJobLogRequest", id=JOB, page_number=1)

    (series,) = metrics.paging_info.job_metrics
    assert series.name == "JobDelay"
    assert {sample.value for sample in series.series_list} == {12.0}
    (table,) = tables.paging_info.job_run_infos
    assert (table.source_table_name, table.realtime_migration_error_message) == ("orders", "no column")
    assert log.log == "first\nlast"
