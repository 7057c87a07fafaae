"""Links from a task to the DataWorks console, and to what the page in Airflow tells about its run; they ask nobody."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

from airflow_provider_dataworks.version_compat import AIRFLOW_V_3_1_PLUS, BaseOperatorLink, XCom

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


class DataWorksPageLink(BaseOperatorLink):
    """Opens what the page of this package in Airflow tells about the task's run (Airflow 3.1 and later)."""

    name = "DataWorks page"
    xcom_key = "_link_DataWorksPageLink"  # as above

    def get_link(self, operator: Any, *, ti_key: Any) -> str:
        """Return its address, relative to that of Airflow, which a worker need not know; empty where there is none."""
        if not AIRFLOW_V_3_1_PLUS:
            return ""
        return f"dataworks/run?{urlencode({'dag_id': ti_key.dag_id, 'run_id': ti_key.run_id})}"


# What each task of this package has.
LINKS = (DataWorksConsoleLink(), *((DataWorksPageLink(),) if AIRFLOW_V_3_1_PLUS else ()))
