"""What the services that hand out temporary keys answer: keys, or why there are none; nothing here asks them.

Not a word of their text reaches an error: a refused signature is answered with the string that was signed, the token in
it, and a credentials service may answer with the keys themselves under a name nobody knows.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from airflow_provider_dataworks.client.codes import meaning
from airflow_provider_dataworks.client.credentials import Credentials
from airflow_provider_dataworks.client.decoding import Payload, Reply, clock_skew, decode, retry_after, text
from airflow_provider_dataworks.exceptions import (
    DataWorksAuthError,
    DataWorksError,
    DataWorksForbidden,
    DataWorksThrottled,
    DataWorksUnavailable,
)

# What a code or a request id looks like; anything else in its place is not quoted.
_WORD = re.compile(r"[A-Z][A-Za-z0-9._]{0,79}")
_REQUEST_ID = re.compile(r"[0-9A-Fa-f]{8}(-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}")


def keys_in(action: str, found: Any, reply: Reply) -> Credentials:
    """
    Return the keys of a good answer.

    :param found: the mapping that should hold ``AccessKeyId`` and its companions.
    :raises DataWorksUnavailable: it does not, or they have expired already.
    """
    fields = found if isinstance(found, Mapping) else {}
    names = ("AccessKeyId", "AccessKeySecret", "SecurityToken", "Expiration")
    values = [text(fields, name) for name in names]
    missing = [name for name, value in zip(names, values, strict=True) if value is None]
    identity, secret, token, expiration = (value or "" for value in values)
    try:
        # By the clock of whoever says when they end: ours may be off.
        expires = _epoch(expiration) - (clock_skew(reply) or 0.0)
        keys = Credentials(identity, secret, token, expires)
    except ValueError:  # a DataWorksInvalidRequest is one: a character that keys do not have
        keys = None
    if missing or keys is None:
        what = f"it lacks {', '.join(missing)}" if missing else "its keys or their Expiration cannot be read"
        raise unusable(action, f"the answer holds no keys: {what}.", reply)
    if expires <= reply.received_at:
        raise unusable(action, "the keys in the answer have expired.", reply)
    return keys


def _epoch(expiration: str) -> float:
    found = datetime.fromisoformat(expiration)
    return (found if found.tzinfo else found.replace(tzinfo=UTC)).timestamp()


def payload_of(action: str, reply: Reply, remedies: Mapping[str, str]) -> Payload:
    """
    Return what a good answer holds.

    :param remedies: what to do about a code, by how the code begins; ``""`` for all others.
    :raises DataWorksError: it is a refusal, or no answer at all.
    """
    payload = decode(reply)
    code = text(payload or {}, "Code", "code")
    if payload is not None and reply.status == 200 and code in (None, "Success", "200"):
        return payload
    if payload is None and reply.status == 200:
        raise unusable(action, f"the answer cannot be read ({len(reply.body)} bytes).", reply)
    raise refused(action, reply, remedies)


def refused(action: str, reply: Reply, remedies: Mapping[str, str]) -> DataWorksError:
    """Return the error that a refusal means, with its code but none of its text."""
    payload = decode(reply) or {}
    code = text(payload, "Code", "code")
    code = code if code and _WORD.fullmatch(code) else None
    known = meaning(code, reply.status).error
    if known in (DataWorksUnavailable, DataWorksThrottled) or reply.status >= 500:
        # Not a DataWorksThrottled: that would slow down the calls to DataWorks, which have limits of their own.
        return unusable(action, "the service that hands out keys is busy or out of order.", reply, code)
    remedy = next((found for begin, found in remedies.items() if (code or "").startswith(begin)), None)
    facts: dict[str, Any] = {
        "code": code,
        "status": reply.status,
        "request_id": _request_id(payload),
        "action": action,
        "remedy": remedy,
    }
    message = "no keys were handed out."
    if known is DataWorksForbidden:
        return DataWorksForbidden(message, **facts)
    skew = clock_skew(reply) if (code or "").startswith(("InvalidTimeStamp", "IllegalTimestamp")) else None
    return DataWorksAuthError(message, clock_skew=skew, **facts)


def unusable(action: str, message: str, reply: Reply, code: str | None = None) -> DataWorksUnavailable:
    """Return the error for an answer that is no use now, but may be later."""
    return DataWorksUnavailable(
        message,
        sent=False,  # of the call that needs the keys, nothing was
        code=code,
        status=reply.status,
        request_id=_request_id(decode(reply) or {}),
        action=action,
        retry_after=retry_after(reply),
        remedy="Nothing to do if retries are left. If it lasts, see that the address is that of the service meant.",
    )


def _request_id(payload: Payload) -> str | None:
    found = text(payload, "RequestId", "requestId")
    return found if found and _REQUEST_ID.fullmatch(found) else None
