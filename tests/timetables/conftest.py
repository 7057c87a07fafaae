"""A plugin that Airflow knows, without installing anything."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from airflow import plugins_manager

from airflow_provider_dataworks.plugin import DataWorksPlugin


@pytest.fixture
def registered(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Let this process's Airflow have loaded our plugin, and no other."""
    yield from _plugins(monkeypatch, [DataWorksPlugin()])


@pytest.fixture
def unregistered(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Let this process's Airflow have loaded no plugin."""
    yield from _plugins(monkeypatch, [])


def _plugins(monkeypatch: pytest.MonkeyPatch, plugins: list[DataWorksPlugin]) -> Iterator[None]:
    if hasattr(plugins_manager, "get_timetables_plugins"):  # Airflow 3
        monkeypatch.setattr(plugins_manager, "_get_plugins", lambda: (plugins, {}))
        plugins_manager.get_timetables_plugins.cache_clear()
        yield
        plugins_manager.get_timetables_plugins.cache_clear()
    else:
        monkeypatch.setattr(plugins_manager, "plugins", plugins)
        monkeypatch.setattr(plugins_manager, "timetable_classes", None)
        yield
