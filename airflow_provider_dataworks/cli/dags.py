"""Reads a DAG from its file and says which of its tasks ask DataWorks what about which jobs; it runs no task."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from inspect import signature
from pathlib import Path
from typing import Any

from airflow_provider_dataworks.cli.commands import AIRFLOW, USAGE
from airflow_provider_dataworks.cli.running import CommandError
from airflow_provider_dataworks.operators.dataworks import StartDIJobOperator, StopDIJobOperator
from airflow_provider_dataworks.operators.maintenance_tasks import argument, conn_id_of, is_mapped
from airflow_provider_dataworks.operators.preflight import MaintenancePreflightOperator
from airflow_provider_dataworks.sensors.dataworks import DIJobStoppedSensor
from airflow_provider_dataworks.values import int64, is_template, plain_text, shown
from airflow_provider_dataworks.version_compat import conf
from airflow_provider_dataworks.windows import MaintenanceWindow

try:
    from airflow.dag_processing.dagbag import DagBag
except ImportError:  # before 3.2
    from airflow.models.dagbag import DagBag  # type: ignore[no-redef]


_CONN = "dataworks_conn_id"
_MAPPED = "{{ another one for each instance }}"


@dataclass(frozen=True)
class Asks:
    """
    A task that asks DataWorks about DI jobs.

    :param ids: those that are known before a run.
    :param unknown: what names further ones: a template, or a task's output.
    """

    task: Any
    ids: tuple[int, ...]
    unknown: tuple[str, ...]

    @property
    def conn_id(self) -> str:
        """Its connection; may be a template, or another one for each instance of a mapped task."""
        expanded = getattr(getattr(self.task, "expand_input", None), "value", None)
        if isinstance(expanded, dict) and _CONN in expanded:
            return _MAPPED
        if isinstance(expanded, list | tuple) and any(_CONN in each for each in expanded if isinstance(each, dict)):
            return _MAPPED
        return str(conn_id_of(self.task))

    @property
    def group(self) -> str:
        """Id of the group that it is in; empty outside any."""
        return str(self.task.task_id).rpartition(".")[0]

    def number(self, name: str, default: float) -> float:
        """Return an argument that is a duration, in seconds; the default for a template, which a run alone can read."""
        found = argument(self.task, name, default)
        if is_template(found):
            return default
        return float(found.total_seconds() if hasattr(found, "total_seconds") else found or 0)


@dataclass(frozen=True)
class Plan:
    """
    What a DAG asks DataWorks.

    :param schedule: the window of its schedule, where that is one.
    """

    dag_id: str
    file: str
    schedule: MaintenanceWindow | None
    stops: tuple[Asks, ...]
    checks: tuple[Asks, ...]
    starts: tuple[Asks, ...]
    preflights: tuple[Any, ...]

    def preflight_of(self, stop: Asks) -> Any:
        """Return the task that checks before a stop; ``None`` where there is none."""
        same = (task for task in self.preflights if str(task.task_id).rpartition(".")[0] == stop.group)
        return next(same, None)

    def starts_again(self, stop: Asks) -> bool:
        """Say whether a task of the DAG starts what this one stops."""
        for start in self.starts:
            named = argument(start.task, "only_if_stopped_by")
            if stop.task.task_id in ([named] if isinstance(named, str) else named or ()):
                return True
            if not named and set(stop.ids) <= set(start.ids) and not stop.unknown:
                return True
        return False


def read_plan(dag_id: str, file: str | None) -> Plan:
    """
    Read a DAG.

    :param file: its file; without one all of Airflow's DAG folder is read.
    :raises CommandError: it cannot be read, or is not there.
    """
    where = file or conf.get("core", "dags_folder")
    if not Path(where).exists():
        raise CommandError(f"{where}: there is no such file. Give --dag-file.", USAGE if file else AIRFLOW)
    # Before 3.2 it reads Airflow's examples too, unless it is told not to.
    alone = {} if "include_examples" not in signature(DagBag).parameters else {"include_examples": False}
    bag: Any = DagBag(dag_folder=where, **alone)  # type: ignore[arg-type]
    dag = bag.dags.get(dag_id)
    if dag is None:
        raise CommandError(_why_missing(dag_id, where, bag), AIRFLOW)
    kinds: dict[type, list[Asks]] = {StopDIJobOperator: [], DIJobStoppedSensor: [], StartDIJobOperator: []}
    for task in dag.tasks:
        for kind, found in kinds.items():
            if _is(task, kind):
                found.append(Asks(task, *_ids_of(task)))
    window = getattr(getattr(dag, "timetable", None), "window", None)
    return Plan(
        dag_id,
        str(dag.fileloc),
        window if isinstance(window, MaintenanceWindow) else None,
        stops=tuple(kinds[StopDIJobOperator]),
        checks=tuple(kinds[DIJobStoppedSensor]),
        starts=tuple(kinds[StartDIJobOperator]),
        preflights=tuple(task for task in dag.tasks if _is(task, MaintenancePreflightOperator)),
    )


def _why_missing(dag_id: str, where: str, bag: Any) -> str:
    lines = [f"DAG {dag_id!r} is not in {where}."]
    for name, trace in list(bag.import_errors.items())[:3]:
        last = (str(trace).strip().splitlines() or [""])[-1]
        lines.append(f"{name} cannot be imported: {plain_text(last, 200)}")
    near = ", ".join(sorted(bag.dags)[:10])
    return "\n".join([*lines, f"There are: {near}." if near else "There is no DAG in it."])


def _is(task: Any, kind: type) -> bool:
    return kind in getattr(getattr(task, "operator_class", type(task)), "__mro__", ())


def _ids_of(task: Any) -> tuple[tuple[int, ...], tuple[str, ...]]:
    given = _expanded(task) if is_mapped(task) else [task.di_job_id]
    ids: list[int] = []
    unknown: list[str] = []
    for each in given:
        if is_template(each):
            unknown.append(plain_text(each, 80) if isinstance(each, str) else _named(each))
        else:
            ids.append(int64(each, f"di_job_id of {task.task_id}"))
    return tuple(dict.fromkeys(ids)), tuple(dict.fromkeys(unknown))


def _expanded(task: Any) -> Iterable[Any]:
    """Return what a mapped task gets as di_job_id, one for each of its instances as far as they are known."""
    value, shared = getattr(task.expand_input, "value", None), task.partial_kwargs.get("di_job_id")
    if isinstance(value, dict):  # .expand(di_job_id=...)
        found = value.get("di_job_id", shared)
        return list(found) if isinstance(found, list | tuple | set | range) else [found]
    if isinstance(value, list | tuple):  # .expand_kwargs([...])
        return [each.get("di_job_id", shared) if isinstance(each, dict) else each for each in value]
    return [value]


def _named(output: Any) -> str:
    task_id = getattr(getattr(output, "operator", None), "task_id", None)
    return f"what task {task_id} returns" if task_id else shown(output, 60)
