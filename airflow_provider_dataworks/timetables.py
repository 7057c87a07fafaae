"""When a DAG runs once for each opening of a maintenance window; it plans runs, and never touches a job."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from airflow.timetables.base import DagRunInfo, DataInterval, Timetable

from airflow_provider_dataworks.windows import MaintenanceWindow
from airflow_provider_dataworks.windows.schedule import utc

if TYPE_CHECKING:
    from collections.abc import Mapping

    from airflow.timetables.base import TimeRestriction
    from pendulum import DateTime


class MaintenanceWindowTimetable(Timetable):
    """
    Run once at each opening of a window that is not frozen.

    The data interval of a run is the moment of the opening, as with Airflow's ``CronTriggerTimetable``. Without catchup
    no run is made for an opening that is over: the next is that of the one that lasts, else of the one that follows. A
    DAG without a start date begins so with catchup, too. With catchup each opening since the start date has its run;
    give the stop the same window, and it touches nothing when a run comes too late.

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
        earliest = utc(restriction.earliest) if restriction.earliest else None
        candidates = []
        if last_automated_data_interval is not None:
            candidates.append(openings.open_after(utc(last_automated_data_interval.end)))
        if earliest is not None and not (candidates and restriction.catchup):
            candidates.append(openings.open_from(earliest))
        if not (candidates and restriction.catchup):
            # An opening that lasts counts: this is asked again at each parse, and must not skip what is due.
            now = datetime.now(UTC)
            lasting = self.window.current(now)
            candidates.append(utc(lasting.start) if lasting else openings.open_after(now))
        return _run(candidates, restriction.latest)


def _run(candidates: list[datetime | None], latest: datetime | None) -> DagRunInfo | None:
    """Return the run of the latest candidate, where each is known and that one is not past the end date."""
    known = [candidate for candidate in candidates if candidate is not None]
    if len(known) < len(candidates) or (latest is not None and latest < max(known)):
        return None
    from pendulum import instance

    return DagRunInfo.exact(instance(max(known)))
