"""What the page answers to whom: pages as text, on rows of a real database."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from page_rows import Rows, keep_maintenance, some_days_ago
from stored import session_of_database, set_xcom

from airflow_provider_dataworks.page import data
from airflow_provider_dataworks.records import DagWindow
from airflow_provider_dataworks.windows import MaintenanceWindow

PAGES = ("", "windows", "maintenances", "calls", "run?dag_id=orders&run_id=r1")
SUNDAYS = MaintenanceWindow("0 2 * * SUN", timedelta(hours=3), "Asia/Shanghai")
ALWAYS = MaintenanceWindow("0 0 * * *", timedelta(hours=24), "UTC")
HTML = '<img src=x onerror="alert(1)">\'&'

Ask = Callable[..., Any]


@pytest.fixture
def rows(users: Any) -> Rows:
    """Two DAGs, of which ann may read both and bob one; carl may read DAGs, and no XComs."""
    users.dags = {"ann": {"orders", "billing"}, "bob": {"billing"}, "carl": {"orders", "billing"}, "dora": set()}
    users.without_xcoms = {"carl"}
    return Rows()


def test_nobody_sees_anything(ask: Ask, rows: Rows) -> None:
    """Who has not logged in gets HTTP 401 and a way to the login, whichever page it is; and no name of a DAG."""
    rows.maintenance("orders", "r1", some_days_ago(1), is_down=True)
    rows.write()
    for page in PAGES:
        answer = ask(page)

        assert answer.status_code == 401
        assert "Log in to Airflow" in answer.text
        assert "11668" not in answer.text
    assert ask("static/page.css").status_code == 200
    assert ask("static/../app.py").status_code == 404
    assert ask("nothing", "ann").status_code == 404


def test_who_may_read_no_dag_is_told_so(ask: Ask, rows: Rows) -> None:
    """And nothing else, of any page."""
    keep_maintenance("orders", ALWAYS)
    rows.maintenance("orders", "r1", some_days_ago(1), is_down=True)
    rows.write()
    for page in PAGES:
        text = ask(page, "dora").text

        assert "There is no DAG that you may read" in text, page
        assert "11668" not in text


def test_each_user_sees_what_they_may_read(ask: Ask, rows: Rows) -> None:
    """Of other DAGs neither name nor job, nor how much there is; without the right to XComs only the windows."""
    for dag_id, job_id in (("orders", 4711), ("billing", 4712)):
        keep_maintenance(dag_id, SUNDAYS, job_id)
        rows.maintenance(dag_id, "r1", some_days_ago(2), job_id=job_id)
        rows.maintenance(dag_id, "r2", some_days_ago(1), job_id=job_id, is_down=True)
    rows.task("orders", "r2", "report", "success", datetime.now(UTC))
    rows.write()
    expected = {
        ("ann", ""): (True, True),
        ("ann", "windows"): (True, True),
        ("ann", "maintenances"): (True, True),
        ("ann", "run?dag_id=orders&run_id=r2"): (True, False),
        ("bob", ""): (False, True),
        ("bob", "windows"): (False, True),
        ("bob", "maintenances"): (False, True),
        ("carl", ""): (False, False),
        ("carl", "windows"): (True, True),
        ("carl", "maintenances"): (False, False),
    }
    misses = []
    for (user, page), seen in expected.items():
        text = ask(page, user).text
        told = tuple(f"../dags/{dag_id}" in text for dag_id in ("orders", "billing"))
        if told != seen:
            misses.append((user, page, told))
    assert misses == []

    text = ask("run?dag_id=orders&run_id=r2", "bob").text
    assert "4711" not in text
    assert "left no job down" in text
    calls = [ask("calls", user).text for user in ("ann", "bob", "carl")]
    assert ["dataworks_default" in text for text in calls] == [True, False, False]


def test_what_somebody_else_wrote_is_text(ask: Ask, rows: Rows, users: Any) -> None:
    """Names, reasons, and what a service said: no HTML of theirs reaches a browser as such."""
    users.dags["ann"].add(dag := "d&<b>")
    event = {"kind": "DDL", "action": HTML, "table": HTML, "text": f"ALTER {HTML}"}
    odd = {"outcome": HTML, "events": [event]}
    rows.maintenance(dag, f"r{HTML}", some_days_ago(2), who=HTML, reason=HTML, **odd)
    rows.maintenance(dag, f"s{HTML}", some_days_ago(1), who=HTML, is_down=True, restart="failed")
    rows.write()
    set_xcom("javascript:alert(1)", key="_link_DataWorksConsoleLink", dag_id=dag)
    for page in ("", "maintenances", "calls", f"run?dag_id=d%26%3Cb%3E&run_id=s{HTML}"):
        answer = ask(page, "ann")

        assert answer.status_code == 200
        for part in ("<img", "<b>", "javascript:"):
            assert part not in answer.text, page
    assert "&lt;img src=x onerror=" in ask("maintenances", "ann").text
    assert "../dags/d%26%3Cb%3E/runs/s%3Cimg" in ask("", "ann").text


def test_what_is_down_says_all_that_is_known(ask: Ask, rows: Rows) -> None:
    """Since when, by whom, which restart is owed in which state, and links to all of it."""
    rows.maintenance(
        "orders",
        "manual__2026-11-26T02:00:00+00:00",
        some_days_ago(1.5),
        is_down=True,
        restart="up_for_retry",
        who="eve",
    )
    rows.maintenance("billing", "r1", some_days_ago(3), job_id=2, is_down=True, restart="skipped", state="failed")
    rows.write()
    text = ask("", "ann").text

    assert text.index("DI job 2 ") < text.index("DI job 11668 ")  # that for longest comes first
    for part in (
        "down for 1 d 12 h",
        'href="../dags/orders/runs/manual__2026-11-26T02%3A00%3A00%2B00%3A00/tasks/maintenance.stop"',
        'href="../dags/orders/runs/manual__2026-11-26T02%3A00%3A00%2B00%3A00/tasks/maintenance.restart"',
        "(up_for_retry)",
        "eve",
        'href="https://dataworks.console.aliyun.com/"',
        "no StartDIJobOperator of this run",
    ):
        assert part in text, part


def test_where_nothing_is_the_page_says_so(ask: Ask, rows: Rows) -> None:
    """An empty page would leave open whether it looked."""
    texts = [ask(page, "ann").text for page in PAGES]

    assert "No job is down" in texts[0]
    assert "has a maintenance window" in texts[1]
    assert "No maintenance has reported yet" in texts[2]
    assert "No task has counted a call today" in texts[3]
    assert "has not reported" in texts[4]


def test_windows_stand_on_their_days(ask: Ask, rows: Rows) -> None:
    """Open now and until when, frozen dates, the zone, pages of two weeks; nonsense dates count as today."""
    today = datetime.now(UTC).date()
    keep_maintenance("orders", MaintenanceWindow("0 0 * * *", timedelta(hours=24), "UTC"))
    freeze = [today + timedelta(days=1), (today + timedelta(days=400), today + timedelta(days=410))]
    keep_maintenance("billing", MaintenanceWindow("30 2 * * *", timedelta(hours=2), "Asia/Shanghai", freeze=freeze))
    text = ask("windows", "ann").text

    assert "open until" in text
    assert "00:00–00:00 +1" in text
    assert "02:30–04:30" in text
    assert "Asia/Shanghai" in text
    assert "Frozen: billing" in ask(f"windows?start={today + timedelta(days=1)}", "ann").text
    for start in ("2030-01-07", "2030-01-13"):
        assert "2030-01-07 to 2030-01-20" in ask(f"windows?start={start}", "ann").text
    for start in ("soon", "9999-12-31", "0001-01-01", "2026-13-01", HTML):
        assert ask(f"windows?start={start}", "ann").text.count('class="day today"') == 1, start


def test_reports_are_green_or_red(ask: Ask, rows: Rows) -> None:
    """Red where the run failed or a job does not run; what was edited into nonsense breaks nothing."""
    rows.maintenance("orders", "good", some_days_ago(4), alarms=[{"rule_id": 1, "off": False}])
    rows.maintenance("orders", "failed", some_days_ago(3), state="failed", alarms=[{"off": True}, {"off": False}, 7])
    rows.maintenance("orders", "under_way", some_days_ago(2), state="running")
    rows.maintenance("orders", "left_down", some_days_ago(1), is_down=True, restart="failed")
    rows.maintenance(
        "billing", "odd", some_days_ago(0.5), downtime=0, outcome=[1], events={"a": 1}, alarms=3, lag_before="x"
    )
    rows.write()
    with session_of_database() as session:
        access = _Everything()
        found = {each.run_id: each.state for each in data.maintenances(session, access)}  # type: ignore[arg-type]

    assert found == {"good": "green", "failed": "red", "under_way": "running", "left_down": "red", "odd": "green"}
    text = ask("maintenances", "ann").text
    assert text.count("red: needs a look") == 2
    assert "1 of 2 still off" in text
    assert "1 on again" in text
    assert "15 min" in text


def test_what_may_not_be_read_hides_nothing_that_may(ask: Ask, rows: Rows, users: Any) -> None:
    """However many reports of another DAG are newer."""
    users.dags["ann"].add("secret")
    users.notes_hidden = {"secret"}
    rows.maintenance("orders", "r1", some_days_ago(9))
    for number in range(60):
        rows.maintenance("secret", f"s{number}", some_days_ago(1), job_id=4711)
    rows.write()
    text = ask("maintenances", "ann").text

    assert "runs/r1" in text
    assert "4711" not in text


def test_an_owed_restart_of_a_fleet_is_linked_by_its_index(ask: Ask, rows: Rows) -> None:
    """Airflow has no page of a mapped task without one, but of all of them."""
    now = datetime.now(UTC)
    for run_id, indexes, place in (("same", (0, 1), 1), ("others", (3, 4), 1)):
        rows.run("orders", run_id, now, "running")
        note = {"di_job_id": 11 + len(run_id), "status_before": "Running", "at": now.timestamp()}
        rows.task("orders", run_id, "stop", "success", now, place, dataworks_stop=note)
        for index in indexes:
            rows.task("orders", run_id, "restart", "queued", now, index)
    rows.write()
    text = ask("", "ann").text

    assert 'href="../dags/orders/runs/same/tasks/maintenance.restart/mapped/1"' in text
    assert 'href="../dags/orders/runs/others/tasks/maintenance.restart/mapped"' in text


def test_a_question_of_another_kind_is_no_fault_of_the_server(ask: Ask, rows: Rows) -> None:
    """So nobody is sent to its log."""
    answer = ask("maintenances", "ann", method="POST")

    assert answer.status_code == 405
    assert "log of Airflow" not in answer.text


def test_a_report_that_somebody_has_edited_breaks_no_page(ask: Ask, rows: Rows) -> None:
    """Half an emoji, years that no clock has, what is not there: the others are shown."""
    edits: list[dict[str, Any]] = [
        {},
        {"reason": "half \ud83d pair", "by": ["x"], "approved_by": {"a": "\udc00"}},
        {"reason": "turned \u202e\x00" * 1_000},
        {"at": "0001-01-01T00:00:00+14:00", "by": None},
    ]
    jobs: list[dict[str, Any]] = [
        {"di_job_id": 5},
        {"di_job_id": 5, "stopped_at": "0001-01-01T00:00:00+14:00", "running_at": "9999-12-31T23:59:59-14:00"},
        {"di_job_id": 5, "outcome": "\ud83d", "events": [{"text": "\ud83d", "at": 1e999}], "downtime": "x"},
    ]
    rows.maintenance("orders", "good", some_days_ago(3))
    for number, edit in enumerate(edits):
        for place, job in enumerate(jobs):
            run_id = f"odd{number}{place}"
            rows.run("orders", run_id, some_days_ago(2))
            report = {**edit, "jobs": [job]}
            rows.task("orders", run_id, "report", "success", some_days_ago(2), dataworks_report=report)
    rows.maintenance("orders", "down", some_days_ago(1), is_down=True, restart="failed")
    rows.write()
    set_xcom("https://console/\ud83d", key="_link_DataWorksConsoleLink", dag_id="orders")

    for page in ("", "maintenances", "run?dag_id=orders&run_id=odd11", "run?dag_id=orders&run_id=down"):
        assert ask(page, "ann").status_code == 200, page
    assert "runs/good" in ask("maintenances", "ann").text


def test_the_entry_of_an_old_run_has_its_report(ask: Ask, rows: Rows) -> None:
    """However many its DAG has had since."""
    for number in range(60):
        rows.maintenance("orders", f"run{number}", some_days_ago(70 - number), job_id=100 + number)
    rows.write()

    assert "has not reported" not in ask("run?dag_id=orders&run_id=run3", "ann").text


def test_a_window_that_began_before_monday_is_open(ask: Ask, rows: Rows) -> None:
    """Not closed until its next opening."""
    monday = datetime(2026, 11, 30, 12, tzinfo=UTC)
    window = MaintenanceWindow("0 0 * * SAT", timedelta(days=3), "UTC")

    (row,) = data.window_rows([DagWindow("orders", None, window, False)], monday)

    assert (row.open_until, row.opens) == (window.local(datetime(2026, 12, 1, tzinfo=UTC)), None)


@pytest.mark.parametrize(
    ("restart", "run_state", "is_under_way"),
    [
        ("queued", "running", True),
        (None, "running", True),
        ("up_for_retry", "running", True),
        ("failed", "running", False),
        ("upstream_failed", "running", False),
        ("success", "running", False),
        ("queued", "failed", False),
    ],
)
def test_a_job_is_in_good_hands_while_a_task_will_start_it(
    ask: Ask, rows: Rows, restart: str | None, run_state: str, is_under_way: bool
) -> None:
    """A restart that has failed starts nothing any more, though other tasks of its run go on."""
    rows.maintenance("orders", "r1", some_days_ago(0.1), is_down=True, restart=restart, state=run_state)
    rows.write()

    assert ("maintenance under way" in ask("", "ann").text) is is_under_way


def test_calls_of_today_are_summed(ask: Ask, rows: Rows) -> None:
    """By connection, of this day in UTC; what is no count is left out."""
    now = datetime.now(UTC)
    counts = [
        {"calls": 3, "throttled": 1, "at": now.timestamp(), "conn_id": "one"},
        {"calls": 1_000, "throttled": 0, "at": now.timestamp(), "conn_id": "one"},
        {"calls": 5, "throttled": 0, "at": now.timestamp(), "conn_id": HTML},
        {"calls": 7, "throttled": 7, "at": (now - timedelta(days=1)).timestamp(), "conn_id": "one"},
        {"calls": -1, "at": now.timestamp()},
        {"calls": True, "at": "now"},
        "many",
    ]
    for index, count in enumerate(counts):
        rows.run("orders", f"r{index}", now)
        rows.task("orders", f"r{index}", "stop", "success", now)
        rows.set_calls(count)
    rows.write()
    text = ask("calls", "ann").text

    assert (
        '<th scope="row">one</th><td class="number">1,003</td><td class="number"><strong class="bad">1</strong>' in text
    )
    assert "1,008" in text
    assert "<img" not in text


def test_pages_carry_what_keeps_a_browser_safe(ask: Ask, rows: Rows) -> None:
    """Nothing from elsewhere, no inline script or style, no caching; no address of this server in any link."""
    rows.maintenance("orders", "r1", some_days_ago(1), is_down=True)
    rows.write()
    for page in PAGES:
        answer = ask(page, "ann")

        assert answer.headers["cache-control"] == "no-store"
        assert "default-src 'none'" in answer.headers["content-security-policy"]
        assert answer.headers["x-content-type-options"] == "nosniff"
        for part in (" style=", "<style", "<script>", "http://testserver", 'href="/', 'src="/', "onclick"):
            assert part not in answer.text, (page, part)


def test_a_failure_breaks_only_the_page(ask: Ask, rows: Rows, monkeypatch: pytest.MonkeyPatch) -> None:
    """It says that its reason is in the log, and tells none of it."""

    def fail(*_: object, **__: object) -> None:
        raise RuntimeError("secret of the database")

    monkeypatch.setattr(data, "down", fail)
    answer = ask("", "ann")

    assert answer.status_code == 500
    assert "could not be made" in answer.text
    assert "secret" not in answer.text
    assert ask("windows", "ann").status_code == 200


class _Everything:
    """Access of somebody who may read all."""

    dag_ids = frozenset({"orders", "billing"})

    def may_read_notes(self, dag_id: str) -> bool:
        return True


def test_the_calendar_knows_today(ask: Ask, rows: Rows) -> None:
    """Once, and in the first of its weeks."""
    keep_maintenance("orders", SUNDAYS)
    text = ask("windows", "ann").text

    assert text.count('class="day today') == 1
    assert text.index('class="day today') < text.index(str(date.today() + timedelta(days=7)))
