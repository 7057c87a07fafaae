"""Airflow's Variables in memory, for tasks that a test calls: without a task runner, Airflow 3.0 has none."""

from __future__ import annotations

import pytest

from airflow_provider_dataworks.operators import silenced_rules

__all__ = ["Variables", "variables"]


class Variables:
    """Airflow's Variables, which outlive runs; they can be away for some reads."""

    def __init__(self) -> None:
        self.kept: dict[str, str] = {}
        self.reads_away = self.reads_broken = 0
        self.full = False

    def get(self, key: str, default: str | None) -> str | None:
        """Return a value, or the default where there is none or it cannot be read."""
        if self.reads_broken:
            self.reads_broken -= 1
            raise RuntimeError("API server: 500\nInternal Server Error")
        if self.reads_away:
            self.reads_away -= 1
            return default
        return self.kept.get(key, default)

    def set(self, key: str, value: str, description: str) -> None:
        """Keep a value."""
        if self.full:
            raise RuntimeError("the database takes nothing")
        assert len(key) <= 250
        assert description
        self.kept[key] = value


@pytest.fixture
def variables(monkeypatch: pytest.MonkeyPatch) -> Variables:
    """Variables of this test alone."""
    found = Variables()
    monkeypatch.setattr(silenced_rules, "Variable", found)
    return found
