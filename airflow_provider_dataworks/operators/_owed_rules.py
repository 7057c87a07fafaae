"""
Decides which alarm rules of a DI job a run has to switch on again, and which it leaves to another; changes none.

A maintenance switches on what it has switched off itself. What another run left off it switches on only where nobody
else does: the other run is over, and the job runs, or this run has taken the rule over as it silenced the job itself.
A task that belongs to no maintenance, such as a guardian's, switches on whatever one has left off.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any

from airflow_provider_dataworks.exceptions import DataWorksUnavailable
from airflow_provider_dataworks.operators._request_note import run_goes_on, states_of, was_cleared
from airflow_provider_dataworks.operators.maintenance_checks import RUNS
from airflow_provider_dataworks.operators.silenced_rules import SilencedRule, not_known, remembered_rules, run_of
from airflow_provider_dataworks.values import plain_text

if TYPE_CHECKING:
    from airflow_provider_dataworks.hooks.dataworks import DataWorksHook

log = logging.getLogger(__name__)

_LONGEST_ERROR = 300  # characters


@dataclass(frozen=True)
class OwedRules:
    """
    The rules of one job.

    :param restore: to be switched on again now.
    :param leave: off by another run, which is to switch them on.
    """

    restore: dict[int, SilencedRule] = field(default_factory=dict)
    leave: dict[int, SilencedRule] = field(default_factory=dict)


def owed_rules(
    context: Mapping[str, Any],
    hook: DataWorksHook,
    di_job_id: int,
    noted: Mapping[int, SilencedRule],
    silenced_by: list[str],
) -> OwedRules:
    """
    Return which rules of a job this run has to switch on again.

    :param noted: rules of the job that this run's tasks noted, by their ids.
    :param silenced_by: ids of those tasks; none where it belongs to no maintenance.
    :raises DataWorksUnavailable: it cannot be known now.
    :raises DataWorksError: the job, or its rules, cannot be looked at.
    """
    try:
        kept = remembered_rules(hook.dataworks_conn_id, di_job_id)
    except DataWorksUnavailable as error:
        log.warning("%s What this run noted itself counts.", error.summary)
        kept = None
    if kept is None and not noted:
        if any(state == "success" for state in states_of(context, silenced_by)) and not _all_are_on(hook, di_job_id):
            # It wrote one, though it may have been of no rule. A try later it can be read, or somebody must look.
            raise not_known(di_job_id, "No rule of it was changed")
        return OwedRules()
    # Two runs may write one Variable at a time, and one of them forget what the other wrote. A later try does not go by
    # the note: what the first one switched on, somebody may have switched off since.
    is_first = getattr(context["ti"], "try_number", None) == 1 and not was_cleared(context)
    rules = {**noted, **(kept or {})} if kept is None or is_first else kept
    found, others = OwedRules(), _Others(context, hook, di_job_id)
    for rule_id, rule in rules.items():
        is_ours = not silenced_by or (rule.dag_id, rule.run_id) == run_of(context)
        is_owed = is_ours or (not others.goes_on(rule) and (rule_id in noted or others.job_runs))
        (found.restore if is_owed else found.leave)[rule_id] = rule
    return found


def _all_are_on(hook: DataWorksHook, di_job_id: int) -> bool:
    return all(rule.enabled for rule in hook.alarm_rules(di_job_id))


class _Others:
    """What is to be known of other runs and of the job, asked once and only where a rule is another run's."""

    def __init__(self, context: Mapping[str, Any], hook: DataWorksHook, di_job_id: int) -> None:
        self._context, self._hook, self._job_id = context, hook, di_job_id
        self._known: dict[tuple[str, str], bool] = {}

    @cached_property
    def job_runs(self) -> bool:
        """Whether the job runs."""
        return str(self._hook.get_di_job(self._job_id).status) in RUNS

    def goes_on(self, rule: SilencedRule) -> bool:
        """Say whether the run that switched a rule off is not over."""
        run = rule.dag_id, rule.run_id
        if run not in self._known:
            try:
                self._known[run] = run_goes_on(self._context, *run)
            except Exception as error:  # of many kinds, by version of Airflow
                why = f"{type(error).__name__}: {error}"
                raise not_known(self._job_id, plain_text(why, _LONGEST_ERROR)) from error
        return self._known[run]


def restored_before(hook: DataWorksHook, di_job_id: int, rules: list[SilencedRule]) -> Iterator[tuple[Any, Any]]:
    """Yield rules that an earlier try has restored, with how each is now (``None``: gone); a call, if there are any."""
    now = {rule.id: rule for rule in hook.alarm_rules(di_job_id)} if rules else {}
    for rule in rules:
        yield rule, now.get(rule.rule_id)
