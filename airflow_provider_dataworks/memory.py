"""What a task remembers of its request from one try to the next, and tells other tasks of its run; it decides nothing.

Airflow 3.3 keeps a store per task instance that survives retries and clearing (AIP-103, ``task_state_store`` in the
context). Below that nothing does: XComs are cleared before every try. There a retry that finds the job where its
request would have brought it takes the request for its own: better one restart too many than a job that stays down.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from airflow_provider_dataworks.client.replies import DIJob


class RequestMemory:
    """
    The note a task keeps about its StopDIJob or StartDIJob.

    It is kept in the task's own store, for its next try, and as an XCom, for the other tasks of the run: a stop that
    fails after its request was sent returns nothing, but what it noted can be read.

    :param context: the task's context.
    :param kind: ``stop`` or ``start``.
    :param di_job_id: a note about another DI job (a template may have changed) does not count.
    """

    def __init__(self, context: Mapping[str, Any], kind: str, di_job_id: int) -> None:
        self._store = context.get("task_state_store")
        self._task_instance = context.get("ti")
        self._context, self._kind, self._key = context, kind, f"dataworks_{kind}"
        self._di_job_id = di_job_id
        # Without a store nobody can tell what earlier tries did.
        number = int(getattr(self._task_instance, "try_number", None) or 1)
        self.blind = self._store is None and number > 1
        found = self._store.get(self._key) if self._store is not None else None
        self._earlier = found if isinstance(found, dict) and found.get("di_job_id") == di_job_id else None
        if self._earlier is not None:
            self._tell(self._earlier)
        elif self.blind and not self._begins_anew(context, number):
            # Airflow dropped what an earlier try told. Should this one end before it knows better, a restart must still
            # learn that the request may have been sent.
            self._note(status_before=None, request_id=None)

    def _begins_anew(self, context: Mapping[str, Any], number: int) -> bool:
        """Whether the task was cleared right before this try: then no restart is owed for what was before."""
        retries = getattr(context.get("task"), "retries", None)
        granted = getattr(self._task_instance, "max_tries", None)
        return retries is not None and granted is not None and number <= granted - retries + 1

    @property
    def status_before(self) -> str | None:
        """Status before an earlier try of this task sent its request, or ``None`` where none did."""
        return str(self._earlier["status_before"]) if self._earlier else None

    @property
    def request_id(self) -> str | None:
        """Request id of that request, where its answer came."""
        return self._earlier.get("request_id") if self._earlier else None

    def remember(self, job: DIJob) -> None:
        """Note, before the request is sent, that this run is about to send it; if this fails, nothing is sent."""
        self._note(status_before=str(job.status), request_id=None)

    def confirm(self, status_before: str, request_id: str | None) -> None:
        """Note that it was sent, and the request id."""
        self._note(status_before=status_before, request_id=request_id)

    def forget(self) -> None:
        """Take the note back: what was to be sent certainly did not arrive. An earlier try's note stays."""
        if self._earlier is None:
            if self._store is not None:
                self._store.delete(self._key)
            self._tell({"di_job_id": self._di_job_id, "withdrawn": True})
        else:
            self._keep(self._earlier)

    def deadline(self, otherwise: float) -> float:
        """
        Return the epoch second at which this task's wait ends: fixed at the first try, so that retries do not move it.

        :param otherwise: epoch seconds to use where nothing is fixed yet.
        """
        return fixed_deadline(self._context, self._kind, self._di_job_id, otherwise)

    def _note(self, *, status_before: str | None, request_id: str | None) -> None:
        self._keep({"di_job_id": self._di_job_id, "status_before": status_before, "request_id": request_id})

    def _keep(self, note: dict[str, Any]) -> None:
        if self._store is not None:
            self._store.set(self._key, note)
        self._tell(note)

    def _tell(self, note: dict[str, Any]) -> None:
        if self._task_instance is not None:
            self._task_instance.xcom_push(key=self._key, value=note)


def fixed_deadline(context: Mapping[str, Any], kind: str, di_job_id: int, otherwise: float) -> float:
    """
    Return the epoch second at which a task's wait ends, as its first try fixed it where Airflow can remember that.

    :param kind: what waits: ``stop``, ``start`` or ``check``.
    :param otherwise: epoch seconds to use where nothing is fixed yet.
    """
    store, granted = context.get("task_state_store"), getattr(context.get("ti"), "max_tries", None)
    if store is None:
        return otherwise
    key = f"dataworks_{kind}_deadline"
    found = store.get(key)
    # Clearing a task grants new tries, and whoever clears it wants a whole new wait.
    if isinstance(found, dict) and found.get("tries_granted") == granted and found.get("di_job_id") == di_job_id:
        return float(found["at"])
    store.set(key, {"at": otherwise, "tries_granted": granted, "di_job_id": di_job_id})
    return otherwise


def jobs_stopped(
    task_instance: Any, task_ids: Iterable[str], *, dag_id: str | None = None, run_id: str | None = None
) -> set[int]:
    """
    Return the DI jobs that these tasks of a run asked, or may have asked, to stop.

    Read from what the tasks noted before they sent anything, so it also holds where such a task was retried, killed,
    mapped, or failed after its stop was sent.

    :param task_instance: of the task that asks.
    :param dag_id: another DAG than its own.
    :param run_id: another run than its own.
    """
    where = {name: value for name, value in (("dag_id", dag_id), ("run_id", run_id)) if value is not None}
    notes = task_instance.xcom_pull(task_ids=list(task_ids), key="dataworks_stop", **where)
    return {
        int(note["di_job_id"])
        for note in notes or ()
        if isinstance(note, Mapping) and "di_job_id" in note and not note.get("withdrawn")
    }
