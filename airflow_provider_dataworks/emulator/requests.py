"""Reads action, version, parameters and signature of a request; never judges them."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import cached_property
from typing import Final
from urllib.parse import parse_qsl

from airflow_provider_dataworks.client.auth import signing

FORM_TYPE: Final = "application/x-www-form-urlencoded"

COMMON_PARAMETERS: Final = frozenset(
    {
        "AccessKeyId",
        "Action",
        "Format",
        "RegionId",
        "SecurityToken",
        "Signature",
        "SignatureMethod",
        "SignatureNonce",
        "SignatureType",
        "SignatureVersion",
        "Timestamp",
        "Version",
    }
)
"""Parameters that belong to every call of the older RPC form, not to an operation."""

_PLAIN = re.compile(r"[A-Za-z0-9_.\-]{1,64}")


@dataclass(frozen=True)
class Request:
    """
    One HTTP request as it arrived.

    :param method: HTTP method.
    :param path: path without the query.
    :param query: raw query string.
    :param headers: pairs as they came, repeated names included.
    :param body: exactly the bytes that came.
    """

    method: str
    path: str = "/"
    query: str = field(default="", repr=False)
    headers: Iterable[tuple[str, str]] = field(default=(), repr=False)
    body: bytes = field(default=b"", repr=False)

    @cached_property
    def _by_name(self) -> dict[str, str]:
        named: dict[str, str] = {}
        for name, value in self.headers:
            named.setdefault(name.lower(), value.strip())
        return named

    def header(self, name: str) -> str:
        """Give a header's first value, or nothing as empty text."""
        return self._by_name.get(name.lower(), "")

    @cached_property
    def query_pairs(self) -> list[tuple[str, str]]:
        """Decode the query: ``%20`` and ``+`` are both a space, as the service reads them."""
        return parse_qsl(self.query, keep_blank_values=True)

    @cached_property
    def form_pairs(self) -> list[tuple[str, str]]:
        """Decode the body where it is a form."""
        if not self.header("content-type").lower().startswith(FORM_TYPE):
            return []
        return parse_qsl(self.body.decode(errors="replace"), keep_blank_values=True)

    @cached_property
    def params(self) -> dict[str, str]:
        """Give query and form parameters together, as the gateway takes them."""
        return dict([*self.query_pairs, *self.form_pairs])

    @cached_property
    def repeated(self) -> str:
        """Give the first parameter name that came twice, or nothing as empty text."""
        seen: set[str] = set()
        for name, _ in [*self.query_pairs, *self.form_pairs]:
            if name in seen:
                return name
            seen.add(name)
        return ""

    @cached_property
    def own_params(self) -> dict[str, str]:
        """Give the operation's own parameters."""
        return {name: value for name, value in self.params.items() if name not in COMMON_PARAMETERS}

    @cached_property
    def signature(self) -> str:
        """Give the kind of signature it carries: one of ``signing.SIGNATURES``, or nothing as empty text."""
        if self.header("authorization").startswith("ACS3"):
            return signing.ACS3
        if "Signature" in self.params or "AccessKeyId" in self.params:
            return signing.RPC
        return ""

    def _named(self, header: str, parameter: str) -> str:
        # The vendor's SDK sends these headers with the older form too, where they are not signed.
        if self.signature == signing.RPC:
            return self.params.get(parameter, "")
        return self.header(header) or self.params.get(parameter, "")

    @property
    def action(self) -> str:
        """Give the operation's name as sent."""
        return self._named("x-acs-action", "Action")

    @property
    def version(self) -> str:
        """Give the API version as sent."""
        return self._named("x-acs-version", "Version")

    @property
    def wants_xml(self) -> bool:
        """Whether XML is wanted: ``accept`` says so in the current form, ``Format`` (by default XML) in the older."""
        if self.signature == signing.ACS3:
            return "xml" in self.header("accept").lower()
        return self.params.get("Format", "XML").upper() != "JSON"


def printable(text: str) -> str:
    """Give text that came from a caller in a form that cannot forge a log line or drive a terminal."""
    if not text:
        return "-"
    return text if _PLAIN.fullmatch(text) else ascii(text[:64])
