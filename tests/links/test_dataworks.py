"""The link to the console: pushed before the wait begins, and read from where it was pushed."""

from __future__ import annotations

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest
from airflow_limits import lacks
from emulated import JOB, Clock, TaskInstance, on_clock

from airflow_provider_dataworks.emulator import Emulator
from airflow_provider_dataworks.hooks.dataworks import DataWorksHook
from airflow_provider_dataworks.links.dataworks import DataWorksConsoleLink, DataWorksPageLink
from airflow_provider_dataworks.operators.dataworks import StopDIJobOperator
from airflow_provider_dataworks.version_compat import XCom

WORKSPACE = "https://dataworks.data.aliyun.com/cn-shanghai/sc?defaultProjectId=1967"


@pytest.mark.parametrize(
    ("extra", "url"),
    [
        pytest.param({}, "https://dataworks.console.aliyun.com/workspace/list", id="region-unknown"),
        pytest.param({"region": "cn-shanghai"}, WORKSPACE, id="workspace"),
        pytest.param(
            {"region": "cn-shanghai", "console_url": "https://c.example/{region}/di?p={project_id}"},
            "https://c.example/cn-shanghai/di?p=1967",
            id="own-template",
        ),
    ],
)
def test_a_running_task_has_its_link_before_it_waits(
    emulator: Emulator, connect: Callable[..., None], clock: Clock, extra: dict[str, Any], url: str
) -> None:
    """Airflow itself would push it when the try ends: hours later for a blocking wait."""
    connect(**extra)
    operator = StopDIJobOperator(task_id="stop", di_job_id=JOB)
    operator.hook = on_clock(DataWorksHook(), clock)
    task_instance = TaskInstance()
    seen: list[Any] = []

    def sleep(seconds: float) -> None:
        seen.append(dict(task_instance.pushed))
        clock.sleep(seconds)

    operator.hook.sleep = sleep
    operator.execute({"ti": task_instance})  # type: ignore[typeddict-item]

    assert seen[0]["_link_DataWorksConsoleLink"] == url


def test_a_link_that_cannot_be_stored_does_not_end_the_stop(
    emulator: Emulator, connect: Callable[..., None], clock: Clock, logged: Callable[[], str]
) -> None:
    """The stop is under way by then."""

    class Broken(TaskInstance):
        def xcom_push(self, key: str, value: Any) -> None:
            if key.startswith("_link"):
                raise RuntimeError("the API server is away")

    operator = StopDIJobOperator(task_id="stop", di_job_id=JOB)
    operator.hook = on_clock(DataWorksHook(), clock)

    assert operator.execute({"ti": Broken()})["status"] == "Stopped"  # type: ignore[typeddict-item]
    assert "the API server is away" in logged()


@pytest.mark.parametrize(("pushed", "expected"), [(WORKSPACE, WORKSPACE), (None, ""), (5, "")])
def test_the_link_is_what_the_task_pushed(monkeypatch: pytest.MonkeyPatch, pushed: Any, expected: str) -> None:
    """And empty before that; a failing link would only be logged by Airflow."""
    asked: list[Any] = []

    def get_value(*, key: str, ti_key: Any) -> Any:
        asked.append((key, ti_key))
        return pushed

    monkeypatch.setattr(XCom, "get_value", get_value)

    assert DataWorksConsoleLink().get_link(None, ti_key="this-task") == expected
    assert asked == [("_link_DataWorksConsoleLink", "this-task")]


def test_the_page_of_the_run_is_one_click_away() -> None:
    """By an address below Airflow's own, whatever that is; where there is no page, there is no link to it."""
    names = [link.name for link in StopDIJobOperator(task_id="stop", di_job_id=JOB).operator_extra_links]
    key = SimpleNamespace(dag_id="a dag", run_id="manual__2026-11-26T02:00:00+00:00")
    address = DataWorksPageLink().get_link(None, ti_key=key)

    if lacks("page"):
        assert (names, address) == (["DataWorks console"], "")
    else:
        assert names == ["DataWorks console", "DataWorks page"]
        assert address == "dataworks/run?dag_id=a+dag&run_id=manual__2026-11-26T02%3A00%3A00%2B00%3A00"


def test_a_template_that_is_no_address_is_refused(emulator: Emulator, connect: Callable[..., None]) -> None:
    """A link may not run a script in the reader's browser."""
    connect(console_url="javascript:alert(1)")

    good, text = DataWorksHook().test_connection()

    assert not good
    assert "console_url" in text
