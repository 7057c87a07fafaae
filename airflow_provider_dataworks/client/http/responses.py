"""Reads what an answer means: its payload or the error it is, a DI job, a page; never sends or repeats anything.

The service's own refusal, its envelope with an error code and a request id, is the one answer after which a call is
known to have had no effect. That is decided here and nowhere else.

Follows the vendor's pages of StopDIJob, StartDIJob, GetDIJob, ListDIJobs and ListProjects in API 2020-05-18 and
2024-05-18; they differ in the envelopes, and the second spells a stopped job ``Stop`` in GetDIJob but ``Stopped`` in
ListDIJobs.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, TypeVar

from airflow_provider_dataworks.client.errors import ErrorInfo
from airflow_provider_dataworks.client.errors.catalog import CATALOG
from airflow_provider_dataworks.client.errors.codes import meaning
from airflow_provider_dataworks.client.http.decoding import (
    Payload,
    Reply,
    clock_skew,
    items,
    media_type,
    off_by,
    retry_after,
    text,
)
from airflow_provider_dataworks.client.models import DIJob, JobStatus, Page
from airflow_provider_dataworks.exceptions import (
    DataWorksAuthError,
    DataWorksError,
    DataWorksInvalidRequest,
    DataWorksUnavailable,
)
from airflow_provider_dataworks.values import plain_text, sentence, whole_number

if TYPE_CHECKING:
    from airflow_provider_dataworks.client.operations import Call

log = logging.getLogger(__name__)

T = TypeVar("T")

CLOCK_CODES = ("InvalidTimeStamp.Expired", "IllegalTimestamp")  # of an answer that refuses our clock

_LONGEST_CODE = 100
_LONGEST_REQUEST_ID = 100
_NO_ERROR = ("", "0", "200", "OK", "Success")
_LONGEST_MESSAGE = 600
_LONGEST_STATUS = 60
_LONGEST_NAME = 300
_LONGEST_JOB_ERROR = 2_000
_MOST_JOBS = 1_000_000  # that any workspace may be said to hold; more than that is no number of jobs
_MOST_ON_A_PAGE = 1_000  # ten times what is asked for
_DENIAL = ("AuthAction", "NoPermissionType", "PolicyType")


def error_code(payload: Payload) -> str | None:
    """Return the error code, in any of the spellings that the service has; some good answers carry one too."""
    return text(payload, "Code", "code", "ErrorCode", "errorCode", longest=_LONGEST_CODE)


def request_id(payload: Payload) -> str | None:
    """Return the service's request id as printable ASCII of bounded length, by which its support can look it up."""
    found = text(payload, "RequestId", "requestId")
    return found and plain_text(re.sub(r"[^!-~]", "?", found), _LONGEST_REQUEST_ID)


def refusal_code(reply: Reply) -> str | None:
    """Return the error code of an answer that is not a good one, where it has one."""
    return None if reply.payload is None or _is_good(reply, reply.payload) else error_code(reply.payload)


def is_refusal(reply: Reply) -> bool:
    """
    Say whether it is the service itself that refused a call: its envelope, with an error code and a request id.

    Any other answer that is not a good one may be a gateway's or a proxy's, and come after the call had its effect: a
    2xx with half a body, a redirect, a 4xx or 5xx page.
    """
    payload = reply.payload
    if payload is None or reply.status < 200 or 300 <= reply.status < 400:
        return False
    return error_code(payload) not in (None, *_NO_ERROR) and request_id(payload) is not None


def _is_good(reply: Reply, payload: Payload) -> bool:
    success = text(payload, "Success", "success", longest=_LONGEST_CODE)
    if reply.status >= 400 or (success is not None and success.lower() == "false"):
        return False
    return success is not None or error_code(payload) in (None, *_NO_ERROR)


def read_answer(call: Call[T], reply: Reply) -> T:
    """
    Return what a call wants to know from its answer.

    :raises DataWorksError: of the class that code, message and HTTP status together mean; ``DataWorksUnavailable`` for
        any answer to a call that changes something by which it may have had its effect.
    """
    try:
        payload = parse(call.action, call.di_job_id, reply, quoted=not call.confidential)
    except DataWorksError as error:
        if call.changes and not isinstance(error, DataWorksUnavailable) and not is_refusal(reply):
            raise _without_verdict(error) from None
        raise
    try:
        return call.read(call.action, payload)
    except DataWorksUnavailable as error:
        error.status, error.di_job_id = reply.status, call.di_job_id
        raise


def _without_verdict(error: DataWorksError) -> DataWorksUnavailable:
    return DataWorksUnavailable(
        f"{sentence(error.message)} It is not the service's own refusal, so the request may have had its effect.",
        sent=True,
        code=error.code,
        status=error.status,
        request_id=error.request_id,
        action=error.action,
        di_job_id=error.di_job_id,
        retry_after=error.retry_after,
        **CATALOG["unreadable-answer"].kwargs,
    )


def parse(action: str, di_job_id: int | None, reply: Reply, *, quoted: bool = True) -> Payload:
    """
    Read an answer.

    :param quoted: whether an error may hold the service's own message, which may repeat what was sent.
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
    payload = reply.payload if reply.status >= 200 else None
    if payload is None:
        raise _without_payload(action, di_job_id, reply)
    if _is_good(reply, payload):
        return payload
    raise _error(action, di_job_id, reply, payload, quoted)


def _error(action: str, di_job_id: int | None, reply: Reply, payload: Payload, quoted: bool) -> DataWorksError:
    code = error_code(payload)
    message = text(payload, "Message", "message", "ErrorMessage", "errorMessage") or ""
    found = meaning(code, reply.status, message)
    if not quoted:
        message = f"{found.title}; the service's own words are not shown, since they may hold secrets."
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
        about_clock = code in CLOCK_CODES
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
        **_info_of_another(found, reply.status).kwargs,
    )


def _info_of_another(found: ErrorInfo, status: int) -> ErrorInfo:
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
    action, *why = (text(detail, *names, longest=_LONGEST_CODE) for names in spellings)
    reason = ", ".join(filter(None, why))
    return f" RAM denied {action}{f' ({reason})' if reason else ''}." if action else ""


def incomplete(action: str, missing: str, payload: Payload) -> DataWorksUnavailable:
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
        raise incomplete(action, "there is no RequestId", payload)
    return found


def read_di_job(action: str, payload: Payload, envelope: str, asked: int) -> DIJob:
    """Return the DI job of a GetDIJob answer: in ``Data`` in 2020-05-18, in ``PagingInfo`` in 2024-05-18."""
    inner = payload.get(envelope)
    if not isinstance(inner, Mapping):
        raise incomplete(action, f"there is no {envelope}", payload)
    job = _di_job(inner)
    if job is None:
        raise incomplete(action, "a DI job has no id or no JobStatus", payload)
    if job.id != asked:
        raise incomplete(action, f"it is about DI job {job.id}, but {asked} was asked for", payload)
    return job


def read_page(action: str, payload: Payload, envelope: str) -> Page:
    """Return one page of a ListDIJobs answer; jobs on it that cannot be read are counted, unless none can."""
    inner = payload.get(envelope)
    total, found = _total(action, payload, envelope), items(inner.get("DIJobs") if inner else None)
    if len(found) > _MOST_ON_A_PAGE or not all(isinstance(item, Mapping) for item in found):
        raise incomplete(action, f"{envelope}.DIJobs holds something else than a page of DI jobs", payload)
    jobs = tuple(job for job in map(_di_job, found) if job is not None)
    if found and not jobs:
        raise incomplete(action, "no DI job of it has an id and a JobStatus", payload)
    return Page(jobs, total, unread=len(found) - len(jobs))


def read_total(action: str, payload: Payload, envelope: str) -> int:
    """Return the number of workspaces of a ListProjects answer."""
    return _total(action, payload, envelope)


def _total(action: str, payload: Payload, envelope: str) -> int:
    inner = payload.get(envelope)
    if not isinstance(inner, Mapping):
        raise incomplete(action, f"there is no {envelope}", payload)
    total = whole_number(inner.get("TotalCount"), least=0, most=_MOST_JOBS)
    if total is None:
        raise incomplete(action, f"there is no {envelope}.TotalCount, or one that cannot be", payload)
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
