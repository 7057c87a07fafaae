"""What an answer means: payload or error, job or status; nothing here sends, sleeps or decides to repeat.

Follows the vendor's pages of StopDIJob, StartDIJob, GetDIJob, ListDIJobs and ListProjects in API 2020-05-18 and
2024-05-18; they differ in the envelopes, and the second spells a stopped job ``Stop`` in GetDIJob but ``Stopped`` in
ListDIJobs.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from airflow_provider_dataworks.client.errors.catalog import CATALOG, ErrorInfo
from airflow_provider_dataworks.client.errors.codes import meaning
from airflow_provider_dataworks.client.http.decoding import (
    Payload,
    Reply,
    clock_skew,
    decode,
    items,
    media_type,
    off_by,
    retry_after,
    sentence,
    text,
)
from airflow_provider_dataworks.client.http.envelope import LONGEST_CODE, NO_ERROR, error_code, request_id
from airflow_provider_dataworks.client.safe_values import whole_number
from airflow_provider_dataworks.exceptions import (
    DataWorksAuthError,
    DataWorksError,
    DataWorksInvalidRequest,
    DataWorksUnavailable,
    DIJobFailed,
)

log = logging.getLogger(__name__)

_LONGEST_MESSAGE = 600
_LONGEST_STATUS = 60
_LONGEST_NAME = 300
_LONGEST_JOB_ERROR = 2_000
_MOST_JOBS = 1_000_000  # that any workspace may be said to hold; more than that is no number of jobs
_MOST_ON_A_PAGE = 1_000  # ten times what is asked for
_MOST_UNKNOWN_STATUSES = 100
_DENIAL = ("AuthAction", "NoPermissionType", "PolicyType")


class JobStatus(StrEnum):
    """``JobStatus`` of a DI job, as both API versions document it."""

    INITIALIZED = "Initialized"
    RUNNING = "Running"
    STOPPING = "Stopping"
    STOPPED = "Stopped"
    FAILED = "Failed"
    FINISHED = "Finished"

    @classmethod
    def read(cls, spelled: str) -> JobStatus | str:
        """Return the status for the service's text; one that is not documented stays text and is logged once."""
        try:
            return _STATUS_BY_TEXT[spelled]
        except KeyError:
            if spelled not in _unknown_seen and len(_unknown_seen) < _MOST_UNKNOWN_STATUSES:
                _unknown_seen.add(spelled)
                log.warning("JobStatus %r is not documented; it is waited on like a job that still changes.", spelled)
            return spelled


_STATUS_BY_TEXT = {**{status.value: status for status in JobStatus}, "Stop": JobStatus.STOPPED}
_unknown_seen: set[str] = set()


@dataclass(frozen=True)
class DIJob:
    """
    One DI job as the service described it.

    :param status: a :class:`JobStatus`, or the service's own text where it is not a documented one.
    :param id: a positive 64-bit integer.
    :param project_id: the same; ``None`` where the service told none, or no such number.
    :param error_message: why the job failed, in one line; only API 2020-05-18 tells.
    :param raw: the service's own fields as JSON values, every text in them safe to log and store.
    """

    id: int
    status: JobStatus | str
    project_id: int | None = None
    name: str | None = None
    error_message: str | None = None
    job_type: str | None = None
    raw: Payload = field(default_factory=dict, repr=False, compare=False)


@dataclass(frozen=True)
class Verdict:
    """
    Whether a DI job has come to where it is wanted; the one place that decides it.

    :param accept: statuses that are wanted.
    :param fail_on: statuses that waiting does not change; the others are waited on.
    """

    accept: tuple[str, ...] = (JobStatus.STOPPED, JobStatus.FINISHED)
    fail_on: tuple[str, ...] = (JobStatus.FAILED, JobStatus.STOPPED, JobStatus.FINISHED)

    def __call__(self, job: DIJob) -> bool:
        """
        Say whether the job's status is wanted; one that still changes is not.

        :raises DIJobFailed: for an end that is not wanted.
        """
        if job.status in self.accept:
            return True
        if job.status not in self.fail_on:
            return False
        if job.status is JobStatus.FAILED:
            raise DIJobFailed(
                f"it ended Failed: {sentence(job.error_message or 'DataWorks gave no text')}",
                di_job_id=job.id,
                **CATALOG["job-failed"].kwargs,
            )
        raise DIJobFailed(
            f"it is {job.status}, which is not accepted and does not change by waiting.",
            di_job_id=job.id,
            **CATALOG["end-not-accepted"].kwargs,
        )


@dataclass(frozen=True)
class Page:
    """
    One page of a list: its DI jobs and how many there are in all.

    :param unread: how many more jobs stand on it that cannot be read.
    """

    jobs: tuple[DIJob, ...]
    total: int
    unread: int = 0


def decipher(action: str, di_job_id: int | None, reply: Reply) -> Payload:
    """
    Read an answer.

    :return: the payload of a good answer.
    :raises DataWorksError: of the class that code, message and HTTP status together mean.
    """
    if 300 <= reply.status < 400:
        raise DataWorksInvalidRequest(
            "the endpoint answered with a redirect, which is not followed: it would carry the signature elsewhere.",
            action=action,
            di_job_id=di_job_id,
            status=reply.status,
            **CATALOG["redirect"].kwargs,
        )
    payload = decode(reply) if reply.status >= 200 else None
    if payload is None:
        raise _without_payload(action, di_job_id, reply)
    code = error_code(payload)
    success = text(payload, "Success", "success", longest=LONGEST_CODE)
    refused = success is not None and success.lower() == "false"
    coded = code is not None and code not in NO_ERROR and success is None
    if reply.status < 400 and not refused and not coded:
        return payload
    raise _error(action, di_job_id, reply, payload, code)


def _error(action: str, di_job_id: int | None, reply: Reply, payload: Payload, code: str | None) -> DataWorksError:
    message = text(payload, "Message", "message", "ErrorMessage", "errorMessage") or ""
    found = meaning(code, reply.status, message)
    if code in ("SignatureDoesNotMatch", "IncompleteSignature"):
        # The service echoes the string to sign here, with every parameter of the older signature in it, the token too.
        message = "the signature the service calculated is not the one that was sent."
    if message in ("", code):
        how = "refused it without saying why" if reply.status < 400 else "gave no message"
        message = f"{found.title}; the service {how}."
    message = f"{sentence(message)}{_denied(payload)}"
    facts: dict[str, Any] = {
        "code": code,
        "status": reply.status,
        "request_id": request_id(payload),
        "action": action,
        "di_job_id": di_job_id,
        "retry_after": retry_after(reply),
        **found.kwargs,
    }
    if found.error is DataWorksAuthError:
        about_clock = code in ("InvalidTimeStamp.Expired", "IllegalTimestamp")
        skew, told = (clock_skew(reply), off_by(reply)) if about_clock else (None, "")
        return DataWorksAuthError(f"{message[:_LONGEST_MESSAGE]}{told}", clock_skew=skew, **facts)
    return found.error(message[:_LONGEST_MESSAGE], **facts)


def _without_payload(action: str, di_job_id: int | None, reply: Reply) -> DataWorksError:
    # Not the body's text: a gateway's error page may show the request, which in the older signature holds the token.
    message = f"the answer is not one of DataWorks ({media_type(reply)}, {len(reply.body)} bytes)."
    found = meaning(None, reply.status)
    return found.error(
        message,
        action=action,
        di_job_id=di_job_id,
        status=reply.status,
        retry_after=retry_after(reply),
        **_told_by_another(found, reply.status).kwargs,
    )


def _told_by_another(found: ErrorInfo, status: int) -> ErrorInfo:
    # Whoever answers without DataWorks' envelope is no authority on keys and jobs: only its status says something.
    if status < 400:
        return CATALOG["unreadable-answer"]
    return found if found.error.retryable else CATALOG["not-dataworks"]


def _denied(payload: Payload) -> str:
    """Return which RAM action was denied, and by what, where the answer tells; its diagnosis is long and encoded."""
    detail = payload.get("AccessDeniedDetail") or payload.get("accessDeniedDetail")
    if not isinstance(detail, Mapping):
        return ""
    spellings = ((name, name[:1].lower() + name[1:]) for name in _DENIAL)
    action, *why = (text(detail, *names, longest=LONGEST_CODE) for names in spellings)
    reason = ", ".join(filter(None, why))
    return f" RAM denied {action}{f' ({reason})' if reason else ''}." if action else ""


def half_an_answer(action: str, missing: str, payload: Payload) -> DataWorksUnavailable:
    """Error for a good answer that lacks what it must hold; the call may have had its effect."""
    return DataWorksUnavailable(
        f"the answer is incomplete or contradictory: {missing}.",
        action=action,
        request_id=request_id(payload),
        **CATALOG["unreadable-answer"].kwargs,
    )


def read_request_id(action: str, payload: Payload) -> str:
    """Return the request id of a plain answer, such as StopDIJob's."""
    found = request_id(payload)
    if found is None:
        raise half_an_answer(action, "there is no RequestId", payload)
    return found


def read_di_job(action: str, payload: Payload, envelope: str, asked: int) -> DIJob:
    """Return the DI job of a GetDIJob answer: in ``Data`` in 2020-05-18, in ``PagingInfo`` in 2024-05-18."""
    inner = payload.get(envelope)
    if not isinstance(inner, Mapping):
        raise half_an_answer(action, f"there is no {envelope}", payload)
    job = _di_job(inner)
    if job is None:
        raise half_an_answer(action, "a DI job has no id or no JobStatus", payload)
    if job.id != asked:
        raise half_an_answer(action, f"it is about DI job {job.id}, but {asked} was asked for", payload)
    return job


def read_page(action: str, payload: Payload, envelope: str) -> Page:
    """Return one page of a ListDIJobs answer; jobs on it that cannot be read are counted, unless none can."""
    inner = payload.get(envelope)
    total, found = _total(action, payload, envelope), items(inner.get("DIJobs") if inner else None)
    if len(found) > _MOST_ON_A_PAGE or not all(isinstance(item, Mapping) for item in found):
        raise half_an_answer(action, f"{envelope}.DIJobs holds something else than a page of DI jobs", payload)
    jobs = tuple(job for job in map(_di_job, found) if job is not None)
    if found and not jobs:
        raise half_an_answer(action, "no DI job of it has an id and a JobStatus", payload)
    return Page(jobs, total, unread=len(found) - len(jobs))


def read_total(action: str, payload: Payload, envelope: str) -> int:
    """Return the number of workspaces of a ListProjects answer."""
    return _total(action, payload, envelope)


def _total(action: str, payload: Payload, envelope: str) -> int:
    inner = payload.get(envelope)
    if not isinstance(inner, Mapping):
        raise half_an_answer(action, f"there is no {envelope}", payload)
    total = whole_number(inner.get("TotalCount"), least=0, most=_MOST_JOBS)
    if total is None:
        raise half_an_answer(action, f"there is no {envelope}.TotalCount, or one that cannot be", payload)
    return total


def _di_job(fields: Payload) -> DIJob | None:
    # 2024-05-18 has both names; the second is the older, and only a field that is not there is looked for elsewhere.
    job_id = whole_number(fields.get("DIJobId") if fields.get("Id") in (None, "") else fields.get("Id"))
    status = text(fields, "JobStatus", longest=_LONGEST_STATUS)
    if job_id is None or status is None:
        return None
    return DIJob(
        id=job_id,
        status=JobStatus.read(status),
        project_id=whole_number(fields.get("ProjectId")),
        name=text(fields, "JobName", "Name", longest=_LONGEST_NAME),
        error_message=text(fields, "ErrorMessage", longest=_LONGEST_JOB_ERROR),
        job_type=text(fields, "JobType", longest=_LONGEST_STATUS),
        raw=fields,
    )
