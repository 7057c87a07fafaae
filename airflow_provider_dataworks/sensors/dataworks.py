"""Sensors that wait until a DI job has stopped, or has caught up with its source; they never stop or start one."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from airflow_provider_dataworks.client.models import DIJob, Proof, ProofRules, Verdict
from airflow_provider_dataworks.operators._base import DIJobTask, Report
from airflow_provider_dataworks.retries import RETRIES, RETRY_DELAY, explained, install_retry_policy
from airflow_provider_dataworks.values import int64, invalid, seconds, seconds_or_none
from airflow_provider_dataworks.version_compat import BaseSensorOperator, PokeReturnValue, conf

if TYPE_CHECKING:
    from airflow_provider_dataworks.version_compat import Context

_TO_LOOK_AGAIN = 60.0  # seconds in which a job that runs is seen to run by the triggerer, too
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
        with explained(context, resumed=True):
            di_job_id = int64(self.di_job_id, "di_job_id")
        # As with Airflow's own sensors, a retry does not begin the time anew.
        deadline = self.fixed_deadline(context, "check", di_job_id, self.hook.now() + self.timeout)
        looked = self.poke(context)
        if looked.is_done:
            return looked.xcom_value
        self.defer_until_done(
            self._seen[-1], self._report, ProofRules(), deadline=deadline, poll_interval=self.poke_interval
        )

    def poke(self, context: Context) -> PokeReturnValue:
        """Look at the job once."""
        with explained(context, resumed=True):
            job = self.hook.get_di_job(self.di_job_id)
            if not self._seen:
                self.push_link(context, job)
            self._seen = [*self._seen[:1], job]
            if not self.verdict(self._report)(job):
                self.log.info("DI job %s is %s.", job.id, job.status)
                return PokeReturnValue(is_done=False)
        return PokeReturnValue(is_done=True, xcom_value=self.result(job, self._report))

    @property
    def _report(self) -> Report:
        return Report(status_before=str(self._seen[0].status)) if self._seen else Report()

    def verdict(self, report: Report) -> Verdict:
        """Return when the wait is over; see ``accept``."""
        return Verdict(self.accept)


class DIJobCaughtUpSensor(DIJobTask, BaseSensorOperator):
    """
    Wait until a DataWorks DI job that runs is close enough behind its source.

    The rules, and what counts as caught up with a source in which nothing happens, are those of
    :mod:`airflow_provider_dataworks.client.proof`: a lag that is not known never does. A job that does not run fails
    the task at once. When the job was started is not known here: behind a restart, ``max_lag`` of the restart itself is
    safer, because it does not count samples from before. Needs API 2024-05-18.

    Vendor's page:
    https://www.alibabacloud.com/help/en/dataworks/developer-reference/api-dataworks-public-2024-05-18-listdijobmetrics

    :param di_job_id: id of the DI job, as a number or its digits. (templated)
    :param max_lag: seconds, or a timedelta, that the job may be behind.
    :param stable_for: seconds, or a timedelta, that it has to be so, by all samples of that time.
    :param deferrable: wait in the triggerer, without a worker slot; Airflow's ``default_deferrable`` unless given.
    :param dataworks_conn_id: Airflow connection of type ``dataworks``. (templated)
    :param retries: as in Airflow; 3 where neither the author nor the deployment set any.
    :param retry_delay: as in Airflow; one minute.
    :param retry_exponential_backoff: as in Airflow; on.
    :param kwargs: Airflow's sensor arguments: ``poke_interval`` and ``timeout`` in seconds, ``mode`` ``poke`` or
        ``reschedule``.
    :return: dict of ``di_job_id``, ``status``, ``caught_up_at`` (ISO 8601 UTC), ``lag`` (seconds) and ``idle``
        (whether there was nothing to read).
    """

    template_fields: Sequence[str] = ("di_job_id", "dataworks_conn_id")
    ui_color = "#e6f1f2"
    checks = {  # noqa: RUF012 - as the base class declares it
        "di_job_id": int64,
        "max_lag": seconds_or_none,
        "stable_for": seconds_or_none,
        "soft_fail": _off,
        "never_fail": _off,
    }

    def __init__(
        self,
        *,
        di_job_id: int | str,
        max_lag: float | timedelta,
        stable_for: float | timedelta = 0,
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
        self.max_lag = max_lag
        self.stable_for = stable_for
        self.dataworks_conn_id = dataworks_conn_id
        self.deferrable = deferrable

    def execute(self, context: Context) -> Any:
        """Look once; then go on looking, here or in the triggerer."""
        if not self.deferrable:
            return super().execute(context)
        with explained(context, resumed=True):
            di_job_id, now = int64(self.di_job_id, "di_job_id"), self.hook.now()
            # As with Airflow's own sensors, a retry does not begin the time anew.
            end = self.fixed_deadline(context, "caught_up", di_job_id, now + seconds(self.timeout, "timeout"))
            job = self._running_job(context)
        rules = replace(self.proof_rules(), lag_timeout=max(0.0, end - now))
        until: dict[str, Any] = {"deadline": now + _TO_LOOK_AGAIN, "poll_interval": self.poke_interval}
        self.defer_until_done(job, Report(), rules, **until)

    def poke(self, context: Context) -> PokeReturnValue:
        """Look at job and metrics once."""
        with explained(context, resumed=True):
            job = self._running_job(context)
            if job.status != "Running":
                self.log.info("DI job %s is %s.", job.id, job.status)
                return PokeReturnValue(is_done=job.status == "Finished", xcom_value=self.result(job, Report()))
            proof, state = self.hook.look_at_lag(job.id, self.proof_rules())
            if proof is None:
                self.log.info("DI job %s has not caught up: %s.", job.id, state)
                return PokeReturnValue(is_done=False)
        return PokeReturnValue(is_done=True, xcom_value=self.result(job, Report(), proof))

    def _running_job(self, context: Context) -> DIJob:
        """Look at the job, and raise DIJobFailed where it does not run."""
        job = self.hook.get_di_job(self.di_job_id)
        self.push_link(context, job)
        self.verdict(Report())(job)
        return job

    def proof_rules(self) -> ProofRules:
        """Return how far behind the job may be, by samples of any age that counts."""
        max_lag, stable_for = seconds_or_none(self.max_lag, "max_lag"), seconds_or_none(self.stable_for, "stable_for")
        return ProofRules(max_lag=max_lag, stable_for=stable_for, since=0.0)

    def verdict(self, report: Report) -> Verdict:
        """Return that the job has to run; one that is starting may yet."""
        return Verdict(("Running", "Finished"), fail_on=("Failed", "Stopped", "Stopping"))

    def result(self, job: DIJob, report: Report, proof: Proof | None = None) -> dict[str, Any]:
        """Return what the task pushes as its XCom."""
        at = None if proof is None else proof.caught_up_at
        found = {
            "di_job_id": job.id,
            "status": str(job.status),
            "caught_up_at": None if at is None else datetime.fromtimestamp(at, UTC).isoformat(),
            "lag": None if proof is None else proof.lag,
            "idle": proof is not None and proof.idle,
        }
        self.log.info("DI job %s: %s", job.id, found)
        return found
