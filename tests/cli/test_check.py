"""``check``: what is asked, what a no looks like, and that nothing is changed."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest
from command_line import Said, Say
from emulated import JOB, Clock

from airflow_provider_dataworks.emulator import Emulator

ASKED = {
    "ListProjects",
    "ListDIJobs",
    "GetDIJob",
    "ListDIJobMetrics",
    "ListDIJobRunDetails",
    "GetDIJobLog",
    "ListDIJobEvents",
    "ListDIAlarmRules",
}


def answers(said: Said) -> dict[str, str]:
    """Return each check's answer."""
    return {each["check"]: each["answer"] for each in said.json}


def test_all_is_well(say: Say, emulator: Emulator, clock: Clock) -> None:
    """A checklist; what cannot be asked is said to be unknown, and is no no. About ten calls, none of them a change."""
    clock.sleep(300)

    said = say("check")

    assert said.code == 0
    assert said.err == ""
    assert "[ ]" not in said.out
    lines = said.out.splitlines()
    assert lines[0].startswith("[x] connection can be read: dataworks_default: region not named, host 127.0.0.1")
    assert lines[1] == "[x] key is good: DataWorks answered ListProjects; workspaces visible: 1"
    assert f"[x] API 2024-05-18 sees a DI job: DI job {JOB} is Running, workspace 1967" in lines
    assert f"[x] API 2020-05-18 sees the same: DI job {JOB} is Running, workspace 1967" in lines
    assert lines[-1].startswith("[?] may stop and start: cannot be asked")
    assert {call.operation for call in emulator.calls} == ASKED
    assert len(emulator.calls) <= 11


def test_the_older_api(say: Say, connect: Callable[..., None], emulator: Emulator) -> None:
    """It has fewer rights to ask for, which is unknown and no no."""
    connect(api_version="2020-05-18")

    said = say("check", "-j", JOB, "-o", "json")

    assert said.code == 0
    found = answers(said)
    assert found["may list DI jobs"] == "unknown"
    assert found["API 2020-05-18 sees a DI job"] == "yes"
    assert found["API 2024-05-18 sees the same"] == "yes"
    assert found["may tell lag, tables, log, events"] == "unknown"
    assert emulator.count("ListDIJobMetrics") == 0


def test_where_it_ends_early(say: Say, emulator: Emulator, monkeypatch: pytest.MonkeyPatch) -> None:
    """Connection, key, or the way there: the exit code tells which, and the error what to do."""
    good = emulator.connection()

    def connection(**changes: object) -> None:
        monkeypatch.setenv("AIRFLOW_CONN_TRIED", json.dumps({**good, **changes}))

    rows: list[tuple[dict[str, object], int, str, str]] = [
        ({"password": "wrong"}, 4, "key is good", "explain access-key-secret"),
        ({"port": 1}, 3, "key is good", "explain network"),
        ({"extra": {"region": "cn-shanghai", "api_version": "2019"}}, 2, "connection can be read", "api_version"),
    ]
    misses = []
    for changes, code, check, named in rows:
        connection(**changes)
        said = say("check", "-c", "tried", "-o", "json")
        if (
            said.code != code
            or said.json[-1]["check"] != check
            or answers(said)[check] != "no"
            or named not in said.err
        ):
            misses.append((changes, said))

    assert misses == []
    assert say("check", "-c", "nope").code == 5


def test_a_right_that_is_missing(say: Say, emulator: Emulator) -> None:
    """It is a no with its remedy, and the others are asked all the same."""
    emulator.inject({"operation": "GetDIJobLog", "error": {"status": 403, "code": "Forbidden.RAM", "message": "no"}})

    said = say("check", "-o", "json")

    assert said.code == 4
    assert answers(said)["may GetDIJobLog"] == "no"
    assert answers(said)["may ListDIJobEvents"] == "yes"
    assert "dataworks:GetDIJobLog" in next(each for each in said.json if each["check"] == "may GetDIJobLog")["detail"]


def test_the_other_api_version_may_be_refused(say: Say, emulator: Emulator) -> None:
    """A low edition has but one: this is no fault of the connection."""
    refusal = {"status": 403, "code": "Forbidden.Access", "message": "edition"}
    emulator.inject({"operation": "GetDIJob", "version": "2020-05-18", "error": refusal})

    said = say("check", "-j", JOB, "-o", "json")

    assert said.code == 0
    assert answers(said)["API 2020-05-18 sees the same"] == "unknown"


def test_a_wrong_clock(say: Say, emulator: Emulator) -> None:
    """DataWorks refuses it; calls are signed by its own then, and the check says so."""
    emulator.clock_offset = 3600

    said = say("check", "-o", "json")

    assert said.code == 1
    found = next(each for each in said.json if each["check"] == "clock is right")
    assert found["answer"] == "no"
    assert "1 h ahead of ours" in found["detail"]


def test_bad_input_is_named(say: Say) -> None:
    """With exit code 2."""
    assert "--di-job-id: 'x'" in say("check", "-j", "x").err
    assert "--project-id: 0" in say("check", "-p", "0").err


def test_a_key_that_may_only_work_on_jobs_is_good(say: Say, emulator: Emulator) -> None:
    """Tasks need no ListProjects."""
    emulator.inject({"operation": "ListProjects", "times": None, "error": {"status": 403, "code": "Forbidden.RAM"}})

    said = say("check", "-o", "json")

    assert (said.code, answers(said)["key is good"], answers(said)["may list workspaces"]) == (0, "yes", "unknown")
    assert answers(said)["may list DI jobs"] == "yes"
