"""Answers each operation of each API version for an authenticated call; knows no HTTP and no signature."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from . import alarm_operations, jobs
from .diagnostics import events, job_log, metrics, run_details
from .job_store import JobStore
from .jobs import Job
from .parameters import Params, boolean, job_of, page_of, whole
from .responses import Refusal
from .rules import V2020, V2024

Result = dict[str, Any]


@dataclass(frozen=True)
class Operation:
    """
    One operation of one API version.

    :param methods: HTTP methods it is served by.
    :param run: carries it out.
    """

    methods: frozenset[str]
    run: Callable[[JobStore, Params, float], Result]


def _stop_2020(store: JobStore, params: Params, now: float) -> Result:
    store.stop(job_of(store, V2020, params, now), now)
    return {}


def _stop_2024(store: JobStore, params: Params, now: float) -> Result:
    # What InstanceId selects is not documented and no operation returns one, so it is read and the job stopped.
    whole(params, "InstanceId")
    store.stop(job_of(store, V2024, params, now), now)
    return {"Success": True}


def _start(store: JobStore, version: str, params: Params, now: float) -> None:
    job = job_of(store, version, params, now)
    force = boolean(params, "ForceToRerun")
    start_time: int | None = None
    text = params.get("RealtimeStartSettings", "")
    if text:
        try:
            settings = json.loads(text)
            start_time = None if settings.get("StartTime") is None else int(settings["StartTime"])
        except (ValueError, TypeError, AttributeError, OverflowError, RecursionError) as error:
            raise Refusal(
                400, "InvalidParameter", "The specified parameter RealtimeStartSettings is not valid."
            ) from error
    store.start(job, now, start_time=start_time, force_to_rerun=force)


def _start_2020(store: JobStore, params: Params, now: float) -> Result:
    _start(store, V2020, params, now)
    return {}


def _start_2024(store: JobStore, params: Params, now: float) -> Result:
    _start(store, V2024, params, now)
    return {"Success": True}


def _details() -> Result:
    rule = {"RuleName": "rename_rule_1", "RuleActionType": "Rename", "RuleTargetType": "Table"}
    return {
        "TransformationRules": [{**rule, "RuleExpression": '{"expression":"${srcDatasourceName}_${srcDatabaseName}"}'}],
        "TableMappings": [
            {
                "SourceObjectSelectionRules": [{"ObjectType": "Table", "Expression": "mysql_table_1"}],
                "TransformationRules": [rule],
            }
        ],
        "JobSettings": {"RuntimeSettings": [{"Name": "runtime.realtime.concurrent", "Value": "1"}]},
    }


def _description(job: Job) -> Result:
    return {
        "ProjectId": job.project_id,
        "JobName": job.name,
        "Description": f"{job.source_type} to {job.destination_type}",
        "MigrationType": job.migration_type,
        "SourceDataSourceType": job.source_type,
        "DestinationDataSourceType": job.destination_type,
        "SourceDataSourceSettings": [{"DataSourceName": "source_1"}],
        "DestinationDataSourceSettings": [{"DataSourceName": "destination_1"}],
    }


def _get_2020(store: JobStore, params: Params, now: float) -> Result:
    job = job_of(store, V2020, params, now)
    details = _details() if boolean(params, "WithDetails") is not False else {}
    data = {"DIJobId": job.id, **_description(job), **details, "JobStatus": job.status}
    error = jobs.error_text(job)
    if error:
        data["ErrorMessage"] = error
    data |= {
        "RunStats": {},
        "CreatedTime": int(job.created_at),
        "CreatedUid": job.owner,
        "UpdatedTime": int(job.history[-1][0]),
        "UpdatedUid": job.owner,
        "StartedTime": int(job.created_at if job.started_at is None else job.started_at),
        "StartedUid": job.owner,
    }
    return {"Data": data}


def _get_2024(store: JobStore, params: Params, now: float) -> Result:
    job = job_of(store, V2024, params, now)
    project = whole(params, "ProjectId")
    if project not in (None, job.project_id):
        raise Refusal(400, "500130", "The DI job does not exist.")
    details = _details() if boolean(params, "WithDetails") is not False else {}
    # By the vendor's own pages this one operation spells a stopped job "Stop", while ListDIJobs says "Stopped".
    status = "Stop" if job.status == jobs.STOPPED else job.status
    own = {"Id": job.id, "DIJobId": str(job.id), "JobType": job.job_type, "Owner": job.owner, "JobStatus": status}
    return {"PagingInfo": {**own, **_description(job), **details}}


def _listed(store: JobStore, params: Params, now: float, name_filter: str) -> tuple[Result, list[Job]]:
    project = whole(params, "ProjectId", required=True)
    # 2020-05-18 documents the name as fuzzy; 2024-05-18 says nothing, so no caller may rely on an exact match.
    found = [job for job in store.all(now) if job.project_id == project and params.get(name_filter, "") in job.name]
    for name, attribute in (
        ("SourceDataSourceType", "source_type"),
        ("DestinationDataSourceType", "destination_type"),
        ("MigrationType", "migration_type"),
    ):
        wanted = params.get(name, "").lower()
        found = [job for job in found if wanted in ("", getattr(job, attribute).lower())]
    number, size, part = page_of(params, len(found))
    return {"TotalCount": len(found), "PageNumber": number, "PageSize": size}, found[part]


def _list_item(job: Job) -> Result:
    return {
        "DIJobId": job.id,
        "ProjectId": job.project_id,
        "JobName": job.name,
        "MigrationType": job.migration_type,
        "SourceDataSourceType": job.source_type,
        "DestinationDataSourceType": job.destination_type,
        "JobStatus": job.status,
    }


def _list_2020(store: JobStore, params: Params, now: float) -> Result:
    paging, found = _listed(store, params, now, "JobName")
    return {"DIJobPaging": {**paging, "DIJobs": [_list_item(job) for job in found]}}


def _list_2024(store: JobStore, params: Params, now: float) -> Result:
    paging, found = _listed(store, params, now, "Name")
    items = [{"Id": job.id, **_list_item(job), "Owner": job.owner} for job in found]
    return {"PagingInfo": {**paging, "DIJobs": items}}


def _projects_2020(store: JobStore, params: Params, now: float) -> Result:
    found = store.projects()
    number, size, part = page_of(params, len(found))
    items = [
        {
            "ProjectId": project,
            "ProjectIdentifier": f"project_{project}",
            "ProjectName": f"project_{project}",
            "ProjectStatus": 0,
            "ProjectStatusCode": "AVAILABLE",
        }
        for project in found[part]
    ]
    paging = {"TotalCount": len(found), "PageNumber": number, "PageSize": size}
    return {"PageResult": {**paging, "ProjectList": items}}


def _projects_2024(store: JobStore, params: Params, now: float) -> Result:
    found = store.projects()
    number, size, part = page_of(params, len(found))
    items = [
        {"Id": project, "Name": f"project_{project}", "DisplayName": f"project_{project}", "Status": "Available"}
        for project in found[part]
    ]
    return {"PagingInfo": {"TotalCount": len(found), "PageNumber": number, "PageSize": size, "Projects": items}}


# The vendor's metadata declare the operations of 2024-05-18 with one method each. The 2020-05-18 pages show sample
# requests with everything in the query while its SDK posts a form, so both are served.
_BOTH: Final = frozenset({"GET", "POST"})
_GET: Final = frozenset({"GET"})
_POST: Final = frozenset({"POST"})

OPERATIONS: Final[Mapping[tuple[str, str], Operation]] = {
    (V2020, "StopDIJob"): Operation(_BOTH, _stop_2020),
    (V2020, "StartDIJob"): Operation(_BOTH, _start_2020),
    (V2020, "GetDIJob"): Operation(_BOTH, _get_2020),
    (V2020, "ListDIJobs"): Operation(_BOTH, _list_2020),
    (V2020, "ListProjects"): Operation(_BOTH, _projects_2020),
    (V2020, "ListDIAlarmRules"): Operation(_BOTH, alarm_operations.list_2020),
    (V2020, "GetDIAlarmRule"): Operation(_BOTH, alarm_operations.get_2020),
    (V2020, "UpdateDIAlarmRule"): Operation(_BOTH, alarm_operations.update_2020),
    (V2024, "StopDIJob"): Operation(_GET, _stop_2024),
    (V2024, "StartDIJob"): Operation(_GET, _start_2024),
    (V2024, "GetDIJob"): Operation(_GET, _get_2024),
    (V2024, "ListDIJobs"): Operation(_GET, _list_2024),
    (V2024, "ListProjects"): Operation(_POST, _projects_2024),
    (V2024, "ListDIJobMetrics"): Operation(_GET, metrics),
    (V2024, "ListDIJobRunDetails"): Operation(_GET, run_details),
    (V2024, "GetDIJobLog"): Operation(_GET, job_log),
    (V2024, "ListDIJobEvents"): Operation(_GET, events),
    (V2024, "ListDIAlarmRules"): Operation(_GET, alarm_operations.list_2024),
    (V2024, "UpdateDIAlarmRule"): Operation(_GET, alarm_operations.update_2024),
}


def operation(version: str, action: str) -> Operation:
    """
    Find an operation by API version and name.

    :raises Refusal: 404 ``InvalidAction.NotFound`` where the version has none of that name.
    """
    found = OPERATIONS.get((version, action))
    if found is None:
        raise Refusal(404, "InvalidAction.NotFound", "Specified api is not found, please check your url and method.")
    return found
