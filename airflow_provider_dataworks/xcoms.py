"""Reads XComs as they stand in Airflow's database, for what looks at many runs at once; never writes, nor unpickles."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Iterator
from datetime import datetime
from typing import TYPE_CHECKING, Any, NamedTuple

from airflow.models.taskinstance import TaskInstance
from sqlalchemy import Text, and_, cast, select
from sqlalchemy.orm import aliased

try:
    from airflow.models.xcom import XComModel

    KEPT_AS_BYTES = False
except ImportError:  # 2.11
    from airflow.models.xcom import BaseXCom as XComModel  # type: ignore[no-redef]

    KEPT_AS_BYTES = True

if TYPE_CHECKING:
    from sqlalchemy.orm import Session

# Asked through Any: what the columns are called is the same in all versions, how they are declared is not.
XCom: Any = XComModel
_Task: Any = TaskInstance
# As text, and decoded here: a value that no JSON can be read from must not keep others from being read.
value_text: Any = XCom.value if KEPT_AS_BYTES else cast(XCom.value, Text)
_AT_ONCE = 500  # values in one question to the database


class Row(NamedTuple):
    """An XCom with its decoded value."""

    dag_id: str
    run_id: str
    task_id: str
    map_index: int
    key: str
    value: Any
    timestamp: datetime | None
    dag_run_id: int

    @property
    def at(self) -> float | None:
        """Epoch seconds at which it was pushed."""
        return self.timestamp.timestamp() if self.timestamp else None


def rows(session: Session, *where: Any, newest: int | None = None) -> Iterator[Row]:
    """
    Yield XComs.

    :param where: conditions on the columns of ``XCom``; one of them should be about the key or the runs, which are
        indexed.
    :param newest: only so many, the newest first.
    """
    columns = (XCom.dag_id, XCom.run_id, XCom.task_id, XCom.map_index, XCom.key, value_text)
    query = select(*columns, XCom.timestamp, XCom.dag_run_id).where(*where)
    if newest is not None:
        query = query.order_by(XCom.timestamp.desc()).limit(newest)
    for row in session.execute(query):
        yield Row._make((*row[:5], decoded(row[5]), *row[6:]))


def runs_with(session: Session, keys: Collection[str], *where: Any, newest: int | None = None) -> set[int]:
    """Return the runs in which tasks noted something under these keys, by the ids that Airflow's tables use."""
    query = select(XCom.dag_run_id).where(XCom.key.in_(keys), *where)
    if newest is not None:
        query = query.order_by(XCom.timestamp.desc()).limit(newest)
    return set(session.scalars(query))


def chunks(values: Iterable[int]) -> Iterator[list[int]]:
    """Yield the values, each once, in lists that one question to a database can hold."""
    ordered = sorted(set(values))
    yield from (ordered[start : start + _AT_ONCE] for start in range(0, len(ordered), _AT_ONCE))


def of(column: Any, dag_ids: Collection[str] | None) -> list[Any]:
    """Return the conditions that leave these DAGs: none for ``None``."""
    return [] if dag_ids is None else [column.in_(list(dag_ids))]


def of_runs(model: Any, runs: Iterable[tuple[str, str]]) -> list[Any]:
    """
    Return the conditions that leave these runs, and few others; whoever asks looks at the pairs.

    :param runs: DAG ids and run ids. The index of each table begins with the former.
    """
    pairs = list(runs)
    return [model.dag_id.in_({dag_id for dag_id, _ in pairs}), model.run_id.in_({run_id for _, run_id in pairs})]


def noted_beside(*keys: str) -> Any:
    """Return the condition that the same task has an XCom under one of these keys, too."""
    beside = aliased(XCom)
    same = (getattr(beside, name) == getattr(XCom, name) for name in ("dag_run_id", "task_id", "map_index"))
    return select(beside.key).where(*same, beside.key.in_(keys)).exists()


def made_by(operator: str) -> Any:
    """Return the condition that the task is of the operator with this class name."""
    names = ("dag_id", "run_id", "task_id", "map_index")
    same = and_(*(getattr(_Task, name) == getattr(XCom, name) for name in names))
    return select(_Task.task_id).where(same, _Task.operator == operator).exists()


def decoded(value: Any) -> Any:
    """Return the value that JSON holds; where Airflow's API server stored it as text within JSON, that of the text."""
    found = _json(value, None) if isinstance(value, str | bytes) else value
    return _json(found, found) if isinstance(found, str) else found


def _json(text: str | bytes, otherwise: Any) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return otherwise
