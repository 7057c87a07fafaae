"""The fixtures for users' tests: a connection that leads to the emulator, and waits that take no time."""

from __future__ import annotations

import json
import os

import emulated  # noqa: F401 - sets Airflow's home before Airflow is imported
import pytest
from dag_runs import run_dag

from airflow_provider_dataworks.emulator import Emulator
from airflow_provider_dataworks.emulator.fixtures import (
    EmulatorFactory,
    dataworks_emulator,
    dataworks_emulator_factory,
)
from airflow_provider_dataworks.exceptions import DataWorksForbidden, DIJobWaitTimeout
from airflow_provider_dataworks.hooks.dataworks import DataWorksHook
from airflow_provider_dataworks.operators.dataworks import StopDIJobOperator
from airflow_provider_dataworks.version_compat import DAG

__all__ = ["dataworks_emulator", "dataworks_emulator_factory"]

HOURS = 8 * 3600


def test_the_connection_leads_to_an_emulated_job_that_runs(dataworks_emulator: Emulator) -> None:
    """Nothing else is needed to try a hook."""
    assert DataWorksHook().get_di_job(11668).status == "Running"
    assert json.loads(os.environ["AIRFLOW_CONN_DATAWORKS_DEFAULT"])["port"] == dataworks_emulator.port
    assert [(call.operation, call.job_id) for call in dataworks_emulator.calls] == [("GetDIJob", 11668)]


def test_waits_of_hours_take_no_time(dataworks_emulator: Emulator) -> None:
    """They set the clock ahead, for hooks and emulator alike: else this test would not end today."""
    hook = DataWorksHook()
    begun = hook.now()
    dataworks_emulator.add_job(11668, "Running", stop_seconds=HOURS - 1)
    hook.stop_di_job(11668)

    assert hook.wait_until_stopped(11668, timeout=2 * HOURS, poll_interval=HOURS).status == "Stopped"
    assert hook.now() - begun >= HOURS
    assert DataWorksHook().now() - begun >= HOURS

    dataworks_emulator.set_status(11668, "Running")
    with pytest.raises(DIJobWaitTimeout):
        hook.wait_until_stopped(11668, timeout=HOURS, poll_interval=HOURS)


def test_the_factory_makes_several_with_connections_of_their_own(dataworks_emulator_factory: EmulatorFactory) -> None:
    """Each with its jobs, its API version and its faults."""
    one = dataworks_emulator_factory(jobs={1: "Running"})
    other = dataworks_emulator_factory(
        "other",
        extra={"api_version": "2024-05-18"},
        jobs={2: "Stopped"},
        faults=[{"operation": "StopDIJob", "error": {"status": 403, "code": "Forbidden.RAM"}}],
    )

    assert DataWorksHook().get_di_job(1).status == "Running"
    assert DataWorksHook("other").get_di_job(2).status == "Stopped"
    with pytest.raises(DataWorksForbidden):
        DataWorksHook("other").stop_di_job(2)
    assert {call.version for call in one.calls} == {"2020-05-18"}
    assert {call.version for call in other.calls} == {"2024-05-18"}


def test_a_token_of_the_emulator_is_in_the_connection(dataworks_emulator_factory: EmulatorFactory) -> None:
    """Temporary keys work as others do."""
    emulator = dataworks_emulator_factory(security_token="CAIS-token")

    assert DataWorksHook().get_di_job(11668).id == 11668
    assert emulator.connection()["extra"]["security_token"] == "CAIS-token"


@pytest.mark.parametrize("deferrable", [False, True], ids=["blocking", "deferred"])
def test_a_dag_with_everyday_intervals_runs(dataworks_emulator: Emulator, deferrable: bool) -> None:
    """As it is in production: poll_interval of 30 seconds, in the worker or in the triggerer."""
    with DAG(f"everyday_{deferrable}", schedule=None) as dag:
        StopDIJobOperator(task_id="stop", di_job_id=11668, deferrable=deferrable)

    state, _ = run_dag(dag)

    assert state == "success"
    assert dataworks_emulator.job(11668).effective_stops == 1
