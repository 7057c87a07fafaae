"""``status``: jobs of a workspace or by id, with lag where known; it changes nothing."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from command_line import Say
from emulated import JOB, Clock

from airflow_provider_dataworks.emulator import Emulator

CHANGES = ("StopDIJob", "StartDIJob", "UpdateDIAlarmRule")


@pytest.fixture(autouse=True)
def jobs(emulator: Emulator, clock: Clock) -> None:
    """A workspace with jobs of each kind, which have run for a while."""
    emulator.add_job(JOB, lag=30)
    emulator.add_job(8, lag="missing")
    emulator.add_job(9, lag={"stale": 600})
    emulator.add_job(7, "Failed", error_message="its place is gone")
    emulator.add_job(10, "Stopped", name="订单_orders")
    clock.sleep(1000)


def test_a_workspace(say: Say, emulator: Emulator) -> None:
    """Every job, by id, in columns; an old lag says how old it is, and what is unknown says so."""
    said = say("status")

    assert said.code == 0
    assert said.out.splitlines() == [
        "DI JOB  STATUS   LAG                   NAME",
        "7       Failed   -                     mysql_to_holo_sync_7",
        "8       Running  unknown               mysql_to_holo_sync_8",
        "9       Running  0 s, 10 min 20 s ago  mysql_to_holo_sync_9",
        "10      Stopped  -                     订单_orders",
        "11668   Running  30 s                  mysql_to_holo_sync_11668",
    ]
    assert "Lag unknown: DataWorks has no recent sample of it" in said.err
    assert not [call for call in emulator.calls if call.operation in CHANGES]


def test_jobs_by_id_and_one_that_is_not_there(say: Say) -> None:
    """What is known is shown, what is not is an error, and the exit code says that DataWorks refused."""
    said = say("status", JOB, 99, "7,8")

    assert said.code == 4
    assert [line.split()[0] for line in said.out.splitlines()[1:5]] == ["11668", "7", "8", "99"]
    assert "99      unknown" in said.out
    assert "GetDIJob of DI job 99 failed" in said.err
    assert "explain no-such-job" in said.err


def test_a_failed_job_tells_why(say: Say, connect: Callable[..., None]) -> None:
    """Where the API gives a text, which is the older one."""
    connect(api_version="2020-05-18")

    said = say("status", 7)

    assert "DI job 7 is Failed: its place is gone" in said.out


def test_the_older_api_knows_no_lag(say: Say, connect: Callable[..., None], emulator: Emulator) -> None:
    """It is said once, and asked once."""
    connect(api_version="2020-05-18", project_id=1967)

    said = say("status")

    assert said.code == 0
    assert said.err.count("2024-05-18") == 1
    assert emulator.count("ListDIJobMetrics") == 0


def test_only_some_statuses_and_what_a_script_expects(say: Say) -> None:
    """--status chooses what is shown, --expect what is good."""
    rows = [
        (("-s", "stopped", "--status", "FAILED"), 0, ["7", "10"]),
        (("--expect", "Running", JOB, 8), 0, ["11668", "8"]),
        (("--expect", "Running,Stopped", JOB, 10), 0, ["11668", "10"]),
        (("--expect", "Running", JOB, 10), 1, ["11668", "10"]),
    ]
    misses = []
    for words, code, ids in rows:
        said = say("status", *words)
        shown = [line.split()[0] for line in said.out.splitlines()[1:] if line[:1].isdigit()]
        if (said.code, shown) != (code, ids):
            misses.append((words, said))

    assert misses == []


def test_json(say: Say) -> None:
    """One value for programs, nothing else on stdout."""
    said = say("status", JOB, 9, 99, "--output", "json")

    first, second, third = said.json
    assert first == {
        "di_job_id": JOB,
        "status": "Running",
        "name": f"mysql_to_holo_sync_{JOB}",
        "project_id": 1967,
        "lag_seconds": 30.0,
        "lag_age_seconds": first["lag_age_seconds"],
        "error_message": None,
    }
    assert second["lag_age_seconds"] > 500
    assert (third["di_job_id"], third["status"], third["error"]) == (99, None, "no-such-job")


def test_a_large_workspace_costs_few_calls(say: Say, emulator: Emulator) -> None:
    """The lag of many is asked for only where somebody says so; many ids are answered by a list."""
    for job_id in range(100, 140):
        emulator.add_job(job_id, lag=1)
    before = len(emulator.calls)

    said = say("status")
    assert len(emulator.calls) - before == 1
    assert "--lag asks for it" in said.err

    before = len(emulator.calls)
    assert say("status", "--no-lag", *range(100, 140)).code == 0
    assert len(emulator.calls) - before == 2

    say("status", "--lag")
    assert emulator.count("ListDIJobMetrics") == 43


def test_what_cannot_be_asked_ends_at_once(say: Say, emulator: Emulator) -> None:
    """A service that does not answer is not asked for each job: every call waits as long."""
    emulator.inject({"operation": "GetDIJob", "status": 503, "body": "busy", "times": 100})

    said = say("status", *range(1, 6))

    assert said.code == 3
    assert emulator.count("GetDIJob") <= 6
    assert said.err.count("GetDIJob of DI job 1 failed") == 1


def test_bad_input_is_named(say: Say, connect: Callable[..., None]) -> None:
    """With exit code 2, and no call."""
    connect(api_version="2024-05-18")
    rows = [
        (("status", "abc"), "DI_JOB_ID: 'abc'"),
        (("status", "0"), "DI_JOB_ID: 0"),
        (("status", "--project-id", "x"), "--project-id: 'x'"),
        (("status", "1", "-p", "2"), "--project-id: does not go with ids"),
        (("status", "--lag", "--no-lag"), "--lag: does not go with --no-lag"),
        (("status",), "--project-id: is missing"),
        (("status", "--output", "xml"), "--output"),
        (("staus",), "staus"),
    ]
    misses = [(words, said) for words, named in rows if (said := say(*words)).code != 2 or named not in said.err]

    assert misses == []


def test_no_such_connection(say: Say) -> None:
    """Airflow's part could not be read, and the error says where to look."""
    said = say("status", 1, "-c", "nope")

    assert said.code == 5
    assert "airflow connections list" in said.err


def test_what_is_refused_of_the_list_or_of_one_job_hides_no_other(say: Say, emulator: Emulator) -> None:
    """A key may read its jobs and not the list of a workspace; one of them may be in a workspace of others."""
    refusal = {"status": 403, "code": "Forbidden.RAM", "message": "no"}
    emulator.inject({"operation": "ListDIJobs", "times": None, "error": refusal})
    said = say("status", JOB, 7, 8, 9, "--no-lag")
    assert (said.code, [line.split()[1] for line in said.out.splitlines()[1:]]) == (
        0,
        ["Running", "Failed", "Running", "Running"],
    )

    for job_id in (7, 8):
        emulator.inject({"operation": "GetDIJob", "times": None, "job_id": job_id, "error": refusal})
    said = say("status", JOB, 7, 8, 9, "--no-lag")

    assert said.code == 4
    assert sorted(line.split()[1] for line in said.out.splitlines()[1:]) == ["Running", "Running", "unknown", "unknown"]
    assert said.err.count("Forbidden.RAM") == 1
    assert "The same of DI jobs 8." in said.err


@pytest.mark.parametrize("option", ["--status", "--expect"])
def test_a_status_that_is_none_is_named(say: Say, emulator: Emulator, option: str) -> None:
    """Misspelt, it would find nothing amiss; a word of the service's own will do."""
    said = say("status", option, "Runing", "--no-lag")
    assert said.code == 2
    assert f"{option}: runing is no status of a DI job. Use Initialized" in said.err

    emulator.set_status(8, "Suspended")
    assert say("status", option, "suspended", "--no-lag").code in (0, 1)


def test_one_job_without_metrics_hides_no_other_lag(say: Say, emulator: Emulator) -> None:
    """What every job would be refused is asked once."""
    emulator.inject(
        {"operation": "ListDIJobMetrics", "times": 1, "error": {"status": 400, "code": "InvalidParameter"}},
    )
    said = say("status", 8, JOB)
    assert "30 s" in said.out
    assert "Lag unknown: ListDIJobMetrics of DI job 8 failed" in said.err

    emulator.inject({"operation": "ListDIJobMetrics", "times": None, "error": {"status": 403, "code": "Forbidden.RAM"}})
    before = len(emulator.calls)
    assert say("status", 8, JOB).out.count("unknown") == 2
    assert [call.operation for call in emulator.calls[before:]].count("ListDIJobMetrics") == 1


def test_a_wrong_field_of_the_connection_is_said_once(
    say: Say, emulator: Emulator, connect: Callable[..., None]
) -> None:
    """It is no fault of any job."""
    connect(max_qps="fast")

    said = say("status", JOB, 7, 8)

    assert said.code == 2
    assert said.err.count("'fast' is not a number") == 1
    assert "The same" not in said.err
