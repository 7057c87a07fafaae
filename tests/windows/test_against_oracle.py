"""Windows against a minute-by-minute oracle: many zones and crons, around clock changes, month ends and leap days."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

from hypothesis import HealthCheck, assume, example, given, settings
from hypothesis import strategies as st
from windows.minute_oracle import walk

from airflow_provider_dataworks.exceptions import DataWorksInvalidRequest
from airflow_provider_dataworks.windows import MaintenanceWindow

# Each with days around which its clock does something: both changes, rules that ended, a day that never was.
TURNS = {
    "UTC": ["2024-02-28", "2026-12-31"],
    "Asia/Shanghai": ["1991-04-13", "1991-09-14", "2024-02-28", "2026-01-30"],
    "Asia/Kathmandu": ["1985-12-31", "2026-02-27"],
    "Europe/Berlin": ["2026-03-28", "2026-10-24", "2024-02-28", "2025-12-31"],
    "America/New_York": ["2026-03-07", "2026-10-31", "2024-02-28"],
    "America/Sao_Paulo": ["2018-11-03", "2019-02-16", "2026-05-30"],
    "America/Havana": ["2026-03-07", "2026-10-31"],
    "Australia/Lord_Howe": ["2026-04-04", "2026-10-03"],
    "Africa/Casablanca": ["2026-02-14", "2026-03-21"],
    "Pacific/Apia": ["2011-12-28", "2012-03-31", "2011-09-23"],
    "America/Nuuk": ["2024-03-30", "2024-10-26"],
}
PLACES = [(zone, day) for zone, days in TURNS.items() for day in days]
LENGTH = timedelta(days=3)

minutes = st.sampled_from(["0", "30", "59", "5,45", "*/20", "15-17", "*"])
# Most clock changes come in these hours.
hours = st.sampled_from(["0", "1", "2", "3", "23", "*", "*/2", "0-3", "2,14"])
days = st.sampled_from(
    ["* * *", "* * *", "* * 0", "* * 6,0", "* * 1-5", "28-31 * *", "L * *", "1 * *", "29 2 *", "1 * 0", "* */3 *"]
)
crons = st.builds("{} {} {}".format, minutes, hours, days)
durations = st.sampled_from([1, 10, 20, 30, 60, 90, 180, 600, 1440, 2000]).map(lambda count: timedelta(minutes=count))
freezes = st.lists(st.tuples(st.integers(0, 3), st.integers(0, 2)), max_size=2)


def built(crons: list[str], duration: timedelta, zone: str, freeze: list[tuple[date, date]]) -> MaintenanceWindow:
    """Build the window, or give the example up where its openings would overlap."""
    try:
        return MaintenanceWindow(crons, duration, zone, freeze)
    except DataWorksInvalidRequest as error:
        assume("too long" not in str(error))
        raise


@settings(max_examples=40, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.filter_too_much])
@given(st.sampled_from(PLACES), st.lists(crons, min_size=1, max_size=2), durations, freezes)
@example(("Europe/Berlin", "2026-03-28"), ["30 2 * * *"], timedelta(hours=1), [])
@example(("Europe/Berlin", "2026-10-24"), ["30 2 * * *"], timedelta(hours=3), [(1, 0)])
@example(("Europe/Berlin", "2026-03-28"), ["30 1,2 * * *"], timedelta(hours=1), [])
@example(("Europe/Berlin", "2026-10-24"), ["*/20 * * * *"], timedelta(minutes=20), [])
@example(("America/Sao_Paulo", "2018-11-03"), ["0 0 * * *", "0 23 * * *"], timedelta(minutes=30), [(1, 0)])
# A frozen day ends where the next one lacks its first hour.
@example(("America/Sao_Paulo", "2018-11-03"), ["0 23 * * *"], timedelta(minutes=1), [(0, 0)])
@example(("America/Sao_Paulo", "2019-02-16"), ["30 23 * * *"], timedelta(hours=3), [(1, 0)])
@example(("Pacific/Apia", "2011-12-28"), ["0 2 * * *"], timedelta(hours=20), [])
@example(("Pacific/Apia", "2011-12-28"), ["0 2 * * *"], timedelta(hours=20), [(2, 0)])
@example(("Australia/Lord_Howe", "2026-04-04"), ["45 1 * * *"], timedelta(minutes=30), [])
@example(("UTC", "2024-02-28"), ["0 22 29 2 *"], timedelta(hours=4), [])
def test_a_window_agrees_with_the_clock_on_the_wall(
    place: tuple[str, str], crons: list[str], duration: timedelta, freeze: list[tuple[int, int]]
) -> None:
    """Each minute of three days: open or not, since when, how long still, and which opening comes next."""
    zone, day = place
    first = date.fromisoformat(day)
    ranges = [(first + timedelta(days=at), first + timedelta(days=at + more)) for at, more in freeze]
    frozen = {a + timedelta(days=n) for a, b in ranges for n in range((b - a).days + 1)}
    window = built(crons, duration, zone, ranges)
    start = datetime.combine(first, datetime.min.time(), ZoneInfo(zone)).astimezone(UTC)

    seen = list(walk(crons, duration, zone, frozen, start, start + LENGTH))

    upcoming: datetime | None = None
    later = seen[-1]
    for count, minute in enumerate(reversed(seen)):
        now = minute.moment
        assert window.contains(now) is (minute.since is not None), now
        # What costs more is asked where something changes, and now and then.
        if minute.opens or minute.since != later.since or count % 29 == 0:
            opening = window.current(now)
            assert (opening and opening.start) == minute.since, now
            following = window.next(now)
            assert upcoming is None or (following and following.start) == upcoming, now
            if opening and minute.since != later.since:
                assert opening.end == later.moment
                assert window.remaining(now) == timedelta(minutes=1)
        upcoming = now if minute.opens else upcoming
        later = minute


@settings(max_examples=150, deadline=None, derandomize=True)
@given(
    st.sampled_from(sorted(TURNS)),
    st.builds("{} {} {}".format, st.sampled_from(["0", "30"]), st.sampled_from(["2", "0", "1,23"]), days),
    st.datetimes(datetime(1990, 1, 1), datetime(2060, 1, 1), timezones=st.just(UTC)),
    st.lists(st.dates(date(1990, 1, 1), date(2060, 1, 1)), max_size=3),
)
def test_what_a_window_says_fits_together(zone: str, cron: str, now: datetime, freeze: list[date]) -> None:
    """Any moment of 70 years, to the microsecond: openings are apart, begin and end as said, and are never frozen."""
    window = MaintenanceWindow(cron, timedelta(minutes=50), zone, freeze)
    current, following = window.current(now), window.next(now)

    assert window.contains(now) is (current is not None)
    assert window.remaining(now) == (current.end - now if current else timedelta())
    if current:
        assert current.start <= now < current.end
    assert following is not None
    assert following.start > now
    assert following.start < following.end <= following.start + window.duration
    assert not window.contains(following.start - timedelta(microseconds=1)) or current
    assert window.contains(following.start)
    assert window.contains(following.end - timedelta(microseconds=1))
    assert window.current(following.start) == following
    last = following.end - timedelta(microseconds=1)
    assert {window.local(following.start).date(), last.astimezone(ZoneInfo(zone)).date()}.isdisjoint(freeze)


def test_rare_days() -> None:
    """Leap days, also across 2100, month ends and numbered weekdays, with every release of croniter."""
    wrong = []
    for cron, after, expected in (
        ("0 2 29 2 *", "2024-03-01", "2028-02-29T02:00:00+01:00"),
        ("0 2 29 2 *", "2096-03-01", "2104-02-29T02:00:00+01:00"),
        ("0 2 L * *", "2026-01-31T12:00", "2026-02-28T02:00:00+01:00"),
        ("0 2 L * *", "2028-02-01", "2028-02-29T02:00:00+01:00"),
        ("0 2 31 * *", "2026-03-31T12:00", "2026-05-31T02:00:00+02:00"),
        # Releases of croniter before 6.2.1 go on from 28 February to 3 March, or 11 March in a leap year.
        ("0 2 1,31 * *", "2026-02-28", "2026-03-01T02:00:00+01:00"),
        ("0 2 */10 * *", "2028-02-28T12:00", "2028-03-01T02:00:00+01:00"),
        ("0 2 * * SUN#1", "2026-03-01T12:00", "2026-04-05T02:00:00+02:00"),
        ("0 2 * 2 SUN#5", "2026-03-01", "2032-02-29T02:00:00+01:00"),
        ("0 2 * * L5", "2026-03-01", "2026-03-27T02:00:00+01:00"),
        ("59 23 31 12 *", "2026-01-01", "2026-12-31T23:59:00+01:00"),
        ("@monthly", "2026-01-31", "2026-02-01T00:00:00+01:00"),
    ):
        window = MaintenanceWindow(cron, timedelta(hours=1), "Europe/Berlin")
        opening = window.next(datetime.fromisoformat(after).replace(tzinfo=ZoneInfo("Europe/Berlin")))
        found = opening and window.local(opening.start).isoformat()
        if found != expected:
            wrong.append((cron, after, found))

    assert wrong == []


def test_the_last_opening_is_not_missed_either() -> None:
    """Backwards into February: releases of croniter before 6.2.1 leave out its 29th."""
    window = MaintenanceWindow("0 2 29-31 * *", timedelta(hours=1), "UTC")

    last = window.openings.until(datetime(2028, 3, 27, tzinfo=UTC))

    assert last == datetime(2028, 2, 29, 2, tzinfo=UTC)
