"""The trigger: what it is stored as, and that it ends in exactly one event."""

from __future__ import annotations

import asyncio
import json
import threading
import time
from collections.abc import Callable
from functools import partial
from typing import Any, ClassVar

import pytest
from any_airflow import serde
from emulated import JOB

from airflow_provider_dataworks.client.http.session import Session
from airflow_provider_dataworks.emulator import Emulator
from airflow_provider_dataworks.exceptions import DataWorksUnavailable
from airflow_provider_dataworks.hooks.dataworks import DataWorksHook
from airflow_provider_dataworks.triggers import _shared_clients
from airflow_provider_dataworks.triggers._events import outcome_of
from airflow_provider_dataworks.triggers.dataworks import DIJobStatusTrigger
from airflow_provider_dataworks.version_compat import AirflowException, BaseHook


@pytest.fixture
def clock() -> Any:
    """The real clock: the watcher lives by the event loop's."""
    from emulated import Clock

    found = Clock()
    found.now = time.time  # type: ignore[method-assign]
    return found


@pytest.fixture
def soon(monkeypatch: pytest.MonkeyPatch) -> None:
    """Take first looks at once; ten seconds are a guard against a race of Airflow's."""
    monkeypatch.setattr(DIJobStatusTrigger, "first_look", 0.05)


def trigger(**arguments: Any) -> DIJobStatusTrigger:
    """Make a trigger for the emulator's job."""
    known = {"di_job_id": JOB, "project_id": 1967, "deadline": time.time() + 20, "poll_interval": 0.05}
    return DIJobStatusTrigger(**{**known, **arguments})


async def events_of(found: DIJobStatusTrigger) -> list[Any]:
    """Run a trigger to its end."""
    return [event.payload async for event in found.run()]


FULL: dict[str, Any] = {
    "di_job_id": 7,
    "project_id": 1967,
    "dataworks_conn_id": "other",
    "accept": ["Stopped", "Failed"],
    "fail_on": ["Finished"],
    "deadline": 1_790_000_000.5,
    "poll_interval": 15,
    "report": {"by_us": True, "status_before": "Running", "request_id": None},
    "proof": {"healthy_for": 120.0, "max_lag": 60.0, "lag_timeout": 600.0, "stable_for": 0.0, "since": None},
}


@pytest.mark.parametrize("arguments", [FULL, {"di_job_id": 7, "deadline": 1.5}], ids=["all", "least"])
def test_it_is_rebuilt_as_it_was(arguments: dict[str, Any]) -> None:
    """Through JSON and through Airflow's own serializer; the path is the class's own."""
    found = DIJobStatusTrigger(**arguments)
    path, kwargs = found.serialize()

    assert path == "airflow_provider_dataworks.triggers.dataworks.DIJobStatusTrigger"
    for carried in (json.loads(json.dumps(kwargs)), serde.deserialize(serde.serialize(kwargs))):
        again = DIJobStatusTrigger(**carried)
        assert again.serialize() == (path, kwargs)
    assert set(kwargs) == set(DIJobStatusTrigger.FIELDS) == set(FULL)


def test_a_subclass_is_stored_under_its_own_name() -> None:
    """The path is never written by hand."""

    class Mine(DIJobStatusTrigger):
        pass

    assert Mine(di_job_id=1, deadline=1).serialize()[0].endswith("Mine")


def test_names_of_an_earlier_release_stay_accepted() -> None:
    """Rows outlive upgrades."""

    class Later(DIJobStatusTrigger):
        RENAMED: ClassVar[dict[str, str]] = {"job": "di_job_id", "end_time": "deadline"}

    assert Later(job=5, end_time=9.5).serialize()[1]["di_job_id"] == 5


@pytest.mark.usefixtures("soon", "connect")
@pytest.mark.parametrize("api_version", ["2020-05-18", "2024-05-18"])
def test_it_ends_in_one_event_when_the_job_has_stopped(
    emulator: Emulator, connect: Callable[..., None], api_version: str
) -> None:
    """With the job as seen, and what the task gave along."""
    connect(api_version=api_version)
    emulator.set_status(JOB, "Stopped")

    (event,) = asyncio.run(events_of(trigger(report={"by_us": True})))

    assert event["outcome"] == "settled"
    assert (event["job"]["id"], event["job"]["status"]) == (JOB, "Stopped")
    assert event["report"] == {"by_us": True}


@pytest.mark.usefixtures("soon", "connect")
@pytest.mark.parametrize(
    ("arguments", "error"),
    [
        pytest.param({"di_job_id": 4711}, "DataWorksNotFound", id="unknown-job"),
        pytest.param({"deadline": 0.0}, "DIJobWaitTimeout", id="time-over"),
        pytest.param(
            {"dataworks_conn_id": "no_such_connection", "deadline": time.time() + 0.5},
            "DataWorksUnavailable",
            id="no-connection",
        ),
    ],
)
def test_it_ends_in_one_event_when_it_cannot_go_on(emulator: Emulator, arguments: dict[str, Any], error: str) -> None:
    """An exception would reach the task without its type."""
    (event,) = asyncio.run(events_of(trigger(**arguments)))

    assert event["outcome"] == "failed"
    assert event["error"]["class"] == error


@pytest.mark.usefixtures("soon", "emulator")
@pytest.mark.parametrize(("field", "value"), [("api_version", "1999"), ("ca_file", "/nowhere/ca.pem")])
def test_a_connection_with_a_wrong_field_is_told_as_such(connect: Callable[..., None], field: str, value: str) -> None:
    """The field is named in the event."""
    connect(**{field: value})

    (event,) = asyncio.run(events_of(trigger()))

    assert event["error"]["class"] == "DataWorksInvalidRequest"
    assert field in event["error"]["message"]


@pytest.mark.usefixtures("soon", "connect")
def test_waits_of_one_connection_share_client_and_looks(emulator: Emulator) -> None:
    """Fifty triggers, one page a round, and one connection read."""
    ids = range(1, 51)
    for job_id in ids:
        emulator.add_job(job_id, "Stopped")

    async def main() -> list[Any]:
        return await asyncio.gather(*(events_of(trigger(di_job_id=job_id)) for job_id in ids))

    ended = asyncio.run(main())

    assert [event["outcome"] for (event,) in ended] == ["settled"] * 50
    assert emulator.count("ListDIJobs") == 1
    assert emulator.count("GetDIJob") == 0


@pytest.mark.usefixtures("soon", "connect")
def test_nothing_is_left_open_behind_the_last_wait(emulator: Emulator, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also when the triggers are cancelled, as on a shutdown of the triggerer."""
    released: list[Session] = []
    release = Session.release

    def releasing(self: Session) -> None:
        released.append(self)
        release(self)

    monkeypatch.setattr(Session, "release", releasing)

    async def main() -> Any:
        tasks = [asyncio.create_task(events_of(trigger())) for _ in range(3)]
        await asyncio.sleep(0.4)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        return asyncio.all_tasks() - {asyncio.current_task()}

    others = asyncio.run(main())
    until = time.monotonic() + 5
    while any(thread.name == "dataworks-dataworks_default" for thread in threading.enumerate()):
        assert time.monotonic() < until
        time.sleep(0.01)

    assert len(released) == 1  # of one client that they shared
    assert others == set()


@pytest.mark.usefixtures("soon", "connect")
def test_a_bad_connection_harms_no_other(emulator: Emulator) -> None:
    """One connection is wrong, the other's waits go on."""
    emulator.set_status(JOB, "Stopped")

    async def main() -> Any:
        return await asyncio.gather(
            events_of(trigger(dataworks_conn_id="no_such_connection", deadline=time.time() + 0.5)), events_of(trigger())
        )

    (bad,), (good,) = asyncio.run(main())

    assert (bad["outcome"], good["outcome"]) == ("failed", "settled")


def test_a_corrected_connection_reaches_the_next_wait(
    emulator: Emulator, connect: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Although older waits still go on; they keep what they began with, and as long as nothing changes all share."""
    monkeypatch.setattr(_shared_clients, "_FRESH", -1.0)

    async def work() -> list[bool]:
        wait = partial(_shared_clients.watcher_of, "dataworks_default", 1967)
        async with wait() as first, wait() as second:
            connect(read_timeout=3)
            async with wait() as third:
                return [second is first, third is first]

    assert asyncio.run(work()) == [True, False]


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Read a connection that cannot be read again at once."""
    monkeypatch.setattr(_shared_clients, "_FIRST_PAUSE", 0.05)


@pytest.mark.usefixtures("soon", "impatient", "emulator")
@pytest.mark.parametrize(
    "trouble",
    [
        AirflowException("The conn_id `dataworks_default` isn't defined"),
        ConnectionError("secrets backend"),
        TimeoutError(),
        RuntimeError("half \ud83d\n\x1b[31m"),
        KeyError("data"),
    ],
    ids=lambda trouble: type(trouble).__name__,
)
def test_a_hiccup_of_airflows_look_up_is_waited_out(
    emulator: Emulator, connect: Callable[..., None], monkeypatch: pytest.MonkeyPatch, trouble: Exception
) -> None:
    """Airflow says of a secrets backend that does not answer what it says of a connection that is gone."""
    emulator.set_status(JOB, "Stopped")
    look_up, tries = BaseHook.get_connection, []

    def sometimes(conn_id: str) -> Any:
        tries.append(conn_id)
        if len(tries) < 3:
            raise trouble
        return look_up(conn_id)

    async def asometimes(conn_id: str) -> Any:
        return sometimes(conn_id)

    monkeypatch.setattr(DataWorksHook, "get_connection", sometimes)
    monkeypatch.setattr(DataWorksHook, "aget_connection", asometimes, raising=False)

    (event,) = asyncio.run(events_of(trigger()))

    assert (event["outcome"], len(tries)) == ("settled", 3)


@pytest.mark.usefixtures("soon", "impatient", "connect")
def test_a_connection_that_stays_unreadable_ends_retryable_and_says_both_possibilities() -> None:
    """Retries are what is left: with them gone, the job might stay down."""
    (event,) = asyncio.run(events_of(trigger(dataworks_conn_id="gone", deadline=time.time() + 0.5)))

    with pytest.raises(DataWorksUnavailable) as caught:
        outcome_of(event)
    text = str(caught.value)
    assert caught.value.retryable
    assert "connection gone" in text
    assert "secrets backend answers" in text


@pytest.mark.usefixtures("connect", "impatient")
def test_waits_go_on_with_what_was_read_before_the_look_up_failed(
    emulator: Emulator, soon: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Those that begin later too, as long as an older one is there."""
    monkeypatch.setattr(_shared_clients, "_FRESH", -1.0)

    async def work() -> list[Any]:
        first = asyncio.create_task(events_of(trigger()))
        await asyncio.sleep(0.2)
        monkeypatch.delenv("AIRFLOW_CONN_DATAWORKS_DEFAULT")
        second = asyncio.create_task(events_of(trigger()))
        await asyncio.sleep(0.2)
        emulator.set_status(JOB, "Stopped")
        return [*(await first), *(await second)]

    outcomes = [event["outcome"] for event in asyncio.run(work())]

    assert outcomes == ["settled", "settled"]


def test_there_is_no_on_kill_that_could_undo_a_stop() -> None:
    """Marking a deferred task failed, or clearing it, touches nothing at DataWorks."""
    assert "on_kill" not in vars(DIJobStatusTrigger)
    assert "cleanup" not in vars(DIJobStatusTrigger)
