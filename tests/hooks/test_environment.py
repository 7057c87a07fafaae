"""Facts of the machine that do not serve: told by the name of field or variable, at once, and never tried again."""

from __future__ import annotations

import asyncio
import json
import os
import pwd
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from certificates import Authority
from emulated import JOB, in_triggerer

from airflow_provider_dataworks.emulator import Emulator
from airflow_provider_dataworks.exceptions import DataWorksInvalidRequest
from airflow_provider_dataworks.hooks.dataworks import DataWorksHook
from airflow_provider_dataworks.triggers.dataworks import DIJobStatusTrigger
from airflow_provider_dataworks.version_compat import AirflowFailException

MARK = "chosen-by-somebody"


@pytest.fixture(autouse=True)
def no_settings_of_the_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    """Take out what the machine's own environment says."""
    for name in ("SSL_CERT_FILE", "SSL_CERT_DIR", "SSLKEYLOGFILE"):
        monkeypatch.delenv(name, raising=False)


def odd_files(folder: Path) -> dict[str, str]:
    """Make paths that lead to no certificates, by what they are."""
    home = folder / MARK
    home.mkdir()
    found = {kind: home / kind for kind in ("missing", "pipe", "garbage", "empty", "huge", "key", "loop", "device")}
    os.mkfifo(found["pipe"])
    found["garbage"].write_bytes(b"\x00\xff no certificate")
    found["empty"].touch()
    with found["huge"].open("wb") as file:
        file.truncate(2**40)
    found["key"].write_bytes(Authority(home).server("127.0.0.1")[1].read_bytes())
    found["loop"].symlink_to(found["loop"])
    found["device"].symlink_to("/dev/null")
    others = {
        "folder": str(home),
        "endless": "/dev/zero",
        "log of the kernel": "/proc/kmsg",
        "memory": "/proc/self/mem",
    }
    return {**{kind: str(path) for kind, path in found.items()}, **others}


def refusal_of(ask: Callable[[], Any]) -> str:
    """Return the text of the permanent error that a question ends in, or say what happened instead."""
    said = ["it never came back"]

    def run() -> None:
        try:
            ask()
        except DataWorksInvalidRequest as error:
            said[0] = str(error) if isinstance(error, AirflowFailException) else f"not an Airflow failure: {error!r}"
        except BaseException as error:
            said[0] = f"something else: {error!r}"
        else:
            said[0] = "no error"

    # In a thread, since what is wrong here may block it for good.
    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    thread.join(10)
    return said[0]


def event_of_a_wait() -> Any:
    """Run a trigger to its end."""
    trigger = DIJobStatusTrigger(di_job_id=JOB, deadline=time.time() + 5, poll_interval=0.05)

    async def run() -> list[Any]:
        return [event.payload async for event in trigger.run()]

    return asyncio.run(run())[0]


def misses(name: str) -> list[tuple[str, str]]:
    """Ask in each way, and list what did not end in a refusal of that name."""
    found = []
    hook = DataWorksHook()
    hook.sleep = lambda seconds: pytest.fail("repeated")

    def in_a_loop() -> Any:
        return in_triggerer(hook)

    for ask in (hook.get_conn, partial(hook.get_di_job, JOB), in_a_loop):
        said = refusal_of(ask)
        if not said.startswith(f"{name}: ") or MARK in said:
            found.append((name, said))
    event = json.dumps(event_of_a_wait())
    if f"{name}: " not in event or MARK in event or "DataWorksInvalidRequest" not in event:
        found.append((name, event))
    return found


@pytest.mark.parametrize("name", ["ca_file", "SSL_CERT_FILE"])
def test_a_file_of_authorities_that_is_none(
    name: str, connect: Callable[..., None], emulator: Emulator, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever it is instead, and whichever way a call would go."""
    monkeypatch.setattr(DIJobStatusTrigger, "first_look", 0.05)
    found = []
    for kind, path in odd_files(tmp_path).items():
        if name == "ca_file":
            connect(ca_file=path)
        else:
            connect()
            monkeypatch.setenv(name, path)
        found += [(kind, *miss) for miss in misses(name)]

    assert found == []
    assert emulator.count() == 0


def test_a_folder_of_authorities_that_is_none(
    connect: Callable[..., None], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Missing, a file, empty, or with files that OpenSSL does not look for; of several, one is enough."""
    monkeypatch.setattr(DIJobStatusTrigger, "first_look", 0.05)
    connect()
    home = tmp_path / MARK
    for kind in ("empty", "unhashed", "good"):
        (home / kind).mkdir(parents=True)
    (home / "unhashed" / "ca.pem").touch()
    (home / "good" / "0123abcd.0").write_bytes(Authority(tmp_path).ca_file.read_bytes())
    found = []
    for kind in ("missing", "empty", "unhashed", "unhashed/ca.pem"):
        monkeypatch.setenv("SSL_CERT_DIR", str(home / kind))
        found += [(kind, *miss) for miss in misses("SSL_CERT_DIR")]

    assert found == []
    monkeypatch.setenv("SSL_CERT_DIR", f"{home / 'missing'}{os.pathsep}{home / 'good'}")
    DataWorksHook().get_conn().close()


def test_a_file_for_the_keys_of_tls_that_cannot_be_written(
    connect: Callable[..., None], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Python opens it with each TLS context, whoever set the variable."""
    monkeypatch.setattr(DIJobStatusTrigger, "first_look", 0.05)
    connect()
    home = tmp_path / MARK
    home.mkdir()
    os.mkfifo(home / "pipe")
    found = []
    for kind in ("missing/file", "pipe", "."):
        monkeypatch.setenv("SSLKEYLOGFILE", str(home / kind))
        found += [(kind, *miss) for miss in misses("SSLKEYLOGFILE")]

    assert found == []


def test_a_user_that_the_system_does_not_know_has_no_profile(
    connect: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    """As in a container with any uid and no HOME."""
    monkeypatch.setattr(Emulator, "access_key_id", None)
    monkeypatch.setattr(Emulator, "access_key_secret", None)
    connect(credential_type="profile")
    monkeypatch.delenv("HOME", raising=False)

    def unknown(uid: int) -> None:
        raise KeyError(f"getpwuid(): uid not found: {uid}")

    monkeypatch.setattr(pwd, "getpwuid", unknown)
    hook = DataWorksHook()
    hook.sleep = lambda seconds: pytest.fail("repeated")

    assert refusal_of(lambda: hook.get_di_job(JOB)).startswith("HOME: is not set")
    assert refusal_of(lambda: in_triggerer(hook)).startswith("HOME: is not set")


def test_a_file_of_profiles_that_is_a_pipe_holds_nobody(
    connect: Callable[..., None], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It has no keys."""
    monkeypatch.setattr(Emulator, "access_key_id", None)
    monkeypatch.setattr(Emulator, "access_key_secret", None)
    connect(credential_type="profile")
    (tmp_path / ".aliyun").mkdir()
    os.mkfifo(tmp_path / ".aliyun" / "config.json")
    monkeypatch.setenv("HOME", str(tmp_path))

    assert "DataWorksAuthError" in refusal_of(lambda: DataWorksHook().get_di_job(JOB))


PROGRAM = """
import logging, tempfile
logging.basicConfig(level="WARNING", format="%(message)s")

def none():
    raise FileNotFoundError(2, "No usable temporary directory found in ['/tmp']")

from airflow_provider_dataworks.hooks.dataworks import DataWorksHook
hook = DataWorksHook()
hook.account  # by Airflow, parts of which do need such a folder while they are imported
tempfile.gettempdir = none
print("STATUS", hook.get_di_job(11668).status, hook.get_di_job(11668).status)
"""


def test_without_a_temporary_folder_each_process_keeps_to_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    """As on a read-only disk: calls work, and it is said once that the rate is this process's own."""
    with Emulator(jobs={JOB: "Running"}) as running:
        monkeypatch.setenv("AIRFLOW_CONN_DATAWORKS_DEFAULT", json.dumps(running.connection()))
        done = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True)

    assert done.returncode == 0, done.stderr
    assert "STATUS Running Running" in done.stdout
    assert (done.stdout + done.stderr).count("max_qps is kept by this process alone") == 1
