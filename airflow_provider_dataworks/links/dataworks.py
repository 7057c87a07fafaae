"""Link from a task to the DataWorks console; it only carries an address that a task made, and asks nobody."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airflow_provider_dataworks.version_compat import BaseOperatorLink, XCom

if TYPE_CHECKING:
    from airflow_provider_dataworks.version_compat import Context

_KEY = "_link_DataWorksConsoleLink"


class DataWorksConsoleLink(BaseOperatorLink):
    """
    Opens the DataWorks console at the DI job's workspace.

    The vendor publishes no address of a job's own page; ``console_url`` on the connection can be set to one you found.
    """

    name = "DataWorks console"
    xcom_key = _KEY  # a property in Airflow's base class, and not there at all in 2.11

    @staticmethod
    def persist(context: Context, url: str) -> None:
        """Push the address, so that a running or deferred task has its link."""
        task_instance: Any = context.get("ti")
        if task_instance is not None:
            task_instance.xcom_push(key=_KEY, value=url)

    def get_link(self, operator: Any, *, ti_key: Any) -> str:
        """Return the address that the task pushed, or nothing if it has not got that far."""
        found = XCom.get_value(key=_KEY, ti_key=ti_key)
        return found if isinstance(found, str) else ""
