"""The page in a real Airflow below a path, in a browser: as two users see it, and as a screen reader would."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from browser import chromium
from page_server import PASSWORD, PATH, PageServer, page_server
from playwright.sync_api import Browser, Page, expect

pytestmark = pytest.mark.e2e

READABLE = {"bob": ["stock_levels", "clicks_archive"], "dora": []}
PAGES = {"": "Down now", "windows": "Windows", "maintenances": "Last maintenances", "calls": "Calls today"}
WIDTHS = (1280, 375)
SERIOUS = {"serious", "critical", "moderate"}


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PageServer]:
    """Two API servers on one database with a few maintenances in every state."""
    with page_server(tmp_path_factory.mktemp("page"), READABLE, servers=2) as running:
        running.rows("some")
        yield running


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """One headless Chromium for all tests."""
    with chromium() as running:
        yield running


def opened(browser: Browser, server: PageServer, user: str, **look: Any) -> Page:
    """Log a user in as they would, by Airflow's form, and return a page that tells script errors."""
    context = browser.new_context(**{"viewport": {"width": 1280, "height": 900}, **look})
    context.set_default_timeout(20_000)
    page = context.new_page()
    page.goto(f"{server.urls[0]}/")
    page.locator("input[name=username]").fill(user)
    page.locator("input[name=password]").fill(PASSWORD)
    page.get_by_role("button", name=re.compile("sign in", re.IGNORECASE)).click()
    page.wait_for_url(lambda url: "/auth/" not in url)
    return page


def test_two_users_see_what_each_may_read(browser: Browser, server: PageServer) -> None:
    """Through either API server; and nobody without a login sees anything."""
    ann, bob = opened(browser, server, "ann"), opened(browser, server, "bob")
    for url in server.urls:
        for page, seen in ((ann, {"DI job 11669", "DI job 11671"}), (bob, {"DI job 11671"})):
            if url != server.urls[0]:  # a cookie belongs to the host, whatever the port
                page.goto("about:blank")
            page.goto(f"{url}/dataworks/")
            titles = {title.split(" down")[0].strip() for title in page.locator("article h2").all_inner_texts()}
            assert titles == seen, url
    for number in range(2):
        status, text = server.get("", server=number)
        assert status == 401
        assert "11671" not in text
    dora = opened(browser, server, "dora")
    dora.goto(f"{server.urls[0]}/dataworks/windows")
    expect(dora.get_by_text("There is no DAG that you may read")).to_be_visible()


def test_airflow_shows_the_page_in_its_navigation(browser: Browser, server: PageServer) -> None:
    """In a frame of its own, whose links open Airflow's pages outside of it."""
    page = opened(browser, server, "ann")
    page.goto(f"{server.urls[0]}/")
    page.get_by_role("button", name="Browse").click()
    page.get_by_role("menuitem", name="DataWorks").click()
    frame = page.frame_locator("iframe")
    expect(frame.get_by_role("heading", name="Down now")).to_be_visible()
    assert page.url.startswith(f"{server.urls[0]}/plugin/dataworks")

    frame.get_by_role("link", name="Windows").click()
    expect(frame.get_by_role("heading", name="Windows", exact=True)).to_be_visible()
    frame.get_by_role("link", name="Down now").click()
    frame.get_by_role("link", name="billing_to_hologres").first.click()
    page.wait_for_url(re.compile(f"{PATH}/dags/billing_to_hologres"))
    expect(page.locator("iframe")).to_have_count(0)


def test_links_lead_below_the_path(browser: Browser, server: PageServer) -> None:
    """Each of them is answered by this Airflow, none by what else the host has."""
    page = opened(browser, server, "ann")
    wrong = []
    for name in PAGES:
        page.goto(f"{server.urls[0]}/dataworks/{name}")
        links = page.locator("a").evaluate_all("all => all.map(each => each.href)")
        outside = {link for link in links if not link.startswith(f"{server.urls[0]}/")}
        wrong += [link for link in outside if not link.startswith("https://dataworks.console.aliyun.com/")]
    assert wrong == []


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_a_screen_reader_finds_its_way(browser: Browser, server: PageServer, scheme: str) -> None:
    """axe-core finds nothing on any page, wide and narrow; nothing is cut off at 375 pixels."""
    axe, found, scripts = Axe(), [], []
    page = opened(browser, server, "ann", color_scheme=scheme, bypass_csp=True)
    page.on("pageerror", lambda error: scripts.append(str(error)))
    run = "run?dag_id=clicks_archive&run_id=scheduled__2026-11-24T18:00:00%2B00:00"
    for width in WIDTHS:
        page.set_viewport_size({"width": width, "height": 800})
        for name in (*PAGES, run, "nothing-here"):
            page.goto(f"{server.urls[0]}/dataworks/{name}")
            result = axe.run(page).response
            assert len(result["passes"]) > 15, "axe-core has looked at nothing"
            found += [
                (name, width, each["id"], each["impact"], [node["target"] for node in each["nodes"]][:3])
                for each in result["violations"]
                if each["impact"] in SERIOUS
            ]
            assert page.evaluate("document.documentElement.scrollWidth") <= width, (name, width)
    assert found == []
    assert scripts == []


def test_the_keyboard_reaches_everything(browser: Browser, server: PageServer) -> None:
    """First a way past the navigation, then each link in the order it is read; what has focus is seen to have it."""
    page = opened(browser, server, "ann")
    page.goto(f"{server.urls[0]}/dataworks/")
    page.keyboard.press("Tab")
    skip = page.get_by_role("link", name="Skip to content")
    expect(skip).to_be_focused()
    expect(skip).to_be_in_viewport()
    reached = []
    for _ in range(page.locator("a, summary, [tabindex='0']").count() - 1):
        page.keyboard.press("Tab")
        reached.append(page.evaluate("document.activeElement.textContent.trim()"))
        outline = page.evaluate("getComputedStyle(document.activeElement).outlineStyle")
        assert outline != "none", reached[-1]
    assert reached[:4] == ["Down now", "Windows", "Last maintenances", "Calls"]
    assert "Look again" in reached


def test_what_people_wrote_is_text(browser: Browser, server: PageServer, tmp_path: Path) -> None:
    """A reason that holds HTML is shown as it was written."""
    page = opened(browser, server, "ann")
    page.goto(f"{server.urls[0]}/dataworks/maintenances")
    expect(page.get_by_text("Reload after <b>a wrong price</b>")).to_be_visible()
