"""Proves that a started DI job keeps running and has caught up with its source; must never change a job.

``Running`` alone proves little: a job that has lost its place in the source's log fails seconds later, and one that
runs may be hours behind. Rules, for want of better ones in the vendor's pages (ListDIJobMetrics, API 2024-05-18):

- A sample counts if it was taken after the start, and if it is no older than three of its periods, or three minutes.
  Without one, nothing is known, and a job of which nothing is known has not caught up.
- A job has caught up where its newest samples, over ``stable_for`` seconds, are all within ``max_lag``.
- It is idle where nothing was read in its three newest samples, and all that was ever read was written: then there is
  nothing to catch up with, although the delay of such a job may grow with time. That is accepted, and said.
- A lag that falls is waited for. One that rose ten samples in a row, to more than ``max_lag``, will not be good.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from itertools import pairwise
from typing import TYPE_CHECKING

from airflow_provider_dataworks.client.models import DIJob, JobStatus, Proof, ProofRules
from airflow_provider_dataworks.exceptions import DataWorksError, DIJobFailed, DIJobWaitTimeout, catalog_kwargs

if TYPE_CHECKING:
    from airflow_provider_dataworks.client.client import DataWorksClient
    from airflow_provider_dataworks.client.diagnostics import Sample

log = logging.getLogger(__name__)

DELAY = "delayTime"
_SPEED, _READ, _WRITTEN = "speedRecordsRead", "totalRecordsRead", "totalRecordsWrite"
_ASKED = (DELAY, _SPEED, _READ, _WRITTEN)

Metrics = Mapping[str, "Sequence[Sample]"]
AskForMetrics = Callable[..., Metrics]  # DataWorksHook.job_metrics

_FRESH = 180.0  # seconds that a sample counts at least
_PERIODS = 3
_RISES = 10
_IDLE_SAMPLES = 3
_AHEAD = 60.0  # seconds that the service's clock may be ahead of ours
_HISTORY = 900.0  # seconds of samples that are asked for at least


class SteadyRun:
    """
    Says of looks at one job whether it has been Running for some time without a break.

    A break between two looks that nobody saw is not found: looks are as far apart as ``poll_interval`` asks for.

    :param seconds: how long; infinity for a job that is only to keep running.
    :param clock: epoch seconds.
    """

    def __init__(self, seconds: float, clock: Callable[[], float]) -> None:
        self._seconds, self._clock = seconds, clock
        self.since: float | None = None  # epoch seconds

    def __call__(self, job: DIJob) -> bool:
        """
        Say whether it has, by one more look; a job that is Finished has nothing more to show.

        :raises DIJobFailed: the job failed, or somebody stops it.
        """
        now = self._clock()
        if job.status is JobStatus.RUNNING:
            self.since = now if self.since is None else self.since
            return now - self.since >= self._seconds
        if job.status is JobStatus.FINISHED:
            self.since = now if self.since is None else self.since
            return True
        if job.status in (JobStatus.FAILED, JobStatus.STOPPED, JobStatus.STOPPING):
            raise self._broken(job, now)
        self.since = None  # it is starting again by itself
        return False

    def _broken(self, job: DIJob, now: float) -> DIJobFailed:
        ran = "it did not keep running" if self.since is None else f"it ran for {now - self.since:.0f} s, no longer"
        if job.status is JobStatus.FAILED:
            text = (job.error_message or "DataWorks gave no text").rstrip(".")
            error = DIJobFailed(f"{ran}, and is Failed: {text}.", di_job_id=job.id, **catalog_kwargs("not-healthy"))
        else:
            message = f"{ran}, and is {job.status}: somebody else stopped it."
            error = DIJobFailed(message, di_job_id=job.id, **catalog_kwargs("stopped-again"))
        error.job_status = str(job.status)
        return error


class CatchUp:
    """
    Says of the metrics of one job whether it has caught up with its source.

    :param rules: what it has to show.
    :param running_since: epoch seconds at which it was seen to run.
    """

    def __init__(self, di_job_id: int, rules: ProofRules, running_since: float) -> None:
        self._job_id, self._max_lag, self._stable_for = di_job_id, rules.max_lag or 0.0, rules.stable_for
        self._running_since = running_since
        self._since = running_since if rules.since is None else rules.since
        self._first: Sample | None = None
        self._last: Sample | None = None
        self._unknown = "no metrics were asked for yet"
        self.proof: Proof | None = None

    def look(self, ask: AskForMetrics, now: float, *, patient: bool = True) -> bool:
        """
        Ask for the metrics once, and say whether the job has caught up; then :attr:`proof` holds what it has shown.

        :param ask: ``job_metrics`` of a client; it blocks.
        :param now: epoch seconds.
        :param patient: count metrics that cannot be had now as unknown: they are asked for again; else raise.
        :raises DIJobFailed: the lag grows.
        :raises DataWorksError: the metrics may not be asked for.
        """
        start = max(self._since, now - max(_HISTORY, 2 * self._stable_for))
        try:
            metrics = ask(self._job_id, _ASKED, start=int(start), end=int(now) + 1)
        except DataWorksError as error:
            if not (error.retryable and patient):
                error.job_status = "Running"
                raise
            log.warning(
                "The metrics of DI job %s cannot be had now, and are asked for again: %s", self._job_id, error.summary
            )
            self._unknown = f"the metrics could not be had: {error.summary}"
            return False
        return self.judge(metrics, now)

    def judge(self, metrics: Metrics, now: float) -> bool:
        """Say by these metrics whether the job has caught up; see :meth:`look`."""
        delays = self._counting(metrics, DELAY, now)
        if not delays:
            self._unknown = "DataWorks has no sample of its delay since the start"
            return False
        self._first, self._last = self._first or delays[0], delays[-1]
        age = now - delays[-1].at
        if age > _freshness(delays):
            self._unknown = f"the newest sample of its delay is {age:.0f} s old"
            return False
        self._unknown = ""
        within = _last_run(delays, lambda sample: sample.value <= self._max_lag)
        idle = self._is_idle(metrics, now)
        if within and delays[-1].at - within[0].at >= self._stable_for:
            self.proof = Proof(self._running_since, now, delays[-1].value)
        elif idle and delays[-1].at - idle[0].at >= self._stable_for:
            self.proof = Proof(self._running_since, now, delays[-1].value, idle=True)
        elif not idle:
            self._refuse_what_grows(delays)
        return self.proof is not None

    def timed_out(self, seconds: float) -> DIJobWaitTimeout:
        """
        Return the error for a job that runs and has not caught up in time, with its lag then and now.

        :param seconds: that were waited.
        """
        message = (
            f"it runs, but did not come within {self._max_lag:g} s of its source in {seconds:.0f} s: {self.state}."
        )
        return DIJobWaitTimeout(
            message, di_job_id=self._job_id, last_status="Running", **catalog_kwargs("not-caught-up")
        )

    @property
    def state(self) -> str:
        """What is known of the lag, in words for a log."""
        if self._first is None or self._last is None:
            return self._unknown
        text = f"its lag was {_shown(self._first)} and is {_shown(self._last)}"
        return f"{text}; {self._unknown}" if self._unknown else text

    def _refuse_what_grows(self, delays: Sequence[Sample]) -> None:
        newest = [sample.value for sample in delays[-_RISES - 1 :]]
        rises = all(later > earlier for earlier, later in pairwise(newest))
        if len(newest) > _RISES and rises and newest[-1] > self._max_lag:
            message = f"it runs, but falls further behind its source: {self.state}."
            error = DIJobFailed(message, di_job_id=self._job_id, **catalog_kwargs("lag-grows"))
            error.job_status = "Running"
            raise error

    def _counting(self, metrics: Metrics, name: str, now: float) -> list[Sample]:
        return [sample for sample in metrics.get(name, ()) if self._since <= sample.at <= now + _AHEAD]

    def _is_idle(self, metrics: Metrics, now: float) -> list[Sample]:
        """Return the newest samples in which nothing was read, if there is nothing to read; else none."""
        found = [self._counting(metrics, name, now) for name in (_SPEED, _READ, _WRITTEN)]
        if not all(found) or any(now - each[-1].at > _freshness(each) for each in found):
            return []
        speeds, read, written = found
        idle = _last_run(speeds, lambda sample: sample.value == 0)
        return idle if len(idle) >= _IDLE_SAMPLES and read[-1].value == written[-1].value else []


def prove(
    client: DataWorksClient, di_job_id: int, rules: ProofRules, *, deadline: float, poll_interval: float
) -> Proof:
    """
    Look at a job that was started until it has shown what it has to.

    :param deadline: epoch seconds by which it was to run; what it has to show is waited for beyond that.
    :param poll_interval: seconds between looks.
    :raises DIJobFailed: it does not keep running, or its lag grows.
    :raises DIJobWaitTimeout: it has not caught up in time.
    """
    steady = SteadyRun(rules.healthy_for, client.clock)
    each = interval(rules, poll_interval)
    client.wait_until(di_job_id, steady, deadline=deadline + rules.healthy_for, poll_interval=each)
    since = client.clock() if steady.since is None else steady.since
    if rules.max_lag is None:
        return Proof(since)

    keeps, catch_up = SteadyRun(float("inf"), client.clock), CatchUp(di_job_id, rules, since)

    def done(job: DIJob) -> bool:
        return keeps(job) or catch_up.look(client.job_metrics, client.clock())

    end = client.clock() + rules.lag_timeout
    try:
        client.wait_until(di_job_id, done, deadline=end, poll_interval=poll_interval)
    except DIJobWaitTimeout:
        raise catch_up.timed_out(rules.lag_timeout) from None
    return catch_up.proof or Proof(since)  # a job that is Finished has nothing to catch up with


def interval(rules: ProofRules, poll_interval: float) -> float:
    """Return the seconds between looks at a job that has to run for some time: the end of it is not overlooked."""
    return min(poll_interval, rules.healthy_for) if rules.healthy_for else poll_interval


def _last_run(samples: Sequence[Sample], wanted: Callable[[Sample], bool]) -> list[Sample]:
    """Return the newest samples that are all as wanted."""
    found: list[Sample] = []
    for sample in reversed(samples):
        if not wanted(sample):
            break
        found.insert(0, sample)
    return found


def _freshness(samples: Sequence[Sample]) -> float:
    """Return how old a sample may be, in seconds, by how far these are apart."""
    gaps = sorted(later.at - earlier.at for earlier, later in pairwise(samples))
    return max(_FRESH, _PERIODS * gaps[len(gaps) // 2]) if gaps else _FRESH


def _shown(sample: Sample) -> str:
    return f"{sample.value:.0f} s at {datetime.fromtimestamp(sample.at, UTC):%H:%M:%S} UTC"
