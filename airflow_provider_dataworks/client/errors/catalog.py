"""Every error a task can end in, with its cause and remedy, by the anchor of its entry in the documentation; only text.

``docs/derive.py`` writes the page of errors from it, and each error names its entry there. The entries
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
        cause="No window was open when the task ran, or less than min_remaining of it was left.",
        remedy="Run the task inside the window. In an emergency, set ignore_window. Nothing was touched.",
    ),
    ErrorInfo(
        anchor="preflight",
        error=DataWorksPermanentError,
        title="The preflight of a maintenance says no",
        cause="A check before the maintenance is not good, or could not be asked. The task's log has the whole list.",
        remedy="Mend what the message names, then clear this task with those behind it. Nothing was touched. Where a "
        "question cannot be asked, on_unknown='warn' goes on without its answer.",
    ),
    ErrorInfo(
        anchor="long-downtime",
        error=DataWorksPermanentError,
        title="A DI job was down for too long",
        cause="Between the stop and the restart passed more than max_downtime. The job runs again.",
        remedy="Nothing has to be started. Read the report of this task for how long each job was down, and plan the "
        "next maintenance with more time or less work.",
    ),
    ErrorInfo(
        anchor="job-failed",
        error=DIJobFailed,
        title="The DI job failed",
        cause="The job has the status Failed. The message holds the error text of the job, where the API gives one "
        "(2020-05-18).",
        remedy="Read the log of the job in the DataWorks console. The job does not run, and may not be in a clean "
        "state.",
    ),
    ErrorInfo(
        anchor="not-healthy",
        error=DIJobFailed,
        title="The DI job failed after its start",
        cause="It ran for less than healthy_for. Mostly its source keeps its log for too short a time, and the job "
        "has lost its place in it.",
        remedy="Read the job's last log lines above. If its place in the source's log is gone, start the job from a "
        "start_time that the source still has, or load the tables again (force_to_rerun): both can lose or repeat "
        "changes.",
    ),
    ErrorInfo(
        anchor="stopped-again",
        error=DIJobFailed,
        title="The DI job was stopped again",
        cause="After the start, somebody or something else stopped the job before it had run for healthy_for.",
        remedy="Ask who stopped it (ActionTrail shows it), then start it in the DataWorks console or clear this task.",
    ),
    ErrorInfo(
        anchor="lag-grows",
        error=DIJobFailed,
        title="The DI job falls behind",
        cause="Its delay rose ten samples in a row, beyond max_lag: it is too slow for its source, or it is stuck.",
        remedy="The job runs. Look at its metrics and its log in the DataWorks console; it may need more resources. "
        "Clear this task to wait again.",
    ),
    ErrorInfo(
        anchor="not-caught-up",
        error=DIJobWaitTimeout,
        title="The DI job has not caught up",
        cause="Its delay did not come within max_lag in the time of lag_timeout, or there was no recent sample of it: "
        "an unknown lag never counts.",
        remedy="The job runs. If the lag in the message falls, clear this task to wait on, or allow a longer "
        "lag_timeout. If it does not, or is not known, look at the job's metrics in the DataWorks console.",
    ),
    ErrorInfo(
        anchor="end-not-accepted",
        error=DIJobFailed,
        title="The DI job ended in another status",
        cause="The job is Stopped or Finished, and accept of the sensor does not include this status. Waiting longer "
        "changes nothing.",
        remedy="Add that status to accept of the sensor if it is good enough.",
    ),
    ErrorInfo(
        anchor="left-down",
        error=DIJobFailed,
        title="Stopped DI jobs were not restarted",
        cause="The maintenance stopped these jobs, and no restart succeeded in this run. Other jobs may be running.",
        remedy="These jobs are down. Read the log of the restart task named in the message, then clear that task, or "
        "start the jobs in the DataWorks console.",
    ),
    ErrorInfo(
        anchor="failed-before",
        error=DataWorksPermanentError,
        title="A task before this one has failed",
        cause="Airflow looks only at the last task behind a maintenance, so this one fails where one of those named "
        "in the message did.",
        remedy="Read the log of the task named in the message: it says which DI job or alarm rule is not as it was, "
        "and what to do. Then clear that task with those behind it.",
    ),
    ErrorInfo(
        anchor="not-undone",
        error=DIJobFailed,
        title="A run was cleared, and then not approved",
        cause="The run was cleared while a DI job of it was down or alarm rules were off, and the person who was asked "
        "said no. The tasks that undo this are skipped then.",
        remedy="Start the jobs in the DataWorks console, and switch the alarm rules on, as the message names them. Or "
        "clear the run again and approve it: the jobs are started at its end.",
    ),
    ErrorInfo(
        anchor="not-proven",
        error=DIJobFailed,
        title="A restarted DI job is not proven to be well",
        cause="The restart of a job that runs now has failed: it did not run for healthy_for, or has not caught up.",
        remedy="Read the log of that restart task. If the job is well by now, clear the restart task with those behind "
        "it: it starts nothing that runs, and looks again.",
    ),
    ErrorInfo(
        anchor="wait-timed-out",
        error=DIJobWaitTimeout,
        title="Timeout while waiting for the DI job",
        cause="The job did not reach the status within timeout, execution_timeout or the window. The vendor does not "
        "document how long a stop takes.",
        remedy="Check the job in the DataWorks console. Clear this task to wait again, or allow more time.",
    ),
    ErrorInfo(
        anchor="work-on-a-running-job",
        error=DataWorksPermanentError,
        title="A maintenance task did not start",
        cause="A DI job of the maintenance is running: only this task was cleared, or somebody started the job in "
        "the meantime.",
        remedy="Inside the window, clear the whole maintenance group of this run (open, stop, check, tasks, "
        "restart): the job is stopped before this task runs and started again after it. This task has done nothing.",
    ),
    ErrorInfo(
        anchor="trigger-not-understood",
        error=DataWorksPermanentError,
        title="Invalid arguments of the trigger",
        cause="The arguments that Airflow stored for the trigger were written by another version of this package, or "
        "were changed.",
        remedy="Clear the task: it checks the job's state again and sends nothing twice. After an upgrade, "
        "scheduler, triggerer and workers must all run the same version of this package.",
    ),
    ErrorInfo(
        anchor="wait-broken",
        error=DataWorksPermanentError,
        title="Unexpected error in the triggerer",
        cause="There is a bug in this package or in a library it uses. The job's status is not known.",
        remedy="Clear the task: it checks the job's state again and sends nothing twice. The traceback is in the "
        "triggerer's log; please report it.",
    ),
    ErrorInfo(
        anchor="stop-without-restart",
        error=DataWorksPermanentError,
        title="A stop, or the silencing of alarms, did not start",
        cause="Only this task of a maintenance was cleared. The task that undoes it, restart or restore_alarms, has "
        "run already and was not cleared.",
        remedy="Inside the window, clear the whole maintenance group of this run (open, stop, check, tasks, "
        "restart). Nothing was touched.",
    ),
    ErrorInfo(
        anchor="mixed-versions",
        error=DataWorksPermanentError,
        title="Unknown event from the triggerer",
        cause="The triggerer and the workers run different versions of this package.",
        remedy="Check the status of the DI job. After an upgrade, scheduler, triggerer and workers must all run the "
        "same version of this package.",
    ),
)
CATALOG: dict[str, ErrorInfo] = {info.anchor: info for info in (*CALLS, *_TASKS, *CREDENTIALS)}
