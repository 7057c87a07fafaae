"""What a task remembers of its stop from one try to the next; it decides nothing: the job's status is read first.

Airflow 3.3 keeps a store per task instance that survives retries and clearing (AIP-103, ``task_state_store`` in the
context). Below that nothing does: XComs are cleared before every try. There a try that was killed after StopDIJob was
sent leaves no trace, and the next one reports ``stopped_by_this_run: False``.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from airflow_provider_dataworks.client.replies import DIJob

_STOP = "dataworks_stop"
_DEADLINE = "dataworks_deadline"


class StopMemory:
    """
    The note a task keeps about its StopDIJob.

    :param context: the task's context.
    :param di_job_id: a note about another DI job (a template may have changed) does not count.
    """

    def __init__(self, context: Mapping[str, Any], di_job_id: int) -> None:
        self._store = context.get("task_state_store")
        self._di_job_id = di_job_id
        task_instance = context.get("ti")
        self._tries_granted = getattr(task_instance, "max_tries", None)
        found = self._get(_STOP)
        self._earlier = found if found and found.get("di_job_id") == di_job_id else None

    @property
    def status_before(self) -> str | None:
        """Status before an earlier try of this task sent StopDIJob, or ``None`` where none did."""
        return str(self._earlier["status_before"]) if self._earlier else None

    @property
    def request_id(self) -> str | None:
        """Request id of that StopDIJob, where its answer came."""
        return self._earlier.get("request_id") if self._earlier else None

    def remember(self, job: DIJob) -> None:
        """Note, before StopDIJob is sent, that this run is about to send it; if this fails, nothing is sent."""
        self._note(status_before=str(job.status), request_id=None)

    def confirm(self, status_before: str, request_id: str | None) -> None:
        """Note that it was sent, and the request id."""
        self._note(status_before=status_before, request_id=request_id)

    def forget(self) -> None:
        """Take the note back: what was to be sent certainly did not arrive. An earlier try's note stays."""
        if self._store is None:
            return
        if self._earlier is None:
            self._store.delete(_STOP)
        else:
            self._store.set(_STOP, self._earlier)

    def deadline(self, otherwise: float) -> float:
        """
        Return the epoch second at which this task's wait ends: fixed at the first try, so that retries do not move it.

        :param otherwise: epoch seconds to use where nothing is fixed yet.
        """
        found = self._get(_DEADLINE)
        # Clearing a task grants new tries, and whoever clears it wants a whole new wait.
        if found and found.get("tries_granted") == self._tries_granted and found.get("di_job_id") == self._di_job_id:
            return float(found["at"])
        if self._store is not None:
            note = {"at": otherwise, "tries_granted": self._tries_granted, "di_job_id": self._di_job_id}
            self._store.set(_DEADLINE, note)
        return otherwise

    def _note(self, *, status_before: str, request_id: str | None) -> None:
        if self._store is not None:
            note = {"di_job_id": self._di_job_id, "status_before": status_before, "request_id": request_id}
            self._store.set(_STOP, note)

    def _get(self, key: str) -> dict[str, Any] | None:
        found = self._store.get(key) if self._store is not None else None
        return found if isinstance(found, dict) else None
