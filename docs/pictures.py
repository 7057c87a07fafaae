"""Take the screenshots of the pages, light and dark, of today's version: ``make pictures``.

It starts the demo's Airflow and emulator on loopback, goes through them in a headless Chromium, and writes
``docs/pages/images``. Nothing else is written, and no process stays behind.
"""

from __future__ import annotations

import shutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from playwright.sync_api import Browser, Locator, Page, expect, sync_playwright

from demo.airflow_processes import LocalAirflow
from demo.emulated import Emulator
from demo.ending import in_a_directory
from demo.explore import JOBS, ROOT, SETTINGS
from demo.processes import ProcessProblem

IMAGES = ROOT / "docs" / "pages" / "images"
LARGEST = 150_000  # bytes
DAG = "example_dataworks_maintenance"
NAME = "Alibaba Cloud DataWorks"
FAULT = "StopDIJob,throttle=Throttling.User,status=429,times=1,x-acs-retry-after=2000"
_CHROMIUM = ("chromium", "chromium-browser", "google-chrome")


@contextmanager
def chromium() -> Iterator[Browser]:
    """Start the system's Chromium."""
    path = next(filter(None, map(shutil.which, _CHROMIUM)), None)
    if path is None:
        raise ProcessProblem("No Chromium was found. `make browser` installs it, or says what is missing.")
    with sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=path, args=["--no-sandbox", "--disable-gpu"])
        try:
            yield browser
        finally:
            browser.close()


def keep(of: Page | Locator, name: str, scheme: str, **options: Any) -> None:
    """Write a picture; a large one would make the pages slow."""
    path = IMAGES / f"{name}-{scheme}.png"
    path.write_bytes(of.screenshot(animations="disabled", caret="initial", **options))
    if path.stat().st_size > LARGEST:
        raise ProcessProblem(f"{path.name} has {path.stat().st_size} bytes, more than {LARGEST}.")
    print(f"{path.relative_to(ROOT)}: {path.stat().st_size} bytes", flush=True)


def connection_form(page: Page, airflow: LocalAirflow, scheme: str) -> None:
    """The two parts of the form that people fill in, with a key that is none."""
    page.goto(f"{airflow.base_url}/connections")
    page.get_by_role("button", name="Add Connection").click()
    form = page.get_by_role("dialog")
    form.locator("input[name=connection_id]").fill("dataworks_shanghai")
    form.get_by_role("combobox").click()
    page.get_by_text(NAME, exact=True).click()
    expect(form.locator("[name=login]")).to_be_visible()
    typed = {"description": "Workspace 1967", "login": "LTAI...", "password": "a-secret-that-is-none", "port": "443"}
    for name, value in typed.items():
        form.locator(f"[name={name}]").fill(value)
    form.locator("h2").click()
    keep(form, "connection-form", scheme)
    form.get_by_role("button", name="Extra Fields", exact=True).click()
    region = form.locator("[data-scope=field][data-part=root]").filter(has_text="Region").first.get_by_role("combobox")
    region.fill("cn-shanghai")
    region.press("Enter")
    form.locator("h2").click()
    keep(form, "connection-form-extra", scheme)


def maintenance_graph(page: Page, airflow: LocalAirflow, scheme: str) -> None:
    """The graph of a maintenance, all groups open."""
    page.goto(f"{airflow.base_url}/dags/{DAG}")
    page.get_by_role("button", name="Show Graph").click()
    page.get_by_role("button", name="Expand all task groups").click()
    whole = page.locator('.react-flow__node[data-id="maintenance"]')
    expect(page.locator('.react-flow__node[data-id="maintenance.work.alter_table"]')).to_be_visible()
    page.wait_for_timeout(1500)  # Airflow moves the nodes to their places
    around = whole.evaluate("""node => {
        const box = node.getBoundingClientRect();
        return {x: box.x - 8, y: box.y - 8, width: box.width + 16, height: box.height + 16};
    }""")
    keep(page, "maintenance-graph", scheme, clip=around)


def status_page(page: Page, emulator: Emulator, scheme: str) -> None:
    """The emulator's page while a maintenance runs."""
    page.goto(emulator.url)
    page.wait_for_selector("#link[data-kind=live]")
    keep(page, "status-page", scheme)


def take(directory: Path) -> bool:
    """Start all, and take the pictures."""
    IMAGES.mkdir(exist_ok=True)
    options = [word for job in JOBS[:4] for word in ("--job", job)]
    failed = "11801=Failed,name=mysql_to_holo_stock,error_message=binlog position is gone"
    airflow = LocalAirflow(directory, ROOT / "example_dags", env=SETTINGS, stop_grace=4.0)
    started = Emulator(directory, *options, "--job", failed, "--fault", FAULT, "--stop-seconds", "4")
    with started as emulator, airflow, chromium() as browser:
        airflow.migrate()
        emulator.wait_ready()
        airflow.start()
        airflow.wait_healthy()
        airflow.add_connection("dataworks_default", emulator.form)
        airflow.unpause(DAG)
        airflow.trigger(DAG, {"ignore_window": True})
        for scheme in ("light", "dark"):
            context = browser.new_context(viewport={"width": 1000, "height": 1180}, color_scheme=scheme)
            context.set_default_timeout(60_000)  # milliseconds, of a busy machine
            page = context.new_page()
            connection_form(page, airflow, scheme)
            page.set_viewport_size({"width": 1900, "height": 900})
            maintenance_graph(page, airflow, scheme)
            airflow.wait_until("the work to begin", lambda: bool(emulator.state()["calls"].get("StartDIJob")), 90)
            page.set_viewport_size({"width": 1120, "height": 640})
            status_page(page, emulator, scheme)
            context.close()
    return True


if __name__ == "__main__":
    sys.exit(in_a_directory(take))
