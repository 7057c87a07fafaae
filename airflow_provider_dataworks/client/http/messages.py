"""Requests and answers of HTTP as plain values, as they travel; it knows neither the HTTP library nor DataWorks."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

Headers = list[tuple[bytes, bytes]]


class Answer(NamedTuple):
    """An answer, read to its end."""

    status: int
    headers: Headers
    body: bytes


class Request(NamedTuple):
    """
    A request, for any of the HTTP library's ways.

    :param url: the library's own value for where it goes, without path and query: libraries print it.
    :param target: path and query, byte for byte as they were signed.
    :param timeout: seconds by ``connect``, ``read`` and ``write``.
    """

    method: str
    url: Any
    target: bytes
    headers: Headers
    body: bytes
    timeout: Mapping[str, float | None]


def raw(headers: Mapping[str, str]) -> Headers:
    """Return headers as bytes."""
    return [(name.encode("ascii"), value.encode("ascii")) for name, value in headers.items()]


def is_encoded(headers: Headers) -> bool:
    """Say whether a body was compressed on its way, which nobody asked for."""
    # By the raw headers: looking one up by name makes the library guess the encoding of them all, for each answer.
    return any(
        name.lower() == b"content-encoding" and value.strip().lower() not in (b"", b"identity")
        for name, value in headers
    )
