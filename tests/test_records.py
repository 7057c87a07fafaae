"""What tasks noted, read back from a real metadata database in which ``dag.test()`` left it."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any

import pytest
from any_airflow import task
from dag_runs import database, run_dag
from emulated import JOB, connect, emulator
from emulated import real_clock as clock
from stored import forget_notes, gone, keep_dag, session_of_database, set_dag, set_xcom

from airflow_provider_dataworks import records
from airflow_provider_dataworks.emulator import Emulator
from airflow_provider_dataworks.maintenance import DIJobMaintenance
from airflow_provider_dataworks.operators.dataworks import StartDIJobOperator, StopDIJobOperator
from airflow_provider_dataworks.version_compat import AIRFLOW_V_3_0_PLUS, DAG
from airflow_provider_dataworks.windows import MaintenanceWindow

__all__ = ["clock", "connect", "emulator"]

pytestmark = pytest.mark.usefixtures("connect", "no_notes")

QUICK = {"healthy_for": 0, "poll_interval": 0.1}
EAGER = {"stop_args": {"poll_interval": 0.1}, "check_args": {"poke_interval": 0.1}}
ALWAYS = MaintenanceWindow("0 0 * * *", timedelta(hours=24), "UTC")
SUNDAYS = MaintenanceWindow("0 2 * * SUN", timedelta(hours=3), "Asia/Shanghai", freeze=[("2026-01-29", "2026-02-02")])


@pytest.fixture
def no_notes(emulator: Emulator) -> Iterator[None]:
    """Begin with a job that stops at once and no note of another test, and leave none to the next one."""
    emulator.add_job(JOB, "Running", stop_seconds=0.1)
    database()
    forget_notes()
    yield
    forget_notes()


def a_dag(name: str, **arguments: Any) -> DAG:
    """Make a DAG that only a test runs."""
    return DAG(name, **{"schedule": None, "start_date": datetime(2026, 1, 1), "catchup": False, **arguments})


def run(name: str, operator: Any, job_id: int = JOB, **arguments: Any) -> None:
    """Run one task, called ``one``, about a job."""
    with a_dag(name) as dag:
        operator(task_id="one", di_job_id=job_id, poll_interval=0.1, **arguments)
    assert run_dag(dag)[0] == "success"


def down(**only: Any) -> list[tuple[int, str]]:
    """Read the jobs that are down: their ids, and by which DAG."""
    with session_of_database() as session:
        return [(stop.di_job_id, stop.dag_id) for stop in records.jobs_down(session, **only)]


def one_down() -> records.StoppedJob:
    """Read the one job that is down."""
    with session_of_database() as session:
        (stop,) = records.jobs_down(session)
    return stop


def test_a_job_that_a_run_stopped_is_down_until_a_task_sees_it_run(emulator: Emulator) -> None:
    """Whichever run that task is of, and also where it sent nothing itself."""
    run("stops", StopDIJobOperator)
    stop = one_down()

    assert (stop.di_job_id, stop.dag_id, stop.task_id, stop.map_index) == (JOB, "stops", "one", -1)
    assert stop.status_before == "Running"
    assert stop.request_id
    assert stop.at
    assert down(run_id=stop.run_id) == [(JOB, "stops")]
    assert down(run_id="another") == []

    emulator.add_job(JOB, "Running")  # somebody, in the console
    assert down() == [(JOB, "stops")]
    run("looks", StartDIJobOperator)

    assert down() == []


def test_a_maintenance_leaves_nothing_down() -> None:
    """A start of the same run counts, of mapped tasks as well."""
    with a_dag("maintains") as dag, DIJobMaintenance(di_job_ids=[JOB], restart_args=QUICK, **EAGER):
        task(task_id="work")(lambda: None)()

    assert run_dag(dag)[0] == "success"
    assert down() == []


def test_a_job_that_is_stopped_again_is_down_again(emulator: Emulator) -> None:
    """What was noted before the newest stop does not count, and that stop is the one that is told."""
    run("stops_first", StopDIJobOperator)
    run("starts", StartDIJobOperator)
    run("stops_again", StopDIJobOperator)
    run("finds_it_stopped", StopDIJobOperator)  # and withdraws its note: it asked for nothing

    assert down() == [(JOB, "stops_again")]


def test_each_job_counts_for_itself(emulator: Emulator) -> None:
    """And a list of DAGs leaves out the stops of others, but no start: an empty one leaves nothing."""
    emulator.add_job(2, "Running", stop_seconds=0.1)
    run("stops_one", StopDIJobOperator)
    run("stops_two", StopDIJobOperator, 2)

    assert down() == [(JOB, "stops_one"), (2, "stops_two")]
    assert down(dag_ids=["stops_two"]) == [(2, "stops_two")]
    assert down(dag_ids=[]) == []

    run("starts_two", StartDIJobOperator, 2)

    assert down(dag_ids=["stops_two"]) == []


def test_a_stop_that_does_not_wait_is_no_proof_that_the_job_runs(emulator: Emulator) -> None:
    """Its result holds the status Running, which it saw right after its request."""
    emulator.add_job(JOB, "Running", stop_seconds=30)
    run("does_not_wait", StopDIJobOperator, wait_for_completion=False)

    assert down() == [(JOB, "does_not_wait")]


def test_a_job_on_another_connection_is_another_job() -> None:
    """Ids belong to a region; where a note does not tell the connection, any start of the job counts."""
    run("stops", StopDIJobOperator)
    run("starts", StartDIJobOperator)
    stop, start = [_where("stops", "dataworks_stop"), _where("starts", "dataworks_start")]
    note = {"di_job_id": JOB, "status_before": "Running", "at": 1_790_000_000.0}
    rows = [
        (None, None, []),
        ("a", "a", []),
        ("a", None, []),
        (None, "b", []),
        ("a", "b", [(JOB, "stops")]),
    ]
    misses = []
    for stopped_on, started_on, expected in rows:
        set_xcom({**note, "conn_id": stopped_on}, **stop)
        set_xcom({**note, "conn_id": started_on}, **start)
        if down() != expected:
            misses.append((stopped_on, started_on, down()))

    assert misses == []


def test_what_is_no_note_counts_as_none() -> None:
    """XComs can be edited by anybody, and a custom backend keeps only a reference in the database."""
    run("stops", StopDIJobOperator)
    where = _where("stops", "dataworks_stop")
    nothing = [None, [], {}, 7, "s3://bucket/key", '"', {"di_job_id": "x"}, {"di_job_id": JOB, "withdrawn": True}]
    misses = []
    for value in nothing:
        set_xcom(value, **where)
        if found := down():
            misses.append((value, found))
    assert misses == []

    for at in ("soon", -1, 9e15, None, True):  # what is no moment: that of the row
        set_xcom({"di_job_id": JOB, "at": at, "conn_id": 5, "status_before": "a\nb"}, **where)
        stop = one_down()
        assert abs((stop.at or 0) - datetime.now().timestamp()) < 600
        assert (stop.conn_id, stop.status_before) == (None, None)
    set_xcom(
        '{"di_job_id": 11668, "at": 5, "conn_id": "other"}', **where
    )  # text within JSON, as an API server stores it
    assert (one_down().at, one_down().conn_id) == (5, "other")


def test_reports_are_read_newest_first() -> None:
    """From the key of their own, and from results of the operator as older releases left them; nothing else is one."""
    for name in ("first", "second"):
        with a_dag(name) as dag, DIJobMaintenance(di_job_ids=JOB, report=True, restart_args=QUICK, **EAGER):
            task(task_id="work")(lambda: {"jobs": [{"di_job_id": 1}]})()
        assert run_dag(dag)[0] == "success"

    with session_of_database() as session:
        found = records.reports(session)
        newest = records.reports(session, limit=1)
        of_first = records.reports(session, dag_ids=["first"])
        none = records.reports(session, dag_ids=[])

    assert [kept.dag_id for kept in found] == ["second", "first"]
    assert found[0].report["jobs"][0]["di_job_id"] == JOB
    assert found[0].run_id == found[0].report["run_id"]
    assert abs((found[0].at or 0) - datetime.now().timestamp()) < 60
    assert ([kept.dag_id for kept in newest], [kept.dag_id for kept in of_first], none) == (["second"], ["first"], [])

    for value in ("gone", {"jobs": 5}, {"jobs": [5]}, ["jobs"]):
        for key in ("return_value", "dataworks_report"):
            set_xcom(value, **_where("first", key, "maintenance.report"))
        with session_of_database() as session:
            assert records.reports(session, dag_ids=["first"]) == [], value


def test_windows_are_read_from_stored_dags() -> None:
    """Of schedules and of stops, mapped or not; a template is no window, and a DAG that is gone has none."""
    with a_dag("by_schedule", schedule=SUNDAYS.timetable) as by_schedule:
        StopDIJobOperator(task_id="templated", di_job_id=JOB, window="{{ var.json.window }}")
        StopDIJobOperator(task_id="without", di_job_id=JOB)
    with a_dag("by_stops") as by_stops:
        StopDIJobOperator(task_id="value", di_job_id=JOB, window=SUNDAYS)
        StopDIJobOperator(task_id="json", di_job_id=JOB, window=ALWAYS.to_json())
        with DIJobMaintenance(di_job_ids=[1, 2], window=SUNDAYS):
            task(task_id="work")(lambda: None)()
    with a_dag("by_another") as by_another:
        task(task_id="airflow_provider_dataworks")(lambda: None)()
    for dag in (by_schedule, by_stops, by_another):
        keep_dag(dag)
    set_dag("by_schedule", is_paused=True)
    set_dag("by_stops", is_paused=False)

    def read(**only: Any) -> list[tuple[Any, ...]]:
        with session_of_database() as session:
            found = records.windows(session, **only)
        return [(each.dag_id, each.task_id, each.window, each.is_paused) for each in found]

    names = ["by_schedule", "by_stops", "by_another"]
    expected = [
        ("by_schedule", None, SUNDAYS, True),
        ("by_stops", "json", ALWAYS, False),
        ("by_stops", "maintenance.stop", SUNDAYS, False),
    ]
    if AIRFLOW_V_3_0_PLUS:  # 2.11 keeps only text of such a value
        expected.append(("by_stops", "value", SUNDAYS, False))
    assert sorted(read(dag_ids=names), key=str) == sorted(expected, key=str)
    assert set(read()) >= set(read(dag_ids=names))
    assert read(dag_ids=[]) == []

    set_dag("by_schedule", **gone())
    assert read(dag_ids=["by_schedule"]) == []


def _where(dag_id: str, key: str, task_id: str = "one") -> dict[str, Any]:
    """Name the XCom of the one run of a DAG."""
    from airflow_provider_dataworks.xcoms import XCom, rows

    with session_of_database() as session:
        (row,) = rows(session, XCom.dag_id == dag_id, XCom.key == key, XCom.task_id == task_id)
    return {"dag_id": dag_id, "run_id": row.run_id, "task_id": task_id, "key": key}


def test_an_id_in_text_is_that_number() -> None:
    """Values in XComs may have come from templates."""
    run("stops", StopDIJobOperator)
    set_xcom({"di_job_id": str(JOB), "at": 5.0}, **_where("stops", "dataworks_stop"))

    assert one_down().di_job_id == JOB
