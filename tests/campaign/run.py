"""Lives through one schedule and keeps a book of all that happened; what was right about it, others say."""

from __future__ import annotations

import asyncio
import functools
import importlib
import random
from collections.abc import Callable
from typing import Any

from airflow.sdk.exceptions import TaskDeferred

from campaign import logs
from campaign.airflow_model import Cleared, Database, NotStorable, Retrying, Store, TaskInstance, through_a_pipe
from campaign.book import Book, End, Problem
from campaign.clock import CLOCK, run_virtually, virtual_time
from campaign.dataworks_model import DataWorksModel
from campaign.endpoint import Endpoint
from campaign.machine import Machine, own_surroundings
from campaign.processes import Killed, Process
from campaign.schedule import Clear, Schedule
from campaign.tasks import OPENS, operator_of, window_of


@functools.cache
def the_endpoint() -> Endpoint:
    """Return this process's endpoint."""
    return Endpoint()


def live(schedule: Schedule) -> Book:
    """Live through a schedule."""
    with logs.captured() as lines, virtual_time(), own_surroundings():
        random.seed(schedule.seed)
        return _Run(schedule, lines).book_of_it()


class _Run:
    def __init__(self, schedule: Schedule, lines: list[str]) -> None:
        self.schedule = schedule
        length = 60 if schedule.window is None else max(1, round(schedule.window / 60 + 1))
        begin = OPENS if schedule.window is None else OPENS + length * 60 - schedule.window
        CLOCK.begin(begin)
        self.window = None if schedule.window is None else window_of(length)
        service = DataWorksModel(schedule)
        self.book = Book(schedule, service, Database(schedule.airflow), lines)
        if self.window is not None:
            self.book.window_closes = OPENS + length * 60
        self.service, self.database = service, self.book.database
        self.retrying = Retrying(schedule.airflow)
        self.chain = ["stop", *(["check"] if schedule.check else []), "work"]
        self.chain += ["restart"] if schedule.restart else []
        self.states: dict[str, str | None] = dict.fromkeys(self.chain)
        self.database.states = self.states
        self.tries = dict.fromkeys(self.chain, 0)
        self.max_tries = {name: self.retries(name) for name in self.chain}
        self.begun = dict.fromkeys(self.chain, 0)
        self.clears = list(schedule.clears)
        self.process: Process | None = None
        self.endpoint = the_endpoint()
        self.endpoint.answer, self.endpoint.broken = service.answer, None
        self.machine = Machine(schedule, service, self.endpoint.port)

    def retries(self, name: str) -> int:
        return self.schedule.restart_retries if name == "restart" else self.schedule.retries

    # The run

    def book_of_it(self) -> Book:
        while True:
            ready = [name for name in self.chain if self.states[name] is None]
            if not ready:
                break
            self.run_task(ready[0])
            self.persons(f"{ready[0]}")
            CLOCK.advance(1.0)
            if self.process is not None and self.process.ended_for:
                break
        self.service.job.live(CLOCK.elapsed)
        if self.endpoint.broken is not None:
            raise self.endpoint.broken
        return self.book

    def persons(self, after: str) -> None:
        for clear in [clear for clear in self.clears if clear.after == after]:
            self.clears.remove(clear)
            self.clear(clear)

    def clear(self, clear: Clear) -> None:
        if clear.task not in self.chain or self.tries[clear.task] == 0:
            return
        place = self.chain.index(clear.task)
        for name in self.chain[place:] if clear.downstream else [clear.task]:
            if self.states[name] is None and name != clear.task:
                continue
            self.states[name] = None
            self.max_tries[name] = self.tries[name] + self.retries(name)
            self.database.clear(name)
            self.book.cleared.append(Cleared(CLOCK.elapsed, name))

    def run_task(self, name: str) -> None:
        before = self.chain[: self.chain.index(name)]
        if name == "work":
            before = before[-1:]
        if name != "restart" and any(self.states[each] != "success" for each in before):
            self.end(name, "upstream_failed", None, None)
        elif name == "work":
            self.service.job.live(CLOCK.elapsed)
            self.tries[name] += 1
            CLOCK.advance(self.schedule.work)
            self.end(name, "success", None, None)
        else:
            self.tries_of(name)

    def end(self, name: str, state: str, process: Process | None, result: Any) -> None:
        self.states[name] = state
        job = self.service.job
        job.live(CLOCK.elapsed)
        left = self.max_tries[name] - self.tries[name] + 1
        self.book.ends.append(End(CLOCK.elapsed, name, state, process, result, left, job.status, job.down_by))

    def tries_of(self, name: str) -> None:
        while True:
            self.tries[name] += 1
            self.database.begin_try(name)
            found = self.one_try(name)
            if self.process is not None and self.process.ended_for:
                self.end(name, "failed", self.process, None)
                return
            if found == "cleared":
                continue
            if isinstance(found, float):
                CLOCK.advance(found)
                continue
            assert self.process is not None
            result = self.process.value if found == "success" else None
            if found == "success" and result is not None:
                self.store_result(name, result)
            self.end(name, found, self.process, result)
            return

    def store_result(self, name: str, result: Any) -> None:
        try:
            self.database.xcoms[name, "return_value"] = self.database.write(result)
        except NotStorable as problem:
            self.problem("cannot be stored", f"result of {name}: {problem}")

    def problem(self, check: str, text: str) -> None:
        self.book.problems.append(Problem(check, text))

    def one_try(self, name: str) -> float | str:
        """Run one try to its end, with its waits in the triggerer; return seconds to the next, or a state."""
        method, kwargs = "execute", None
        while True:
            operator = operator_of(name, self.schedule, self.window, self.database)
            process = self.new_process(name, "execute" if kwargs is None else "resume")
            context = self.context(operator, process)
            work = (
                functools.partial(operator.execute, context)
                if kwargs is None
                else functools.partial(operator.resume_execution, method, kwargs, context)
            )
            error = self.run(process, work)
            if process.outcome == "killed":
                return self.retrying.after_a_kill(operator, context["ti"])
            if error is None:
                return "success"
            if not isinstance(error, TaskDeferred):
                return self.retrying.after(operator, error, context["ti"], context)
            found = self.deferred(name, error)
            if found is None:
                return "cleared"
            method, kwargs = found

    def context(self, operator: Any, process: Process) -> Any:
        instance = TaskInstance(self.database, process, self.max_tries[process.task])
        found: dict[str, Any] = {"ti": instance, "task_instance": instance, "task": operator, "run_id": instance.run_id}
        if self.schedule.airflow != "2.11":
            found["task_state_store"] = Store(self.database, process)
        return found

    def new_process(self, name: str, kind: str) -> Process:
        self.begun[name] += 1
        nth = self.begun[name]
        dies_at = next((kill.step for kill in self.schedule.kills if (kill.task, kill.nth) == (name, nth)), None)
        cleared = sum(each.task == name for each in self.book.cleared)
        process = Process(name, kind, self.tries[name], nth, cleared, dies_at)
        self.book.processes.append(process)
        self.process = process
        return process

    def run(self, process: Process, work: Callable[[], Any]) -> BaseException | None:
        """Run the package's code as a process; return the error it ended in."""
        process.begin()
        self.service.process = process
        CLOCK.allowed, CLOCK.slept, CLOCK.passed = process.alive, process.sleep, self.machine.time_passed
        try:
            process.step()
            process.value = work()
            process.alive()
            process.outcome = "returned"
        except Killed:
            process.outcome, process.value = "killed", None
        except TaskDeferred as deferred:
            process.outcome, process.error = ("killed", None) if process.dead else ("deferred", deferred)
        except BaseException as error:
            process.outcome, process.error = ("killed", None) if process.dead else ("raised", error)
            if isinstance(error, KeyboardInterrupt | SystemExit):
                raise
            if not process.dead:
                self.look_at(process, error)
        finally:
            process.ended = CLOCK.elapsed
            self.service.process = None
            CLOCK.allowed = lambda: None
            CLOCK.slept = lambda seconds: None
        return process.error

    def look_at(self, process: Process, error: BaseException) -> None:
        if isinstance(error, NotStorable):
            self.problem("cannot be stored", f"by {process.task} ({process.kind}): {error}")
            return
        try:
            through_a_pipe(error)
        except NotStorable as problem:
            self.problem("cannot be stored", f"{type(error).__name__}: {problem}")
        self.database.written.append(ascii(str(error)) + ascii(error))

    # In the triggerer

    def deferred(self, name: str, deferred: TaskDeferred) -> tuple[str, dict[str, Any]] | None:
        """Wait in the triggerer; return how the task goes on, or nothing if a person cleared it meanwhile."""
        began, began_epoch = CLOCK.elapsed, CLOCK.epoch
        try:
            path, arguments = deferred.trigger.serialize()
            row = self.database.write([path, arguments])
        except NotStorable as problem:
            self.problem("cannot be stored", f"the trigger of {name}: {problem}")
            return "__fail__", {"error": "Trigger failure"}
        more = dict(deferred.kwargs or {})
        # Airflow ends a wait by the time of day.
        backstop = began_epoch + deferred.timeout.total_seconds() if deferred.timeout else float("inf")
        restarts = [began + seconds for seconds in self.schedule.triggerer_restarts]
        clears = [clear for clear in self.clears if (clear.task, clear.after) == (name, "waiting")]
        if clears:
            restarts.append(began + 100.0)
        while True:
            until = min([each for each in restarts if each > CLOCK.elapsed] + [backstop - CLOCK.epoch + CLOCK.elapsed])
            process = self.new_process(name, "trigger")
            self.run(process, functools.partial(self.wait, row, until - CLOCK.elapsed))
            if process.ended_for:
                return None
            if process.outcome == "raised":
                self.problem("error of another kind", f"a trigger raised {process.error!r}"[:300])
                return "__fail__", {"error": "Trigger failure"}
            if process.outcome == "returned" and process.value is not None:
                CLOCK.advance(1.0)
                try:
                    return deferred.method_name, {**more, "event": self.database.write(process.value)}
                except NotStorable as problem:
                    self.problem("cannot be stored", f"an event for {name}: {problem}")
                    return "__fail__", {"error": "Trigger failure"}
            if clears and CLOCK.elapsed >= restarts[-1]:
                self.clears.remove(clears[0])
                self.clear(clears[0])
                return None
            if CLOCK.epoch >= backstop:
                if not any(deed.what == "clock" for deed in self.schedule.deeds):
                    self.problem("calls or time without bound", f"Airflow ended the wait of {name}, not the trigger")
                return "__fail__", {"error": "Trigger timeout"}

    def wait(self, row: list[Any], seconds: float) -> Any:
        path, arguments = row
        module, _, kind = path.rpartition(".")

        async def first_event() -> Any:
            trigger = getattr(importlib.import_module(module), kind)(**arguments)

            async def event() -> Any:
                async for found in trigger.run():
                    return found.payload
                raise RuntimeError("the trigger ended without an event")

            task = asyncio.ensure_future(event())
            await asyncio.wait({task}, timeout=seconds if seconds != float("inf") else None)
            if task.done():
                return task.result()
            task.cancel()  # as a triggerer that shuts down does
            await asyncio.wait({task})
            return None

        return run_virtually(first_event(), self.endpoint)
