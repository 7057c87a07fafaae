"""Each kind of trouble, met by a real task on the emulator and read in its log as the person who is woken reads it."""

from __future__ import annotations

import json
import re
import socket
from collections.abc import Callable
from pathlib import Path
from typing import Any

import emulated  # noqa: F401 - sets Airflow's home before Airflow is imported
import pytest
from emulated import JOB, SECURITY_TOKEN
from red_tasks import a_block, log_of_failure
from test_catalog_credentials import TASKS as TASKS_WITHOUT_KEYS

from airflow_provider_dataworks import exceptions
from airflow_provider_dataworks.client.auth import sts
from airflow_provider_dataworks.client.auth.answers import row_for
from airflow_provider_dataworks.client.errors import codes
from airflow_provider_dataworks.client.errors.catalog import CATALOG, ErrorInfo
from airflow_provider_dataworks.emulator.fixtures import (
    EmulatorFactory,
    dataworks_emulator,
    dataworks_emulator_factory,
)
from airflow_provider_dataworks.exceptions import DataWorksError
from airflow_provider_dataworks.maintenance import EmptyOperator
from airflow_provider_dataworks.operators._outcome import RestartOutcomeOperator
from airflow_provider_dataworks.operators.dataworks import StartDIJobOperator, StopDIJobOperator
from airflow_provider_dataworks.sensors.dataworks import DIJobStoppedSensor
from airflow_provider_dataworks.triggers.dataworks import DIJobStatusTrigger

__all__ = ["dataworks_emulator", "dataworks_emulator_factory"]

README = Path(__file__).parents[3] / "README.md"
PACKAGE = README.parent / "airflow_provider_dataworks"
V2020, V2024 = "2020-05-18", "2024-05-18"
UNKNOWN_HOST = "dataworks.nowhere.example"
CLOSED = {"cron": "0 0 29 2 *", "duration": "PT1H", "timezone": "UTC"}
ANSWERS = "GetDIJob of DI job 11668 failed"


def error(code: str, status: int = 400, message: str = "", operation: str = "GetDIJob") -> dict[str, Any]:
    """A fault rule: this code, as often as it is asked."""
    details = {"code": code, "status": status, **({"message": message} if message else {})}
    return {"operation": operation, "times": None, "error": details}


# Anchor, fault rules or a change of the connection, what the task is given, words of the first line.
TASKS: list[tuple[str, dict[str, Any], dict[str, Any], str]] = [
    ("throttled", {"fault": error("Throttling.User", 429)}, {}, f"{ANSWERS} (Throttling.User, HTTP 429"),
    ("throttled", {"fault": error("9990020002", 400, "Throttling.User")}, {}, "9990020002, HTTP 400"),
    ("daily-quota", {"settings": {"calls_per_day": 1}}, {}, "StopDIJob of DI job 11668 failed (Throttling.Api.Risk"),
    ("edition-quota", {"fault": error("Throttling.Resource", 429)}, {}, "Throttling.Resource"),
    (
        "edition-too-low",
        {"fault": error("Forbidden.Access", 403, operation="StopDIJob")},
        {},
        "It was Running when last",
    ),
    ("ram-action-missing", {"fault": error("Forbidden.RAM", 403)}, {}, "Forbidden.RAM"),
    ("ram-action-missing", {"fault": error("403030", 403)}, {}, "403030"),
    ("not-in-workspace", {"fault": error("ResourceNotAuthorized.Api", 403)}, {}, "ResourceNotAuthorized.Api"),
    ("not-activated", {"fault": error("9990010001", 400, "Not activated.")}, {}, "9990010001"),
    ("wrong-api-version", {"fault": error("InvalidAction.NotFound", 404)}, {}, "InvalidAction.NotFound"),
    ("clock", {"fault": error("InvalidTimeStamp.Expired", 400)}, {}, "The service's clock is"),
    ("access-key", {"login": "LTAIunknown"}, {}, "InvalidAccessKeyId.NotFound, HTTP 404"),
    ("access-key-secret", {"password": "not-the-secret"}, {}, "SignatureDoesNotMatch"),
    ("sts-token", {"extra": {"security_token": "other"}, "settings": {"security_token": SECURITY_TOKEN}}, {}, "Token"),
    ("no-such-job", {}, {"di_job_id": 4711}, "GetDIJob of DI job 4711 failed"),
    ("no-such-workspace", {"fault": error("1101080008", 400)}, {}, "1101080008"),
    ("wrong-region", {"fault": error("Forbidden.Not.Server", 500)}, {}, "Forbidden.Not.Server"),
    ("not-dataworks", {"fault": {"operation": "*", "times": None, "status": 404, "body": "<html>"}}, {}, "HTTP 404"),
    ("not-dataworks", {"fault": {"operation": "*", "times": None, "status": 403, "body": "<html>"}}, {}, "HTTP 403"),
    ("redirect", {"fault": {"operation": "*", "redirect": "https://elsewhere.example/"}}, {}, "redirect"),
    ("network", {"host": "http://127.0.0.1:1"}, {}, "could not connect to 127.0.0.1:1: ConnectError"),
    ("dns", {"host": UNKNOWN_HOST}, {}, f"could not connect to {UNKNOWN_HOST}: ConnectError"),
    ("tls", {"host": "https://127.0.0.1"}, {}, "could not connect to 127.0.0.1"),
    (
        "proxy",
        {"host": "dataworks.example", "env": "HTTPS_PROXY"},
        {},
        "could not connect to dataworks.example: ProxyError",
    ),
    ("answer-lost", {"fault": {"operation": "*", "times": None, "drop": "before"}}, {}, "no usable answer came"),
    ("unreadable-answer", {"fault": {"operation": "*", "times": None, "body": "{"}}, {}, "not one of DataWorks"),
    ("unreadable-answer", {"fault": {"operation": "*", "times": None, "body": "{}"}}, {}, "incomplete"),
    ("service-down", {"fault": error("InternalError.System", 500)}, {}, "InternalError.System, HTTP 500"),
    ("service-down", {"fault": {"operation": "*", "times": None, "status": 502, "body": "<html>"}}, {}, "HTTP 502"),
    ("bad-input", {}, {"di_job_id": "{{ 'eleven' }}"}, "di_job_id: 'eleven' is not a positive whole number."),
    ("bad-input", {"extra": {"network": "lan"}}, {}, "network: 'lan' is not known."),
    ("request-refused", {"fault": error("Odd.Code", 400)}, {}, "Odd.Code"),
    (
        "refused-in-this-state",
        {"fault": error("InvalidStatus", 400, operation="StopDIJob")},
        {},
        "It was Running when last looked at.",
    ),
    ("job-failed", {"settings": {"jobs": {JOB: {"status": "Running", "stop_ends_in": "Failed"}}}}, {}, "ended Failed"),
    ("wait-timed-out", {"settings": {"stop_seconds": 900}}, {"timeout": 60}, "11668: it is still Stopping although"),
    ("outside-window", {}, {"window": CLOSED}, "the maintenance window is cron '0 0 29 2 *'"),
]


@pytest.fixture
def meet(
    dataworks_emulator_factory: EmulatorFactory,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> Callable[..., str]:
    """Let a task without retries run into a trouble, and return its log, which Airflow prints here."""
    known = socket.getaddrinfo

    def resolve(host: Any, *rest: Any, **more: Any) -> Any:
        if host in (UNKNOWN_HOST, UNKNOWN_HOST.encode()):
            raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")
        return known(host, *rest, **more)

    monkeypatch.setattr(socket, "getaddrinfo", resolve)

    def run(trouble: dict[str, Any], task: Any, name: str) -> str:
        emulator = dataworks_emulator_factory(extra=trouble.get("extra"), **trouble.get("settings", {}))
        if "fault" in trouble:
            emulator.inject(trouble["fault"])
        connection = emulator.connection(**{"connect_timeout": 2, **trouble.get("extra", {})})
        connection.update({name: trouble[name] for name in ("host", "login", "password") if name in trouble})
        if trouble.get("host", "").count(":") != 1 and "host" in trouble:
            connection.update(port=emulator.port if trouble["host"].startswith("https") else 443)
        monkeypatch.setenv("AIRFLOW_CONN_DATAWORKS_DEFAULT", json.dumps(connection))
        monkeypatch.setenv("NO_PROXY", "" if "env" in trouble else "*")
        if "env" in trouble:
            monkeypatch.setenv(trouble["env"], emulator.url)
        return log_of_failure(task, name, capfd)

    return run


@pytest.mark.parametrize("api_version", [V2020, V2024])
@pytest.mark.parametrize(
    ("see", "trouble", "arguments", "first"),
    TASKS,
    ids=[f"{row[0]}-{n}" for n, row in enumerate(TASKS)],
)
def test_the_log_of_a_failed_task_holds_one_clear_block(
    meet: Callable[..., str],
    api_version: str,
    see: str,
    trouble: dict[str, Any],
    arguments: dict[str, Any],
    first: str,
) -> None:
    """What happened with all facts, what to do, and where README tells more; once, and hardly a frame of ours."""
    trouble = {**trouble, "extra": {"api_version": api_version, **trouble.get("extra", {})}}

    def task() -> None:
        StopDIJobOperator(task_id="stop", retries=0, **{"di_job_id": JOB, **arguments})

    log = meet(trouble, task, f"trouble_{see}")

    block = a_block(log, see, first)
    assert log.count("\n".join(block[1:])) == 1
    assert "Asked with connection dataworks_default" in log
    assert len(re.findall(r'File ".*/airflow_provider_dataworks/', log)) <= 3


def test_a_refused_restart_says_that_the_job_is_down(meet: Callable[..., str]) -> None:
    """What whoever is woken asks first."""
    trouble = {"settings": {"jobs": {JOB: "Stopped"}}, "fault": error("Forbidden.RAM", 403, operation="StartDIJob")}

    log = meet(trouble, lambda: StartDIJobOperator(task_id="restart", di_job_id=JOB, retries=0), "refused_restart")

    block = a_block(log, "ram-action-missing", "StartDIJob of DI job 11668 failed (Forbidden.RAM, HTTP 403")
    assert "DI job 11668 is down: start it in the DataWorks console" in block[0]
    assert "It was Stopped when last looked at." in block[0]


def test_a_lost_stop_says_what_was_seen_last(meet: Callable[..., str]) -> None:
    """Behind the words of the library, which end without a full stop."""
    trouble = {"fault": {"operation": "StopDIJob", "times": None, "drop": "before"}}

    log = meet(trouble, lambda: StopDIJobOperator(task_id="stop", di_job_id=JOB, retries=0), "lost_stop")

    block = a_block(log, "answer-lost", "StopDIJob of DI job 11668 failed. It was Running when last looked at.")
    assert "no usable answer came from" in block[0]


def test_an_end_that_the_sensor_does_not_accept_is_named(meet: Callable[..., str]) -> None:
    """With what to add to the sensor."""
    trouble = {"settings": {"jobs": {JOB: "Stopped"}}}

    log = meet(
        trouble,
        lambda: DIJobStoppedSensor(task_id="check", di_job_id=JOB, accept=("Finished",), retries=0),
        "other_end",
    )

    a_block(log, "end-not-accepted", "DI job 11668: it is Stopped, which is not accepted")


def test_a_maintenance_that_leaves_a_job_down_says_which(meet: Callable[..., str]) -> None:
    """And whose log tells why."""

    def tasks() -> None:
        stop = StopDIJobOperator(task_id="stop", di_job_id=JOB, retries=0)
        restart = EmptyOperator(task_id="restart")
        outcome = RestartOutcomeOperator(
            task_id="outcome", di_job_ids=[JOB], stopped_by=["stop"], started_by=["restart"], retries=0
        )
        stop >> restart >> outcome

    log = meet({}, tasks, "left_down")

    block = a_block(log, "left-down", "DI job 11668: not running again: 11668 (Stopped); 1 of 1 that")
    assert "DI jobs are down: start them in the DataWorks console" in block[0]
    assert block[0].endswith("restart should have started them.")


def test_a_deferred_wait_ends_in_the_same_block(meet: Callable[..., str]) -> None:
    """What the trigger learned crosses the database with all it needs."""
    trouble = {
        "settings": {"jobs": {JOB: {"status": "Running", "stop_ends_in": "Failed", "error_message": "disk full"}}}
    }

    log = meet(
        trouble,
        lambda: StopDIJobOperator(task_id="stop", di_job_id=JOB, retries=0, deferrable=True),
        "deferred_failure",
    )

    a_block(log, "job-failed", "DI job 11668: it ended Failed: disk full.")


async def test_a_trigger_without_its_connection_says_so() -> None:
    """The task that goes on afterwards ends in it."""
    trigger = DIJobStatusTrigger(di_job_id=JOB, deadline=1, dataworks_conn_id="nowhere")
    event = await anext(trigger.run())

    with pytest.raises(DataWorksError, match="connection nowhere") as caught:
        StopDIJobOperator(task_id="stop", di_job_id=JOB).execute_complete({}, json.loads(json.dumps(event.payload)))  # type: ignore[typeddict-item]

    assert "See README.md#connection-unreadable" in str(caught.value)


def test_an_event_of_another_release_says_so() -> None:
    """Nothing is guessed from it."""
    with pytest.raises(DataWorksError, match="not understood") as caught:
        StopDIJobOperator(task_id="stop", di_job_id=JOB).execute_complete({}, {"status": "ok"})  # type: ignore[typeddict-item]

    assert str(caught.value).endswith("See README.md#mixed-versions")


def test_every_row_is_met_by_a_test() -> None:
    """A row that nothing can end in would be a promise nobody keeps."""
    elsewhere = {"end-not-accepted", "left-down", "connection-unreadable", "mixed-versions", "work-on-a-running-job"}
    elsewhere |= {"connection-not-read-again", "keys-removed", "trigger-not-understood", "wait-broken"}
    elsewhere |= {"restart-not-begun", "stop-without-restart"}

    assert {row[0] for row in (*TASKS, *TASKS_WITHOUT_KEYS)} | elsewhere == set(CATALOG)


# The table


def test_every_class_leads_to_a_row_of_its_own() -> None:
    """Also where whoever raised it named none."""
    classes = [
        found
        for found in vars(exceptions).values()
        if isinstance(found, type) and issubclass(found, DataWorksError) and found is not DataWorksError
    ]

    for found in classes:
        see = found("m").see
        assert see is not None
        assert CATALOG[see].error is found
    assert {row.error for row in CATALOG.values()} == {*classes, DataWorksError}


@pytest.mark.parametrize("path", sorted(PACKAGE.rglob("*.py")), ids=lambda path: path.stem)
def test_no_module_writes_a_remedy_of_its_own(path: Path) -> None:
    """Texts stand in the table, where README finds them; only a refused field has its own."""
    assert not re.search(r"""remedy=\s*f?["']""", path.read_text())


def test_every_row_has_its_place_in_readme() -> None:
    """By the anchor that errors name."""
    anchors = re.findall(r'<a id="([^"]+)">', README.read_text())

    assert anchors == list(CATALOG)


@pytest.mark.parametrize("row", CATALOG.values(), ids=lambda row: row.anchor)
def test_the_codes_a_row_shows_are_those_that_lead_to_it(row: ErrorInfo) -> None:
    """README may not promise what the client does not do."""
    for shown in filter(None, row.codes.split(", ")):
        if shown == "as in the row above":
            continue
        code, status = (shown.removeprefix("other ").replace("*", "Thing"), 400)
        if shown.startswith(("HTTP ", "other HTTP ")):
            number = re.sub("x", "0", re.search(r"[\dx]{3}", shown)[0])  # type: ignore[index]
            if number == "300":
                continue
            code, status = ("" if "without" in shown else "Odd.Code", int(number))
        if "without a code" in shown:
            assert codes.meaning(None, 404) is row
        else:
            of_keys = [row_for(rows, code) for rows in (sts.ROLE_CODES, sts.OIDC_CODES)]
            assert row in (codes.meaning(code, status), *of_keys), shown


def test_every_code_is_shown_by_its_row() -> None:
    """Whoever looks a code up in README finds it."""
    for code, row in codes.EXACT.items():
        shown = [re.escape(text).replace(r"\*", ".*") for text in row.codes.removeprefix("other ").split(", ")]
        assert any(re.fullmatch(pattern, code) or re.fullmatch(pattern, f"{code}.x") for pattern in shown), code


@pytest.mark.parametrize("rows", [sts.ROLE_CODES, sts.OIDC_CODES], ids=["role", "oidc"])
def test_every_code_about_roles_is_shown_by_its_row(rows: dict[str, ErrorInfo]) -> None:
    """But the one for all others, and those that mean the same by another service."""
    for begin, row in rows.items():
        shown = [text.rstrip(".*") for text in row.codes.split(", ")]
        assert not begin or any(begin.startswith(text) or text.startswith(begin) for text in shown), begin


@pytest.mark.parametrize("row", CATALOG.values(), ids=lambda row: row.anchor)
def test_a_row_is_short_whole_sentences(row: ErrorInfo) -> None:
    """It is read at night."""
    assert row.cause.endswith(".")
    assert row.remedy.endswith(".")
    assert len(row.title) <= 60
    assert len(row.cause) <= 160
    assert len(row.remedy) <= 260
