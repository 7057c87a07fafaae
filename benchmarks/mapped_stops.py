"""Five hundred mapped stops of an account that may make five calls a second.

    python -m benchmarks.mapped_stops [--jobs N]

``StopDIJobOperator(deferrable=True)`` for each of 500 running jobs, executed by eight workers; each defers, the
triggers run in one event loop in a thread of their own, and ``execute_complete`` ends each task. The emulator, in
another process, refuses what exceeds five calls a second (a token bucket that holds five). Takes about four minutes.

- *all stopped, by one effective stop each, none failed*: the emulator's own count, and the tasks' results.
- *wall time*: from the first task to the last, against the calls that the emulator served or refused, at five a second:
  at most 1.1 times that. So neither waiting without need nor hasty repeating goes unseen.
- *refused*: calls refused for their rate, of all. Under 5 %.

Misleading when: taken for tasks in processes of their own, as most executors run them. Here all share one pace; there
each process keeps ``max_qps`` by itself only, and a pool must keep the number of stops at work small. With few jobs the
wait after the last stop, up to one ``poll_interval`` (10 s here), is a large part of the wall time.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import sys
import threading
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

from benchmarks.measure import (
    Bound,
    Figure,
    airflow_home,
    at_most,
    busiest_second,
    connection,
    emulator,
    environment,
    report,
    times,
)

JOBS, QPS, WORKERS, POLL_INTERVAL = 500, 5, 8, 10.0
FIRST_JOB = 21000


class Store(dict[str, Any]):
    """Airflow's task state store, as far as a stop uses it."""

    def set(self, key: str, value: Any) -> None:
        """Keep a value."""
        self[key] = value

    def delete(self, key: str) -> None:
        """Drop a value."""
        self.pop(key, None)


class TaskInstance:
    """A task instance, as far as a stop uses it."""

    max_tries = 3

    def xcom_push(self, key: str, value: Any) -> None:
        """Take a pushed value."""


class Triggerer:
    """An event loop in a thread of its own that runs triggers."""

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        threading.Thread(target=self._loop.run_forever, daemon=True).start()

    def run(self, trigger: Any) -> Future[dict[str, Any]]:
        """Run a trigger, rebuilt from what Airflow stores of it, to its event."""
        _, arguments = trigger.serialize()
        return asyncio.run_coroutine_threadsafe(self._event(type(trigger)(**arguments)), self._loop)

    async def _event(self, trigger: Any) -> dict[str, Any]:
        async for event in trigger.run():
            return dict(event.payload)
        raise RuntimeError("the trigger ended without an event")


def stop(job_id: int, triggerer: Triggerer) -> tuple[Any, Future[dict[str, Any]]]:
    """Execute one task up to its deferral; the task and the event to come."""
    from airflow.providers.common.compat.sdk import TaskDeferred

    from airflow_provider_dataworks.operators.dataworks import StopDIJobOperator

    task = StopDIJobOperator(
        task_id=f"stop_{job_id}", di_job_id=job_id, deferrable=True, poll_interval=POLL_INTERVAL, timeout=3600
    )
    context: Any = {"ti": TaskInstance(), "task_state_store": Store()}
    try:
        task.execute(context)
    except TaskDeferred as deferral:
        return task, triggerer.run(deferral.trigger)
    raise RuntimeError(f"the task of DI job {job_id} did not defer")


def stop_all(job_ids: Sequence[int]) -> tuple[list[dict[str, Any]], list[str]]:
    """Run all tasks to their ends; what they returned, and how those failed that did."""
    triggerer, results, failures = Triggerer(), [], []

    def through(job_id: int) -> tuple[Any, Future[dict[str, Any]]] | Exception:
        try:
            return stop(job_id, triggerer)
        except Exception as error:  # of one task; the others go on
            return error

    with ThreadPoolExecutor(WORKERS) as workers:
        deferred = list(workers.map(through, job_ids))
    for found in deferred:
        try:
            if isinstance(found, Exception):
                raise found
            task, event = found
            results.append(task.execute_complete({}, event.result(timeout=600)))
        except Exception as error:  # of one task
            failures.append(f"{type(error).__name__}: {error}")
    return results, failures


def figures(seconds: float, seen: Mapping[str, Any], results: Sequence[Mapping[str, Any]], wanted: int) -> list[Figure]:
    """
    Make the lines of the table.

    :param seen: the emulator's report.
    :param results: what the tasks returned.
    """
    calls, jobs = seen["calls"], seen["jobs"].values()
    refused = sum(call[2] == "refused" for call in calls)
    served = sum(status == "Stopped" and stops == 1 for status, stops, _ in jobs)
    by_us = sum(bool(found["stopped_by_this_run"]) and found["status"] == "Stopped" for found in results)
    return [
        Figure("jobs stopped by one effective stop", served, wanted, Bound(1, least=True)),
        Figure("tasks that ended in success", by_us, wanted, Bound(1, least=True)),
        Figure(f"wall time, s, to calls at {QPS} a second", seconds, len(calls) / QPS, times(1.1)),
        Figure("calls refused, to all calls", refused, len(calls), Bound(0.05)),
        Figure("calls, to two a job", len(calls), 2 * wanted),
        Figure("busiest second, calls", busiest_second([call[0] for call in calls]), QPS),
    ]


def main() -> int:
    """Measure and say whether the bounds hold."""
    options = argparse.ArgumentParser(prog="python -m benchmarks.mapped_stops")
    options.add_argument("--jobs", type=int, default=JOBS, help="how many (default %(default)s); 100 take a minute")
    number = options.parse_args().jobs
    ids = range(FIRST_JOB, FIRST_JOB + number)
    jobs = {str(identity): "Running" for identity in ids}
    with airflow_home() as home, emulator(home, jobs=jobs, calls_per_second=QPS, stop_seconds=2) as service:
        os.environ.update(environment(home))
        os.environ["AIRFLOW_CONN_DATAWORKS_DEFAULT"] = connection(service.address["port"], max_qps=QPS)
        # What a worker has imported before its first task.
        import airflow_provider_dataworks.operators.dataworks

        del airflow_provider_dataworks
        start = time.perf_counter()
        results, failures = stop_all(ids)
        seconds = time.perf_counter() - start
        seen = service.ask("report")
    status = report(f"{number} mapped stops, {QPS} calls a second", figures(seconds, seen, results, number))
    for outcome, times_seen in Counter(failures).most_common(5):
        print(f"{times_seen} x {outcome}")
    for (operation, result), many in sorted(Counter((call[1], call[2]) for call in seen["calls"]).items()):
        print(f"{operation} {result}: {many}")
    return status or int(at_most(0).holds(Figure("failures", len(failures))) is False)


if __name__ == "__main__":
    sys.exit(main())
