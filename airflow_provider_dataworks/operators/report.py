"""Reports at the end of a maintenance who stopped what, why and for how long; never stops or starts anything."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from airflow_provider_dataworks.exceptions import DataWorksPermanentError, catalog_kwargs
from airflow_provider_dataworks.operators._base import hook_of
from airflow_provider_dataworks.operators._request_note import Note, states_of
from airflow_provider_dataworks.operators._seen_by_dataworks import SeenByDataWorks, short_text
from airflow_provider_dataworks.operators._steps import UNPROVEN
from airflow_provider_dataworks.operators.maintenance_checks import FAILED, RUNS, read_ids, refuse_failed_tasks
from airflow_provider_dataworks.operators.report_table import alarm_lines, table
from airflow_provider_dataworks.operators.silenced_rules import NOTE, RESTORED, known_rules
from airflow_provider_dataworks.retries import explained
from airflow_provider_dataworks.values import checked, finite_number, optional, seconds, whole_number
from airflow_provider_dataworks.version_compat import BaseOperator

try:
    from airflow.sdk.observability.stats import Stats
except ImportError:  # before Airflow 3.2
    from airflow.stats import Stats

if TYPE_CHECKING:
    from airflow_provider_dataworks.version_compat import Context

log = logging.getLogger(__name__)

_LATEST = 253_402_300_000.0  # epoch seconds of the year 9999
_REPORT = "dataworks_report"  # key of an XCom
_STILL_OFF = {"outcome": "off", "off": True}  # of a rule that no task has told to be on again


class MaintenanceReportOperator(BaseOperator):
    """
    Report what a maintenance did, from what its tasks noted and returned.

    The report is the task's XCom, and a table in its log. With API 2020-05-18 it costs no call, else three a job that
    was stopped: the lag before the stop, and the DDL statements and failovers since. A job of which no restart tells
    costs one more.
    What cannot be known is ``None``: it never keeps the report from being made. Airflow's metrics get each downtime as
    the timer ``dataworks.di_job.downtime``, with the tags ``dag_id`` and ``di_job_id``.

    :param di_job_ids: ids of the DI jobs. (templated)
    :param stopped_by: task ids of the stops.
    :param started_by: task ids of the restarts.
    :param silenced_by: task ids of what switched alarm rules off.
    :param restored_by: task ids of what switched them on again.
    :param approved_by: task id of the approval, if there is one.
    :param reason: why, for whoever reads the report. (templated)
    :param on_report: called with the report, to send it somewhere; what it raises is logged and fails nothing.
    :param max_downtime: seconds, or a timedelta, that a job may be down; a longer time fails this task, and the run.
    :param fails_with: task ids; with ``max_downtime`` this task fails, too, where one of these did not succeed: Airflow
        does not look at them any more then.
    :param dataworks_conn_id: Airflow connection of type ``dataworks``. (templated)
    :return: dict of ``dag_id``, ``run_id``, ``by`` (who asked, as far as Airflow tells), ``approved_by``, ``reason``,
        ``at`` (ISO 8601 UTC) and ``jobs``: a list of dicts of ``di_job_id``, ``outcome``, ``stopped_at``,
        ``running_at``, ``caught_up_at`` (ISO 8601 UTC), ``downtime``, ``lag_before``, ``lag_after`` (seconds),
        ``stop_request_id``, ``start_request_id``, ``events`` (ten of a kind at most), ``more_events`` (how many
        others there were) and ``alarms`` (``rule_id``, ``metric``, ``outcome`` and
        ``off``, whether the rule is off now; outcomes as ``RestoreAlarmsOperator`` has them).
    """

    template_fields: Sequence[str] = ("di_job_ids", "reason", "dataworks_conn_id")
    ui_color = "#e6e6f2"

    def __init__(
        self,
        *,
        di_job_ids: Any,
        stopped_by: Iterable[str],
        started_by: Iterable[str],
        silenced_by: Iterable[str] = (),
        restored_by: Iterable[str] = (),
        approved_by: str | None = None,
        reason: str | None = None,
        on_report: Callable[[dict[str, Any]], Any] | None = None,
        max_downtime: float | timedelta | None = None,
        fails_with: Iterable[str] = (),
        dataworks_conn_id: str = "dataworks_default",
        **kwargs: Any,
    ) -> None:
        checked(locals(), {"max_downtime": optional(seconds)})
        super().__init__(**{"retries": 3, **kwargs})
        self.di_job_ids = di_job_ids
        self.stopped_by, self.started_by, self.approved_by = list(stopped_by), list(started_by), approved_by
        self.silenced_by, self.restored_by = list(silenced_by), list(restored_by)
        self.reason = reason
        self.on_report = on_report
        self.max_downtime, self.fails_with = max_downtime, list(fails_with)
        self.dataworks_conn_id = dataworks_conn_id

    def execute(self, context: Context) -> dict[str, Any]:
        """Make the report, log it and hand it on; see the class."""
        with explained(context):
            hook, pull = hook_of(self.dataworks_conn_id), context["ti"].xcom_pull
            any_failed = any(state in FAILED for state in states_of(context, self.started_by))
            told = _Told(
                _by_job(pull(task_ids=self.stopped_by, key="dataworks_stop")),
                _by_job(pull(task_ids=self.stopped_by)),
                # What a restart that failed told of its job; one that a person marked as done leaves it behind, too.
                {
                    **(_by_job(pull(task_ids=self.started_by, key=UNPROVEN)) if any_failed else {}),
                    **_by_job(pull(task_ids=self.started_by)),
                },
                any_failed,
            )
            seen = SeenByDataWorks(hook)
            jobs = [_of_job(seen, job_id, told) for job_id in read_ids(self.di_job_ids)]
            alarms = self._alarms(pull)
            for job in jobs:
                job["alarms"] = alarms.get(job["di_job_id"], [])
            report = {**self._who_and_why(context), "at": _text_of(hook.now()), "jobs": jobs}
            # Under a key of its own as well, by which the page of this package finds it among all XComs.
            context["ti"].xcom_push(key=_REPORT, value=report)
            for line in (*table(jobs), *alarm_lines(jobs)):
                self.log.info("%s", line)
            for job in jobs:
                if job["downtime"] is not None:
                    tags = {"dag_id": context["ti"].dag_id, "di_job_id": str(job["di_job_id"])}
                    Stats.timing("dataworks.di_job.downtime", timedelta(seconds=job["downtime"]), tags=tags)
            self._hand_on(report)
            if self.max_downtime is not None:
                refuse_failed_tasks(context, self.fails_with, self.dataworks_conn_id)
                self._refuse_long_downtime(jobs)
        return report

    def _who_and_why(self, context: Context) -> dict[str, Any]:
        run = context.get("dag_run")
        answers = context["ti"].xcom_pull(task_ids=[self.approved_by]) if self.approved_by else None
        answer = next((each for each in answers or () if isinstance(each, Mapping)), {})
        who = answer.get("responded_by_user")
        return {
            "dag_id": context["ti"].dag_id,
            "run_id": context["ti"].run_id,
            "by": short_text(getattr(run, "triggering_user_name", None)) or short_text(getattr(run, "run_type", None)),
            "approved_by": short_text(who.get("name") or who.get("id")) if isinstance(who, Mapping) else None,
            # Of a native template it may be a number.
            "reason": None if self.reason is None else short_text(str(self.reason)),
        }

    def _hand_on(self, report: dict[str, Any]) -> None:
        if self.on_report is None:
            return
        try:
            self.on_report(deepcopy(report))
        except Exception:  # an author's mail server is no reason for a red maintenance
            self.log.exception("on_report failed; the report itself is in this task's XCom.")

    def _alarms(self, pull: Callable[..., Any]) -> dict[int, list[dict[str, Any]]]:
        """Return, of each job, the alarm rules that were switched off, and what became of them."""
        silenced = known_rules(pull(task_ids=self.silenced_by, key=NOTE) if self.silenced_by else ())
        found = {key: {"rule_id": rule.rule_id, "metric": rule.metric, **_STILL_OFF} for key, rule in silenced.items()}
        results = pull(task_ids=self.restored_by, key=RESTORED) if self.restored_by else ()
        for listed in (each for each in results or () if isinstance(each, list)):
            for told in (each for each in listed if isinstance(each, Mapping)):
                rule_id, job_id = (whole_number(told.get(name)) for name in ("rule_id", "di_job_id"))
                if rule_id is not None and job_id is not None:
                    facts = {"metric": short_text(told.get("metric")), "outcome": short_text(told.get("outcome"))}
                    found[job_id, rule_id] = {"rule_id": rule_id, **facts, "off": told.get("off") is True}
        by_job: dict[int, list[dict[str, Any]]] = {}
        for (job_id, _), rule in sorted(found.items()):
            by_job.setdefault(job_id, []).append(rule)
        return by_job

    def _refuse_long_downtime(self, jobs: list[dict[str, Any]]) -> None:
        most = seconds(self.max_downtime, "max_downtime")
        long = [job for job in jobs if job["downtime"] is not None and job["downtime"] > most]
        if long:
            named = ", ".join(f"{job['di_job_id']} ({job['downtime']:.0f} s)" for job in long)
            message = f"down for longer than {most:.0f} s: {named}. They run again."
            raise DataWorksPermanentError(message, conn_id=self.dataworks_conn_id, **catalog_kwargs("long-downtime"))


@dataclass(frozen=True)
class _Told:
    """
    What the tasks of a run told of each job: notes of stops, results of stops, results of restarts.

    :param any_failed: whether a restart has failed.
    """

    notes: Mapping[int, Mapping[str, Any]]
    stops: Mapping[int, Mapping[str, Any]]
    starts: Mapping[int, Mapping[str, Any]]
    any_failed: bool


def _of_job(seen: SeenByDataWorks, job_id: int, told: _Told) -> dict[str, Any]:
    noted = Note.read(told.notes.get(job_id, {}))
    stop, start = told.stops.get(job_id, {}), told.starts.get(job_id, {})
    is_stopped = noted is not None and not noted.withdrawn
    asked = finite_number(noted.at, 0, _LATEST) if is_stopped and noted else None
    running = _moment_of(start.get("started_at"))
    down = None if asked is None or running is None else max(0.0, running - asked)
    found = {
        "di_job_id": job_id,
        "outcome": _outcome(start, seen, job_id, told.any_failed) if is_stopped else "not stopped",
        "stopped_at": _text_of(asked),
        "running_at": _text_of(running),
        "caught_up_at": _text_of(_moment_of(start.get("caught_up_at"))),
        "downtime": down,
        "lag_before": None,
        "lag_after": finite_number(start.get("lag"), 0, 1e9),
        "stop_request_id": short_text(stop.get("request_id")) or (noted.request_id if noted else None),
        "start_request_id": short_text(start.get("request_id")),
        "events": [],
        "more_events": 0,
    }
    return found if asked is None else {**found, **seen.of(job_id, asked)}


def _outcome(start: Mapping[str, Any], seen: SeenByDataWorks, job_id: int, any_failed: bool) -> str:
    # A restart that was killed tells nothing, nor does any where results are not kept: the job may run all the same.
    status = start.get("status") or seen.status(job_id)
    if status is None:
        return "NOT KNOWN"
    if status not in RUNS:
        return "NOT RUNNING"
    if "why" in start or (any_failed and not start):
        return "NOT PROVEN"
    if start.get("caught_up_at"):
        return "idle" if start.get("idle") is True else "caught up"
    return str(status).lower()


def _by_job(values: Any) -> dict[int, Mapping[str, Any]]:
    """Return what tasks noted or returned, by the job it is about; anything else is left out."""
    found = [each for each in values or () if isinstance(each, Mapping)]
    return {note.di_job_id: each for each in found if (note := Note.read(each)) is not None}


def _moment_of(text: object) -> float | None:
    try:
        found = datetime.fromisoformat(text).timestamp() if isinstance(text, str) else None
    except (ValueError, OverflowError):  # any task may have written it
        return None
    return finite_number(found, 0, _LATEST)


def _text_of(moment: float | None) -> str | None:
    return None if moment is None else datetime.fromtimestamp(moment, UTC).isoformat(timespec="seconds")
