"""What a maintenance window costs the scheduler, next to Airflow's own cron timetable and a walk by the minute.

    python benchmarks/windows.py

Everything runs in one process and one turn, so that the ratios mean something on any machine. Two freezes of a hundred
ranges each: weekend days spread over years, of which a search meets few, and the worst there is, a hundred openings in
a row. Ends with status 1 where ``contains`` or ``next`` takes a millisecond or more (median).
"""

from __future__ import annotations

import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime, timedelta
from itertools import cycle
from pathlib import Path
from zoneinfo import ZoneInfo

ROOT = Path(__file__).parents[1]
sys.path[:0] = [str(ROOT), str(ROOT / "tests" / "windows")]

from airflow.timetables.base import DataInterval, TimeRestriction  # noqa: E402
from airflow.timetables.trigger import CronTriggerTimetable  # noqa: E402
from minute_oracle import walk  # noqa: E402
from pendulum import instance  # noqa: E402

from airflow_provider_dataworks.timetables import MaintenanceWindowTimetable  # noqa: E402
from airflow_provider_dataworks.windows import MaintenanceWindow  # noqa: E402
from airflow_provider_dataworks.windows import cron as crons  # noqa: E402

CRON, HOURS, ZONE = "0 2 * * SUN", timedelta(hours=3), "Europe/Berlin"
START = datetime(2026, 1, 1, tzinfo=UTC)
LIMIT = 1e-3  # seconds

SUNDAY = date(2026, 1, 4)
SPREAD = [(SUNDAY + timedelta(days=35 * n), SUNDAY + timedelta(days=35 * n + 1)) for n in range(100)]
IN_A_ROW = [(SUNDAY + timedelta(days=7 * n), SUNDAY + timedelta(days=7 * n + 1)) for n in range(100)]
MOMENTS = [START + timedelta(hours=17 * n, minutes=n % 60) for n in range(1500)]


def median(act: Callable[[datetime], object], moments: list[datetime], times: int) -> float:
    """Seconds that one call takes."""
    found: list[float] = []
    ask: Iterator[datetime] = cycle(moments)
    for _ in range(times):
        moment = next(ask)
        start = time.perf_counter()
        act(moment)
        found.append(time.perf_counter() - start)
    return statistics.median(found)


def scheduled(timetable: MaintenanceWindowTimetable | CronTriggerTimetable) -> Callable[[datetime], object]:
    """Ask a timetable as the scheduler does after a run."""
    restriction = TimeRestriction(instance(START), None, True)
    return lambda moment: timetable.next_dagrun_info(
        last_automated_data_interval=DataInterval.exact(instance(moment)), restriction=restriction
    )


def by_the_minute(moment: datetime) -> datetime:
    """Find the next opening by walking there, past what is frozen."""
    frozen = {first + timedelta(days=n) for first, _ in SPREAD for n in range(2)}
    minutes = walk([CRON.replace("SUN", "0")], HOURS, ZONE, frozen, moment, moment + timedelta(days=30))
    return next(minute.moment for minute in minutes if minute.opens and minute.moment > moment)


def first_answer(freeze: list[tuple[date, date]]) -> float:
    """Seconds for building a window and asking it, with nothing remembered from before."""
    found = []
    for _ in range(30):
        crons.read_cron.cache_clear()
        start = time.perf_counter()
        MaintenanceWindow(CRON, HOURS, ZONE, freeze).next(START)
        found.append(time.perf_counter() - start)
    return statistics.median(found)


def import_time() -> float:
    """Seconds for importing the module where its standard library is loaded, the best of several processes."""
    program = (
        "import bisect, calendar, dataclasses, functools, json, re, time, typing, airflow_provider_dataworks\n"
        "start = time.perf_counter(); import airflow_provider_dataworks.windows; print(time.perf_counter() - start)"
    )
    command = [sys.executable, "-c", program]
    with tempfile.TemporaryDirectory() as bytecode:
        # The first one writes the bytecode, as an installed package has it.
        environment = {"PYTHONPATH": str(ROOT), "PYTHONPYCACHEPREFIX": bytecode}
        runs = [subprocess.run(command, env=environment, capture_output=True, text=True, check=True) for _ in range(5)]  # noqa: S603
    return min(float(run.stdout) for run in runs)


def main() -> int:
    """Print the table and say whether the limit holds."""
    spread, row = (MaintenanceWindow(CRON, HOURS, ZONE, freeze) for freeze in (SPREAD, IN_A_ROW))
    plain = MaintenanceWindow(CRON, HOURS, ZONE)
    inside = [opening.start + timedelta(hours=1) for m in MOMENTS[::20] if (opening := spread.next(m))]
    before_all = [START + timedelta(hours=n) for n in range(40)]
    airflows = median(scheduled(CronTriggerTimetable(CRON, timezone=ZONE)), MOMENTS, 1500)
    in_zone = [moment.astimezone(ZoneInfo(ZONE)) for moment in MOMENTS]

    limited = {
        "contains, 100 ranges": median(spread.contains, MOMENTS, 1500),
        "contains, inside a window": median(spread.contains, inside, 1500),
        "contains, 100 ranges in a row": median(row.contains, MOMENTS, 1500),
        "next, 100 ranges": median(spread.next, MOMENTS, 1500),
        "next, past 100 ranges in a row": median(row.next, before_all, 300),
    }
    others = {
        "contains, no freeze": median(plain.contains, MOMENTS, 1500),
        "contains, asked in local time": median(spread.contains, in_zone, 1500),
        "next, no freeze": median(plain.next, MOMENTS, 1500),
        "MaintenanceWindowTimetable.next_dagrun_info": median(
            scheduled(MaintenanceWindowTimetable(spread)), MOMENTS, 1500
        ),
        "build from JSON (100 ranges)": median(lambda _: MaintenanceWindow.from_json(spread.to_json()), MOMENTS, 100),
        "build and first next, nothing remembered": first_answer(SPREAD),
        "the same, past 100 ranges in a row": first_answer(IN_A_ROW),
        "import": import_time(),
        "Airflow: CronTriggerTimetable.next_dagrun_info": airflows,
        "walk by the minute": median(by_the_minute, MOMENTS[:20], 20),
    }

    print(f"{CRON}, {ZONE}, median of many calls\n")
    print(f"{'':48}{'µs':>12}{'Airflow = 1':>14}")
    for name, seconds in {**limited, **others}.items():
        print(f"{name:48}{seconds * 1e6:12.1f}{seconds / airflows:14.2f}")
    late = [name for name, seconds in limited.items() if seconds >= LIMIT]
    print(f"\n{'Too slow: ' + '; '.join(late) if late else 'contains and next stay under 1 ms.'}")
    return 1 if late else 0


if __name__ == "__main__":
    sys.exit(main())
