"""One cluster for the tests in here; all of it is gone at the end, whatever happens."""

from __future__ import annotations

import signal
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from real_airflow import SILENT, secrets_backend

from airflow_provider_dataworks.emulator import Emulator
from cluster.airflow import ClusterAirflow
from cluster.servers import Postgres, postgres, redis

_AIRFLOW = pytest.StashKey[ClusterAirflow]()


@pytest.fixture(scope="session", autouse=True)
def _ended_orderly() -> Iterator[None]:
    """SIGTERM ends the tests through every fixture: nothing stays behind."""
    before = signal.signal(signal.SIGTERM, lambda number, _frame: pytest.exit("ended by SIGTERM", 128 + number))
    yield
    signal.signal(signal.SIGTERM, before)


@pytest.fixture(scope="session")
def emulator() -> Iterator[Emulator]:
    """An emulated DataWorks without jobs."""
    with Emulator() as running:
        yield running


@pytest.fixture(scope="session")
def database() -> Iterator[Postgres]:
    """Run the PostgreSQL of the cluster."""
    with postgres() as running:
        yield running


@pytest.fixture(scope="session")
def airflow(emulator: Emulator, database: Postgres, request: pytest.FixtureRequest) -> Iterator[ClusterAirflow]:
    """The cluster; its connection `dataworks_from_backend` leads to the emulator."""
    connection = {
        "conn_type": "dataworks",
        "host": emulator.url,
        "login": emulator.access_key_id,
        "password": emulator.access_key_secret,
        "extra": {"region": "cn-shanghai"},
    }
    with ExitStack() as stack:
        directory = tempfile.TemporaryDirectory(prefix="dataworks-cluster-", ignore_cleanup_errors=True)
        home = Path(stack.enter_context(directory))
        broker = stack.enter_context(redis(home))
        env = secrets_backend(home / SILENT, {"dataworks_from_backend": connection})
        dags = Path(__file__).parent / "dags"
        airflow = ClusterAirflow(home, dags, env=env, database=database.address, broker=broker)
        with airflow as running:
            request.session.stash[_AIRFLOW] = running
            running.migrate()
            running.start_all()
            running.wait_healthy(120)
            yield running


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo[None]) -> Any:
    """Fail what was skipped, since a cluster that was not there proves nothing; and show how its logs end."""
    report: pytest.TestReport = yield
    if report.skipped:
        report.outcome, report.longrepr = "failed", f"The cluster's test may not be skipped: {report.longrepr}"
    airflow = item.session.stash.get(_AIRFLOW, None)
    if report.failed and airflow is not None:
        tails = [process.tail(40) for process in airflow.processes.values()]
        report.sections.append(("how the logs end", "\n".join(tails)))
    return report
