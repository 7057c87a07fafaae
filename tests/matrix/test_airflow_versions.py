"""The built wheel on one Airflow version: `make test-matrix` runs this in an environment for each version it names.

Everything happens in processes of their own: Airflow reads its settings once, when it is imported.
"""

from __future__ import annotations

import http.client
import json
import os
import socket
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing, suppress
from pathlib import Path
from typing import Any

import pytest
from airflow_limits import MODULES, lacks

ROOT = Path(__file__).parents[2]
JOB_ID, OTHER_JOB_ID = "11668", "11743"

pytestmark = pytest.mark.matrix

IMPORT_ALL = """
import importlib, json, pkgutil, sys
import airflow_provider_dataworks as package
names = [found.name for found in pkgutil.walk_packages(package.__path__, package.__name__ + ".")]
for name in names:
    if name not in sys.argv:
        importlib.import_module(name)
print(json.dumps({"file": package.__file__, "names": names}))
"""

# Airflow 3.2 and later build the form from the provider's description, earlier ones from the hook class; 3.0 and 3.1 do
# so in their API server, with stand-ins for the parts of a web form.
FORM = """
import json
from airflow import __version__
STANDARD = ("host", "login", "password", "port")
if tuple(map(int, __version__.split(".")[:2])) >= (3, 0):
    from airflow.api_fastapi.core_api.services.ui.connections import HookMetaService
    (form,) = [hook for hook in HookMetaService.hook_meta_data() if hook.connection_type == "dataworks"]
    name, hidden = form.hook_name, form.standard_fields.url_schema.hidden
    labels = {field: getattr(form.standard_fields, field).title for field in STANDARD}
    hints = {field: getattr(form.standard_fields, field).placeholder for field in STANDARD}
    extra = {
        field: {
            "label": said["schema"]["title"],
            "help": said["description"],
            "choices": said["schema"].get("enum"),
            "secret": said["schema"].get("format") == "password",
            "default": said["value"],
        }
        for field, said in form.extra_fields.items()
    }
else:
    from airflow.providers_manager import ProvidersManager
    manager = ProvidersManager()
    name, behaviour = manager.hooks["dataworks"].hook_name, manager.field_behaviours["dataworks"]
    hidden = "schema" in behaviour["hidden_fields"]
    labels = {field: behaviour["relabeling"].get(field) for field in STANDARD}
    hints = {field: behaviour["placeholders"].get(field) for field in STANDARD}
    extra, prefix = {}, "extra__dataworks__"
    for key, found in manager.connection_form_widgets.items():
        if key.startswith(prefix):
            kwargs = found.field.kwargs
            said, choosing, choices = str(kwargs["description"]).partition(" One of: ")
            extra[key.removeprefix(prefix)] = {
                "label": str(kwargs["label"]),
                "help": said,
                "choices": choices.rstrip(".").split(", ") if choosing else None,
                "secret": found.field.field_class.__name__ == "PasswordField",
                "default": kwargs.get("default"),
            }
form = {"name": name, "schema_hidden": hidden, "labels": labels, "hints": hints, "order": list(extra), "extra": extra}
print("FORM", json.dumps(form))
"""


@pytest.fixture(scope="session")
def airflow_env(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """An Airflow home with a fresh database, as environment variables."""
    home = tmp_path_factory.mktemp("airflow")
    env = {name: value for name, value in os.environ.items() if not name.startswith("AIRFLOW")}
    env |= {
        "AIRFLOW_HOME": str(home),
        "AIRFLOW__CORE__DAGS_FOLDER": str(ROOT / "example_dags"),
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
        "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": f"sqlite:///{home / 'airflow.db'}",
        "AIRFLOW__USAGE_DATA_COLLECTION__ENABLED": "False",
        "NO_PROXY": "127.0.0.1",
        "no_proxy": "127.0.0.1",
    }
    run(env, "-m", "airflow", "db", "migrate")
    return env


def run(env: dict[str, str], *words: str, expect: bool | None = True) -> str:
    """
    Run this interpreter away from the tree, and show what it said if it fails where it is expected not to.

    :param expect: whether it ends well; ``None`` where that tells nothing, and then all that it says is returned.
    """
    home = env["AIRFLOW_HOME"]
    done = subprocess.run([sys.executable, *words], env=env, cwd=home, capture_output=True, text=True, check=False)
    assert done.returncode == 0 or not expect, f"{words}\n{done.stdout[-6000:]}\n{done.stderr[-6000:]}"
    return done.stdout + (done.stderr if expect is None else "")


class Emulator:
    """An emulator in a process of its own, with two running jobs."""

    def __init__(self, home: str) -> None:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        command = [sys.executable, "-m", "airflow_provider_dataworks.emulator", "--port", str(self.port)]
        jobs = [word for job_id in (JOB_ID, OTHER_JOB_ID) for word in ("--job", f"{job_id}=Running")]
        self.process = subprocess.Popen([*command, *jobs], cwd=home)

    def state(self) -> dict[str, Any]:
        """Return what it knows."""
        with closing(http.client.HTTPConnection("127.0.0.1", self.port, timeout=10)) as connection:
            connection.request("GET", "/_emulator/state")
            return json.loads(connection.getresponse().read())

    def refuse(self, operation: str) -> None:
        """Refuse all calls of an operation for good."""
        rule = {"operation": operation, "times": None, "error": {"status": 403, "code": "Forbidden.RAM"}}
        with closing(http.client.HTTPConnection("127.0.0.1", self.port, timeout=10)) as connection:
            connection.request("POST", "/_emulator/faults", json.dumps(rule), {"Content-Type": "application/json"})
            assert connection.getresponse().status == 200

    def wait_ready(self) -> None:
        """Wait until it answers."""
        deadline = time.monotonic() + 30
        while True:
            with suppress(ConnectionError):
                self.state()
                return
            assert self.process.poll() is None, "the emulator ended by itself"
            assert time.monotonic() < deadline, "the emulator does not answer"
            time.sleep(0.1)


@pytest.fixture
def emulator(airflow_env: dict[str, str]) -> Iterator[Emulator]:
    """Run an emulator for one test."""
    started = Emulator(airflow_env["AIRFLOW_HOME"])
    try:
        started.wait_ready()
        yield started
    finally:
        started.process.terminate()
        started.process.wait()


def with_connection(env: dict[str, str], emulator: Emulator, folder: str) -> dict[str, str]:
    """Return the environment with a folder of DAGs and the connection to the emulator."""
    connection = {
        "conn_type": "dataworks",
        "host": f"http://127.0.0.1:{emulator.port}",
        "login": "LTAIemulator",
        "password": "emulator-secret",
        "extra": {"region": "cn-shanghai"},
    }
    dags = str(ROOT / folder)
    return {**env, "AIRFLOW_CONN_DATAWORKS_DEFAULT": json.dumps(connection), "AIRFLOW__CORE__DAGS_FOLDER": dags}


def query(env: dict[str, str], statement: str, *values: str) -> list[tuple[Any, ...]]:
    """Ask Airflow's database."""
    with closing(sqlite3.connect(Path(env["AIRFLOW_HOME"]) / "airflow.db")) as database:
        return database.execute(statement, values).fetchall()


def test_every_module_imports(airflow_env: dict[str, str]) -> None:
    """Each module of the installed wheel can be imported, and it is the wheel, not the tree."""
    missing = [module for module, limit in MODULES.items() if lacks(limit)]
    answer = json.loads(run(airflow_env, "-c", IMPORT_ALL, *missing).splitlines()[-1])
    assert not Path(answer["file"]).is_relative_to(ROOT / "airflow_provider_dataworks")
    assert "airflow_provider_dataworks.operators.dataworks" in answer["names"]


def test_airflow_lists_the_provider(airflow_env: dict[str, str]) -> None:
    """`airflow providers list` shows it with its version."""
    printed = run(airflow_env, "-m", "airflow", "providers", "list", "-o", "json")
    rows = json.loads(printed.splitlines()[-1])  # on Python 3.14 it prints warnings about itself before
    assert "airflow-provider-dataworks" in {row["package_name"] for row in rows}


def test_the_connection_form_is_complete(airflow_env: dict[str, str]) -> None:
    """Every label, hint, help text, choice, default and secret of the provider's description, in its order."""
    from airflow_provider_dataworks.get_provider_info import get_provider_info

    (described,) = get_provider_info()["connection-types"]
    standard, fields = described["ui-field-behaviour"], described["conn-fields"]
    (line,) = [line for line in run(airflow_env, "-c", FORM).splitlines() if line.startswith("FORM ")]
    assert json.loads(line.removeprefix("FORM ")) == {
        "name": "Alibaba Cloud DataWorks",
        "schema_hidden": True,
        "labels": {field: standard["relabeling"].get(field) for field in ("host", "login", "password", "port")},
        "hints": standard["placeholders"],
        "order": list(fields),
        "extra": {
            name: {
                "label": field["label"],
                "help": field["description"],
                "choices": field["schema"].get("enum"),
                "secret": field["schema"].get("format") == "password",
                "default": field["schema"].get("default"),
            }
            for name, field in fields.items()
        },
    }


def test_a_form_left_as_it_is_gives_a_connection_that_can_be_used(airflow_env: dict[str, str]) -> None:
    """Fields that nobody touched come back as their default, null or empty text, by the version."""
    from airflow_provider_dataworks.get_provider_info import CONN_FIELDS

    for nothing in (None, ""):
        extra = {name: field["schema"].get("default", nothing) for name, field in CONN_FIELDS.items()}
        connection = {"conn_type": "dataworks", "login": "LTAIexample", "password": "example-secret"}
        text = json.dumps({**connection, "extra": {**extra, "region": "cn-qingdao"}})
        program = (
            "from airflow_provider_dataworks.hooks.dataworks import DataWorksHook\n"
            "print('ENDPOINT', DataWorksHook().account.config.endpoint)"
        )
        said = run({**airflow_env, "AIRFLOW_CONN_DATAWORKS_DEFAULT": text}, "-c", program)
        assert "ENDPOINT https://dataworks.aliyuncs.com\n" in said


@pytest.mark.parametrize(
    ("folder", "dag_id", "state", "jobs"),
    [
        pytest.param("example_dags", "example_dataworks_stop", "success", {JOB_ID: ("Stopped", 1, 0)}, id="blocking"),
        pytest.param(
            "tests/matrix/dags",
            "matrix_deferred",
            "success",
            {JOB_ID: ("Stopped", 1, 0), OTHER_JOB_ID: ("Stopped", 1, 0)},
            id="mapped-and-deferred",
        ),
        pytest.param(
            "tests/matrix/dags",
            "matrix_maintenance",
            "success",
            {JOB_ID: ("Running", 1, 1), OTHER_JOB_ID: ("Running", 1, 1)},
            id="maintenance",
        ),
        pytest.param(
            "tests/matrix/dags", "matrix_restart_fails", "failed", {JOB_ID: ("Stopped", 1, 0)}, id="restart-fails"
        ),
    ],
)
def test_a_dag_run_does_what_it_says(
    airflow_env: dict[str, str],
    emulator: Emulator,
    folder: str,
    dag_id: str,
    state: str,
    jobs: dict[str, tuple[str, int, int]],
) -> None:
    """The run ends as it should, and each job has the status, the stops and the starts it should have.

    The run's state is read from the database: `airflow dags test` ends well even when the run fails.
    """
    env = with_connection(airflow_env, emulator, folder)
    if state == "failed":
        emulator.refuse("StartDIJob")
    said = run(env, "-m", "airflow", "dags", "test", dag_id, expect=state == "success")
    states = query(env, "select state from dag_run where dag_id = ?", dag_id)
    assert states == [(state,)], said[-6000:]
    found = emulator.state()["jobs"]
    assert {
        job_id: (job["status"], job["effective_stops"], job["effective_starts"])
        for job_id, job in found.items()
        if job_id in jobs
    } == jobs


def test_clearing_the_work_clears_stop_and_check_and_neither_work_nor_stop_begins_alone(
    airflow_env: dict[str, str], emulator: Emulator
) -> None:
    """Of a run that went well, whose job runs again: by `airflow tasks clear` and, for alone, `airflow tasks test`."""
    dag_id, work = "matrix_cleared", "maintenance.work.maintain"
    env = with_connection(airflow_env, emulator, "tests/matrix/dags")
    run(env, "-m", "airflow", "dags", "test", dag_id)
    ((run_id, state),) = query(env, "select run_id, state from dag_run where dag_id = ?", dag_id)
    before = emulator.state()["jobs"][JOB_ID]
    assert (state, before["status"], before["effective_stops"]) == ("success", "Running", 1)

    for task_id in (work, "maintenance.stop"):
        said = run(env, "-m", "airflow", "tasks", "test", dag_id, task_id, run_id, expect=None)
        assert "Clear the whole group 'maintenance'" in said, said[-6000:]
        assert "the work has begun" not in said
    after = emulator.state()["jobs"][JOB_ID]
    assert (after["status"], after["effective_stops"], after["effective_starts"]) == ("Running", 1, 1)

    run(env, "-m", "airflow", "dags", "reserialize")  # 3.0 clears what is stored, and has stored nothing yet
    # Airflow 3.1 takes what it calls an expression for a task's whole id.
    run(env, "-m", "airflow", "tasks", "clear", dag_id, "--task-regex", work, "--yes")

    found = query(env, "select task_id from task_instance where dag_id = ? and state is null", dag_id)
    names = ("open", "stop", "check", "work.maintain", "restart")
    assert {task_id for (task_id,) in found} == {f"maintenance.{name}" for name in names}
