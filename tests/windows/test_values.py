"""A window as a value: what it takes and refuses, its text and JSON, and how Airflow carries it."""

from __future__ import annotations

import copy
import json
import pickle
import subprocess
import sys
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from any_airflow import serde

from airflow_provider_dataworks.exceptions import DataWorksInvalidRequest
from airflow_provider_dataworks.windows import MaintenanceWindow, Opening

WEEKLY = MaintenanceWindow("0 2 * * SUN", timedelta(hours=3), "Asia/Shanghai", [("2026-01-29", "2026-02-02")])
SEVERAL = MaintenanceWindow(["0 2 * * SUN", "30 22 1 * *"], "PT90M", "Europe/Berlin", ["2026-12-24/2026-12-26"])
PLAIN = MaintenanceWindow("@daily", 90, "UTC")
WINDOWS = [WEEKLY, SEVERAL, PLAIN]

NOON = datetime(2026, 1, 20, 12, tzinfo=UTC)


def test_the_example_of_the_documentation() -> None:
    """Two Sundays in January; the one of the frozen days is left out."""
    first = WEEKLY.next(NOON)
    assert first == Opening(datetime(2026, 1, 24, 18, tzinfo=UTC), datetime(2026, 1, 24, 21, tzinfo=UTC))
    second = WEEKLY.next(first.start)
    assert second is not None
    assert WEEKLY.local(second.start).isoformat() == "2026-02-08T02:00:00+08:00"
    assert WEEKLY.contains(first.start)
    assert not WEEKLY.contains(first.end)
    assert WEEKLY.remaining(first.start + timedelta(minutes=150)) == timedelta(minutes=30)
    assert WEEKLY.remaining(first.end) == timedelta()
    assert WEEKLY.current(NOON) is None


def test_an_opening_before_a_freeze_closes_as_the_frozen_date_begins() -> None:
    """And one inside a freeze stays closed after it, too."""
    window = MaintenanceWindow("0 22 * * *", "PT4H", "Asia/Shanghai", ["2026-01-29"])

    opening = window.current(datetime.fromisoformat("2026-01-28T23:00+08:00"))

    assert opening is not None
    assert window.local(opening.end).isoformat() == "2026-01-29T00:00:00+08:00"
    assert not window.contains(datetime.fromisoformat("2026-01-29T23:00+08:00"))
    assert not window.contains(datetime.fromisoformat("2026-01-30T01:00+08:00"))


def test_clock_changes() -> None:
    """A time left out opens after the gap, a repeated one at its first; the duration is elapsed time."""
    wrong = []
    for cron, duration, zone, before, start, lasts in (
        ("30 2 * * *", "PT1H", "Europe/Berlin", "2026-03-28T12:00Z", "2026-03-29T03:00:00+02:00", 60),
        ("30 2 * * *", "PT1H", "Europe/Berlin", "2026-10-24T12:00Z", "2026-10-25T02:30:00+02:00", 60),
        ("30 1 * * *", "PT4H", "Europe/Berlin", "2026-03-28T12:00Z", "2026-03-29T01:30:00+01:00", 240),
        # The next opening comes an hour early, and ends the one before.
        ("30 1,2 * * *", "PT1H", "Europe/Berlin", "2026-03-28T12:00Z", "2026-03-29T01:30:00+01:00", 30),
        ("0 2 * * *", "PT1H", "Pacific/Apia", "2011-12-30T00:00Z", "2011-12-31T00:00:00+14:00", 60),
    ):
        window = MaintenanceWindow(cron, duration, zone)
        opening = window.next(datetime.fromisoformat(before))
        found = opening and (
            window.local(opening.start).isoformat(),
            (opening.end - opening.start).total_seconds() / 60,
        )
        if found != (start, lasts):
            wrong.append((cron, zone, before, found))

    assert wrong == []


def test_no_moment_of_a_frozen_date_is_inside_where_a_day_comes_back() -> None:
    """Newfoundland's clock went back at 00:01 until 2011: most of an hour of the day before came again."""
    window = MaintenanceWindow("0 0,22 * * *", "PT2H", "America/St_Johns", ["2010-11-06"])
    start = datetime(2010, 11, 6, tzinfo=UTC)

    for minute in range(3 * 24 * 60):
        moment = start + timedelta(minutes=minute)
        assert not window.contains(moment) or window.local(moment).date() != date(2010, 11, 6)


def test_moments_of_any_zone_are_one_moment() -> None:
    """Also in an hour that comes twice, where a clock reading alone does not say which."""
    window = MaintenanceWindow("30 2 * * *", "PT30M", "Europe/Berlin")
    first = datetime(2026, 10, 25, 0, 40, tzinfo=UTC)
    second = first + timedelta(hours=1)

    assert window.contains(window.local(first))
    assert not window.contains(window.local(second))


def test_the_last_opening_before_a_repeated_hour_is_that_of_its_end() -> None:
    """All of an hour that comes twice opens the first time, what comes later in it on the clock, too."""
    missed = []
    for cron, zone, moment, opened in (
        ("*/15 1-3 * * *", "America/New_York", "2016-11-06T06:39:43", "2016-11-06T05:45:00"),
        ("30 1-3 * * SUN", "Africa/Casablanca", "2015-10-25T02:28:16", "2015-10-25T01:30:00"),
        ("*/20 * * * *", "Australia/Lord_Howe", "2026-04-04T15:05:00", "2026-04-04T14:40:00"),
    ):
        at, wanted = (datetime.fromisoformat(f"{text}+00:00") for text in (moment, opened))
        if (found := MaintenanceWindow(cron, 60, zone).openings.until(at)) != wanted:
            missed.append((cron, zone, found))
    assert missed == []


def test_a_freeze_without_end_leaves_no_opening() -> None:
    """``next`` says so instead of searching for ever, and time outside its calendar has no openings."""
    window = MaintenanceWindow("0 2 * * *", 60, "UTC", [("2026-01-01", "9999-12-31"), ("0001-01-01", "2025-12-30")])

    only = window.next(datetime(2025, 1, 1, tzinfo=UTC))
    assert only is not None
    assert only.start == datetime(2025, 12, 31, 2, tzinfo=UTC)
    assert window.next(only.start) is None
    for year in (1899, 8999, 9000):
        assert window.next(datetime(year, 12, 31, 12, tzinfo=UTC)) is None
        assert not window.contains(datetime(year, 12, 31, 2, tzinfo=UTC))
    assert PLAIN.openings.until(datetime(1900, 1, 1, tzinfo=UTC)) == datetime(1900, 1, 1, tzinfo=UTC)
    assert SEVERAL.openings.until(datetime(1900, 1, 1, tzinfo=UTC)) is None


NONSENSE: list[tuple[dict[str, Any], str]] = [
    ({"cron": "0 2 * *"}, "cron: '0 2 * *' has 4 fields, not five"),
    ({"cron": "0 0 2 * * SUN"}, "has 6 fields"),
    ({"cron": "0 25 * * *"}, "is not a cron"),
    ({"cron": "0 2 * * FUNDAY"}, "is not a cron"),
    ({"cron": "R 2 * * *"}, "random or hashed"),
    ({"cron": "h(0-5) 2 * * *"}, "random or hashed"),
    ({"cron": "0 0 30 2 *"}, "a date that never comes"),
    ({"cron": ""}, "has 0 fields"),
    ({"cron": []}, "neither a cron nor a list"),
    ({"cron": 5}, "neither a cron nor a list"),
    ({"cron": ["0 2 * * *", 5]}, "neither a cron nor a list"),
    ({"duration": timedelta()}, "not one second or more"),
    ({"duration": -3}, "not one second or more"),
    ({"duration": timedelta(microseconds=1500000)}, "in whole seconds"),
    ({"duration": "P1M"}, "is not a duration"),
    ({"duration": "PT"}, "is not a duration"),
    ({"duration": "P"}, "is not a duration"),
    ({"duration": "three hours"}, "is not a duration"),
    ({"duration": 1.5}, "is not a duration"),
    ({"duration": True}, "is not a duration"),
    ({"duration": None}, "is not a duration"),
    ({"duration": 10**18}, "is not a duration"),
    ({"duration": "P999999999999D"}, "is not a duration"),
    ({"duration": timedelta(days=7, seconds=1)}, "duration: 7d1s is too long: '0 2 * * SUN' opens 7d after"),
    ({"cron": "0 */2 * * *", "duration": "PT3H"}, "opens 2h after"),
    ({"cron": "0 22 * * 5,6", "duration": "P1DT1M"}, "opens 1d after"),
    ({"cron": ["0 2 * * SUN", "0 4 1 * *"]}, "opens 2h after '0 2 * * SUN'"),
    ({"cron": ["0 2 29 2 *", "0 4 * * SUN"]}, "opens 2h after"),
    ({"cron": ["0 2 * * SUN", "0 2 * * 0"]}, "opens 0s after"),
    ({"cron": ["0 2 * * SUN", "0 2 * * SUN"]}, "opens 0s after"),
    ({"timezone": "Mars/Olympus"}, "timezone: 'Mars/Olympus' is not a known zone"),
    ({"timezone": "../etc/passwd"}, "not a known zone"),
    ({"timezone": "Europe"}, "not a known zone"),
    ({"timezone": 8}, "not a known zone"),
    ({"freeze": ["2026-02-30"]}, "freeze: '2026-02-30' is not a date"),
    ({"freeze": ["20260228"]}, "is not a date"),
    ({"freeze": [datetime(2026, 2, 28, tzinfo=UTC)]}, "is not a date"),
    ({"freeze": [20260228]}, "is not a date"),
    ({"freeze": [("2026-01-01", "2026-01-02", "2026-01-03")]}, "is not a date or a range"),
    ({"freeze": [("2026-02-02", "2026-01-29")]}, "ends before it starts"),
    ({"freeze": 5}, "is not a date"),
    ({"freeze": ("2026-12-30", "2027-01-04")}, "may mean a range, or two days"),
    ({"freeze": (date(2026, 12, 30), date(2027, 1, 4))}, "may mean a range, or two days"),
]


def test_nonsense_is_refused() -> None:
    """Each error names the field and what to do, and is a ValueError."""
    wrong = []
    for changes, problem in NONSENSE:
        given: dict[str, Any] = {"cron": "0 2 * * SUN", "duration": "PT3H", "timezone": "Asia/Shanghai", **changes}
        try:
            wrong.append((changes, MaintenanceWindow(**given)))
        except DataWorksInvalidRequest as error:
            if problem not in str(error) or "What to do:" not in str(error) or not isinstance(error, ValueError):
                wrong.append((changes, error))

    assert wrong == []


def test_openings_that_only_touch_are_accepted() -> None:
    """Whether openings meet is looked up in the calendar, not guessed from their times of day."""
    rows: list[tuple[Any, str]] = [
        ("0 2 * * SUN", "P7D"),
        ("0 */2 * * *", "PT2H"),
        (["0 2 * * SUN", "0 4 * * WED"], "PT4H"),
        (["0 2 * * SUN", "0 3 * * MON-SAT"], "PT23H"),
        (["0 2 1-15 * *", "0 1 16-31 * *"], "PT23H"),
        ("0 22 * * FRI", "P2D"),
        (["0 2 1 1 *", "0 2 1 7 *"], "P150D"),
        ("0 0 31 12 *", "P365D"),
    ]

    for cron, duration in rows:
        assert MaintenanceWindow(cron, duration, "Asia/Shanghai").next(NOON)


def test_durations_and_freezes_come_in_several_forms() -> None:
    """All of them make the same window; ranges that meet become one."""
    forms: list[Any] = [10800, "10800", "PT3H", "PT180M", "P0DT3H", timedelta(hours=3)]
    assert {MaintenanceWindow("0 2 * * *", form, "UTC") for form in forms} == {
        MaintenanceWindow("0 2 * * *", "PT10800S", "UTC")
    }
    assert MaintenanceWindow("0 2 1 * *", "P1W", "UTC").duration == timedelta(weeks=1)
    assert MaintenanceWindow("0  2 * *\tSUN", 60, "UTC") == MaintenanceWindow("0 2 * * SUN", 60, "UTC")
    days: list[Any] = ["2026-02-01", (date(2026, 1, 29), "2026-01-31"), "2026-02-01/2026-02-02"]
    frozen = MaintenanceWindow("0 2 * * *", 60, "UTC", days)
    assert frozen.freeze == ((date(2026, 1, 29), date(2026, 2, 2)),)
    assert MaintenanceWindow("0 2 * * *", 60, "UTC", "2026-01-29/2026-02-02") == frozen
    assert MaintenanceWindow("0 2 * * *", 60, "UTC", date(2026, 2, 1)).freeze == ((date(2026, 2, 1),) * 2,)


TEXTS = [
    (WEEKLY, "Sun 02:00 for 3h (Asia/Shanghai), frozen 2026-01-29..2026-02-02"),
    (SEVERAL, "Sun 02:00 and day 1 of the month 22:30 for 1h30m (Europe/Berlin), frozen 2026-12-24..2026-12-26"),
    (PLAIN, "daily 00:00 for 1m30s (UTC)"),
    (MaintenanceWindow("0 2 * * 6,0", "PT2H", "UTC"), "Sat,Sun 02:00 for 2h (UTC)"),
    (MaintenanceWindow("0 2 L * *", "P1DT2H", "UTC"), "cron '0 2 L * *' for 1d2h (UTC)"),
    (MaintenanceWindow("0 2 * * 1-5", 60, "UTC"), "cron '0 2 * * 1-5' for 1m (UTC)"),
    (MaintenanceWindow("*/5 2 * * *", 60, "UTC"), "cron '*/5 2 * * *' for 1m (UTC)"),
    (
        MaintenanceWindow("0 2 * * *", 60, "UTC", [f"2026-0{month}-01" for month in range(1, 6)]),
        "daily 02:00 for 1m (UTC), frozen 2026-01-01, 2026-02-01, 2026-03-01, 2 more",
    ),
]


def test_the_text_is_for_people() -> None:
    """One line, however many dates are frozen."""
    wrong = [(str(window), text) for window, text in TEXTS if str(window) != text]

    assert wrong == []
    assert [eval(repr(window)) for window, _ in TEXTS] == [window for window, _ in TEXTS]  # noqa: S307 - our own text


COPIES: list[Callable[[MaintenanceWindow], MaintenanceWindow]] = [
    lambda window: MaintenanceWindow.from_json(window.to_json()),
    lambda window: MaintenanceWindow.from_json(json.dumps(window.to_json())),
    lambda window: MaintenanceWindow.parse(json.dumps(window.to_json())),
    lambda window: MaintenanceWindow.parse(window.to_json()),
    lambda window: MaintenanceWindow.deserialize(window.serialize(), MaintenanceWindow.__version__),
    lambda window: pickle.loads(pickle.dumps(window)),  # noqa: S301 - our own bytes
    copy.deepcopy,
    copy.copy,
]


def test_round_trips_are_exact() -> None:
    """Also after the window was used: what it remembers for speed is not part of it."""
    for window in WINDOWS:
        window.contains(NOON)
        for there_and_back in COPIES:
            copied = there_and_back(window)

            assert copied == window
            assert hash(copied) == hash(window)
            assert copied.to_json() == window.to_json()
            assert copied.next(NOON) == window.next(NOON)


def test_the_json_is_readable() -> None:
    """Primitives only, and a window parsed is itself."""
    assert WEEKLY.to_json() == {
        "cron": "0 2 * * SUN",
        "duration": "PT3H",
        "timezone": "Asia/Shanghai",
        "freeze": ["2026-01-29/2026-02-02"],
    }
    assert MaintenanceWindow("0 2 1 * *", "P1DT1S", "UTC").to_json()["duration"] == "P1DT1S"
    assert MaintenanceWindow("0 2 1 * *", "P2D", "UTC").to_json()["duration"] == "P2D"
    assert MaintenanceWindow.parse(WEEKLY) is WEEKLY
    assert MaintenanceWindow.from_json({**WEEKLY.to_json(), "freeze": None}).freeze == ()
    assert MaintenanceWindow.from_json({**WEEKLY.to_json(), "freeze": [["2026-01-29", "2026-02-02"]]}) == WEEKLY


def test_json_that_is_no_window_is_refused() -> None:
    """Templated fields arrive as text, and the error says how to write the template."""
    rows: list[tuple[Any, str]] = [
        ("Sun 02:00 for 3h", "is not JSON"),
        ("{'cron': '0 2 * * SUN'}", "| tojson }}"),
        ("[]", "is not a JSON object"),
        (5, "is not a JSON object"),
        ({**PLAIN.to_json(), "zone": "UTC"}, "has no zone"),
        ({"cron": "0 2 * * SUN"}, "needs duration, timezone"),
        ({**PLAIN.to_json(), "timezone": None}, "needs timezone"),
        ({**PLAIN.to_json(), "cron": {}}, "neither a cron"),
    ]
    wrong = []
    for value, problem in rows:
        try:
            wrong.append((value, MaintenanceWindow.parse(value)))
        except DataWorksInvalidRequest as error:
            if problem not in str(error):
                wrong.append((value, error))

    assert wrong == []


def test_a_newer_format_is_refused() -> None:
    """A worker that was not upgraded must not guess."""
    with pytest.raises(DataWorksInvalidRequest, match="newer release"):
        MaintenanceWindow.deserialize(WEEKLY.to_json(), MaintenanceWindow.__version__ + 1)


def test_a_moment_needs_a_timezone() -> None:
    """A clock reading without a zone would be taken for some zone, and mostly for the wrong one."""
    moments: list[Any] = [datetime(2026, 1, 1), date(2026, 1, 1), "2026-01-01T00:00:00Z", None]
    for moment in moments:
        for ask in (WEEKLY.contains, WEEKLY.current, WEEKLY.next, WEEKLY.remaining, WEEKLY.local):
            with pytest.raises(DataWorksInvalidRequest, match="no datetime with a timezone"):
                ask(moment)


def test_airflow_carries_a_window_between_tasks(monkeypatch: pytest.MonkeyPatch) -> None:
    """Airflow's serializer, for XCom: where ``[core] allowed_deserialization_classes`` names the class."""
    name = f"{MaintenanceWindow.__module__}.{MaintenanceWindow.__qualname__}"
    monkeypatch.setattr(serde, "_extra_allowed", {*serde._extra_allowed, name})

    stored = json.loads(json.dumps(serde.serialize([WEEKLY, {"window": SEVERAL}])))

    assert serde.deserialize(stored) == [WEEKLY, {"window": SEVERAL}]


def test_importing_it_is_cheap() -> None:
    """A DAG file is parsed over and over: zones, croniter and Airflow load when they are used."""
    program = (
        "import sys; from importlib.util import find_spec\n"
        "__import__('airflow.sdk.bases.operator' if find_spec('airflow.sdk') else 'airflow.models.dag')\n"
        "before = set(sys.modules); import airflow_provider_dataworks.windows\n"
        "heavy = {'pendulum', 'croniter', 'httpx', 'tenacity'}\n"
        "print(sorted(heavy & (set(sys.modules) - before)))"
    )

    run = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)

    assert run.stdout.splitlines()[-1] == "[]"
