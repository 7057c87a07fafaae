"""Five hundred mapped stops of an account that may make five calls a second.

    python -m benchmarks.mapped_stops [--jobs N]

``StopDIJobOperator(deferrable=True)`` for each of 500 running jobs. Each task has a process of its own, as in Airflow,
eight at a time, and another one to end in (``execute_complete``); the triggers run in a process of their own, too. The
emulator, in one more, refuses what exceeds five calls a second (a token bucket that holds five). Takes four minutes.

- *all stopped, by one effective stop each, none failed*: the emulator's own count, and the tasks' results.
- *wall time*: from the first task to the last, against the calls that the emulator served or refused, at five a second:
  at most 1.1 times that. So neither waiting without need nor hasty repeating goes unseen.
- *refused*: calls refused for their rate, of all. Under 5 %.

Misleading when: taken for workers on several machines, whose processes share no file: see ``benchmarks.machines``. With
few jobs the wait after the last stop, up to one ``poll_interval`` (10 s here), is a large part of the wall time.
"""

from __future__ import annotations

import argparse
import asyncio
import multiprocessing
import os
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from multiprocessing.connection import Connection
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


def triggerer(pipe: Connection) -> None:
    """Be a triggerer: run what comes in by the pipe, each trigger to its event; send the events once all are there."""
    events: list[tuple[int, dict[str, Any]]] = []

    async def event_of(number: int, arguments: dict[str, Any]) -> None:
        from airflow_provider_dataworks.triggers.dataworks import DIJobStatusTrigger

        events.extend([(number, dict(event.payload)) async for event in DIJobStatusTrigger(**arguments).run()])

    async def serve() -> None:
        async with asyncio.TaskGroup() as group:
            while (task := await asyncio.to_thread(pipe.recv)) is not None:
                group.create_task(event_of(*task))

    asyncio.run(serve())
    pipe.send(events)


def operator(job_id: int) -> Any:
    """Make the operator of one task."""
    from airflow_provider_dataworks.operators.dataworks import StopDIJobOperator

    return StopDIJobOperator(
        task_id=f"stop_{job_id}", di_job_id=job_id, deferrable=True, poll_interval=POLL_INTERVAL, timeout=3600
    )


def begin(job_id: int) -> tuple[int, dict[str, Any] | str]:
    """Execute one task up to its deferral, in a process of its own; what its trigger is made of, or why it failed."""
    from airflow_provider_dataworks.version_compat import TaskDeferred

    context: Any = {"ti": TaskInstance(), "task_state_store": Store()}
    try:
        operator(job_id).execute(context)
    except TaskDeferred as deferral:
        return job_id, dict(deferral.trigger.serialize()[1])
    except Exception as error:  # of one task; the others go on
        return job_id, f"{type(error).__name__}: {error}"
    return job_id, "the task did not defer"


def end(job_id: int, event: dict[str, Any]) -> dict[str, Any] | str:
    """Execute the rest of one task, in a process of its own; what it returned, or why it failed."""
    try:
        return dict(operator(job_id).execute_complete({}, event))
    except Exception as error:  # of one task
        return f"{type(error).__name__}: {error}"


def stop_all(job_ids: Sequence[int]) -> tuple[list[dict[str, Any]], list[str]]:
    """Run all tasks to their ends; what they returned, and how those failed that did."""
    forking = multiprocessing.get_context("fork")
    pipe, other_end = forking.Pipe()
    triggers = forking.Process(target=triggerer, args=(other_end,))
    triggers.start()
    failures = []
    with forking.Pool(WORKERS, maxtasksperchild=1) as workers:
        for job_id, found in workers.imap_unordered(begin, job_ids):
            if isinstance(found, str):
                failures.append(found)
            else:
                pipe.send((job_id, found))
        pipe.send(None)
        ended = workers.starmap(end, pipe.recv())
    triggers.join()
    return [each for each in ended if not isinstance(each, str)], failures + [e for e in ended if isinstance(e, str)]


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
        tempfile.tempdir = home  # where the processes share their rate of calls
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
