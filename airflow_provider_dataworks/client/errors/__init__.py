"""What the catalogue of errors holds about each; the entries are in :mod:`.catalog`, the codes in :mod:`.codes`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypedDict

from airflow_provider_dataworks.exceptions import DataWorksError


class ErrorKwargs(TypedDict):
    """What the constructor of an error takes from the catalogue."""

    remedy: str
    see: str


@dataclass(frozen=True, kw_only=True)
class ErrorInfo:
    """
    One entry of the catalogue.

    :param anchor: its name, and the anchor of its row in README.
    :param error: the class that is raised.
    :param title: what is wrong, in a few words.
    :param codes: codes by which the service reports it, as README shows them; empty where there is none.
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
