"""
The errors of this package, one tree of picklable exceptions; which answer leads to which error is decided elsewhere.

::

    DataWorksError
    ├── DataWorksThrottled            refused for now, not executed; .retry_after: how long the service asked to wait
    ├── DataWorksUnavailable          5xx, broken answer, no connection; .sent: whether the request may have arrived
    └── DataWorksPermanentError       a retry cannot help; also an AirflowFailException, so Airflow does not retry
        ├── DataWorksAuthError        key, token, signature or clock (.clock_skew)
        ├── DataWorksForbidden        the key is good, but may not do this: RAM, workspace role, edition
        ├── DataWorksNotFound         no such DI job or workspace here
        ├── DataWorksInvalidRequest   bad input, refused by this package or by the service (also a ValueError)
        ├── DataWorksQuotaExceeded    the daily or edition quota is used up: waiting minutes does not help
        ├── OutsideMaintenanceWindow  no window is open, or too little of it is left: nothing was touched
        ├── DIJobFailed               the DI job itself ended in an error
        └── DIJobWaitTimeout          the time to wait ran out; .last_status says what was seen last

The class alone says whether a retry may help (``retryable``). ``AirflowFailException`` is the one signal against
retries that every Airflow version understands.
"""

from __future__ import annotations

from typing import ClassVar, TypedDict, Unpack

from airflow_provider_dataworks.version_compat import AirflowFailException

# What tells more about an error, by its anchor; it needs no Airflow database, and stands in every version of Airflow.
EXPLAIN = "python -m airflow_provider_dataworks explain"
# How the remedy of a retryable error begins; a task says instead how many tries are left.
RETRIES_LEFT = "Nothing while retries are left: Airflow tries again."
_LINE = 110  # characters of a first line, about


class Facts(TypedDict, total=False):
    """The keyword arguments that every error takes; see :class:`DataWorksError`."""

    code: str | None
    status: int | None
    request_id: str | None
    action: str | None
    di_job_id: int | None
    retry_after: float | None
    remedy: str | None
    see: str | None
    conn_id: str | None
    endpoint: str | None
    job_status: str | None


class ErrorKwargs(TypedDict):
    """What the constructor of an error takes from the catalogue."""

    remedy: str
    see: str


def catalog_kwargs(anchor: str) -> ErrorKwargs:
    """Return what the catalogue of errors says about one, for its constructor."""
    # The catalogue imports this module; it is large, and DAG files do not need it.
    from airflow_provider_dataworks.client.errors.catalog import CATALOG

    return CATALOG[anchor].kwargs


class DataWorksError(Exception):
    """
    Base of all errors of this package; raised only as one of its subclasses.

    :param message: what the service, or this package, says went wrong.
    :param code: the service's error code, verbatim, or ``None`` where there was none.
    :param status: HTTP status of the answer, or ``None`` where there was no answer.
    :param request_id: the service's request id, what its support asks for.
    :param action: the operation, for example ``StopDIJob``.
    :param di_job_id: the DI job the operation was about.
    :param retry_after: seconds the service asked to wait, or ``None``.
    :param remedy: what the reader should do about it.
    :param see: anchor of the row on this kind of error in the table of troubles; by default the most general one of
        the class. The command ``explain`` shows that row.
    :param conn_id: Airflow connection that was used, where one was.
    :param endpoint: host that was asked, where one was.
    :param job_status: status in which the DI job was seen last, where the call was to change it.
    """

    retryable = False
    _see: ClassVar[str | None] = None

    def __init__(self, message: str = "", **facts: Unpack[Facts]) -> None:
        # Only the message stands in args, so that pickling can rebuild the error; the rest travels in __dict__.
        super().__init__(message)
        self.message = message
        self.code = facts.get("code")
        self.status = facts.get("status")
        self.request_id = facts.get("request_id")
        self.action = facts.get("action")
        self.di_job_id = facts.get("di_job_id")
        self.retry_after = facts.get("retry_after")
        remedy = facts.get("remedy")
        self.remedy = remedy.replace("<operation>", self.action) if remedy and self.action else remedy
        self.see = facts.get("see") or self._see
        self.conn_id = facts.get("conn_id")
        self.endpoint = facts.get("endpoint")
        self.job_status = facts.get("job_status")
        self.lead: str | None = None  # what the reader must know before anything else, such as that the job is down

    @property
    def summary(self) -> str:
        """One line for logs: action, job, code, HTTP status, request id, what happened and how the job was."""
        request = f"request id {self.request_id}" if self.request_id else ""
        facts = ", ".join(filter(None, (*self._codes, request)))
        head = " ".join(filter(None, (self._subject, facts and f"({facts})")))
        return f"{': '.join(filter(None, (head, self.message)))}{self._state}"

    @property
    def _subject(self) -> str:
        job = f"DI job {self.di_job_id}" if self.di_job_id else ""
        # Without an operation it is the job, or our waiting for it, that the message is about: no call failed.
        return f"{' of '.join(filter(None, (self.action, job)))} failed" if self.action else job

    @property
    def _codes(self) -> tuple[str, ...]:
        return tuple(filter(None, (self.code, f"HTTP {self.status}" if self.status else "")))

    @property
    def _state(self) -> str:
        return f" It was {self.job_status} when last looked at." if self.job_status else ""

    def _headlines(self) -> tuple[str, ...]:
        """What happened and whether the job runs: one line, or two where one were long, since log views do not wrap."""
        codes = f"({', '.join(self._codes)})" if self._codes else ""
        head = " ".join(filter(None, (self._subject, codes)))
        line = f"{': '.join(filter(None, (head, self.message)))}{self._state}"
        if not self.action or len(line) <= (_LINE if self.di_job_id else 2 * _LINE):
            return (line,)
        return f"{head}.{self._state}", self.message

    def __str__(self) -> str:
        """Text for a task log, a line each: what happened, why, what to do, what tells more, and all ids."""
        request = f"request id {self.request_id}" if self.request_id else ""
        connection = f"connection {self.conn_id}" if self.conn_id else ""
        place = f"at {self.endpoint}" if self.endpoint else ""
        asked = ", ".join(filter(None, (" ".join(filter(None, (connection, place))), request)))
        lines = (
            self.lead,
            *self._headlines(),
            f"What to do: {self.remedy}" if self.remedy else "",
            f"For more: {EXPLAIN} {self.see}" if self.see else "",
            f"Asked with {asked}" if asked else "",
        )
        return "\n".join(filter(None, lines))

    def __repr__(self) -> str:
        """Class and facts; never anything that was sent."""
        return f"{type(self).__name__}({str(self)!r})"


class DataWorksThrottled(DataWorksError):
    """The service refused the call because of its rate limits; nothing was executed, a later try may pass."""

    retryable = True
    _see = "throttled"


class DataWorksUnavailable(DataWorksError):
    """
    The service, or the way to it, failed for now.

    :param sent: whether the request may have arrived; then its effect may have happened, and a call that changes
        something must look at the state before it is sent again.
    """

    retryable = True
    _see = "service-down"

    def __init__(self, message: str = "", *, sent: bool = True, **facts: Unpack[Facts]) -> None:
        super().__init__(message, **facts)
        self.sent = sent


class DataWorksPermanentError(DataWorksError, AirflowFailException):
    """An error that a retry cannot help, as Airflow must see it; raised by itself where no subclass fits."""


class DataWorksAuthError(DataWorksPermanentError):
    """
    The service does not accept who we are: key, token, signature or clock.

    :param clock_skew: seconds by which the service's clock is ahead of ours, where the error is about the clock.
    """

    _see = "access-key"

    def __init__(self, message: str = "", *, clock_skew: float | None = None, **facts: Unpack[Facts]) -> None:
        super().__init__(message, **facts)
        self.clock_skew = clock_skew


class DataWorksForbidden(DataWorksPermanentError):
    """The key is good, but it may not do this: RAM policy, workspace role or DataWorks edition."""

    _see = "ram-action-missing"


class DataWorksNotFound(DataWorksPermanentError):
    """There is no such DI job or workspace at this endpoint."""

    _see = "no-such-job"


class DataWorksInvalidRequest(DataWorksPermanentError, ValueError):
    """Bad input: found by this package before anything was sent, or refused by the service."""

    _see = "bad-input"


class DataWorksQuotaExceeded(DataWorksPermanentError):
    """The daily or edition quota of API calls is used up: permanent for today."""

    _see = "daily-quota"


class OutsideMaintenanceWindow(DataWorksPermanentError):
    """No maintenance window is open, or too little of it is left; nothing was touched."""

    _see = "outside-window"


class DIJobFailed(DataWorksPermanentError):
    """
    The DI job ended in an error.

    :param status: is ``None`` here: this is no HTTP error; the job's own text is in ``message``.
    """

    _see = "job-failed"


class DIJobWaitTimeout(DataWorksPermanentError):
    """
    The DI job did not reach the state in the time given.

    :param last_status: the status seen last.
    :param last_look_failed: whether it may have changed since, because the last look at the job failed.
    """

    _see = "wait-timed-out"

    def __init__(
        self,
        message: str = "",
        *,
        last_status: str | None = None,
        last_look_failed: bool = False,
        **facts: Unpack[Facts],
    ) -> None:
        super().__init__(message, **facts)
        self.last_status = last_status
        self.last_look_failed = last_look_failed
