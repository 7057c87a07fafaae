"""A real triggerer meets answers that Airflow could not store: each wait ends as it should, and ends no other."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from odd_answers import HALF, said
from real_airflow import Run

from airflow_provider_dataworks.emulator import Emulator, Job
from demo.airflow_processes import LocalAirflow

pytestmark = pytest.mark.e2e


def test_no_odd_answer_ends_the_triggerer(
    airflow: LocalAirflow, emulator: Emulator, new_job: Callable[..., Job], start_run: Callable[..., Run]
) -> None:
    """Half an emoji in the name, or in the text of a failure; a workspace that cannot be; and a neighbour without."""
    triggerer = airflow.processes["triggerer"].pid
    named = new_job(name=HALF, stop_ends_in="never").id
    failing = new_job(error_message=f"the source is gone, {HALF}", stop_ends_in="never").id
    elsewhere = new_job(stop_ends_in="never").id
    neighbour = new_job(stop_ends_in="never").id
    looked_at = {"operation": "GetDIJob", "job_id": elsewhere}
    emulator.inject({**looked_at, "body": said(Id=elsewhere, ProjectId=2**70), "content_type": "application/json"})
    runs = {job: start_run("e2e_stop_deferred", job=job) for job in (named, failing, elsewhere, neighbour)}

    for run in runs.values():
        run.wait_task("deferred")
    seen = emulator.count()
    airflow.wait_until("more looks of the triggerer", lambda: emulator.count() > seen + 2, 30)
    for job in runs:
        emulator.set_status(job, "Failed" if job == failing else "Stopped")

    assert {job: run.wait_end() for job, run in runs.items()} == {
        named: "success",
        failing: "failed",
        elsewhere: "success",
        neighbour: "success",
    }
    assert [run.task()["try_number"] for run in runs.values()] == [1, 1, 1, 1]
    assert "the source is gone, stream" in runs[failing].log(1)
    assert all(runs[job].result()["stopped_by_this_run"] for job in (named, elsewhere, neighbour))
    assert [emulator.job(job).effective_stops for job in runs] == [1, 1, 1, 1]
    airflow.check()
    assert airflow.processes["triggerer"].pid == triggerer
