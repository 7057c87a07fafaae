"""When a DAG runs once for each opening of a maintenance window; it plans runs, and never touches a job."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from airflow.timetables.base import DagRunInfo, DataInterval, Timetable

from airflow_provider_dataworks.windows import MaintenanceWindow
from airflow_provider_dataworks.windows.cron import read_cron
from airflow_provider_dataworks.windows.schedule import turning_minutes, utc

if TYPE_CHECKING:
    from collections.abc import Mapping

    from airflow.sdk.bases.timetable import BaseTimetable
    from airflow.timetables.base import TimeRestriction
    from pendulum import DateTime


class MaintenanceWindowTimetable(Timetable):
    """
    Run once at each opening of a window that is not frozen.

    The data interval of a run is the moment of the opening, as with Airflow's ``CronTriggerTimetable``. Without
    catchup the first run is that of the latest opening, however long ago: give the stop the same window, and it touches
    nothing when that run comes too late. A DAG without a start date begins with the opening that lasts, else the next.

    It must be registered where DAGs are scheduled, parsed and shown; the plugin of this package does that.

    :param window: the window, or what :meth:`MaintenanceWindow.parse` understands.
    """

    def __init__(self, window: MaintenanceWindow | Mapping[str, Any] | str) -> None:
        self.window = MaintenanceWindow.parse(window)
        self.description = f"At each opening of the maintenance window: {self.window}"

    @classmethod
    def deserialize(cls, data: dict[str, Any]) -> MaintenanceWindowTimetable:
        """Undo :meth:`serialize`."""
        return cls(MaintenanceWindow.from_json(data))

    def serialize(self) -> dict[str, Any]:
        """Return the window as JSON primitives, which Airflow stores with the DAG."""
        return self.window.to_json()

    @property
    def summary(self) -> str:
        """One line for the list of DAGs."""
        return str(self.window)

    def __eq__(self, other: object) -> bool:
        return self.window == other.window if isinstance(other, MaintenanceWindowTimetable) else NotImplemented

    def __hash__(self) -> int:
        return hash(self.window)

    def __repr__(self) -> str:
        return f"MaintenanceWindowTimetable({self.window!r})"

    def infer_manual_data_interval(self, *, run_after: DateTime) -> DataInterval:
        """Return the moment of a run that somebody started by hand."""
        return DataInterval.exact(run_after)

    def next_dagrun_info(
        self, *, last_automated_data_interval: DataInterval | None, restriction: TimeRestriction
    ) -> DagRunInfo | None:
        """
        Return the opening to run at next, or ``None`` where none is left.

        :param last_automated_data_interval: that of the last run which the scheduler made.
        :param restriction: start and end date of the DAG, both included, and whether it catches up.
        """
        openings = self.window.openings
        now = datetime.now(UTC)
        earliest = utc(restriction.earliest) if restriction.earliest else None
        if last_automated_data_interval is not None:
            candidates = [openings.open_after(utc(last_automated_data_interval.end))]
        elif earliest is None:
            # An opening that lasts counts: this is asked again at each parse, and must not skip what is due.
            lasting = self.window.current(now)
            candidates = [utc(lasting.start) if lasting else openings.open_after(now)]
        else:
            candidates = [openings.open_from(earliest)]
        if not restriction.catchup:
            candidates.append(openings.open_until(now) or candidates[0])
            if earliest is not None:
                candidates.append(openings.open_from(earliest))
        return _run(candidates, restriction.latest)


def _run(candidates: list[datetime | None], latest: datetime | None) -> DagRunInfo | None:
    """Return the run of the latest candidate, where each is known and that one is not past the end date."""
    known = [candidate for candidate in candidates if candidate is not None]
    if len(known) < len(candidates) or (latest is not None and latest < max(known)):
        return None
    from pendulum import instance

    return DagRunInfo.exact(instance(max(known)))


def timetable_for(window: MaintenanceWindow) -> Timetable | BaseTimetable:
    """
    Return the timetable of a window: Airflow's own for crons where it opens at the same moments, else ours.

    Airflow's knows no frozen dates, and takes other moments for times that a clock change leaves out or repeats.

    :param window: the window.
    """
    turning = turning_minutes(window.timezone)
    if window.freeze or any(not turning.isdisjoint(read_cron(text).times) for text in window.cron):
        return MaintenanceWindowTimetable(window)
    trigger, several = _cron_timetables()
    if len(window.cron) == 1:
        return trigger(window.cron[0], timezone=window.timezone)  # type: ignore[no-any-return]
    if several is None:
        return MaintenanceWindowTimetable(window)
    return several(*window.cron, timezone=window.timezone)  # type: ignore[no-any-return]


def _cron_timetables() -> tuple[Any, Any]:
    """Airflow's timetables for one cron and for several: what authors import, by version."""
    try:
        from airflow.sdk import CronTriggerTimetable, MultipleCronTriggerTimetable
    except ImportError:  # before 3.2
        from airflow.timetables import trigger

        # Several crons came with Airflow 3.0.
        return trigger.CronTriggerTimetable, getattr(trigger, "MultipleCronTriggerTimetable", None)
    return CronTriggerTimetable, MultipleCronTriggerTimetable
