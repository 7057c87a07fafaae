"""Makes Airflow know this package's timetable, by the ``airflow.plugins`` entry point; it does nothing else."""

from __future__ import annotations

from airflow.plugins_manager import AirflowPlugin

from airflow_provider_dataworks.timetables import MaintenanceWindowTimetable


class DataWorksPlugin(AirflowPlugin):
    """Airflow loads no DAG whose timetable is not named by a plugin."""

    name = "dataworks"
    timetables = [MaintenanceWindowTimetable]  # noqa: RUF012 - as Airflow declares it
