"""The keys that sign a request, and what hands them out; keys never show in a repr."""

from __future__ import annotations

import functools
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Protocol

from airflow_provider_dataworks.values import invalid

_LONGEST_KEY = 8_000  # characters; a server takes no longer header


@dataclass(frozen=True)
class Credentials:
    """
    One set of keys, taken together so that they can never be of two generations.

    :param access_key_id: AccessKey ID; names the caller and is no secret.
    :param access_key_secret: AccessKey Secret.
    :param security_token: token of the Security Token Service, for temporary keys.
    :param expires: epoch seconds by this machine's clock, or ``None`` where nobody told.
    """

    access_key_id: str
    access_key_secret: str = field(repr=False)
    security_token: str | None = field(default=None, repr=False)
    expires: float | None = field(default=None, compare=False)

    def __post_init__(self) -> None:
        """Refuse what no header can carry: the HTTP library would quote it, with the token, in its error."""
        for name in ("access_key_id", "access_key_secret", "security_token"):
            value = getattr(self, name) or ""
            if not isinstance(value, str) or not re.fullmatch(r"[!-~]*", value):
                raise invalid(name, "holds a character that keys do not have, such as a space or a line end")
            if len(value) > _LONGEST_KEY:
                raise invalid(name, f"is longer than the {_LONGEST_KEY} characters that a request can carry")


class CredentialSource(Protocol):
    """Anything that hands out keys; a :class:`~.cache.CredentialCache` holds them and knows when to ask again."""

    @property
    def identity(self) -> str:
        """Who signs, without any secret, and the same for each set of temporary keys."""
        ...

    @property
    def max_age(self) -> float:
        """Seconds after which to ask again where the keys do not say when they expire."""
        ...

    def fetch(self, clock: Callable[[], float], ca_file: str | None = None) -> Credentials:
        """
        Return keys, asking anew each time.

        :param clock: epoch seconds.
        :param ca_file: path of the only certificate authorities to trust, where a service is asked.
        :raises DataWorksError: there are none.
        """
        ...


class StaticCredentials:
    """
    Keys that somebody wrote down: an AccessKey, or an STS token somebody else renews.

    :param keys: as they were read last.
    :param read_again: reads them once more; without it they stay as they are.
    """

    max_age = float("inf")

    def __init__(self, keys: Credentials, read_again: Callable[[], Credentials] | None = None) -> None:
        self._keys, self._read_again = keys, read_again
        self._handed_out = False

    def __repr__(self) -> str:
        """Class and AccessKey ID."""
        return f"{type(self).__name__}({self.identity!r})"

    @property
    def identity(self) -> str:
        """The AccessKey ID."""
        return self._keys.access_key_id

    def fetch(self, clock: Callable[[], float], ca_file: str | None = None) -> Credentials:
        """Return the keys read last; whoever comes back for more gets them read again."""
        if self._handed_out and self._read_again is not None:
            self._keys = self._read_again()
        self._handed_out = True
        return self._keys


def redact(body: bytes, keys: Credentials) -> bytes:
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
