"""The pages against the code: derived parts are up to date, links lead somewhere, and every public name is told of."""

from __future__ import annotations

import importlib.util
import inspect
import re
from typing import Any

import emulated  # noqa: F401 - sets Airflow's home before Airflow is imported
from doc_blocks import PAGES, ROOT, all_pages, section_of, text_of

from airflow_provider_dataworks import exceptions
from airflow_provider_dataworks.client.errors.catalog import CATALOG
from airflow_provider_dataworks.emulator import Emulator
from airflow_provider_dataworks.hooks.dataworks import DataWorksHook
from airflow_provider_dataworks.maintenance import DIJobMaintenance, MaintenanceWindow
from airflow_provider_dataworks.operators.alarms import RestoreAlarmsOperator, SilenceAlarmsOperator
from airflow_provider_dataworks.operators.dataworks import StartDIJobOperator, StopDIJobOperator
from airflow_provider_dataworks.operators.preflight import MaintenancePreflightOperator
from airflow_provider_dataworks.operators.report import MaintenanceReportOperator
from airflow_provider_dataworks.sensors.dataworks import DIJobCaughtUpSensor, DIJobStoppedSensor

PACKAGE = ROOT / "airflow_provider_dataworks"
# Where a class is documented from its docstring.
REFERENCE: dict[Any, str] = {
    StopDIJobOperator: "operators",
    StartDIJobOperator: "operators",
    DIJobStoppedSensor: "sensors",
    DIJobCaughtUpSensor: "sensors",
    DIJobMaintenance: "maintenance",
    MaintenancePreflightOperator: "maintenance",
    MaintenanceReportOperator: "maintenance",
    SilenceAlarmsOperator: "maintenance",
    RestoreAlarmsOperator: "maintenance",
    MaintenanceWindow: "windows",
    DataWorksHook: "hook",
    Emulator: "emulator",
}


_RETRIED = (MaintenancePreflightOperator, SilenceAlarmsOperator, RestoreAlarmsOperator)


def load(name: str) -> Any:
    """Return one of the scripts in docs/ as a module."""
    spec = importlib.util.spec_from_file_location(name, ROOT / "docs" / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_derived_parts_are_up_to_date() -> None:
    """Examples, errors, fields, regions, policies and options are what ``make pages`` would write."""
    derive = load("derive")
    assert {page for page in all_pages() if derive.filled(text_of(page)) != text_of(page)} == set()

    used = re.findall(r"<!-- BEGIN (\w+) -->", "".join(map(text_of, all_pages())))
    assert sorted(used) == sorted(derive.PARTS)
    examples = re.findall(r"<!-- START (\S+) ", "".join(map(text_of, all_pages())))
    assert set(examples) == {f"example_dags/{path.name}" for path in (ROOT / "example_dags").glob("*.py")}


def test_the_policies_allow_what_the_client_can_ask() -> None:
    """And nothing else."""
    sources = [(PACKAGE / "client" / name).read_text() for name in ("operations.py", "diagnostic_operations.py")]
    asked = {found for text in sources for found in re.findall(r"\"([A-Z]\w*(?:DI|Projects)\w*)\"[,)]", text)}
    allowed = {action for actions in load("derive").ACTIONS.values() for action in actions}

    assert {action for action in asked if not action.endswith("Id")} == allowed


def test_every_error_has_its_place() -> None:
    """By the anchor that errors name, and with the text that they have."""
    part = section_of("reference/errors.md", "Every error")

    assert re.findall(r"^### .* \{ #(\S+) \}$", part, re.MULTILINE) == list(CATALOG)
    for name, found in vars(exceptions).items():
        if isinstance(found, type) and issubclass(found, exceptions.DataWorksError) and name != "DataWorksError":
            assert f"`{name}`" in section_of("reference/errors.md", "In code") + part, name


def test_every_parameter_is_explained() -> None:
    """In the docstring, from which the reference is made."""
    wrong = []
    for made, page in REFERENCE.items():
        assert f".{made.__name__}\n" in text_of(f"reference/{page}.md"), made
        for name, parameter in inspect.signature(made.__init__).parameters.items():
            told = parameter.kind is not inspect.Parameter.VAR_KEYWORD and name not in ("self", "soft_fail")
            told = told and not (made in _RETRIED and name.startswith("retr"))  # Airflow's own
            if told and f":param {name}:" not in made.__doc__:
                wrong.append((made.__name__, name))

    assert wrong == []


def test_every_parameter_of_a_window_stands_in_its_guide() -> None:
    """In a table with its default."""
    for name in inspect.signature(MaintenanceWindow).parameters:
        assert re.search(rf"^\| `{name}` \|", text_of("how-to/windows.md"), re.MULTILINE), name


def test_every_metric_is_told_of() -> None:
    """That the code gives to Airflow."""
    given = {
        found
        for path in PACKAGE.rglob("*.py")
        for found in re.findall(r"Stats\.\w+\(\s*\"([\w.]+)\"", path.read_text())
    }
    told = set(re.findall(r"^\| `([\w.]+)` \|", text_of("reference/metrics.md"), re.MULTILINE))

    assert "dataworks.di_job.downtime" in given
    assert given == told


def test_the_make_targets_they_name_exist() -> None:
    """Wherever one is told to type one."""
    makefile = (ROOT / "Makefile").read_text()
    named = {target for page in all_pages() for target in re.findall(r"`?make ([a-z0-9-]+)[`\n]", text_of(page))}

    assert {"demo", "test", "docs"} <= named
    assert [target for target in named if f"\n{target}:" not in makefile] == []


def test_readme_is_short_and_its_links_lead_somewhere() -> None:
    """To a file, and there to a heading; pages are held to that by the build of the site."""
    readme = text_of("README.md")
    prose = re.sub(r"^ *```.*?^ *```$", "", readme, flags=re.MULTILINE | re.DOTALL)
    links = re.findall(r"\]\((?!https?:)([^)]+)\)", prose) + re.findall(r'(?:src|srcset)="([^"]+)"', prose)

    assert len(readme.splitlines()) <= 200
    assert len(links) > 20
    for target in links:
        path, _, anchor = target.partition("#")
        assert (ROOT / path).is_file(), target
        if anchor:
            headings = re.findall(r"^##+ (.+)$", (ROOT / path).read_text(), re.MULTILINE)
            slugs = [re.sub(r"[\s-]+", "-", re.sub(r"[^\w\s-]", "", text.lower()).strip()) for text in headings]
            assert anchor in slugs, target
    linked = {path.partition("#")[0] for path in links}
    assert {f"docs/pages/{page}" for page in all_pages() if page.startswith(("how-to/", "explanation/"))} <= linked


def test_every_picture_is_there_by_day_and_by_night() -> None:
    """And each is small, and shown."""
    shown = {
        found
        for page in all_pages()
        for found in re.findall(r"images/([\w-]+\.png)", text_of(page))
        if page != "README.md"
    }
    pictures = {path.name: path.stat().st_size for path in (PAGES / "images").glob("*.png")}

    assert shown == set(pictures)
    assert {name.replace("-light", "-dark") for name in shown if "-light" in name} == {n for n in shown if "-dark" in n}
    assert [name for name, size in pictures.items() if size > 150_000] == []
