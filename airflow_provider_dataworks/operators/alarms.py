"""
Switches the alarm rules of DI jobs off before a maintenance, and on again behind it; never stops or starts a job.

Only rules that are on are switched off. Which these are is remembered before the first one is changed, outside of the
run (see :mod:`.silenced_rules`), so that they come on again whatever is cleared, killed or deleted. A rule that
somebody edits meanwhile is left as it is. Vendor's reference:
https://www.alibabacloud.com/help/en/dataworks/developer-reference/api-dataworks-public-2024-05-18-updatedialarmrule
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict
from datetime import timedelta
from functools import cached_property
from typing import TYPE_CHECKING, Any, ClassVar

from airflow_provider_dataworks.client.diagnostics import AlarmRule, Outcome
from airflow_provider_dataworks.exceptions import DataWorksError, DataWorksUnavailable, OutsideMaintenanceWindow
from airflow_provider_dataworks.operators._base import hook_of
from airflow_provider_dataworks.operators._owed_rules import OwedRules, owed_rules, restored_before
from airflow_provider_dataworks.operators.maintenance_checks import read_ids, refuse_failed_tasks
from airflow_provider_dataworks.operators.silenced_rules import (
    DOWN,
    NOTE,
    RESTORED,
    SilencedRule,
    known_rules,
    metrics,
    remember_rules,
    remembered_rules,
    run_of,
)
from airflow_provider_dataworks.retries import RETRIES, RETRY_DELAY, MappedRetries, explained, install_retry_policy
from airflow_provider_dataworks.values import checked, flag_or_text, one_of, optional, seconds_or_none
from airflow_provider_dataworks.values import window as window_check
from airflow_provider_dataworks.version_compat import AirflowSkipException, BaseOperator
from airflow_provider_dataworks.windows.check import require_open

if TYPE_CHECKING:
    from airflow_provider_dataworks.hooks.dataworks import DataWorksHook
    from airflow_provider_dataworks.version_compat import Context

_SECOND_LOOK = 1.0  # seconds


class _AlarmOperator(MappedRetries, BaseOperator):
    """What both operators share."""

    template_fields: Sequence[str] = ("di_job_ids", "dataworks_conn_id")
    ui_color = "#eadff2"

    def __init__(
        self,
        *,
        di_job_ids: Any,
        dataworks_conn_id: str = "dataworks_default",
        # Named here although they are Airflow's: only so do default_args and mapping see that they have other defaults.
        retries: int | None = RETRIES,
        retry_delay: timedelta | float = RETRY_DELAY,
        retry_exponential_backoff: bool | float = True,
        **kwargs: Any,
    ) -> None:
        super().__init__(
            retries=retries, retry_delay=retry_delay, retry_exponential_backoff=retry_exponential_backoff, **kwargs
        )
        install_retry_policy(self)
        self.di_job_ids = di_job_ids
        self.dataworks_conn_id = dataworks_conn_id

    @cached_property
    def hook(self) -> DataWorksHook:
        """The hook of this task's connection."""
        return hook_of(self.dataworks_conn_id)


class SilenceAlarmsOperator(_AlarmOperator):
    """
    Switch off the alarm rules of DI jobs that are about to be stopped.

    All rules of all jobs are read and checked before the first one is changed. API 2020-05-18 replaces a rule as a
    whole: where the service does not show all of it (masked receivers), the task fails and nothing was touched. It
    costs a call a job for the list, and two for each rule that is on.

    :param di_job_ids: ids of the DI jobs. (templated)
    :param metrics: rules about which metrics: some of ``Heartbeat``, ``FailoverCount``, ``Delay``, ``DdlReport`` and
        ``ResourceUtilization``.
    :param window: the maintenance window; outside it nothing is touched. (templated)
    :param min_remaining: seconds, or a timedelta, that must be left of the window.
    :param outside_window: ``fail``, or ``skip`` to skip this task, and with it all behind it, while no window is open.
    :param ignore_window: as for the stop: the window is not asked. (templated)
    :param dataworks_conn_id: Airflow connection of type ``dataworks``. (templated)
    :return: the rules that are off now by a maintenance: a list of dicts of ``rule_id``, ``di_job_id``, ``metric``,
        ``fingerprint``, ``dag_id``, ``run_id`` and ``at`` (epoch seconds).
    """

    template_fields: Sequence[str] = (*_AlarmOperator.template_fields, "window", "ignore_window")
    _checks: ClassVar[Mapping[str, Callable[[Any, str], Any]]] = {
        "metrics": metrics,
        "window": optional(window_check),
        "min_remaining": seconds_or_none,
        "outside_window": one_of("fail", "skip"),
        "ignore_window": flag_or_text,
    }

    def __init__(
        self,
        *,
        di_job_ids: Any,
        metrics: Iterable[str] = DOWN,
        window: Any = None,
        min_remaining: float | timedelta = 600,
        outside_window: str = "fail",
        ignore_window: bool | str = False,
        **kwargs: Any,
    ) -> None:
        if isinstance(metrics, Iterator):
            metrics = list(metrics)  # it can be read once
        checked(locals(), self._checks)
        super().__init__(di_job_ids=di_job_ids, **kwargs)
        self.metrics = metrics
        self.window = window
        self.min_remaining, self.outside_window, self.ignore_window = min_remaining, outside_window, ignore_window

    def execute(self, context: Context) -> list[dict[str, Any]]:
        """Read, check, remember, switch off; see the class."""
        with explained(context):
            self._require_window()
            wanted = metrics(self.metrics, "metrics")
            found = {job_id: self.hook.alarm_rules(job_id) for job_id in read_ids(self.di_job_ids)}
            known = {job_id: self._remembered(job_id, rules) for job_id, rules in found.items()}
            on = {
                job_id: [rule for rule in rules if rule.enabled and rule.metric in wanted]
                for job_id, rules in found.items()
            }
            for rule in (rule for rules in on.values() for rule in rules):
                self.hook.check_alarm_rule(rule)
            off = {job_id: self._note(context, job_id, rules, known[job_id]) for job_id, rules in on.items()}
            self._tell(context, off)
            for job_id, rules in on.items():
                self._silence(job_id, rules, known[job_id], off[job_id])
            self.log.info("Alarm rules that are off until the end of the maintenance: %s.", _named(_all(off)) or "none")
            return self._tell(context, off)

    def _require_window(self) -> None:
        if self.window is None:
            return
        needed = seconds_or_none(self.min_remaining, "min_remaining")
        try:
            require_open(self.window, now=self.hook.now(), needed=needed, ignore=self.ignore_window)
        except OutsideMaintenanceWindow as error:
            if self.outside_window != "skip":
                raise
            self.log.warning("Skipped, nothing was touched: %s", error.message)
            raise AirflowSkipException(error.message) from None

    def _remembered(self, job_id: int, rules: list[AlarmRule]) -> dict[int, SilencedRule]:
        """Return what an earlier run or try has left switched off, of any metric, of the rules that there are."""
        all_are_on = all(rule.enabled for rule in rules)
        try:
            known = remembered_rules(self.dataworks_conn_id, job_id)
        except DataWorksUnavailable:
            if not all_are_on:
                raise
            known = None  # nothing is off that could be forgotten
        if known is None and not all_are_on:
            # A rule that is off may be one of ours; Airflow says the same of a Variable that it cannot read just now.
            self.hook.sleep(_SECOND_LOOK)
            known = remembered_rules(self.dataworks_conn_id, job_id)
        return {rule.id: (known or {})[rule.id] for rule in rules if rule.id in (known or {})}

    def _note(
        self, context: Context, job_id: int, rules: list[AlarmRule], known: dict[int, SilencedRule]
    ) -> dict[int, SilencedRule]:
        """Remember the rules that are on, with those that a maintenance has left off."""
        (dag_id, run_id), at = run_of(context), self.hook.now()
        on = {
            rule.id: SilencedRule(rule.id, job_id, str(rule.metric), rule.fingerprint, dag_id, run_id, at)
            for rule in rules
        }
        off = {**known, **on}
        remember_rules(self.dataworks_conn_id, job_id, off.values())
        return off

    def _silence(
        self, job_id: int, rules: list[AlarmRule], known: dict[int, SilencedRule], off: dict[int, SilencedRule]
    ) -> None:
        """Switch rules off, and forget those that somebody else has switched off or edited in between."""
        not_ours = []
        for rule in rules:
            change = self.hook.switch_alarm_rule(rule, False)
            if change.outcome is not Outcome.CHANGED and not change.sent:
                self.log.warning("Alarm rule %s is left alone: %s.", off[rule.id], _SEEN[change.outcome])
                if rule.id not in known:
                    not_ours.append(rule.id)
        for rule_id in not_ours:
            del off[rule_id]
        if not_ours:
            remember_rules(self.dataworks_conn_id, job_id, off.values())

    def _tell(self, context: Context, off: Mapping[int, Mapping[int, SilencedRule]]) -> list[dict[str, Any]]:
        """Push which rules are off, for the report and the guardian, also where this try does not come to its end."""
        told = [asdict(rule) for rule in _all(off)]
        context["ti"].xcom_push(key=NOTE, value=told)
        return told


class RestoreAlarmsOperator(_AlarmOperator):
    """
    Switch on again the alarm rules that a maintenance has switched off, and no others.

    :param di_job_ids: ids of the DI jobs. (templated)
    :param silenced_by: task ids of this run that switched rules off: what they noted counts, too, and rules that
        another run has switched off are left to that one while it goes on. Without any, all come on, whoever switched
        them off.
    :param fails_with: task ids: this task fails at its end where one of them did not succeed. For a last teardown,
        which is the only one that Airflow looks at.
    :param dataworks_conn_id: Airflow connection of type ``dataworks``. (templated)
    :return: dict of ``rules``: a list of dicts of ``rule_id``, ``di_job_id``, ``metric``, ``silenced_at`` (epoch
        seconds) and ``outcome``: ``changed`` (on again), ``already`` (was on), ``edited`` (somebody changed the rule
        meanwhile, so it was left as it is) or ``gone``; and ``off`` (bool), whether the rule is off now.
    :raises DataWorksError: a rule could not be switched on; the others are.
    """

    def __init__(
        self, *, di_job_ids: Any, silenced_by: Iterable[str] = (), fails_with: Iterable[str] = (), **kwargs: Any
    ) -> None:
        super().__init__(di_job_ids=di_job_ids, **kwargs)
        self.silenced_by, self.fails_with = list(silenced_by), list(fails_with)

    def execute(self, context: Context) -> dict[str, Any]:
        """Switch on what is remembered, forget it, and fail where a rule is still off; see the class."""
        with explained(context):
            told = known_rules(context["ti"].xcom_pull(task_ids=self.silenced_by, key=NOTE) if self.silenced_by else ())
            found: list[dict[str, Any]] = []
            failed: dict[str, DataWorksError] = {}
            # Also of jobs that a template named as their alarms were switched off, and does not any more.
            for job_id in dict.fromkeys((*read_ids(self.di_job_ids), *(job_id for job_id, _ in told))):
                noted = {rule_id: rule for (job, rule_id), rule in told.items() if job == job_id}
                try:
                    owed = owed_rules(context, self.hook, job_id, noted, self.silenced_by)
                    self._restore_job(job_id, owed, found, failed)
                    rest = [noted[rule_id] for rule_id in noted if rule_id not in {**owed.restore, **owed.leave}]
                    found += [_told(rule, now) for rule, now in restored_before(self.hook, job_id, rest)]
                except DataWorksError as error:
                    failed[f"perhaps some of DI job {job_id}"] = error
            context["ti"].xcom_push(key=RESTORED, value=found)  # for the report, also where this task fails
            if failed:
                raise self._still_off(failed)
            if self.fails_with:
                refuse_failed_tasks(context, self.fails_with, self.dataworks_conn_id)
        return {"rules": found}

    def _restore_job(
        self,
        job_id: int,
        owed: OwedRules,
        found: list[dict[str, Any]],
        failed: dict[str, DataWorksError],
    ) -> None:
        for rule in owed.leave.values():
            text = "Alarm rule %s stays off: run %r of DAG %r has switched it off, and is to switch it on again."
            self.log.warning(text, rule, rule.run_id, rule.dag_id)
        left = {**owed.leave, **owed.restore}
        for rule in owed.restore.values():
            try:
                change = self.hook.switch_alarm_rule(rule.remembered, True)
            except DataWorksError as error:
                self.log.error("Alarm rule %s is not switched on: %s", rule, error.summary)
                failed[str(rule)] = error
                continue
            del left[rule.rule_id]
            told = _told(rule, change.rule, change.outcome)
            log = self.log.warning if told["off"] or change.outcome in (Outcome.EDITED, Outcome.GONE) else self.log.info
            log("Alarm rule %s: %s%s.", rule, _SEEN[change.outcome], "; it is OFF" if told["off"] else "")
            found.append(told)
        try:
            if owed.restore:
                remember_rules(self.dataworks_conn_id, job_id, left.values())
        except DataWorksUnavailable as error:
            failed[f"as far as is noted, some of DI job {job_id}"] = error

    def _still_off(self, failed: Mapping[str, DataWorksError]) -> DataWorksError:
        """Return the error to raise: one that is worth another try, if there is any."""
        error = next((each for each in failed.values() if each.retryable), next(iter(failed.values())))
        error.lead = f"Alarm rules are still off: {', '.join(failed)}."
        if not error.retryable:
            error.remedy = f"Switch them on in the DataWorks console, or clear this task. For the cause: {error.remedy}"
        return error


_SEEN = {
    Outcome.CHANGED: "it is on again",
    Outcome.ALREADY: "it was switched already",
    Outcome.GONE: "it is not there any more",
    Outcome.EDITED: "somebody has edited it meanwhile, and it is left as it is",
}


def _all(off: Mapping[int, Mapping[int, SilencedRule]]) -> list[SilencedRule]:
    return [rule for rules in off.values() for rule in rules.values()]


def _told(rule: SilencedRule, now: AlarmRule | None, outcome: Outcome | None = None) -> dict[str, Any]:
    outcome = outcome or (Outcome.GONE if now is None else Outcome.ALREADY if now.enabled else Outcome.EDITED)
    told = {"rule_id": rule.rule_id, "di_job_id": rule.di_job_id, "metric": rule.metric, "silenced_at": rule.at}
    return {**told, "outcome": str(outcome), "off": now is not None and not now.enabled}


def _named(rules: Iterable[SilencedRule]) -> str:
    return ", ".join(map(str, rules))
