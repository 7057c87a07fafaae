"""What Airflow learns about the package: valid by Airflow's own schemas, and every name in it leads somewhere."""

from __future__ import annotations

import importlib
import json
from pathlib import Path
from typing import Any

import airflow
import emulated  # noqa: F401 - sets Airflow's home before Airflow is used
import jsonschema
import pytest
from airflow.api_fastapi.core_api.services.ui.connections import HookMetaService
from airflow.providers_manager import ProvidersManager
from airflow.sdk.providers_manager_runtime import ProvidersManagerTaskRuntime

from airflow_provider_dataworks import __version__
from airflow_provider_dataworks.client.auth.signing import SIGNATURES
from airflow_provider_dataworks.client.config import API_VERSIONS
from airflow_provider_dataworks.client.endpoints import NAMED, NETWORKS
from airflow_provider_dataworks.get_provider_info import CONN_FIELDS, REGIONS, get_provider_info
from airflow_provider_dataworks.hooks.dataworks import DataWorksHook

AIRFLOW = Path(airflow.__file__).parent


def schema(name: str) -> dict[str, Any]:
    """Read one of the schemas that Airflow ships."""
    found: dict[str, Any] = json.loads((AIRFLOW / name).read_text())
    return found


def test_it_is_valid_by_the_runtime_schema() -> None:
    """The one Airflow checks at start; it accepts unknown keys, so the next tests look at the names."""
    jsonschema.validate(get_provider_info(), schema("provider_info.schema.json"))


def test_it_uses_only_keys_the_schema_knows() -> None:
    """A misspelled key would be ignored without a word."""
    assert set(get_provider_info()) <= set(schema("provider_info.schema.json")["properties"])


def test_the_connection_type_is_valid_by_the_formal_definition() -> None:
    """The runtime schema leaves connection types open; the one for provider.yaml defines them."""
    definition = schema("provider.yaml.schema.json")["properties"]["connection-types"]

    jsonschema.validate(get_provider_info()["connection-types"], definition)


def test_every_module_and_class_named_in_it_imports() -> None:
    """A name that leads nowhere breaks a page of Airflow, not a test of ours."""
    info: dict[str, Any] = get_provider_info()
    modules = [
        module
        for kind in ("hooks", "operators", "sensors", "triggers")
        for entry in info.get(kind, [])
        for module in entry["python-modules"]
    ]
    classes = [info["connection-types"][0]["hook-class-name"], *info.get("extra-links", [])]

    assert modules
    for module in modules:
        importlib.import_module(module)
    for name in classes:
        module, _, attribute = name.rpartition(".")
        assert hasattr(importlib.import_module(module), attribute)


def test_the_hook_says_the_same_as_the_provider_info() -> None:
    """Name and type of the connection stand in both places."""
    entry: dict[str, Any] = get_provider_info()["connection-types"][0]  # type: ignore[index]

    assert entry["connection-type"] == DataWorksHook.conn_type
    assert entry["hook-name"] == DataWorksHook.hook_name


def test_airflow_registers_the_installed_package() -> None:
    """Found by its entry point, with the version of its metadata."""
    assert ProvidersManager().providers["airflow-provider-dataworks"].version == __version__
    assert "dataworks" in ProvidersManagerTaskRuntime().hooks


def test_airflow_draws_the_connection_form_from_it() -> None:
    """The form as the UI gets it: the type by its name, all fields, labels instead of Airflow's own."""
    form = next(found for found in HookMetaService.hook_meta_data() if found.connection_type == "dataworks")

    assert form.hook_name == "Alibaba Cloud DataWorks"
    assert set(form.extra_fields or {}) == set(CONN_FIELDS)
    assert form.standard_fields is not None
    assert form.standard_fields.login is not None
    assert form.standard_fields.login.title == "AccessKey ID"


def test_every_optional_field_may_stay_empty() -> None:
    """Otherwise the form would demand it."""
    for name, field in CONN_FIELDS.items():
        assert "null" in field["schema"]["type"], name
        assert field["description"], name


@pytest.mark.parametrize(
    ("name", "values"),
    [
        ("region", tuple(NAMED)),
        ("network", NETWORKS),
        ("api_version", API_VERSIONS),
        ("signature", SIGNATURES),
    ],
)
def test_a_drop_down_offers_what_the_client_knows(name: str, values: tuple[str, ...]) -> None:
    """The lists stand twice, because the provider info may import nothing."""
    schema = CONN_FIELDS[name]["schema"]

    assert schema["enum"] == list(values)
    assert list(schema["values_display"]) == list(values)
    assert all(shown.startswith(value) for value, shown in schema["values_display"].items())
    assert schema.get("default") in (None, values[0])


def test_the_drop_down_names_each_region() -> None:
    """With the place it is in."""
    assert NAMED == REGIONS


def test_labels_are_told_apart_and_help_fits_the_form() -> None:
    """Two lines or three beside the field, as whole sentences; a label is a few words."""
    labels = [field["label"] for field in CONN_FIELDS.values()]

    assert len(set(labels)) == len(labels)
    for name, field in CONN_FIELDS.items():
        assert len(field["label"]) <= 28, name
        assert len(field["description"]) <= 260, name
        assert field["description"].endswith("."), name


def test_fields_of_a_section_stand_together() -> None:
    """First what everybody needs, then who signs, then the rest; Airflow shows a section where it first occurs."""
    sections = [field["schema"].get("section") for field in CONN_FIELDS.values()]

    assert list(dict.fromkeys(sections)) == [None, "Credentials", "RAM Role", "Advanced"]
    assert sections == sorted(sections, key=[None, "Credentials", "RAM Role", "Advanced"].index)


@pytest.mark.parametrize("name", ["security_token"])
def test_secret_fields_are_masked(name: str) -> None:
    """They show as dots in the form."""
    assert CONN_FIELDS[name]["schema"]["format"] == "password"
