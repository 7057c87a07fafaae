"""The built site: every public name is on it, and nothing on it comes from anywhere else."""

from __future__ import annotations

import importlib
import inspect
import json
import re
import zlib
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import emulated  # noqa: F401 - sets Airflow's home before Airflow is imported

from airflow_provider_dataworks import exceptions
from airflow_provider_dataworks.client.errors.catalog import CATALOG
from airflow_provider_dataworks.hooks.dataworks import DataWorksHook

PACKAGE = "airflow_provider_dataworks"
# Modules of which users import each class, and names from others.
WHOLE = ("operators.dataworks", "sensors.dataworks", "triggers.dataworks", "hooks.dataworks", "windows", "timetables")
PUBLIC = {
    "operators.preflight": ["MaintenancePreflightOperator"],
    "operators.report": ["MaintenanceReportOperator"],
    "retries": ["DataWorksRetryPolicy"],
    "client.models": ["JobStatus", "DIJob", "ChangeRequest", "ChangeResult"],
    "client.diagnostics": ["Sample", "JobEvent", "TableRun", "AlarmRule", "AlarmRuleChange", "Outcome"],
}
WITH_ALL = ("maintenance", "emulator", "emulator.fixtures")
AIRFLOWS = {"get_ui_field_behaviour", "get_connection_form_widgets"}  # asked by Airflow, to draw the form
OUTSIDE = re.compile(r"(?:https?:)?//")


def public_objects() -> dict[str, Any]:
    """Return what users import, by the path of the module that defines it."""
    named = [(module, name) for module, names in PUBLIC.items() for name in names]
    named += [(module, name) for module in WITH_ALL for name in importlib.import_module(f"{PACKAGE}.{module}").__all__]
    named += [(module, name) for module in WHOLE for name in _classes_of(f"{PACKAGE}.{module}")]
    named += [("exceptions", name) for name, found in vars(exceptions).items() if _is_error(found)]
    found = {}
    for module, name in named:
        made = getattr(importlib.import_module(f"{PACKAGE}.{module}"), name)
        home = getattr(made, "__module__", None) or f"{PACKAGE}.{module}"
        found[f"{home}.{name}"] = made
    for name, made in inspect.getmembers(DataWorksHook):
        home = (getattr(inspect.unwrap(made), "__module__", None) or "") if callable(made) else ""
        if home.startswith(PACKAGE) and not name.startswith("_") and name not in AIRFLOWS | {"now", "sleep"}:
            found[f"{PACKAGE}.hooks.dataworks.DataWorksHook.{name}"] = made
    return found


def _classes_of(module: str) -> list[str]:
    made = vars(importlib.import_module(module))
    return [n for n, c in made.items() if isinstance(c, type) and c.__module__ == module and not n.startswith("_")]


def _is_error(found: object) -> bool:
    return isinstance(found, type) and issubclass(found, exceptions.DataWorksError)


def inventory(site: Path) -> set[str]:
    """Return the names that the site has a place for, as it tells other sites."""
    body = (site / "objects.inv").read_bytes().split(b"\n", 4)[4]
    return {line.split(" ", 1)[0] for line in zlib.decompress(body).decode().splitlines()}


def test_every_public_name_is_documented(site: Path) -> None:
    """It has a place on a page, and a docstring."""
    public, known = public_objects(), inventory(site)

    assert f"{PACKAGE}.hooks.dataworks.DataWorksHook.alarm_rules" in public
    assert sorted(set(public) - known) == []
    assert [name for name, made in public.items() if not inspect.getdoc(made)] == []


class Fetched(HTMLParser):
    """Collects what a page has a browser fetch by itself, and its anchors."""

    def __init__(self) -> None:
        super().__init__()
        self.addresses: list[str] = []
        self.anchors: set[str] = set()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Look at one tag."""
        given = dict(attrs)
        if given.get("id"):
            self.anchors.add(str(given["id"]))
        if tag in ("script", "img", "iframe", "source"):
            self.addresses.append(given.get("src") or "")
        if tag == "link" and given.get("rel") not in ("canonical", "next", "prev"):
            self.addresses.append(given.get("href") or "")


def test_nothing_is_fetched_from_elsewhere(site: Path) -> None:
    """No font, script, picture or style sheet; links that a person follows are another thing."""
    pages = sorted(site.rglob("*.html"))
    outside = []
    for page in pages:
        found = Fetched()
        found.feed(page.read_text())
        outside += [(page.name, address) for address in found.addresses if OUTSIDE.match(address)]
    for sheet in site.rglob("*.css"):
        outside += [
            (sheet.name, found)
            for found in re.findall(r"(?:url\(|@import )[\"']?((?:https?:)?//[^)\"']+)", sheet.read_text())
        ]

    assert len(pages) > 25
    assert outside == []


def test_every_error_can_be_linked_to_and_found(site: Path) -> None:
    """By the name that errors tell, and by the search of the site."""
    found = Fetched()
    found.feed((site / "reference" / "errors.html").read_text())
    assert set(CATALOG) <= found.anchors

    index = json.loads((site / "search" / "search_index.json").read_text())["docs"]
    places = {entry["location"]: entry for entry in index}
    for anchor, row in CATALOG.items():
        entry = places[f"reference/errors.html#{anchor}"]
        for code in filter(None, row.codes.split(", ")):
            assert code.split()[-1] in entry["text"], (anchor, code)


def test_it_is_small(site: Path) -> None:
    """Who looks something up at night may have a slow line."""
    pages = {page.name: page.stat().st_size for page in site.rglob("*.html")}

    assert {name: size for name, size in pages.items() if size > 400_000} == {}
    assert sum(path.stat().st_size for path in site.rglob("*") if path.is_file()) < 12_000_000
