"""Which way imports flow, read from the source: the architecture holds because this test does."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

PACKAGE = Path(__file__).parent.parent / "airflow_provider_dataworks"
NAME = PACKAGE.name
MODULES = {path.relative_to(PACKAGE).as_posix(): path for path in sorted(PACKAGE.rglob("*.py"))}
# Who may import whom among the roles; nothing flows back or sideways. What operators and the sensor share is in
# operators/_base.py.
MAY_IMPORT = {
    "hooks": set(),
    "links": {"hooks"},
    "triggers": {"hooks"},
    "sensors": {"hooks", "triggers", "links", "operators._base"},
    "operators": {"hooks", "triggers", "links"},
}
LARGEST_MODULE, LARGEST_FUNCTION = 315, 45  # lines; of a function without its docstring
MOST_LAZY = 30


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


def of_ours(path: Path) -> Iterator[str]:
    """Yield what a module imports of this package, by names relative to it."""
    yield from (name.removeprefix(f"{NAME}.") for name in imports(path) if below(name, NAME))


def test_the_client_knows_dataworks_and_not_airflow() -> None:
    """Nothing under client/ imports Airflow, nor what stands above the client."""
    above = ("hooks", "operators", "sensors", "triggers", "links", "windows", "retries", "maintenance", "emulator")
    wrong = [
        (where, name)
        for where, path in MODULES.items()
        if where.startswith("client/")
        for name in imports(path)
        if below(name, "airflow") or any(below(name, f"{NAME}.{each}") for each in (*above, "version_compat"))
    ]

    assert wrong == []


def test_few_import_what_few_should() -> None:
    """The HTTP library in one folder, for a move to another; its internals nowhere; event loops where triggers live."""
    rows = (("httpx", "client/http/"), ("httpcore", "nowhere"), ("asyncio", "triggers/"), ("aiohttp", "emulator/"))
    wrong = [
        (where, library)
        for library, folder in rows
        for where, path in MODULES.items()
        if not where.startswith((folder, "emulator/"))
        if any(below(name, library) for name in imports(path))
    ]

    assert wrong == []


def test_roles_never_import_sideways() -> None:
    """Hooks know no operators, operators no sensors, and so on."""
    wrong = [
        (where, name)
        for role, allowed in MAY_IMPORT.items()
        for where, path in MODULES.items()
        if where.startswith(f"{role}/")
        for name in of_ours(path)
        for other in MAY_IMPORT
        if other != role and below(name, other) and not any(below(name, each) for each in allowed)
    ]

    assert wrong == []


def test_operators_and_sensor_speak_to_the_hook_only() -> None:
    """Of the client they know its values, and the files of this user; they call nothing of it."""
    wrong = [
        (where, name)
        for where, path in MODULES.items()
        if where.startswith(("operators/", "sensors/"))
        for name in of_ours(path)
        if below(name, "client") and name not in ("client", "client.models", "client.files", "client.diagnostics")
        if not name.startswith(("client.models.", "client.diagnostics."))
    ]

    assert wrong == []


def test_what_begins_with_an_underscore_is_imported_in_its_folder_only() -> None:
    """But for what operators and the sensor share, and the notes of tasks, which are also read from the database."""
    wrong = []
    for where, path in MODULES.items():
        folder = where.rpartition("/")[0].replace("/", ".")
        for name in of_ours(path):
            parts = name.split(".")
            private = [i for i, part in enumerate(parts) if part.startswith("_") and not part.startswith("__")]
            reads_notes = where == "records.py" and below(name, "operators._request_note")
            shared = below(name, "operators._base") or reads_notes
            if private and ".".join(parts[: private[0]]) != folder and not shared:
                wrong.append((where, name))

    assert wrong == []


def test_nothing_but_the_emulator_imports_the_emulator() -> None:
    """It is for tests and rehearsals; production code must not need it."""
    wrong = [
        where
        for where, path in MODULES.items()
        if not where.startswith("emulator/") and any(below(name, "emulator") for name in of_ours(path))
    ]

    assert wrong == []


def test_the_provider_info_imports_nothing() -> None:
    """Airflow reads it in every process, also where nobody uses the package."""
    assert list(imports(PACKAGE / "get_provider_info.py")) == ["__future__", "__future__.annotations"]


def test_modules_and_functions_stay_small() -> None:
    """A module is read in one sitting: about 300 lines, and about 40 a function without its docstring."""
    wrong = []
    for where, path in MODULES.items():
        text = path.read_text()
        if text.count("\n") > LARGEST_MODULE:
            wrong.append((where, text.count("\n")))
        for node in ast.walk(ast.parse(text)):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                first = node.body[1] if ast.get_docstring(node) and len(node.body) > 1 else node.body[0]
                if (node.end_lineno or 0) - first.lineno >= LARGEST_FUNCTION:
                    wrong.append((where, node.name))

    assert wrong == []


def test_imports_inside_functions_are_few() -> None:
    """Each keeps something heavy out of where it is not needed."""
    found = []
    for where, path in MODULES.items():
        for function in ast.walk(ast.parse(path.read_text())):
            if isinstance(function, ast.FunctionDef | ast.AsyncFunctionDef):
                found += [
                    f"{where}: {function.name}"
                    for node in ast.walk(function)
                    if isinstance(node, ast.Import | ast.ImportFrom)
                ]

    assert len(found) <= MOST_LAZY, "\n".join(found)


def test_a_dag_file_loads_nothing_heavy() -> None:
    """Importing a role adds at most 15 modules to Airflow's own: no HTTP library, no TLS, of the client little."""
    for module in ("operators.dataworks", "sensors.dataworks", "triggers.dataworks"):
        program = (
            "import sys; from airflow.sdk import DAG, BaseOperator, BaseHook, BaseSensorOperator\n"
            "import airflow.triggers.base\n"
            f"before = set(sys.modules); import {NAME}.{module}\n"
            "print(*sorted(set(sys.modules) - before))"
        )
        run = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
        added = run.stdout.splitlines()[-1].split()

        assert len(added) <= 15, (module, added)
        client = {name.removeprefix(f"{NAME}.client").lstrip(".") for name in added if ".client" in name}
        # A trigger knows the catalogue of errors: it is made where waits are, and not in DAG files.
        assert not [
            n for n in client if n not in ("", "models") and not (n.startswith("errors") and "trigger" in module)
        ]
        assert not [name for name in added if name.startswith(("httpx", "aiohttp", "tenacity", "croniter"))]
