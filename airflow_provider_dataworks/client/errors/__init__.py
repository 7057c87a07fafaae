"""What the catalogue of errors holds about each; the entries are in :mod:`.catalog`, the codes in :mod:`.codes`."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from types import TracebackType

from airflow_provider_dataworks.exceptions import DataWorksError, ErrorKwargs

log = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class ErrorInfo:
    """
    One entry of the catalogue.

    :param anchor: its name, and the anchor of its entry in the documentation.
    :param error: the class that is raised.
    :param title: what is wrong, in a few words.
    :param codes: codes by which the service reports it, as the pages show them; empty where there is none.
    :param cause: why it happens; says so where the vendor does not document it.
    :param remedy: what the reader of a failed task should do.
    """

    anchor: str
    error: type[DataWorksError]
    title: str
    codes: str = ""
    cause: str
    remedy: str

    @property
    def kwargs(self) -> ErrorKwargs:
        """Keyword arguments for the constructor of ``error``."""
        return ErrorKwargs(remedy=self.remedy, see=self.anchor)


class named_errors:  # noqa: N801 - used like a function
    """
    Context manager that names connection and endpoint in a DataWorks error of its block, and drops its traceback.

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
        """Raise the error again, with their names."""
        if isinstance(error, DataWorksError):
            log.debug("Where it was raised:", exc_info=error)
            error.conn_id, error.endpoint = error.conn_id or self._conn_id, error.endpoint or self._endpoint
            raise error.with_traceback(None) from error.__cause__
