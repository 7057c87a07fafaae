"""Stops of an account that may make five calls a second, from one, two, four and eight machines that share nothing.

    python -m benchmarks.machines [--stops N]

Each of 120 running jobs is looked at and stopped by the public hook. Each machine has a temporary folder of its own, so
that its processes share a rate with each other and with no other machine; on each, eight processes take one stop after
the other. Each believes that it may make the account's five calls a second. The emulator, in a process of its own,
refuses what exceeds five calls a second of all (a token bucket that holds five). Takes four minutes.

- *stops lost*: stops that ended in an error, so that Airflow would have to try the task again. None.
- *refused*: calls refused for their rate, of all. At most 15 %; on one machine none.
- *wall time*: from the first stop to the last, against the calls that the emulator served or refused, at five a second:
  at most 1.35 times that, and 1.1 on one machine. So waiting without need does not go unseen. Against the calls that
  were needed it says what the refused ones cost, too.

Misleading when: taken for a steady state. All machines begin in the same moment, each at the full rate, which is the
worst that they can do; most of what is refused is refused in the first seconds, and the machine that has the last stops
to do may have come to a low rate.
"""

from __future__ import annotations

import argparse
import multiprocessing
import os
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
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

STOPS, QPS, CALLERS = 120, 5, 8
MACHINES = (1, 2, 4, 8)
FIRST_JOB = 31000
CALLS_OF_A_STOP = 2  # a look and the stop


def join_machine(number: Any, machines: int, home: str) -> None:
    """Be one more process of the machine whose turn it is."""
    with number.get_lock():
        machine = number.value % machines
        number.value += 1
    tempfile.tempdir = str(Path(home) / f"machine{machine}")  # where the processes of a machine share their rate


def stop(job_id: int) -> str:
    """Look at a job and stop it; return what went wrong, or nothing."""
    from airflow_provider_dataworks.hooks.dataworks import DataWorksHook

    hook = DataWorksHook()
    try:
        if str(hook.get_di_job(job_id).status) != "Running":
            return "the job did not run"
        hook.stop_di_job(job_id)
    except Exception as error:  # of one stop; the others go on
        return f"{type(error).__name__}: {error}"
    return ""


def stop_all(job_ids: Sequence[int], machines: int, home: str) -> tuple[float, list[str]]:
    """Stop all jobs from these many machines; return the seconds it took, and how those failed that did."""
    for machine in range(machines):
        (Path(home) / f"machine{machine}").mkdir()
    forking = multiprocessing.get_context("fork")
    arguments = (forking.Value("i", 0), machines, home)
    with forking.Pool(machines * CALLERS, initializer=join_machine, initargs=arguments) as callers:
        start = time.perf_counter()
        outcomes = callers.map(stop, job_ids, chunksize=1)
        return time.perf_counter() - start, [outcome for outcome in outcomes if outcome]


def measure(machines: int, stops: int) -> dict[str, Any]:
    """Measure one number of machines, with an account of its own."""
    ids = range(FIRST_JOB, FIRST_JOB + stops)
    jobs = {str(identity): "Running" for identity in ids}
    with tempfile.TemporaryDirectory() as home, emulator(home, jobs=jobs, calls_per_second=QPS) as service:
        os.environ["AIRFLOW_CONN_DATAWORKS_DEFAULT"] = connection(service.address["port"], max_qps=QPS)
        seconds, failures = stop_all(ids, machines, home)
        return {"seconds": seconds, "failures": failures, **service.ask("report")}


def figures(found: Mapping[int, Mapping[str, Any]], stops: int) -> list[Figure]:
    """
    Make the lines of the table.

    :param found: by number of machines, the emulator's report with the seconds and failures.
    """
    lines = []
    for machines, run in found.items():
        calls, name = run["calls"], f"{machines} x {CALLERS}"
        refused = sum(call[2] == "refused" for call in calls)
        longest, most = (1.35, 0.15) if machines > 1 else (1.1, 0.0)
        by_one_stop = sum(effective == 1 for _, effective, _ in run["jobs"].values())
        lines += [
            Figure(f"{name}: jobs stopped by one effective stop", by_one_stop, stops, Bound(1, least=True)),
            Figure(f"{name}: stops lost", len(run["failures"]), bound=at_most(0)),
            Figure(f"{name}: calls refused, to all calls", refused, len(calls), Bound(most)),
            Figure(
                f"{name}: wall time, s, to calls at {QPS} a second", run["seconds"], len(calls) / QPS, times(longest)
            ),
            Figure(f"{name}: wall time, s, to needed calls", run["seconds"], CALLS_OF_A_STOP * stops / QPS),
            Figure(f"{name}: busiest second, calls", busiest_second([call[0] for call in calls]), QPS),
        ]
    return lines


def main() -> int:
    """Measure and say whether the bounds hold."""
    options = argparse.ArgumentParser(prog="python -m benchmarks.machines")
    options.add_argument("--stops", type=int, default=STOPS, help="how many (default %(default)s)")
    options.add_argument("--machines", type=int, nargs="+", default=MACHINES, help="how many (default %(default)s)")
    given = options.parse_args()
    with airflow_home() as home:
        os.environ.update(environment(home))
        # What a worker has imported before its first task.
        import airflow_provider_dataworks.hooks.dataworks

        del airflow_provider_dataworks
        found = {machines: measure(machines, given.stops) for machines in given.machines}
    status = report(f"{given.stops} stops, {QPS} calls a second for all machines", figures(found, given.stops))
    for machines, run in found.items():
        for outcome, times_seen in Counter(run["failures"]).most_common(3):
            print(f"{machines} machines, {times_seen} x {outcome}")
    return status


if __name__ == "__main__":
    sys.exit(main())
