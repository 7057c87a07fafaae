"""The part of the hook that tells how a DI job runs, and switches its alarm rules; never shows a rule's receivers."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING

from airflow_provider_dataworks.client import alarm_rules
from airflow_provider_dataworks.client.diagnostics import (
    EVENT_KINDS,
    AlarmRule,
    AlarmRuleChange,
    JobEvent,
    Sample,
    TableRun,
)

if TYPE_CHECKING:
    from airflow_provider_dataworks.client.client import DataWorksClient


class DiagnosticsMixin:
    """
    Questions about how a DI job runs.

    Metrics, events, tables and logs need API 2024-05-18: with the older one on the connection each of them raises
    ``DataWorksInvalidRequest`` and sends nothing. Vendor's reference:
    https://www.alibabacloud.com/help/en/dataworks/developer-reference/api-dataworks-public-2024-05-18-overview
    """

    _mask_all: Callable[[Iterable[str]], None]

    @property
    @abstractmethod
    def client(self) -> DataWorksClient:
        """The client of this connection."""

    def job_metrics(
        self, di_job_id: int | str, names: Sequence[str], *, start: float, end: float
    ) -> dict[str, tuple[Sample, ...]]:
        """
        Return samples of a job's metrics (ListDIJobMetrics, one call), by the names asked, the oldest first.

        A metric of which nothing is told has no samples. Samples without a value, below zero or of the future are left
        out, so the newest one may be old: compare its time.

        :param names: ``delayTime``, ``totalRecordsRead``, ``speedRecordsRead``, ``totalRecordsWrite``,
            ``speedRecordsWrite``, or, on serverless resource groups, ``resourceUtilization``. The vendor writes no unit
            for them; an alarm about the delay counts seconds.
        :param start: epoch seconds.
        :param end: epoch seconds.
        :raises DataWorksInvalidRequest: a name or a moment is wrong, or the connection has API 2020-05-18.
        """
        return self.client.job_metrics(di_job_id, names, start=start, end=end)

    def job_events(
        self, di_job_id: int | str, *, kinds: Sequence[str] = EVENT_KINDS, start: float, end: float
    ) -> list[JobEvent]:
        """
        Return what happened to a job between two moments (ListDIJobEvents), up to a thousand events of each kind.

        :param kinds: some of ``Failover``, ``Alarm`` and ``DDL``; each costs a call for every hundred events.
        :param start: epoch seconds.
        :param end: epoch seconds.
        :raises DataWorksInvalidRequest: a kind or a moment is wrong, or the connection has API 2020-05-18.
        """
        return self.client.job_events(di_job_id, kinds=kinds, start=start, end=end)

    def table_runs(self, di_job_id: int | str) -> list[TableRun]:
        """
        Return how each table of a job runs (ListDIJobRunDetails, a call for every hundred), up to a thousand tables.

        :raises DataWorksInvalidRequest: the connection has API 2020-05-18.
        """
        return self.client.table_runs(di_job_id)

    def job_log_tail(self, di_job_id: int | str, *, lines: int = 20, pages: int = 3) -> list[str]:
        """
        Return the last lines of the first pages of a job's log (GetDIJobLog), each of 500 characters at most.

        The API cannot be asked for the end of a log, nor does it say how long one is.

        :param lines: how many, up to 1,000.
        :param pages: pages to read at most, up to 20; each costs a call.
        :raises DataWorksInvalidRequest: a number is wrong, or the connection has API 2020-05-18.
        """
        return self.client.job_log_tail(di_job_id, lines=lines, pages=pages)

    def alarm_rules(self, di_job_id: int | str) -> list[AlarmRule]:
        """
        Return all alarm rules of a job (ListDIAlarmRules, both API versions), their receivers masked in logs.

        A rule cannot be returned by a task, since it holds receivers: return its ``id`` and ``fingerprint``.

        :raises DataWorksUnavailable: not every rule can be read.
        """
        found = self.client.alarm_rules(di_job_id)
        for rule in found:
            self._mask_all(rule.secrets())
        return found

    def check_alarm_rule(self, rule: AlarmRule) -> None:
        """
        Say whether a rule, as :meth:`alarm_rules` returned it, could be switched; sends nothing.

        :raises DataWorksInvalidRequest: in API 2020-05-18, the service does not show all that has to be sent back.
        """
        self.client.check_alarm_rule(rule)

    def switch_alarm_rule(self, rule: AlarmRule, enabled: bool) -> AlarmRuleChange:
        """
        Switch an alarm rule on or off (UpdateDIAlarmRule) unless that is done, or somebody has edited it.

        The rule is looked at first. A lost answer is resolved by another look.

        :param rule: as it was remembered; its ``id``, ``di_job_id`` and ``fingerprint`` are enough.
        :param enabled: whether it shall be on.
        :return: what came of it; see :class:`.diagnostics.Outcome`.
        :raises DataWorksInvalidRequest: in API 2020-05-18, the service does not show all that has to be sent back.
        :raises DataWorksUnavailable: the answer stayed lost, and the rule was not as wanted when last looked at.
        """
        return alarm_rules.switch_alarm_rule(self.client, rule, enabled, self._mask_all)
