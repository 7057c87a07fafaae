"""Operations of DataWorks about DI jobs, each with its tries; must never repeat a change whose fate is unknown.

A call that is throttled, or never left, is tried again within about 45 seconds. After a lost answer only a call that
changes nothing is; what a change came to is read from the job's state, see :mod:`.state_change`.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from typing import TypeVar
from urllib.parse import urlsplit

from tenacity import RetryCallState, Retrying, retry_if_exception, stop_after_attempt
from tenacity.stop import stop_base
from tenacity.wait import wait_base, wait_random_exponential

from airflow_provider_dataworks.client.config import ClientConfig
from airflow_provider_dataworks.client.diagnostic_client import DiagnosticClient
from airflow_provider_dataworks.client.diagnostic_operations import DIAGNOSTICS
from airflow_provider_dataworks.client.errors import named_errors
from airflow_provider_dataworks.client.errors.catalog import CATALOG
from airflow_provider_dataworks.client.http.responses import incomplete, read_answer
from airflow_provider_dataworks.client.http.session import Session, always
from airflow_provider_dataworks.client.models import DIJob, Page
from airflow_provider_dataworks.client.operations import APIS, PAGE_SIZE, Call
from airflow_provider_dataworks.exceptions import DataWorksError, DataWorksUnavailable, DIJobWaitTimeout

log = logging.getLogger(__name__)

T = TypeVar("T")

ATTEMPTS = 6
PATIENCE = 45.0  # seconds of waiting in one call, all its tries together; past that Airflow's own retry takes over
# Pages that bring few jobs although more are said to follow: some may be gone meanwhile, or be shown to others only.
_MOST_THIN_PAGES = 20


class DataWorksClient(DiagnosticClient):
    """
    A client for one account at one endpoint, for all threads; how a job runs, it tells by :class:`.DiagnosticClient`.

    :param config: endpoint, API version and limits.
    :param session: sends its calls.
    :param clock: epoch seconds.
    :param sleep: lets seconds pass.
    :param patience: seconds that one call may spend waiting between its tries, all together.
    :param conn_id: the connection, for errors.
    """

    def __init__(
        self,
        config: ClientConfig,
        session: Session,
        *,
        clock: Callable[[], float] = time.time,
        sleep: Callable[[float], None] = time.sleep,
        patience: float = PATIENCE,
        conn_id: str | None = None,
    ) -> None:
        self.api, self.diagnostics = APIS[config.api_version], DIAGNOSTICS[config.api_version]
        self.clock, self.sleep, self.patience, self.session = clock, sleep, patience, session
        self._conn_id, self._host = conn_id, urlsplit(config.endpoint).netloc

    def stop_di_job(self, di_job_id: int | str, instance_id: int | str | None = None) -> str:
        """Send one StopDIJob and no more, whatever the job's state; return its request id."""
        return self.call(self.api.StopDIJob(di_job_id, instance_id))

    def start_di_job(self, di_job_id: int | str, start_time: int | None, force_to_rerun: bool | None) -> str:
        """Send one StartDIJob and no more, whatever the job's state; return its request id."""
        return self.call(self.api.StartDIJob(di_job_id, start_time, force_to_rerun))

    def get_di_job(self, di_job_id: int | str) -> DIJob:
        """Return one DI job as it is now."""
        return self.call(self.api.GetDIJob(di_job_id))

    def list_page(self, project_id: int | str, number: int, name: str | None = None) -> Page:
        """Return one page, of up to 100, of a workspace's DI jobs."""
        return self.call(self.api.ListDIJobs(project_id, name, number))

    def count_projects(self) -> int:
        """Return how many workspaces there are; the cheapest question that proves the key."""
        return self.call(self.api.ListProjects())

    def list_di_jobs(self, project_id: int | str, name: str | None = None) -> list[DIJob]:
        """
        Return all DI jobs of a workspace.

        :param name: exact name, whatever the service's filter does.
        :raises DataWorksUnavailable: the pages contradict their total, or hold jobs that cannot be read.
        """
        jobs: dict[int, DIJob] = {}
        number, thin = 1, 0
        with self.named_errors():
            while True:
                page = self.list_page(project_id, number, name)
                known = len(jobs)
                # Pages shift when jobs come and go in between, so a job may be seen twice.
                jobs.update((job.id, job) for job in page.jobs)
                if page.unread:
                    missing = f"{page.unread} DI jobs of page {number} have no id or no JobStatus"
                    raise incomplete("ListDIJobs", missing, {})
                if not page.jobs or number * PAGE_SIZE >= page.total:
                    return [job for job in jobs.values() if name is None or job.name == name]
                thin += len(jobs) - known < PAGE_SIZE / 2
                if thin > _MOST_THIN_PAGES:
                    raise incomplete("ListDIJobs", f"{number} pages told {len(jobs)} DI jobs of {page.total}", {})
                number += 1

    def wait_until(
        self,
        di_job_id: int | str,
        done: Callable[[DIJob], bool],
        *,
        deadline: float,
        poll_interval: float,
        first: DIJob | None = None,
        before: str | None = None,
    ) -> DIJob:
        """
        Look at a DI job until it is as wanted.

        :param done: says whether it is; may raise to give up.
        :param deadline: epoch seconds; asked only after a look at the job, so a job that made it is never timed out.
        :param poll_interval: seconds between looks.
        :param first: what is known already; it is of before a request, or told already, and not logged.
        :param before: the operation that is put off until then, for the log.
        :raises DIJobWaitTimeout: at the deadline, with the last status.
        """
        with self.named_errors():
            job = first or self.get_di_job(di_job_id)
            while not done(job):
                left = deadline - self.clock()
                if left <= 0:
                    raise timed_out(job.id, job)
                pause = min(poll_interval, left)
                if job is not first:
                    put_off = f", and {before} waits for that to end" if before else ""
                    log.info("DI job %s is %s%s; next look in %.0f s.", job.id, job.status, put_off, pause)
                self.sleep(pause)
                job = self.get_di_job(di_job_id)
            return job

    def call(self, call: Call[T], time_to_send: Callable[[], float] = always) -> T:
        """
        Make one call with its tries.

        :param time_to_send: returns the seconds in which the request may still leave, and raises where there are none;
            asked before each try, right before the bytes leave.
        :raises DataWorksError: the last error, once tries or patience are used up.
        """
        with self.named_errors():
            if not self.patience:
                return self._attempt(call, time_to_send)
            worth_repeating = _never_arrived if call.changes else _is_retryable
            found: T = self.retrying(worth_repeating)(self._attempt, call, time_to_send)
            return found

    def _attempt(self, call: Call[T], time_to_send: Callable[[], float]) -> T:
        return read_answer(call, self.session.send(call, time_to_send))

    def pause(self, seconds: float) -> None:
        """Let nobody call this account for these seconds, some minutes at most: the service asked to wait."""
        self.session.pause(seconds)

    def retrying(self, worth_repeating: Callable[[BaseException], bool]) -> Retrying:
        """
        Return the policy by which something is tried again; see https://tenacity.readthedocs.io/.

        :param worth_repeating: whether an error may be met by another try.
        """
        return Retrying(
            stop=stop_after_attempt(ATTEMPTS) | _out_of_patience(self.patience),
            wait=_as_asked(),
            retry=retry_if_exception(worth_repeating),
            before_sleep=_log_wait,
            sleep=self.sleep,
            reraise=True,
        )

    def named_errors(self) -> named_errors:
        """Return a context manager that names connection and endpoint in the errors of its block."""
        return named_errors(self._conn_id, self._host)


def timed_out(di_job_id: int, last: DIJob | None) -> DIJobWaitTimeout:
    """Return the error for a wait that is over, with the status seen last."""
    status = str(last.status) if last else None
    seen = f"is still {status}" if status else "could not be looked at once"
    return DIJobWaitTimeout(
        f"it {seen} although the time to wait is over.",
        di_job_id=di_job_id,
        last_status=status,
        **CATALOG["wait-timed-out"].kwargs,
    )


def _is_retryable(error: BaseException) -> bool:
    return isinstance(error, DataWorksError) and error.retryable


def _never_arrived(error: BaseException) -> bool:
    return _is_retryable(error) and not (isinstance(error, DataWorksUnavailable) and error.sent)


def _error_of(state: RetryCallState) -> DataWorksError:
    error = state.outcome.exception() if state.outcome else None
    if not isinstance(error, DataWorksError):
        raise TypeError(f"a call failed with {error!r}")
    return error


class _as_asked(wait_base):  # noqa: N801 - tenacity's naming
    """Wait as long as the service asked; where it asked for nothing, exponentially with full jitter."""

    _fallback = wait_random_exponential(multiplier=1, max=15, min=0.05)

    def __call__(self, retry_state: RetryCallState) -> float:
        error = _error_of(retry_state)
        return self._fallback(retry_state) if error.retry_after is None else error.retry_after


class _out_of_patience(stop_base):  # noqa: N801 - tenacity's naming
    """Stop before a wait that would exceed the seconds allowed for waiting; counts waits, so it needs no clock."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds

    def __call__(self, retry_state: RetryCallState) -> bool:
        return retry_state.idle_for + retry_state.upcoming_sleep > self._seconds


def _log_wait(state: RetryCallState) -> None:
    error = _error_of(state)
    why = "as the service asks" if error.retry_after is not None else "then trying again"
    log.info(
        "%s; waiting %.1f s, %s (try %d).", error.summary.rstrip("."), state.upcoming_sleep, why, state.attempt_number
    )
