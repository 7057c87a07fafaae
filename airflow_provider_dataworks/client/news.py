"""Tells in the log what looks at many DI jobs brought, in few lines; it looks at nothing itself."""

from __future__ import annotations

import logging
from collections.abc import Sequence

from airflow_provider_dataworks.client.decoding import sentence
from airflow_provider_dataworks.exceptions import DataWorksError

log = logging.getLogger(__name__)

_NAMED = 10  # jobs that a line of the log names


class News:
    """What looks brought since the last lines of the log."""

    def __init__(self) -> None:
        self._changes: dict[str, list[int]] = {}
        self._failures: dict[str | None, list[DataWorksError]] = {}

    def changed(self, di_job_id: int, status: str) -> None:
        """Keep that a job has come to a status."""
        self._changes.setdefault(status, []).append(di_job_id)

    def failed(self, error: DataWorksError) -> None:
        """Keep that a look failed."""
        self._failures.setdefault(error.see, []).append(error)

    def tell(self) -> None:
        """Log a line for each kind of news: forty jobs that stop together are one."""
        failures, self._failures = self._failures, {}
        changes, self._changes = self._changes, {}
        for errors in failures.values():
            more = f" So did {len(errors) - 1} more looks of this round." if errors[1:] else ""
            log.warning("%s%s", sentence(errors[0].summary), more)
        for status, ids in changes.items():
            log.info("%s %s now.", _named(sorted(set(ids))), status)


def _named(ids: Sequence[int]) -> str:
    if not ids[1:]:
        return f"DI job {ids[0]} is"
    more = f" and {len(ids) - _NAMED} more" if ids[_NAMED:] else ""
    return f"DI jobs {', '.join(map(str, ids[:_NAMED]))}{more} are"
