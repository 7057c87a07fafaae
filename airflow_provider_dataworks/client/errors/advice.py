"""What one row of the table of troubles holds; the rows themselves are in :mod:`.troubles` and :mod:`.key_troubles`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypedDict

from airflow_provider_dataworks.exceptions import DataWorksError


class Advice(TypedDict):
    """What an error takes over from its row."""

    remedy: str
    see: str


@dataclass(frozen=True)
class Trouble:
    """
    One kind of trouble.

    :param error: the class a task ends in.
    :param see: anchor of its row in README.
    :param title: what is wrong, in a few words.
    :param seen: codes by which the service tells, as README shows them; empty where there is none.
    :param cause: one sentence; what the vendor does not document is called so.
    :param remedy: what the reader of a red task should do.
    """

    error: type[DataWorksError]
    see: str
    title: str
    seen: str
    cause: str
    remedy: str

    @property
    def advice(self) -> Advice:
        """Keyword arguments for the error."""
        return Advice(remedy=self.remedy, see=self.see)


RETRIES_LEFT = "Nothing if retries are left: Airflow tries again."

# By class: anchor in README, title, codes by which the service tells, cause, remedy.
Rows = dict[type[DataWorksError], tuple[tuple[str, str, str, str, str], ...]]


def table(rows: Rows) -> dict[str, Trouble]:
    """Return the troubles of these rows by their anchors."""
    return {row[0]: Trouble(error, *row) for error, found in rows.items() for row in found}
