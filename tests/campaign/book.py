"""The book of a schedule: everything that happened while it was lived through; it judges nothing."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from campaign.airflow_model import Cleared, Database
from campaign.dataworks_model import DataWorksModel
from campaign.processes import Process
from campaign.schedule import Schedule


@dataclass
class End:
    """How a task ended: ``success``, ``failed``, ``skipped``, ``upstream_failed``."""

    at: float
    task: str
    state: str
    process: Process | None
    result: Any
    tries_left: int
    job: str
    down_by: str | None


@dataclass
class Problem:
    """Something that was not right. The check's name is what it is found by."""

    check: str
    text: str


@dataclass
class Book:
    """Everything that happened."""

    schedule: Schedule
    service: DataWorksModel
    database: Database
    lines: list[str]
    processes: list[Process] = field(default_factory=list)
    ends: list[End] = field(default_factory=list)
    cleared: list[Cleared] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)
    window_closes: float | None = None
