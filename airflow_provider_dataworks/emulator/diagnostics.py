"""Answers what is asked about how a job runs: metrics, tables and log, of API 2024-05-18; knows no HTTP."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final

from . import jobs
from .job_store import JobStore
from .jobs import Job
from .parameters import Params, job_of, page_of, whole
from .responses import Refusal
from .rules import V2024

_LINES: Final = 100  # of a page of the log; the vendor does not say
_MOST: Final = 10_000  # samples of one answer
_SPEED: Final = 100.0  # records a second of a job that is not idle

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
    except ValueError:
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
    number, size, part = page_of(params, len(job.tables))
    items = []
    for table in job.tables[part]:
        found = {"StructureMigrationStatus": "Finished", "FullMigrationStatus": str(table.get("full", "Finished"))}
        for side in ("source", "destination"):
            database, _, name = str(table.get(side, "")).rpartition(".")
            prefix = side.title()
            found |= {f"{prefix}DatasourceName": "", f"{prefix}DatabaseName": database, f"{prefix}TableName": name}
        found["RealtimeMigrationStatus"] = str(table.get("status", job.status))
        items.append({**found, "RealtimeMigrationErrorMessage": str(table.get("error", ""))})
    paging = {"TotalCount": str(len(job.tables)), "PageNumber": str(number), "PageSize": str(size)}
    return {"PagingInfo": {**paging, "JobRunInfos": items}}


def events(store: JobStore, params: Params, now: float) -> dict[str, Any]:
    """Answer ListDIJobEvents: those of the job's ``events`` that are of the kind, between two moments."""
    job = job_of(store, V2024, params, now)
    start, end = whole(params, "StartTime", required=True) or 0, whole(params, "EndTime", required=True) or 0
    kind = params.get("EventType", "")
    if kind not in ("Failover", "Alarm", "DDL"):
        raise Refusal(400, "InvalidParameter", "The specified parameter EventType is not valid.")
    found = [each for each in job.events if each.get("kind") == kind and start <= float(each.get("at", now)) <= end]
    number, size, part = page_of(params, len(found))
    items = [
        {
            "Id": str(place),
            "CreateTime": str(int(float(each.get("at", now)))),
            "Action": str(each.get("action", "Normal")),
            "FailoverMessage" if kind == "Failover" else "SrcSql": str(each.get("text", "")),
            "SrcTable": str(each.get("table", "")),
        }
        for place, each in enumerate(found[part], 1)
    ]
    return {"PagingInfo": {"TotalCount": len(found), "PageNumber": number, "PageSize": size, "DIJobEvent": items}}


def job_log(store: JobStore, params: Params, now: float) -> dict[str, Any]:
    """Answer GetDIJobLog: a page of the job's log; a page behind the last is empty, and nothing says which is last."""
    job = job_of(store, V2024, params, now)
    number = whole(params, "PageNumber") or 1
    return {"Log": "\n".join(job.log[(number - 1) * _LINES : number * _LINES])}
