"""Each entry of the catalogue, met by a task on the emulator and read as the person who is woken reads it."""

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
from red_tasks import a_block, error_of, log_of_failure, misses_of

from airflow_provider_dataworks import exceptions
from airflow_provider_dataworks.client.auth import sts
from airflow_provider_dataworks.client.auth.answers import row_for
from airflow_provider_dataworks.client.diagnostics import AlarmRule
from airflow_provider_dataworks.client.errors import codes
from airflow_provider_dataworks.client.errors.catalog import CATALOG, ErrorInfo
from airflow_provider_dataworks.client.errors.catalog_credentials import CREDENTIALS
from airflow_provider_dataworks.emulator.fixtures import (
    EmulatorFactory,
    dataworks_emulator,
    dataworks_emulator_factory,
)
from airflow_provider_dataworks.exceptions import (
    DataWorksError,
    DataWorksForbidden,
    DataWorksInvalidRequest,
    DataWorksPermanentError,
)
from airflow_provider_dataworks.hooks.dataworks import DataWorksHook
from airflow_provider_dataworks.maintenance import EmptyOperator
from airflow_provider_dataworks.operators.dataworks import StartDIJobOperator, StopDIJobOperator
from airflow_provider_dataworks.operators.maintenance_checks import RestartOutcomeOperator
from airflow_provider_dataworks.sensors.dataworks import DIJobStoppedSensor
from airflow_provider_dataworks.triggers.dataworks import DIJobStatusTrigger

__all__ = ["dataworks_emulator", "dataworks_emulator_factory"]

PACKAGE = Path(__file__).parents[3] / "airflow_provider_dataworks"
V2020, V2024 = "2020-05-18", "2024-05-18"
UNKNOWN_HOST = "dataworks.nowhere.example"
CLOSED = {"cron": "0 0 29 2 *", "duration": "PT1H", "timezone": "UTC"}
ANSWERS = "GetDIJob of DI job 11668 failed"


def fault(code: str, status: int = 400, message: str = "", operation: str = "GetDIJob") -> dict[str, Any]:
    """A fault rule: this code, as often as it is asked."""
    details = {"code": code, "status": status, **({"message": message} if message else {})}
    return {"operation": operation, "times": None, "error": details}


# Anchor, fault rules or a change of the connection, what the task is given, words of the first line.
TASKS: list[tuple[str, dict[str, Any], dict[str, Any], str]] = [
    ("throttled", {"fault": fault("Throttling.User", 429)}, {}, f"{ANSWERS} (Throttling.User, HTTP 429"),
    ("throttled", {"fault": fault("9990020002", 400, "Throttling.User")}, {}, "9990020002, HTTP 400"),
    ("daily-quota", {"settings": {"calls_per_day": 1}}, {}, "StopDIJob of DI job 11668 failed (Throttling.Api.Risk"),
    ("edition-quota", {"fault": fault("Throttling.Resource", 429)}, {}, "Throttling.Resource"),
    (
        "edition-too-low",
        {"fault": fault("Forbidden.Access", 403, operation="StopDIJob")},
        {},
        "It was Running when last",
    ),
    ("ram-action-missing", {"fault": fault("Forbidden.RAM", 403)}, {}, "Forbidden.RAM"),
    ("ram-action-missing", {"fault": fault("403030", 403)}, {}, "403030"),
    ("not-in-workspace", {"fault": fault("ResourceNotAuthorized.Api", 403)}, {}, "ResourceNotAuthorized.Api"),
    ("not-activated", {"fault": fault("9990010001", 400, "Not activated.")}, {}, "9990010001"),
    ("wrong-api-version", {"fault": fault("InvalidAction.NotFound", 404)}, {}, "InvalidAction.NotFound"),
    ("clock", {"fault": fault("InvalidTimeStamp.Expired", 400)}, {}, "The service's clock is"),
    ("access-key", {"login": "LTAIunknown"}, {}, "InvalidAccessKeyId.NotFound, HTTP 404"),
    ("access-key-secret", {"password": "not-the-secret"}, {}, "SignatureDoesNotMatch"),
    ("sts-token", {"extra": {"security_token": "other"}, "settings": {"security_token": SECURITY_TOKEN}}, {}, "Token"),
    ("no-such-job", {}, {"di_job_id": 4711}, "GetDIJob of DI job 4711 failed"),
    ("no-such-workspace", {"fault": fault("1101080008", 400)}, {}, "1101080008"),
    ("wrong-region", {"fault": fault("Forbidden.Not.Server", 500)}, {}, "Forbidden.Not.Server"),
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
    ("service-down", {"fault": fault("InternalError.System", 500)}, {}, "InternalError.System, HTTP 500"),
    ("service-down", {"fault": {"operation": "*", "times": None, "status": 502, "body": "<html>"}}, {}, "HTTP 502"),
    ("bad-input", {}, {"di_job_id": "{{ 'eleven' }}"}, "di_job_id: 'eleven' is not a positive whole number."),
    ("bad-input", {"extra": {"network": "lan"}}, {}, "network: 'lan' is not known."),
    ("request-refused", {"fault": fault("Odd.Code", 400)}, {}, "Odd.Code"),
    (
        "refused-in-this-state",
        {"fault": fault("InvalidStatus", 400, operation="StopDIJob")},
        {},
        "It was Running when last looked at.",
    ),
    ("job-failed", {"settings": {"jobs": {JOB: {"status": "Running", "stop_ends_in": "Failed"}}}}, {}, "ended Failed"),
    ("wait-timed-out", {"settings": {"stop_seconds": 900}}, {"timeout": 60}, "11668: it is still Stopping although"),
    ("outside-window", {}, {"window": CLOSED}, "the maintenance window is cron '0 0 29 2 *'"),
]


@pytest.fixture
def set_up(dataworks_emulator_factory: EmulatorFactory, monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Make an emulator and a connection with which something is wrong."""
    known = socket.getaddrinfo

    def resolve(host: Any, *rest: Any, **more: Any) -> Any:
        if host in (UNKNOWN_HOST, UNKNOWN_HOST.encode()):
            raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")
        return known(host, *rest, **more)

    monkeypatch.setattr(socket, "getaddrinfo", resolve)

    def make(wrong: dict[str, Any], api_version: str = V2020) -> None:
        extra = {"api_version": api_version, **wrong.get("extra", {})}
        emulator = dataworks_emulator_factory(extra=extra, **wrong.get("settings", {}))
        if "fault" in wrong:
            emulator.inject(wrong["fault"])
        connection = emulator.connection(**{"connect_timeout": 2, **extra})
        connection.update({name: wrong[name] for name in ("host", "login", "password") if name in wrong})
        if wrong.get("host", "").count(":") != 1 and "host" in wrong:
            connection.update(port=emulator.port if wrong["host"].startswith("https") else 443)
        monkeypatch.setenv("AIRFLOW_CONN_DATAWORKS_DEFAULT", json.dumps(connection))
        monkeypatch.setenv("NO_PROXY", "" if "env" in wrong else "*")
        if "env" in wrong:
            monkeypatch.setenv(wrong["env"], emulator.url)

    return make


def test_the_text_of_an_error_is_one_clear_block(set_up: Callable[..., None]) -> None:
    """What happened with all facts, what to do, and where more is told; hardly a frame of ours in its way."""
    misses = []
    for api_version in (V2020, V2024):
        for see, wrong, arguments, first in TASKS:
            set_up(wrong, api_version)
            error = error_of(StopDIJobOperator(task_id="stop", **{"di_job_id": JOB, **arguments}))
            misses += [f"{api_version} {miss}" for miss in misses_of(error, see, first)]

    assert misses == []


def test_a_lost_stop_says_what_was_seen_last(set_up: Callable[..., None]) -> None:
    """Behind the words of the library, which end without a full stop."""
    set_up({"fault": {"operation": "StopDIJob", "times": None, "drop": "before"}})

    error = error_of(StopDIJobOperator(task_id="stop", di_job_id=JOB))

    assert (
        misses_of(error, "answer-lost", "StopDIJob of DI job 11668 failed. It was Running when last looked at.") == []
    )
    assert "no usable answer came from" in str(error).splitlines()[1]


def test_an_error_of_the_hook_names_connection_and_endpoint(set_up: Callable[..., None]) -> None:
    """Also outside a task; where the connection itself is wrong, only its name is known."""
    set_up({"fault": fault("Forbidden.RAM", 403)})
    hook = DataWorksHook()
    with pytest.raises(DataWorksForbidden) as caught:
        hook.get_di_job(JOB)
    set_up({"extra": {"network": "lan"}})
    with pytest.raises(DataWorksInvalidRequest) as of_the_connection:
        DataWorksHook().get_di_job(JOB)

    host = hook.account.config.endpoint.removeprefix("http://")
    assert (caught.value.conn_id, caught.value.endpoint) == ("dataworks_default", host)
    assert (of_the_connection.value.conn_id, of_the_connection.value.endpoint) == ("dataworks_default", None)


def test_what_the_older_api_version_cannot_do_says_so(set_up: Callable[..., None]) -> None:
    """Before anything is sent, and with the version that can."""
    set_up({})
    hook, rule = DataWorksHook(), AlarmRule(id=7, di_job_id=JOB)
    with pytest.raises(DataWorksInvalidRequest) as of_metrics:
        hook.job_metrics(JOB, ["delayTime"], start=1, end=2)
    with pytest.raises(DataWorksInvalidRequest) as of_rules:
        hook.check_alarm_rule(rule)

    assert (
        misses_of(of_metrics.value, "needs-2024", "ListDIJobMetrics of DI job 11668 failed: API 2020-05-18 has") == []
    )
    assert misses_of(of_rules.value, "alarm-rule-not-safe", "alarm rule 7 would be damaged by it") == []


# Some of them met by real tasks, in whose log the error stands once and whole: it is retryable, about a job that is
# down, from a sensor, about several jobs, or has crossed the database.


def test_the_log_of_a_throttled_task_holds_the_block(
    set_up: Callable[..., None], capfd: pytest.CaptureFixture[str]
) -> None:
    """Behind its last try, and with the connection."""
    set_up({"fault": fault("Throttling.User", 429)})

    log = log_of_failure(lambda: StopDIJobOperator(task_id="stop", di_job_id=JOB, retries=0), "throttled", capfd)

    a_block(log, "throttled", f"{ANSWERS} (Throttling.User, HTTP 429")
    assert "Asked with connection dataworks_default" in log


def test_a_refused_restart_says_that_the_job_is_down(
    set_up: Callable[..., None], capfd: pytest.CaptureFixture[str]
) -> None:
    """What whoever is woken asks first."""
    set_up({"settings": {"jobs": {JOB: "Stopped"}}, "fault": fault("Forbidden.RAM", 403, operation="StartDIJob")})

    log = log_of_failure(lambda: StartDIJobOperator(task_id="restart", di_job_id=JOB, retries=0), "refused", capfd)

    block = a_block(log, "ram-action-missing", "StartDIJob of DI job 11668 failed (Forbidden.RAM, HTTP 403")
    assert "DI job 11668 is down: start it in the DataWorks console" in block[0]
    assert "It was Stopped when last looked at." in block[0]


def test_an_end_that_the_sensor_does_not_accept_is_named(
    set_up: Callable[..., None], capfd: pytest.CaptureFixture[str]
) -> None:
    """With what to add to the sensor."""
    set_up({"settings": {"jobs": {JOB: "Stopped"}}})

    def task() -> None:
        DIJobStoppedSensor(task_id="check", di_job_id=JOB, accept=("Finished",), retries=0)

    log = log_of_failure(task, "other_end", capfd)

    a_block(log, "end-not-accepted", "DI job 11668: it is Stopped, which is not accepted")


def test_a_maintenance_that_leaves_a_job_down_says_which(
    set_up: Callable[..., None], capfd: pytest.CaptureFixture[str]
) -> None:
    """And whose log tells why."""

    def tasks() -> None:
        stop = StopDIJobOperator(task_id="stop", di_job_id=JOB, retries=0)
        restart = EmptyOperator(task_id="restart")
        outcome = RestartOutcomeOperator(
            task_id="outcome", di_job_ids=[JOB], stopped_by=["stop"], started_by=["restart"], retries=0
        )
        stop >> restart >> outcome

    set_up({})
    log = log_of_failure(tasks, "left_down", capfd)

    block = a_block(log, "left-down", "DI job 11668: not running again: 11668 (Stopped); 1 of 1 that")
    assert "DI jobs are down: start them in the DataWorks console" in block[0]
    assert block[0].endswith("restart should have started them.")


def test_a_deferred_wait_ends_in_the_same_block(set_up: Callable[..., None], capfd: pytest.CaptureFixture[str]) -> None:
    """What the trigger learned crosses the database with all it needs."""
    job = {"status": "Running", "stop_ends_in": "Failed", "error_message": "disk full"}
    set_up({"settings": {"jobs": {JOB: job}}})

    def task() -> None:
        StopDIJobOperator(task_id="stop", di_job_id=JOB, retries=0, deferrable=True, poll_interval=1)

    log = log_of_failure(task, "deferred_failure", capfd)

    a_block(log, "job-failed", "DI job 11668: it ended Failed: disk full.")


async def test_a_trigger_without_its_connection_says_so() -> None:
    """The task that goes on afterwards ends in it."""
    trigger = DIJobStatusTrigger(di_job_id=JOB, deadline=1, dataworks_conn_id="nowhere")
    event = await anext(trigger.run())

    with pytest.raises(DataWorksError, match="connection nowhere") as caught:
        StopDIJobOperator(task_id="stop", di_job_id=JOB).execute_complete({}, json.loads(json.dumps(event.payload)))  # type: ignore[typeddict-item]

    assert "For more: python -m airflow_provider_dataworks explain connection-unreadable" in str(caught.value)


def test_an_event_of_another_release_says_so() -> None:
    """Nothing is guessed from it."""
    with pytest.raises(DataWorksError, match="not understood") as caught:
        StopDIJobOperator(task_id="stop", di_job_id=JOB).execute_complete({}, {"status": "ok"})  # type: ignore[typeddict-item]

    assert str(caught.value).endswith("For more: python -m airflow_provider_dataworks explain mixed-versions")


def test_every_entry_is_met_by_a_test() -> None:
    """An entry that nothing can end in would be a promise nobody keeps; those about keys have tests of their own."""
    elsewhere = {"end-not-accepted", "left-down", "connection-unreadable", "mixed-versions", "work-on-a-running-job"}
    elsewhere |= {"trigger-not-understood", "wait-broken", "restart-not-begun", "stop-without-restart"}
    elsewhere |= {"needs-2024", "alarm-rule-not-safe", "not-healthy", "stopped-again", "lag-grows", "not-caught-up"}
    elsewhere |= {"preflight", "long-downtime", "not-proven", "failed-before", "not-undone", "alarms-not-known"}
    met = {row[0] for row in TASKS} | elsewhere

    assert met - set(CATALOG) == set()
    assert set(CATALOG) - met - {info.anchor for info in CREDENTIALS} == set()


# The table


def test_every_class_leads_to_an_entry_of_its_own() -> None:
    """Also where whoever raised it named none; but the two that others derive from."""
    classes = {
        found
        for found in vars(exceptions).values()
        if isinstance(found, type) and issubclass(found, DataWorksError) and found is not DataWorksError
    }

    assert {info.error for info in CATALOG.values()} == classes
    wrong = [
        found
        for found in classes - {DataWorksPermanentError}
        if (see := found("m").see) is None or CATALOG[see].error is not found
    ]
    assert wrong == []


def test_no_module_writes_a_remedy_of_its_own() -> None:
    """Texts stand in the catalogue, where the pages find them; only a refused field has its own."""
    assert [
        path
        for path in PACKAGE.rglob("*.py")
        if re.search(r"""remedy=\s*f?["']""", path.read_text()) and not path.name.startswith("catalog")
    ] == []


def test_every_entry_gives_errors_its_remedy_and_its_name() -> None:
    """By which the pages tell more; that they have it, with the same text, is held in ``tests/docs``."""
    assert [name for name, info in CATALOG.items() if info.kwargs != {"remedy": info.remedy, "see": name}] == []


def leads_to(shown: str, info: ErrorInfo) -> bool:
    """Say whether a code, as the pages show it, leads to this entry."""
    if shown in ("as in the row above", "HTTP 3xx"):
        return True
    if shown == "HTTP 4xx without a code":
        return codes.meaning(None, 404) is info
    code, status = shown.removeprefix("other ").replace("*", "Thing"), 400
    if code.startswith("HTTP "):
        code, status = "Odd.Code", int(code.removeprefix("HTTP ").replace("x", "0"))
    of_keys = [row_for(rows, code) for rows in (sts.ROLE_CODES, sts.OIDC_CODES)]
    return info in (codes.meaning(code, status), *of_keys)


def test_the_codes_an_entry_shows_are_those_that_lead_to_it() -> None:
    """The pages may not promise what the client does not do."""
    wrong = [
        (info.anchor, shown)
        for info in CATALOG.values()
        for shown in filter(None, info.codes.split(", "))
        if not leads_to(shown, info)
    ]

    assert wrong == []


def test_every_code_is_shown_by_its_entry() -> None:
    """Whoever looks a code up finds it; but the entry for all other codes of STS has none."""
    wrong = []
    for code, info in codes.EXACT.items():
        shown = [re.escape(text).replace(r"\*", ".*") for text in info.codes.removeprefix("other ").split(", ")]
        if not any(re.fullmatch(pattern, code) or re.fullmatch(pattern, f"{code}.x") for pattern in shown):
            wrong.append(code)
    for begin, info in (*sts.ROLE_CODES.items(), *sts.OIDC_CODES.items()):
        shown = [text.rstrip(".*") for text in info.codes.split(", ")]
        if begin and not any(begin.startswith(text) or text.startswith(begin) for text in shown):
            wrong.append(begin)

    assert wrong == []


def test_an_entry_is_short_whole_sentences() -> None:
    """It is read at night."""
    most = {"title": 60, "cause": 160, "remedy": 260}
    long = [(info.anchor, name) for info in CATALOG.values() for name in most if len(getattr(info, name)) > most[name]]
    cut = [info.anchor for info in CATALOG.values() if not (info.cause.endswith(".") and info.remedy.endswith("."))]

    assert (long, cut) == ([], [])
