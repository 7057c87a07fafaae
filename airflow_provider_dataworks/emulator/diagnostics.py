"""Answers what is asked about how a job runs: metrics, tables, events, log, of API 2024-05-18; knows no HTTP."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final

from . import jobs
from .job_settings import EVENT_KINDS
from .job_store import JobStore
from .jobs import Job
from .parameters import Params, job_of, page_of, whole
from .responses import Refusal
from .rules import V2024

_LINES: Final = 100  # of a page of the log; the vendor does not say
_MOST: Final = 10_000  # samples of one answer
_SPEED: Final = 100.0  # records a second of a job that is not idle
_TABLE: Final = {"source": "shop.orders", "destination": "public.orders"}  # of a full load that names none
_TABLE_FILTERS: Final = (
    ("SourceDataSourceName", "SourceDatasourceName"),
    ("SourceDatabaseName", "SourceDatabaseName"),
    ("SourceTableName", "SourceTableName"),
)

# What a metric is at a moment, by the lag in seconds then, whether the job is idle, and seconds since it was made.
_VALUES: Final[Mapping[str, Callable[[float, bool, float], float]]] = {
    "delayTime": lambda lag, idle, age: lag,
    "speedRecordsRead": lambda lag, idle, age: 0.0 if idle else _SPEED,
    "speedRecordsWrite": lambda lag, idle, age: 0.0 if idle else _SPEED,
    "totalRecordsRead": lambda lag, idle, age: 1000.0 if idle else math.floor(age) * _SPEED + 1,
    "totalRecordsWrite": lambda lag, idle, age: 1000.0 if idle else math.floor(age) * _SPEED,
    "resourceUtilization": lambda lag, idle, age: 0.1,
}


def metrics(store: JobStore, params: Params, now: float) -> dict[str, Any]:
    """Answer ListDIJobMetrics: samples of the time in which the job was Running, a ``metrics_period`` apart."""
    job = job_of(store, V2024, params, now)
    start, end = whole(params, "StartTime", required=True) or 0, whole(params, "EndTime", required=True) or 0
    try:
        names = json.loads(params.get("MetricName") or "null")
    except (ValueError, RecursionError):
        names = None
    if not isinstance(names, list) or not names or not set(map(str, names)) <= set(_VALUES):
        raise Refusal(400, "InvalidParameter", "The specified parameter MetricName is not valid.")
    points = [] if job.lag == "missing" else list(_points(job, now, start, end))
    series = [
        {
            # By the vendor's sample, the answer names this one otherwise than the question does.
            "Name": "JobDelay" if name == "delayTime" else name,
            "SeriesList": [
                {"Time": moment, "Value": _VALUES[name](lag, job.lag == "idle", moment - job.created_at)}
                for moment, lag in points
            ],
        }
        for name in names
    ]
    return {"PagingInfo": {"JobMetrics": series if points else []}}


def _points(job: Job, now: float, start: int, end: int) -> Iterator[tuple[int, float]]:
    """Yield the moments of the samples, in whole seconds, and the lag at each."""
    period = max(1, round(job.metrics_period))
    newest = now - job.lag["stale"] if isinstance(job.lag, Mapping) and "stale" in job.lag else now
    ends = [moment for moment, _ in job.history[1:]] + [math.inf]
    for (since, status), until in zip(job.history, ends, strict=True):
        if status != jobs.RUNNING:
            continue
        first, last = math.ceil(max(since, start, now - _MOST * period)), math.floor(min(until, end, newest))
        for moment in range(-(-first // period) * period, last + 1, period):
            yield moment, _lag(job.lag, moment - since)


def _lag(setting: Any, running_for: float) -> float:
    if setting == "idle":
        return running_for
    if not isinstance(setting, Mapping):
        return float(setting)
    if "falls" in setting:
        return max(0.0, float(setting.get("start", 0)) - float(setting["falls"]) * running_for)
    if "grows" in setting:
        return float(setting.get("start", 0)) + float(setting["grows"]) * running_for
    return float(setting.get("stuck", 0))


def run_details(store: JobStore, params: Params, now: float) -> dict[str, Any]:
    """Answer ListDIJobRunDetails: the tables of the job; the numbers of its page are text, as the vendor's are."""
    job = job_of(store, V2024, params, now)
    whole(params, "InstanceId")
    since = job.created_at if job.started_at is None else job.started_at
    loading = job.full_load and now < since + job.full_load_seconds
    tables = job.tables or ((_TABLE,) if job.full_load else ())
    items = [_table_run(table, job.status, loading) for table in tables]
    for name, key in _TABLE_FILTERS:
        items = [item for item in items if params.get(name) in (None, "", item[key])]
    number, size, part = page_of(params, len(items))
    paging = {"TotalCount": str(len(items)), "PageNumber": str(number), "PageSize": str(size)}
    return {"PagingInfo": {**paging, "JobRunInfos": items[part]}}


def _table_run(table: Mapping[str, str], status: str, loading: bool) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for side, prefix in (("source", "Source"), ("destination", "Destination")):
        parts = ["", "", *table.get(side, "").rsplit(".", 2)][-3:]
        names = (f"{prefix}DatasourceName", f"{prefix}DatabaseName", f"{prefix}TableName")
        found |= dict(zip(names, parts, strict=True))
    error = {"RealtimeMigrationErrorMessage": table["error"]} if table.get("error") else {}
    return {
        **found,
        "StructureMigrationStatus": "Finished",
        "FullMigrationStatus": table.get("full", "Running" if loading else "Finished"),
        "RealtimeMigrationStatus": table.get("status", status),
        **error,
        "OfflineTotalRecords": 0 if loading else 1000,
        "OfflineTotalBytes": 0 if loading else 64_000,
        "OfflineErrorRecords": 0,
    }


def events(store: JobStore, params: Params, now: float) -> dict[str, Any]:
    """Answer ListDIJobEvents: what has happened of the job's ``events``, of one kind, between two moments."""
    job = job_of(store, V2024, params, now)
    start, end = whole(params, "StartTime", required=True) or 0, whole(params, "EndTime", required=True) or 0
    kind = params.get("EventType", "")
    if not kind:
        raise Refusal(400, "MissingEventType", "EventType is mandatory for this action.")
    if kind not in EVENT_KINDS:
        raise Refusal(400, "InvalidParameter", "The specified parameter EventType is not valid.")
    found = [
        {"Id": str(place), "CreateTime": str(int(event["at"])), **_event(event)}
        for place, event in enumerate(job.events, 1)
        if event["kind"] == kind and start <= event["at"] <= min(end, now)
    ]
    number, size, part = page_of(params, len(found))
    page = {"TotalCount": len(found), "PageNumber": number, "PageSize": size, "DIJobEvent": found[part]}
    return {"PagingInfo": page}


def _event(event: Mapping[str, Any]) -> dict[str, Any]:
    """Give what an event of its kind has, in the vendor's words."""
    text, table = event.get("text", ""), event.get("table", "")
    if event["kind"] == "Failover":
        return {"FailoverMessage": text}
    if event["kind"] == "DDL":
        return {"Action": event.get("action", "Normal"), "SrcSql": text, "SrcTable": table}
    usual = {"Type": "Delay", "Status": "Success", "Severity": "Warning"}
    return {name: event.get(name.lower(), value) for name, value in usual.items()} | {"Detail": text}


def job_log(store: JobStore, params: Params, now: float) -> dict[str, Any]:
    """Answer GetDIJobLog: a page of the job's log; a page behind the last is empty, and nothing says which is last."""
    job = job_of(store, V2024, params, now)
    for name in ("InstanceId", "FailoverId"):
        whole(params, name)
    if params.get("NodeType", "") not in ("", "MASTER", "WORKER"):
        raise Refusal(400, "InvalidParameter", "The specified parameter NodeType is not valid.")
    number = whole(params, "PageNumber") or 1
    return {"Log": "\n".join(job.log[(number - 1) * _LINES : number * _LINES])}
