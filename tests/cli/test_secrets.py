"""A hunt for secrets in all that the command line shows: of every command, with its log lines, and of errors."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from command_line import Say
from dag_runs import database
from emulated import JOB, SECURITY_TOKEN
from stored import forget_notes, keep_dag

from airflow_provider_dataworks.cli.commands import COMMANDS
from airflow_provider_dataworks.emulator import Emulator
from airflow_provider_dataworks.version_compat import DAG

SECRET = "spelled/secret+with=specials"
RECEIVER = "token-of-a-chat-that-nobody-may-see"
DAG_FILE = """
from datetime import datetime
from airflow_provider_dataworks.operators.dataworks import StopDIJobOperator
from airflow_provider_dataworks.version_compat import DAG
with DAG("hunted", schedule=None, start_date=datetime(2026, 1, 1)) as dag:
    StopDIJobOperator(task_id="stop", di_job_id=11668)
"""
# What the service, or a gateway before it, sends back of a request: with the older signature that is the whole query.
ECHOES: tuple[dict[str, Any] | None, ...] = (
    None,
    {"error": {"status": 400, "code": "SignatureDoesNotMatch", "message": "server string to sign is:"}},
    {"error": {"status": 400, "code": "Odd.Code", "message": "you sent"}},
    {"error": {"status": 500, "code": "InternalError.System", "message": "while reading"}},
    {"status": 502, "content_type": "text/html", "body": "<html>GET /?"},
)


def spellings() -> list[str]:
    """Return each secret as it is, and as a URL or a string to sign would spell it."""
    found = [RECEIVER]
    for text in (SECRET, SECURITY_TOKEN):
        once = quote(text, safe="~")
        found += [text, once, quote(once, safe="~")]
    return found


def echoing(echo: dict[str, Any]) -> dict[str, Any]:
    """Return the fault with key and token in its text, as of a service that tells what it was sent."""
    echoed = " ".join(text for text in spellings() if text != RECEIVER)
    if "error" in echo:
        return {"error": {**echo["error"], "message": f"{echo['error']['message']} {echoed}"}, "times": 1000}
    return {**echo, "body": f"{echo['body']}{echoed}", "times": 1000}


@pytest.fixture
def begin(
    emulator: Emulator, connect: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> Callable[[dict[str, Any] | None, dict[str, Any]], None]:
    """Begin anew, with secrets that are easy to find: of the connection, and of a job's alarm rule."""
    monkeypatch.setattr(Emulator, "access_key_id", "LTAIhunted")
    monkeypatch.setattr(Emulator, "access_key_secret", SECRET)

    def make(echo: dict[str, Any] | None, extra: dict[str, Any]) -> None:
        emulator.reset()
        emulator.add_access_key("LTAIhunted", SECRET, SECURITY_TOKEN)
        emulator.add_job(7, "Stopped")
        emulator.add_job(JOB, alarm_rules=[{"id": 5, "metric": "Heartbeat", "receivers": {"DingToken": [RECEIVER]}}])
        connect(security_token=SECURITY_TOKEN, project_id=1967, **extra)
        if echo is not None:
            emulator.inject(echoing(echo))

    return make


@pytest.mark.parametrize("signature", ["ACS3-HMAC-SHA256", "HMAC-SHA1"])
def test_no_command_shows_a_secret(say: Say, begin: Callable[..., None], signature: str, tmp_path: Path) -> None:
    """Whatever DataWorks answers."""
    with DAG("hunted", schedule=None, start_date=datetime(2026, 1, 1)) as dag:
        pass
    database()
    forget_notes()
    keep_dag(dag)
    (tmp_path / "dag.py").write_text(DAG_FILE)
    commands: dict[str, tuple[object, ...]] = {
        "check": (),
        "status": (),
        "plan": ("hunted", "-f", tmp_path / "dag.py"),
        "down": ("--dag-id", "hunted"),
        "restart": (7, "-y", "--no-wait"),
        "window": ("--cron", "@daily", "--duration", "3600", "--timezone", "UTC"),
        "explain": ("access-key-secret",),
    }
    assert list(commands) == [command.name for command in COMMANDS]
    misses: list[object] = []
    for version in ("2020-05-18", "2024-05-18"):
        for echo in ECHOES:
            begin(echo, {"signature": signature, "api_version": version})
            for name, words in commands.items():
                for form in ((), ("-o", "json")) if name != "restart" else ((),):
                    said = say(name, *words, *form, "-v")
                    misses += [(version, echo, name, text) for text in spellings() if text in said.out + said.err]
                    # What answers nothing shows nothing: each must have come as far as it is meant to.
                    reached = said.code in ((0, 1) if echo is None or name in ("down", "window", "explain") else (3, 4))
                    misses += [] if reached else [(version, echo, name, said)]

    assert misses == []
