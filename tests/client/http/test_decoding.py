"""Bodies and headers become plain values, JSON and XML alike, whatever a hostile or broken server sends."""

from __future__ import annotations

import time
from typing import Any

import pytest
from fake_dataworks import START

from airflow_provider_dataworks.client.http.decoding import Reply, clock_skew, decode, items, retry_after, text
from airflow_provider_dataworks.values import whole_number

DEEP = 100_000
BILLION_LAUGHS = (
    b'<?xml version="1.0"?><!DOCTYPE lolz [<!ENTITY lol "lol">'
    + b"".join(f'<!ENTITY lol{n} "{f"&lol{n - 1 or str()};" * 10}">'.encode() for n in range(1, 10))
    + b"]><Error><Code>&lol9;</Code></Error>"
)
EXTERNAL = (
    b'<?xml version="1.0"?><!DOCTYPE r [<!ENTITY x SYSTEM "file:///etc/hostname">]><Error><Code>&x;</Code></Error>'
)
EXTERNAL_DTD = b'<?xml version="1.0"?><!DOCTYPE r SYSTEM "http://127.0.0.1:1/evil.dtd"><Error><Code>A</Code></Error>'
PARAMETER_ENTITY = b'<!DOCTYPE r [<!ENTITY % x SYSTEM "http://127.0.0.1:1/x">%x;]><Error><Code>A</Code></Error>'


def reply(headers: dict[str, str] | None = None, body: bytes = b"", received_at: float = START) -> Reply:
    """An answer with these headers or this body."""
    return Reply(429, headers or {}, body, received_at)


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        pytest.param(b'{"RequestId": "r", "N": 1}', {"RequestId": "r", "N": 1}, id="json"),
        pytest.param(b'\n {"A": "\xe4\xb8\xad"} ', {"A": "中"}, id="json with space around"),
        pytest.param(b"\xef\xbb\xbf{}", {}, id="json with byte order mark"),
        pytest.param(b"<R><A>1</A><B/></R>", {"A": "1", "B": ""}, id="xml"),
        pytest.param(b"<?xml version='1.0' encoding='UTF-8'?>\n<R><A>1</A></R>", {"A": "1"}, id="xml with declaration"),
        pytest.param(b"<R><A>1</A><A>2</A><A>3</A></R>", {"A": ["1", "2", "3"]}, id="repeated elements"),
        pytest.param(b"<R><A>x &amp; y</A><!-- no --></R>", {"A": "x & y"}, id="predefined entities and comments"),
        pytest.param(b"<R><A><B>1</B></A></R>", {"A": {"B": "1"}}, id="nested"),
    ],
)
def test_json_and_xml_become_the_same_kind_of_values(body: bytes, expected: dict[str, Any]):
    """The body is read by what it looks like, not by its content type."""
    assert decode(reply(body=body)) == expected


@pytest.mark.parametrize(
    "body",
    [
        pytest.param(b"", id="empty"),
        pytest.param(b'{"A": ', id="truncated json"),
        pytest.param(b"<R><A>1</A>", id="truncated xml"),
        pytest.param(b"[1, 2]", id="list"),
        pytest.param(b'"text"', id="string"),
        pytest.param(b"null", id="null"),
        pytest.param(b"\xff\xfe\x00", id="no text"),
        pytest.param(b"<R/>", id="xml without fields"),
        pytest.param(b"<html><body>Bad gateway</body></html>", id="html"),
        pytest.param(b"<!DOCTYPE html><html><p>Bad gateway</html>", id="html5"),
        pytest.param(b"<HTML><BODY>x</BODY></HTML>", id="html in capitals"),
        pytest.param(b"[" * DEEP, id="deep json list"),
        pytest.param(b'{"A":' * DEEP, id="deep json"),
        pytest.param(b'{"A":' + b"9" * 5000 + b"}", id="endless number"),
        pytest.param(b"<A>" * DEEP + b"</A>" * DEEP, id="deep xml"),
        pytest.param(b"OK", id="plain text"),
    ],
)
def test_what_is_not_an_answer_of_the_service_is_nothing(body: bytes):
    """Broken and foreign bodies are told apart from answers, without an error of their own."""
    assert decode(reply(body=body)) is None


@pytest.mark.parametrize(
    "body",
    [
        pytest.param(BILLION_LAUGHS, id="billion laughs"),
        pytest.param(EXTERNAL, id="external entity"),
        pytest.param(EXTERNAL_DTD, id="external document type"),
        pytest.param(PARAMETER_ENTITY, id="parameter entity"),
    ],
)
def test_xml_entities_are_refused_at_once(body: bytes):
    """Nothing is expanded or fetched, so a few bytes cannot cost time, memory or a local file."""
    start = time.perf_counter()

    assert decode(reply(body=body)) is None
    assert time.perf_counter() - start < 0.5


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        pytest.param({}, None, id="none"),
        pytest.param({"x-acs-retry-after": "2500"}, 2.5, id="acs in milliseconds"),
        pytest.param({"x-acs-retry-after": " 2500 "}, 2.5, id="acs with space"),
        pytest.param({"x-acs-retry-after": "2500", "retry-after": "60"}, 2.5, id="acs before the standard"),
        pytest.param({"x-acs-retry-after": "0"}, None, id="acs zero is no hint"),
        pytest.param({"x-acs-retry-after": "0", "retry-after": "60"}, 60.0, id="acs zero, then the standard"),
        pytest.param({"x-acs-retry-after": "-5"}, None, id="acs negative"),
        pytest.param({"x-acs-retry-after": "2.5"}, None, id="acs fraction"),
        pytest.param({"x-acs-retry-after": "soon"}, None, id="acs words"),
        pytest.param({"x-acs-retry-after": "9" * 50}, None, id="acs absurd"),
        pytest.param({"x-ratelimit-user-api": "Limit:1,Remain:0,TimeLeft:2000,Reset:1234"}, 2.0, id="user-api"),
        pytest.param({"x-ratelimit-user": "Limit:1,Remain:0,TimeLeft:3000,Reset:1234"}, 3.0, id="user"),
        pytest.param(
            {"x-ratelimit-user-api": "TimeLeft:2000", "x-ratelimit-user": "TimeLeft:7000"}, 7.0, id="larger wins"
        ),
        pytest.param(
            {"x-ratelimit-user-api": "TimeLeft:8000", "x-ratelimit-user": "TimeLeft:7000"},
            8.0,
            id="larger wins either way",
        ),
        pytest.param({"x-ratelimit-user-api": "Limit:1, TimeLeft: 2000"}, 2.0, id="user-api with spaces"),
        pytest.param({"x-ratelimit-user-api": "TimeLeft:0"}, None, id="no time left"),
        pytest.param({"x-ratelimit-user-api": "TimeLeft:0", "retry-after": "4"}, 4.0, id="no time left, then standard"),
        pytest.param({"x-ratelimit-user-api": "TimeLeft:-5"}, None, id="time left negative"),
        pytest.param({"x-ratelimit-user-api": "TimeLeft:" + "9" * 400}, None, id="time left absurd"),
        pytest.param({"x-ratelimit-user-api": "TimeLeft:" + "9" * 5000}, None, id="time left beyond parsing"),
        pytest.param({"x-ratelimit-user-api": "garbage"}, None, id="ratelimit garbage"),
        pytest.param({"retry-after": "30"}, 30.0, id="seconds"),
        pytest.param({"retry-after": "0"}, None, id="zero seconds is no hint"),
        pytest.param({"retry-after": "-30"}, None, id="negative seconds"),
        pytest.param({"retry-after": "30.5"}, None, id="broken seconds"),
        pytest.param({"retry-after": "later"}, None, id="words"),
        pytest.param({"retry-after": "Mon, 01 Jan 99999999999999999999 00:00:00 GMT"}, None, id="absurd date"),
        pytest.param(
            {"retry-after": "Wed, 21 Oct 2026 07:28:30 GMT", "date": "Wed, 21 Oct 2026 07:28:00 GMT"},
            30.0,
            id="date by the server's clock",
        ),
        pytest.param(
            {"retry-after": "Wed, 21 Oct 2026 07:28:00 GMT", "date": "Wed, 21 Oct 2026 07:28:30 GMT"},
            None,
            id="date in the past is no hint",
        ),
        pytest.param({"retry-after": "Mon, 21 Sep 2026 14:14:00 GMT"}, 40.0, id="date without Date, by our own clock"),
        pytest.param(
            {"retry-after": "Mon, 21 Sep 2026 14:14:00 GMT", "date": "rubbish"}, 40.0, id="date with a broken Date"
        ),
    ],
)
def test_the_wait_the_service_asks_for(headers: dict[str, str], expected: float | None):
    """Each hint header is read in its own unit; what cannot be meant is no hint."""
    assert retry_after(reply(headers)) == expected


@pytest.mark.parametrize(
    ("date", "expected"),
    [
        ("Mon, 21 Sep 2026 14:13:20 GMT", 0.0),
        ("Mon, 21 Sep 2026 15:13:20 GMT", 3600.0),
        ("Mon, 21 Sep 2026 13:13:20 +0000", -3600.0),
        ("Mon, 21 Sep 2026 14:13:30", 10.0),
        ("", None),
        ("yesterday", None),
        ("Mon, 01 Jan 2020 00:00:00 +99999999999999999999", None),
    ],
)
def test_the_skew_is_how_far_the_service_is_ahead(date: str, expected: float | None):
    """The answer's Date and the time it arrived give the skew; without a date there is none."""
    assert clock_skew(reply({"date": date})) == expected


@pytest.mark.parametrize(
    ("payload", "expected"),
    [
        ({"A": "x", "B": "y"}, "x"),
        ({"A": "", "B": "y"}, "y"),
        ({"A": None, "B": 5}, "5"),
        ({"A": {}, "B": []}, None),
        ({"A": False}, "false"),
        ({"A": True}, "true"),
        ({}, None),
    ],
)
def test_the_first_field_that_holds_something_is_taken(payload: dict[str, Any], expected: str | None):
    """Fields are looked for under several spellings."""
    assert text(payload, "A", "B") == expected


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (5, 5),
        ("5", 5),
        ("0005", 5),
        (2**63 - 1, 2**63 - 1),
        ("9223372036854775807", 2**63 - 1),
        (2**63, None),
        ("9223372036854775808", None),
        (0, None),
        (-1, None),
        ("-5", None),
        ("+5", None),
        (" 5", None),
        ("5\n", None),
        ("1_0", None),
        ("\uff15", None),
        ("1e4", None),
        (11668.0, None),
        (11668.7, None),
        (True, None),
        (None, None),
        ("", None),
        ("five", None),
        ([], None),
        (float("inf"), None),
        (float("nan"), None),
    ],
)
def test_whole_numbers_come_as_numbers_or_text(value: Any, expected: int | None):
    """XML knows only text, and JSON of another world knows infinity; an id is a positive 64-bit number, or none."""
    assert whole_number(value) == expected


ONE, OTHER = {"DIJobId": "1", "JobStatus": "Running"}, {"DIJobId": "2", "JobStatus": "Stopped"}


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        pytest.param(None, [], id="missing"),
        pytest.param("", [], id="empty element"),
        pytest.param([], [], id="empty list"),
        pytest.param([ONE, OTHER], [ONE, OTHER], id="list"),
        pytest.param(ONE, [ONE], id="one element without wrapper"),
        pytest.param({"DIJob": [ONE, OTHER]}, [ONE, OTHER], id="wrapper around several"),
        pytest.param({"DIJob": ONE}, [ONE], id="wrapper around one"),
        pytest.param({"DIJob": ""}, [], id="wrapper around nothing"),
    ],
)
def test_a_list_is_a_list_however_xml_wrote_it(value: Any, expected: list[Any]):
    """Lists have no sure spelling in XML, so all of them are read."""
    assert items(value) == expected
