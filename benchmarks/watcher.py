"""What 300 waits for DI jobs of one workspace cost a triggerer: calls, held event loop, memory.

    python -m benchmarks.watcher

The waits are real ``DIJobStatusTrigger`` objects, made from their stored form and run as the triggerer runs them, fifty
a turn, in a process that holds all a triggerer has imported and nothing of ours: what the first wait imports and opens
is counted too. They watch the emulator in another process, through a connection in the environment. 295 jobs stop and
5 fail at the same moment; a list does not tell why a job failed, so each of those 5 is asked for by itself.

- *calls*: all that the emulator saw, against three pages for each round. A round is a burst of calls with a pause
  before it, as the emulator saw them. The baseline is what one plain listing of the workspace takes, times the rounds.
- *busiest second*: the most calls any second held, wherever it begins, by the emulator's clock. At most ``max_qps``, 5.
- *loop held*: how late the worst of a row of one-millisecond sleeps came back in the same loop, of all runs. The
  baseline is the same with as many triggers that only sleep, so it is what the machine does. Below it stands the CPU
  that the process took meanwhile, in any of its threads: where that is far less, others had the core. The longest
  single callback is measured apart. What Airflow had made before the first trigger is kept out of garbage collection,
  because a full one holds the loop for 100 ms and more, with any triggers, and would hide what ours do; what the waits
  make is not.
- *memory*: of 1000 waits over 300, a wait, once each was looked at: traced Python memory, and the process's resident
  set. The baseline is the trigger that only sleeps.

Misleading when: the machine has more work than cores; then all comes late, the baseline too. Where many jobs *fail*
within few rounds, their single looks count for more: each costs one call, whatever the number of rounds.
"""

from __future__ import annotations

import asyncio
import gc
import importlib
import json
import sys
import threading
import time
import tracemalloc
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from itertools import pairwise
from pathlib import Path
from typing import Any

from benchmarks.measure import (
    Bound,
    Figure,
    airflow_home,
    at_most,
    busiest_second,
    child,
    client_of,
    connection,
    emulator,
    environment,
    report,
    times,
)

WAITS, FAILING, ROUNDS, QPS = 300, 5, 2, 5
PROJECT, FIRST_JOB = 1967, 11000
POLL_INTERVAL = 30.0  # the operator's default
ENDS_AFTER = 130.0  # seconds after the start of the emulator
SLEEPS = 15.0
PAUSE = 1.2  # seconds without a call that end a round; within one, calls are at most a second apart
OURS = "airflow_provider_dataworks.triggers.dataworks.DIJobStatusTrigger"


def sleeper(seconds: float) -> Any:
    """Make a trigger that only sleeps."""
    from airflow.triggers.base import BaseTrigger, TriggerEvent

    class Sleeper(BaseTrigger):
        def serialize(self) -> tuple[str, dict[str, Any]]:
            return "", {}

        async def run(self) -> AsyncIterator[TriggerEvent]:
            await asyncio.sleep(seconds)
            yield TriggerEvent({"outcome": "settled"})  # type: ignore[no-untyped-call]

    return Sleeper()  # type: ignore[no-untyped-call]


def make(kind: str, number: int) -> Any:
    """Make the trigger of one wait, as the triggerer does: its class by path, its arguments from JSON."""
    if kind == "sleepers":
        return sleeper(SLEEPS)
    module, _, name = OURS.rpartition(".")
    stored: dict[str, Any] = {"di_job_id": FIRST_JOB + number, "project_id": PROJECT, "deadline": time.time() + 3600}
    stored |= {"accept": ["Stopped", "Finished"], "poll_interval": POLL_INTERVAL, "report": {"by_us": True}}
    return getattr(importlib.import_module(module), name)(**json.loads(json.dumps(stored)))


async def run_trigger(trigger: Any) -> dict[str, Any]:
    """Run a trigger to its event."""
    async for event in trigger.run():
        return dict(event.payload)
    raise RuntimeError("the trigger ended without an event")


async def arrive(kind: str, waits: int, turn: float) -> list[asyncio.Task[dict[str, Any]]]:
    """
    Start the waits as the triggerer does, up to fifty a turn.

    :param turn: seconds.
    """
    tasks = []
    for number in range(waits):
        tasks.append(asyncio.create_task(run_trigger(make(kind, number))))
        await asyncio.sleep(turn if number % 50 == 49 else 0)
    return tasks


class Holds:
    """How long the loop was held, by whom."""

    def __init__(self) -> None:
        self.late = 0.0  # seconds
        self.late_by_us = 0.0  # seconds of CPU that this process, all its threads, took meanwhile
        self.callbacks: list[tuple[float, float, str]] = []  # seconds, seconds of CPU, who

    async def tick(self) -> None:
        """Sleep for a millisecond, again and again, and see how late it gets."""
        while True:
            start, cpu = time.perf_counter(), time.process_time()
            await asyncio.sleep(0.001)
            late = time.perf_counter() - start - 0.001
            self.late = max(self.late, late)
            self.late_by_us = max(self.late_by_us, min(late, time.process_time() - cpu))

    @contextmanager
    def timed(self) -> Iterator[None]:
        """Take the time of every callback of the loop."""
        plain = asyncio.events.Handle._run

        def timed(handle: asyncio.Handle) -> None:
            who = repr(getattr(handle._callback, "__self__", handle))  # type: ignore[attr-defined]
            start, cpu = time.perf_counter(), time.thread_time()
            try:
                plain(handle)
            finally:
                took = time.perf_counter() - start
                if took > 0.005:
                    self.callbacks.append((took, time.thread_time() - cpu, who[:200]))

        asyncio.events.Handle._run = timed  # type: ignore[assignment, method-assign]
        try:
            yield
        finally:
            asyncio.events.Handle._run = plain  # type: ignore[method-assign]


async def waiting(kind: str) -> dict[str, Any]:
    """Run all waits to their ends, and tell how long the loop was held."""
    holds = Holds()
    # A full collection of Airflow's own objects holds the loop for 100 ms or more, whatever the triggers are.
    gc.collect()
    gc.freeze()
    with holds.timed():
        ticking = asyncio.create_task(holds.tick())
        await asyncio.sleep(0.2)
        tasks = await arrive(kind, WAITS, turn=1)
        events = await asyncio.gather(*tasks)
        ticking.cancel()
    worst = sorted(holds.callbacks, reverse=True)[:5]
    return {
        "late_ms": holds.late * 1e3,
        "late_by_us_ms": holds.late_by_us * 1e3,
        "callback_ms": max((took for took, _, _ in worst), default=0.0) * 1e3,
        "callback_cpu_ms": max((cpu for _, cpu, _ in worst), default=0.0) * 1e3,
        "worst": worst,
        "settled": sum(event["outcome"] == "settled" for event in events),
    }


def resident() -> int:
    """Bytes of this process in memory."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * 4096


async def remembering(kind: str, waits: int, *, traced: bool) -> float:
    """Bytes in use once every wait was looked at; they are all still waiting then."""
    if traced:
        tracemalloc.start()
    tasks = await arrive(kind, waits, turn=0)
    # The look itself takes two seconds: ten pages for a thousand waits, five a second.
    await asyncio.sleep(POLL_INTERVAL + 6 if kind == "ours" else 1)
    gc.collect()
    used = tracemalloc.get_traced_memory()[0] if traced else resident()
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    return float(used)


def triggerer(what: str, kind: str, waits: int) -> Any:
    """Be the triggerer: with all that it has imported, and none of ours."""
    import airflow.jobs.triggerer_job_runner

    del airflow
    if what == "waiting":
        return asyncio.run(waiting(kind))
    return asyncio.run(remembering(kind, waits, traced=what == "traced"))


def one(what: str, kind: str, waits: int) -> dict[str, Any]:
    """Run a triggerer and an emulator for it; what the one measured and what the other saw."""
    ids = [str(FIRST_JOB + number) for number in range(waits)]
    jobs = {identity: {"status": "Running", "project_id": PROJECT} for identity in ids}
    ends = {identity: "Failed" if number < FAILING else "Stopped" for number, identity in enumerate(ids)}
    with airflow_home() as home, emulator(home, jobs=jobs) as service:
        link = connection(service.address["port"], max_qps=QPS, project_id=PROJECT)
        environ = environment(home, AIRFLOW_CONN_DATAWORKS_DEFAULT=link)
        ending = threading.Timer(ENDS_AFTER, service.ask, [ends])
        if what == "waiting" and kind == "ours":
            ending.start()
        found = child("benchmarks.watcher", what, kind, str(waits), environ=environ)
        return {"found": found, "calls": service.ask("report")["calls"]}


def listing() -> int:
    """How many calls one plain listing of the workspace takes."""
    with airflow_home() as home, emulator(home, jobs={str(FIRST_JOB + n): "Running" for n in range(WAITS)}) as service:
        client_of(f"http://127.0.0.1:{service.address['port']}", "2020-05-18").list_di_jobs(PROJECT)
        return len(service.ask("report")["calls"])


def rounds_of(moments: Sequence[float]) -> int:
    """How many bursts of calls there were."""
    return sum(later - earlier > PAUSE for earlier, later in pairwise(sorted(moments))) + bool(moments)


def figures(
    ours: Sequence[Mapping[str, Any]], idle: Sequence[Mapping[str, Any]], pages: int, memory: Mapping[str, float]
) -> list[Figure]:
    """
    Make the lines of the table.

    :param ours: of each round, ``found`` and ``calls`` of a triggerer with our waits.
    :param idle: the same with triggers that only sleep.
    :param pages: calls that one plain listing takes.
    :param memory: bytes by ``what kind waits``.
    """
    seen = [[call[0] for call in each["calls"]] for each in ours]
    rounds = sum(map(rounds_of, seen))

    def worst(name: str, of: Sequence[Mapping[str, Any]]) -> float:
        return max(float(each["found"][name]) for each in of)

    def a_wait(what: str, kind: str) -> float:
        return (memory[f"{what} {kind} 1000"] - memory[f"{what} {kind} 300"]) / 700 / 1000

    return [
        Figure(f"calls in {rounds} rounds of {len(ours)} runs", sum(map(len, seen)), rounds * pages, times(1.5)),
        Figure("busiest second, calls", max(map(busiest_second, seen)), bound=at_most(QPS)),
        Figure("calls refused or broken", sum(call[2] != "served" for each in ours for call in each["calls"])),
        Figure("loop held at most, ms", worst("late_ms", ours), worst("late_ms", idle), at_most(50)),
        Figure("  of that, ms of CPU of the process", worst("late_by_us_ms", ours), worst("late_by_us_ms", idle)),
        Figure("longest callback, ms", worst("callback_ms", ours), worst("callback_ms", idle), at_most(50)),
        Figure("  of that, ms of CPU", worst("callback_cpu_ms", ours), worst("callback_cpu_ms", idle)),
        Figure("memory a wait, traced, kB", a_wait("traced", "ours"), a_wait("traced", "sleepers"), at_most(20)),
        Figure("memory a wait, resident, kB", a_wait("resident", "ours"), a_wait("resident", "sleepers"), at_most(20)),
        Figure("waits that ended as they should", _settled(ours), len(ours) * (WAITS - FAILING), Bound(1, least=True)),
    ]


def _settled(ours: Sequence[Mapping[str, Any]]) -> int:
    return sum(int(each["found"]["settled"]) for each in ours)


def main() -> int:
    """Measure and say whether the bounds hold."""
    ours, idle = [], []
    for _ in range(ROUNDS):
        ours.append(one("waiting", "ours", WAITS))
        idle.append(one("waiting", "sleepers", WAITS))
    wanted = [(what, kind, n) for what in ("traced", "resident") for kind in ("ours", "sleepers") for n in (300, 1000)]
    # Memory does not mind how busy the machine is.
    with ThreadPoolExecutor(len(wanted)) as together:
        found = together.map(lambda words: one(*words)["found"], wanted)
        memory = {f"{what} {kind} {n}": used for (what, kind, n), used in zip(wanted, found, strict=True)}
    status = report(f"{WAITS} waits of one workspace in one triggerer", figures(ours, idle, listing(), memory))
    for took, cpu, who in sorted((each for run in ours for each in run["found"]["worst"]), reverse=True)[:3]:
        print(f"{took * 1e3:6.1f} ms ({cpu * 1e3:.1f} ms of CPU): {who}")
    return status


if __name__ == "__main__":
    if sys.argv[1:]:
        print(json.dumps(triggerer(sys.argv[1], sys.argv[2], int(sys.argv[3]))))
    else:
        sys.exit(main())
