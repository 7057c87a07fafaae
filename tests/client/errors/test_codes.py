"""Every documented error code of both API versions becomes one class with one remedy."""

from __future__ import annotations

import json
import socket
import ssl
from itertools import pairwise

import pytest

from airflow_provider_dataworks.client.errors.codes import is_about_keys, network_error, symbol
from airflow_provider_dataworks.client.http.decoding import Reply
from airflow_provider_dataworks.client.http.responses import parse
from airflow_provider_dataworks.exceptions import (
    DataWorksAuthError,
    DataWorksError,
    DataWorksForbidden,
    DataWorksInvalidRequest,
    DataWorksNotFound,
    DataWorksQuotaExceeded,
    DataWorksThrottled,
    DataWorksUnavailable,
)

# HTTP status, code, message, class, words of the remedy.
DOCUMENTED = [
    # Public error codes of 2020-05-18 and the table of its StopDIJob page.
    (403, "Forbidden.Access", "Access is forbidden.", DataWorksForbidden, "Enterprise or Flagship"),
    (403, "ResourceNotAuthorized.Api", "You are not authorized.", DataWorksForbidden, "member of the workspace"),
    (429, "Throttling.Api", "exceeded your available limit.", DataWorksThrottled, "pool"),
    (429, "Throttling.Api.Risk", "exceeded your daily available limit.", DataWorksQuotaExceeded, "daily"),
    (429, "Throttling.System", "The DataWorks system is busy.", DataWorksThrottled, "pool"),
    (429, "Throttling.User", "Your request is too frequent.", DataWorksThrottled, "pool"),
    (429, "Throttling.Resource", "reached the upper limit", DataWorksQuotaExceeded, "edition"),
    (500, "Forbidden.Not.Server", "not available in this area", DataWorksInvalidRequest, "region"),
    (500, "InternalError.System", "An internal system error occurred.", DataWorksUnavailable, "support"),
    (500, "InternalError.UserId.Missing", "An internal system error occurred.", DataWorksUnavailable, "support"),
    # Throttling with the status that the gateway's own pages give.
    (400, "Throttling", "Request was denied due to request throttling.", DataWorksThrottled, "pool"),
    (400, "Throttling.User", "Request was denied due to user flow control.", DataWorksThrottled, "pool"),
    (400, "Throttling.Api", "Request was denied due to api flow control.", DataWorksThrottled, "pool"),
    (400, "Rejected.Throttling", "Request rejected.", DataWorksThrottled, "pool"),
    # Numeric business codes of 2024-05-18, whatever the HTTP status is.
    (400, "9990020002", "Throttling.User", DataWorksThrottled, "pool"),
    (200, "9990020002", "", DataWorksThrottled, "pool"),
    (500, "1102030001", "code: 429, Throttling.User request id: R", DataWorksThrottled, "pool"),
    (400, "1102030001", "Throttling.Api.Risk", DataWorksQuotaExceeded, "daily"),
    (400, "1102030001", "Forbidden.Access", DataWorksForbidden, "Enterprise or Flagship"),
    (400, "500130", "The job does not exist.", DataWorksNotFound, "id"),
    (200, "500130", "", DataWorksNotFound, "id"),
    (400, "9990010001", "not activated", DataWorksForbidden, "Activate DataWorks"),
    (400, "9990030003", "Missing parameter", DataWorksInvalidRequest, "parameter"),
    (404, "1101080008", "", DataWorksNotFound, "project_id"),
    (403, "403030", "", DataWorksForbidden, "Grant"),
    # The gateway's common codes.
    (400, "MissingDIJobId", "DIJobId is mandatory for this action.", DataWorksInvalidRequest, "parameter"),
    (400, "InvalidParameter", "", DataWorksInvalidRequest, "parameter"),
    (400, "InvalidPageSize", "", DataWorksInvalidRequest, "parameter"),
    (400, "Param.Invalid", "The parameter is invalid.", DataWorksInvalidRequest, "parameter"),
    (404, "InvalidAction.NotFound", "Specified api is not found", DataWorksInvalidRequest, "api_version"),
    (404, "InvalidApi.NotFound", "", DataWorksInvalidRequest, "api_version"),
    (400, "UnsupportedHTTPMethod", "", DataWorksInvalidRequest, "api_version"),
    (400, "SignatureDoesNotMatch", "server string to sign is: GET&%2F", DataWorksAuthError, "Secret"),
    (400, "InvalidAccessKeySecret", "", DataWorksAuthError, "Secret"),
    (400, "IncompleteSignature", "", DataWorksAuthError, "Secret"),
    (400, "SignatureNonceUsed", "used already", DataWorksUnavailable, "state"),
    (400, "InvalidTimeStamp.Expired", "expired", DataWorksAuthError, "15 minutes"),
    (400, "InvalidTimeStamp.Format", "", DataWorksAuthError, "15 minutes"),
    (400, "IllegalTimestamp", "", DataWorksAuthError, "15 minutes"),
    (404, "InvalidAccessKeyId.NotFound", "", DataWorksAuthError, "AccessKey ID"),
    (400, "InvalidAccessKeyId.Inactive", "", DataWorksAuthError, "AccessKey ID"),
    (400, "InvalidSecurityToken.Expired", "", DataWorksAuthError, "renew"),
    (400, "InvalidSecurityToken.Malformed", "", DataWorksAuthError, "renew"),
    (400, "MissingSecurityToken", "", DataWorksAuthError, "renew"),
    (403, "Forbidden.RAM", "", DataWorksForbidden, "Grant"),
    (403, "NoPermission", "", DataWorksForbidden, "Grant"),
    (403, "NotAuthorized", "", DataWorksForbidden, "Grant"),
    (503, "ServiceUnavailable", "", DataWorksUnavailable, "support"),
    (404, "EntityNotExist.Job", "", DataWorksNotFound, "region"),
    (404, "Job.NotFound", "", DataWorksNotFound, "region"),
]
BY_STATUS = [
    (429, DataWorksThrottled),
    (401, DataWorksAuthError),
    (403, DataWorksForbidden),
    (404, DataWorksNotFound),
    (408, DataWorksUnavailable),
    (500, DataWorksUnavailable),
    (502, DataWorksUnavailable),
    (503, DataWorksUnavailable),
    (504, DataWorksUnavailable),
    (400, DataWorksInvalidRequest),
    (405, DataWorksInvalidRequest),
    (413, DataWorksInvalidRequest),
]
RETRYABLE = {DataWorksThrottled, DataWorksUnavailable}


def refused(status: int, code: str | None, message: str) -> DataWorksError:
    """The error for such an answer to StopDIJob."""
    body = {"RequestId": "R-1", "Code": code, "Message": message, **({"Success": False} if status == 200 else {})}
    with pytest.raises(DataWorksError) as caught:
        parse("StopDIJob", 11668, Reply(status, {}, json.dumps(body).encode(), 0.0))
    return caught.value


def test_a_documented_code_has_its_class_and_remedy() -> None:
    """Code, message and HTTP status decide together; the text says all facts and what to do."""
    misses = []
    for status, code, message, expected, remedy in DOCUMENTED:
        error = refused(status, code, message)
        facts = (code, f"HTTP {status}", "R-1", "StopDIJob", "DI job 11668", "What to do: ")
        good = (
            (type(error), error.retryable) == (expected, expected in RETRYABLE),
            (error.code, error.status, error.request_id) == (code, status, "R-1"),
            (error.action, error.di_job_id) == ("StopDIJob", 11668),
            remedy in (error.remedy or ""),
            all(fact in str(error) for fact in facts),
        )
        misses += [(status, code, message, number, repr(error)) for number, holds in enumerate(good) if not holds]

    assert misses == []


def test_an_unknown_code_is_judged_by_the_http_status() -> None:
    """A code nobody documented still becomes an error that says whether to try again."""
    misses = []
    for status, expected in BY_STATUS:
        for code in ("Unheard.Of", "77777"):
            error = refused(status, code, "something")
            if (type(error), error.retryable) != (expected, expected in RETRYABLE):
                misses.append((status, code, repr(error)))

    assert misses == []


def test_a_404_without_a_code_is_another_server() -> None:
    """DataWorks always names a code; without one something else answered."""
    assert type(refused(404, None, "nothing here")) is DataWorksInvalidRequest


def test_a_numeric_code_may_carry_the_symbolic_one_in_its_message() -> None:
    """A symbolic code stands; a numeric or missing one gives way to the name in the message."""
    rows = (
        ("Throttling.User", "Forbidden.Access", "Throttling.User"),
        ("9990020002", "Forbidden.Access", "9990020002"),
        ("123", "Throttling.User", "Throttling.User"),
        ("-1", "Throttling.User", "Throttling.User"),
        ("123", "code:Throttling.Api.Risk", "Throttling.Api.Risk"),
        ("123", "NotThrottling.User", "123"),
        (None, "InternalError.System happened", "InternalError.System"),
        (None, "nothing of the kind", None),
        ("", "Throttling", "Throttling"),
    )

    assert [row for row in rows if symbol(*row[:2]) != row[2]] == []


def test_only_refused_keys_are_worth_newer_ones() -> None:
    """Not a missing token, nor a clock or a permission: other keys of the same account change nothing there."""
    about = (
        "InvalidAccessKeyId.NotFound",
        "InvalidAccessKeyId",
        "InvalidSecurityToken.Expired",
        "SignatureDoesNotMatch",
    )
    others = ("MissingSecurityToken", "InvalidTimeStamp.Expired", "Forbidden.RAM", "IncompleteSignature", "", None)

    assert [code for code in (*about, "InvalidAccessKeySecret") if not is_about_keys(code)] == []
    assert [code for code in others if is_about_keys(code)] == []


def caused(error: Exception, *causes: Exception) -> Exception:
    """The error with its causes, each of the one before it, as libraries chain them."""
    for outer, inner in pairwise((error, *causes)):
        outer.__cause__ = inner
    return error


def test_a_failure_on_the_way_is_known_by_the_systems_own_error() -> None:
    """By types, which stand among the causes, and never by texts; libraries do not always say what caused what."""
    in_context = OSError("library")
    in_context.__context__ = socket.gaierror(-2, "unknown")
    rows = (
        (caused(OSError("library"), OSError("core"), socket.gaierror(-2, "unknown")), False, False, "dns"),
        (in_context, False, False, "dns"),
        (caused(OSError("library"), ssl.SSLCertVerificationError("self-signed")), False, False, "tls"),
        (caused(OSError("library"), ConnectionRefusedError("refused")), False, False, "network"),
        (caused(OSError("library"), ssl.SSLError("in the tunnel")), False, True, "proxy"),
        (TimeoutError("slow"), True, False, "answer-lost"),
    )

    found = [network_error(error, sent=sent, by_proxy=by_proxy).anchor for error, sent, by_proxy, _ in rows]
    assert found == [row[3] for row in rows]
