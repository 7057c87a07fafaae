"""
Keeps the note of a task about its StopDIJob or StartDIJob: for its own next try, and for the other tasks of its run.

Airflow 3.3 keeps a store per task instance that survives retries (AIP-103, ``task_state_store`` in the context); 3.4
discards it when a person clears the task, and below 3.3 there is none: XComs are cleared before every try. Where an
earlier try may have asked and nothing tells, a job found where that request would have brought it counts as this run's:
better one restart too many than a job that stays down. Nothing here asks DataWorks, or decides what is sent.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass
from functools import cache
from math import isfinite
from typing import TYPE_CHECKING, Any

from airflow_provider_dataworks.exceptions import DataWorksInvalidRequest
from airflow_provider_dataworks.values import int64

if TYPE_CHECKING:
    from airflow_provider_dataworks.client.models import DIJob

_LONGEST_TEXT = 200
_TRIED = frozenset(("success", "failed", "up_for_retry"))


@dataclass(frozen=True)
class Note:
    """
    What a task noted about its request to stop or start a DI job.

    :param status_before: status of the job before the request, where it is known.
    :param request_id: of the request, where its answer came.
    :param withdrawn: whether it is certain that no such request has had an effect.
    :param at: epoch seconds at which it was noted.
    """

    di_job_id: int
    status_before: str | None = None
    request_id: str | None = None
    withdrawn: bool = False
    at: float | None = None

    @classmethod
    def read(cls, value: object) -> Note | None:
        """Return the note that an XCom or the store holds; ``None`` where it is none: they can be edited by anybody."""
        if not isinstance(value, Mapping):
            return None
        try:
            di_job_id = int64(value.get("di_job_id"), "di_job_id")
        except DataWorksInvalidRequest:
            return None
        return cls(
            di_job_id,
            _text(value.get("status_before")),
            _text(value.get("request_id")),
            value.get("withdrawn") is True,
            _moment(value.get("at")),
        )


def was_cleared(context: Mapping[str, Any]) -> bool:
    """Whether a person cleared the task since its run began: Airflow then grants tries beyond the task's own."""
    retries = getattr(context.get("task"), "retries", None)
    granted = getattr(context.get("ti"), "max_tries", None)
    return isinstance(retries, int) and isinstance(granted, int) and granted > retries


def _text(value: object) -> str | None:
    return value if isinstance(value, str) and value.isprintable() and 0 < len(value) <= _LONGEST_TEXT else None


def _moment(value: object) -> float | None:
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value < 2**53:
        return None
    return float(value) if isfinite(value) else None


class RequestNote:
    """
    The note that one task writes and reads.

    It is kept in the task's own store, for its next try, and as an XCom, for the other tasks of the run: a stop that
    fails after its request was sent returns nothing, but what it noted can be read. Each try writes it as it begins, so
    that a note that is missing means a try that ended before it could write one.

    :param context: the task's context.
    :param kind: ``stop`` or ``start``.
    :param di_job_id: a note about another DI job (a template may have changed) does not count.
    :param now: epoch seconds.
    """

    def __init__(self, context: Mapping[str, Any], kind: str, di_job_id: int, now: Callable[[], float]) -> None:
        self._store = context.get("task_state_store")
        self._task_instance = context.get("ti")
        self._context, self._kind, self._key, self._now = context, kind, f"dataworks_{kind}", now
        self._di_job_id = di_job_id
        kept = self._store.get(self._key) if self._store is not None else None
        found = Note.read(kept)
        known = found is not None and found.di_job_id == di_job_id
        self.earlier: Note | None = found if known and found is not None and not found.withdrawn else None
        number = int(getattr(self._task_instance, "try_number", None) or 1)
        cleared = was_cleared(context)
        # An earlier try, and nothing left of what it noted: no store, or one that was discarded by a clear.
        # Or what is left is no note: somebody spoiled it.
        spoiled = kept is not None and found is None
        self.no_history = not known and (spoiled or (number > 1 and (self._store is None or cleared)))
        self._latest = Note(di_job_id, withdrawn=not self.no_history, at=now())
        if self.earlier is not None:
            self._publish(self.earlier)
        # Of a task that was cleared, a note that is missing says as much, and claims no more.
        elif not (self.no_history and cleared):
            self._keep(self._latest)

    @property
    def status_before(self) -> str | None:
        """Status before an earlier try of this task sent its request, or ``None`` where none did."""
        return str(self.earlier.status_before) if self.earlier else None

    @property
    def asked_now(self) -> bool:
        """Whether this try sent a request that may have arrived."""
        return self._latest.status_before is not None and self._latest is not self.earlier

    @property
    def request_id(self) -> str | None:
        """Request id of that request, where its answer came."""
        return self.earlier.request_id if self.earlier else None

    def write(self, job: DIJob) -> None:
        """Note, before the request is sent, that this run is about to send it; if this fails, nothing is sent."""
        self._note(status_before=str(job.status), request_id=None)

    def confirm(self, status_before: str, request_id: str | None) -> None:
        """Note that it was sent, and the request id."""
        self._note(status_before=status_before, request_id=request_id)

    def withdraw(self) -> None:
        """
        Take the note back: what was to be sent certainly did not arrive. What an earlier try sent, or may have, stays.

        A look that showed the job running is no proof that an earlier stop was none: reads may lag behind.
        """
        self._keep(self.earlier or Note(self._di_job_id, withdrawn=not self.no_history, at=self._now()))

    def leave_doubt(self) -> None:
        """Note, for a try that ends before it looked, that an earlier one may have asked, where nothing tells."""
        if self.no_history:
            self._keep(Note(self._di_job_id, at=self._now()))

    def deadline(self, otherwise: float) -> float:
        """
        Return the epoch second at which this task's wait ends, fixed when this is first asked: retries do not move it.

        :param otherwise: epoch seconds to use where nothing is fixed yet.
        """
        return fixed_deadline(self._context, self._kind, self._di_job_id, otherwise)

    def known_deadline(self) -> float | None:
        """Return the epoch second at which this task's wait ends, if it was fixed already."""
        return _kept_deadline(self._context, self._kind, self._di_job_id)

    def begin_deadline(self, at: float) -> float:
        """Fix the end of this task's wait anew, whatever was fixed before; epoch seconds."""
        return _keep_deadline(self._context, self._kind, self._di_job_id, at)

    def _note(self, *, status_before: str | None, request_id: str | None) -> None:
        self._keep(Note(self._di_job_id, status_before, request_id, at=self._now()))

    def _keep(self, note: Note) -> None:
        if self._store is not None:
            self._store.set(self._key, asdict(note))
        self._publish(note)

    def _publish(self, note: Note) -> None:
        self._latest = note
        if self._task_instance is not None:
            # With the connection, for whoever looks later for what is down: a job's id is one of its account alone.
            conn_id = getattr(self._context.get("task"), "dataworks_conn_id", None)
            self._task_instance.xcom_push(key=self._key, value={**asdict(note), "conn_id": conn_id})


def fixed_deadline(context: Mapping[str, Any], kind: str, di_job_id: int, otherwise: float) -> float:
    """
    Return the epoch second at which a task's wait ends, as it was first fixed where Airflow can remember that.

    :param kind: what waits: ``stop``, ``start`` or ``check``.
    :param otherwise: epoch seconds to fix where nothing is fixed yet.
    """
    kept = _kept_deadline(context, kind, di_job_id)
    return _keep_deadline(context, kind, di_job_id, otherwise) if kept is None else kept


def _kept_deadline(context: Mapping[str, Any], kind: str, di_job_id: int) -> float | None:
    store, granted = context.get("task_state_store"), getattr(context.get("ti"), "max_tries", None)
    found = store.get(f"dataworks_{kind}_deadline") if store is not None else None
    # Clearing a task grants new tries, and whoever clears it wants a whole new wait.
    if isinstance(found, dict) and found.get("tries_granted") == granted and found.get("di_job_id") == di_job_id:
        return _moment(found.get("at"))
    return None


def _keep_deadline(context: Mapping[str, Any], kind: str, di_job_id: int, at: float) -> float:
    store, granted = context.get("task_state_store"), getattr(context.get("ti"), "max_tries", None)
    if store is not None:
        store.set(f"dataworks_{kind}_deadline", {"at": at, "tries_granted": granted, "di_job_id": di_job_id})
    return at


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
    return {note.di_job_id for note in _stop_notes(task_instance, task_ids, **where) if not note.withdrawn}


def asked_to_stop(context: Mapping[str, Any], task_ids: Iterable[str]) -> Callable[[int], bool | None]:
    """
    Return what says of a DI job whether tasks of this run asked to stop it; Airflow is asked here, once for all jobs.

    It returns ``None`` where a stop task has ended and left no note of the job, so that nobody can tell: its last try
    was killed as it began, or a person marked it as done.

    :param context: of the task that asks.
    """
    names = list(task_ids)
    asked: dict[int, bool] = {}
    for note in _stop_notes(context["ti"], names):
        asked[note.di_job_id] = asked.get(note.di_job_id, False) or not note.withdrawn

    @cache
    def otherwise() -> bool | None:
        return None if any(state in _TRIED for state in states_of(context, names)) else False

    return lambda di_job_id: asked[di_job_id] if di_job_id in asked else otherwise()


def _stop_notes(task_instance: Any, task_ids: Iterable[str], **where: str) -> Iterator[Note]:
    found = task_instance.xcom_pull(task_ids=list(task_ids), key="dataworks_stop", **where)
    yield from filter(None, map(Note.read, found or ()))


def run_goes_on(context: Mapping[str, Any], dag_id: str, run_id: str) -> bool:
    """Say whether another run is queued or running; one that was deleted is not."""
    task_instance = context["ti"]
    if hasattr(task_instance, "get_dr_count"):
        return bool(task_instance.get_dr_count(dag_id=dag_id, run_ids=[run_id], states=["queued", "running"]))
    if hasattr(context.get("dag_run"), "get_task_instances"):  # 2.11
        from airflow.models import DagRun

        return any(str(run.state) in ("queued", "running") for run in DagRun.find(dag_id=dag_id, run_id=run_id))
    return False


def states_of(context: Mapping[str, Any], task_ids: list[str]) -> Iterator[str | None]:
    """Yield the states of these tasks of the run; of mapped ones only that of the asking task's own index, if any."""
    task_instance = context["ti"]
    index = getattr(task_instance, "map_index", -1)
    if hasattr(task_instance, "get_task_states"):
        where = {"dag_id": task_instance.dag_id, "run_ids": [task_instance.run_id], "task_ids": task_ids}
        found = task_instance.get_task_states(**where).get(task_instance.run_id) or {}
        # Airflow names a mapped task instance by its task id and index.
        same = {name for task_id in task_ids for name in (task_id, f"{task_id}_{index}")}
        yield from (state for name, state in found.items() if index < 0 or name in same)
    elif hasattr(context.get("dag_run"), "get_task_instances"):  # 2.11
        for found in context["dag_run"].get_task_instances():
            if found.task_id in task_ids and (index < 0 or found.map_index in (-1, index)):
                yield found.state
