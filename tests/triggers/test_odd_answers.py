"""Odd answers of a service, through a task that waits in the triggerer: Airflow must be able to store what comes."""

from __future__ import annotations

import asyncio
import json
import time
from typing import Any

import pytest
from emulated import JOB, Clock, on_clock, real_clock
from odd_answers import FIELDS, HALF, ODD, event_of, listed, one_event, said, stop
from safe import assert_safe, assert_safe_error

from airflow_provider_dataworks.emulator import Emulator
from airflow_provider_dataworks.exceptions import DIJobFailed
from airflow_provider_dataworks.hooks.dataworks import DataWorksHook
from airflow_provider_dataworks.operators.dataworks import StopDIJobOperator
from airflow_provider_dataworks.triggers.dataworks import DIJobStatusTrigger
from airflow_provider_dataworks.version_compat import TaskDeferred

clock = real_clock
pytestmark = pytest.mark.usefixtures("connect")


@pytest.fixture(autouse=True)
def _soon(monkeypatch: pytest.MonkeyPatch) -> None:
    """Take first looks at once."""
    monkeypatch.setattr(DIJobStatusTrigger, "first_look", 0.05)


@pytest.mark.parametrize("fields", FIELDS)
def test_a_task_in_the_triggerer_stops_the_job_all_the_same(
    emulator: Emulator, clock: Clock, fields: dict[str, Any]
) -> None:
    """The row and the event of its wait can be stored, and the task goes on by them."""
    emulator.inject({"operation": "GetDIJob", "body": said(**fields)})

    deferred = stop(clock, deferrable=True, poll_interval=0.05)

    assert isinstance(deferred, TaskDeferred)
    _, row = deferred.trigger.serialize()
    assert_safe(row)
    fields = {**fields, "JobStatus": "Stopped"}
    emulator.inject({"operation": "GetDIJob", "times": None, "body": said(**fields)})
    emulator.inject({"operation": "ListDIJobs", "times": None, "body": listed(**fields)})
    event = event_of(DIJobStatusTrigger(**{**json.loads(json.dumps(row)), "deadline": time.time() + 20}))
    task = StopDIJobOperator(task_id="stop", di_job_id=JOB)
    task.hook = on_clock(DataWorksHook(), clock)
    found = task.execute_complete({}, event)  # type: ignore[typeddict-item]

    assert (found["status"], found["stopped_by_this_run"]) == ("Stopped", True)
    assert_safe(found)


def test_the_waits_of_a_page_with_odd_jobs_all_end(emulator: Emulator) -> None:
    """Each in an event that can be stored, also those whose job the page tells badly."""
    names = [HALF, ODD, "orders", None, 5, {"a": 1}, "x" * 10**6]
    ids: list[Any] = list(range(1, len(names) + 1))
    jobs = [
        {"DIJobId": job_id, "ProjectId": 1967, "JobName": name, "JobStatus": "Stopped"}
        for job_id, name in zip(ids, names, strict=True)
    ]
    jobs[3]["DIJobId"] = 4.7
    for job_id in ids:
        emulator.add_job(job_id, "Stopped")
    page = json.dumps({"RequestId": "R", "DIJobPaging": {"TotalCount": len(jobs), "DIJobs": jobs}}).encode()
    emulator.inject({"operation": "ListDIJobs", "times": None, "body": page})

    async def main() -> list[Any]:
        common = {"project_id": 1967, "deadline": time.time() + 20, "poll_interval": 0.05}
        return await asyncio.gather(*(one_event(DIJobStatusTrigger(di_job_id=job_id, **common)) for job_id in ids))

    events = asyncio.run(main())

    assert [(event["outcome"], event["job"]["id"]) for event in events] == [("settled", job_id) for job_id in ids]
    assert (emulator.count("ListDIJobs"), emulator.count("GetDIJob")) == (1, 1)


def test_a_failed_jobs_own_text_ends_the_task_safely(emulator: Emulator, clock: Clock) -> None:
    """It crosses the database."""
    emulator.inject({"operation": "GetDIJob", "body": said()})
    failed = {"JobStatus": "Failed", "ErrorMessage": ODD}
    emulator.inject({"operation": "GetDIJob", "times": None, "body": said(**failed)})
    emulator.inject({"operation": "ListDIJobs", "times": None, "body": listed(**failed)})

    row = stop(clock, deferrable=True, poll_interval=0.05).trigger.serialize()[1]
    event = event_of(DIJobStatusTrigger(**{**row, "deadline": time.time() + 20}))
    with pytest.raises(DIJobFailed, match="stream \ufffd") as caught:
        StopDIJobOperator(task_id="stop", di_job_id=JOB).execute_complete({}, event)  # type: ignore[typeddict-item]

    assert_safe_error(caught.value)
