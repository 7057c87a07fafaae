"""Conversations with DataWorks as generators: read, list, wait; no I/O and no clock of their own.

Each is written once; :mod:`.transport` drives it, blocking or in an event loop. What one call needs, its tries
included, is in :mod:`.asking`; those that change a job's state are in :mod:`.changes`.
"""

from __future__ import annotations

import logging
from collections.abc import Callable

from airflow_provider_dataworks.client.asking import Flow, Service, Sleep, ask
from airflow_provider_dataworks.client.errors.catalog import CATALOG
from airflow_provider_dataworks.client.http.responses import DIJob, half_an_answer
from airflow_provider_dataworks.client.operations import PAGE_SIZE
from airflow_provider_dataworks.exceptions import DIJobWaitTimeout

log = logging.getLogger(__name__)

# Pages that bring few jobs although more are said to follow: some may be gone meanwhile, or be shown to others only.
_MOST_THIN_PAGES = 20


def stop_di_job(service: Service, di_job_id: int | str, instance_id: int | str | None = None) -> Flow[str]:
    """One StopDIJob and no more, whatever the job's state; its request id."""
    return (yield from ask(service, service.api.StopDIJob(di_job_id, instance_id)))


def start_di_job(
    service: Service, di_job_id: int | str, start_time: int | None, force_to_rerun: bool | None
) -> Flow[str]:
    """One StartDIJob and no more, whatever the job's state; its request id."""
    return (yield from ask(service, service.api.StartDIJob(di_job_id, start_time, force_to_rerun)))


def get_di_job(service: Service, di_job_id: int | str) -> Flow[DIJob]:
    """One DI job as it is now."""
    return (yield from ask(service, service.api.GetDIJob(di_job_id)))


def list_di_jobs(service: Service, project_id: int | str, name: str | None = None) -> Flow[list[DIJob]]:
    """
    All DI jobs of a workspace, page by page; ``name`` must match exactly, whatever the service's filter does.

    :raises DataWorksUnavailable: the pages contradict their total, or hold jobs that cannot be read.
    """
    jobs: dict[int, DIJob] = {}
    page, thin = 1, 0
    while True:
        found = yield from ask(service, service.api.ListDIJobs(project_id, name, page))
        known = len(jobs)
        # Pages shift when jobs come and go in between, so a job may be seen twice.
        jobs.update((job.id, job) for job in found.jobs)
        if found.unread:
            raise half_an_answer("ListDIJobs", f"{found.unread} DI jobs of page {page} have no id or no JobStatus", {})
        if not found.jobs or page * PAGE_SIZE >= found.total:
            return [job for job in jobs.values() if name is None or job.name == name]
        thin += len(jobs) - known < PAGE_SIZE / 2
        if thin > _MOST_THIN_PAGES:
            raise half_an_answer("ListDIJobs", f"{page} pages told {len(jobs)} DI jobs of {found.total}", {})
        page += 1


def wait(
    service: Service,
    di_job_id: int | str,
    until: Callable[[DIJob], bool],
    *,
    deadline: float,
    poll_interval: float,
    first: DIJob | None = None,
    before: str | None = None,
) -> Flow[DIJob]:
    """
    Look at a DI job until it is as wanted.

    :param until: says whether it is; may raise to give up.
    :param deadline: epoch seconds; looked at only after a look at the job, so a job that made it is never timed out.
    :param poll_interval: seconds between looks.
    :param first: what is known already; it is of before a request, or told already, and not logged.
    :param before: the operation that is put off until then, for the log.
    :raises DIJobWaitTimeout: at the deadline, with the last status.
    """
    job = first or (yield from get_di_job(service, di_job_id))
    while not until(job):
        left = deadline - service.now()
        if left <= 0:
            raise timed_out(job.id, job)
        pause = min(poll_interval, left)
        if job is not first:
            put_off = f", and {before} waits for that to end" if before else ""
            log.info("DI job %s is %s%s; next look in %.0f s.", job.id, job.status, put_off, pause)
        yield Sleep(pause)
        job = yield from get_di_job(service, di_job_id)
    return job


def timed_out(di_job_id: int, last: DIJob | None) -> DIJobWaitTimeout:
    """Error for a wait that is over, with the status seen last."""
    status = str(last.status) if last else None
    seen = f"is still {status}" if status else "could not be looked at once"
    return DIJobWaitTimeout(
        f"it {seen} although the time to wait is over.",
        di_job_id=di_job_id,
        last_status=status,
        **CATALOG["wait-timed-out"].kwargs,
    )
