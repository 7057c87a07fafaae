"""Every fault as a caller really meets it on the wire, the control endpoint, and the emulator as a thread."""

from __future__ import annotations

import gc
import json
import socket
import sys
import threading
import time
import warnings
from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest

from airflow_provider_dataworks.emulator import Emulator
from airflow_provider_dataworks.emulator.harness import MISSING_AIOHTTP

V2020, V2024 = "2020-05-18", "2024-05-18"


def effects(emulator: Emulator) -> int:
    """How many stops took effect."""
    return emulator.job(11668).effective_stops


@pytest.mark.parametrize(
    ("throttle", "status", "code", "headers"),
    [
        (True, 429, "Throttling.User", {}),
        ({"hints": {"x-acs-retry-after": 2000}}, 429, "Throttling.User", {"x-acs-retry-after": "2000"}),
        ({"code": "Throttling.Api", "status": 400, "hints": {"Retry-After": "7"}}, 400, None, {"retry-after": "7"}),
        (
            {"code": "9990020002", "hints": {"x-ratelimit-user-api": "Limit:1,Remain:0,TimeLeft:2000,Reset:1"}},
            429,
            "9990020002",
            {"x-ratelimit-user-api": "Limit:1,Remain:0,TimeLeft:2000,Reset:1"},
        ),
    ],
)
def test_a_throttled_call_has_its_status_code_and_hints_and_no_effect(raw, throttle, status, code, headers):
    """Then the next call passes."""
    raw.emulator.inject({"operation": "StopDIJob", "throttle": throttle})
    reply = raw.call("StopDIJob", DIJobId=11668)
    assert (reply.status_code, reply.json()["Code"]) == (status, code or "Throttling.Api")
    assert headers.items() <= dict(reply.headers).items()
    assert effects(raw.emulator) == 0
    assert raw.call("StopDIJob", DIJobId=11668).status_code == 200
    assert effects(raw.emulator) == 1
    assert raw.emulator.count("StopDIJob", "refused") == 1


def test_an_error_has_its_status_and_code(raw):
    """With or without the effect."""
    raw.emulator.inject(
        {"error": {"status": 403, "code": "Forbidden.Access", "message": "edition"}},
        {"error": {"hints": {"Retry-After": 3}}, "effect": True},
    )
    reply = raw.call("StopDIJob", DIJobId=11668)
    assert (reply.status_code, reply.json()["Code"], reply.json()["Message"]) == (403, "Forbidden.Access", "edition")
    assert effects(raw.emulator) == 0
    reply = raw.call("StopDIJob", DIJobId=11668)
    assert (reply.status_code, reply.json()["Code"]) == (500, "InternalError.System")
    assert reply.headers["retry-after"] == "3"
    assert effects(raw.emulator) == 1


def test_a_gateway_in_between_answers_in_its_own_way(raw):
    """HTML with 502, nothing at all with 503."""
    raw.emulator.inject(
        {"status": 502, "body": "<html>Bad Gateway</html>", "content_type": "text/html"}, {"status": 503}
    )
    reply = raw.call("StopDIJob", DIJobId=11668)
    assert (reply.status_code, reply.headers["content-type"], reply.text) == (
        502,
        "text/html",
        "<html>Bad Gateway</html>",
    )
    reply = raw.call("StopDIJob", DIJobId=11668)
    assert (reply.status_code, reply.content) == (503, b"")
    assert effects(raw.emulator) == 0
    assert [record.outcome for record in raw.emulator.calls] == ["refused", "refused"]


@pytest.mark.parametrize(
    "rule", [{"body": "[1, 2"}, {"body": b"\xff\xfe"}, {"body_base64": "//4="}, {"body": ""}, {"status": 200}]
)
def test_a_body_that_is_no_answer_comes_with_200_after_the_effect(raw, rule):
    """Text, bytes, nothing."""
    raw.emulator.inject(rule)
    reply = raw.call("StopDIJob", DIJobId=11668)
    body = rule.get("body", b"\xff\xfe" if "body_base64" in rule else b"")
    assert (reply.status_code, reply.content) == (200, body.encode() if isinstance(body, str) else body)
    assert effects(raw.emulator) == 1
    assert raw.emulator.calls[-1].outcome == "broken"


@pytest.mark.parametrize(("drop", "stops"), [("before", 0), ("after", 1)])
def test_a_dropped_connection_ends_without_a_byte(raw, drop, stops):
    """Before the effect or after it: the caller cannot tell."""
    raw.emulator.inject({"operation": "StopDIJob", "drop": drop})
    with pytest.raises((httpx.RemoteProtocolError, httpx.ReadError)):
        raw.call("StopDIJob", DIJobId=11668)
    assert effects(raw.emulator) == stops
    record = raw.emulator.calls[-1]
    assert (record.outcome, record.http_status, record.fault) == ("broken", None, "drop")
    assert raw.call("GetDIJob", DIJobId=11668).status_code == 200


def test_a_truncated_answer_ends_in_the_middle_after_the_effect(raw):
    """Half of the body arrives, then the connection closes."""
    raw.emulator.inject({"truncate": True})
    request = raw.signer.but(host=f"127.0.0.1:{raw.emulator.port}").request("StopDIJob", DIJobId=11668)
    lines = [f"{name}: {value}" for name, value in request.headers]
    text = "\r\n".join(["POST / HTTP/1.1", *lines, f"Content-Length: {len(request.body)}", "", ""])
    with socket.create_connection(("127.0.0.1", raw.emulator.port), timeout=5) as plain:
        plain.sendall(text.encode() + request.body)
        received = b"".join(iter(lambda: plain.recv(65536), b""))
    head, _, body = received.partition(b"\r\n\r\n")
    length = int(head.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0])
    assert head.startswith(b"HTTP/1.1 200")
    assert (len(body), body[:14]) == (length // 2, b'{"RequestId": ')
    assert effects(raw.emulator) == 1
    raw.emulator.inject({"truncate": True})
    with pytest.raises(httpx.RemoteProtocolError):
        raw.call("GetDIJob", DIJobId=11668)


def test_a_slow_answer_comes_after_its_seconds(raw):
    """The effect is there while the answer is still waited for."""
    raw.emulator.inject({"slow": 30})
    with pytest.raises(httpx.ReadTimeout):
        raw.call("StopDIJob", DIJobId=11668, options={"timeout": httpx.Timeout(5, read=0.05)})
    assert effects(raw.emulator) == 1
    raw.emulator.inject({"slow": 0.01})
    assert raw.call("StopDIJob", DIJobId=11668).status_code == 200
    assert raw.emulator.calls[-1].outcome == "served"


def test_a_slow_answer_does_not_hold_up_the_end_nor_other_calls(clock, signer):
    """Ending the emulator drops what still waits."""
    with Emulator(jobs={11668: "Running"}, now=clock, faults=[{"operation": "GetDIJob", "slow": 60}]) as emulator:
        host = f"127.0.0.1:{emulator.port}"
        waiting = signer.but(host=host).request("GetDIJob", DIJobId=11668)

        def wait() -> str:
            with httpx.Client(trust_env=False, timeout=60) as http:
                try:
                    http.post(emulator.url, headers=list(waiting.headers), content=waiting.body)
                except httpx.TransportError as error:
                    return type(error).__name__
            return "answered"

        with ThreadPoolExecutor(1) as pool:
            caller = pool.submit(wait)
            while not emulator.count("GetDIJob"):
                time.sleep(0.001)
            other = signer.but(host=host).request("ListProjects")
            reply = httpx.post(emulator.url, headers=list(other.headers), content=other.body, trust_env=False)
            assert reply.status_code == 200
            begun = time.monotonic()
            emulator.stop()
            assert time.monotonic() - begun < 5
            assert caller.result(5) != "answered"


def test_a_redirect_points_elsewhere_without_effect(raw):
    """A signed client must not follow it."""
    raw.emulator.inject({"redirect": "http://127.0.0.1:1/", "status": 302}, {"redirect": "http://127.0.0.1:1/"})
    for status in (302, 307):
        reply = raw.call("StopDIJob", DIJobId=11668)
        assert (reply.status_code, reply.headers["location"]) == (status, "http://127.0.0.1:1/")
    assert effects(raw.emulator) == 0


@pytest.mark.parametrize(
    ("rule", "extra"), [(True, {}), ({"code": "9990040003", "message": "no"}, {"Code": "9990040003", "Message": "no"})]
)
def test_a_refusal_can_hide_in_a_200(raw, rule, extra):
    """Success false, the newer version only."""
    raw.emulator.inject({"success_false": rule})
    assert raw.call("StopDIJob", DIJobId=11668).json().keys() == {"RequestId"}
    reply = raw.call("StopDIJob", V2024, Id=11668)
    assert reply.status_code == 200
    assert {**reply.json(), "RequestId": ""} == {"RequestId": "", "Success": False, **extra}
    assert raw.emulator.calls[-1].outcome == "refused"


def test_a_faulty_call_about_an_unknown_job_fails_like_the_call_itself(raw):
    """The operation is carried out and refuses; the fault then happens to that answer."""
    raw.emulator.inject({"slow": 0}, {"drop": "after"})
    reply = raw.call("StopDIJob", DIJobId=5)
    assert (reply.status_code, reply.json()["Code"]) == (404, "InvalidDIJobId.NotFound")
    with pytest.raises(httpx.TransportError):
        raw.call("StopDIJob", DIJobId=5)


def test_a_shifted_clock_refuses_and_tells_the_time(raw, clock):
    """The Date of the answer lets a client correct itself."""
    raw.emulator.clock_offset = -3600.0
    reply = raw.call("StopDIJob", DIJobId=11668)
    assert (reply.status_code, reply.json()["Code"]) == (400, "InvalidTimeStamp.Expired")
    assert reply.headers["date"] == "Mon, 21 Sep 2026 13:13:20 GMT"
    assert raw.emulator.clock_offset == -3600.0
    assert len(reply.headers.get_list("date")) == 1


def test_bytes_that_are_not_text_are_refused_not_crashed_on(emulator):
    """In the query, in a header, in the body."""
    request = (
        b"POST /?Action=StopDIJob&Version=2020-05-18&AccessKeyId=LTAIemulator&Signature=%ff&x=%ed%a0%80 HTTP/1.1\r\n"
        b"Host: 127.0.0.1\r\nX-Odd: \xff\xfe\r\nConnection: close\r\n"
        b"Content-Type: application/x-www-form-urlencoded\r\nContent-Length: 3\r\n\r\n\xff=\xfe"
    )
    with socket.create_connection(("127.0.0.1", emulator.port), timeout=5) as plain:
        plain.sendall(request)
        received = b"".join(iter(lambda: plain.recv(65536), b""))
    assert received.startswith(b"HTTP/1.1 400")


def test_what_is_not_http_is_not_logged(emulator, caplog):
    """Aiohttp would quote the line, and in the older form the line holds the token."""
    with socket.create_connection(("127.0.0.1", emulator.port), timeout=5) as plain:
        plain.sendall(b"GET /?SecurityToken=tok-en&x=\xff HTTP/1.1\r\nHost: h\r\n\r\n")
        received = plain.recv(65536)
    assert received.startswith(b"HTTP/1.0 400")
    assert "tok-en" not in caplog.text


def test_a_body_too_large_is_refused(raw):
    """No call to this API is anywhere near a megabyte."""
    assert raw.http.post(raw.emulator.url, content=b"x" * 2_000_000).status_code == 413


def test_the_control_endpoint_shows_and_sets_everything(raw, clock):
    """As with curl: a form content type does not matter."""
    base = f"{raw.emulator.url}/_emulator/"
    curl = {"content-type": "application/x-www-form-urlencoded"}

    def post(route: str, value: object) -> httpx.Response:
        return raw.http.post(base + route, content=json.dumps(value), headers=curl)

    routes = raw.http.get(base, headers={"accept": "application/json"}).json()["routes"]
    assert "GET /_emulator/state" in routes
    assert post("jobs", {"id": "11669", "status": "Stopped", "stop_ends_in": "never"}).json()["jobs"].keys() == {
        "11669"
    }
    assert post("jobs", [{"id": 1}, {"id": 2}]).json()["jobs"].keys() == {"1", "2"}
    rule = {"operation": "StopDIJob", "throttle": {"code": "Throttling.Api"}}
    assert post("faults", rule).json()["faults"][0] == {"rule": rule, "seen": 0, "fired": 0, "spent": False}
    assert raw.call("StopDIJob", DIJobId=11668).json()["Code"] == "Throttling.Api"
    assert post("quotas", {"calls_per_second": 1}).json()["quotas"]["calls_per_second"] == 1
    state = raw.http.get(base + "state")
    assert state.headers["content-type"].startswith("application/json")
    assert state.json()["calls"]["StopDIJob"]["refused"] == 1
    assert state.json() == json.loads(json.dumps(raw.emulator.state()))
    assert post("reset", None).json()["jobs"].keys() == {"11668"}
    assert raw.emulator.calls == []


@pytest.mark.parametrize(
    ("method", "route", "body", "status", "text"),
    [
        ("POST", "faults", "{", 400, "body: not JSON"),
        ("POST", "faults", "[" * 100_000, 400, "body: not JSON"),
        ("POST", "faults", "5", 400, "one fault rule as an object"),
        ("POST", "faults", '{"drop": "x"}', 400, "fault 1: drop: 'x'"),
        ("POST", "jobs", '{"status": "Running"}', 400, '"id" is missing'),
        ("POST", "jobs", '{"id": 0}', 400, "positive 64-bit"),
        ("POST", "jobs", '{"id": 1, "x": 1}', 400, "unknown field 'x'"),
        ("POST", "quotas", "[]", 400, "an object of quotas"),
        ("POST", "quotas", '{"qps": 1}', 400, "unknown quota"),
        ("GET", "faults", "", 405, "no such route"),
        ("POST", "nothing", "", 404, "no such route"),
    ],
)
def test_a_wrong_control_request_gets_a_clear_text(raw, method, route, body, status, text):
    """JSON, and what to do about it."""
    reply = raw.http.request(method, f"{raw.emulator.url}/_emulator/{route}", content=body)
    assert reply.status_code == status
    assert text in reply.json()["error"]


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"host": "evil.example"}, 403),
        ({"host": "localhost:1"}, 200),
        ({"host": "[::1]:1"}, 200),
        ({"origin": "https://evil.example"}, 403),
        ({"origin": "null"}, 403),
        ({"origin": "http://h:1", "host": "localhost:1"}, 403),
        ({"origin": "http://localhost:1", "host": "localhost:1"}, 200),
    ],
)
def test_other_web_pages_cannot_use_the_control_endpoint(raw, headers, status):
    """A browser sends requests to loopback addresses for any page; its headers tell."""
    assert raw.http.get(f"{raw.emulator.url}/_emulator/state", headers=headers).status_code == status


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "10.0.0.1", "dataworks.example", ""])
def test_an_address_others_can_reach_is_refused_unless_allowed(host):
    """There is no password on the control endpoint."""
    with pytest.raises(ValueError, match="--allow-remote"):
        Emulator(host=host)


def test_all_addresses_can_be_allowed(clock):
    """Then the control endpoint answers to other names too."""
    with Emulator(host="0.0.0.0", allow_remote=True, now=clock) as emulator:
        url = f"http://127.0.0.1:{emulator.port}/_emulator/state"
        assert httpx.get(url, headers={"host": "machine.example"}, trust_env=False).status_code == 200


def test_localhost_means_one_address():
    """Otherwise a free port could be two."""
    with Emulator(host="localhost") as emulator:
        assert emulator.url == f"http://127.0.0.1:{emulator.port}"


def test_an_emulator_starts_and_stops_more_than_once():
    """Each start is a new server over the same state; nothing is left behind."""
    emulator = Emulator(jobs={1: "Running"})
    emulator.stop()
    for _ in range(2):
        with emulator:
            assert httpx.get(f"{emulator.url}/_emulator/state", trust_env=False).status_code == 200
            with pytest.raises(RuntimeError, match="already running"):
                emulator.start()
        assert "dataworks-emulator" not in [thread.name for thread in threading.enumerate()]
        with pytest.raises(httpx.ConnectError):
            httpx.get(emulator.url, trust_env=False)


def test_ending_leaves_no_connection_open():
    """Not even one whose caller does not read its answer, nor one that came in at the last moment."""
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        large = {"log": ["line" * 5_000]}
        emulator = Emulator(jobs=dict.fromkeys(range(1, 400), large)).start()
        address = ("127.0.0.1", emulator.port)
        with socket.create_connection(address) as deaf, socket.create_connection(address):
            deaf.sendall(b"GET /_emulator/state HTTP/1.1\r\nHost: localhost\r\n\r\n")
            assert deaf.recv(12) == b"HTTP/1.1 200"
            emulator.stop()
        gc.collect()

    assert [str(each.message) for each in told] == []


def test_a_taken_port_is_an_os_error(emulator):
    """The caller learns it where it started the emulator, and no thread stays."""
    with pytest.raises(OSError, match="address already in use"):
        Emulator(port=emulator.port).start()
    assert [thread.name for thread in threading.enumerate()].count("dataworks-emulator") == 1


@pytest.mark.parametrize(
    ("settings", "text"),
    [
        ({"port": 70_000}, "port: 70000"),
        ({"clock_offset": float("nan")}, "clock_offset: nan"),
        ({"jobs": {0: "Running"}}, "id: 0"),
        ({"faults": [{}]}, "fault 1"),
        ({"stop_seconds": -1}, "stop_seconds"),
        ({"calls_per_day": -1}, "calls_per_day"),
        ({"access_keys": {}}, "at least one"),
    ],
)
def test_settings_are_checked_before_anything_starts(settings, text):
    """Naming the field."""
    with pytest.raises(ValueError, match=text):
        Emulator(**settings)


def test_the_handle_reaches_all_of_the_state(emulator):
    """What tests use."""
    assert (emulator.access_key_id, emulator.access_key_secret, emulator.security_token) == (
        "LTAIemulator",
        "emulator-secret",
        "",
    )
    emulator.add_job(5, "Stopped", name="five", stop_ends_in="Failed")
    emulator.set_status(5, "Running")
    assert [(job.id, job.status) for job in emulator.jobs()] == [(5, "Running"), (11668, "Running")]
    emulator.add_access_key("LTAIother", "other-secret")
    emulator.set_quotas(calls_per_second=1, burst=2)
    assert emulator.state()["quotas"]["burst"] == 2
    emulator.reset()
    assert [job.id for job in emulator.jobs()] == [11668]


def test_many_callers_at_once_make_one_effective_stop(raw):
    """Calls from many threads, state read from another."""

    def call(_: int) -> int:
        return raw.call("StopDIJob", DIJobId=11668).status_code

    with ThreadPoolExecutor(8) as pool:
        assert set(pool.map(call, range(64))) == {200}
    assert effects(raw.emulator) == 1
    assert raw.emulator.job(11668).stop_calls == raw.emulator.count() == 64


def test_without_aiohttp_the_error_says_what_to_install(monkeypatch):
    """The package does not depend on aiohttp; the extra does."""
    monkeypatch.delitem(sys.modules, "airflow_provider_dataworks.emulator.server", raising=False)
    monkeypatch.delattr(sys.modules["airflow_provider_dataworks.emulator"], "server", raising=False)
    monkeypatch.setitem(sys.modules, "aiohttp", None)
    with pytest.raises(ImportError, match=r"pip install 'airflow-provider-dataworks\[emulator\]'"):
        Emulator().start()
    assert "airflow-provider-dataworks[emulator]" in MISSING_AIOHTTP
