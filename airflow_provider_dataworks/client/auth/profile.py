"""Keys of a profile that the vendor's tools keep, read by the vendor's library; only here is that library touched.

Its profiles have a dozen modes, some of which write back into the file, so they are not read anew here. But it is asked
by one object for a process and profile, because some of them start a thread that never ends; and none of its texts,
which quote what services answered, may reach a log or an error.
"""

from __future__ import annotations

import importlib
import logging
import os
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from airflow_provider_dataworks.client.auth.credentials import Credentials
from airflow_provider_dataworks.client.errors.catalog import CATALOG
from airflow_provider_dataworks.client.files import NotUsable, read_file
from airflow_provider_dataworks.client.locks import Lock
from airflow_provider_dataworks.exceptions import DataWorksAuthError
from airflow_provider_dataworks.values import invalid, plain_text

_AGE = 60.0  # seconds; the library does not tell when the keys it gives expire, but renews them by itself
_LARGEST = 2**20  # bytes of a file with profiles
# Loggers that the library, or what it is made of, gives handlers and levels as it is imported.
_LOGGERS = ("credentials", "alibabacloud-tea", "darabonba-core")
# Who would log the library's requests, with keys and tokens in their URLs, or answers.
_TALKATIVE = (*_LOGGERS, "urllib3.connectionpool")

_asking = threading.local()
_lock = Lock()
_providers: dict[tuple[str, str | None], tuple[Any, ...]] = {}  # when its file was changed, and the provider


@dataclass(frozen=True)
class Profile:
    """
    Keys of a profile in ``~/.aliyun/config.json`` of the vendor's command line, else in ``credentials.ini``.

    :param name: the profile; ``None`` takes ``ALIBABA_CLOUD_PROFILE``, or the one that is current there.
    """

    name: str | None = None
    max_age = _AGE

    @property
    def identity(self) -> str:
        """The profile."""
        return f"profile:{self.name or ''}"

    def fetch(self, clock: Callable[[], float], ca_file: str | None = None) -> Credentials:
        """Ask the library."""
        return _read(self.name)


def _read(name: str | None) -> Credentials:
    name = name or os.environ.get("ALIBABA_CLOUD_PROFILE")
    with _lock:
        library = _library()
        tries: list[str] = []
        if os.environ.get("ALIBABA_CLOUD_CLI_PROFILE_DISABLED", "").lower() != "true":
            config = _home() / ".aliyun" / "config.json"
            # It reads this file by itself. Do not name it: the constraint files of Airflow 2.11.0 to 3.0 pin release
            # 1.0.2 of the library, which knows no profile_file.
            make = partial(library.CLIProfileCredentialsProvider, profile_name=name)
            if found := _ask(make, config, name, "~/.aliyun/config.json", tries):
                return found
        given = os.environ.get("ALIBABA_CLOUD_CREDENTIALS_FILE")
        ini = Path(given) if given else _home() / ".alibabacloud" / "credentials.ini"
        make = partial(library.ProfileCredentialsProvider, profile_name=name or "default", profile_file=str(ini))
        shown = "the file of ALIBABA_CLOUD_CREDENTIALS_FILE" if given else "~/.alibabacloud/credentials.ini"
        if found := _ask(make, ini, name, shown, tries):
            return found
    told = plain_text(f"the {f'profile {name}' if name else 'current profile'} gave no keys: {', '.join(tries)}", 600)
    raise DataWorksAuthError(f"{told}.", action="Credential profile", **CATALOG["profile"].kwargs)


def _home() -> Path:
    try:
        return Path.home()
    except (RuntimeError, KeyError):
        raise invalid(
            "HOME",
            "is not set, and the user of this process is not known to the system, so there is no home to look into",
            "Set HOME for workers and triggerer, or choose another credential_type on the connection.",
        ) from None


def _ask(make: Callable[[], Any], file: Path, name: str | None, shown: str, tries: list[str]) -> Credentials | None:
    try:
        # A changed file is read anew; the library itself would go by what it read first.
        changed, key = file.stat().st_mtime_ns, (str(file), name)
        # The library would wait for whoever writes to a pipe, and read a device without end.
        read_file(str(file), _LARGEST)
        with _quiet():
            if _providers.get(key, (None,))[0] != changed:
                _providers[key] = changed, make()
            found = _providers[key][1].get_credentials()
        # All of one call: asked for one by one, they may be of two sets.
        identity, secret = found.get_access_key_id(), found.get_access_key_secret()
        if identity and secret:
            return Credentials(identity, secret, found.get_security_token() or None)
        tries.append(f"{shown} has no complete keys")
    except NotUsable as error:
        tries.append(f"{shown}: {error}")
    except Exception as error:  # whatever it raises, its text may hold an answer with keys
        tries.append(f"{shown}: {type(error).__name__}")
    return None


def _library() -> Any:
    try:
        with _loggers_as_they_were():
            return importlib.import_module("alibabacloud_credentials.provider")
    except ImportError as error:
        # Broken, or an older one, is as good as missing.
        raise DataWorksAuthError(
            f"the package alibabacloud-credentials cannot be used ({type(error).__name__}).",
            action="Credential profile",
            **CATALOG["profile-library"].kwargs,
        ) from None


@contextmanager
def _loggers_as_they_were() -> Iterator[None]:
    """Undo what an import does to loggers: lines would come twice, one of them past Airflow's masking."""
    loggers = [logging.getLogger(name) for name in _LOGGERS]
    before = [(logger, list(logger.handlers), logger.level, logger.propagate) for logger in loggers]
    try:
        yield
    finally:
        for logger, handlers, level, propagate in before:
            logger.handlers[:] = handlers
            logger.setLevel(level)
            logger.propagate = propagate


class _Hushed(logging.Filter):
    """Drops what is logged while the library is asked, and what its own threads log."""

    def filter(self, record: logging.LogRecord) -> bool:
        return not getattr(_asking, "now", False) and "alibabacloud_credentials" not in Path(record.pathname).parts


_hushed = _Hushed()


@contextmanager
def _quiet() -> Iterator[None]:
    for name in _TALKATIVE:
        logging.getLogger(name).addFilter(_hushed)  # once: a filter that is there is not added again
    _asking.now = True
    try:
        yield
    finally:
        _asking.now = False
