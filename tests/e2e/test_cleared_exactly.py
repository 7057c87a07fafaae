"""A person clears exactly one task instance, as Airflow 3.4 can: no restart comes along, so it is not begun.

`conftest.py` leaves this out below Airflow 3.4; `make test-e2e-next` runs it.
"""

from __future__ import annotations

from collections.abc import Callable

import pytest
from real_airflow import ENDED, Run, account

from airflow_provider_dataworks.emulator import Emulator, Job
from demo.airflow_processes import LocalAirflow

pytestmark = pytest.mark.e2e
WORK, STOP = "maintenance.work.alter_table", "maintenance.stop"


@pytest.mark.parametrize(
    ("dag_id", "task_id", "map_index", "state"),
    [
        pytest.param("e2e_cleared", WORK, -1, "failed", id="work"),
        pytest.param("e2e_cleared_mapped_work", WORK, 0, "failed", id="mapped-work"),
        pytest.param("e2e_maintenance", STOP, -1, "success", id="stop"),
        pytest.param("e2e_maintenance_mapped", STOP, 0, "success", id="mapped-stop"),
    ],
)
def test_what_is_cleared_exactly_is_not_begun(
    airflow: LocalAirflow,
    emulator: Emulator,
    new_job: Callable[..., Job],
    start_run: Callable[..., Run],
    dag_id: str,
    task_id: str,
    map_index: int,
    state: str,
) -> None:
    """
    The job is running again, and is left so; nothing but that task has another try, and it is red.

    So is the run where it was before: Airflow judges it by its leaves, which are not touched.
    """
    job = new_job(stop_seconds=1, start_seconds=1).id
    run = start_run(dag_id, job=job, jobs=[job])
    assert run.wait_end(120) == state
    tries = {(task["task_id"], task["map_index"]): task["try_number"] for task in run.tasks()}
    changes = emulator.count("StopDIJob") + emulator.count("StartDIJob")

    airflow.clear_exactly(run.dag_id, run.run_id, run.task(task_id, map_index)["id"])
    airflow.wait_until("the run to go on", lambda: run.state not in ENDED, 60, interval=0.05)

    assert run.wait_end(120) == state
    assert run.task(task_id, map_index)["state"] == "failed"
    assert "Clear the whole group 'maintenance'" in run.log(2, task_id, map_index)
    assert account(emulator, job) == ("Running", 1, 1)
    assert emulator.count("StopDIJob") + emulator.count("StartDIJob") == changes
    after = {(task["task_id"], task["map_index"]): task["try_number"] for task in run.tasks()}
    assert after == {**tries, (task_id, map_index): 2}
