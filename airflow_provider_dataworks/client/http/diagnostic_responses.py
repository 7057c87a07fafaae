"""Reads what the service tells about how a DI job runs: samples, events, tables, log lines, alarm rules.

What is only shown to people is read as far as it can be; of an alarm rule, which may be written back, and of a sample,
by which a job may be said to have caught up, nothing is guessed. Never sends anything.

Follows the vendor's pages of ListDIJobMetrics, ListDIJobEvents, ListDIJobRunDetails and GetDIJobLog (2024-05-18), of
ListDIAlarmRules (both versions) and GetDIAlarmRule (2020-05-18).
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from airflow_provider_dataworks.client.diagnostics import (
    AlarmRule,
    JobEvent,
    Listed,
    Sample,
    TableRun,
    fingerprint_of,
)
from airflow_provider_dataworks.client.http.decoding import Decoded, Payload, items, text
from airflow_provider_dataworks.client.http.responses import incomplete, read_total
from airflow_provider_dataworks.values import MILLISECONDS, finite_number, plain_text, whole_number

PAGING = "PagingInfo"

# The vendor's sample answer names a series otherwise than the request does.
_SPELLINGS = {"JobDelay": "delayTime"}
_MOST_ON_A_PAGE = 1_000  # ten times what is asked for
_LONGEST_LINE = 500
_LONGEST_TEXT = 2_000
_LONGEST_NAME = 300
_LONGEST_WORD = 60
_HIGHEST = 1e18  # of any metric; above, it is no measurement
_AHEAD = 300  # seconds that a sample may be newer than asked: one of next year would look fresh for a year
_DECIMAL = re.compile(r"[0-9]{1,18}(\.[0-9]{1,18})?")


def read_samples(action: str, payload: Payload, names: Sequence[str], end: int) -> dict[str, tuple[Sample, ...]]:
    """
    Return the samples of a ListDIJobMetrics answer by the metric's name as it was asked, the oldest first.

    A sample without a time or a value, below zero, or of the future is left out: it proves nothing. Of two of the same
    moment the higher value counts, which for a delay is the worse one.

    :param end: epoch seconds up to which samples were asked for.
    """
    found: dict[str, dict[float, float]] = {name: {} for name in names}
    for series in _rows(action, payload, PAGING, "JobMetrics"):
        told = text(series, "Name", longest=_LONGEST_WORD) or ""
        kept = found.get(_SPELLINGS.get(told, told))
        if kept is None:
            continue
        for row in items(series.get("SeriesList")):
            sample = _sample(row, end)
            if sample is not None:
                kept[sample.at] = max(sample.value, kept.get(sample.at, 0.0))
    return {name: tuple(Sample(at, kept[at]) for at in sorted(kept)) for name, kept in found.items()}


def _sample(row: Any, end: int) -> Sample | None:
    if not isinstance(row, Mapping):
        return None
    # The unit of Time is not documented; the times that are asked for are seconds.
    at, value = _number(row.get("Time"), 1, MILLISECONDS * 1000 - 1), _number(row.get("Value"), 0, _HIGHEST)
    if at is None or value is None:
        return None
    at = at / 1000 if at >= MILLISECONDS else at
    return Sample(float(at), float(value)) if at <= end + _AHEAD else None


def _number(value: object, least: float, most: float) -> float | None:
    if isinstance(value, str):
        return finite_number(float(value), least, most) if _DECIMAL.fullmatch(value) else None
    return finite_number(value, least, most)


def read_events(action: str, payload: Payload, kind: str) -> Listed[JobEvent]:
    """Return one page of a ListDIJobEvents answer."""
    rows = _rows(action, payload, PAGING, "DIJobEvent")
    return Listed(tuple(_event(row, kind) for row in rows), read_total(action, payload, PAGING))


def _event(fields: Payload, kind: str) -> JobEvent:
    return JobEvent(
        kind=kind,
        at=text(fields, "CreateTime", longest=_LONGEST_WORD),
        type=text(fields, "Type", longest=_LONGEST_WORD),
        status=text(fields, "Status", longest=_LONGEST_WORD),
        severity=text(fields, "Severity", longest=_LONGEST_WORD),
        action=text(fields, "Action", longest=_LONGEST_WORD),
        message=text(fields, "FailoverMessage", "Detail", longest=_LONGEST_TEXT),
        source_table=text(fields, "SrcTable", longest=_LONGEST_NAME),
        destination_table=text(fields, "DstTable", longest=_LONGEST_NAME),
        sql=text(fields, "SrcSql", "DstSql", longest=_LONGEST_TEXT),
    )


def read_table_runs(action: str, payload: Payload) -> Listed[TableRun]:
    """Return one page of a ListDIJobRunDetails answer, which writes its numbers as text."""
    rows = _rows(action, payload, PAGING, "JobRunInfos")
    return Listed(tuple(map(_table_run, rows)), read_total(action, payload, PAGING))


def _table_run(fields: Payload) -> TableRun:
    steps = ("StructureMigration", "FullMigration", "RealtimeMigration")
    structure, full, realtime = (text(fields, f"{step}Status", longest=_LONGEST_WORD) for step in steps)
    errors = (text(fields, f"{step}ErrorMessage", longest=_LONGEST_TEXT) for step in steps)
    error = "; ".join(dict.fromkeys(filter(None, errors)))
    return TableRun(
        source=_table(fields, "Source"),
        destination=_table(fields, "Destination"),
        structure=structure,
        full=full,
        realtime=realtime,
        error_message=plain_text(error, _LONGEST_TEXT) or None,
    )


def _table(fields: Payload, side: str) -> str:
    parts = (f"{side}{part}" for part in ("DatasourceName", "DatabaseName", "SchemaName", "TableName"))
    return ".".join(filter(None, (text(fields, part, longest=_LONGEST_NAME) for part in parts)))


def read_log_lines(action: str, payload: Payload) -> tuple[str, ...]:
    """Return the lines of one page of a GetDIJobLog answer, none where there is no such page."""
    lines = (text({"line": line}, "line", longest=_LONGEST_LINE) for line in items(payload.get("Log")))
    return tuple(line.rstrip() for line in lines if line and not line.isspace())


def read_alarm_rules(action: str, payload: Payload, envelope: str, di_job_id: int) -> Listed[AlarmRule]:
    """
    Return one page of a ListDIAlarmRules answer.

    :raises DataWorksUnavailable: one of the rules cannot be read, or is of another job.
    """
    name = "DIJobAlarmRules"
    rows = enumerate(_rows(action, payload, envelope, name))
    rules = tuple(_alarm_rule(action, payload, row, di_job_id, (envelope, name, number)) for number, row in rows)
    return Listed(rules, read_total(action, payload, envelope))


def read_alarm_rule(action: str, payload: Payload, rule_id: int, di_job_id: int) -> AlarmRule:
    """
    Return the alarm rule of a GetDIAlarmRule answer.

    :raises DataWorksUnavailable: it cannot be read, or is another than was asked for.
    """
    fields = payload.get("DIAlarmRule")
    if not isinstance(fields, Mapping):
        raise incomplete(action, "there is no DIAlarmRule", payload)
    rule = _alarm_rule(action, payload, fields, di_job_id, ("DIAlarmRule",))
    if rule.id != rule_id:
        raise incomplete(action, f"it is about alarm rule {rule.id}, but {rule_id} was asked for", payload)
    return rule


def _alarm_rule(
    action: str, payload: Payload, fields: Payload, di_job_id: int, path: tuple[str | int, ...]
) -> AlarmRule:
    # 2024-05-18 has both names of the id; the second is the older.
    rule_id = whole_number(fields.get("DIAlarmRuleId") if fields.get("Id") in (None, "") else fields.get("Id"))
    enabled = {"true": True, "false": False}.get((text(fields, "Enabled", longest=_LONGEST_WORD) or "").lower())
    if rule_id is None or enabled is None:
        raise incomplete(action, "an alarm rule has no id, or does not say whether it is on", payload)
    job = fields.get("DIJobId")
    if job not in (None, "") and whole_number(job) != di_job_id:
        raise incomplete(action, f"alarm rule {rule_id} is not one of DI job {di_job_id}", payload)
    return AlarmRule(
        id=rule_id,
        di_job_id=di_job_id,
        name=text(fields, "Name", "Description", longest=_LONGEST_NAME),
        enabled=enabled,
        metric=text(fields, "MetricType", longest=_LONGEST_WORD),
        fingerprint=fingerprint_of(fields),
        whole=fields,
        exact=isinstance(payload, Decoded) and payload.is_exact(fields, *path),
    )


def _rows(action: str, payload: Payload, envelope: str, name: str) -> list[Payload]:
    """Return the objects of a list in an answer; a list that is not there is an empty one."""
    inner = payload.get(envelope)
    if not isinstance(inner, Mapping):
        raise incomplete(action, f"there is no {envelope}", payload)
    found = items(inner.get(name))
    if len(found) > _MOST_ON_A_PAGE or not all(isinstance(item, Mapping) for item in found):
        raise incomplete(action, f"{envelope}.{name} holds something else than a page of objects", payload)
    return found
