"""Trigger that waits for a DI job in the triggerer; holds no key, sends no StopDIJob, ends in exactly one event."""

from __future__ import annotations

import copy
import importlib
import logging
import time
from collections.abc import AsyncIterator, Mapping
from functools import partial
from types import ModuleType
from typing import Any, ClassVar

from airflow.triggers.base import BaseTrigger, TriggerEvent

from airflow_provider_dataworks.client.errors.catalog import CATALOG
from airflow_provider_dataworks.exceptions import DataWorksError, DataWorksPermanentError, DIJobWaitTimeout
from airflow_provider_dataworks.triggers._events import event_for, not_understood, outcome_of, proof_of, report_of
from airflow_provider_dataworks.triggers._threads import Threads

__all__ = ["DIJobStatusTrigger", "not_understood", "outcome_of", "proof_of", "report_of"]

log = logging.getLogger(__name__)

_modules: dict[str, ModuleType] = {}


async def _loaded(name: str) -> Any:
    """Return a module of this folder; with the client's it takes a while to load, which others must not wait for."""
    # Into a thread only once: a restarted triggerer runs a thousand of these in a row.
    if name not in _modules:
        path = f"airflow_provider_dataworks.triggers.{name}"
        _modules[name] = await Threads("dataworks-import").run(partial(importlib.import_module, path))
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
    :param proof: what a job that runs has to show before the wait ends, as ``ProofRules`` of :mod:`.client.proof` in a
        dict; the event tells what it has shown.
    """

    di_job_id: Any
    project_id: Any
    dataworks_conn_id: Any
    accept: Any
    fail_on: Any
    deadline: Any
    poll_interval: Any
    report: Any
    proof: Any

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
        "proof",
    )

    DEFAULTS: ClassVar[Mapping[str, Any]] = {
        "project_id": None,
        "dataworks_conn_id": "dataworks_default",
        "accept": ["Stopped", "Finished"],
        "fail_on": ["Failed", "Stopped", "Finished"],
        "poll_interval": 30,
        "report": {},
        "proof": {},
    }

    # Seconds until the first look: Airflow marks a task failed whose trigger fires while its worker is still going
    # home, see apache/airflow#72716. Replaced by tests.
    first_look: ClassVar[float] = 10.0
    # Whatever poll_interval the author asks for. Replaced by fixtures, so that nobody's tests wait for half a minute.
    longest_poll_interval: ClassVar[float] = float("inf")

    def __init__(self, /, **arguments: Any) -> None:
        # Refuses nothing: Airflow makes triggers from stored rows, and most of what this could raise ends the triggerer
        # with everybody's waits. What makes no sense ends in an event, see run().
        super().__init__()  # type: ignore[no-untyped-call]
        given = {self.RENAMED.get(name, name): value for name, value in arguments.items()}
        self._unknown = {name: value for name, value in given.items() if name not in self.FIELDS}
        for name in self.FIELDS:
            value = given.get(name)
            setattr(self, name, copy.copy(self.DEFAULTS.get(name)) if value is None else value)

    def serialize(self) -> tuple[str, dict[str, Any]]:
        """Return the path of the class and the arguments that rebuild this trigger."""
        path = f"{type(self).__module__}.{type(self).__qualname__}"
        return path, {**self._fields(), **self._unknown}

    def _fields(self) -> dict[str, Any]:
        return {name: getattr(self, name) for name in self.FIELDS}

    async def run(self) -> AsyncIterator[TriggerEvent]:
        """Wait, and tell the outcome in one event; it raises nothing, whatever the trigger was made of."""
        outcome, proof = await self._outcome()
        yield TriggerEvent(event_for(outcome, self.report, proof))  # type: ignore[no-untyped-call]

    async def _outcome(self) -> tuple[Any, Any]:
        """Return the job, or the error that the wait ended in, and what the job has shown besides."""
        arguments, shared_clients = await _loaded("_arguments"), await _loaded("_shared_clients")
        job_id = conn_id = None
        try:
            wait = arguments.checked(self._fields(), self._unknown)
            job_id, conn_id = wait.di_job_id, wait.dataworks_conn_id
            left = wait.deadline + wait.proof.longest - time.time()
            async with shared_clients.watcher_of(conn_id, wait.project_id, seconds_left=left) as watcher:
                job = await self._waited(watcher, wait)
                if wait.is_for_a_start:
                    job = await self._looked_at_again(watcher, wait, job)
                if not wait.proof.is_asked_for:
                    return job, None
                prove = (await _loaded("_proof")).prove
                return job, await prove(watcher, wait, job, **self._timing(wait))
        except DataWorksError as error:
            error.conn_id = error.conn_id or conn_id
            error.di_job_id = error.di_job_id or job_id
            return error, None
        except Exception as error:
            # A mistake of this package's, or of what it stands on: the traceback stays in this log.
            log.exception("The wait for DI job %s ended in an error that nobody expected.", job_id)
            text = f"the wait ended in an error that nobody expected ({type(error).__name__})."
            info = CATALOG["wait-broken"]
            return DataWorksPermanentError(text, di_job_id=job_id, conn_id=conn_id, **info.kwargs), None

    async def _waited(self, watcher: Any, wait: Any, known: Any = None) -> Any:
        """Return the job once it is where it is wanted."""
        left = wait.deadline - time.time()
        return await watcher.wait(wait.di_job_id, wait.verdict, seconds_left=left, known=known, **self._timing(wait))

    async def _looked_at_again(self, watcher: Any, wait: Any, job: Any) -> Any:
        """Wait once more for a start: reads may lag behind one, and show the time before; one look is no proof."""
        try:
            return await self._waited(watcher, wait, job)
        except DIJobWaitTimeout as error:
            if error.last_status in (None, *wait.verdict.accept):
                return job  # there was no time for another look
            raise

    def _timing(self, wait: Any) -> dict[str, float]:
        return {
            "poll_interval": min(wait.poll_interval, self.longest_poll_interval),
            "first_look": self.first_look,
        }
