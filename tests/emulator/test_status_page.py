"""The status page: who gets it, what a browser lets it do, and that it and its state give nothing away."""

from __future__ import annotations

import base64
import hashlib
import json
import re
from html.parser import HTMLParser
from importlib import resources

import httpx
import pytest

from airflow_provider_dataworks.client.auth import signing
from airflow_provider_dataworks.emulator import Emulator, status_page
from airflow_provider_dataworks.emulator.requests import Request

V2024 = "2024-05-18"
BROWSER = {"accept": "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"}
TEXT = resources.files("airflow_provider_dataworks.emulator").joinpath("status_page.html").read_text(encoding="utf-8")


class Tags(HTMLParser):
    """Collects tags with their attributes, and which were left open."""

    VOID = frozenset({"meta", "link", "input", "col", "br"})

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.open: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def policy(reply: httpx.Response) -> dict[str, str]:
    """What the page may do, by directive."""
    rules = (rule.strip().partition(" ") for rule in reply.headers["content-security-policy"].split(";"))
    return {name: value for name, _, value in rules}


@pytest.mark.parametrize(
    ("path", "accept"),
    [
        ("/", BROWSER["accept"]),
        ("/", "text/html"),
        ("/_emulator/", BROWSER["accept"]),
        ("/_emulator/", "*/*"),
        ("/_emulator/", ""),
        ("/_emulator/?x=1", "text/html, application/json"),
    ],
)
def test_a_browser_gets_the_page(raw, path, accept):
    """At the address itself and under the control endpoint; it is no call."""
    reply = raw.http.get(raw.emulator.url + path, headers={"accept": accept})
    assert (reply.status_code, reply.text) == (200, TEXT)
    assert reply.headers["content-type"] == "text/html; charset=utf-8"
    assert raw.emulator.calls == []


@pytest.mark.parametrize(
    ("method", "query", "headers"),
    [
        ("GET", "", {"accept": "*/*"}),
        ("GET", "", {"accept": "application/json"}),
        ("POST", "", BROWSER),
        ("HEAD", "", BROWSER),
        ("GET", "?Action=GetDIJob&Version=2020-05-18", BROWSER),
        ("GET", "", {**BROWSER, "x-acs-action": "GetDIJob", "x-acs-version": V2024}),
        ("GET", "", {**BROWSER, "x-acs-version": V2024}),
        ("GET", "", {**BROWSER, "authorization": "ACS3-HMAC-SHA256 Credential=a,SignedHeaders=b,Signature=c"}),
    ],
)
def test_whatever_could_be_a_call_is_answered_as_one(raw, method, query, headers):
    """And is counted as one."""
    reply = raw.http.request(method, f"{raw.emulator.url}/{query}", headers=headers)
    assert reply.status_code in (400, 404)
    assert "html" not in reply.headers["content-type"]
    assert raw.emulator.count(outcome="refused") == 1


@pytest.mark.parametrize("signature", signing.SIGNATURES)
def test_a_signed_call_that_would_take_html_too_gets_its_answer(raw, signature):
    """By GET to the same path, in both signature forms."""
    signer = raw.signer.but(version=V2024, signature=signature, accept="application/json, text/html")
    request = signer.but(host=f"127.0.0.1:{raw.emulator.port}").request("GetDIJob", Id=11668)
    assert not status_page.wanted(request)
    reply = raw.send(request)
    assert (reply.status_code, reply.json()["PagingInfo"]["DIJobId"]) == (200, "11668")


def test_a_body_makes_it_no_look_at_the_page():
    """A browser sends none with a GET."""
    looks = Request("GET", "/", "", tuple(BROWSER.items()))
    assert status_page.wanted(looks)
    assert not status_page.wanted(Request("GET", "/", "", tuple(BROWSER.items()), b"Action=GetDIJob"))
    assert not status_page.wanted(Request("GET", "/other", "", tuple(BROWSER.items())))


def test_the_routes_are_still_there_as_json(raw):
    """For whoever asks for JSON."""
    reply = raw.http.get(f"{raw.emulator.url}/_emulator/", headers={"accept": "application/json"})
    assert "GET /_emulator/" in reply.json()["routes"]


@pytest.mark.parametrize("path", ["/", "/_emulator/"])
@pytest.mark.parametrize("headers", [{"host": "evil.example"}, {"origin": "https://evil.example"}])
def test_other_web_pages_do_not_get_it(raw, path, headers):
    """The same protection as for the rest of the control endpoint, said in plain text."""
    reply = raw.http.get(raw.emulator.url + path, headers={**BROWSER, **headers})
    assert (reply.status_code, reply.headers["content-type"]) == (403, "text/plain; charset=utf-8")
    assert "control endpoint" in reply.text


def test_other_machines_get_it_where_that_is_allowed(clock):
    """Like the control endpoint."""
    with Emulator(host="0.0.0.0", allow_remote=True, now=clock) as emulator:
        headers = {**BROWSER, "host": "machine.example"}
        assert httpx.get(f"http://127.0.0.1:{emulator.port}/", headers=headers, trust_env=False).text == TEXT


def test_a_browser_may_run_and_load_nothing_but_what_is_in_the_file(raw):
    """One script and one style by their hashes; no HTML made of text; in no frame."""
    reply = raw.http.get(raw.emulator.url, headers=BROWSER)
    rules = policy(reply)
    hashes = {}
    for tag in ("script", "style"):
        (content,) = re.findall(rf"<{tag}>(.*?)</{tag}>", reply.text, re.DOTALL)
        digest = base64.b64encode(hashlib.sha256(content.encode()).digest()).decode()
        hashes[tag] = f"'sha256-{digest}'"
    assert rules == {
        "default-src": "'none'",
        "script-src": hashes["script"],
        "style-src": hashes["style"],
        "img-src": "data:",
        "connect-src": "'self'",
        "base-uri": "'none'",
        "form-action": "'none'",
        "frame-ancestors": "'none'",
        "require-trusted-types-for": "'script'",
        "trusted-types": "'none'",
    }
    assert reply.headers["referrer-policy"] == "no-referrer"


def test_a_page_without_script_or_style_may_run_none():
    """An empty directive would be read as absent."""
    assert "script-src 'none'; style-src 'none'" in status_page.policy("<p>nothing</p>")


@pytest.mark.parametrize("path", ["", "_emulator/", "_emulator/state", "_emulator/nothing"])
def test_nothing_is_kept_nor_taken_for_something_else(raw, path):
    """Page, state and errors."""
    headers = raw.http.get(f"{raw.emulator.url}/{path}", headers=BROWSER).headers
    assert headers["cache-control"] == "no-store"
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["cross-origin-resource-policy"] == "same-origin"


def test_the_page_names_no_outside_address():
    """It works without a network, and tells nobody that it was opened."""
    assert not re.search(r"//[\w-]+\.|https?:|wss?:|@import|url\(|import\(", TEXT)
    for tag, attributes in Tags(TEXT).tags:
        for name in ("src", "srcset", "action", "data", "poster", "formaction", "ping"):
            assert name not in attributes, tag
        assert (attributes.get("href") or "/").startswith(("/_emulator/", "/", "data:image/png;base64,"))


def test_the_page_never_makes_html_of_text():
    """Names and messages come from callers; the browser test of this is the policy's."""
    assert not re.search(r"innerHTML|outerHTML|insertAdjacent|document\.write|DOMParser|eval\(|Function\(|srcdoc", TEXT)


def test_the_page_is_well_formed_and_accessible():
    """What a policy without inline styles needs, and a screen reader."""
    page = Tags(TEXT)
    assert page.open == []
    assert ("html", {"lang": "en"}) in page.tags
    identities = [attributes["id"] for _, attributes in page.tags if "id" in attributes]
    assert len(identities) == len(set(identities))
    assert set(re.findall(r'\$\("([\w-]+)"\)', TEXT)) <= set(identities)
    for tag, attributes in page.tags:
        assert not any(name == "style" or name.startswith("on") for name in attributes)
        assert tag != "th" or attributes["scope"] in ("col", "row")
        assert tag not in ("table", "input", "progress") or {"aria-label", "aria-labelledby"} & attributes.keys()
        assert attributes.get("aria-labelledby") in (None, *identities)


def test_every_refusal_of_the_emulator_is_explained():
    """The page says in plain words what each code means."""
    explained = set(re.findall(r'^  "([\w.]+)": "', TEXT, re.MULTILINE))
    package = resources.files("airflow_provider_dataworks.emulator")
    sources = [
        package.joinpath(f"{name}.py").read_text() for name in ("auth", "operations", "quotas", "jobs", "service")
    ]
    codes = {code for source in sources for code in re.findall(r'(?:Refusal\(\s*\d+, )"([\w.]+)"', source)}
    assert len(codes) > 10
    assert codes <= explained


def test_the_state_has_what_the_page_shows(new_service, signer, clock):
    """Last calls, the latest first; why calls failed; the last minute by second."""
    service = new_service(
        jobs={11668: "Running", 2**63 - 1: "Running"}, faults=[{"operation": "StartDIJob", "drop": "after"}]
    )
    service.handle(signer.request("GetDIJob", DIJobId=2**63 - 1))
    clock.pass_(2)
    service.handle(signer.request("StopDIJob", DIJobId=11668))
    service.handle(signer.request("StartDIJob", DIJobId=11668))
    service.handle(signer.request("GetDIJob", DIJobId=5))
    clock.pass_(1)
    service.handle(signer.request("GetDIJob", DIJobId=5))
    state = json.loads(json.dumps(service.state()))
    assert [call["number"] for call in state["recent"]] == [5, 4, 3, 2, 1]
    assert state["recent"][-1]["job_id"] == "9223372036854775807"
    assert state["recent"][3] == {
        "number": 2,
        "time": clock() - 1,
        "operation": "StopDIJob",
        "version": "2020-05-18",
        "job_id": "11668",
        "outcome": "served",
        "code": "",
        "http_status": 200,
        "fault": "",
        "status_before": "Running",
        "status_after": "Stopping",
    }
    nobody = {"operation": "GetDIJob", "outcome": "refused", "code": "InvalidDIJobId.NotFound", "fault": ""}
    dropped = {"operation": "StartDIJob", "outcome": "broken", "code": "", "fault": "drop"}
    assert state["troubles"] == [
        {**nobody, "calls": 2, "last": clock()},
        {**dropped, "calls": 1, "last": clock() - 1},
    ]
    minute = state["last_minute"]
    assert (minute["served"][-4:], minute["refused"][-4:], minute["broken"][-4:]) == (
        [1, 0, 1, 0],
        [0, 0, 1, 1],
        [0, 0, 1, 0],
    )
    service.reset()
    state = service.state()
    assert (state["recent"], state["troubles"], sum(state["last_minute"]["served"])) == ([], [], 0)


def test_the_last_minute_forgets_and_survives_a_clock_set_back(new_service, signer, clock):
    """Sixty seconds; a call from the future counts as now."""
    service = new_service()
    service.handle(signer.request("GetDIJob", DIJobId=11668))
    clock.pass_(60)
    assert sum(service.state()["last_minute"]["served"]) == 0
    clock.pass_(-65)
    assert service.state()["last_minute"]["served"][-1] == 1


def test_the_state_keeps_to_the_last_calls(new_service, signer):
    """However many there were."""
    service = new_service()
    for _ in range(60):
        service.handle(signer.request("GetDIJob", DIJobId=11668))
    recent = service.state()["recent"]
    assert (len(recent), recent[0]["number"], recent[-1]["number"]) == (50, 60, 11)


def test_todays_calls_are_those_of_today(new_service, signer, clock):
    """Also before the first call of a new day."""
    service = new_service()
    service.handle(signer.request("GetDIJob", DIJobId=11668))
    assert service.state()["quotas"]["calls_today"] == 1
    clock.pass_(86_400)
    assert service.state()["quotas"]["calls_today"] == 0


@pytest.mark.parametrize("signature", signing.SIGNATURES)
def test_neither_page_nor_state_has_a_secret_a_token_or_a_signature(clock, signer, signature):
    """Of calls let in and of those refused, in both forms."""
    with Emulator(
        jobs={11668: "Running"}, access_keys={"LTAIown": "own-secret"}, security_token="own-token", now=clock
    ) as emulator:
        good = signer.but(
            access_key_id="LTAIown",
            secret="own-secret",
            token="own-token",
            signature=signature,
            host=f"127.0.0.1:{emulator.port}",
        )
        wrong = good.but(secret="wrong-secret"), good.but(token="wrong-token"), good.but(access_key_id="LTAIwrong")
        hidden = {"LTAIown", "own-secret", "own-token", "wrong-secret", "wrong-token", "LTAIwrong"}
        with httpx.Client(trust_env=False) as http:
            for each in (good, *wrong):
                request = each.request("StopDIJob", DIJobId=11668)
                hidden |= set(
                    re.findall(r"Signature=([^&,\s]{20,})", f"{request.query} {request.header('authorization')}")
                )
                http.post(f"{emulator.url}/?{request.query}", headers=list(request.headers), content=request.body)
            assert (emulator.count(outcome="served"), emulator.count(outcome="refused")) == (1, 3)
            shown = [http.get(emulator.url + path, headers=BROWSER).text for path in ("/", "/_emulator/state")]
    assert len(hidden) == 10
    for text in shown:
        assert not [secret for secret in hidden if secret in text]


def test_a_program_gets_the_state_compact(raw):
    """400 jobs each second would cost the emulator three times as much time; a person with curl gets it indented."""
    compact = raw.http.get(f"{raw.emulator.url}/_emulator/state", headers={"accept": "application/json"}).text
    indented = raw.http.get(f"{raw.emulator.url}/_emulator/state").text
    assert (compact.count("\n"), json.loads(compact)) == (1, json.loads(indented))
    assert indented.startswith('{\n  "clock"')
