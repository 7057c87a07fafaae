"""Airflow around tasks: task instances, XComs, task state store, retries and the door to its database; it runs none."""

from __future__ import annotations

import json
import math
import pickle
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from airflow.sdk.definitions.retry_policy import RetryAction
from airflow.sdk.exceptions import AirflowFailException, AirflowSensorTimeout, AirflowSkipException

from campaign.processes import Process

_LARGEST_VALUE = 65_536  # characters; Airflow warns of more in the state store, and logs are not made for it


class NotStorable(Exception):
    """Airflow cannot send or keep this value."""


def through_the_database(value: Any) -> Any:
    """
    Return a value as Airflow gives it back: sent as msgpack, kept as JSON in UTF-8.

    :raises NotStorable: saying why it cannot be.
    """
    _check(value)
    try:
        text = json.dumps(value, ensure_ascii=False, allow_nan=False)
        text.encode()
    except (TypeError, ValueError) as error:
        raise NotStorable(f"{type(error).__name__}: {error}"[:200]) from error
    if "\x00" in text or "\\u0000" in text:
        raise NotStorable("a NUL, which PostgreSQL does not take")
    if len(text) > _LARGEST_VALUE:
        raise NotStorable(f"{len(text)} characters")
    return json.loads(text)


def _check(value: Any) -> None:
    if isinstance(value, int) and not -(2**63) <= value < 2**63:
        raise NotStorable("a number of more than 64 bits")
    if isinstance(value, dict):
        for each in (*value, *value.values()):
            _check(each)
    elif isinstance(value, list | tuple):
        for each in value:
            _check(each)


def through_a_pipe(error: BaseException) -> BaseException:
    """
    Return an error as another process gets it.

    :raises NotStorable: it cannot be pickled, printed or encoded, or is too long to read.
    """
    try:
        found: BaseException = pickle.loads(pickle.dumps(error))  # noqa: S301 - made a line above
        text = str(error)
        text.encode()
        repr(error).encode()
    except Exception as problem:
        raise NotStorable(f"{type(problem).__name__}: {problem}"[:200]) from problem
    if str(found) != text or type(found) is not type(error):
        raise NotStorable("it is another error after pickling")
    if len(text) > 4000:
        raise NotStorable(f"an error of {len(text)} characters")
    return found


@dataclass
class Cleared:
    """A person cleared a task."""

    at: float
    task: str


class Database:
    """What outlives processes: XComs and stores, and everything that was ever put there, for the search for secrets."""

    def __init__(self, airflow: str) -> None:
        self._airflow = airflow
        self.xcoms: dict[tuple[str, str], Any] = {}
        self.stores: dict[str, dict[str, Any]] = {}
        self.states: dict[str, str | None] = {}
        self.written: list[str] = []

    def write(self, value: Any) -> Any:
        """Return a value as it is read again."""
        found = through_the_database(value)
        self.written.append(json.dumps(found, ensure_ascii=False))
        return found

    def begin_try(self, task: str) -> None:
        """Drop the XComs of a task, as every Airflow does before each try."""
        for key in [key for key in self.xcoms if key[0] == task]:
            del self.xcoms[key]

    def clear(self, task: str) -> None:
        """Forget what this Airflow forgets when a person clears a task."""
        if self._airflow == "3.4":
            self.stores.pop(task, None)


class Store:
    """``task_state_store`` of a process."""

    def __init__(self, database: Database, process: Process) -> None:
        self._database, self._process = database, process
        self._values = database.stores.setdefault(process.task, {})

    def get(self, key: str, default: Any = None) -> Any:
        """Return what was set."""
        self._process.step()
        return self._values.get(key, default)

    def set(self, key: str, value: Any, **how: Any) -> None:
        """Keep a value."""
        self._process.step()
        self._values[key] = self._database.write(value)

    def delete(self, key: str) -> None:
        """Drop a value."""
        self._process.step()
        self._values.pop(key, None)

    def clear(self, **how: Any) -> None:
        """Drop all."""
        self._process.step()
        self._values.clear()


class TaskInstance:
    """A task instance as a process sees it."""

    dag_id, run_id, map_index = "maintenance", "scheduled__1", -1

    def __init__(self, database: Database, process: Process, max_tries: int) -> None:
        self._database, self._process = database, process
        self.task_id, self.try_number, self.max_tries = process.task, process.try_number, max_tries

    def xcom_push(self, key: str, value: Any) -> None:
        """Push a value."""
        self._process.step()
        self._database.xcoms[self.task_id, key] = self._database.write(value)

    def xcom_pull(
        self, task_ids: str | Iterable[str] | None = None, key: str = "return_value", default: Any = None, **where: Any
    ) -> Any:
        """Return what tasks pushed, one value or a list, as Airflow 3 does."""
        self._process.step()
        names = [self.task_id] if task_ids is None else task_ids
        if isinstance(names, str):
            return self._database.xcoms.get((names, key), default)
        return [self._database.xcoms.get((name, key), default) for name in names]

    def get_task_states(self, dag_id: str, *, task_ids: Iterable[str] = (), **where: Any) -> dict[str, dict[str, str]]:
        """Return the states of tasks by run, as the Task SDK does."""
        self._process.step()
        states = self._database.states
        return {self.run_id: {name: str(states[name]) for name in task_ids or states if states.get(name)}}


class Retrying:
    """
    What Airflow does about an error.

    :return: of a call, seconds until the next try, or the state in which the task ends.
    """

    def __init__(self, airflow: str) -> None:
        self._airflow = airflow

    def after(self, operator: Any, error: BaseException, instance: Any, context: Any) -> float | str:
        """Decide as the worker does."""
        if isinstance(error, AirflowSkipException):
            return "skipped"
        if isinstance(error, AirflowFailException | AirflowSensorTimeout):
            return "failed"
        policy = getattr(operator, "retry_policy", None) if self._airflow != "2.11" else None
        decision = policy.evaluate(error, instance.try_number, instance.max_tries, context) if policy else None
        if decision is not None and decision.action is RetryAction.FAIL:
            return "failed"
        delay = decision.retry_delay if decision is not None else None
        return self.after_a_kill(operator, instance, delay.total_seconds() if delay is not None else None)

    def after_a_kill(self, operator: Any, instance: Any, delay: float | None = None) -> float | str:
        """Decide as the scheduler does, which asks no policy."""
        if instance.try_number > instance.max_tries:
            return "failed"
        if delay is not None:
            return delay
        base = operator.retry_delay.total_seconds()
        factor = float(operator.retry_exponential_backoff or 1.0)
        factor = 2.0 if factor == 1.0 and operator.retry_exponential_backoff is True else factor
        if factor == 1.0:
            return float(base)
        least = max(1, math.ceil(base * factor ** (instance.try_number - 1)))
        # Airflow takes a number of the task instance's own here, between this and twice as much.
        return float(min(least * 1.5, 86400.0, (operator.max_retry_delay or _DAY).total_seconds()))


class _Day:
    def total_seconds(self) -> float:
        return 86400.0


_DAY = _Day()
Outcome = tuple[str, Any]
Work = Callable[[], Any]
