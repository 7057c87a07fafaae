"""Which way imports flow, read from the source: the architecture holds because this test does."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parent.parent / "airflow_provider_dataworks"
NAME = PACKAGE.name
MODULES = sorted(PACKAGE.rglob("*.py"))
ROLES = ("hooks", "operators", "sensors", "triggers", "links")
# Who may import whom among the roles; nothing flows back or sideways.
MAY_IMPORT = {
    "hooks": set(),
    "links": {"hooks"},
    "triggers": {"hooks"},
    "sensors": {"hooks", "triggers", "links"},
    "operators": {"hooks", "triggers", "links"},
}
CLIENT = [path for path in MODULES if path.parent.name == "client"] + [PACKAGE / "exceptions.py"]


def imports(path: Path) -> Iterator[str]:
    """Yield the full name of everything a module imports, wherever the import stands."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and not node.level:
            yield str(node.module)
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def below(name: str, package: str) -> bool:
    """Say whether a module is that package or inside it."""
    return name == package or name.startswith(f"{package}.")


@pytest.mark.parametrize("path", CLIENT, ids=lambda path: path.stem)
def test_the_client_knows_no_airflow(path: Path) -> None:
    """Nothing under client/, nor the exceptions, imports Airflow or the rooms above."""
    above = [f"{NAME}.{role}" for role in (*ROLES, "retries", "memory", "maintenance", "emulator")]

    for name in imports(path):
        assert not below(name, "airflow")
        assert not any(below(name, room) for room in above), name


@pytest.mark.parametrize("path", MODULES, ids=lambda path: path.relative_to(PACKAGE).as_posix())
@pytest.mark.parametrize(
    ("library", "rooms"), [("httpx", {"transport.py", "exchange.py", "own_calls.py"}), ("httpcore", set())]
)
def test_few_rooms_import_the_http_library(library: str, rooms: set[str], path: Path) -> None:
    """The ecosystem is moving to a fork of httpx: the switch must be one line each."""
    found = [name for name in imports(path) if below(name, library)]

    assert not found or (path.parent == PACKAGE / "client" and path.name in rooms)


@pytest.mark.parametrize("role", ROLES)
def test_roles_never_import_sideways(role: str) -> None:
    """Hooks know no operators, operators no sensors, and so on."""
    for path in (PACKAGE / role).glob("*.py"):
        for name in imports(path):
            for other in ROLES:
                if other != role and below(name, f"{NAME}.{other}"):
                    assert other in MAY_IMPORT[role], f"{path.name} imports {name}"


def test_nothing_but_the_emulator_imports_the_emulator() -> None:
    """It is for tests and rehearsals; production code must not need it."""
    for path in MODULES:
        if "emulator" not in path.relative_to(PACKAGE).parts:
            assert not any(below(name, f"{NAME}.emulator") for name in imports(path)), path


def test_the_provider_info_imports_nothing() -> None:
    """Airflow reads it in every process, also where nobody uses the package."""
    assert list(imports(PACKAGE / "get_provider_info.py")) == ["__future__", "__future__.annotations"]


@pytest.mark.parametrize("path", MODULES, ids=lambda path: path.relative_to(PACKAGE).as_posix())
def test_modules_and_functions_stay_small(path: Path) -> None:
    """A room is read in one sitting: about 300 lines a module, about 40 a function without its docstring."""
    text = path.read_text()
    assert text.count("\n") <= 315

    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            first = node.body[1] if ast.get_docstring(node) and len(node.body) > 1 else node.body[0]
            assert (node.end_lineno or 0) - first.lineno < 45, f"{path.name}: {node.name}"


@pytest.mark.parametrize("module", ["operators.dataworks", "sensors.dataworks"])
def test_a_dag_file_loads_nothing_heavy(module: str) -> None:
    """Importing a role adds at most 15 modules to Airflow's own: no HTTP library, no client, no TLS."""
    program = (
        "import sys; from airflow.sdk import DAG, BaseOperator, BaseHook, BaseSensorOperator\n"
        f"before = set(sys.modules); import {NAME}.{module}\n"
        "print(*sorted(set(sys.modules) - before))"
    )
    run = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    added = run.stdout.splitlines()[-1].split()

    assert len(added) <= 15, added
    assert not [name for name in added if ".client" in name or name.startswith(("httpx", "aiohttp", "tenacity"))]
