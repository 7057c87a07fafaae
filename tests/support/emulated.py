"""Fixtures for tests of the Airflow rooms: the emulator on a clock that only sleeping moves, and a connection to it."""

from __future__ import annotations

import asyncio
import atexit
import json
import os
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

# Before anything imports Airflow: it reads its home once, and a test may not touch the user's own.
# Of several pytest processes each has its own: they would share a database.
if "AIRFLOW_HOME" not in os.environ or "PYTEST_XDIST_WORKER" in os.environ:
    os.environ["AIRFLOW_HOME"] = tempfile.mkdtemp(prefix="airflow-home-")
    atexit.register(shutil.rmtree, os.environ["AIRFLOW_HOME"], ignore_errors=True)
os.environ.setdefault("AIRFLOW__CORE__LOAD_EXAMPLES", "False")
os.environ.setdefault("AIRFLOW__CORE__UNIT_TEST_MODE", "False")
# Airflow would leave out a DAG that is written again within half a minute.
os.environ.setdefault("AIRFLOW__CORE__MIN_SERIALIZED_DAG_UPDATE_INTERVAL", "0")

import pytest

from airflow_provider_dataworks.emulator import Emulator
from airflow_provider_dataworks.hooks.dataworks import DataWorksHook
from airflow_provider_dataworks.triggers._threads import Threads

JOB = 11668
SECURITY_TOKEN = "CAIS-emulated/token+with=specials"


class Clock:
    """A clock that stands still until somebody sleeps."""

    def __init__(self) -> None:
        self.time = 1_795_000_000.0
        self.slept: list[float] = []

    def now(self) -> float:
        """Epoch seconds."""
        return self.time

    def sleep(self, seconds: float) -> None:
        """Let time pass."""
        self.slept.append(seconds)
        self.time += seconds


class Store:
    """Airflow's task state store, as far as the package uses it; values must survive JSON."""

    def __init__(self) -> None:
        self.kept: dict[str, str] = {}

    def get(self, key: str, default: Any = None) -> Any:
        """Return what was set."""
        return json.loads(self.kept[key]) if key in self.kept else default

    def set(self, key: str, value: Any) -> None:
        """Keep a value."""
        self.kept[key] = json.dumps(value)

    def delete(self, key: str) -> None:
        """Drop a value."""
        self.kept.pop(key, None)


class TaskInstance:
    """A task instance, as far as the package uses it; pushed values must survive JSON."""

    def __init__(self, max_tries: int = 3, try_number: int = 1) -> None:
        self.max_tries = max_tries
        self.try_number = try_number
        self.pushed: dict[str, Any] = {}

    def xcom_push(self, key: str, value: Any) -> None:
        """Keep a pushed value."""
        self.pushed[key] = json.loads(json.dumps(value))

    def xcom_pull(self, task_ids: list[str], key: str = "return_value") -> list[Any]:
        """Return what was pushed, by whichever task."""
        return [self.pushed[key]] if key in self.pushed else []


@pytest.fixture
def clock() -> Clock:
    """A clock that only sleeping moves."""
    return Clock()


@pytest.fixture
def real_clock() -> Clock:
    """The real clock, for tests in which Airflow itself waits; import it as ``clock``."""
    found = Clock()
    found.now = time.time  # type: ignore[method-assign]
    return found


@pytest.fixture
def emulator(clock: Clock) -> Iterator[Emulator]:
    """An emulated DataWorks with job 11668 Running; a stop takes 40 seconds of the test's clock."""
    with Emulator(jobs={JOB: "Running"}, stop_seconds=40, now=clock.now) as running:
        yield running


@pytest.fixture
def connect(emulator: Emulator, monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Make the connection ``dataworks_default`` to the emulator; keyword arguments go into its extra."""

    def set_connection(**extra: Any) -> None:
        connection = emulator.connection(**{"region": None, "max_qps": 1000, **extra})
        monkeypatch.setenv("AIRFLOW_CONN_DATAWORKS_DEFAULT", json.dumps(connection))

    set_connection()
    return set_connection


@pytest.fixture
def hook(connect: Callable[..., None], clock: Clock) -> DataWorksHook:
    """A hook of that connection, living by the test's clock."""
    return on_clock(DataWorksHook(), clock)


def on_clock(hook: DataWorksHook, clock: Clock) -> DataWorksHook:
    """Give a hook the test's clock."""
    hook.now, hook.sleep = clock.now, clock.sleep
    return hook


def in_triggerer(hook: DataWorksHook, job_id: int = JOB) -> Any:
    """Read the connection in an event loop and look at a job from a thread beside it, as a trigger does."""

    async def look() -> Any:
        loop = asyncio.get_running_loop()

        def run_in_loop(coroutine: Any) -> Any:
            return asyncio.run_coroutine_threadsafe(coroutine, loop).result(30)

        if "account" not in vars(hook):
            await hook.load_account(run_in_loop)
        return await Threads().run(partial(hook.get_di_job, job_id))

    return asyncio.run(look())


@pytest.fixture
def logged(capfd: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture) -> Callable[[], str]:
    """All that was logged so far, wherever this Airflow sends a task's lines: printed (3.x) or to the root logger."""
    caplog.set_level("DEBUG")
    so_far = ""

    def text() -> str:
        nonlocal so_far
        so_far += "".join(capfd.readouterr())
        return so_far + caplog.text

    return text
