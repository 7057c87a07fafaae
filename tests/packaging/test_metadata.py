"""What the installed distribution says about itself, and what the locks may hold."""

from __future__ import annotations

import importlib.metadata
import itertools
import re
import subprocess
import sys
import tomllib
from pathlib import Path

from packaging.requirements import Requirement

import airflow_provider_dataworks

ROOT = Path(__file__).parents[2]
DISTRIBUTION = "airflow-provider-dataworks"


def test_the_version_stands_in_one_place() -> None:
    """The installed metadata and the module name the same version; the changelog has it, or what comes next."""
    version = airflow_provider_dataworks.__version__
    assert importlib.metadata.version(DISTRIBUTION) == version
    assert re.search(rf"^## \[?({re.escape(version)}|Unreleased)\b", (ROOT / "CHANGELOG.md").read_text(), re.MULTILINE)


def test_airflow_finds_the_provider() -> None:
    """The entry point that Airflow reads leads to the provider's description."""
    (entry,) = importlib.metadata.distribution(DISTRIBUTION).entry_points.select(group="apache_airflow_provider")
    assert entry.load()()["package-name"] == DISTRIBUTION


def test_importing_the_package_loads_nothing_else() -> None:
    """Airflow imports it in every process, so it may cost no module and no warning."""
    code = (
        "import sys; before = set(sys.modules); import airflow_provider_dataworks; "
        "print(*sorted(set(sys.modules) - before))"
    )
    done = subprocess.run([sys.executable, "-W", "error", "-c", code], capture_output=True, text=True, check=True)
    assert set(done.stdout.split()) <= {"__future__", "airflow_provider_dataworks"}


PINS = sorted((ROOT / "requirements").glob("*.txt"))


def test_the_makefile_names_each_file_of_pins() -> None:
    """One of constraints for each line of Airflow, one for the tools, one for the cluster: `make lock` writes them."""
    makefile = (ROOT / "Makefile").read_text()
    (days,) = re.findall(r"^DAYS := (.+)$", makefile, re.MULTILINE)
    lines = [pair.partition("=")[0] for pair in days.split()]

    assert {path.stem for path in PINS} == {
        "tools",
        "cluster",
        "constraints-lowest",
        *(f"constraints-{line}" for line in lines),
    }
    for line in lines:
        assert f"apache-airflow=={line}" in (ROOT / "requirements" / f"constraints-{line}.txt").read_text().splitlines()


def test_files_of_pins_hold_exact_versions_and_no_address() -> None:
    """So that they work with any package index and name none."""
    form = re.compile(r"[a-z0-9.-]+==[^ /:]+( ; [^/:]+)?")
    wrong = {path.name: [line for line in path.read_text().splitlines() if not form.fullmatch(line)] for path in PINS}

    assert not {name: lines for name, lines in wrong.items() if lines}


def test_every_bound_is_met_by_every_constraint_file() -> None:
    """Or `pip install` with Airflow's own constraint file ends without a solution; extras included."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    extras = [project["optional-dependencies"][name] for name in ("credentials", "emulator")]
    wanted = [Requirement(text) for text in itertools.chain(project["dependencies"], *extras)]
    for path in PINS:
        if path.stem.startswith("constraints-"):
            pins = dict(line.partition(" ")[0].split("==") for line in path.read_text().splitlines())
            assert {need.name for need in wanted} <= set(pins), path.name
            missed = [(str(need), pins[need.name]) for need in wanted if not need.specifier.contains(pins[need.name])]
            assert not missed, path.name
