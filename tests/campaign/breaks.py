"""
The package broken on purpose, one promise at a time, to prove that the campaign sees it; it mends nothing.

Each break is made through public names or through what Airflow gives to tasks, so that it means the same after the
inside of the package is rebuilt. ``make test-fire ARGS="--breaks"`` prints which check noticed each, and how soon.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Any
from unittest.mock import patch

from airflow.sdk import BaseHook
from airflow.sdk.definitions.retry_policy import RetryDecision
from airflow.triggers.base import TriggerEvent

from airflow_provider_dataworks.exceptions import DataWorksError, DataWorksUnavailable
from airflow_provider_dataworks.hooks.dataworks import DataWorksHook
from airflow_provider_dataworks.operators.dataworks import StartDIJobOperator, StopDIJobOperator
from airflow_provider_dataworks.retries import DataWorksRetryPolicy
from airflow_provider_dataworks.sensors.dataworks import DIJobStoppedSensor
from airflow_provider_dataworks.triggers.dataworks import DIJobStatusTrigger
from campaign.airflow_model import Store, TaskInstance
from campaign.clock import Clock
from campaign.schedule import JOB

Break = Callable[[], AbstractContextManager[Any]]


def _around(kind: type, name: str, change: Callable[..., Any]) -> AbstractContextManager[Any]:
    """Call ``change(real, self, *args)`` instead of a method."""
    real = getattr(kind, name)
    return patch.object(kind, name, lambda self, *args, **kwargs: change(real, self, *args, **kwargs))


def _with(kind: type, **attributes: Any) -> AbstractContextManager[Any]:
    """Run tasks of a kind as if their author had given other arguments."""

    def execute(real: Any, task: Any, context: Any) -> Any:
        for name, value in attributes.items():
            setattr(task, name, value)
        return real(task, context)

    return _around(kind, "execute", execute)


def stop_without_a_look() -> AbstractContextManager[Any]:
    """The stop is sent before anybody looks at the job."""

    def execute(real: Any, task: Any, context: Any) -> Any:
        DataWorksHook().stop_di_job(JOB)
        return real(task, context)

    return _around(StopDIJobOperator, "execute", execute)


def stop_again_after_a_lost_answer() -> AbstractContextManager[Any]:
    """Where the outcome is open, the stop is sent once more without a look."""

    def execute(real: Any, task: Any, context: Any) -> Any:
        try:
            return real(task, context)
        except DataWorksUnavailable:
            DataWorksHook().stop_di_job(JOB)
            raise

    return _around(StopDIJobOperator, "execute", execute)


def start_without_a_look() -> AbstractContextManager[Any]:
    """The start is sent whatever the job is."""

    def execute(real: Any, task: Any, context: Any) -> Any:
        DataWorksHook().start_di_job(JOB)
        return real(task, context)

    return _around(StartDIJobOperator, "execute", execute)


def success_without_waiting() -> AbstractContextManager[Any]:
    """The stop counts as done once it was taken."""
    return _with(StopDIJobOperator, wait_for_completion=False)


def success_without_looking() -> AbstractContextManager[Any]:
    """A wait in the triggerer ends at once in what was hoped for."""

    async def run(self: Any) -> Any:
        job = {"id": JOB, "project_id": None, "name": None, "error_message": None, "job_type": None}
        job["status"] = self.accept[0]
        yield TriggerEvent({"outcome": "settled", "job": job, "report": self.report})

    return patch.object(DIJobStatusTrigger, "run", run)


@contextmanager
def _claim(value: bool) -> Iterator[None]:
    def changed(real: Any, task: Any, *args: Any) -> Any:
        return {**real(task, *args), "stopped_by_this_run": value}

    with _around(StopDIJobOperator, "execute", changed), _around(StopDIJobOperator, "resume_execution", changed):
        yield


def never_our_stop() -> AbstractContextManager[Any]:
    """``stopped_by_this_run`` is always False."""
    return _claim(False)


def always_our_stop() -> AbstractContextManager[Any]:
    """``stopped_by_this_run`` is always True."""
    return _claim(True)


def no_note_for_the_restart() -> AbstractContextManager[Any]:
    """The stop tells the run's other tasks nothing before its end."""

    def push(real: Any, instance: Any, key: str, value: Any) -> None:
        if instance.task_id != "stop":
            real(instance, key, value)

    return _around(TaskInstance, "xcom_push", push)


def no_note_for_the_next_try() -> AbstractContextManager[Any]:
    """Nothing is kept in the task state store."""
    return _around(Store, "set", lambda real, store, key, value, **how: None)


def note_after_sending() -> AbstractContextManager[Any]:
    """What is noted comes to be only once the stop was sent; a kill in between loses it."""

    def sent(process: Any) -> bool:
        return process.task != "stop" or "StopDIJob" in process.heard

    def push(real: Any, instance: Any, key: str, value: Any) -> None:
        if sent(instance._process):
            real(instance, key, value)

    def keep(real: Any, store: Any, key: str, value: Any, **how: Any) -> None:
        if sent(store._process) or "deadline" in key:
            real(store, key, value)

    @contextmanager
    def both() -> Iterator[None]:
        with _around(TaskInstance, "xcom_push", push), _around(Store, "set", keep):
            yield

    return both()


def start_whatever_was_stopped() -> AbstractContextManager[Any]:
    """``only_if_stopped_by`` is not looked at."""
    return _with(StartDIJobOperator, only_if_stopped_by=None)


def start_nothing() -> AbstractContextManager[Any]:
    """The restart finds no note, whatever was noted."""
    return _around(TaskInstance, "xcom_pull", lambda real, instance, *args, **kwargs: [])


def no_window() -> AbstractContextManager[Any]:
    """The window is not asked."""
    return _with(StopDIJobOperator, window=None)


def a_clock_that_is_late() -> AbstractContextManager[Any]:
    """Window and deadline are asked of a clock that is an hour behind when a change is sent."""
    return patch.object(Clock, "now", lambda self: self.epoch - (3600.0 if self.elapsed > 5 else 0.0))


def a_wait_without_end() -> AbstractContextManager[Any]:
    """A trigger does not look at its deadline."""
    return _around(
        DIJobStatusTrigger,
        "__init__",
        lambda real, trigger, **given: real(trigger, **{**given, "deadline": given["deadline"] + 1e7}),
    )


def looks_without_pause() -> AbstractContextManager[Any]:
    """A wait in a worker looks ten times a second."""

    def sleep(real: Any, clock: Any, seconds: float) -> None:
        real(clock, min(seconds, 0.1))

    return _around(Clock, "sleep", sleep)


def looks_too_seldom() -> AbstractContextManager[Any]:
    """A wait in the triggerer takes a look an hour."""
    return _around(
        DIJobStatusTrigger,
        "__init__",
        lambda real, trigger, **given: real(trigger, **{**given, "poll_interval": 3000.0}),
    )


def no_wait_as_asked_between_tries() -> AbstractContextManager[Any]:
    """The retry policy leaves the delay to Airflow."""
    return patch.object(DataWorksRetryPolicy, "evaluate", lambda self, *args, **kwargs: RetryDecision.default())


def permanent_errors_are_tried_again() -> AbstractContextManager[Any]:
    """A refusal for good looks like one for now."""

    def execute(real: Any, task: Any, context: Any) -> Any:
        try:
            return real(task, context)
        except DataWorksError as error:
            raise DataWorksUnavailable(error.message) from None

    return _around(StopDIJobOperator, "execute", execute)


def passing_errors_are_final() -> AbstractContextManager[Any]:
    """An error that may pass fails the task for good."""
    return patch.object(
        DataWorksRetryPolicy, "evaluate", lambda self, *args, **kwargs: RetryDecision.fail(reason="no more")
    )


def an_error_of_another_kind() -> AbstractContextManager[Any]:
    """A trouble leaves the task as what Python raised."""

    def execute(real: Any, task: Any, context: Any) -> Any:
        try:
            return real(task, context)
        except DataWorksError as error:
            raise KeyError(error.code) from error

    return _around(DIJobStoppedSensor, "execute", execute)


def an_error_that_cannot_be_pickled() -> AbstractContextManager[Any]:
    """An error holds on to what no process can pass to another."""

    def execute(real: Any, task: Any, context: Any) -> Any:
        try:
            return real(task, context)
        except DataWorksError as error:
            error.remedy = lambda: "look"  # type: ignore[assignment]
            raise

    return _around(StartDIJobOperator, "execute", execute)


def a_secret_in_the_log() -> AbstractContextManager[Any]:
    """A task logs its connection, key and all."""

    def execute(real: Any, task: Any, context: Any) -> Any:
        task.log.info("Connection: %s", BaseHook.get_connection(task.dataworks_conn_id).get_uri())
        return real(task, context)

    return _around(StopDIJobOperator, "execute", execute)


def a_secret_in_the_trigger_row() -> AbstractContextManager[Any]:
    """A deferred task hands its key over to the triggerer."""

    def serialize(real: Any, trigger: Any) -> Any:
        path, arguments = real(trigger)
        password = BaseHook.get_connection(trigger.dataworks_conn_id).password
        return path, {**arguments, "report": {**arguments["report"], "with": password}}

    return _around(DIJobStatusTrigger, "serialize", serialize)


def check_that_accepts_anything() -> AbstractContextManager[Any]:
    """The sensor is content with whatever it sees."""
    from airflow.sdk import PokeReturnValue

    def poke(real: Any, sensor: Any, context: Any) -> Any:
        job = DataWorksHook().get_di_job(JOB)
        return PokeReturnValue(is_done=True, xcom_value={"di_job_id": JOB, "status": str(job.status)})

    return _around(DIJobStoppedSensor, "poke", poke)


def a_stop_by_the_triggerer() -> AbstractContextManager[Any]:
    """A wait in the triggerer asks for the stop again, so that a restarted triggerer does too."""
    real = DIJobStatusTrigger.run

    async def run(self: Any) -> Any:
        import asyncio

        if "Stopped" in self.accept:
            await asyncio.to_thread(DataWorksHook().stop_di_job, JOB)
        async for event in real(self):
            yield event

    return patch.object(DIJobStatusTrigger, "run", run)


BREAKS: tuple[Break, ...] = (
    stop_without_a_look,
    stop_again_after_a_lost_answer,
    start_without_a_look,
    success_without_waiting,
    success_without_looking,
    check_that_accepts_anything,
    never_our_stop,
    always_our_stop,
    no_note_for_the_restart,
    no_note_for_the_next_try,
    note_after_sending,
    start_whatever_was_stopped,
    start_nothing,
    no_window,
    a_clock_that_is_late,
    a_wait_without_end,
    looks_without_pause,
    looks_too_seldom,
    no_wait_as_asked_between_tries,
    permanent_errors_are_tried_again,
    passing_errors_are_final,
    an_error_of_another_kind,
    an_error_that_cannot_be_pickled,
    a_secret_in_the_log,
    a_secret_in_the_trigger_row,
    a_stop_by_the_triggerer,
)
