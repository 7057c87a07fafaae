"""
Looks at the DI jobs of a maintenance, and shares a look among the tasks of a run that wait for it on this machine.

A look counts only for tasks that had asked before it was begun. Nothing here stops or starts a job.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import logging
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

from airflow_provider_dataworks.client import files
from airflow_provider_dataworks.exceptions import DataWorksError

if TYPE_CHECKING:
    from airflow_provider_dataworks.hooks.dataworks import DataWorksHook

log = logging.getLogger(__name__)

_PATIENCE = 60.0  # seconds to wait for another task's look, before looking oneself
_LONGEST = 2**20  # bytes of a file that is read


def status_or_error(hook: DataWorksHook, di_job_id: int) -> str:
    """
    Return the status of a job, or why it cannot be looked at: one that was deleted hides no other that is down.

    :raises DataWorksError: it cannot be looked at now, but a later try may.
    """
    try:
        return str(hook.get_di_job(di_job_id).status)
    except DataWorksError as error:
        if error.retryable:
            raise
        return f"not known: {error.summary}"


def shared_look(dag_id: str, run_id: str, ids: list[int], hook: DataWorksHook) -> dict[int, str]:
    """Return the status of each job: what another task of the run has just seen, or what a look of our own says."""

    def look() -> dict[int, str]:
        return {job_id: str(hook.get_di_job(job_id).status) for job_id in ids}

    asked = time.monotonic()
    # A file for each maintenance, not for each of its runs: nobody would remove them.
    name = hashlib.sha256(f"{hook.dataworks_conn_id} {dag_id} {ids}".encode()).hexdigest()[:24]
    with _locked(f"look-{name}") as file:
        if file is None:
            return look()
        found = _read(file, run_id, ids, asked)
        if found is None:
            begun = time.monotonic()
            found = look()
            os.ftruncate(file, 0)
            os.pwrite(
                file, json.dumps({"run": run_id, "boot": files.boot(), "at": begun, "statuses": found}).encode(), 0
            )
        return found


def _read(file: int, run_id: str, ids: list[int], asked: float) -> dict[int, str] | None:
    """
    Return a look that another task of this run began after this one had asked; ``None`` where there is none.

    :param asked: seconds of the machine's steady clock, which all processes share until the next boot.
    """
    with suppress(ValueError, TypeError, KeyError, AttributeError):
        kept = json.loads(os.pread(file, _LONGEST, 0))
        if (kept["run"], kept["boot"]) == (run_id, files.boot()) and asked <= float(kept["at"]) <= time.monotonic():
            statuses = {int(job_id): str(status) for job_id, status in kept["statuses"].items()}
            return statuses if set(statuses) == set(ids) else None
    return None


@contextmanager
def _locked(name: str) -> Iterator[int | None]:
    """Open a file of this user's that one process at a time may use; ``None`` where that cannot be had."""
    try:
        file = files.open_private(files.folder() / name)
    except OSError as error:
        log.debug("Looks are not shared: %s", error)
        yield None
        return
    try:
        yield file if _lock(file) else None
    finally:
        os.close(file)  # lets go of the lock


def _lock(file: int) -> bool:
    until = time.monotonic() + _PATIENCE
    while time.monotonic() < until:
        with suppress(BlockingIOError):
            fcntl.lockf(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return True
        time.sleep(0.05)
    return False
