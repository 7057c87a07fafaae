"""A headless Chromium for the tests that look at pages, and the pictures of docs/ that they take when asked to."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Locator, Page, sync_playwright

DOCS = Path(__file__).parents[2] / "docs"
LARGEST_PICTURE = 200_000  # bytes
_NAMES = ("chromium", "chromium-browser", "google-chrome")
_ARGUMENTS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)


@contextmanager
def chromium() -> Iterator[Browser]:
    """Start the system's Chromium; without one the test fails, for a page nobody looked at proves nothing."""
    path = next(filter(None, map(shutil.which, _NAMES)), None)
    if path is None:
        pytest.fail("No Chromium was found. `make browser` installs it, or says what is missing.", pytrace=False)
    with sync_playwright() as driver:
        running = driver.chromium.launch(executable_path=path, args=list(_ARGUMENTS))
        try:
            yield running
        finally:
            running.close()


def picture(of: Page | Locator, name: str) -> None:
    """Take a picture for docs/, if the environment variable ``DOCS_PICTURES`` is set; else only see that it can be."""
    taken = of.screenshot(animations="disabled", caret="initial")
    assert len(taken) < LARGEST_PICTURE, f"{name} has {len(taken)} bytes"
    if os.environ.get("DOCS_PICTURES"):
        (DOCS / name).write_bytes(taken)
