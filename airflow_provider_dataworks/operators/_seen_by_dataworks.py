"""Asks DataWorks, for a report, what no task of a run has told: status, lag before a stop, events; changes nothing."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from airflow_provider_dataworks.exceptions import DataWorksError
from airflow_provider_dataworks.values import finite_number, plain_text

if TYPE_CHECKING:
    from airflow_provider_dataworks.client.diagnostics import JobEvent
    from airflow_provider_dataworks.hooks.dataworks import DataWorksHook

log = logging.getLogger(__name__)

_BEFORE = 900  # seconds before a stop in which the last sample of the lag is looked for
_MOST_EVENTS = 10  # of a kind and job
_KINDS = ("DDL", "Failover")
_DELAY = "delayTime"
_LONGEST = 300  # characters of a reason, a name or a statement


class SeenByDataWorks:
    """Tells of jobs what only DataWorks knows, and asks nothing more once it is away: the report is not held up."""

    def __init__(self, hook: DataWorksHook) -> None:
        self._hook, self._is_away = hook, False

    def status(self, job_id: int) -> str | None:
        """Return the status of a job of which no task tells."""
        if self._is_away:
            return None
        try:
            return str(self._hook.get_di_job(job_id).status)
        except DataWorksError as error:
            self._note(job_id, "The status", error)
            return None

    def of(self, job_id: int, asked: float) -> dict[str, Any]:
        """Return the lag before the stop and what happened since, as far as DataWorks tells."""
        found: dict[str, Any] = {}
        if self._is_away:
            return found
        try:
            samples = self._hook.job_metrics(job_id, (_DELAY,), start=asked - _BEFORE, end=asked).get(_DELAY, ())
            found["lag_before"] = finite_number(samples[-1].value, 0, 1e9) if samples else None
            events = self._hook.job_events(job_id, kinds=_KINDS, start=asked, end=self._hook.now())
            shown = [event for kind in _KINDS for event in _some(events, kind)]
            found["events"] = [_shown(event) for event in shown]
            found["more_events"] = len(events) - len(shown)
        except DataWorksError as error:
            self._note(job_id, "Lag or events", error)
        return found

    def _note(self, job_id: int, what: str, error: DataWorksError) -> None:
        self._is_away = error.retryable
        rest = " Nothing is asked of the jobs behind it." if self._is_away else ""
        log.info("%s of DI job %s cannot be had: %s%s", what, job_id, error.summary, rest)


def _some(events: Sequence[JobEvent], kind: str) -> list[JobEvent]:
    return [event for event in events if event.kind == kind][:_MOST_EVENTS]


def _shown(event: JobEvent) -> dict[str, Any]:
    return {
        "kind": event.kind,
        "at": event.at,
        "action": event.action,
        "table": short_text(event.source_table),
        "text": short_text(event.sql or event.message),
    }


def short_text(value: object) -> str | None:
    """Return text, or that of an enumeration's member, as a report may hold it; ``None`` for anything else."""
    text = getattr(value, "value", value)
    return plain_text(text, _LONGEST).strip() or None if isinstance(text, str) else None
