"""Reads from Airflow's database which tasks of a run have yet to start a stopped DI job again; it writes nothing."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from airflow.models.dagrun import DagRun
from airflow.models.taskinstance import TaskInstance
from sqlalchemy import select

from airflow_provider_dataworks.xcoms import of_runs

if TYPE_CHECKING:
    from sqlalchemy.orm import Session

    from airflow_provider_dataworks.records import StoppedJob

_Run: Any = DagRun
_Task: Any = TaskInstance
_STARTS = "StartDIJobOperator"
_DONE = ("success", "skipped", "removed")
_FAILED = ("failed", "upstream_failed")
_RUNS_ON = ("queued", "running", "restarting")

RunKey = tuple[str, str]  # DAG id and run id


@dataclass(frozen=True)
class Owed:
    """
    A task of a run that has to start a job again.

    :param states: how many of its (mapped) instances are in which state.
    :param map_index: of the one instance that it is about, -1 where it is not mapped; ``None`` for several.
    """

    task_id: str
    states: tuple[tuple[str, int], ...]
    map_index: int | None = -1

    @property
    def is_ahead(self) -> bool:
        """Whether one of them has not failed, so that it will start the job."""
        return any(state not in _FAILED for state, _ in self.states)


class OwedRestarts:
    """
    The starts that some runs owe, and how those runs are.

    It knows ``StartDIJobOperator`` itself, and no task of another class.

    :param session: of Airflow's database.
    :param runs: pairs of DAG id and run id.
    """

    def __init__(self, session: Session, runs: Collection[RunKey]) -> None:
        tasks = select(_Task.dag_id, _Task.run_id, _Task.task_id, _Task.map_index, _Task.state).where(
            *of_runs(_Task, runs), _Task.operator == _STARTS
        )
        self._starts: dict[RunKey, dict[str, dict[int, str]]] = {}
        for dag_id, run_id, task_id, map_index, state in session.execute(tasks):
            if str(state) not in _DONE:
                of_task = self._starts.setdefault((dag_id, run_id), {}).setdefault(task_id, {})
                of_task[map_index] = str(state or "waiting")
        states = select(_Run.dag_id, _Run.run_id, _Run.state).where(*of_runs(_Run, runs))
        self._runs = {(dag_id, run_id): str(state) for dag_id, run_id, state in session.execute(states)}

    def run_state(self, run: RunKey) -> str | None:
        """Return the state of a run; ``None`` where there is no such run any more."""
        return self._runs.get(run)

    def goes_on(self, run: RunKey) -> bool:
        """Say whether a run is not over."""
        return self._runs.get(run) in _RUNS_ON

    def of(self, stop: StoppedJob) -> tuple[Owed, ...]:
        """Return the starts owed to a job: of mapped ones that with the index of its stop, if there is such a one."""
        found = []
        for task_id, states in sorted(self._starts.get((stop.dag_id, stop.run_id), {}).items()):
            theirs = {stop.map_index: states[stop.map_index]} if stop.map_index in states else states
            each = list(theirs.values())
            counts = tuple((state, each.count(state)) for state in sorted(set(each)))
            found.append(Owed(task_id, counts, next(iter(theirs)) if len(theirs) == 1 else None))
        return tuple(found)

    def is_under_way(self, stop: StoppedJob) -> bool:
        """Say whether the run goes on and a task of it will start the job, so that nobody need do anything."""
        return self.goes_on((stop.dag_id, stop.run_id)) and any(owed.is_ahead for owed in self.of(stop))
