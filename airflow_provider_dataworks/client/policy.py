"""When a call is tried again and after how long, as tenacity's strategies; nothing here sends or sleeps."""

from __future__ import annotations

import logging
from collections.abc import Callable

from tenacity import RetryCallState, Retrying, retry_if_exception, stop_after_attempt
from tenacity.stop import stop_base
from tenacity.wait import wait_base, wait_random_exponential

from airflow_provider_dataworks.exceptions import DataWorksError

log = logging.getLogger(__name__)

ATTEMPTS = 6
PATIENCE = 45.0  # seconds of waiting in one call, all its tries together; past that Airflow's own retry takes over


class _as_asked(wait_base):  # noqa: N801 - tenacity's naming
    """Wait as long as the service asked; where it asked for nothing, exponentially with full jitter."""

    _fallback = wait_random_exponential(multiplier=1, max=15, min=0.05)

    def __call__(self, retry_state: RetryCallState) -> float:
        error = error_of(retry_state)
        return self._fallback(retry_state) if error.retry_after is None else error.retry_after


class _out_of_patience(stop_base):  # noqa: N801 - tenacity's naming
    """Stop before a wait that would exceed the seconds allowed for waiting; counts waits, so it needs no clock."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds

    def __call__(self, retry_state: RetryCallState) -> bool:
        return retry_state.idle_for + retry_state.upcoming_sleep > self._seconds


def error_of(state: RetryCallState) -> DataWorksError:
    """Return the error of the try just made."""
    error = state.outcome.exception() if state.outcome else None
    if not isinstance(error, DataWorksError):
        raise TypeError(f"a conversation failed with {error!r}")
    return error


def _log_wait(state: RetryCallState) -> None:
    error = error_of(state)
    why = "as the service asks" if error.retry_after is not None else "then trying again"
    log.info(
        "%s; waiting %.1f s, %s (try %d).", error.summary.rstrip("."), state.upcoming_sleep, why, state.attempt_number
    )


def retrying(worth_repeating: Callable[[BaseException], bool], patience: float) -> Retrying:
    """
    Build the policy for one call.

    :param worth_repeating: whether an error may be met by another try.
    :param patience: seconds to spend waiting between tries, all together.
    """
    return Retrying(
        stop=stop_after_attempt(ATTEMPTS) | _out_of_patience(patience),
        wait=_as_asked(),
        retry=retry_if_exception(worth_repeating),
        before_sleep=_log_wait,
        reraise=True,
    )
