"""Fixtures of pytest for tests of your own DAGs against the emulator; no other part of the package may need pytest.

In the ``conftest.py`` of your tests::

    pytest_plugins = ["airflow_provider_dataworks.emulator.fixtures"]

They work where a DAG runs in the process of the test, as by ``dag.test()``.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from contextlib import ExitStack
from typing import Any, Protocol

import pytest

from airflow_provider_dataworks.emulator.harness import Emulator

__all__ = ["EmulatorFactory", "dataworks_emulator", "dataworks_emulator_factory"]

_LOOKS = 0.2  # seconds between a trigger's looks, real ones: it waits in an event loop
_STOP = 0.05  # seconds a job stays Stopping: less than that, so that the first look finds it stopped


class EmulatorFactory(Protocol):
    """What :func:`dataworks_emulator_factory` gives."""

    def __call__(
        self, conn_id: str = "dataworks_default", *, extra: dict[str, Any] | None = None, **settings: Any
    ) -> Emulator:
        """
        Start an emulator on a free port, and make a connection to it until the test ends.

        :param conn_id: Airflow connection that leads to it.
        :param extra: fields of the connection's extra, such as ``api_version``.
        :param settings: arguments of :class:`~airflow_provider_dataworks.emulator.Emulator`, such as ``jobs``. Of each
            job you may set how far it is behind its source, its tables, events, log and alarm rules, and whether a
            start ends badly: ``jobs={11668: {"lag": {"start": 300, "falls": 10}, "fails_after_start": 60}}``.
        """
        ...


class _Clock:
    """The real clock, set ahead by whatever somebody wanted to sleep."""

    def __init__(self) -> None:
        self._ahead = 0.0

    def now(self) -> float:
        return time.time() + self._ahead

    def sleep(self, seconds: float) -> None:
        self._ahead += seconds


@pytest.fixture
def dataworks_emulator_factory(monkeypatch: pytest.MonkeyPatch) -> Iterator[EmulatorFactory]:
    """
    Start emulated DataWorks endpoints, each with a connection; see :class:`EmulatorFactory`.

    Waits of this package take no time: a ``poll_interval`` of 30 seconds, or a wait that throttling asks for, sets the
    clock of hooks and emulators ahead instead. Airflow's own waits are real: the ``poke_interval`` of a sensor, the
    ``retry_delay`` of a task. A trigger looks five times a second.
    """
    from airflow_provider_dataworks.hooks.dataworks import DataWorksHook
    from airflow_provider_dataworks.triggers.dataworks import DIJobStatusTrigger

    clock = _Clock()
    monkeypatch.setattr(DataWorksHook, "now", staticmethod(clock.now))
    monkeypatch.setattr(DataWorksHook, "sleep", staticmethod(clock.sleep))
    monkeypatch.setattr(DIJobStatusTrigger, "first_look", _LOOKS)
    monkeypatch.setattr(DIJobStatusTrigger, "longest_poll_interval", _LOOKS)
    with ExitStack() as running:

        def start(
            conn_id: str = "dataworks_default", *, extra: dict[str, Any] | None = None, **settings: Any
        ) -> Emulator:
            given = {"jobs": {11668: "Running"}, "stop_seconds": _STOP, "start_seconds": _STOP, "now": clock.now}
            emulator = running.enter_context(Emulator(**{**given, **settings}))
            connection = emulator.connection(**{"max_qps": 1000, **(extra or {})})
            monkeypatch.setenv(f"AIRFLOW_CONN_{conn_id.upper()}", json.dumps(connection))
            return emulator

        yield start


@pytest.fixture
def dataworks_emulator(dataworks_emulator_factory: EmulatorFactory) -> Emulator:
    """Give an emulated DataWorks with DI job 11668 Running, to which the connection ``dataworks_default`` leads."""
    return dataworks_emulator_factory()
