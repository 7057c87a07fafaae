"""How Airflow retries tasks of this package, and what their errors say about it; never sends anything.

Default retries, a policy that waits as DataWorks asks, and the context manager through which errors reach Airflow.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from datetime import timedelta
from types import TracebackType
from typing import TYPE_CHECKING, Any

from airflow_provider_dataworks.exceptions import RETRIES_LEFT, DataWorksError
from airflow_provider_dataworks.version_compat import AIRFLOW_V_3_3_PLUS, conf

if TYPE_CHECKING or AIRFLOW_V_3_3_PLUS:
    from airflow.sdk.definitions.retry_policy import RetryDecision, RetryPolicy
else:
    RetryPolicy = object

log = logging.getLogger(__name__)

# What a task gets whose author set nothing: Airflow's own default of no retry would lose a stop to one busy minute.
RETRIES: int = conf.getint("core", "default_task_retries", fallback=0) or 3
RETRY_DELAY = timedelta(minutes=1)
_DEFAULTS: dict[str, Any] = {"retries": RETRIES, "retry_delay": RETRY_DELAY, "retry_exponential_backoff": True}


class DataWorksRetryPolicy(RetryPolicy):
    """
    Retry a task exactly when the service asked for it, throttled or down, and fail at once where a retry cannot help.

    Operators and sensors of this package install it by themselves on Airflow 3.3 and later, where the author set no
    ``retry_policy``; below that Airflow has no such thing and its own ``retry_delay`` applies. It never grants more
    tries than ``retries``. See Airflow's page on retry policies (AIP-105).

    :param max_delay: the longest delay that is obeyed; a longer one is cut to it.
    :param keep_own_delay: never try again sooner than the task's own ``retry_delay`` and backoff say, so that its tries
        last as long as its author reckoned, however short the waits are that the service asks for.
    """

    def __init__(self, max_delay: timedelta = timedelta(hours=1), *, keep_own_delay: bool = False) -> None:
        self.max_delay = max_delay
        self.keep_own_delay = keep_own_delay

    def evaluate(self, exception: BaseException, try_number: int, max_tries: int, context: Any = None) -> RetryDecision:
        """Decide by the first DataWorks error among the exception and its causes; leave anything else to Airflow."""
        found: BaseException | None = exception
        while found is not None and not isinstance(found, DataWorksError):
            found = found.__cause__
        if found is None:
            return RetryDecision.default()
        if not found.retryable:
            return RetryDecision.fail(reason=_reason(found))
        if found.retry_after is not None and found.retry_after > 0:
            if self.keep_own_delay and found.retry_after <= _own_delay(context, try_number).total_seconds():
                return RetryDecision.default()
            delay = timedelta(seconds=min(found.retry_after, self.max_delay.total_seconds()))
            return _wait(delay, f"{_reason(found)}; DataWorks asked to wait {found.retry_after:g} s")
        return RetryDecision.default()


def _own_delay(context: Any, try_number: int) -> timedelta:
    """Return how long Airflow waits at least before a task's next try, by the task's own arguments."""
    task = (context or {}).get("task")
    delay = getattr(task, "retry_delay", RETRY_DELAY)
    if getattr(task, "retry_exponential_backoff", False):
        delay *= 2 ** min(try_number - 1, 20)
    return min(delay, getattr(task, "max_retry_delay", None) or delay)


def _reason(error: DataWorksError) -> str:
    """Facts only: Airflow stores the reason, and before 3.4 without masking it."""
    code = error.code or type(error).__name__
    return f"{error.action or 'DataWorks'}: {code}" + (f" (request id {error.request_id})" if error.request_id else "")


def _wait(delay: timedelta, reason: str) -> RetryDecision:
    # Airflow 3.4 can wait without using up a retry.
    reschedule = getattr(RetryDecision, "reschedule", None)
    if reschedule is not None:
        return reschedule(delay, reschedule_timeout=timedelta(hours=1), reason=reason)  # type: ignore[no-any-return]
    return RetryDecision.retry(delay=delay, reason=reason)


def install_retry_policy(task: Any, *, keep_own_delay: bool = False) -> None:
    """
    Give a task the policy unless its author chose one.

    To be called after ``super().__init__()``: only then are ``default_args`` and what ``partial()`` filled in known,
    and a mapped task's ``retry_policy=None`` would win over a default passed in earlier.

    :param keep_own_delay: see :class:`DataWorksRetryPolicy`.
    """
    if AIRFLOW_V_3_3_PLUS and task.retry_policy is None:
        task.retry_policy = DataWorksRetryPolicy(keep_own_delay=keep_own_delay)


class MappedRetries:
    """Give mapped tasks the default retries on Airflow below 3.3, which looks at no operator's own defaults there."""

    @classmethod
    def partial(cls, **kwargs: Any) -> Any:
        """Airflow's ``partial``, with this package's retry defaults where the author set none."""
        found = super().partial(**kwargs)  # type: ignore[misc]
        if AIRFLOW_V_3_3_PLUS:
            return found
        authors = _default_args(kwargs, found.kwargs)
        for name, value in _DEFAULTS.items():
            if name not in kwargs and name not in authors:
                found.kwargs[name] = value
        return found


def _default_args(given: dict[str, Any], filled: dict[str, Any]) -> set[str]:
    names = set(given.get("default_args") or ())
    for place in (filled.get("dag"), filled.get("task_group")):
        names.update(getattr(place, "default_args", None) or ())
    return names


def tries_left(context: Mapping[str, Any]) -> int | None:
    """Return how often Airflow will try a task again that fails now; ``None`` where the context does not tell."""
    most, number = (getattr(context.get("ti"), name, None) for name in ("max_tries", "try_number"))
    return max(0, most + 1 - number) if isinstance(most, int) and isinstance(number, int) else None


class explained:  # noqa: N801 - used like a function
    """
    Context manager for calls into the client: a :class:`DataWorksError` leaves it as a task's log should show it.

    The traceback is dropped, and logged at DEBUG: forty frames that are the same for every error would hide what
    happened. Any other exception is a bug, and keeps its traceback.

    :param context: of the running task. Its connection is named where the error names none, and the remedy says how
        many tries are left.
    :param explain: adds to the error what the caller knows, such as what an earlier try did; called first.
    :param resumed: whether the task goes on after a wait in the triggerer.
    """

    def __init__(
        self,
        context: Mapping[str, Any] | None = None,
        explain: Callable[[DataWorksError], None] | None = None,
        *,
        resumed: bool = False,
    ) -> None:
        self._context, self._explain, self._resumed = context or {}, explain, resumed

    def __enter__(self) -> None:
        """Begin; there is nothing to prepare."""

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Push how many calls were made, and raise the error again, explained and without its traceback."""
        # With Airflow's metrics, which DAG files do not need.
        from airflow_provider_dataworks.call_counts import push_counts

        push_counts(self._context, resumed=self._resumed)
        if not isinstance(error, DataWorksError):
            return
        log.debug("Where it was raised:", exc_info=error)
        if self._explain is not None:
            self._explain(error)
        error.conn_id = error.conn_id or getattr(self._context.get("task"), "dataworks_conn_id", None)
        left = tries_left(self._context)
        if error.retryable and error.remedy and left is not None:
            again = f"Nothing for now: Airflow tries again (tries left: {left})."
            error.remedy = error.remedy.replace(
                RETRIES_LEFT, again if left else "This was the last try: clear the task."
            )
        raise error.with_traceback(None) from None
