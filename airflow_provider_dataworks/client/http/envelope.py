"""Reads what every answer of the service carries around its payload: error code and request id; decides who refused.

The service's own refusal is the one answer after which a call is known to have had no effect. This is decided here and
nowhere else.
"""

from __future__ import annotations

import re

from airflow_provider_dataworks.client.http.decoding import Payload, Reply, decode, text
from airflow_provider_dataworks.client.safe_values import plain_text

LONGEST_CODE = 100
NO_ERROR = ("", "0", "200", "OK", "Success")
_LONGEST_REQUEST_ID = 100


def error_code(payload: Payload) -> str | None:
    """Return the error code, in any of the spellings that the service has; some good answers carry one too."""
    return text(payload, "Code", "code", "ErrorCode", "errorCode", longest=LONGEST_CODE)


def request_id(payload: Payload) -> str | None:
    """Return the service's request id as printable ASCII of bounded length, by which its support can look it up."""
    found = text(payload, "RequestId", "requestId")
    return found and plain_text(re.sub(r"[^!-~]", "?", found), _LONGEST_REQUEST_ID)


def is_refusal(reply: Reply) -> bool:
    """
    Say whether it is the service itself that refused a call: its envelope, with an error code and a request id.

    Any other answer that is not a good one may be a gateway's or a proxy's, and come after the call had its effect: a
    2xx with half a body, a redirect, a 4xx or 5xx page.
    """
    if reply.status < 200 or 300 <= reply.status < 400:
        return False
    payload = decode(reply)
    return payload is not None and error_code(payload) not in (None, *NO_ERROR) and request_id(payload) is not None
