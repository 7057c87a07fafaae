"""A trigger made of anything ends in one event about itself, and harms neither its neighbours nor the triggerer."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Callable
from typing import Any

import pytest
from any_airflow import serde
from emulated import JOB, Clock
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from safe import assert_event, assert_safe_error

from airflow_provider_dataworks.emulator import Emulator
from airflow_provider_dataworks.exceptions import DataWorksError
from airflow_provider_dataworks.operators.dataworks import StopDIJobOperator
from airflow_provider_dataworks.triggers import _shared_clients
from airflow_provider_dataworks.triggers.dataworks import DIJobStatusTrigger

NAN, INF = float("nan"), float("inf")
GOOD: dict[str, Any] = {
    "di_job_id": JOB,
    "project_id": 1967,
    "dataworks_conn_id": "dataworks_default",
    "accept": ["Stopped", "Finished"],
    "fail_on": ["Failed"],
    "poll_interval": 0.05,
    "report": {"by_us": True},
}
ODD = {
    "di_job_id": [[1], "abc", NAN, 11668.7, True, {}, -1, 0, 2**63, 2**70, "11_668", " 11668", "", "\ud83d", None],
    "project_id": [[1], "abc", NAN, 1.5, True, 2**70, -5, {}],
    "dataworks_conn_id": [5, "", ["x"], "a\nb", "\ud83d", "x" * 300, {}, False],
    "accept": [5, "Stopped", [5], [None], [["Stopped"]], ["a\nb"], ["\ud83d"], ["x" * 61], ["x"] * 21, {}, True],
    "fail_on": [5, "Stopped", [5], [{}], NAN, ["\x00"]],
    "deadline": [INF, -INF, NAN, None, "soon", "1790000000", [1], {}, True, 10**400, 1e300],
    "poll_interval": [NAN, INF, 0, -1, "30", [30], {}, True, False, 10**400],
    "report": [5, "text", [1], True, NAN],
    "unheard": [1, None],
    "self": [1],
    "\ud83d\n": [1],
}
ROWS = [(name, value) for name, values in ODD.items() for value in values]


@pytest.fixture(autouse=True)
def _soon(monkeypatch: pytest.MonkeyPatch) -> None:
    """Take first looks at once."""
    monkeypatch.setattr(DIJobStatusTrigger, "first_look", 0.05)


@pytest.fixture
def clock() -> Any:
    """The real clock: the watcher lives by the event loop's."""
    found = Clock()
    found.now = time.time  # type: ignore[method-assign]
    return found


def made_of(**arguments: Any) -> DIJobStatusTrigger:
    """Make a trigger of the emulator's job with these arguments."""
    return DIJobStatusTrigger(**{**GOOD, "deadline": time.time() + 20, **arguments})


async def event_of(trigger: DIJobStatusTrigger) -> Any:
    """Run a trigger to its one event, as the triggerer stores it."""
    (event,) = [event.payload async for event in trigger.run()]
    assert_event(event)
    return json.loads(json.dumps(event))


@pytest.mark.usefixtures("connect")
def test_a_row_that_makes_no_sense_ends_in_one_event_about_it(emulator: Emulator) -> None:
    """All of them at once, among waits that are fine; each error names its argument, and nothing is asked for it."""
    emulator.set_status(JOB, "Stopped")

    async def main() -> list[Any]:
        odd = [event_of(made_of(**{name: value})) for name, value in ROWS]
        good = [event_of(made_of()) for _ in range(20)]
        return await asyncio.wait_for(asyncio.gather(*odd, *good), 20)

    *odd, last = asyncio.run(main())
    wrong = []
    for (name, value), event in zip(ROWS, odd, strict=False):
        error = event.get("error", {})
        known = error.get("class") == "DataWorksPermanentError" and error.get("see") == "trigger-not-understood"
        if not known or f"its argument {name.encode('ascii', 'replace').decode()[:4]}" not in error["message"]:
            known = known and not name.isascii()
        if not known:
            wrong.append((name, value, event))

    assert wrong == []
    assert (last["outcome"], last["report"]) == ("settled", {"by_us": True})
    assert [event["outcome"] for event in odd[len(ROWS) :]] == ["settled"] * 19
    assert emulator.count() <= 2


@pytest.mark.parametrize("missing", ["di_job_id", "deadline"])
async def test_a_row_that_lacks_an_argument_says_which(missing: str) -> None:
    """Of those that have no default."""
    given = {**GOOD, "deadline": 1.0}
    del given[missing]

    event = await event_of(DIJobStatusTrigger(**given))

    assert missing in event["error"]["message"]


async def test_a_row_of_nothing_is_one_event() -> None:
    """It is made, stored and run like any other."""
    path, kwargs = DIJobStatusTrigger().serialize()
    event = await event_of(DIJobStatusTrigger(**serde.deserialize(serde.serialize(kwargs))))

    assert path.endswith(".DIJobStatusTrigger")
    assert event["error"]["see"] == "trigger-not-understood"


def test_what_is_not_known_is_kept_in_the_row() -> None:
    """A triggerer of this version may store it anew, for one of the other."""
    found = made_of(later=[1]).serialize()[1]

    assert found["later"] == [1]
    assert made_of(**found).serialize()[1] == found


@pytest.mark.parametrize("name", ["di_job_id", "deadline", "unheard"])
async def test_the_task_of_such_a_row_learns_what_to_do(name: str) -> None:
    """In an error that is permanent: the same row would be no better."""
    event = await event_of(made_of(**{name: [1]}))
    with pytest.raises(DataWorksError, match=name) as caught:
        StopDIJobOperator(task_id="stop", di_job_id=JOB).execute_complete({}, event)  # type: ignore[typeddict-item]

    assert not caught.value.retryable
    assert_safe_error(caught.value)
    assert str(caught.value).endswith("For more: python -m airflow_provider_dataworks explain trigger-not-understood")


async def test_an_error_that_nobody_expected_is_an_event_too(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Its text is not: it may hold anything."""

    def broken(*_: Any, **__: Any) -> Any:
        raise ZeroDivisionError("\ud83d secret")

    monkeypatch.setattr(_shared_clients, "watcher_of", broken)
    event = await event_of(made_of())

    assert event["error"]["see"] == "wait-broken"
    assert "ZeroDivisionError" in event["error"]["message"]
    assert "secret" not in json.dumps(event)
    assert "Traceback" in caplog.text


anything = st.recursive(
    st.one_of(
        st.none(),
        st.booleans(),
        st.integers(),
        st.floats(),
        st.text(st.characters(), max_size=8),
        st.sampled_from(["Stopped", "\ud83d", 10**400, INF, JOB]),
    ),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(st.text(max_size=5), inner, max_size=3)),
    max_leaves=6,
)
rows = st.dictionaries(st.one_of(st.sampled_from([*GOOD, "deadline"]), st.text(max_size=6)), anything, max_size=8)


@settings(
    max_examples=200,
    deadline=None,
    database=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(row=rows)
def test_any_row_is_one_event(connect: Callable[..., None], row: dict[str, Any]) -> None:
    """Whatever JSON holds, and more."""
    given = {**GOOD, "deadline": 0.0, "dataworks_conn_id": "nowhere", **row}

    event = asyncio.run(event_of(DIJobStatusTrigger(**given)))

    assert event["outcome"] == "failed"
    assert isinstance(event["report"], dict)
