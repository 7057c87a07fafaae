"""Fixtures for tests of the command line: called as a person calls it, on the emulator and a clock of the test."""

from __future__ import annotations

import io
import threading
from collections.abc import Callable

import pytest
from command_line import Said, Say
from emulated import Clock, clock, connect, emulator

from airflow_provider_dataworks.cli.parser import main
from airflow_provider_dataworks.hooks.dataworks import DataWorksHook

__all__ = ["clock", "connect", "emulator"]


@pytest.fixture
def say(
    clock: Clock,
    connect: Callable[..., None],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> Say:
    """
    Call the command line with these words, on the test's clock and a connection of API 2024-05-18.

    Nobody is there to answer, unless ``answer`` says what they type.
    """
    connect(api_version="2024-05-18", project_id=1967)
    monkeypatch.setattr(DataWorksHook, "now", staticmethod(clock.now))
    monkeypatch.setattr(DataWorksHook, "sleep", staticmethod(clock.sleep))
    for name in ("COLUMNS", "NO_COLOR"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("_AIRFLOW_PROCESS_CONTEXT", "server")  # as the command line sets it; undone behind the test

    # Threads of waits of other tests, whose last look may fail and say so.
    for thread in threading.enumerate():
        if thread.name == "dataworks-dataworks_default":
            thread.join(10)

    def call(*words: object, answer: str = "") -> Said:
        monkeypatch.setattr("sys.stdin", io.StringIO(answer))
        capsys.readouterr()
        try:
            code = main([str(word) for word in words])
        except SystemExit as end:
            code = int(str(end.code))
        return Said(code, *capsys.readouterr())

    return call
