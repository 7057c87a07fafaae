"""Sensor that checks the outcome of a stop, whoever asked for it; it never stops or starts anything."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from airflow_provider_dataworks.arguments import int64, invalid
from airflow_provider_dataworks.operators._base import DIJobTask
from airflow_provider_dataworks.operators._request_note import fixed_deadline
from airflow_provider_dataworks.retries import RETRIES, RETRY_DELAY, explained, install_retry_policy
from airflow_provider_dataworks.version_compat import BaseSensorOperator, PokeReturnValue, conf

if TYPE_CHECKING:
    from airflow_provider_dataworks.client.http.responses import DIJob, Verdict
    from airflow_provider_dataworks.version_compat import Context

_MAY_BE_ACCEPTED = ("Stopped", "Finished", "Failed", "Initialized")


def _accepted(value: Any, name: str) -> tuple[str, ...]:
    found = (value,) if isinstance(value, str) or not isinstance(value, Iterable) else tuple(value)
    unknown = [status for status in found if status not in _MAY_BE_ACCEPTED]
    if unknown or not found:
        raise invalid(name, f"{unknown or 'nothing'} cannot be waited for", f"Use of: {', '.join(_MAY_BE_ACCEPTED)}.")
    return found


def _off(value: Any, name: str) -> None:
    if value:
        problem = "refused, because a skipped check would let maintenance run on a live job"
        raise invalid(name, problem, "Leave it out; use a trigger rule downstream where a failure may be tolerated.")


class DIJobStoppedSensor(DIJobTask, BaseSensorOperator):
    """
    Wait until a DataWorks DI job has stopped.

    A job that ends in a state that is not accepted fails the task at once, ``Failed`` with the job's own error text:
    such a job does not stop by waiting. ``soft_fail`` and ``never_fail`` are refused, because a skip would let
    maintenance that runs under ``none_failed`` start on a live job.

    Vendor's page:
    https://www.alibabacloud.com/help/en/dataworks/developer-reference/api-dataworks-public-2020-05-18-getdijob

    :param di_job_id: id of the DI job, as a number or its digits. (templated)
    :param accept: statuses that end the wait in success, of Stopped, Finished, Failed and Initialized.
    :param deferrable: wait in the triggerer, without a worker slot; Airflow's ``default_deferrable`` unless given.
    :param dataworks_conn_id: Airflow connection of type ``dataworks``. (templated)
    :param retries: as in Airflow; 3 where neither the author nor the deployment set any.
    :param retry_delay: as in Airflow; one minute.
    :param retry_exponential_backoff: as in Airflow; on.
    :param kwargs: Airflow's sensor arguments: ``poke_interval`` and ``timeout`` in seconds, ``mode`` ``poke`` or
        ``reschedule``.
    :return: the same dict as ``StopDIJobOperator``; ``stopped_by_this_run`` is ``False``, ``request_id`` is ``None``,
        and ``status_before`` what was seen first, in mode ``reschedule`` what the last look saw.
    """

    template_fields: Sequence[str] = ("di_job_id", "dataworks_conn_id")
    ui_color = "#e6f1f2"
    checks = {  # noqa: RUF012 - as the base class declares it
        "di_job_id": int64,
        "accept": _accepted,
        "soft_fail": _off,
        "never_fail": _off,
    }

    def __init__(
        self,
        *,
        di_job_id: int | str,
        accept: Iterable[str] = ("Stopped", "Finished"),
        deferrable: bool = conf.getboolean("operators", "default_deferrable", fallback=False),
        dataworks_conn_id: str = "dataworks_default",
        # Named here although they are Airflow's: only so do default_args and mapping see that they have other defaults.
        retries: int | None = RETRIES,
        retry_delay: timedelta | float = RETRY_DELAY,
        retry_exponential_backoff: bool | float = True,
        soft_fail: bool = False,
        **kwargs: Any,
    ) -> None:
        self.check_arguments({**locals(), **kwargs})
        super().__init__(
            retries=retries, retry_delay=retry_delay, retry_exponential_backoff=retry_exponential_backoff, **kwargs
        )
        install_retry_policy(self)
        self.di_job_id = di_job_id
        self.accept = _accepted(accept, "accept")
        self.dataworks_conn_id = dataworks_conn_id
        self.deferrable = deferrable
        # First and last look of this process.
        self._seen: list[DIJob] = []

    def execute(self, context: Context) -> Any:
        """Look once; then go on looking, here or in the triggerer."""
        if not self.deferrable:
            return super().execute(context)
        with explained():
            di_job_id = int64(self.di_job_id, "di_job_id")
        # As with Airflow's own sensors, a retry does not begin the time anew.
        deadline = fixed_deadline(context, "check", di_job_id, self.hook.now() + self.timeout)
        looked = self.poke(context)
        if looked.is_done:
            return looked.xcom_value
        self.defer_until(
            self._seen[-1],
            deadline=deadline,
            poll_interval=self.poke_interval,
            report={"status_before": str(self._seen[0].status)},
        )

    def poke(self, context: Context) -> PokeReturnValue:
        """Look at the job once."""
        job = self.hook.get_di_job(self.di_job_id)
        if not self._seen:
            self.push_link(context, job)
        self._seen = [*self._seen[:1], job]
        with explained():
            if not self.verdict({})(job):
                self.log.info("DI job %s is %s.", job.id, job.status)
                return PokeReturnValue(is_done=False)
        report = {"status_before": str(self._seen[0].status)}
        return PokeReturnValue(is_done=True, xcom_value=self.result(job, report))

    def verdict(self, report: dict[str, Any]) -> Verdict:
        """Return when the wait is over; see ``accept``."""
        from airflow_provider_dataworks.client.http.responses import Verdict

        return Verdict(self.accept)
