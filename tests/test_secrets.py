"""A hunt for secrets in all that Airflow keeps or shows of a task: logs at DEBUG, XCom, rendered fields, errors."""

from __future__ import annotations

import logging
import pickle
from collections.abc import Callable
from datetime import datetime
from typing import Any
from urllib.parse import quote

import pytest
from dag_runs import run_dag
from emulated import JOB, SECURITY_TOKEN, connect, emulator, logged
from emulated import real_clock as clock
from issuer import BASE_KEY, BASE_SECRET, ROLE, Issuer, serving

from airflow_provider_dataworks.emulator import Emulator
from airflow_provider_dataworks.exceptions import DataWorksError
from airflow_provider_dataworks.hooks.dataworks import DataWorksHook
from airflow_provider_dataworks.operators.dataworks import StopDIJobOperator
from airflow_provider_dataworks.sensors.dataworks import DIJobStoppedSensor
from airflow_provider_dataworks.version_compat import DAG

__all__ = ["clock", "connect", "emulator", "logged"]
SECRET = "spelled/secret+with=specials"
SIGNATURES = pytest.mark.parametrize("signature", ["ACS3-HMAC-SHA256", "HMAC-SHA1"])
# What the service, or a gateway before it, sends back of a request: with the older signature that is the whole query.
ECHOES = {
    "string-to-sign": {
        "error": {"status": 400, "code": "SignatureDoesNotMatch", "message": "server string to sign is:"}
    },
    "unknown-code": {"error": {"status": 400, "code": "Odd.Code", "message": "you sent"}},
    "server-error": {"error": {"status": 500, "code": "InternalError.System", "message": "while reading"}},
    "html": {"status": 502, "content_type": "text/html", "body": "<html>GET /?"},
    "success-false": {"success_false": {"code": "Odd", "message": "refused"}},
}


def spellings() -> list[str]:
    """Secret and token as they are, and as a URL or a string to sign would spell them."""
    found = []
    for text in (SECRET, SECURITY_TOKEN):
        once = quote(text, safe="~")
        found += [text, once, quote(once, safe="~")]
    return found


@pytest.fixture
def keyed(emulator: Emulator, connect: Callable[..., None], monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Make a connection with a secret and a token that are easy to find."""

    def make(**extra: Any) -> None:
        emulator.add_access_key("LTAIhunted", SECRET, SECURITY_TOKEN)
        monkeypatch.setattr(Emulator, "access_key_id", "LTAIhunted")
        monkeypatch.setattr(Emulator, "access_key_secret", SECRET)
        connect(security_token=SECURITY_TOKEN, **extra)

    return make


@SIGNATURES
def test_a_run_leaves_no_secret_behind(
    emulator: Emulator,
    keyed: Callable[..., None],
    logged: Callable[[], str],
    monkeypatch: pytest.MonkeyPatch,
    signature: str,
) -> None:
    """Log lines of every library, XComs and rendered fields of a run with throttling and a lost answer."""
    monkeypatch.setattr(logging.getLogger("httpx"), "level", logging.DEBUG)
    monkeypatch.setattr(logging.getLogger("httpcore"), "level", logging.DEBUG)
    keyed(signature=signature)
    emulator.add_job(JOB, "Running", stop_seconds=0)
    emulator.inject({"operation": "StopDIJob", "throttle": {"hints": {"x-acs-retry-after": 10}}})
    emulator.inject({"operation": "StopDIJob", "drop": "after"})
    with DAG(f"hunt_{signature}", schedule=None, start_date=datetime(2026, 1, 1)) as dag:
        stop = StopDIJobOperator(task_id="stop", di_job_id="{{ 11668 }}", poll_interval=0.1)
        stop >> DIJobStoppedSensor(task_id="check", di_job_id=JOB, poke_interval=0.1)

    state, tasks = run_dag(dag)

    assert state == "success"
    kept = [logged()]
    for ti in tasks.values():
        kept += [repr(vars(ti)), repr(ti.xcom_pull(task_ids=ti.task_id, key=None))]
    kept.append(repr(vars(stop)))
    assert "send_request_headers" in kept[0]
    for text in kept:
        for secret in spellings():
            assert secret not in text


@SIGNATURES
def test_a_run_on_temporary_keys_leaves_none_of_them_behind(
    emulator: Emulator,
    connect: Callable[..., None],
    logged: Callable[[], str],
    monkeypatch: pytest.MonkeyPatch,
    signature: str,
) -> None:
    """Neither those the role is assumed with, nor those of the role, nor those it is given when these end."""
    monkeypatch.setattr(logging.getLogger("httpcore"), "level", logging.DEBUG)
    monkeypatch.setattr(Emulator, "access_key_id", BASE_KEY)
    monkeypatch.setattr(Emulator, "access_key_secret", BASE_SECRET)
    emulator.add_job(JOB, "Running", stop_seconds=0)
    emulator.inject({"operation": "StopDIJob", "error": {"status": 400, "code": "InvalidSecurityToken.Expired"}})
    with serving(Issuer()) as issuer:
        issuer.on_issue = emulator.add_access_key
        connect(credential_type="ram_role_arn", role_arn=ROLE, sts_endpoint=issuer.address, signature=signature)
        with DAG(f"hunt_role_{signature}", schedule=None, start_date=datetime(2026, 1, 1)) as dag:
            stop = StopDIJobOperator(task_id="stop", di_job_id=JOB, poll_interval=0.1)

        state, tasks = run_dag(dag)

    assert state == "success"
    assert issuer.actions == ["AssumeRole"] * 2
    (ti,) = tasks.values()
    kept = (logged(), repr(vars(ti)), repr(ti.xcom_pull(task_ids="stop", key=None)), repr(vars(stop)))
    assert "send_request_headers" in kept[0]
    for secret in issuer.secrets:
        once = quote(secret, safe="~")
        for spelled in (secret, once, quote(once, safe="~")):
            assert not any(spelled in text for text in kept)


@SIGNATURES
@pytest.mark.parametrize("echo", ECHOES)
def test_an_answer_that_echoes_the_request_gives_nothing_away(
    emulator: Emulator, keyed: Callable[..., None], logged: Callable[[], str], signature: str, echo: str
) -> None:
    """Neither the error's text, nor its repr, nor what pickling carries, nor the log."""
    keyed(signature=signature, api_version="2024-05-18")
    fault: dict[str, Any] = dict(ECHOES[echo])
    echoed = " ".join(spellings())
    for key in ("error", "success_false"):
        if key in fault:
            fault[key] = {**fault[key], "message": f"{fault[key]['message']} {echoed}"}
    if "body" in fault:
        fault["body"] += echoed
    emulator.inject({"operation": "*", "times": None, **fault})
    hook = DataWorksHook()
    hook.sleep = lambda seconds: None

    with pytest.raises(DataWorksError) as caught:
        hook.stop_di_job(JOB)
    good, text = hook.test_connection()

    assert not good
    error = caught.value
    for kept in (str(error), repr(error), repr(vars(error)), pickle.dumps(error).decode("latin-1"), text, logged()):
        for secret in spellings():
            assert secret not in kept


def test_nothing_that_holds_keys_shows_them(keyed: Callable[..., None]) -> None:
    """The hook, its account and whatever hangs on them."""
    keyed()
    hook = DataWorksHook()
    hook.get_di_job(JOB)

    for found in (hook, hook.account, hook.account.credentials, hook.client, hook.get_conn(), vars(hook)):
        for secret in spellings():
            assert secret not in repr(found)
