"""Odd answers of a service, through a task that waits in its worker; see the triggers' for the others."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from emulated import JOB, Clock
from odd_answers import FIELDS, ODD, said, stop
from safe import assert_safe_error

from airflow_provider_dataworks.emulator import Emulator
from airflow_provider_dataworks.exceptions import DIJobFailed

pytestmark = pytest.mark.usefixtures("connect")


@pytest.mark.parametrize("api_version", ["2020-05-18", "2024-05-18"])
@pytest.mark.parametrize("fields", FIELDS)
def test_a_task_in_its_worker_stops_the_job_all_the_same(
    emulator: Emulator, connect: Callable[..., None], clock: Clock, fields: dict[str, Any], api_version: str
) -> None:
    """One stop, and a result that can be stored."""
    connect(api_version=api_version)
    emulator.inject({"operation": "GetDIJob", "body": said(**fields)})
    emulator.inject({"operation": "GetDIJob", "body": said(**{**fields, "JobStatus": "Stopping"})})

    found = stop(clock)

    assert (found["status"], found["stopped_by_this_run"]) == ("Stopped", True)
    assert emulator.job(JOB).effective_stops == 1


def test_a_failed_jobs_own_text_ends_the_task_safely(emulator: Emulator, clock: Clock) -> None:
    """Airflow prints, stores and sends it."""
    emulator.inject({"operation": "GetDIJob", "body": said()})
    emulator.inject({"operation": "GetDIJob", "times": None, "body": said(JobStatus="Failed", ErrorMessage=ODD)})

    ended = stop(clock)

    assert isinstance(ended, DIJobFailed)
    assert_safe_error(ended)
    assert "stream \ufffd" in str(ended)


@pytest.mark.parametrize("status", [f"Stopped{ODD}", "Stopped\n", "\x1b[32mStopped", "x" * 10**6, "\ud83d"], ids=ascii)
def test_an_odd_status_is_waited_on_and_never_taken_for_another(
    emulator: Emulator, clock: Clock, status: str, logged: Callable[[], str]
) -> None:
    """Nothing is sent for it, and the log tells it in one line."""
    emulator.inject({"operation": "GetDIJob", "times": 3, "body": said(JobStatus=status)})

    found = stop(clock)

    assert (found["status_before"], found["stopped_by_this_run"]) == ("Running", True)
    assert "\x1b[2J" not in logged()


@pytest.mark.parametrize("api_version", ["2020-05-18", "2024-05-18"])
def test_an_endless_request_id_is_cut(
    emulator: Emulator, connect: Callable[..., None], clock: Clock, api_version: str
) -> None:
    """Of five megabytes, a hundred characters reach the result."""
    connect(api_version=api_version)
    body = json.dumps({"RequestId": "R" * 5_000_000, "Success": True})
    emulator.inject({"operation": "StopDIJob", "body": body, "effect": True})

    found = stop(clock)

    assert found["request_id"] == f"{'R' * 97}..."
    assert emulator.job(JOB).effective_stops == 1
