"""Asks before a maintenance whether it is safe to stop its DI jobs, and says everything at once; touches nothing."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from airflow_provider_dataworks.client.models import DIJob, JobStatus, ProofRules
from airflow_provider_dataworks.exceptions import DataWorksError, DataWorksPermanentError, catalog_kwargs
from airflow_provider_dataworks.operators._base import hook_of
from airflow_provider_dataworks.operators._cleared_run import left_undone
from airflow_provider_dataworks.operators.maintenance_checks import read_ids
from airflow_provider_dataworks.retries import RETRIES, RETRY_DELAY, MappedRetries, explained, install_retry_policy
from airflow_provider_dataworks.values import checked, flag_or_text, int64, one_of, optional, seconds, seconds_or_none
from airflow_provider_dataworks.values import window as window_check
from airflow_provider_dataworks.version_compat import AirflowSkipException, BaseOperator
from airflow_provider_dataworks.windows import MaintenanceWindow

if TYPE_CHECKING:
    from airflow_provider_dataworks.hooks.dataworks import DataWorksHook
    from airflow_provider_dataworks.version_compat import Context

YES, NO, UNKNOWN = "yes", "no", "unknown"
_LOADS = tuple(map(str, (JobStatus.RUNNING, JobStatus.INITIALIZED)))  # words for a full load that is not over
_MARKS = {YES: "[x]", NO: "[ ]", UNKNOWN: "[?]"}
# Of a job that takes a minute to stop and one to start, and is proven for two; an alarm rule costs four more.
_CALLS, _CALLS_A_JOB = 4, 20
CHECKLIST = "dataworks_preflight"  # key of an XCom, where the task fails
_LONGEST_ERROR = 8  # findings that an error names; the log and the XCom have all


@dataclass(frozen=True)
class Finding:
    """
    One answer of the checklist.

    :param check: what was asked, in a few words.
    :param answer: ``yes`` (good), ``no`` or ``unknown``.
    :param detail: what was seen.
    :param di_job_id: the job it is about; ``None`` where it is about the whole maintenance.
    """

    check: str
    answer: str
    detail: str
    di_job_id: int | None = None

    def __str__(self) -> str:
        """Line of a checklist."""
        return f"{_MARKS[self.answer]} {self.text}"

    @property
    def text(self) -> str:
        """The same without its mark."""
        job = f"DI job {self.di_job_id}: " if self.di_job_id else ""
        return f"{job}{self.check}: {self.detail}"


class MaintenancePreflightOperator(MappedRetries, BaseOperator):
    """
    Check that a maintenance can be done and be undone, before anything is touched.

    Asked is, of each job: is it there and Running, is its full load over, is it close enough behind its source; and of
    the maintenance: is the window open for long enough, and does the source keep its log for longer than the job will
    be down. A question that cannot be asked (by API 2020-05-18, or because RAM refuses it) counts as a no. Whether the
    key may stop and start is not asked: DataWorks has no question for that which touches nothing.

    In a run that a person has cleared while a job that it stopped was down, or alarms that it silenced were off,
    nothing is checked: the restart stands behind this task, and must not be kept from running.

    It costs a call or two for a list of the workspace, and at most two a job beyond that.

    :param di_job_ids: ids of the DI jobs. (templated)
    :param window: the maintenance window, if there is one. (templated)
    :param outside_window: ``fail``, or ``skip`` to skip this task, and with it all behind it, while no window is open.
    :param ignore_window: as for the stop: the window is not asked. (templated)
    :param min_remaining: seconds, or a timedelta, that must be left of the window: what stop and restart may take.
    :param max_lag: seconds, or a timedelta, that a job may be behind its source; ``None``: it is not asked.
    :param source_log_retention: seconds, or a timedelta, for which the sources keep their logs; ``None``: not asked.
    :param daily_calls: calls a day that are left to this account, such as 100 in Basic Edition; ``None``: not asked.
        DataWorks does not tell what was used.
    :param stopped_by: task ids of the stops behind this task, for a run that was cleared.
    :param silenced_by: task ids of what switches alarm rules off behind it.
    :param on_unknown: ``fail``, or ``warn`` to go on where a question could not be asked.
    :param dataworks_conn_id: Airflow connection of type ``dataworks``. (templated)
    :return: dict of ``ok`` (bool), ``at`` (ISO 8601 UTC) and ``findings`` (a list of dicts of ``check``, ``answer``,
        ``detail`` and ``di_job_id``). A task that fails pushes the same under the key ``dataworks_preflight``.
    """

    template_fields: Sequence[str] = ("di_job_ids", "window", "ignore_window", "dataworks_conn_id")
    ui_color = "#f2ecd9"
    _checks: Mapping[str, Callable[[Any, str], Any]] = {
        "window": optional(window_check),
        "min_remaining": seconds_or_none,
        "outside_window": one_of("fail", "skip"),
        "ignore_window": flag_or_text,
        "max_lag": optional(seconds_or_none),
        "source_log_retention": optional(seconds),
        "daily_calls": optional(int64),
        "on_unknown": one_of("fail", "warn"),
    }

    def __init__(
        self,
        *,
        di_job_ids: Any,
        window: Any = None,
        min_remaining: float | timedelta = 600,
        outside_window: str = "fail",
        ignore_window: bool | str = False,
        max_lag: float | timedelta | None = None,
        source_log_retention: float | timedelta | None = None,
        daily_calls: int | None = None,
        on_unknown: str = "fail",
        stopped_by: Iterable[str] = (),
        silenced_by: Iterable[str] = (),
        dataworks_conn_id: str = "dataworks_default",
        # Named here although they are Airflow's: only so do default_args and mapping see that they have other defaults.
        retries: int | None = RETRIES,
        retry_delay: timedelta | float = RETRY_DELAY,
        retry_exponential_backoff: bool | float = True,
        **kwargs: Any,
    ) -> None:
        checked(locals(), self._checks)
        super().__init__(
            retries=retries, retry_delay=retry_delay, retry_exponential_backoff=retry_exponential_backoff, **kwargs
        )
        install_retry_policy(self)
        self.di_job_ids = di_job_ids
        self.window = window
        self.min_remaining, self.outside_window, self.ignore_window = min_remaining, outside_window, ignore_window
        self.max_lag = max_lag
        self.source_log_retention = source_log_retention
        self.daily_calls = daily_calls
        self.on_unknown = on_unknown
        self.stopped_by, self.silenced_by = list(stopped_by), list(silenced_by)
        self.dataworks_conn_id = dataworks_conn_id

    def execute(self, context: Context) -> dict[str, Any]:
        """Ask everything, log the checklist, and fail where an answer is no; see the class."""
        with explained(context):
            hook = hook_of(self.dataworks_conn_id)
            ids, tasks = read_ids(self.di_job_ids), {"stopped_by": self.stopped_by, "silenced_by": self.silenced_by}
            if undone := left_undone(context, hook, ids, **tasks):
                return self._let_pass(hook, undone)
            findings = list(self.findings(hook, at=hook.now()))
            for finding in findings:
                log = self.log.info if finding.answer == YES else self.log.warning
                log("%s", finding)
            counts = (NO, UNKNOWN) if self.on_unknown == "fail" else (NO,)
            bad = [finding for finding in findings if finding.answer in counts]
            if bad:
                # A task that fails returns nothing.
                context["ti"].xcom_push(key=CHECKLIST, value=_result(hook, findings, ok=False))
                raise self._refusal(bad, len(findings))
        return _result(hook, findings, ok=True)

    def _let_pass(self, hook: DataWorksHook, undone: list[str]) -> dict[str, Any]:
        """Hold up nothing: only behind this task is what brings a run that was cleared in its middle to its end."""
        text = "Nothing is checked: this run was cleared before it had undone all. Its stop keeps to the window. %s."
        self.log.warning(text, "; ".join(undone))
        findings = [Finding("this run was cleared before it had undone all", UNKNOWN, each) for each in undone]
        return _result(hook, findings, ok=True)

    def findings(self, hook: DataWorksHook, *, at: float) -> Iterator[Finding]:
        """
        Ask everything, and yield each answer.

        :param at: epoch seconds at which the window is asked.
        :raises DataWorksError: one cannot be had now, and a later try may.
        """
        ids = read_ids(self.di_job_ids)
        yield from self._of_window(at)
        yield from self._of_calls(ids)
        yield from self._of_jobs(hook, ids)

    def _refusal(self, bad: list[Finding], asked: int) -> DataWorksPermanentError:
        named = "; ".join(finding.text for finding in bad[:_LONGEST_ERROR])
        more = f"; and {len(bad) - _LONGEST_ERROR} more" if bad[_LONGEST_ERROR:] else ""
        message = f"nothing was touched, because {len(bad)} of {asked} checks are not good: {named}{more}."
        return DataWorksPermanentError(message, conn_id=self.dataworks_conn_id, **catalog_kwargs("preflight"))

    def _of_window(self, at: float) -> Iterator[Finding]:
        left = None
        if self.window is not None and not flag_or_text(self.ignore_window, "ignore_window"):
            window = MaintenanceWindow.parse(self.window)
            left = window.remaining(datetime.fromtimestamp(at, UTC)).total_seconds()
            needed = seconds_or_none(self.min_remaining, "min_remaining")
            is_long = left > 0 and left >= needed
            detail = f"{left:.0f} s of {window} are left, and {needed:.0f} s are needed"
            if not is_long and self.outside_window == "skip":
                self.log.warning("Skipped, nothing was touched: %s.", detail)
                raise AirflowSkipException(detail)
            yield Finding("window is open for long enough", YES if is_long else NO, detail)
        if self.source_log_retention is not None:
            kept = seconds(self.source_log_retention, "source_log_retention")
            yield self._of_retention(kept, left)

    def _of_retention(self, kept: float, left: float | None) -> Finding:
        check = "source keeps its log for longer than the job is down"
        if left is None:
            return Finding(check, UNKNOWN, "without a window nobody knows how long that is")
        down = left + (seconds_or_none(self.max_lag, "max_lag") if self.max_lag is not None else 0.0)
        detail = f"it is kept for {kept:.0f} s; the window and the lag are {down:.0f} s at most"
        return Finding(check, YES if kept > down else NO, detail)

    def _of_calls(self, ids: list[int]) -> Iterator[Finding]:
        if self.daily_calls is not None:
            left, needed = int64(self.daily_calls, "daily_calls"), calls_needed(len(ids))
            detail = f"about {needed} are needed, and {left} are left"
            yield Finding("today's calls are enough", YES if needed <= left else NO, detail)

    def _of_jobs(self, hook: DataWorksHook, ids: list[int]) -> Iterator[Finding]:
        listed: dict[int, DIJob] = {}
        workspaces: set[int | None] = {None}
        for job_id in ids:
            job = listed.get(job_id)
            if job is None:
                try:
                    job = hook.get_di_job(job_id)
                except DataWorksError as error:
                    if error.retryable:
                        raise
                    yield Finding("is there and Running", NO, error.summary, job_id)
                    continue
                # Further jobs of the same workspace cost no call of their own.
                if job.project_id not in workspaces and len(ids) > 1:
                    workspaces.add(job.project_id)
                    listed |= self._of_workspace(hook, job.project_id)
            yield from self._of_job(hook, job)

    def _of_workspace(self, hook: DataWorksHook, project_id: int | None) -> dict[int, DIJob]:
        """Return the jobs of a workspace, none where the key may not list them: then each is asked for by itself."""
        try:
            return {} if project_id is None else {each.id: each for each in hook.list_di_jobs(project_id)}
        except DataWorksError as error:
            if error.retryable:
                raise
            self.log.warning("Jobs are looked at one by one: %s", error.summary)
            return {}

    def _of_job(self, hook: DataWorksHook, job: DIJob) -> Iterator[Finding]:
        runs = job.status is JobStatus.RUNNING
        detail = f"it is {job.status}" + ("" if runs else "; what stopped it, DataWorks does not tell")
        yield Finding("is there and Running", YES if runs else NO, detail, job.id)
        if not runs:
            return
        yield _asked("full load is over", job.id, lambda: _full_load(hook, job.id))
        if self.max_lag is not None:
            rules = ProofRules(max_lag=seconds_or_none(self.max_lag, "max_lag"), since=0.0)
            yield _asked("is close enough behind its source", job.id, lambda: _lag(hook, job.id, rules))


def calls_needed(jobs: int) -> int:
    """Return about how many calls to DataWorks a maintenance of so many jobs takes."""
    return _CALLS + _CALLS_A_JOB * jobs


def _result(hook: DataWorksHook, findings: list[Finding], *, ok: bool) -> dict[str, Any]:
    at = datetime.fromtimestamp(hook.now(), UTC).isoformat()
    return {"ok": ok, "at": at, "findings": [asdict(finding) for finding in findings]}


def _asked(check: str, di_job_id: int, ask: Callable[[], tuple[str, str]]) -> Finding:
    """Return what an answer says; of a question that is refused nothing is known."""
    try:
        answer, detail = ask()
    except DataWorksError as error:
        if error.retryable:
            raise
        answer, detail = UNKNOWN, error.summary
    return Finding(check, answer, detail, di_job_id)


def _full_load(hook: DataWorksHook, di_job_id: int) -> tuple[str, str]:
    # The vendor lists no values; its sample shows Finished for a part that is over.
    under_way = [table for table in hook.table_runs(di_job_id) if table.full not in (None, "", "Finished")]
    if not under_way:
        return YES, "no table is being loaded"
    first = next((table for table in under_way if table.full in _LOADS), under_way[0])
    answer = NO if first.full in _LOADS else UNKNOWN
    return answer, f"the full load of {len(under_way)} tables is not over, such as {first.source}: {first.full}"


def _lag(hook: DataWorksHook, di_job_id: int, rules: ProofRules) -> tuple[str, str]:
    try:
        proof, state = hook.look_at_lag(di_job_id, rules, patient=False)
    except DataWorksError as error:
        if error.see != "lag-grows":
            raise
        return NO, error.message
    if proof is not None:
        return YES, f"nothing is read, and nothing is left to read ({state})" if proof.idle else state
    return (NO if state.startswith("its lag was") else UNKNOWN), state
