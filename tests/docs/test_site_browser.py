"""The built site in a real browser: from the file system, light, dark, and on a telephone."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from browser import chromium
from playwright.sync_api import Browser, expect

pytestmark = pytest.mark.e2e

PAGES = ("index.html", "tutorial.html", "how-to/stop.html", "reference/operators.html", "reference/errors.html")


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """One headless Chromium for all tests."""
    with chromium() as running:
        yield running


@pytest.fixture
def look(browser: Browser, site: Path) -> Iterator[Any]:
    """Opens a page; what its scripts complain about, and what it asks others for, fails the test."""
    contexts, said = [], []

    def open_page(name: str, **options: Any) -> Any:
        context = browser.new_context(**{"viewport": {"width": 1280, "height": 900}, **options})
        contexts.append(context)
        page = context.new_page()
        page.on("pageerror", lambda error: said.append(str(error)))
        page.on(
            "request", lambda request: request.url.startswith(("file:", "data:", "blob:")) or said.append(request.url)
        )
        page.goto((site / name).as_uri())
        return page

    yield open_page
    for context in contexts:
        context.close()
    assert said == []


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("name", PAGES)
def test_a_page_follows_the_theme_and_shows_its_own_pictures(look: Any, name: str, scheme: str) -> None:
    """Of each picture the one that goes with the theme, and it can be loaded."""
    page = look(name, color_scheme=scheme)

    ground = page.evaluate("getComputedStyle(document.body).backgroundColor")
    bright = sum(map(int, ground.removeprefix("rgb(").rstrip(")").split(",")[:3])) > 384 if "rgb(" in ground else None
    assert bright is (scheme == "light"), ground
    for picture in page.locator("article img").all():
        path = str(picture.get_attribute("src"))
        assert picture.is_visible() is (f"-{scheme}.png" in path), path
        if picture.is_visible():
            assert picture.evaluate("image => image.naturalWidth") > 100
    if folder := os.environ.get("DOCS_LOOK"):
        page.screenshot(path=f"{folder}/{name.replace('/', '-')}-{scheme}.png")


@pytest.mark.parametrize("name", PAGES)
def test_a_page_fits_a_telephone(look: Any, name: str) -> None:
    """Tables and code scroll for themselves; the page does not scroll sideways."""
    page = look(name, viewport={"width": 375, "height": 812})

    assert page.evaluate("document.documentElement.scrollWidth") <= 375
    if folder := os.environ.get("DOCS_LOOK"):
        page.screenshot(path=f"{folder}/{name.replace('/', '-')}-375.png", full_page=False)


@pytest.mark.parametrize(
    ("words", "found"),
    [
        ("Throttling.User", "Too many calls"),
        ("Forbidden.RAM", "No permission in RAM"),
        ("max_map_length", "More than 1,024 jobs"),
        ("only_if_stopped_by", "StartDIJobOperator"),
    ],
)
def test_the_search_works_without_a_network(look: Any, words: str, found: str) -> None:
    """From a file, which lets no browser start a worker."""
    page = look("index.html")
    page.locator("input.md-search__input").first.fill(words)

    expect(page.locator(".md-search-result__list")).to_contain_text(found, timeout=10_000)
