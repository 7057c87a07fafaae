"""Every error a task can end in, with its cause and remedy, by the anchor of its row in README; only text.

``docs/readme.py`` writes README's section "Troubleshooting" from it, and each error names its row there. The entries
about calls are in :mod:`.catalog_calls`, those about credentials in :mod:`.catalog_credentials`; here are the others,
about jobs, windows and maintenance.
"""

from __future__ import annotations

from airflow_provider_dataworks.client.errors import ErrorInfo
from airflow_provider_dataworks.client.errors.catalog_calls import CALLS
from airflow_provider_dataworks.client.errors.catalog_credentials import CREDENTIALS
from airflow_provider_dataworks.exceptions import (
    DataWorksPermanentError,
    DIJobFailed,
    DIJobWaitTimeout,
    OutsideMaintenanceWindow,
)

__all__ = ["CATALOG", "ErrorInfo"]

_TASKS: tuple[ErrorInfo, ...] = (
    ErrorInfo(
        anchor="outside-window",
        error=OutsideMaintenanceWindow,
        title="Outside the maintenance window",
        cause="The task ran when no window was open, or when less than min_remaining of it was left.",
        remedy="Run it inside the window; in an emergency set ignore_window. Nothing was touched.",
    ),
    ErrorInfo(
        anchor="job-failed",
        error=DIJobFailed,
        title="The DI job failed",
        cause="The job itself ended Failed; its own text is in the message, as far as there is one (API 2020-05-18).",
        remedy="Nothing of it runs, but it may not be in a clean state: see its log in the DataWorks console.",
    ),
    ErrorInfo(
        anchor="end-not-accepted",
        error=DIJobFailed,
        title="The DI job ended otherwise",
        cause="The job is Stopped or Finished, the sensor's accept leaves that out, and waiting changes nothing.",
        remedy="Add that status to accept if it is as good.",
    ),
    ErrorInfo(
        anchor="left-down",
        error=DIJobFailed,
        title="Stopped DI jobs were not started again",
        cause="The maintenance stopped them, and no restart of them succeeded in this run; other jobs may be running.",
        remedy="These jobs are down. Read why in the log of the restart that the message names, then clear that "
        "task, or start the jobs in the DataWorks console.",
    ),
    ErrorInfo(
        anchor="wait-timed-out",
        error=DIJobWaitTimeout,
        title="The time to wait ran out",
        cause="The job did not come to its state within timeout, execution_timeout or the window; how long a stop "
        "takes is not documented.",
        remedy="Look at the job in the DataWorks console; clear this task to wait again, or allow more time.",
    ),
    ErrorInfo(
        anchor="work-on-a-running-job",
        error=DataWorksPermanentError,
        title="A task of a maintenance was not begun",
        cause="A DI job of the maintenance runs: only this task was cleared, or somebody started the job meanwhile.",
        remedy="Clear the whole maintenance group of the run (open, stop, check, tasks, restart), inside the window: "
        "the job is then stopped before this task begins, and started again behind it. Nothing was done by this "
        "task.",
    ),
    ErrorInfo(
        anchor="trigger-not-understood",
        error=DataWorksPermanentError,
        title="The trigger's arguments are not understood",
        cause="The row that Airflow stored for the trigger was written by another version of this package, or changed.",
        remedy="Clear the task: it looks at the job's state anew, sends nothing twice, and stores a new row. After "
        "an upgrade, scheduler, triggerer and workers must run one version.",
    ),
    ErrorInfo(
        anchor="wait-broken",
        error=DataWorksPermanentError,
        title="The triggerer met an error that nobody expected",
        cause="A mistake in this package, or in what it stands on; the job's state was not learned.",
        remedy="Clear the task: it looks at the job's state anew and sends nothing twice. The traceback is in the "
        "triggerer's log; please report it.",
    ),
    ErrorInfo(
        anchor="stop-without-restart",
        error=DataWorksPermanentError,
        title="A stop was not begun",
        cause="Only the stop of a maintenance was cleared, and its restart is over: that is cleared with the work "
        "only.",
        remedy="Clear the whole maintenance group of the run (open, stop, check, tasks, restart), inside the window. "
        "Nothing was touched.",
    ),
    ErrorInfo(
        anchor="mixed-versions",
        error=DataWorksPermanentError,
        title="The trigger's event is not understood",
        cause="Triggerer and workers run versions of this package that are too far apart.",
        remedy="Look at the DI job's status. After an upgrade, scheduler, triggerer and workers must run one version.",
    ),
)
CATALOG: dict[str, ErrorInfo] = {info.anchor: info for info in (*CALLS, *_TASKS, *CREDENTIALS)}
