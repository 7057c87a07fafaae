"""Answers with odd texts in them, and a task that meets them."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest
from emulated import JOB, Clock, Store, TaskInstance, on_clock
from safe import assert_event, assert_safe

from airflow_provider_dataworks.exceptions import DataWorksError
from airflow_provider_dataworks.hooks.dataworks import DataWorksHook
from airflow_provider_dataworks.operators.dataworks import StopDIJobOperator
from airflow_provider_dataworks.triggers.dataworks import DIJobStatusTrigger
from airflow_provider_dataworks.version_compat import TaskDeferred

HALF = "stream \ud83d"
ODD = f"{HALF}\r\n\x1b[2J\x9b\u202e\u2028\x00"


def said(**fields: Any) -> bytes:
    """GetDIJob's answer, in the words of both API versions."""
    data = {"Id": JOB, "ProjectId": 1967, "JobName": "orders", "JobStatus": "Running", **fields}
    return json.dumps({"RequestId": "R", "Data": data, "PagingInfo": data}).encode()


def listed(**fields: Any) -> bytes:
    """ListDIJobs' answer, likewise."""
    page = {"TotalCount": 1, "DIJobs": [json.loads(said(**fields))["Data"]]}
    return json.dumps({"RequestId": "R", "DIJobPaging": page, "PagingInfo": page}).encode()


def stop(clock: Clock, **arguments: Any) -> Any:
    """Run one try of a stop, and return its result as Airflow stores it, or what ended it."""
    operator = StopDIJobOperator(task_id="stop", **{"di_job_id": JOB, "poll_interval": 15, **arguments})
    operator.hook = on_clock(DataWorksHook(), clock)
    store, ti = Store(), TaskInstance()
    try:
        found = operator.execute({"ti": ti, "task_state_store": store})  # type: ignore[typeddict-unknown-key]
    except (DataWorksError, TaskDeferred) as ended:
        return ended
    assert_safe([dict(found), dict(ti.pushed), list(store.kept.values())])
    return found


FIELDS = [
    pytest.param({"JobName": HALF}, id="half an emoji in the name"),
    pytest.param({"JobName": ODD, "JobType": ODD}, id="all kinds in name and type"),
    pytest.param({"ErrorMessage": ODD * 1000}, id="a long odd text"),
    pytest.param({"ProjectId": 2**70}, id="a workspace that cannot be"),
    pytest.param({"ProjectId": "11_668"}, id="a workspace that is none"),
]


def event_of(trigger: DIJobStatusTrigger) -> Any:
    """Run a trigger to its one event, in a loop of its own."""
    return asyncio.run(one_event(trigger))


async def one_event(trigger: DIJobStatusTrigger) -> Any:
    """Run a trigger to its one event, as Airflow stores it."""
    (event,) = [event.payload async for event in trigger.run()]
    assert_event(event)
    return json.loads(json.dumps(event))
