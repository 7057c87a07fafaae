"""Makes Airflow know this package's timetable and its page, by the ``airflow.plugins`` entry point; nothing else.

Airflow imports this in each of its processes; what the page needs is imported where the page is asked for, which is the
API server. Where that fails, there is no page, one line in the log, and nothing else is different.
"""

from __future__ import annotations

import logging
from functools import cached_property
from typing import Any

from airflow.plugins_manager import AirflowPlugin

from airflow_provider_dataworks.timetables import MaintenanceWindowTimetable

log = logging.getLogger(__name__)

PREFIX = "/dataworks"


class DataWorksPlugin(AirflowPlugin):
    """Airflow loads no DAG whose timetable is not named by a plugin, and shows pages of plugins only."""

    name = "dataworks"
    timetables = [MaintenanceWindowTimetable]  # noqa: RUF012 - as Airflow declares it

    @cached_property
    def fastapi_apps(self) -> list[dict[str, Any]]:  # type: ignore[override]
        """The page (Airflow 3.1 and later), made when it is first asked for."""
        # Airflow 3.0 can serve an app, but has no place in its navigation for it.
        if not hasattr(AirflowPlugin, "external_views"):
            return []
        try:
            from airflow_provider_dataworks.page.app import make_app

            return [{"name": "DataWorks", "app": make_app(), "url_prefix": PREFIX}]
        except Exception as error:  # what it is made of is partly Airflow's own, and may change with any release
            log.warning("The DataWorks page is not shown, its parts cannot be loaded in this Airflow: %r", error)
            return []

    @cached_property
    def external_views(self) -> list[dict[str, Any]]:  # type: ignore[override]
        """The place of the page in Airflow's navigation, where there is a page."""
        if not self.fastapi_apps:
            return []
        # Relative, as Airflow's own pages have it: it may live below a path. With the slash, so nothing redirects.
        href = f"{PREFIX.lstrip('/')}/"
        return [
            {
                "name": "DataWorks",
                "href": href,
                "destination": "nav",
                "category": "browse",
                "url_route": "dataworks",
                "icon": f"{href}static/icon.svg",
                "icon_dark_mode": f"{href}static/icon-dark.svg",
            }
        ]
