"""What errors mean and what to do about them: the catalogue's rows, by anchor, and the codes that lead to them."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from types import TracebackType
from typing import TypedDict

from airflow_provider_dataworks.exceptions import DataWorksError

log = logging.getLogger(__name__)

# In a remedy; a task's error says instead how many tries are left.
RETRIES_LEFT = "Nothing if retries are left: Airflow tries again."


class ErrorKwargs(TypedDict):
    """What an error takes over from its row."""

    remedy: str
    see: str


@dataclass(frozen=True, kw_only=True)
class ErrorInfo:
    """
    One row of the catalogue: one way in which a task can end.

    :param error: the class a task ends in.
    :param anchor: of its row in README.
    :param title: what is wrong, in a few words.
    :param codes: codes by which the service tells, as README shows them; empty where there is none.
    :param cause: one sentence; what the vendor does not document is called so.
    :param remedy: what the reader of a red task should do.
    """

    error: type[DataWorksError]
    anchor: str
    title: str
    codes: str = ""
    cause: str
    remedy: str

    @property
    def kwargs(self) -> ErrorKwargs:
        """Keyword arguments for the error."""
        return ErrorKwargs(remedy=self.remedy, see=self.anchor)


def by_anchor(*rows: ErrorInfo) -> dict[str, ErrorInfo]:
    """Return rows by their anchors."""
    return {row.anchor: row for row in rows}


class named_errors:  # noqa: N801 - used like a function
    """
    Name connection and endpoint in a DataWorks error of the block, and leave the way it took behind.

    :param conn_id: Airflow connection, if there is one.
    :param endpoint: host that is asked, if it is known.
    """

    def __init__(self, conn_id: str | None, endpoint: str | None = None) -> None:
        self._conn_id, self._endpoint = conn_id, endpoint

    def __enter__(self) -> None:
        """Begin; there is nothing to prepare."""

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """End, and raise the error anew."""
        if isinstance(error, DataWorksError):
            log.debug("Where it was raised:", exc_info=error)
            error.conn_id, error.endpoint = error.conn_id or self._conn_id, error.endpoint or self._endpoint
            raise error.with_traceback(None) from error.__cause__
