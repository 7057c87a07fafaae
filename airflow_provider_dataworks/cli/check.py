"""The command ``check``: asks DataWorks what tasks will need, by calls that change nothing, and says what is known.

Whether the key may stop and start a job cannot be asked: DataWorks has no question for that which touches nothing.
"""

from __future__ import annotations

from argparse import Namespace
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any

from airflow_provider_dataworks.cli.commands import GOOD, NO
from airflow_provider_dataworks.cli.output import Output
from airflow_provider_dataworks.cli.running import exit_code_of, text_of, worst
from airflow_provider_dataworks.cli.words import span
from airflow_provider_dataworks.client.config import API_2024, API_VERSIONS
from airflow_provider_dataworks.client.diagnostics import METRICS
from airflow_provider_dataworks.client.models import DIJob, JobStatus
from airflow_provider_dataworks.exceptions import DataWorksError, DataWorksForbidden
from airflow_provider_dataworks.hooks.dataworks import DataWorksHook
from airflow_provider_dataworks.operators.preflight import NO as BAD
from airflow_provider_dataworks.operators.preflight import UNKNOWN, YES, Finding
from airflow_provider_dataworks.values import int64, plain_text

_CLOCK = 60.0  # seconds off that nobody need mend; DataWorks accepts 900
_HISTORY = 900.0  # seconds of metrics and events that are asked for


def check(arguments: Namespace, output: Output) -> int:
    """Check connection, key, clock, API versions and rights."""
    job_id = None if arguments.di_job_id is None else int64(arguments.di_job_id, "--di-job-id")
    project_id = None if arguments.project_id is None else int64(arguments.project_id, "--project-id")
    checks = Checks(DataWorksHook(arguments.conn_id), output)
    try:
        checks.all(job_id, project_id)
    except DataWorksError as error:
        # Without it nothing that follows could be asked.
        checks.codes.append(exit_code_of(error))
        output.error(text_of(error))
    if output.as_json:
        output.json([{"check": each.check, "answer": each.answer, "detail": each.detail} for each in checks.findings])
    return worst(checks.codes)


class Checks:
    """
    The questions of one connection, in order, and their answers so far.

    :param output: each answer is written at once, unless a program reads it.
    """

    def __init__(self, hook: DataWorksHook, output: Output) -> None:
        self._hook, self._output = hook, output
        self.findings: list[Finding] = []
        self.codes: list[int] = [GOOD]

    def all(self, job_id: int | None, project_id: int | None) -> None:
        """
        Ask everything.

        :raises DataWorksError: connection, key or way to the service do not serve, so that nothing more can be asked.
        """
        account = self._must("connection can be read", lambda: self._hook.account)
        self._add("connection can be read", YES, f"{self._hook.dataworks_conn_id}: {account.description}")
        self._key()
        self._clock_and_limits()
        job = self._job(job_id, project_id or account.project_id)
        self._other_version(job, project_id or account.project_id)
        self._rights(job)
        detail = "cannot be asked without doing it; ask RAM for dataworks:StopDIJob and dataworks:StartDIJob"
        self._add("may stop and start", UNKNOWN, detail)

    def _key(self) -> None:
        """Ask for something that any key may be allowed; a key that lacks that right alone is good."""
        what = "key is good"
        try:
            count = self._hook.client.count_projects()
        except DataWorksForbidden as error:
            self._add(what, YES, "DataWorks took it, and refused ListProjects alone")
            self._add("may list workspaces", UNKNOWN, f"not needed by tasks, and refused: {error.summary}")
        except DataWorksError as error:
            self._add(what, BAD, error.summary)
            raise
        else:
            self._add(what, YES, f"DataWorks answered ListProjects; workspaces visible: {count}")

    def _job(self, job_id: int | None, project_id: int | None) -> DIJob | None:
        """Return the job to look at, and say how the connection's own API version sees it."""
        version, listed = self._hook.account.config.api_version, None
        if project_id is not None:
            page = self._ask("may list DI jobs", lambda: self._hook.client.list_page(project_id, 1))
            if page is not None:
                # One that runs, if there is one: of another there may be no metrics.
                listed = min(page.jobs, key=lambda job: job.status is not JobStatus.RUNNING).id if page.jobs else None
                self._add("may list DI jobs", YES, f"workspace {project_id} has {page.total} DI jobs")
        else:
            self._add("may list DI jobs", UNKNOWN, "no workspace is known: give --project-id, or set project_id")
        wanted = job_id or listed
        what = f"API {version} sees a DI job"
        if wanted is None:
            self._add(what, UNKNOWN, "no DI job is known: give --di-job-id")
            return None
        job: DIJob | None = self._ask(what, lambda: self._hook.get_di_job(wanted))
        if job is not None:
            self._add(what, YES, _view(job))
        return job

    def _other_version(self, job: DIJob | None, project_id: int | None) -> None:
        """Say how the other API version sees the same; that it does not is no fault of the connection."""
        account = self._hook.account
        (version,) = (each for each in API_VERSIONS if each != account.config.api_version)
        hook = DataWorksHook(self._hook.dataworks_conn_id)
        hook.account = replace(account, config=replace(account.config, api_version=version))
        what, ask = f"API {version} sees the same", "nothing is known that it could be asked about"
        try:
            if job is not None:
                seen = hook.get_di_job(job.id)
                same = str(seen.status) == str(job.status)
                self._add(what, YES if same else UNKNOWN, _view(seen) + ("" if same else f", not {job.status}"))
            elif project_id is not None:
                self._add(what, YES, f"workspace {project_id} has {hook.client.list_page(project_id, 1).total} DI jobs")
            else:
                self._add(what, UNKNOWN, ask)
        except DataWorksError as error:
            self._add(what, UNKNOWN, f"not needed by this connection, and refused: {error.summary}")

    def _clock_and_limits(self) -> None:
        """Compare this machine's clock with the service's, and read how many calls are left, where that is told."""
        what, off = "clock is right", self._hook.client.session.clock_offset
        headers = self._headers()
        date = _date(headers.get("date"))
        if off:
            detail = f"DataWorks refused it: its own clock is {_ahead(off)}. Set this machine's clock, as by NTP"
            self._add(what, BAD, detail)
        elif date is None:
            self._add(what, YES, "DataWorks accepted it")
        else:
            apart = (date - datetime.fromtimestamp(self._hook.now(), UTC)).total_seconds()
            near = abs(apart) <= _CLOCK
            detail = "DataWorks accepted it" + ("" if near else f", although its own clock is {_ahead(apart)}")
            self._add(what, YES if near else UNKNOWN, detail)
        limits = [f"{name}: {plain_text(value, 80)}" for name, value in headers.items() if "ratelimit" in name]
        told = "; ".join(limits) or "DataWorks does not tell"
        most = f"this machine makes {self._hook.account.config.max_qps:g} a second at most (max_qps)"
        self._add("calls left", YES if limits else UNKNOWN, f"{told}; {most}")

    def _headers(self) -> dict[str, str]:
        try:
            with self._hook.get_conn() as client:
                answer = client.post("/", headers={"x-acs-action": "ListProjects"})
            return {name.lower(): value for name, value in answer.headers.items()}
        except Exception:  # of the HTTP library, which this module does not know; the key was found good before
            return {}

    def _rights(self, job: DIJob | None) -> None:
        what = "may tell lag, tables, log, events, alarm rules"
        if job is None:
            self._add(what, UNKNOWN, "no DI job is known that could be asked about")
            return
        now = self._hook.now()
        asked: dict[str, Callable[[], Any]] = {
            "ListDIJobMetrics": lambda: self._hook.job_metrics(job.id, METRICS[:1], start=now - _HISTORY, end=now),
            "ListDIJobRunDetails": lambda: self._hook.table_runs(job.id),
            "GetDIJobLog": lambda: self._hook.job_log_tail(job.id, lines=1, pages=1),
            "ListDIJobEvents": lambda: self._hook.job_events(
                job.id, kinds=("Failover",), start=now - _HISTORY, end=now
            ),
            "ListDIAlarmRules": lambda: self._hook.alarm_rules(job.id),
        }
        if self._hook.account.config.api_version != API_2024:
            asked = {"ListDIAlarmRules": asked["ListDIAlarmRules"]}
            detail = f"needs api_version {API_2024} on the connection: max_lag and a preflight need it too"
            self._add("may tell lag, tables, log, events", UNKNOWN, detail)
        for action, ask in asked.items():
            if self._ask(f"may {action}", ask) is not None:
                self._add(f"may {action}", YES, "answered")

    def _must(self, what: str, ask: Callable[[], Any]) -> Any:
        try:
            return ask()
        except DataWorksError as error:
            self._add(what, BAD, error.summary)
            raise

    def _ask(self, what: str, ask: Callable[[], Any]) -> Any:
        """Return an answer; ``None`` where it is an error, which is a no."""
        try:
            return ask()
        except DataWorksError as error:
            remedy = f" {error.remedy}" if error.remedy else ""
            self._add(what, BAD, f"{error.summary}{remedy}")
            self.codes.append(exit_code_of(error))
            return None

    def _add(self, what: str, answer: str, detail: str) -> None:
        finding = Finding(what, answer, detail)
        self.findings.append(finding)
        if answer == BAD:
            self.codes.append(NO)
        if not self._output.as_json:
            self._output.check(answer, finding.text)


def _view(job: DIJob) -> str:
    workspace = f", workspace {job.project_id}" if job.project_id else ""
    return f"DI job {job.id} is {job.status}{workspace}"


def _ahead(seconds: float) -> str:
    return f"{span(abs(seconds))} {'ahead of' if seconds > 0 else 'behind'} ours"


def _date(text: str | None) -> datetime | None:
    try:
        found = parsedate_to_datetime(text or "")
    except ValueError:
        return None
    return found if found.tzinfo else found.replace(tzinfo=UTC)
