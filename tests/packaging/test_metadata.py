"""What the installed distribution says about itself, and what the locks may hold."""

from __future__ import annotations

import importlib.metadata
import re
import subprocess
import sys
from pathlib import Path

import pytest

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


@pytest.mark.parametrize("lock", sorted((ROOT / "requirements").glob("*.txt")), ids=lambda path: path.name)
def test_locks_hold_no_address(lock: Path) -> None:
    """A lock has exact versions and hashes only: it works with any package index and names none."""
    line_form = re.compile(
        r"[a-z0-9.-]+(\[[a-z0-9,-]+\])?==[^ /:]+( ; [^/:]+)?( \\)?|    --hash=sha256:[0-9a-f]{64}( \\)?"
    )
    wrong = [line for line in lock.read_text().splitlines() if not line_form.fullmatch(line)]
    assert not wrong
