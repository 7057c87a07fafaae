"""The report of a maintenance: who stopped what, why and for how long, from what its tasks noted and returned."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from types import SimpleNamespace
from typing import Any

import pytest
from emulated import JOB, Clock

from airflow_provider_dataworks.emulator import Emulator
from airflow_provider_dataworks.exceptions import DataWorksPermanentError
from airflow_provider_dataworks.hooks.dataworks import DataWorksHook
from airflow_provider_dataworks.operators.report import MaintenanceReportOperator
from airflow_provider_dataworks.operators.report_table import table

STOPPED, RUNNING = 1_795_000_000.0 - 600, "2026-11-18T11:04:10+00:00"  # ten minutes ago, and 450 s later
NOTE = {"di_job_id": JOB, "status_before": "Running", "request_id": "A-1", "withdrawn": False, "at": STOPPED}
STOP = {"di_job_id": JOB, "status": "Stopped", "request_id": "A-1", "stopped_by_this_run": True}
START = {
    **{"di_job_id": JOB, "status": "Running", "request_id": "B-2", "started_by_this_run": True},
    **{"started_at": RUNNING, "caught_up_at": "2026-11-18T11:05:00+00:00", "lag": 12.0, "idle": False},
}


class Told:
    """A task instance that knows what the tasks of the run noted and returned."""

    dag_id, run_id, restart = "upgrade", "manual__1", "failed"

    def __init__(
        self, notes: list[Any], stops: list[Any], starts: list[Any], answer: Any, alarms: tuple[Any, Any]
    ) -> None:
        self._known = {("stop", "dataworks_stop"): notes, ("stop", None): stops, ("restart", None): starts}
        self._known["approve", None] = [answer]
        told_why = [isinstance(start, dict) and "why" in start for start in starts]
        self._known["restart", None] = [start for start, why in zip(starts, told_why, strict=True) if not why]
        self._known["restart", "dataworks_unproven"] = [
            start for start, why in zip(starts, told_why, strict=True) if why
        ]
        silenced, restored = alarms
        self._known["silence", "dataworks_silenced"] = [silenced]
        self._known["restore", "dataworks_restored"] = [restored]
        self.pushed: dict[str, Any] = {}

    def get_task_states(self, run_ids: list[str], **_: Any) -> dict[str, dict[str, str]]:
        """Return how the restart ended."""
        return {run_ids[0]: {"restart": self.restart}}

    def xcom_push(self, key: str, value: Any) -> None:
        """Keep what was pushed."""
        self.pushed[key] = value

    def xcom_pull(self, task_ids: list[str], key: str | None = None) -> list[Any]:
        """Return what was pushed."""
        return [value for task_id in task_ids for value in self._known[task_id, key]]


@pytest.fixture
def report(clock: Clock, connect: Callable[..., None], monkeypatch: pytest.MonkeyPatch) -> Callable[..., Any]:
    """Make a report of these notes and results, by the test's clock and API 2024-05-18."""
    connect(api_version="2024-05-18")
    monkeypatch.setattr(DataWorksHook, "now", staticmethod(clock.now))

    def make(
        notes: list[Any],
        stops: list[Any],
        starts: list[Any],
        answer: Any = None,
        alarms: tuple[Any, Any] = (None, None),
        **arguments: Any,
    ) -> Any:
        known = {"task_id": "report", "di_job_ids": [JOB], "stopped_by": ["stop"], "started_by": ["restart"]}
        operator = MaintenanceReportOperator(**{**known, **arguments})
        run = SimpleNamespace(triggering_user_name="ada", run_type="manual")
        return operator.execute({"ti": Told(notes, stops, starts, answer, alarms), "dag_run": run})  # type: ignore[typeddict-item,arg-type]

    return make


def test_it_says_who_stopped_what_why_and_for_how_long(
    report: Callable[..., Any], emulator: Emulator, clock: Clock, logged: Callable[[], str]
) -> None:
    """With what DataWorks knows of the time in between."""
    emulator.add_job(JOB, lag=7, events=[{"kind": "DDL", "at": STOPPED + 60, "text": "ALTER TABLE t", "table": "t"}])
    clock.sleep(60)  # the emulated job has samples from now on only
    late = clock.time - 10
    handed: list[Any] = []
    answer = {"responded_by_user": {"id": "7", "name": "grace"}}

    found = report(
        [{**NOTE, "at": late}],
        [STOP],
        [{**START, "started_at": "2026-11-18T11:15:00+00:00"}],
        answer,
        approved_by="approve",
        reason="new column",
        on_report=handed.append,
    )

    (job,) = found["jobs"]
    facts = [found[name] for name in ("dag_id", "run_id", "by", "approved_by", "reason")]
    assert facts == ["upgrade", "manual__1", "ada", "grace", "new column"]
    assert (job["outcome"], job["lag_before"], job["lag_after"]) == ("caught up", 7.0, 12.0)
    assert (job["stop_request_id"], job["start_request_id"]) == ("A-1", "B-2")
    assert handed == [found]
    assert "| DI job | stopped (UTC)" in logged()


def test_the_downtime_is_from_the_request_to_the_first_running(report: Callable[..., Any]) -> None:
    """A job that is still down has none yet, and the table says so in capitals."""
    rows: tuple[tuple[list[Any], list[Any], float | None, str], ...] = (
        ([NOTE], [START], 450.0, "caught up"),
        ([NOTE], [{**START, "idle": True}], 450.0, "idle"),
        ([NOTE], [{**START, "caught_up_at": None}], 450.0, "running"),
        ([NOTE], [{**START, "status": "Failed", "started_at": None}], None, "NOT RUNNING"),
        ([NOTE], [{"di_job_id": JOB, "why": "lag", "status": "Running"}], None, "NOT PROVEN"),
        ([NOTE], [{"di_job_id": JOB, "why": "binlog lost", "status": "Failed"}], None, "NOT RUNNING"),
        # A restart that was killed tells nothing: DataWorks is asked.
        ([NOTE], [], None, "NOT PROVEN"),
        ([NOTE], [{"di_job_id": JOB, "why": "refused", "status": None}], None, "NOT PROVEN"),
        ([NOTE], [{**START, "started_at": None}], None, "caught up"),
        # What anybody may have written.
        ([{**NOTE, "at": 9e15}], [START], None, "caught up"),
        ([{**NOTE, "at": None}], [START], None, "caught up"),
        ([NOTE], [{**START, "started_at": "9999-12-31T23:59:59-12:00"}], None, "caught up"),
        ([NOTE], [{**START, "started_at": 7, "lag": "x", "request_id": {}}], None, "caught up"),
        ([{**NOTE, "withdrawn": True}], [], None, "not stopped"),
        ([], [], None, "not stopped"),
        (["spoiled", {"di_job_id": "x"}], [7, None], None, "not stopped"),
    )
    missed = []
    for notes, starts, downtime, outcome in rows:
        (job,) = report(notes, [], starts)["jobs"]
        if (job["downtime"], job["outcome"]) != (downtime, outcome):
            missed.append((notes, starts, job))
    assert missed == []


def test_a_downtime_that_is_too_long_is_red(report: Callable[..., Any]) -> None:
    """Though the job runs; a mail that cannot be sent is not."""

    def broken(report: dict[str, Any]) -> None:
        raise OSError("no mail server")

    assert report([NOTE], [STOP], [START], max_downtime=450, on_report=broken)["jobs"][0]["downtime"] == 450
    text = r"down for longer than 449 s: 11668 \(450 s\)\. They run again\."
    with pytest.raises(DataWorksPermanentError, match=text) as caught:
        report([NOTE], [STOP], [START], max_downtime=449)
    assert caught.value.see == "long-downtime"


def test_airflows_metrics_get_the_downtime(report: Callable[..., Any], monkeypatch: pytest.MonkeyPatch) -> None:
    """A timer for each job that ran again."""
    told: list[Any] = []

    class Stats:
        @staticmethod
        def timing(stat: str, dt: timedelta, *, tags: dict[str, str]) -> None:
            told.append((stat, dt, tags))

    monkeypatch.setattr("airflow_provider_dataworks.operators.report.Stats", Stats)
    report([NOTE], [STOP], [START])
    report([NOTE], [STOP], [])

    tags = {"dag_id": "upgrade", "di_job_id": str(JOB)}
    assert told == [("dataworks.di_job.downtime", timedelta(seconds=450), tags)]


def test_the_older_api_costs_no_call(
    report: Callable[..., Any], emulator: Emulator, connect: Callable[..., None]
) -> None:
    """What it does not tell stays unknown."""
    connect()

    (job,) = report([NOTE], [STOP], [START])["jobs"]

    assert (job["lag_before"], job["events"], emulator.calls) == (None, [], [])


def test_the_table_fits_a_terminal() -> None:
    """With the longest values there are."""
    job = {
        **{"di_job_id": 2**63 - 1, "stopped_at": "2026-11-18T10:56:40+00:00", "running_at": RUNNING},
        **{"downtime": 9_999 * 3600.0, "lag_before": 99_999.0, "lag_after": 1e9, "outcome": "NOT RUNNING"},
    }
    empty = {**dict.fromkeys(job), "di_job_id": 1, "outcome": "not stopped"}

    lines = table([job, empty])
    assert "| 9999:00:00 | 99999 to 999 d |" in lines[2]

    assert max(map(len, lines)) <= 100, lines
    assert len({line.count("|") for line in lines}) == 1


def test_it_says_what_became_of_each_alarm_rule(report: Callable[..., Any], logged: Callable[[], str]) -> None:
    """Also where the task that switches them on failed in the middle; a rule of which it tells nothing is still off."""
    silenced = [
        {
            **{"rule_id": rule_id, "di_job_id": JOB, "metric": "Delay", "fingerprint": "0123456789abcdef"},
            **{"dag_id": "upgrade", "run_id": "manual__1", "at": STOPPED},
        }
        for rule_id in (1, 2, 3, 4)
    ]
    restored = [
        {"rule_id": 1, "di_job_id": JOB, "metric": "Delay", "outcome": "changed", "off": False},
        {"rule_id": 2, "di_job_id": JOB, "metric": "Delay", "outcome": "edited", "off": True},
        {"rule_id": 3, "di_job_id": JOB, "metric": "Delay", "outcome": "gone", "off": False},
    ]
    tasks = {"silenced_by": ["silence"], "restored_by": ["restore"]}
    (job,) = report([NOTE], [STOP], [START], alarms=(silenced, restored), **tasks)["jobs"]

    told = [(rule["rule_id"], rule["outcome"], rule["off"]) for rule in job["alarms"]]
    assert told == [(1, "changed", False), (2, "edited", True), (3, "gone", False), (4, "off", True)]
    text = logged()
    for line in (
        "1 (Delay): silenced, and on again",
        "2 (Delay), 4 (Delay): STILL OFF",
        "3 (Delay): deleted by somebody meanwhile",
    ):
        assert f"Alarms of DI job {JOB}: {line}" in text


def test_a_job_of_which_no_restart_tells_is_looked_at(report: Callable[..., Any], emulator: Emulator) -> None:
    """It is down, or it cannot be said."""
    emulator.set_status(JOB, "Stopped")
    assert report([NOTE], [STOP], [])["jobs"][0]["outcome"] == "NOT RUNNING"
    emulator.inject({"operation": "GetDIJob", "times": None, "error": {"status": 403, "code": "Forbidden.RAM"}})
    assert report([NOTE], [STOP], [])["jobs"][0]["outcome"] == "NOT KNOWN"


def test_it_is_not_held_up_while_dataworks_is_away(
    report: Callable[..., Any], emulator: Emulator, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After one job that cannot be asked for, none is."""
    monkeypatch.setattr(DataWorksHook, "sleep", staticmethod(clock.sleep))
    emulator.inject({"operation": "ListDIJobMetrics", "times": None, "error": {"status": 503}})
    ids = list(range(1, 301))
    notes = [{**NOTE, "di_job_id": job_id} for job_id in ids]
    starts = [{**START, "di_job_id": job_id} for job_id in ids]

    found = report(notes, [], starts, di_job_ids=ids)

    assert [job["outcome"] for job in found["jobs"]] == ["caught up"] * 300
    assert len(emulator.calls) < 10


def test_many_events_leave_room_for_those_of_another_kind(report: Callable[..., Any], emulator: Emulator) -> None:
    """And it says how many it leaves out; a long statement is cut."""
    long = "x" * 2_000
    ddl = [{"kind": "DDL", "at": STOPPED + n, "text": f"ALTER TABLE t{n} {long}", "table": "t"} for n in range(25)]
    emulator.add_job(JOB, events=[*ddl, {"kind": "Failover", "at": STOPPED + 90, "text": "moved"}])

    (job,) = report([NOTE], [STOP], [START])["jobs"]

    assert [event["kind"] for event in job["events"]] == ["DDL"] * 10 + ["Failover"]
    assert job["more_events"] == 15
    assert max(len(event["text"]) for event in job["events"]) == 300


def test_what_on_report_does_to_it_changes_nothing(report: Callable[..., Any]) -> None:
    """It gets a report of its own."""

    def empty(report: dict[str, Any]) -> None:
        report.pop("jobs").clear()

    assert len(report([NOTE], [STOP], [START], on_report=empty, max_downtime=1e6)["jobs"]) == 1


def test_a_reason_of_a_native_template_may_be_a_number(report: Callable[..., Any]) -> None:
    """Airflow renders the text of a ticket's number as one."""
    assert report([NOTE], [STOP], [START], reason=4711)["reason"] == "4711"


def test_where_no_results_are_kept_the_status_is_what_is_known(
    report: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """With do_xcom_push=False a restart that went well tells nothing either."""
    monkeypatch.setattr(Told, "restart", "success")

    assert report([NOTE], [], [])["jobs"][0]["outcome"] == "running"
