"""The client's questions about how a DI job runs; lists are read page by page, and never without an end."""

from __future__ import annotations

import logging
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from typing import TypeVar

from airflow_provider_dataworks.client.diagnostic_operations import Diagnostics
from airflow_provider_dataworks.client.diagnostics import (
    EVENT_KINDS,
    AlarmRule,
    JobEvent,
    Listed,
    Sample,
    TableRun,
)
from airflow_provider_dataworks.client.errors import named_errors
from airflow_provider_dataworks.client.http.responses import incomplete
from airflow_provider_dataworks.client.operations import Call
from airflow_provider_dataworks.exceptions import DataWorksError
from airflow_provider_dataworks.values import int64, invalid

log = logging.getLogger(__name__)

T = TypeVar("T")

# Pages of up to 100 that one question may cost; an account in Basic Edition has 100 calls a day.
_MOST_PAGES = 10
_MOST_LINES, _MOST_LOG_PAGES = 1_000, 20


class DiagnosticClient(ABC):
    """
    What :class:`.DataWorksClient` can tell about how a DI job runs.

    :ivar diagnostics: the operations of its API version.
    """

    diagnostics: Diagnostics

    @abstractmethod
    def call(self, call: Call[T]) -> T:
        """Make one call with its tries."""

    @abstractmethod
    def named_errors(self) -> named_errors:
        """Return a context manager that names connection and endpoint in the errors of its block."""

    def job_metrics(
        self, di_job_id: int | str, names: Sequence[str], *, start: float, end: float
    ) -> dict[str, tuple[Sample, ...]]:
        """
        Return samples of a job's metrics, by the names that were asked, the oldest first; none where none are told.

        :param names: some of :data:`.diagnostics.METRICS`.
        :param start: epoch seconds.
        :param end: epoch seconds.
        """
        with self.named_errors():
            return self.call(self.diagnostics.ListDIJobMetrics(di_job_id, names, start, end))

    def job_events(
        self, di_job_id: int | str, *, kinds: Sequence[str] = EVENT_KINDS, start: float, end: float
    ) -> list[JobEvent]:
        """
        Return what happened to a job between two moments, up to a thousand events of each kind.

        :param kinds: some of :data:`.diagnostics.EVENT_KINDS`; each costs a call or more.
        :param start: epoch seconds.
        :param end: epoch seconds.
        """
        found: list[JobEvent] = []
        with self.named_errors():
            for kind in kinds:

                def ask(number: int, kind: str = kind) -> Call[Listed[JobEvent]]:
                    return self.diagnostics.ListDIJobEvents(di_job_id, kind, start, end, number)

                found.extend(self._first_pages(ask))
        return found

    def table_runs(self, di_job_id: int | str) -> list[TableRun]:
        """Return how each table of a job runs, up to a thousand tables."""
        with self.named_errors():
            return self._first_pages(lambda number: self.diagnostics.ListDIJobRunDetails(di_job_id, number))

    def job_log_tail(self, di_job_id: int | str, *, lines: int = 20, pages: int = 3) -> list[str]:
        """
        Return the last lines of the first pages of a job's log; the API cannot be asked for the end of it.

        :param lines: how many, up to 1,000.
        :param pages: pages to read at most, up to 20; each costs a call.
        """
        most, last_page = _up_to(lines, "lines", _MOST_LINES), _up_to(pages, "pages", _MOST_LOG_PAGES)
        tail: list[str] = []
        before: tuple[str, ...] = ()
        with self.named_errors():
            for number in range(1, last_page + 1):
                try:
                    page = self.call(self.diagnostics.GetDIJobLog(di_job_id, number))
                except DataWorksError as error:
                    if number == 1:
                        raise
                    # What a page after the last one answers is not documented; what was read is good either way.
                    log.debug("Page %d of the log of DI job %s: %s", number, di_job_id, error.summary)
                    break
                if page in ((), before):
                    break
                before, tail = page, [*tail, *page][-most:]
        return tail

    def alarm_rules(self, di_job_id: int | str) -> list[AlarmRule]:
        """
        Return all alarm rules of a job; mask their :meth:`~.AlarmRule.secrets` before anything is logged.

        :raises DataWorksUnavailable: not every rule can be read.
        """
        with self.named_errors():
            rules, missing = self._pages(lambda number: self.diagnostics.ListDIAlarmRules(di_job_id, number))
            if missing:
                raise incomplete("ListDIAlarmRules", f"{missing} alarm rules more were said to be there", {})
            return rules

    def check_alarm_rule(self, rule: AlarmRule) -> None:
        """
        Say whether a rule, as it was read, could be switched; sends nothing.

        :raises DataWorksInvalidRequest: in API 2020-05-18, the service does not show all that has to be sent back.
        """
        with self.named_errors():
            self.diagnostics.UpdateDIAlarmRule(rule, not rule.enabled)

    def _first_pages(self, ask: Callable[[int], Call[Listed[T]]]) -> list[T]:
        found, missing = self._pages(ask)
        if missing:
            log.warning("%s: %d entries are read, and %d more are not.", ask(1).action, len(found), missing)
        return found

    def _pages(self, ask: Callable[[int], Call[Listed[T]]]) -> tuple[list[T], int]:
        """Return what the pages hold, each item once, and how many more were said to follow."""
        found: dict[T, None] = {}
        read = missing = 0
        for number in range(1, _MOST_PAGES + 1):
            page = self.call(ask(number))
            # Pages shift when something comes or goes in between, so an item may be told twice.
            found.update(dict.fromkeys(page.items))
            read += len(page.items)
            missing = max(page.total - read, 0)
            if not page.items or not missing:
                break
        return list(found), missing


def _up_to(value: int, name: str, most: int) -> int:
    found = int64(value, name)
    if found > most:
        raise invalid(name, f"{found} is more than {most}")
    return found
