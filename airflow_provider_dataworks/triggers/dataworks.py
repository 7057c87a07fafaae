"""Trigger that waits for a DI job in the triggerer; holds no key, sends no StopDIJob, ends in exactly one event."""

from __future__ import annotations

import asyncio
import importlib
import time
from collections.abc import AsyncIterator, Mapping
from types import ModuleType
from typing import Any, ClassVar

from airflow.triggers.base import BaseTrigger, TriggerEvent

_modules: dict[str, ModuleType] = {}


async def _loaded(name: str) -> Any:
    """Return a module of this folder; with the client's it takes a while to load, which others must not wait for."""
    # Into a thread only once: a restarted triggerer runs a thousand of these in a row.
    if name not in _modules:
        _modules[name] = await asyncio.to_thread(importlib.import_module, f"airflow_provider_dataworks.triggers.{name}")
    return _modules[name]


class DIJobStatusTrigger(BaseTrigger):
    """
    Wait until a DataWorks DI job has come to a status, together with all other waits of its workspace.

    What it is made of is stored in Airflow's database and may be read by another version of this package: JSON values
    only, every one by name, and names once released stay accepted. Throttling and trouble with the service are waited
    out inside the deadline. Killing, clearing or marking the task never undoes or repeats a stop: there is no
    ``on_kill``.

    :param di_job_id: id of the DI job.
    :param project_id: its workspace, which lets waits share their looks; ``None`` if it is not known.
    :param dataworks_conn_id: Airflow connection of type ``dataworks``.
    :param accept: statuses that end the wait in success.
    :param fail_on: statuses that end it in ``DIJobFailed``.
    :param deadline: epoch seconds at which the wait ends in ``DIJobWaitTimeout``; survives a restart of the triggerer.
    :param poll_interval: seconds between looks, to begin with.
    :param report: passed on in the event, for the task's result.
    """

    # Old name to new name, for rows that an earlier release wrote.
    RENAMED: ClassVar[Mapping[str, str]] = {}
    FIELDS: ClassVar[tuple[str, ...]] = (
        "di_job_id",
        "project_id",
        "dataworks_conn_id",
        "accept",
        "fail_on",
        "deadline",
        "poll_interval",
        "report",
    )

    def __init__(self, **arguments: Any) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self._take(**{self.RENAMED.get(name, name): value for name, value in arguments.items()})

    def _take(
        self,
        *,
        di_job_id: int,
        deadline: float,
        project_id: int | None = None,
        dataworks_conn_id: str = "dataworks_default",
        accept: list[str] | None = None,
        fail_on: list[str] | None = None,
        poll_interval: float = 30,
        report: dict[str, Any] | None = None,
    ) -> None:
        self.di_job_id = di_job_id
        self.deadline = deadline
        self.project_id = project_id
        self.dataworks_conn_id = dataworks_conn_id
        self.accept = ["Stopped", "Finished"] if accept is None else list(accept)
        self.fail_on = ["Failed", "Stopped", "Finished"] if fail_on is None else list(fail_on)
        self.poll_interval = poll_interval
        self.report = report or {}

    def serialize(self) -> tuple[str, dict[str, Any]]:
        """Return the path of the class and the arguments that rebuild this trigger."""
        path = f"{type(self).__module__}.{type(self).__qualname__}"
        return path, {name: getattr(self, name) for name in self.FIELDS}

    async def run(self) -> AsyncIterator[TriggerEvent]:
        """Wait, and tell the outcome in one event."""
        events = await _loaded("events")
        outcome = await self._outcome()
        yield TriggerEvent({**events.event_for(outcome), "report": self.report})  # type: ignore[no-untyped-call]

    async def _outcome(self) -> Any:
        watchers = await _loaded("watchers")
        from airflow_provider_dataworks.client.replies import Verdict
        from airflow_provider_dataworks.exceptions import DataWorksError

        try:
            left = self.deadline - time.time()
            async with watchers.watcher_of(self.dataworks_conn_id, self.project_id, seconds_left=left) as watcher:
                return await watcher.wait(
                    self.di_job_id,
                    Verdict(tuple(self.accept), tuple(self.fail_on)),
                    seconds_left=self.deadline - time.time(),
                    poll_interval=self.poll_interval,
                )
        except DataWorksError as error:
            error.conn_id = error.conn_id or self.dataworks_conn_id
            error.di_job_id = error.di_job_id or self.di_job_id
            return error
