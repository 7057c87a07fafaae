"""Where the keys come from that sign a request; keys never show in a repr, and nothing here sends a DataWorks call."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Protocol


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
