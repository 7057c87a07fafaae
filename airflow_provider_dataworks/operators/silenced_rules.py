"""
Remembers in Airflow's Variables which alarm rules of a DI job are off because a maintenance switched them off.

A Variable outlives what a clear or a deleted run takes along: XComs, and the state of a task. Each job has one, which
is written before the first rule is changed, and emptied when all are on again. It is not removed: Airflow cannot tell a
Variable that is not there from one that it cannot read now. It must never hold a receiver or the text of a rule.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from typing import Any

from airflow_provider_dataworks.client.diagnostics import AlarmRule
from airflow_provider_dataworks.exceptions import DataWorksInvalidRequest, DataWorksUnavailable, catalog_kwargs
from airflow_provider_dataworks.operators.maintenance_checks import read_ids
from airflow_provider_dataworks.values import finite_number, int64, invalid, plain_text, sentence

try:
    from airflow.sdk import Variable
except ImportError:  # Airflow 2.11
    from airflow.models import Variable

NOTE = "dataworks_silenced"  # key of an XCom
RESTORED = "dataworks_restored"  # key of an XCom, which a try that fails has pushed, too
METRICS = ("Heartbeat", "FailoverCount", "Delay", "DdlReport", "ResourceUtilization")
# A job that is down sends no heartbeat and falls behind: these two page somebody for nothing. The others tell of what
# happens to a job that runs.
DOWN = ("Heartbeat", "Delay")
_FINGERPRINT = re.compile(r"[0-9a-f]{16}")
_METRIC = re.compile(r"\w{1,50}", re.ASCII)
_PLAIN = re.compile(r"[\w.-]{1,150}", re.ASCII)  # Airflow's key has 250 characters, and not every version takes a slash
_LONGEST_ID = 250  # characters of a DAG's or a run's, as Airflow keeps them
_LONGEST_ERROR = 300  # characters of an error of Airflow's
_DESCRIPTION = "Alarm rules of a DataWorks DI job that a maintenance has switched off; written by its tasks."


@dataclass(frozen=True)
class SilencedRule:
    """
    An alarm rule that is off because a maintenance switched it off, or was about to.

    :param fingerprint: of the rule as it was then; see :class:`.diagnostics.AlarmRule`.
    :param dag_id: of the run that did so.
    :param at: epoch seconds at which it was noted.
    """

    rule_id: int
    di_job_id: int
    metric: str
    fingerprint: str
    dag_id: str
    run_id: str
    at: float

    @classmethod
    def read(cls, value: object) -> SilencedRule | None:
        """Return the rule that a Variable or an XCom holds; ``None`` where it is none: anybody can edit them."""
        if not isinstance(value, Mapping):
            return None
        texts = [value.get(name) for name in ("metric", "fingerprint", "dag_id", "run_id")]
        at = finite_number(value.get("at"), 0, 2**53)
        if at is None or not all(isinstance(text, str) for text in texts):
            return None
        metric, fingerprint, dag_id, run_id = map(str, texts)
        if not (_METRIC.fullmatch(metric) and _FINGERPRINT.fullmatch(fingerprint)):
            return None
        try:
            rule_id, job_id = int64(value.get("rule_id"), "rule_id"), int64(value.get("di_job_id"), "di_job_id")
        except DataWorksInvalidRequest:
            return None
        dag_id, run_id = plain_text(dag_id, _LONGEST_ID), plain_text(run_id, _LONGEST_ID)
        return cls(rule_id, job_id, metric, fingerprint, dag_id, run_id, at)

    def __str__(self) -> str:
        """Say which rule it is."""
        return f"{self.rule_id} ({self.metric}, DI job {self.di_job_id})"

    @property
    def remembered(self) -> AlarmRule:
        """The rule, as far as it takes to switch it back."""
        return AlarmRule(self.rule_id, self.di_job_id, metric=self.metric, fingerprint=self.fingerprint)


def metrics(value: Any, name: str) -> tuple[str, ...]:
    """
    Return the metrics whose alarm rules are meant.

    :raises DataWorksInvalidRequest: it is no list of metrics that DataWorks has alarms for.
    """
    given = [value] if isinstance(value, str) else value
    if not isinstance(given, Iterable) or isinstance(given, Mapping):
        raise invalid(name, f"a {type(value).__name__} is no list of metrics", f"Use of: {', '.join(METRICS)}.")
    found = tuple(dict.fromkeys(each if isinstance(each, str) else repr(each) for each in given))
    wrong = [plain_text(str(each), 50) for each in found if each not in METRICS]
    if wrong or not found:
        raise invalid(name, f"{', '.join(wrong) or 'none'} is no metric of an alarm", f"Use of: {', '.join(METRICS)}.")
    return found


def run_of(context: Mapping[str, Any]) -> tuple[str, str]:
    """Return the DAG id and run id of a task's run, as they are written to its rules and can be read there again."""
    task_instance = context["ti"]
    return plain_text(str(task_instance.dag_id), _LONGEST_ID), plain_text(str(task_instance.run_id), _LONGEST_ID)


def variable_name(dataworks_conn_id: str, di_job_id: int) -> str:
    """Return the key of the Variable of a job."""
    conn = dataworks_conn_id
    if not _PLAIN.fullmatch(conn):
        conn = hashlib.sha256(conn.encode(errors="replace")).hexdigest()[:16]
    return f"dataworks_alarms_off.{conn}.{di_job_id}"


def remembered_rules(dataworks_conn_id: str, di_job_id: int) -> dict[int, SilencedRule] | None:
    """
    Return the rules of a job that a maintenance has switched off, by their ids.

    :return: ``None`` where nothing was ever remembered of the job, and where Airflow does not tell that it cannot read.
    :raises DataWorksUnavailable: Airflow's database or API server does not answer, as far as this version tells; or
        somebody has edited the Variable so that a part of it says nothing: a rule that is left out would stay off.
    """
    name = variable_name(dataworks_conn_id, di_job_id)
    try:
        kept = Variable.get(name, None)
    except Exception as error:  # of many kinds, by version and by secrets backend
        raise not_known(di_job_id, plain_text(f"{type(error).__name__}: {error}", _LONGEST_ERROR)) from error
    if kept is None:
        return None
    try:
        listed = json.loads(kept)
    except (ValueError, RecursionError):
        listed = None
    rules = [SilencedRule.read(each) for each in listed] if isinstance(listed, list) else [None]
    found = {rule.rule_id: rule for rule in rules if rule is not None and rule.di_job_id == di_job_id}
    if len(found) < len(rules):
        why = f"Somebody has edited the Variable {name}: switch the rules on in the DataWorks console, then delete it"
        raise not_known(di_job_id, why)
    return found


def remember_rules(dataworks_conn_id: str, di_job_id: int, rules: Iterable[SilencedRule]) -> None:
    """
    Write which rules of a job are off by a maintenance.

    :raises DataWorksUnavailable: Airflow takes nothing now.
    """
    text = json.dumps([asdict(rule) for rule in rules])
    try:
        Variable.set(variable_name(dataworks_conn_id, di_job_id), text, _DESCRIPTION)
    except Exception as error:  # of many kinds, by version
        raise not_known(di_job_id, plain_text(f"{type(error).__name__}: {error}", _LONGEST_ERROR)) from error


def not_known(di_job_id: int, why: str) -> DataWorksUnavailable:
    """Return the error for a job of which Airflow cannot read or note which of its alarm rules are off."""
    message = f"Airflow cannot read or note which alarm rules a maintenance has switched off. {sentence(why)}"
    return DataWorksUnavailable(message, sent=False, di_job_id=di_job_id, **catalog_kwargs("alarms-not-known"))


def known_rules(values: Any) -> dict[tuple[int, int], SilencedRule]:
    """Return the rules that tasks told in their XComs, by job and rule; anything else is left out."""
    lists = (each for each in values or () if isinstance(each, list))
    found = (SilencedRule.read(each) for listed in lists for each in listed)
    return {(rule.di_job_id, rule.rule_id): rule for rule in found if rule is not None}


def alarms_off(di_job_ids: Any, dataworks_conn_id: str = "dataworks_default") -> list[SilencedRule]:
    """
    Return the alarm rules of DI jobs that a maintenance has switched off and not switched on again.

    For a guardian that looks after the window, in a task: it reads Airflow's Variables, and asks DataWorks nothing.

    :param di_job_ids: one id or several.
    :raises DataWorksUnavailable: that cannot be known now.
    """
    kept = (remembered_rules(dataworks_conn_id, job_id) or {} for job_id in read_ids(di_job_ids))
    return [rule for rules in kept for rule in rules.values()]


def jobs_silenced(
    task_instance: Any, task_ids: Iterable[str], *, dag_id: str | None = None, run_id: str | None = None
) -> set[int]:
    """
    Return the DI jobs of which these tasks of a run switched alarm rules off, or were about to.

    :param task_instance: of the task that asks.
    :param dag_id: another DAG than its own.
    :param run_id: another run than its own.
    """
    where = {name: value for name, value in (("dag_id", dag_id), ("run_id", run_id)) if value is not None}
    told = task_instance.xcom_pull(task_ids=list(task_ids), key=NOTE, **where)
    return {job_id for job_id, _ in known_rules(told)}
