"""What the services that hand out temporary keys answer: keys, or why there are none; nothing here asks them.

Not a word of their text reaches an error: a refused signature is answered with the string that was signed, the token in
it, and a credentials service may answer with the keys themselves under a name nobody knows.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from airflow_provider_dataworks.client.auth.credentials import Credentials
from airflow_provider_dataworks.client.errors.catalog import CATALOG, ErrorInfo
from airflow_provider_dataworks.client.errors.codes import meaning
from airflow_provider_dataworks.client.http.decoding import (
    Payload,
    Reply,
    clock_skew,
    decode,
    off_by,
    retry_after,
    text,
)
from airflow_provider_dataworks.exceptions import (
    DataWorksAuthError,
    DataWorksError,
    DataWorksThrottled,
    DataWorksUnavailable,
)

# What a code or a request id looks like; anything else in its place is not quoted.
_WORD = re.compile(r"[A-Z][A-Za-z0-9._]{0,79}")
_LONGEST_LIFE = 7 * 86_400.0  # seconds; temporary keys live for hours, and a date further off is a mistake
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
        expires = min(_epoch(expiration) - (clock_skew(reply) or 0.0), reply.received_at + _LONGEST_LIFE)
        keys = Credentials(identity, secret, token, expires)
    except (ValueError, OverflowError):  # a DataWorksInvalidRequest is one: a character that keys do not have
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


def payload_of(action: str, reply: Reply, rows: Mapping[str, ErrorInfo], who: str) -> Payload:
    """
    Return what a good answer holds.

    :param rows: what a code means, by how the code begins; ``""`` for all others, and for none.
    :param who: who asked for what, for errors.
    :raises DataWorksError: it is a refusal, or no answer at all.
    """
    payload = decode(reply)
    code = text(payload or {}, "Code", "code")
    if payload is not None and reply.status == 200 and code in (None, "Success", "200"):
        return payload
    if payload is None and reply.status == 200:
        raise unusable(action, f"the answer cannot be read ({len(reply.body)} bytes).", reply)
    raise refused(action, reply, rows, who)


def refused(action: str, reply: Reply, rows: Mapping[str, ErrorInfo], who: str) -> DataWorksError:
    """Return the error that a refusal means, with its code but none of its text."""
    payload = decode(reply) or {}
    code = text(payload, "Code", "code")
    code = code if code and _WORD.fullmatch(code) else None
    if meaning(code, reply.status).error in (DataWorksUnavailable, DataWorksThrottled) or reply.status >= 500:
        # Not a DataWorksThrottled: that would slow down the calls to DataWorks, which have limits of their own.
        return _unavailable("keys-service-down", action, "no keys were handed out for now.", reply, code)
    found = row_for(rows, code)
    message, facts = f"{who}.", _facts(action, reply, code)
    if found.error is not DataWorksAuthError:
        return found.error(message, **facts, **found.kwargs)
    skew, told = (clock_skew(reply), off_by(reply)) if found is CATALOG["clock"] else (None, "")
    return DataWorksAuthError(f"{message}{told}", clock_skew=skew, **facts, **found.kwargs)


def row_for(rows: Mapping[str, ErrorInfo], code: str | None) -> ErrorInfo:
    """Return what a code means: the first whose key the code begins with."""
    return next(found for begin, found in rows.items() if (code or "").startswith(begin))


def unusable(action: str, message: str, reply: Reply) -> DataWorksUnavailable:
    """Return the error for an answer without usable keys; a later one may be better."""
    return _unavailable("keys-unreadable", action, message, reply)


def _unavailable(see: str, action: str, message: str, reply: Reply, code: str | None = None) -> DataWorksUnavailable:
    return DataWorksUnavailable(
        message,
        sent=False,  # of the call that needs the keys, nothing was
        retry_after=retry_after(reply),
        **_facts(action, reply, code),
        **CATALOG[see].kwargs,
    )


def _facts(action: str, reply: Reply, code: str | None) -> dict[str, Any]:
    request_id = _request_id(decode(reply) or {})
    return {"code": code, "status": reply.status, "request_id": request_id, "action": action}


def _request_id(payload: Payload) -> str | None:
    found = text(payload, "RequestId", "requestId")
    return found if found and _REQUEST_ID.fullmatch(found) else None
