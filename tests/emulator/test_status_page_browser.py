"""The status page in a real browser, as people see it."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

import pytest
from browser import chromium

from airflow_provider_dataworks.emulator import Emulator

pytestmark = pytest.mark.e2e

HOSTILE = '<img src=x onerror="document.title=1"><script>document.title=2</script>'
LONG_ID = 2**63 - 1


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    """One headless Chromium for all tests."""
    with chromium() as running:
        yield running


@pytest.fixture
def look(browser: Any) -> Iterator[Any]:
    """Opens the page of an emulator; ``page.said`` has what the browser wrote to its console, and other requests."""
    contexts = []

    def open_page(emulator: Emulator, **options: Any) -> Any:
        context = browser.new_context(**{"viewport": {"width": 1280, "height": 800}, **options})
        contexts.append(context)
        page = context.new_page()
        page.said = []
        page.on("console", lambda message: page.said.append(message.text))
        page.on("pageerror", lambda error: page.said.append(str(error)))
        allowed = (f"{emulator.url}/", "data:")
        page.on("request", lambda request: request.url.startswith(allowed) or page.said.append(request.url))
        page.goto(emulator.url)
        page.wait_for_selector("#link[data-kind=live]")
        return page

    yield open_page
    for context in contexts:
        context.close()


def call(emulator: Emulator, signer: Any, action: str, **params: Any) -> None:
    """Make one signed call, whatever comes of it."""
    import httpx

    request = signer.but(host=f"127.0.0.1:{emulator.port}", now=time.time).request(action, **params)
    try:
        httpx.post(emulator.url, headers=list(request.headers), content=request.body, trust_env=False)
    except httpx.TransportError:
        return


def test_untrusted_text_stays_text(look, signer):
    """Names, statuses, messages, operations, codes: shown as they are, run never."""
    failed = {"status": "Failed", "error_message": HOSTILE, "name": HOSTILE}
    rules = [
        {"operation": "StopDIJob", "error": {"code": HOSTILE, "hints": {"x-hint": HOSTILE}}},
        {"operation": HOSTILE, "redirect": "http://127.0.0.1:1/"},
    ]
    with Emulator(
        jobs={1: {"status": HOSTILE, "name": HOSTILE}, 2: failed, LONG_ID: "Running"}, faults=rules
    ) as emulator:
        call(emulator, signer, HOSTILE)
        call(emulator, signer, "StopDIJob", DIJobId=LONG_ID)
        page = look(emulator)
        page.wait_for_timeout(1_500)
        assert page.locator("img").count() == 0
        assert page.locator("script").count() == 1
        assert page.title() == "DataWorks emulator"
        for place in ("#jobs [data-part=name]", "#jobs [data-part=status]", "#jobs .error", "#chips", "#why", "#rules"):
            assert HOSTILE in page.locator(place).filter(has_text="<img").first.inner_text(), place
        assert "<img" in page.locator("#calls").inner_text()
        assert page.locator("#jobs .id").all_inner_texts() == ["1", "2", str(LONG_ID)]
        assert page.locator("#feed [data-part=job]").first.inner_text() == str(LONG_ID)
        assert page.said == []


def test_the_browser_refuses_html_made_of_text_and_scripts_put_in(look):
    """Should a later change forget the rule, the policy still holds."""
    with Emulator(jobs={1: "Running"}) as emulator:
        page = look(emulator)
        assert (
            page.evaluate("try { document.body.innerHTML = '<b>x</b>'; 'taken' } catch (error) { error.name }")
            == "TypeError"
        )
        page.evaluate(
            "const it = document.createElement('script'); it.append('document.title = 1'); document.head.append(it)"
        )
        assert page.title() == "DataWorks emulator"
        assert emulator.count() == 0, "not even an icon was asked for where calls arrive"


def test_it_is_live_and_says_when_the_emulator_is_gone(look, signer):
    """Status, counts and feed follow; then the notice; then it comes back by itself."""
    emulator = Emulator(jobs={11668: "Running"}, stop_seconds=60)
    with emulator:
        page = look(emulator)
        status = page.locator("#jobs [data-part=status]")
        assert (status.inner_text(), page.locator("#total-all").inner_text()) == ("Running", "0")
        call(emulator, signer, "StopDIJob", DIJobId=11668)
        page.locator("#jobs [data-part=status]", has_text="Stopping").wait_for(timeout=5_000)
        assert "Stopped in 5" in page.locator("#jobs [data-part=next]").inner_text()
        assert page.locator("#feed [data-part=change]").inner_text() == "Running → Stopping"
        port = emulator.port
    page.wait_for_selector("#link[data-kind=gone]", timeout=10_000)
    assert "does not answer" in page.locator("#notice").inner_text()
    assert page.title() == "(gone) DataWorks emulator"
    with Emulator(jobs={7: "Stopped"}, port=port):
        page.wait_for_selector("#link[data-kind=live]", timeout=10_000)
        assert page.locator("#jobs .id").all_inner_texts() == ["7"]
        assert page.locator("#notice").is_hidden()


def test_nothing_is_asked_while_paused_or_hidden(look):
    """By the button, and in a tab that nobody sees."""
    with Emulator(jobs={1: "Running"}) as emulator:
        page = look(emulator)
        asked: list[str] = []
        page.on("request", lambda request: asked.append(request.url))
        page.click("#pause")
        page.wait_for_timeout(2_200)
        assert (asked, page.locator("#link").inner_text()) == ([], "Paused")
        page.click("#pause")
        page.wait_for_selector("#link[data-kind=live]")
        page.evaluate(
            "Object.defineProperty(document, 'hidden', {get: () => window.unseen, configurable: true});"
            "window.unseen = true; document.dispatchEvent(new Event('visibilitychange'))"
        )
        page.wait_for_timeout(300)
        asked.clear()
        page.wait_for_timeout(2_200)
        assert asked == []
        page.evaluate("window.unseen = false; document.dispatchEvent(new Event('visibilitychange'))")
        page.wait_for_timeout(500)
        assert asked != []


def test_hundreds_of_jobs_can_be_found(look):
    """Capped, filtered by status and text, or all."""
    jobs = {11000 + place: "Stopping" if place % 100 == 0 else "Running" for place in range(400)}
    with Emulator(jobs=jobs) as emulator:
        page = look(emulator)
        ids = page.locator("#jobs .id")
        assert (ids.count(), page.locator("#jobs-shown").inner_text()) == (12, "12 of 400 jobs")
        page.click("#jobs-all")
        assert ids.count() == 400
        page.click("#chips button:has-text('Stopping')")
        assert ids.all_inner_texts() == ["11000", "11100", "11200", "11300"]
        page.fill("#filter", "112")
        assert ids.all_inner_texts() == ["11200"]
        page.fill("#filter", "nothing like it")
        assert page.locator("#jobs-empty").inner_text() == "No job matches."


@pytest.mark.parametrize("width", [360, 700, 1000, 1280, 1920])
def test_no_width_makes_it_scroll_sideways(look, width):
    """With the longest names there may be."""
    with Emulator(jobs={LONG_ID: {"name": "n" * 300, "status": "S" * 200}}) as emulator:
        page = look(emulator, viewport={"width": width, "height": 800})
        assert page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth") == 0


# Relative luminance and contrast as WCAG 2 defines them, of what the browser has drawn.
CONTRAST = """
element => {
    const channels = text => text.match(/[\\d.]+/g).map(Number);
    const luminance = ([r, g, b]) => [r, g, b].map(c => c / 255)
        .map(c => c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4)
        .reduce((sum, c, place) => sum + c * [0.2126, 0.7152, 0.0722][place], 0);
    let behind = element;
    while (behind && (channels(getComputedStyle(behind).backgroundColor)[3] ?? 1) < 1) behind = behind.parentElement;
    const ground = behind ? channels(getComputedStyle(behind).backgroundColor) : [255, 255, 255];
    const pair = [luminance(channels(getComputedStyle(element).color)), luminance(ground)].sort((a, b) => b - a);
    return (pair[0] + 0.05) / (pair[1] + 0.05);
}
"""


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_it_can_be_read_by_day_and_by_night(look, signer, scheme):
    """Statuses, messages, calls and rules stand out from what is behind them."""
    failed = {"status": "Failed", "name": "mysql_to_holo_customers", "error_message": "binlog position is gone"}
    jobs = {11668: {"status": "Running", "name": "mysql_to_holo_orders"}, 11743: failed, 11801: "Stopped"}
    throttle = {"operation": "StopDIJob", "throttle": {"hints": {"x-acs-retry-after": 2000}}, "times": 1}
    with Emulator(jobs=jobs, faults=[throttle], stop_seconds=60) as emulator:
        for action, params in (
            ("GetDIJob", {"DIJobId": 11668}),
            ("StopDIJob", {"DIJobId": 11668}),
            ("StopDIJob", {"DIJobId": 11668}),
            ("GetDIJob", {"DIJobId": 11668}),
            ("ListDIJobs", {"ProjectId": 1967, "PageNumber": 1, "PageSize": 100}),
        ):
            call(emulator, signer, action, **params)
        page = look(emulator, color_scheme=scheme)
        page.locator("#jobs [data-part=status]", has_text="Stopping").wait_for(timeout=5_000)
        for place in (
            "#jobs [data-part=status]",
            "#jobs [data-part=name]",
            "#jobs .error",
            "#feed [data-part]",
            "#link",
            "h2",
        ):
            found = page.locator(place)
            assert found.count(), place
            for number in range(found.count()):
                assert found.nth(number).evaluate(CONTRAST) >= 4.5, (place, found.nth(number).inner_text())
