"""One question to DataWorks and its tries, as a generator that yields Send and Sleep; no I/O and no clock of its own.

A failed exchange is thrown in as the :class:`DataWorksError` it is. Retry policy is tenacity's: one ``Retrying`` whose
commands (``DoAttempt``, ``DoSleep``) are obeyed here, so that blocking and asyncio code share it. Every attempt is
signed anew, because the service refuses a repeated nonce.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Generator
from dataclasses import dataclass
from functools import partial
from typing import Any, TypeVar

from tenacity import DoAttempt, DoSleep, RetryCallState, Retrying

from airflow_provider_dataworks.client.errors.catalog import CATALOG
from airflow_provider_dataworks.client.errors.codes import is_about_keys
from airflow_provider_dataworks.client.http.decoding import Reply, sentence
from airflow_provider_dataworks.client.http.envelope import is_refusal
from airflow_provider_dataworks.client.http.rate_limit import Pace
from airflow_provider_dataworks.client.http.responses import decipher
from airflow_provider_dataworks.client.operations import Api, Call
from airflow_provider_dataworks.client.policy import PATIENCE, retrying
from airflow_provider_dataworks.exceptions import (
    DataWorksAuthError,
    DataWorksError,
    DataWorksThrottled,
    DataWorksUnavailable,
)

log = logging.getLogger(__name__)

T = TypeVar("T")


def always() -> float:
    """Return that a request may leave at any time."""
    return float("inf")


@dataclass(frozen=True)
class Send:
    """
    Command: send this call and give back its :class:`Reply`.

    :param clock_offset: seconds to add to our clock from now on, where the service told us that ours is off.
    :param refused: the answer that refused our keys: sign with newer ones; where there are none, it is the answer.
    :param time_to_send: returns the seconds in which the request may still leave, and raises where there are none; to
        be asked last, after slot and keys were waited for.
    """

    call: Call[Any]
    clock_offset: float | None = None
    refused: Reply | None = None
    time_to_send: Callable[[], float] = always


@dataclass(frozen=True)
class Sleep:
    """Command: let this many seconds pass."""

    seconds: float


Flow = Generator[Send | Sleep, Reply | None, T]


@dataclass(frozen=True)
class Service:
    """
    What every conversation needs to know.

    :param api: operations of one API version.
    :param pace: shared spacing of calls.
    :param now: epoch seconds.
    :param patience: seconds one call may spend waiting between its tries, all together.
    :param longest_hold: seconds one try waits where the service asked everybody to; a longer hold ends the call.
    """

    api: Api
    pace: Pace
    now: Callable[[], float]
    patience: float = PATIENCE
    longest_hold: float = PATIENCE


def repeated(attempt: Callable[[], Flow[T]], policy: Callable[[], Retrying]) -> Flow[T]:
    """
    Run the attempt as often as the policy says; its commands are obeyed by whoever drives the flow.

    :param policy: makes the policy; asked only once an attempt failed, because most do not.
    """
    try:
        return (yield from attempt())
    except DataWorksError as error:
        retrying = policy()
        retrying.begin()
        state = RetryCallState(retrying, None, (), {})
        state.set_exception((type(error), error, error.__traceback__))
    while True:
        command = retrying.iter(state)
        if isinstance(command, DoAttempt):
            try:
                state.set_result((yield from attempt()))
            except DataWorksError as error:
                state.set_exception((type(error), error, error.__traceback__))
        elif isinstance(command, DoSleep):
            state.prepare_for_next_attempt()
            yield Sleep(command)
        else:
            return command  # type: ignore[no-any-return]


def _exchange(service: Service, call: Call[T], time_to_send: Callable[[], float]) -> Flow[T]:
    """
    One try; a clock the service finds wrong, or keys it no longer takes, are renewed once.

    What is refused so was not executed, and may be sent again whatever it does.
    """
    yield from _in_turn(service, call)
    reply = yield Send(call, time_to_send=time_to_send)
    try:
        return _read(call, reply)
    except DataWorksAuthError as error:
        if error.clock_skew is not None:
            log.warning("%s Trying once more by the service's clock.", error.summary)
            again = Send(call, clock_offset=error.clock_skew, time_to_send=time_to_send)
        elif is_about_keys(error.code):
            log.info("%s; looking for newer keys.", error.summary.rstrip("."))
            again = Send(call, refused=reply, time_to_send=time_to_send)
        else:
            raise
    yield from _in_turn(service, call)
    return _read(call, (yield again))


def _in_turn(service: Service, call: Call[Any]) -> Flow[None]:
    """
    Wait until the rate allows the call, and until what the service asked of everybody is over.

    :raises DataWorksThrottled: that would take too long; nothing was sent.
    """
    held = service.pace.held()
    if held > service.longest_hold:
        raise DataWorksThrottled(
            f"DataWorks asked callers of this account to wait, for {held:.0f} s more; nothing was sent.",
            action=call.action,
            di_job_id=call.di_job_id,
            retry_after=held,
            **CATALOG["throttled"].kwargs,
        )
    if held > 0 and service.pace.is_news(held):
        log.info("DataWorks asked callers of this account to wait: %s goes out in %.0f s.", call.action, held)
    wait = service.pace.reserve()
    if wait > 0:
        yield Sleep(wait)


def _read(call: Call[T], reply: Reply | None) -> T:
    if reply is None:
        raise TypeError("the driver of a flow must answer Send with a Reply")
    try:
        payload = decipher(call.action, call.di_job_id, reply)
    except DataWorksError as error:
        if call.changes and not isinstance(error, DataWorksUnavailable) and not is_refusal(reply):
            raise _without_verdict(error) from None
        raise
    try:
        return call.read(call.action, payload)
    except DataWorksUnavailable as error:
        error.status, error.di_job_id = reply.status, call.di_job_id
        raise


def _without_verdict(error: DataWorksError) -> DataWorksUnavailable:
    """Return the error for an answer to a call that changes something, by which it may have had its effect."""
    return DataWorksUnavailable(
        f"{sentence(error.message)} It is not the service's own refusal, so the request may have had its effect.",
        sent=True,
        code=error.code,
        status=error.status,
        request_id=error.request_id,
        action=error.action,
        di_job_id=error.di_job_id,
        retry_after=error.retry_after,
        **CATALOG["unreadable-answer"].kwargs,
    )


def ask(service: Service, call: Call[T], time_to_send: Callable[[], float] = always) -> Flow[T]:
    """
    One call with its retries.

    A refusal by throttling, or a request that never left, is repeated. After a lost answer only a call that changes
    nothing is: the others are the caller's to resolve, by looking at the state.

    :param time_to_send: see :class:`Send`; asked before each try.
    :raises DataWorksError: the last error, once tries or patience are used up.
    """

    def worth_repeating(error: BaseException) -> bool:
        if isinstance(error, DataWorksUnavailable) and call.changes:
            return not error.sent
        return isinstance(error, DataWorksError) and error.retryable

    policy = partial(retrying, worth_repeating, service.patience)
    return (yield from repeated(partial(_exchange, service, call, time_to_send), policy))
