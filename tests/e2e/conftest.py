"""One real Airflow and one emulated DataWorks for all tests in here; both are gone at the end, whatever happens."""

from __future__ import annotations

import itertools
import json
import shutil
import signal
import tempfile
from collections.abc import Callable, Iterator
from contextlib import suppress
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pytest
from packaging.version import Version
from real_airflow import SILENT, Run, secrets_backend
from real_proxy import RealProxy, real_proxy

from airflow_provider_dataworks.emulator import Emulator, Job
from demo.airflow_processes import LocalAirflow
from demo.processes import ProcessProblem
from demo.rest import RestProblem

# What only a newer Airflow can be asked; skipping it here would count as a failure.
collect_ignore = [] if Version(version("apache-airflow-core")) >= Version("3.4.0b1") else ["test_cleared_exactly.py"]
ROOT = Path(__file__).parents[2]
DAG_FOLDERS = (ROOT / "example_dags", Path(__file__).parent / "dags")
WORKSPACE = 1967
REGION = "cn-shanghai"

SETTINGS = {
    "AIRFLOW__CORE__TEST_CONNECTION": "Enabled",
    # So that a killed worker or triggerer is missed within seconds, as it is within minutes elsewhere.
    "AIRFLOW__SCHEDULER__TASK_INSTANCE_HEARTBEAT_TIMEOUT": "15",
    "AIRFLOW__SCHEDULER__TASK_INSTANCE_HEARTBEAT_TIMEOUT_DETECTION_INTERVAL": "1",
    "AIRFLOW__TRIGGERER__TRIGGERER_HEALTH_CHECK_THRESHOLD": "10",
    # No file changes here, and each time that one is read again its DAGs are written: SQLite then refuses others.
    "AIRFLOW__DAG_PROCESSOR__MIN_FILE_PROCESS_INTERVAL": "60",
}

_AIRFLOW = pytest.StashKey[LocalAirflow]()
_RUNS = pytest.StashKey[list[Run]]()


@pytest.fixture(scope="session", autouse=True)
def _ended_orderly() -> Iterator[None]:
    """SIGTERM, as CI sends it when time is up, ends the tests through every fixture: nothing stays behind."""
    before = signal.signal(signal.SIGTERM, lambda number, _frame: pytest.exit("ended by SIGTERM", 128 + number))
    yield
    signal.signal(signal.SIGTERM, before)


@pytest.fixture(scope="session")
def emulator() -> Iterator[Emulator]:
    """An emulated DataWorks without jobs."""
    with Emulator() as running:
        yield running


@pytest.fixture(scope="session")
def proxy(emulator: Emulator, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RealProxy]:
    """A real proxy; the connection `proxied` leads through it to the emulator."""
    with real_proxy(emulator, tmp_path_factory.mktemp("proxy")) as running:
        yield running


@pytest.fixture(scope="session")
def airflow(emulator: Emulator, proxy: RealProxy, request: pytest.FixtureRequest) -> Iterator[LocalAirflow]:
    """
    A real Airflow with the example DAGs and those in dags/; its two connections lead to the emulator, one by each API.

    So does `dataworks_from_backend`, out of a secrets backend that is silent while the file SILENT is in its home.
    """
    connection = {
        "conn_type": "dataworks",
        "host": emulator.url,
        "login": emulator.access_key_id,
        "password": emulator.access_key_secret,
        "extra": {"region": REGION},
    }
    env = {
        **SETTINGS,
        **proxy.environment,
        "AIRFLOW_CONN_DATAWORKS_DEFAULT": json.dumps(connection),
        "AIRFLOW_CONN_DATAWORKS_2024": json.dumps(
            {**connection, "extra": {"region": REGION, "api_version": "2024-05-18"}}
        ),
        "DATAWORKS_JOBS": "40",
    }
    with tempfile.TemporaryDirectory(prefix="dataworks-e2e-", ignore_cleanup_errors=True) as directory:
        home = Path(directory)
        for folder in DAG_FOLDERS:
            shutil.copytree(folder, home / "dags", dirs_exist_ok=True, ignore=shutil.ignore_patterns("__pycache__"))
        env |= secrets_backend(home / SILENT, {"dataworks_from_backend": connection})
        with LocalAirflow(home, home / "dags", env=env, parallelism=6) as running:
            request.session.stash[_AIRFLOW] = running
            running.migrate()
            running.start()
            running.wait_healthy()
            running.add_pool("dataworks", 40, include_deferred=True)
            yield running


@pytest.fixture
def start_run(airflow: LocalAirflow, request: pytest.FixtureRequest) -> Iterator[Callable[..., Run]]:
    """Start a run of a DAG: `start_run(dag_id, job=1, ...)`, with its conf; runs that still go on are ended."""
    runs: list[Run] = request.node.stash.setdefault(_RUNS, [])

    def start(dag_id: str, **conf: Any) -> Run:
        airflow.unpause(dag_id)
        run = Run(airflow, dag_id, airflow.trigger(dag_id, conf))
        runs.append(run)
        return run

    yield start
    with suppress(OSError, RestProblem):
        for run in runs:
            run.end()


_job_ids = itertools.count(1001)


@pytest.fixture
def new_job(emulator: Emulator) -> Callable[..., Job]:
    """Add a running job with an id of its own; keyword arguments are its fields."""

    def add(**fields: Any) -> Job:
        return emulator.add_job(next(_job_ids), project_id=WORKSPACE, **fields)

    return add


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo[None]) -> Any:
    """Fail what was skipped, since a real run that did not happen proves nothing; and show what happened."""
    report: pytest.TestReport = yield
    if report.skipped:
        report.outcome, report.longrepr = "failed", f"A real run may not be skipped: {report.longrepr}"
    if report.failed:
        report.sections.append(("what happened", "\n".join(_what_happened(item))))
    return report


def _what_happened(item: pytest.Item) -> Iterator[str]:
    for run in item.stash.get(_RUNS, []):
        try:
            yield run.account()
        except (OSError, RestProblem, ProcessProblem) as problem:
            yield f"{run.dag_id} {run.run_id}: cannot be asked about: {problem}"
    emulator = getattr(item, "funcargs", {}).get("emulator")
    if emulator is not None:
        state = emulator.state()
        yield f"emulator: calls {state['calls']}, troubles {state['troubles']}"
        for job in emulator.jobs():
            history = " -> ".join(status for _, status in job.history)
            yield f"  job {job.id}: {history}; {job.stop_calls} StopDIJob, {job.effective_stops} effective"
    airflow = item.session.stash.get(_AIRFLOW, None)
    if airflow is not None:
        for process in airflow.processes.values():
            yield process.tail()
