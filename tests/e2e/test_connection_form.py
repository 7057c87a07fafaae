"""The connection form of a real Airflow in a real browser, filled in, saved and tested as an admin would."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

import pytest
from browser import chromium
from playwright.sync_api import Browser, Locator, Page, expect

from airflow_provider_dataworks.emulator import Emulator
from airflow_provider_dataworks.get_provider_info import CONN_FIELDS, UI_FIELD_BEHAVIOUR
from demo.airflow_processes import LocalAirflow

pytestmark = pytest.mark.e2e

NAME = "Alibaba Cloud DataWorks"
STANDARD, PLAIN = "Standard Fields", "Extra Fields"
LABELS: dict[str, str] = UI_FIELD_BEHAVIOUR["relabeling"]  # type: ignore[assignment]
HINTS: dict[str, str] = UI_FIELD_BEHAVIOUR["placeholders"]  # type: ignore[assignment]
SCHEMAS: dict[str, dict[str, Any]] = {name: field["schema"] for name, field in CONN_FIELDS.items()}  # type: ignore[misc]
CHOICES = {
    name: [schema.get("values_display", {}).get(value, value) for value in schema["enum"]]
    for name, schema in SCHEMAS.items()
    if "enum" in schema
}
SECRETS = [name for name, schema in SCHEMAS.items() if schema.get("format") == "password"]
UNTOUCHED = {name: schema.get("default") for name, schema in SCHEMAS.items()}


def section_of(name: str) -> str:
    """Return the part of the form that a field is in."""
    return str(SCHEMAS[name].get("section", PLAIN))


class Form:
    """The dialog, and the list of connections behind it."""

    def __init__(self, page: Page, base_url: str) -> None:
        self.page = page
        self.dialog = page.get_by_role("dialog")
        self.address = f"{base_url}/connections"

    def new(self, connection_id: str = "") -> Form:
        """Open an empty one of our type."""
        self.page.goto(self.address)
        self.page.get_by_role("button", name="Add Connection").click()
        self.dialog.locator("input[name=connection_id]").fill(connection_id)
        self.dialog.get_by_role("combobox").click()
        self.page.get_by_text(NAME, exact=True).click()
        return self

    def edit(self, connection_id: str) -> Form:
        """Open that of a stored connection."""
        self.page.goto(self.address)
        self.row(connection_id).get_by_role("button", name="Edit Connection").click()
        expect(self.dialog.get_by_text(NAME, exact=True)).to_be_visible()
        return self

    def row(self, connection_id: str) -> Locator:
        """Return a connection's row in the list."""
        return self.page.locator("tbody tr").filter(has=self.page.get_by_text(connection_id, exact=True))

    def open(self, section: str) -> None:
        """Open a part of the form, unless it is open; the others fold up."""
        handle = self.dialog.get_by_role("button", name=section, exact=True)
        if handle.get_attribute("aria-expanded") != "true":
            handle.click()
        expect(handle).to_have_attribute("aria-expanded", "true")

    def field(self, label: str) -> Locator:
        """Return the part of the form that holds a label, what is typed, and the help."""
        exactly = self.page.locator("label").filter(has_text=re.compile(rf"^\s*{re.escape(label)}\s*$"))
        return self.dialog.locator("[data-scope=field][data-part=root]").filter(has=exactly)

    def custom(self, name: str) -> Locator:
        """Return an extra field, in sight."""
        self.open(section_of(name))
        field = self.field(str(CONN_FIELDS[name]["label"]))
        field.scroll_into_view_if_needed()
        expect(field).to_be_visible()
        return field

    def standard(self, name: str) -> Locator:
        """Return the input of a standard field, in sight."""
        self.open(STANDARD)
        return self.dialog.locator(f"[name={name}]")

    def offered(self, name: str) -> list[str]:
        """Open a drop-down and return what it offers."""
        box = self.custom(name).get_by_role("combobox")
        box.click()
        options = self.dialog.get_by_role("option")
        expect(options.first).to_be_visible()
        found = options.all_inner_texts()
        self.field(str(CONN_FIELDS[name]["label"])).locator("label").click()
        box.press("Tab")
        return found

    def choose(self, name: str, shown: str) -> None:
        """Type into a drop-down and take what it offers."""
        box = self.custom(name).get_by_role("combobox")
        box.fill(shown)
        box.press("Enter")

    def put(self, name: str, value: object) -> None:
        """Fill in an extra field."""
        if name in CHOICES:
            self.choose(name, CHOICES[name][SCHEMAS[name]["enum"].index(value)])
        else:
            self.custom(name).locator("input, textarea").first.fill(str(value))

    def save(self) -> str:
        """Save, and return what Airflow says to it."""
        self.dialog.get_by_role("button", name="Save").click()
        expect(self.dialog).to_be_hidden()
        return self.said()

    def test(self, connection_id: str) -> tuple[str, str]:
        """Press the Test button; return the colour it turns to and what Airflow says."""
        button = self.row(connection_id).get_by_role("button", name="Test Connection")
        button.click()
        icon = button.locator("svg[color=green], svg[color=red]")
        expect(icon).to_be_visible(timeout=30_000)
        return str(icon.get_attribute("color")), self.said("Test Connection")

    def said(self, title: str = "") -> str:
        """Return the text of Airflow's latest notice."""
        notice = self.page.locator("[data-scope=toast][data-part=root]").filter(has_text=title).first
        expect(notice).to_be_visible()
        return str(notice.inner_text())


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """One headless Chromium for all tests."""
    with chromium() as running:
        yield running


@pytest.fixture
def form(browser: Browser, airflow: LocalAirflow) -> Iterator[Form]:
    """The page of connections; a script error on it fails the test, and connections a test made are deleted."""
    context = browser.new_context(viewport={"width": 1000, "height": 1180}, color_scheme="light")
    context.set_default_timeout(15_000)
    page = context.new_page()
    errors: list[str] = []
    page.on("pageerror", lambda error: errors.append(str(error)))
    yield Form(page, airflow.base_url)
    context.close()
    for found in airflow.rest("GET", "/connections")["connections"]:
        airflow.rest("DELETE", f"/connections/{found['connection_id']}")
    assert errors == []


def stored(airflow: LocalAirflow, connection_id: str) -> dict[str, Any]:
    """Return a stored connection as the REST API tells it, its extra decoded."""
    found: dict[str, Any] = airflow.rest("GET", f"/connections/{connection_id}")
    return {**found, "extra": json.loads(found["extra"])}


def to_emulator(emulator: Emulator, **extra: Any) -> dict[str, Any]:
    """Return a connection to the emulator, as if saved from the form."""
    return {
        "conn_type": "dataworks",
        "host": "http://127.0.0.1",
        "port": emulator.port,
        "login": emulator.access_key_id,
        "password": emulator.access_key_secret,
        "extra": {**UNTOUCHED, "region": "cn-shanghai", **extra},
    }


def test_the_type_is_offered_by_its_name(form: Form) -> None:
    """And not as the word that stands in files."""
    form.page.goto(form.address)
    form.page.get_by_role("button", name="Add Connection").click()
    form.dialog.get_by_role("combobox").fill("alibaba")
    expect(form.dialog.get_by_role("option")).to_have_text([NAME])


def test_every_field_has_its_label_its_help_and_its_hint(form: Form) -> None:
    """Standard fields by the names of the Alibaba Cloud console; what the type does not use is not there."""
    form.new()
    for name, label in LABELS.items():
        form.open(STANDARD)
        expect(form.field(label).locator(f"[name={name}]")).to_be_visible()
    for name, hint in HINTS.items():
        expect(form.standard(name)).to_have_attribute("placeholder", hint)
    assert form.dialog.locator("[name=schema]").count() == 0

    sections = form.dialog.locator("[data-scope=accordion][data-part=item-trigger]").all_inner_texts()
    assert sections == [STANDARD, *dict.fromkeys(map(section_of, CONN_FIELDS)), "Extra Fields JSON"]
    for name, described in CONN_FIELDS.items():
        expect(form.custom(name)).to_contain_text(str(described["description"]))


def test_each_drop_down_offers_its_choices(form: Form) -> None:
    """With the default chosen, where there is one."""
    form.new()
    for name, choices in CHOICES.items():
        assert form.offered(name) == choices, name
        if default := SCHEMAS[name].get("default"):
            expect(form.custom(name)).to_contain_text(choices[SCHEMAS[name]["enum"].index(default)])


def test_secrets_are_dots_unless_the_eye_is_pressed(form: Form) -> None:
    """The AccessKey Secret and every secret among the extra fields."""
    form.new()
    assert SECRETS
    expect(form.standard("password")).to_have_attribute("type", "password")
    for name in SECRETS:
        typed = form.custom(name).locator("input")
        expect(typed).to_have_attribute("type", "password")
        form.custom(name).get_by_role("button", name="Show value").click()
        expect(typed).to_have_attribute("type", "text")


def test_what_is_typed_is_stored_and_shown_again(form: Form, airflow: LocalAirflow, emulator: Emulator) -> None:
    """Each kind of field, by the REST API and in the form; then the Test button, with all that nobody touched."""
    typed = {"region": "cn-shanghai", "project_id": 1967, "network": "vpc", "api_version": "2024-05-18", "max_qps": 2.5}
    typed |= {"signature": "HMAC-SHA1", "read_timeout": 20, "console_url": "https://console.example/{region}"}
    keys = {"login": emulator.access_key_id, "password": emulator.access_key_secret}
    emulator.add_job(990)
    form.new("dataworks_shanghai")
    for name, value in {"description": "Workspace 1967", **keys, "port": "443"}.items():
        form.standard(name).fill(value)
    for name, value in {"host": "http://127.0.0.1", "port": str(emulator.port)}.items():
        form.standard(name).fill(value)
    for name, value in typed.items():
        form.put(name, value)
    form.save()

    found = stored(airflow, "dataworks_shanghai")
    assert (found["conn_type"], found["host"], found["port"]) == ("dataworks", "http://127.0.0.1", emulator.port)
    assert (found["login"], found["password"]) == (emulator.access_key_id, "***")
    assert found["extra"] == {**UNTOUCHED, **typed}
    assert form.test("dataworks_shanghai")[0] == "green"

    form.edit("dataworks_shanghai")
    expect(form.standard("host")).to_have_value("http://127.0.0.1")
    expect(form.standard("login")).to_have_value(emulator.access_key_id)
    expect(form.standard("password")).to_have_value("***")
    for name, value in typed.items():
        field = form.custom(name)
        if name in CHOICES:
            expect(field).to_contain_text(CHOICES[name][SCHEMAS[name]["enum"].index(value)])
        else:
            expect(field.locator("input").first).to_have_value(str(value))
    assert emulator.access_key_secret not in form.page.content()


def test_secrets_stay_behind_when_a_connection_is_changed(
    form: Form, airflow: LocalAirflow, emulator: Emulator
) -> None:
    """A form saved with its dots keeps the stored secret, and the page never gets it."""
    connection = to_emulator(emulator, security_token="CAIS-a-token-that-nobody-may-see")
    airflow.add_connection("secrets", connection)
    form.edit("secrets").standard("description").fill("changed")
    for name in SECRETS:
        expect(form.custom(name).locator("input")).to_have_attribute("type", "password")
    form.save()

    assert stored(airflow, "secrets")["description"] == "changed"
    assert stored(airflow, "secrets")["extra"]["security_token"] == "***"
    form.edit("secrets")
    for secret in (emulator.access_key_secret, connection["extra"]["security_token"]):
        assert secret not in form.page.content()


def test_a_region_that_the_list_lacks_stays_what_it_is(form: Form, airflow: LocalAirflow, emulator: Emulator) -> None:
    """A connection from a file or the command line may name one; changing something else does not lose it."""
    airflow.add_connection("elsewhere", to_emulator(emulator, region="cn-guangzhou"))
    form.edit("elsewhere").standard("description").fill("changed")
    form.open(PLAIN)
    form.save()

    found = stored(airflow, "elsewhere")
    assert (found["description"], found["extra"]["region"]) == ("changed", "cn-guangzhou")


def test_the_test_button_is_green_for_a_good_connection(form: Form, airflow: LocalAirflow, emulator: Emulator) -> None:
    """And says what it reached."""
    emulator.add_job(991, project_id=7)
    airflow.add_connection("good", to_emulator(emulator, project_id=7))
    form.page.goto(form.address)

    colour, said = form.test("good")

    assert colour == "green"
    assert "Test Connection Successful" in said
    assert f"{emulator.url} answered" in said
    assert "DI jobs in workspace 7: 1" in said


@pytest.mark.parametrize(
    ("wrong", "reasons"),
    [
        pytest.param(
            {"password": "not-the-secret"},
            ["SignatureDoesNotMatch", "Copy the AccessKey Secret of this AccessKey ID again"],
            id="secret",
        ),
        pytest.param({"login": "LTAInobody"}, ["InvalidAccessKeyId", "What to do:"], id="key"),
        pytest.param({"extra": {"network": "vpn"}}, ["network: 'vpn' is not known", "public, vpc"], id="field"),
        pytest.param({"extra": {"ca_file": "/nowhere/ca.pem"}}, ["ca_file:", "PEM file"], id="ca-file"),
    ],
)
def test_the_test_button_is_red_for_a_wrong_one_and_says_what_to_do(
    form: Form, airflow: LocalAirflow, emulator: Emulator, wrong: dict[str, Any], reasons: list[str]
) -> None:
    """By code and remedy, or by the field that is wrong; without showing a secret."""
    good = to_emulator(emulator)
    airflow.add_connection(
        "dataworks_shanghai", {**good, **wrong, "extra": {**good["extra"], **wrong.get("extra", {})}}
    )
    form.page.goto(form.address)

    colour, said = form.test("dataworks_shanghai")

    assert colour == "red"
    assert "Test Connection Failed" in said
    for reason in reasons:
        assert reason in said
    assert wrong.get("password", good["password"]) not in said
