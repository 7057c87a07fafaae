"""Where the keys come from that sign a request; keys never show in a repr, and nothing here sends a DataWorks call."""

from __future__ import annotations

import functools
import re
from dataclasses import dataclass, field
from typing import Protocol

from airflow_provider_dataworks.client.settings import refusal


@dataclass(frozen=True)
class Credentials:
    """
    One set of keys, taken together so that they can never be of two generations.

    :param access_key_id: AccessKey ID; names the caller and is no secret.
    :param access_key_secret: AccessKey Secret.
    :param security_token: token of the Security Token Service, for temporary keys.
    """

    access_key_id: str
    access_key_secret: str = field(repr=False)
    security_token: str | None = field(default=None, repr=False)

    def __post_init__(self) -> None:
        """Refuse what no header can carry: the HTTP library would quote it, with the token, in its error."""
        for name in ("access_key_id", "access_key_secret", "security_token"):
            if not re.fullmatch(r"[!-~]*", getattr(self, name) or ""):
                raise refusal(name, "holds a character that keys do not have, such as a space or a line end")


class CredentialSource(Protocol):
    """Anything that hands out the keys for the next request."""

    def current(self) -> Credentials:
        """Return the keys to sign with now."""
        ...


@dataclass(frozen=True)
class StaticCredentials:
    """Keys that stay as they are: an AccessKey, or an STS token somebody else renews."""

    credentials: Credentials

    def current(self) -> Credentials:
        """Return the same keys each time."""
        return self.credentials


def without_keys(body: bytes, keys: Credentials) -> bytes:
    """Blank out our own secrets where a text echoes them, so that no error can carry them on."""
    pattern = _any_spelling(keys)
    return pattern.sub(b"***", body) if pattern else body


@functools.lru_cache(maxsize=16)
def _any_spelling(keys: Credentials) -> re.Pattern[bytes] | None:
    found = [text for text in (keys.access_key_secret, keys.security_token) if text and len(text) > 5]
    return re.compile("|".join("".join(map(_spellings, text)) for text in found).encode()) if found else None


def _spellings(char: str) -> str:
    # JSON, XML and URLs escape in several ways; the string to sign of the older signature, which the service echoes,
    # encodes a value up to twice.
    if char.isalnum():
        return char
    code = f"{ord(char):02x}"
    escaped = rf"(?i:%(?:25)?{code}|\\u00{code}|&#x0*{code};|&#0*{ord(char)};)"
    return rf"(?:\\?{re.escape(char)}|{escaped})"
