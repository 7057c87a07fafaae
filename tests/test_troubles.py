"""Each kind of trouble, met by a real task on the emulator and read in its log as the person who is woken reads it."""

from __future__ import annotations

import json
import re
import socket
import ssl
from collections.abc import Callable, Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

import emulated  # noqa: F401 - sets Airflow's home before Airflow is imported
import pytest
from airflow.sdk import DAG
from dag_runs import run_dag
from emulated import JOB, SECURITY_TOKEN

from airflow_provider_dataworks import exceptions
from airflow_provider_dataworks.client import codes
from airflow_provider_dataworks.client.replies import Verdict
from airflow_provider_dataworks.client.troubles import TROUBLES
from airflow_provider_dataworks.emulator import Emulator
from airflow_provider_dataworks.emulator.fixtures import (
    EmulatorFactory,
    dataworks_emulator,
    dataworks_emulator_factory,
)
from airflow_provider_dataworks.exceptions import DataWorksError
from airflow_provider_dataworks.failures import as_airflow_sees_it
from airflow_provider_dataworks.hooks.dataworks import DataWorksHook
from airflow_provider_dataworks.operators.dataworks import StartDIJobOperator, StopDIJobOperator
from airflow_provider_dataworks.sensors.dataworks import DIJobStoppedSensor
from airflow_provider_dataworks.triggers.dataworks import DIJobStatusTrigger

__all__ = ["dataworks_emulator", "dataworks_emulator_factory"]

README = Path(__file__).parent.parent / "README.md"
V2020, V2024 = "2020-05-18", "2024-05-18"
CLOSED = {"cron": "0 0 29 2 *", "duration": "PT1H", "timezone": "UTC"}
ANSWERS = "GetDIJob of DI job 11668 failed"


def error(code: str, status: int = 400, message: str = "", operation: str = "GetDIJob") -> dict[str, Any]:
    """A fault rule: this code, as often as it is asked."""
    details = {"code": code, "status": status, **({"message": message} if message else {})}
    return {"operation": operation, "times": None, "error": details}


# Anchor, fault rules or a change of the connection, what the task is given, words of the first line.
ON_BOTH_VERSIONS: list[tuple[str, dict[str, Any], dict[str, Any], str]] = [
    ("throttled", {"fault": error("Throttling.User", 429)}, {}, f"{ANSWERS} (Throttling.User, HTTP 429, request id"),
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
    ("dns", {"host": "no-such-host.invalid"}, {}, "could not connect to no-such-host.invalid"),
    ("tls", {"host": "https://127.0.0.1"}, {}, "could not connect to 127.0.0.1"),
    ("answer-lost", {"fault": {"operation": "*", "times": None, "drop": "before"}}, {}, "no usable answer came"),
    ("unreadable-answer", {"fault": {"operation": "*", "times": None, "body": "{"}}, {}, "not one of DataWorks"),
    ("unreadable-answer", {"fault": {"operation": "*", "times": None, "body": "{}"}}, {}, "incomplete"),
    ("service-down", {"fault": error("InternalError.System", 500)}, {}, "InternalError.System, HTTP 500"),
    ("service-down", {"fault": {"operation": "*", "times": None, "status": 502, "body": "<html>"}}, {}, "HTTP 502"),
    ("bad-input", {}, {"di_job_id": "eleven"}, "di_job_id: 'eleven' is not a positive whole number."),
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


def a_block(text: str, see: str, first: str) -> list[str]:
    """
    Find the error in a task's log: a line with the facts, one with the remedy, one with the place in README.

    :param first: words of the first line.
    """
    lines = [line.rstrip() for line in text.splitlines()]
    places = [number for number, line in enumerate(lines) if line == f"See README.md#{see}"]
    assert places, text[-3000:]
    block = lines[places[0] - 2 : places[0] + 1]
    assert first in block[0], block
    assert block[1] == f"What to do: {TROUBLES[see].remedy}" or see == "bad-input", block
    assert block[1].startswith("What to do: ")
    return block


@pytest.fixture
def meet(
    dataworks_emulator_factory: EmulatorFactory,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> Callable[..., str]:
    """Let a task without retries run into a trouble, and return its log, which Airflow prints here."""

    def run(trouble: dict[str, Any], task: Any, name: str) -> str:
        emulator = dataworks_emulator_factory(extra=trouble.get("extra"), **trouble.get("settings", {}))
        if "fault" in trouble:
            emulator.inject(trouble["fault"])
        connection = emulator.connection(**{"connect_timeout": 2, **trouble.get("extra", {})})
        connection.update({name: trouble[name] for name in ("host", "login", "password") if name in trouble})
        if trouble.get("host", "").count(":") != 1 and "host" in trouble:
            connection.update(port=emulator.port if trouble["host"].startswith("https") else 443)
        monkeypatch.setenv("AIRFLOW_CONN_DATAWORKS_DEFAULT", json.dumps(connection))
        with DAG(name, schedule=None, start_date=datetime(2026, 1, 1)) as dag:
            task()
        state, _ = run_dag(dag)
        assert state == "failed"
        return "".join(capfd.readouterr())

    return run


@pytest.mark.parametrize("api_version", [V2020, V2024])
@pytest.mark.parametrize(
    ("see", "trouble", "arguments", "first"),
    ON_BOTH_VERSIONS,
    ids=[f"{row[0]}-{n}" for n, row in enumerate(ON_BOTH_VERSIONS)],
)
def test_the_log_of_a_failed_task_holds_one_clear_block(
    meet: Callable[..., str],
    api_version: str,
    see: str,
    trouble: dict[str, Any],
    arguments: dict[str, Any],
    first: str,
) -> None:
    """What happened with all facts, what to do, and where README tells more; once, and with no frame of ours but one."""
    trouble = {**trouble, "extra": {"api_version": api_version, **trouble.get("extra", {})}}

    def task() -> None:
        StopDIJobOperator(task_id="stop", retries=0, **{"di_job_id": JOB, **arguments})

    log = meet(trouble, task, f"trouble_{see}")

    block = a_block(log, see, first)
    assert log.count("\n".join(block[1:])) == 1
    Path("/tmp/docs_logs").mkdir(exist_ok=True)
    Path(f"/tmp/docs_logs/{see}-{api_version}.txt").write_text(log)
