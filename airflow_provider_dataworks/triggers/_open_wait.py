"""One wait for a DI job in the triggerer, as its watcher keeps it; it looks at nothing by itself."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from contextvars import Context, copy_context
from dataclasses import dataclass, field

from airflow_provider_dataworks.client.client import timed_out
from airflow_provider_dataworks.client.models import DIJob
from airflow_provider_dataworks.exceptions import DataWorksError, DIJobWaitTimeout

log = logging.getLogger(__name__)


@dataclass(eq=False)
class OpenWait:
    """A wait that goes on: for what, until when, what it saw last and when it looks next."""

    di_job_id: int
    done: Callable[[DIJob], bool]
    poll_interval: float
    started: float
    deadline: float
    future: asyncio.Future[DIJob]
    steadily: bool = False
    # The next look may be taken between these; the room between them is what lets waits share a round.
    earliest: float = 0.0
    latest: float = 0.0
    last: DIJob | None = None
    error: DataWorksError | None = field(default=None, repr=False)
    # When the round began that is to tell of it; None between rounds.
    asked: float | None = None
    has_last_look: bool = False
    # Airflow tells by it in whose log a line belongs; the watcher itself runs in that of the wait that began it.
    context: Context = field(default_factory=copy_context, repr=False)

    def saw(self, job: DIJob) -> None:
        """Keep what a look saw, and log it where it is new."""
        if self.last is None or self.last.status != job.status:
            self.context.run(log.info, "DI job %s is %s now.", job.id, job.status)
        elif self.error is not None:
            self.context.run(log.info, "DI job %s can be looked at again; it is still %s.", job.id, job.status)
        self.last, self.error = job, None

    def failed(self, error: DataWorksError) -> None:
        """Keep that a look failed, and log it where its kind is new: an outage is no news in each round."""
        if self.error is None or self.error.see != error.see:
            text = "DI job %s could not be looked at, and is looked at again: %s"
            self.context.run(log.warning, text, self.di_job_id, error.summary)
            self.error = error

    def timed_out(self) -> DIJobWaitTimeout:
        """Return the error for the end of its time, with the last status and what kept it from a newer one."""
        error = timed_out(self.di_job_id, self.last)
        if self.error is not None:
            error.last_look_failed = True
            error.message = f"{error.message} The last look failed: {self.error.summary}"
        return error
