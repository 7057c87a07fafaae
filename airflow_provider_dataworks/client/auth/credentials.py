"""Where the keys come from that sign a request; keys never show in a repr, and nothing here sends or reads anything.

A source is a conversation, as those with DataWorks are: a generator that yields :class:`Fetch` and :class:`Load`, is
sent what came of it, and returns the keys. So each is written once for blocking and asyncio code.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Awaitable, Callable, Generator, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from airflow_provider_dataworks.client.config import refusal

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
                raise refusal(name, "holds a character that keys do not have, such as a space or a line end")
            if len(value) > _LONGEST_KEY:
                raise refusal(name, f"is longer than the {_LONGEST_KEY} characters that a request can carry")


@dataclass(frozen=True)
class Fetch:
    """
    Command: send one plain HTTP request and give back its ``Reply``; redirects are not followed.

    :param proxied: whether the environment's proxy may carry it; never to an address of this machine.
    :param timeout: seconds to connect, and to wait for the next byte.
    :param action: what is asked for, for errors.
    :param see: anchor of the catalogue's entry for when no answer comes.
    """

    method: str
    url: str = field(repr=False)
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    body: bytes = field(default=b"", repr=False)
    proxied: bool = True
    timeout: float = 10.0
    action: str | None = None
    see: str = "keys-unreachable"


@dataclass(frozen=True)
class Load:
    """
    Command: run a function that blocks, in a thread where an event loop runs, and give back what it returns.

    :param native: the same for an event loop, where it must not run in a thread.
    """

    blocking: Callable[[], Any]
    native: Callable[[], Awaitable[Any]] | None = None


Fetching = Generator[Fetch | Load, Any, Credentials]


class CredentialSource(Protocol):
    """Anything that hands out keys; a :class:`~.keyring.Keyring` holds them and knows when to ask again."""

    @property
    def identity(self) -> str:
        """Who signs, without any secret, and the same for each set of temporary keys."""
        ...

    @property
    def max_age(self) -> float:
        """Seconds after which to ask again where the keys do not say when they expire."""
        ...

    def fetch(self, now: float) -> Fetching:
        """
        Ask for keys; obeyed by whoever drives it.

        :param now: epoch seconds.
        """
        ...


class StaticCredentials:
    """
    Keys that somebody wrote down: an AccessKey, or an STS token somebody else renews.

    :param keys: as they were read last.
    :param again: reads them once more; without it they stay as they are.
    """

    max_age = float("inf")

    def __init__(self, keys: Credentials, again: Load | None = None) -> None:
        self._keys, self._again = keys, again
        self._handed_out = False

    def __repr__(self) -> str:
        """Class and AccessKey ID."""
        return f"{type(self).__name__}({self.identity!r})"

    @property
    def identity(self) -> str:
        """The AccessKey ID."""
        return self._keys.access_key_id

    def fetch(self, now: float) -> Fetching:
        """Return the keys read last; whoever comes back for more gets them read again."""
        if self._handed_out and self._again is not None:
            self._keys = yield self._again
        self._handed_out = True
        return self._keys


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
