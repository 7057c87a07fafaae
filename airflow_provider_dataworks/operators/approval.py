"""
Asks a person before a maintenance, and says in the log who answered what; needs Airflow 3.1 or later.

The question names jobs, connection, region and the end of the window. It stops and starts nothing.
"""

from __future__ import annotations

import inspect
import logging
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from airflow.providers.standard.operators.hitl import ApprovalOperator, HITLOperator

from airflow_provider_dataworks.exceptions import DataWorksError, DIJobFailed, catalog_kwargs
from airflow_provider_dataworks.operators._base import hook_of
from airflow_provider_dataworks.operators._cleared_run import left_undone
from airflow_provider_dataworks.operators.maintenance_checks import read_ids
from airflow_provider_dataworks.retries import explained
from airflow_provider_dataworks.version_compat import AirflowException
from airflow_provider_dataworks.windows import MaintenanceWindow

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from airflow_provider_dataworks.version_compat import Context

log = logging.getLogger(__name__)
_SHOWN = 20  # job ids in the question
_LONGEST_NAME = 100


class MaintenanceApprovalOperator(ApprovalOperator):
    """
    Airflow's ``ApprovalOperator``, which knows the maintenance it asks about.

    :param response_timeout: time to answer, a ``timedelta``; Airflow 3.1 calls it the task's ``execution_timeout``.
    :param di_job_ids: ids of the DI jobs. (templated)
    :param window: the maintenance window, if there is one. (templated)
    :param dataworks_conn_id: Airflow connection of type ``dataworks``. (templated)
    :param stopped_by: task ids of the stops behind this task, for a run that was cleared.
    :param silenced_by: task ids of what switches alarm rules off behind it.
    """

    template_fields = (*ApprovalOperator.template_fields, "di_job_ids", "window", "dataworks_conn_id")

    def __init__(
        self,
        *,
        di_job_ids: Any,
        window: Any = None,
        dataworks_conn_id: str,
        stopped_by: Iterable[str] = (),
        silenced_by: Iterable[str] = (),
        **kwargs: Any,
    ) -> None:
        if "response_timeout" not in inspect.signature(HITLOperator.__init__).parameters:
            kwargs.setdefault("execution_timeout", kwargs.pop("response_timeout", None))
        super().__init__(**kwargs)
        self.di_job_ids = di_job_ids
        self.window = window
        self.dataworks_conn_id = dataworks_conn_id
        self._behind = {"stopped_by": list(stopped_by), "silenced_by": list(silenced_by)}

    def execute(self, context: Context) -> Any:
        """Ask, with the facts as they are now; see the class."""
        self.body = "\n\n".join(filter(None, (self.body, "\n".join(self._facts(context)))))
        return super().execute(context)

    def _facts(self, context: Context) -> list[str]:
        ids = read_ids(self.di_job_ids)
        more = f" and {len(ids) - _SHOWN} more" if ids[_SHOWN:] else ""
        return [
            f"- DI jobs to stop, and to start again behind the maintenance: {', '.join(map(str, ids[:_SHOWN]))}{more}",
            f"- Connection: {self.dataworks_conn_id} ({self._place()})",
            f"- Maintenance window: {self._window_end()}",
            *self._left_undone(context, ids),
        ]

    def _left_undone(self, context: Context, ids: list[int]) -> list[str]:
        try:
            undone = left_undone(context, hook_of(self.dataworks_conn_id), ids, **self._behind)
        except (DataWorksError, AirflowException) as error:
            log.warning("What this run has left undone is not known: %s", error)
            return ["- This run was cleared; whether it has left a job down is not known"]
        return [f"- This run was cleared, and a no would leave it so: {'; '.join(undone)}"] if undone else []

    def _place(self) -> str:
        try:
            account = hook_of(self.dataworks_conn_id).account
        except (DataWorksError, AirflowException) as error:
            log.warning("The connection could not be read: %s", error)
            return "which could not be read, so the stop will fail"
        return f"region {account.region}" if account.region else account.config.endpoint

    def _window_end(self) -> str:
        if self.window is None:
            return "none was given"
        window, now = MaintenanceWindow.parse(self.window), datetime.now(UTC)
        opening = window.current(now)
        if opening is None:
            return f"{window}; it is closed now, so nothing will be stopped"
        return f"{window}; it ends at {window.local(opening.end).format('ddd YYYY-MM-DD HH:mm z')}"

    def execute_complete(self, context: Context, event: dict[str, Any]) -> Any:
        """Go on after the answer, and say who gave it."""
        if self.REJECT in (event.get("chosen_options") or ()):
            who = _name_of(event.get("responded_by_user"))
            said = f"{who} said no" if who else "Nobody answered in time, which counts as no"
            with explained(context):
                self._refuse_to_leave_it_so(context)
            # Before Airflow skips what follows: that ends this task.
            self.log.warning("%s: no DI job was touched, and the tasks behind this one are skipped.", said)
        return super().execute_complete(context=context, event=event)

    def _refuse_to_leave_it_so(self, context: Context) -> None:
        """Fail, rather than skip, in a run that was cleared in its middle: it would be green with all left undone."""
        undone = left_undone(context, hook_of(self.dataworks_conn_id), read_ids(self.di_job_ids), **self._behind)
        if undone:
            message = f"not approved, and so this run, which was cleared, undoes nothing any more: {'; '.join(undone)}."
            raise DIJobFailed(message, conn_id=self.dataworks_conn_id, **catalog_kwargs("not-undone"))


def _name_of(user: Mapping[str, Any] | None) -> str | None:
    """Return the name of who answered, short and printable, or ``None`` where Airflow tells of nobody."""
    if not isinstance(user, dict):
        return None
    name = str(user.get("name") or user.get("id") or "")
    return "".join(each if each.isprintable() else "?" for each in name[:_LONGEST_NAME]) or None
