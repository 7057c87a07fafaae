"""Which openings stand on which day: compared with what the window itself says."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

from airflow_provider_dataworks.page.calendar import spans, weeks
from airflow_provider_dataworks.records import DagWindow
from airflow_provider_dataworks.windows import MaintenanceWindow

MONDAY = date(2026, 3, 23)  # in its week the clocks of Europe are set forward
WINDOWS = [
    MaintenanceWindow("0 2 * * SUN", timedelta(hours=3), "Asia/Shanghai"),
    MaintenanceWindow("30 2 * * *", timedelta(hours=1), "Europe/Berlin", freeze=[date(2026, 3, 25)]),
    MaintenanceWindow("0 22 * * *", timedelta(hours=6), "America/New_York", freeze=[("2026-03-27", "2026-03-30")]),
    MaintenanceWindow(["0 * * * *", "30 12 * * MON"], timedelta(minutes=20), "UTC"),
    MaintenanceWindow("0 0 1 1 *", timedelta(hours=1), "Pacific/Auckland"),
    MaintenanceWindow("0 3 * * *", timedelta(hours=1), "UTC", freeze=[("2026-01-01", "2027-01-01")]),
    MaintenanceWindow("0 0 * * *", timedelta(hours=24), "Pacific/Kiritimati", freeze=[date(2026, 4, 5)]),
]


def test_the_days_have_the_openings_that_the_window_has() -> None:
    """All that begin on these dates by its own clock, and no others, with their ends."""
    misses = []
    last = MONDAY + timedelta(days=13)
    for window in WINDOWS:
        expected = []
        opening = window.next(datetime(2026, 3, 20, tzinfo=UTC))
        while opening is not None and opening.start < datetime(2026, 4, 9, tzinfo=UTC):
            if MONDAY <= window.local(opening.start).date() <= last:
                expected.append((opening.start, opening.end))
            opening = window.next(opening.start)
        if [(span.start, span.end) for span in spans(window, MONDAY, last)] != expected:
            misses.append(str(window))

    assert misses == []


def test_weeks_begin_on_mondays() -> None:
    """Whatever day is asked for; frozen dates are marked, and DAGs with the same window share its entry."""
    found = [DagWindow(dag_id, None, WINDOWS[1], False) for dag_id in ("b", "a")]
    now = datetime(2026, 3, 24, 2, 0, tzinfo=UTC)  # 03:00 in Berlin
    first, second = weeks(found, date(2026, 3, 29), 2, now)

    assert [first[0].date, second[-1].date] == [MONDAY, MONDAY + timedelta(days=13)]
    assert [day.frozen for day in first[:4]] == [[], [], ["a", "b"], []]
    assert [len(day.entries) for day in first] == [1, 1, 0, 1, 1, 1, 1]
    assert [entry.is_open for day in first[:2] for entry in day.entries] == [False, True]
    assert first[1].entries[0].dag_ids == ("a", "b")
    assert first[6].entries[0].hours == "03:00–04:00"


def test_an_entry_says_when_it_ends_on_another_day() -> None:
    """So that 22:00 to 04:00 is no riddle."""
    (week,) = weeks([DagWindow("a", "stop", WINDOWS[2], False)], MONDAY, 1, datetime(2026, 3, 1, tzinfo=UTC))

    assert [entry.hours for entry in week[0].entries] == ["–04:00", "22:00–04:00 +1"]
    assert [entry.hours for entry in week[3].entries] == ["22:00–00:00 +1"]


def test_what_began_before_the_first_week_is_on_its_first_day() -> None:
    """It is open on that day; what ended before it is nowhere."""
    sundays = MaintenanceWindow("0 22 * * SUN", timedelta(hours=8), "Asia/Shanghai")
    weekends = MaintenanceWindow("0 0 * * SAT", timedelta(days=4), "UTC")
    over = MaintenanceWindow("0 0 * * SUN", timedelta(hours=24), "UTC")
    now = datetime(2026, 3, 22, 17, 0, tzinfo=UTC)  # 01:00 on Monday in Shanghai
    (week,) = weeks([DagWindow("a", None, each, False) for each in (sundays, weekends, over)], MONDAY, 1, now)

    assert [(entry.hours, entry.is_open) for entry in week[0].entries] == [
        ("\N{EN DASH}00:00 +2", True),
        ("\N{EN DASH}06:00", True),
    ]
    assert [entry.hours for day in week[1:] for entry in day.entries if entry.zone == "UTC"] == [
        "00:00\N{EN DASH}00:00 +4",
        "00:00\N{EN DASH}00:00 +1",
    ]
