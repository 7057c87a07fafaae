"""A person clears exactly one task instance, as Airflow 3.4 can: no stop and no restart come along, so no work begins.

`conftest.py` leaves this out below Airflow 3.4; `make test-e2e-next` runs it.
"""

from __future__ import annotations

from collections.abc import Callable

import pytest
from real_airflow import ENDED, Run, account

from airflow_provider_dataworks.emulator import Emulator, Job
from demo.airflow_processes import LocalAirflow

pytestmark = pytest.mark.e2e
WORK = "maintenance.work.alter_table"


@pytest.mark.parametrize(
    ("dag_id", "map_index"),
    [pytest.param("e2e_cleared", -1, id="one"), pytest.param("e2e_cleared_mapped_work", 0, id="mapped")],
)
def test_work_that_is_cleared_exactly_is_not_begun(
    airflow: LocalAirflow,
    emulator: Emulator,
    new_job: Callable[..., Job],
    start_run: Callable[..., Run],
    dag_id: str,
    map_index: int,
) -> None:
    """The job is running again, and is left so; nothing but that task has another try."""
    job = new_job(stop_seconds=1, start_seconds=1).id
    run = start_run(dag_id, job=job)
    assert run.wait_end(120) == "failed"
    tries = {(task["task_id"], task["map_index"]): task["try_number"] for task in run.tasks()}
    changes = emulator.count("StopDIJob") + emulator.count("StartDIJob")

    airflow.clear_exactly(run.dag_id, run.run_id, run.task(WORK, map_index)["id"])
    airflow.wait_until("the run to go on", lambda: run.state not in ENDED, 60, interval=0.05)

    assert run.wait_end(120) == "failed"
    assert "Clear the whole group 'maintenance'" in run.log(2, WORK, map_index)
    assert account(emulator, job) == ("Running", 1, 1)
    assert emulator.count("StopDIJob") + emulator.count("StartDIJob") == changes
    after = {(task["task_id"], task["map_index"]): task["try_number"] for task in run.tasks()}
    assert after == {**tries, (WORK, map_index): 2}
