"""The schedule of a window: which runs it plans, how it reads, and how Airflow stores it."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any

import pendulum
import pytest
from airflow.exceptions import SerializationError
from airflow.timetables import trigger
from airflow.timetables.base import DagRunInfo, DataInterval, TimeRestriction

from airflow_provider_dataworks import timetables
from airflow_provider_dataworks.plugin import DataWorksPlugin
from airflow_provider_dataworks.timetables import MaintenanceWindowTimetable
from airflow_provider_dataworks.windows import MaintenanceWindow

try:
    from airflow.sdk import DAG, BaseOperator
    from airflow.serialization.serialized_objects import DagSerialization as Serialized
except ImportError:  # Airflow 2
    from airflow.models.baseoperator import BaseOperator
    from airflow.models.dag import DAG
    from airflow.serialization.serialized_objects import SerializedDAG as Serialized

SHANGHAI = pendulum.timezone("Asia/Shanghai")
# Sundays 02:00 of Shanghai, in UTC: Saturdays 18:00. Of those, 31 January is frozen.
WINDOW = MaintenanceWindow("0 2 * * SUN", "PT3H", "Asia/Shanghai", ["2026-01-29/2026-02-02"])
SATURDAYS = [pendulum.datetime(2026, 1, day, 18) for day in (3, 10, 17, 24)]
AFTER_FREEZE = pendulum.datetime(2026, 2, 7, 18)


@pytest.fixture
def at(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Set the clock that the timetable sees."""

    def set_clock(now: datetime) -> None:
        class Clock(datetime):
            @classmethod
            def now(cls, tz: Any = None) -> datetime:
                return now.astimezone(tz)

        monkeypatch.setattr(timetables, "datetime", Clock)

    return set_clock


def following(
    timetable: Any,
    last: datetime | None = None,
    *,
    earliest: datetime | None = None,
    latest: datetime | None = None,
    catchup: bool = True,
) -> datetime | None:
    """Ask for the next run as the scheduler does."""
    info = timetable.next_dagrun_info(
        last_automated_data_interval=last and DataInterval.exact(pendulum.instance(last)),
        restriction=TimeRestriction(
            earliest and pendulum.instance(earliest), latest and pendulum.instance(latest), catchup
        ),
    )
    if info is None:
        return None
    assert info == DagRunInfo.exact(info.run_after)
    assert info.run_after.utcoffset() == timedelta()
    assert isinstance(info.run_after, pendulum.DateTime)
    return info.run_after


def test_catching_up_runs_each_opening_that_is_not_frozen() -> None:
    """From the start date, which counts itself, to the end date."""
    timetable = MaintenanceWindowTimetable(WINDOW)
    first, *_, last = SATURDAYS

    assert following(timetable, earliest=first) == first
    assert following(timetable, earliest=first - timedelta(days=1)) == first
    assert following(timetable, earliest=first + timedelta(microseconds=1)) == SATURDAYS[1]
    for one, other in pairwise(SATURDAYS):
        assert following(timetable, one, earliest=first) == other
    assert following(timetable, last, earliest=first) == AFTER_FREEZE
    assert following(timetable, last, earliest=first, latest=AFTER_FREEZE) == AFTER_FREEZE
    assert following(timetable, last, earliest=first, latest=AFTER_FREEZE - timedelta(seconds=1)) is None


def test_without_catchup_no_run_is_made_for_an_opening_that_is_over(at: Any) -> None:
    """The one that lasts has its run, however late; nothing runs before the start date, twice, or in a freeze."""
    timetable = MaintenanceWindowTimetable(WINDOW)
    first, *_, last = SATURDAYS
    lasting, over = last + timedelta(hours=3, microseconds=-1), last + timedelta(hours=3)
    rows: list[tuple[datetime, datetime | None, datetime, datetime | None]] = [
        # Now, the last run, the start date, the next run.
        (lasting, None, first, last),
        (lasting, first, first, last),
        (lasting, last, first, AFTER_FREEZE),
        (lasting, None, last, last),
        (lasting, None, last + timedelta(hours=1), AFTER_FREEZE),
        (lasting, first, last + timedelta(hours=1), AFTER_FREEZE),
        (over, None, first, AFTER_FREEZE),
        (over, first, first, AFTER_FREEZE),
        (pendulum.datetime(2026, 1, 31, 19), first, first, AFTER_FREEZE),
        (first - timedelta(days=1), None, SATURDAYS[2], SATURDAYS[2]),
    ]
    wrong = []
    for now, run, earliest, expected in rows:
        at(now)
        found = following(timetable, run, earliest=earliest, catchup=False)
        if found != expected:
            wrong.append((now, run, earliest, found))

    assert wrong == []
    assert following(timetable, first, earliest=first, latest=first, catchup=False) is None


def test_a_dag_without_start_date_begins_with_what_is_open_or_comes_next(at: Any) -> None:
    """It is asked again at each parse: a run that is due must not slip away, and nothing old is dug out."""
    timetable = MaintenanceWindowTimetable(WINDOW)
    for catchup in (True, False):
        at(SATURDAYS[1] + timedelta(minutes=1))
        assert following(timetable, catchup=catchup) == SATURDAYS[1]
        at(SATURDAYS[1] + timedelta(hours=3))
        assert following(timetable, catchup=catchup) == SATURDAYS[2]


def test_nothing_runs_where_everything_is_frozen(at: Any) -> None:
    """And that is no error."""
    window = MaintenanceWindow("0 2 * * SUN", "PT3H", "UTC", [("2026-01-05", "9999-12-31")])
    timetable = MaintenanceWindowTimetable(window)
    at(pendulum.datetime(2026, 6, 1))

    assert following(timetable) is None
    assert following(timetable, earliest=pendulum.datetime(2026, 1, 5)) is None
    assert following(timetable, earliest=pendulum.datetime(2026, 1, 5), catchup=False) is None
    assert following(timetable, pendulum.datetime(2026, 1, 4, 2), catchup=False) is None
    always = MaintenanceWindowTimetable({**window.to_json(), "freeze": ["0001-01-01/2026-06-05"]})
    assert following(always, earliest=pendulum.datetime(2026, 1, 5), catchup=False) == pendulum.datetime(2026, 6, 7, 2)


def test_several_crons_run_each_at_its_openings() -> None:
    """One run for each opening, in order."""
    window = MaintenanceWindow(["0 2 * * SUN", "30 22 1 * *"], "PT1H", "Asia/Shanghai", ["2026-02-08"])
    timetable = MaintenanceWindowTimetable(window)
    runs: list[datetime] = [pendulum.datetime(2026, 1, 24)]
    for _ in range(4):
        runs.append(following(timetable, runs[-1]) or pytest.fail("no further run"))

    assert [SHANGHAI.convert(run).strftime("%m-%d %H:%M") for run in runs[1:]] == [
        "01-25 02:00",
        "02-01 02:00",
        "02-01 22:30",
        "02-15 02:00",
    ]


def test_a_run_by_hand_has_the_moment_as_its_interval() -> None:
    """As with Airflow's own cron trigger."""
    now = pendulum.datetime(2026, 1, 20, 12)

    assert MaintenanceWindowTimetable(WINDOW).infer_manual_data_interval(run_after=now) == DataInterval.exact(now)


def test_it_reads_well_and_compares_by_its_window() -> None:
    """The summary stands in the list of DAGs; Airflow's column for the description holds 1,000 characters."""
    freeze = [f"2026-{month:02}-{day:02}" for month in range(1, 13) for day in (1, 9, 17, 25)]
    timetable = MaintenanceWindowTimetable(MaintenanceWindow("0 2 * * SUN", "PT3H", "Asia/Shanghai", freeze))

    assert MaintenanceWindowTimetable(WINDOW).summary == str(WINDOW)
    assert (
        MaintenanceWindow("0 2 * * SUN", "PT3H", "Asia/Shanghai").timetable.summary
        == "Sun 02:00 for 3h (Asia/Shanghai)"
    )
    assert timetable.description.startswith("At each opening of the maintenance window: Sun 02:00 for 3h")
    assert len(timetable.description) < 200
    same = MaintenanceWindowTimetable(json.dumps(WINDOW.to_json()))
    assert same == MaintenanceWindowTimetable(WINDOW)
    assert hash(same) == hash(MaintenanceWindowTimetable(WINDOW))
    assert same != timetable
    assert same != WINDOW
    assert repr(same) == f"MaintenanceWindowTimetable({WINDOW!r})"
    same.validate()


ZONES = ["Asia/Shanghai", "Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Africa/Cairo", "America/Nuuk"]


def test_catching_up_plans_the_runs_of_airflows_own_timetable() -> None:
    """Where no clock change meets an opening, and whatever start and end date are."""
    wrong = []
    start, end = pendulum.datetime(2026, 1, 1), pendulum.datetime(2027, 1, 1)
    for zone in ZONES:
        for cron in ("0 4 * * SUN", "45 12 L * *", "10,40 5 * 3,10,11 *", "0 4 29 2 *"):
            ours = MaintenanceWindow(cron, "PT30M", zone).timetable
            airflows = trigger.CronTriggerTimetable(cron, timezone=zone)
            last: datetime | None = None
            for _ in range(60):
                for earliest, latest in ((start, None), (start, end), (None, end)):
                    if last is not None or earliest is not None:
                        runs = [following(each, last, earliest=earliest, latest=latest) for each in (ours, airflows)]
                        if runs[0] != runs[1]:
                            wrong.append((zone, cron, last, earliest, latest, *runs))
                last = following(ours, last, earliest=start)

    assert wrong == []


def dag_with(schedule: Any) -> DAG:
    """Build a DAG as an author would, with one task."""
    with DAG("maintenance", schedule=schedule, start_date=datetime(2026, 1, 1, tzinfo=UTC), catchup=False) as dag:
        BaseOperator(task_id="look")
    return dag


@pytest.mark.usefixtures("registered")
def test_airflow_stores_and_reads_the_schedule() -> None:
    """What the scheduler reads from the database plans the same runs, and is the same text at each parse."""
    wrong = []
    for window in (
        WINDOW,
        MaintenanceWindow("0 2 * * SUN", "PT3H", "Asia/Shanghai"),
        MaintenanceWindow("30 2 * * *", "PT1H", "Europe/Berlin"),
        MaintenanceWindow(["0 2 * * SUN", "30 22 1 * *"], "PT1H", "Asia/Shanghai"),
    ):
        dag = dag_with(window.timetable)
        dag.validate()
        stored = json.dumps(Serialized.to_dict(dag), sort_keys=True)
        again = json.dumps(Serialized.to_dict(dag_with(window.timetable)), sort_keys=True)
        read = Serialized.from_dict(json.loads(stored)).timetable
        if stored != again or read != window.timetable or read.summary != str(window):
            wrong.append((window, stored, again, read))

    assert wrong == []


@pytest.mark.usefixtures("unregistered")
def test_without_the_plugin_airflow_refuses_the_schedule() -> None:
    """This is why the package has one."""
    with pytest.raises(SerializationError, match=r"MaintenanceWindowTimetable.* is not registered"):
        Serialized.to_dict(dag_with(WINDOW.timetable))


def test_the_plugin_names_the_timetable() -> None:
    """By its class, which must be importable under the name that Airflow stores."""
    assert DataWorksPlugin.name == "dataworks"
    assert DataWorksPlugin.timetables == [MaintenanceWindowTimetable]
    DataWorksPlugin.validate()


class Look(BaseOperator):
    """A task that takes a window, templated as the operators of this package take it."""

    template_fields = ("window",)

    def __init__(self, *, window: Any, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.window = window

    def execute(self, context: Any) -> Any:
        """Do nothing: the test looks at the field."""


def test_a_task_takes_a_window_as_an_argument_and_mapped() -> None:
    """Airflow stores the DAG, the same text at each parse; the worker gets the window from the DAG file."""

    def stored(mapped: bool) -> str:
        with DAG("maintenance", schedule=None, start_date=datetime(2026, 1, 1, tzinfo=UTC)) as dag:
            if mapped:
                Look.partial(task_id="look").expand(window=[WINDOW, json.dumps(WINDOW.to_json())])
            else:
                Look(task_id="look", window=WINDOW)
        return json.dumps(Serialized.to_dict(dag), sort_keys=True)

    for mapped in (True, False):
        text = stored(mapped)

        assert text == stored(mapped)
        assert " at 0x" not in text
        assert Serialized.from_dict(json.loads(text)).task_dict["look"]


def test_a_window_passes_through_templates() -> None:
    """An object stays what it is; JSON text from a template is parsed again."""
    with DAG("maintenance", schedule=None, start_date=datetime(2026, 1, 1, tzinfo=UTC)):
        given = Look(task_id="given", window=WINDOW)
        text = Look(task_id="text", window="{{ params.window.to_json() | tojson }}")
        raw = Look(task_id="raw", window="{{ params.raw | tojson }}")
    context: Any = {"params": {"window": WINDOW, "raw": WINDOW.to_json()}}
    for task in (given, text, raw):
        task.render_template_fields(context)

        assert MaintenanceWindow.parse(task.window) == WINDOW
