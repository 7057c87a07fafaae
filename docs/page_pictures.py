"""Takes the pictures of the page in Airflow: `python docs/page_pictures.py [FOLDER]`; needs Chromium (make browser).

All states go to the folder (build/page-pictures), each light, dark and narrow; the few that tell most also to
pages/images/, for the docs.
"""

from __future__ import annotations

import re
import sys
import tempfile
from pathlib import Path

HERE = Path(__file__).parent
sys.path[:0] = [str(HERE.parent / "tests" / "support"), str(HERE.parent)]

from browser import chromium  # noqa: E402
from page_server import PASSWORD, PageServer, page_server  # noqa: E402
from playwright.sync_api import Browser, Page  # noqa: E402

RUN = "run?dag_id=clicks_archive&run_id=scheduled__2026-11-24T18:00:00%2B00:00"
PAGES = {"down": "", "windows": "windows", "maintenances": "maintenances", "calls": "calls", "run": RUN}
LOOKS = {
    "light": {"color_scheme": "light", "viewport": {"width": 1180, "height": 760}},
    "dark": {"color_scheme": "dark", "viewport": {"width": 1180, "height": 760}},
    "narrow-light": {"color_scheme": "light", "viewport": {"width": 375, "height": 760}},
    "narrow-dark": {"color_scheme": "dark", "viewport": {"width": 375, "height": 760}},
}
KEPT = ("down", "windows", "maintenances")
FOR_DOCS = {"width": 1060, "height": 440}
LARGEST = 80_000  # bytes of a picture in the docs


def logged_in(browser: Browser, server: PageServer, user: str, look: str) -> Page:
    """Return a browser's page of a user, with one of the looks."""
    page = browser.new_context(**LOOKS[look]).new_page()  # type: ignore[arg-type]
    page.goto(f"{server.urls[0]}/")
    page.locator("input[name=username]").fill(user)
    page.locator("input[name=password]").fill(PASSWORD)
    page.get_by_role("button", name=re.compile("sign in", re.IGNORECASE)).click()
    page.wait_for_url(lambda url: "/auth/" not in url)
    return page


def take(browser: Browser, server: PageServer, state: str, folder: Path, *, user: str = "ann") -> None:
    """Take all pages in all looks, in the state that the database is in."""
    for look in LOOKS:
        page = logged_in(browser, server, user, look)
        for name, address in PAGES.items():
            page.goto(f"{server.urls[0]}/dataworks/{address}")
            page.screenshot(path=folder / f"{state}-{name}-{look}.png", full_page=state != "many")
        if state == "some":
            page.goto(f"{server.urls[0]}/plugin/dataworks")
            page.frame_locator("iframe").get_by_role("heading", level=1).wait_for()
            page.wait_for_timeout(500)  # until Airflow has drawn its navigation
            page.screenshot(path=folder / f"{state}-frame-{look}.png")
            if look in ("light", "dark"):
                keep(page, server, look)
        page.context.close()


def keep(page: Page, server: PageServer, look: str) -> None:
    """Take the few pictures that the docs show."""
    images = HERE / "pages" / "images"
    images.mkdir(parents=True, exist_ok=True)
    page.set_viewport_size(FOR_DOCS)  # type: ignore[arg-type]
    for name in KEPT:
        page.goto(f"{server.urls[0]}/dataworks/{PAGES[name]}")
        taken = page.screenshot()
        if len(taken) > LARGEST:
            raise SystemExit(f"The picture of {name} has {len(taken)} bytes, more than {LARGEST}.")
        (images / f"page-{name}-{look}.png").write_bytes(taken)


def main() -> None:
    """Take every picture."""
    folder = Path(sys.argv[1]) if len(sys.argv) > 1 else HERE.parent / "build" / "page-pictures"
    folder.mkdir(parents=True, exist_ok=True)
    states = {"empty": (), "one": ("one",), "some": ("some",), "many": ("many", "60", "600")}
    with chromium() as browser:
        for state, rows in states.items():
            with tempfile.TemporaryDirectory() as home, page_server(Path(home), {"dora": []}) as server:
                if rows:
                    server.rows(*rows)
                take(browser, server, state, folder)
                if state == "some":
                    take(browser, server, "refused", folder, user="dora")


if __name__ == "__main__":
    main()
