"""The wheel installed with the constraint file of each Airflow, as Airflow asks for it, into an empty environment."""

from __future__ import annotations

import json
import shutil
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from airflow_limits import MODULES, lacks

ROOT = Path(__file__).parents[2]
REQUIREMENTS = ROOT / "requirements"
CONSTRAINTS = sorted(REQUIREMENTS.glob("constraints-*.txt"))
DAG_FILE = ROOT / "example_dags" / "example_dataworks_maintenance.py"  # schedule=WINDOW.timetable
PYTEST_PLUGIN = "airflow_provider_dataworks.emulator.fixtures"  # users bring pytest
# In one process: most of the time is Airflow's own import.
ASK = """
import importlib, json, pkgutil, re, sys
from importlib.metadata import distributions
import airflow_provider_dataworks as package
for found in pkgutil.walk_packages(package.__path__, package.__name__ + "."):
    if found.name not in sys.argv:
        importlib.import_module(found.name)
try:
    from airflow.dag_processing.dagbag import DagBag
except ImportError:  # before 3.2
    from airflow.models.dagbag import DagBag
bag = DagBag(sys.argv[1])
installed = {re.sub("[-_.]+", "-", found.name).lower(): found.version for found in distributions()}
print(json.dumps({"installed": installed, "dags": sorted(bag.dags), "errors": bag.import_errors}))
"""

pytestmark = pytest.mark.install


def check(line: Path, python: Path, home: Path, run: Callable[..., str]) -> None:
    """Every module and the DAG file import, and nothing is installed that the constraint file does not pin."""
    pins = {tuple(text.partition(" ")[0].split("==")) for text in line.read_text().splitlines()}
    (airflow,) = [version for name, version in pins if name == "apache-airflow"]
    left_out = [PYTEST_PLUGIN, *(module for module, limit in MODULES.items() if lacks(limit, airflow))]
    (home / "dags").mkdir()
    shutil.copy(DAG_FILE, home / "dags")
    settings = [f"AIRFLOW_HOME={home}", "AIRFLOW__CORE__LOAD_EXAMPLES=False", f"AIRFLOW__CORE__DAGS_FOLDER={home}/dags"]
    printed = run("env", *settings, python, "-c", ASK, home / "dags", *left_out, cwd=home)
    answer = json.loads(printed.splitlines()[-1])

    assert (answer["dags"], answer["errors"]) == ([DAG_FILE.stem], {})
    installed = set(answer["installed"].items())
    assert {name for name, _ in installed - pins} <= {"airflow-provider-dataworks", "pip", "setuptools"}


@pytest.mark.parametrize("line", CONSTRAINTS, ids=lambda path: path.stem)
def test_it_installs_with_the_constraints_of(
    line: Path, built: dict[str, Path], tmp_path: Path, run: Callable[..., str], uv: str
) -> None:
    """With all extras for users; every public module, and a DAG with a window's timetable, can be imported."""
    python = tmp_path / "venv" / "bin" / "python"
    run(uv, "venv", "--quiet", "--python", sys.executable, tmp_path / "venv", cwd=tmp_path)
    install = (uv, "pip", "install", "--quiet", "--compile-bytecode", "--python", python, "--constraint", line)
    run(*install, f"airflow-provider-dataworks[credentials,emulator] @ {built['wheel'].as_uri()}", cwd=tmp_path)

    check(line, python, tmp_path, run)


def test_pip_installs_it_as_the_pages_say(built: dict[str, Path], tmp_path: Path, run: Callable[..., str]) -> None:
    """The command for users, but for the two places that are theirs; pip itself resolves it."""
    line = REQUIREMENTS / "constraints-3.1.8.txt"
    python = tmp_path / "venv" / "bin" / "python"
    run(sys.executable, "-m", "venv", tmp_path / "venv", cwd=tmp_path)
    wanted = ("apache-airflow==3.1.8", f"airflow-provider-dataworks[emulator] @ {built['wheel'].as_uri()}")
    run(python, "-m", "pip", "install", "--quiet", "--no-compile", *wanted, "--constraint", line, cwd=tmp_path)
    run(python, "-m", "pip", "check", cwd=tmp_path)
