"""Formats answers as JSON or XML, success or error; never decides what to answer."""

from __future__ import annotations

import json
import re
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Literal
from xml.sax.saxutils import escape

Ending = Literal["whole", "truncated", "dropped"]

JSON_TYPE: Final = "application/json;charset=utf-8"
# The vendor's SDK parses an XML error only under exactly this content type.
XML_TYPE: Final = "text/xml;charset=utf-8"

# Characters that XML 1.0 cannot hold at all, not even escaped; a job name or an echoed parameter may bring them.
_NOT_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


class Refusal(Exception):
    """
    An error answer of the service.

    :param status: HTTP status.
    :param code: vendor code, for example ``Throttling.User``.
    :param message: the text a caller sees.
    :param headers: additional answer headers, such as hints how long to wait.
    """

    def __init__(self, status: int, code: str, message: str, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(status, code, message)
        self.status = status
        self.code = code
        self.message = message
        self.headers = dict(headers or {})


@dataclass(frozen=True)
class Answer:
    """
    What goes back over the wire.

    :param status: HTTP status.
    :param headers: answer headers.
    :param body: answer body.
    :param delay: seconds to wait before anything is sent.
    :param ending: ``whole``; ``truncated``: half of the body, then the connection is closed; ``dropped``: the
        connection is closed and nothing sent.
    """

    status: int
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""
    delay: float = 0.0
    ending: Ending = "whole"


def new_request_id() -> str:
    """Give a request id in the service's form."""
    return str(uuid.uuid4()).upper()


def _text(value: object) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return escape(_NOT_XML.sub("\ufffd", str(value)))


def _elements(name: str, value: object) -> str:
    """
    Write one JSON value as XML elements.

    A list becomes one element per item under the list's own name, as the documented sample of ListProjects has it:
    ``<ProjectList><ProjectId>..</ProjectId></ProjectList>`` (https://www.alibabacloud.com/help/doc-detail/178393.htm).
    """
    if value is None:
        return ""
    if isinstance(value, list):
        return "".join(_elements(name, item) for item in value)
    if isinstance(value, Mapping):
        return f"<{name}>{''.join(_elements(key, item) for key, item in value.items())}</{name}>"
    return f"<{name}>{_text(value)}</{name}>"


def xml_document(root: str, data: Mapping[str, Any]) -> bytes:
    """Write an answer as XML under its root element."""
    return f"<?xml version='1.0' encoding='UTF-8'?>\n{_elements(root, data)}".encode()


def json_document(data: Mapping[str, Any]) -> bytes:
    """Write an answer as JSON, leaving out what has no value."""
    text = json.dumps({key: value for key, value in data.items() if value is not None}, ensure_ascii=False)
    return text.encode(errors="replace")


@dataclass(frozen=True)
class Envelope:
    """
    The form one caller wants its answer in.

    :param xml: XML instead of JSON.
    :param host_id: the host the caller asked, which error answers repeat.
    :param request_id: id of this request.
    """

    xml: bool
    host_id: str = ""
    request_id: str = field(default_factory=new_request_id)

    def success(self, operation: str, data: Mapping[str, Any]) -> Answer:
        """Wrap an operation's result; XML names its root after the operation."""
        return self._wrap(200, f"{operation}Response", {"RequestId": self.request_id, **data}, {})

    def failure(self, refusal: Refusal) -> Answer:
        """Wrap an error; XML has the root ``Error`` whatever the operation."""
        data = {
            "RequestId": self.request_id,
            "HostId": self.host_id,
            "Code": refusal.code,
            "Message": refusal.message,
        }
        return self._wrap(refusal.status, "Error", data, refusal.headers)

    def _wrap(self, status: int, root: str, data: Mapping[str, Any], headers: Mapping[str, str]) -> Answer:
        body = xml_document(root, data) if self.xml else json_document(data)
        fixed = {"Content-Type": XML_TYPE if self.xml else JSON_TYPE, "x-acs-request-id": self.request_id}
        return Answer(status, {**fixed, **headers}, body)
