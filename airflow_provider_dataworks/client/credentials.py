"""Where the keys come from that sign a request; keys never show in a repr, and nothing here sends a DataWorks call."""

from __future__ import annotations

import functools
from dataclasses import dataclass, field
from typing import Protocol

from airflow_provider_dataworks.client.signing import percent_encode


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
    """Blank out our own secrets where an answer echoes them, so that no error text can carry them on."""
    for spelled in _spellings(keys):
        body = body.replace(spelled, b"***")
    return body


@functools.lru_cache(maxsize=16)
def _spellings(keys: Credentials) -> tuple[bytes, ...]:
    # The string to sign of the older signature, which the service echoes, encodes a value up to twice.
    found = [text for text in (keys.access_key_secret, keys.security_token) if text and len(text) > 5]
    once = [percent_encode(text) for text in found]
    twice = [percent_encode(text) for text in once]
    return tuple(text.encode() for text in dict.fromkeys((*twice, *once, *found)))
