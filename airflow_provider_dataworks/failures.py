"""The permanent errors of this package as Airflow failures, so that no Airflow version burns retries on them.

``AirflowFailException`` is the one signal every Airflow version understands. Each class here is still the error of
:mod:`airflow_provider_dataworks.exceptions` it is named for, so ``except DataWorksForbidden`` catches it.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from types import TracebackType
from typing import Any

from airflow_provider_dataworks import exceptions
from airflow_provider_dataworks.version_compat import AirflowFailException


class DataWorksError(exceptions.DataWorksError, AirflowFailException):
    """A permanent error without a class of its own."""


class DataWorksAuthError(exceptions.DataWorksAuthError, AirflowFailException):
    """Key, token, signature or clock is not accepted."""


class DataWorksForbidden(exceptions.DataWorksForbidden, AirflowFailException):
    """The key may not do this."""


class DataWorksNotFound(exceptions.DataWorksNotFound, AirflowFailException):
    """There is no such DI job or workspace."""


class DataWorksInvalidRequest(exceptions.DataWorksInvalidRequest, AirflowFailException):
    """Bad input."""


class DataWorksQuotaExceeded(exceptions.DataWorksQuotaExceeded, AirflowFailException):
    """The quota of API calls is used up."""


class OutsideMaintenanceWindow(exceptions.OutsideMaintenanceWindow, AirflowFailException):
    """No maintenance window is open."""


class DIJobFailed(exceptions.DIJobFailed, AirflowFailException):
    """The DI job ended in an error."""


class DIJobWaitTimeout(exceptions.DIJobWaitTimeout, AirflowFailException):
    """The time to wait ran out."""


log = logging.getLogger(__name__)

_FAILURES: dict[type[exceptions.DataWorksError], type[exceptions.DataWorksError]] = {
    found.__mro__[1]: found
    for found in (
        DataWorksError,
        DataWorksAuthError,
        DataWorksForbidden,
        DataWorksNotFound,
        DataWorksInvalidRequest,
        DataWorksQuotaExceeded,
        OutsideMaintenanceWindow,
        DIJobFailed,
        DIJobWaitTimeout,
    )
}


def as_airflow_sees_it(error: exceptions.DataWorksError) -> exceptions.DataWorksError:
    """Return the error as Airflow must see it: a permanent one as a failure with the same facts, others as they are."""
    failure = _FAILURES.get(type(error))
    if failure is None or error.retryable:
        return error
    found = failure(error.message)
    found.__dict__.update(error.__dict__)
    return found


def tries_left(context: Mapping[str, Any]) -> int | None:
    """Return how often Airflow will try a task again that fails now; ``None`` where the context does not tell."""
    most, number = (getattr(context.get("ti"), name, None) for name in ("max_tries", "try_number"))
    return max(0, most + 1 - number) if isinstance(most, int) and isinstance(number, int) else None


def _say_retries(error: exceptions.DataWorksError, context: Mapping[str, Any]) -> None:
    """Say in the remedy how many tries are left, instead of leaving it to the reader to find out."""
    left = tries_left(context)
    if left is None or not error.retryable or not error.remedy:
        return
    said = f"Nothing for now: Airflow tries again ({left} left)." if left else "This was the last try: clear the task."
    error.remedy = error.remedy.replace(exceptions.RETRIES_LEFT, said)


class crossing:  # noqa: N801 - used like a function
    """
    Let errors of the block cross into Airflow as what Airflow must do about them.

    The way an error took through the client stays behind, unless the log is at DEBUG: forty frames that are the same
    for every error hide, in a red task's log, what happened. A mistake of this package, which is no
    :class:`~airflow_provider_dataworks.exceptions.DataWorksError`, keeps its traceback.

    :param context: of the task that ends so, if it is one: its error says how many tries are left.
    :param explain: adds to the error what the task knows besides, such as what an earlier try did.
    """

    def __init__(
        self,
        context: Mapping[str, Any] | None = None,
        explain: Callable[[exceptions.DataWorksError], None] = lambda error: None,
    ) -> None:
        self._context, self._explain = context, explain

    def __enter__(self) -> None:
        """Begin; there is nothing to prepare."""

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """End, and raise the error anew."""
        if not isinstance(error, exceptions.DataWorksError):
            return
        if not isinstance(error, AirflowFailException):  # else it has crossed already, and left its way behind
            log.debug("Where it was raised:", exc_info=error)
        self._explain(error)
        if self._context is not None:
            error.conn_id = error.conn_id or getattr(self._context.get("task"), "dataworks_conn_id", None)
            _say_retries(error, self._context)
        raise as_airflow_sees_it(error).with_traceback(None) from None
