"""The question before a maintenance, and what the log says of the answer."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from types import SimpleNamespace
from typing import Any

import pytest
from airflow_limits import needs
from any_airflow import ApprovalOperator
from emulated import JOB, TaskInstance, connect, emulator, logged
from emulated import real_clock as clock

from airflow_provider_dataworks.emulator import Emulator
from airflow_provider_dataworks.exceptions import DIJobFailed
from airflow_provider_dataworks.maintenance import DIJobMaintenance, MaintenanceWindow
from airflow_provider_dataworks.version_compat import DAG

__all__ = ["clock", "connect", "emulator", "logged"]

pytestmark = needs("approval")
ALWAYS = MaintenanceWindow("0 0 * * *", timedelta(days=1), "UTC")
NEVER = MaintenanceWindow("0 0 1 1 *", 60, "UTC", freeze=[("2000-01-01", "2099-01-02")])


@pytest.fixture
def question(monkeypatch: pytest.MonkeyPatch) -> Callable[..., Any]:
    """Return the approval task as it is when Airflow's own part of it begins to ask."""
    monkeypatch.setattr(ApprovalOperator, "execute", lambda self, context: self)

    def ask(ids: Any = JOB, **arguments: Any) -> Any:
        with DAG("asks", schedule=None, start_date=datetime(2026, 1, 1)) as dag:
            arguments = {"approval": True, "window": ALWAYS, **arguments}
            with DIJobMaintenance(di_job_ids=ids, **arguments):
                pass
        return dag.get_task("maintenance.approve").execute({})

    return ask


def test_the_question_names_jobs_connection_region_and_the_windows_end(
    question: Callable[..., Any], connect: Callable[..., None]
) -> None:
    """Whoever is asked may not know the DAG."""
    connect(region="cn-shanghai")

    body = question([JOB, 11743]).body

    for part in ("11668, 11743", "dataworks_default", "region cn-shanghai", "daily 00:00 for 1d (UTC)", "it ends at"):
        assert part in body, body


def test_an_authors_own_words_stay(question: Callable[..., Any], connect: Callable[..., None]) -> None:
    """The facts come behind them."""
    asked = question(approval={"subject": "Go?", "body": "Schema change 42."})

    assert asked.subject == "Go?"
    assert asked.body.startswith("Schema change 42.\n\n- DI jobs to stop")


def test_a_closed_window_and_an_unreadable_connection_are_said(
    question: Callable[..., Any], monkeypatch: pytest.MonkeyPatch, emulator: Emulator
) -> None:
    """A person who says yes to what cannot happen should know."""
    monkeypatch.setenv("AIRFLOW_CONN_DATAWORKS_DEFAULT", '{"conn_type": "dataworks", "extra": {"region": "Nowhere!"}}')

    body = question(window=NEVER).body

    assert "it is closed now, so nothing will be stopped" in body
    assert "could not be read" in body
    assert emulator.calls == []


@pytest.mark.parametrize(
    ("user", "said"),
    [
        ({"id": "7", "name": "Li Wei"}, "Li Wei said no"),
        ({"id": "7", "name": "x\ud83d\n\x1b[31m"}, "x???[31m said no"),
        (None, "Nobody answered in time, which counts as no"),
    ],
)
def test_a_no_says_whose_it_was_and_that_nothing_was_touched(
    question: Callable[..., Any], monkeypatch: pytest.MonkeyPatch, logged: Callable[[], str], user: Any, said: str
) -> None:
    """Else the run is green without a word."""
    monkeypatch.setattr(ApprovalOperator, "execute_complete", lambda self, context, event: event)
    event = {"chosen_options": ["Reject"], "params_input": {}, "responded_by_user": user}

    question().execute_complete({"ti": SimpleNamespace()}, event)

    assert f"{said}: no DI job was touched" in logged()


def test_a_no_in_a_run_that_was_cleared_in_its_middle_is_red(
    question: Callable[..., Any], monkeypatch: pytest.MonkeyPatch, emulator: Emulator, connect: Callable[..., None]
) -> None:
    """Skipped, the run would be green, and the job that it has stopped would stay down; the question says so."""
    monkeypatch.setattr(ApprovalOperator, "execute_complete", lambda self, context, event: event)
    event = {"chosen_options": ["Reject"], "params_input": {}, "responded_by_user": None}
    asked, missed = question(approval={"retries": 0}), []
    rows = (
        (1, "Stopped", False, True),
        (0, "Stopped", False, False),
        (1, "Running", False, False),
        (1, "Stopped", True, False),
    )
    for tries, status, withdrawn, red in rows:
        emulator.set_status(JOB, status)
        task_instance = TaskInstance(tries)
        task_instance.xcom_push("dataworks_stop", {"di_job_id": JOB, "withdrawn": withdrawn})
        context = {"ti": task_instance, "task": asked}
        asked.body = ""
        asked.execute(context)
        said = f"a no would leave it so: DI job {JOB} is Stopped" in asked.body
        try:
            asked.execute_complete(context, event)
        except DIJobFailed as error:
            found = (f"DI job {JOB} is Stopped" in str(error), said)
        else:
            found = (False, said)
        if found != (red, red):
            missed.append((tries, status, found))
    assert missed == []
