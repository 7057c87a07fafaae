"""Which certificate authorities are trusted; verification of a server is never switched off."""

from __future__ import annotations

import functools
import os
import re
import ssl
import stat
from collections.abc import Callable
from pathlib import Path

from airflow_provider_dataworks.client.config import refusal
from airflow_provider_dataworks.client.files import NotUsable, read_file
from airflow_provider_dataworks.exceptions import DataWorksInvalidRequest

_LARGEST = 10 * 2**20  # bytes; those of all public authorities together take a quarter of a megabyte
_REMEDY = "Name a PEM file with CA certificates that can be read wherever tasks and triggers run."
_HASHED = re.compile(r"[0-9a-f]{8}\.[0-9]+")  # how OpenSSL looks for a certificate in a directory


def context_for(ca_file: str | None, usual: Callable[[], ssl.SSLContext]) -> ssl.SSLContext:
    """
    Return the TLS context that trusts the authorities of a file, or of the environment, and no others.

    The variables are those of OpenSSL, ``SSL_CERT_FILE`` and ``SSL_CERT_DIR``. A context is loaded once a process,
    because that blocks for about 20 ms and takes close to a megabyte.

    :param ca_file: absolute path of a PEM file with the only authorities to trust, as for ``curl --cacert``.
    :param usual: makes a context for where neither connection nor environment names any.
    :raises DataWorksInvalidRequest: naming field or variable, where it leads to no certificates.
    """
    return _context(ca_file, os.environ.get("SSL_CERT_FILE"), os.environ.get("SSL_CERT_DIR"), usual)


@functools.lru_cache(maxsize=16)
def _context(
    ca_file: str | None, cert_file: str | None, cert_dir: str | None, usual: Callable[[], ssl.SSLContext]
) -> ssl.SSLContext:
    _check_key_log()
    if ca_file:
        return _of_file("ca_file", ca_file)
    if cert_file:
        return _of_file("SSL_CERT_FILE", cert_file)
    if cert_dir:
        if not any(map(_holds_certificates, cert_dir.split(os.pathsep))):
            problem = "leads to no directory with certificates, named by hash as OpenSSL looks for them"
            raise refusal("SSL_CERT_DIR", problem, "Run openssl rehash there, or unset the variable.")
        return ssl.create_default_context(capath=cert_dir)
    return usual()


def _of_file(name: str, path: str) -> ssl.SSLContext:
    try:
        read_file(path, _LARGEST)
        return ssl.create_default_context(cafile=path)
    except NotUsable as error:
        raise _refused(name, str(error)) from None
    except (OSError, ValueError) as error:  # what a file without certificates raises is an OSError, too
        raise _refused(name, getattr(error, "strerror", None) or "it holds no certificate") from None


def _refused(name: str, problem: str) -> DataWorksInvalidRequest:
    return refusal(name, f"the file cannot be used ({problem})", _REMEDY)


def _holds_certificates(folder: str) -> bool:
    try:
        return any(_HASHED.fullmatch(each.name) for each in Path(folder).iterdir())
    except (OSError, ValueError):
        return False


def _check_key_log() -> None:
    # Python itself opens the file that this variable names, with each context.
    path = os.environ.get("SSLKEYLOGFILE")
    if not path:
        return
    try:
        if stat.S_ISFIFO(Path(path).stat().st_mode):
            raise _no_key_log()
    except FileNotFoundError:
        pass  # it is made
    except (OSError, ValueError):
        raise _no_key_log() from None
    try:
        with Path(path).open("ab"):
            pass
    except OSError:
        raise _no_key_log() from None


def _no_key_log() -> DataWorksInvalidRequest:
    return refusal("SSLKEYLOGFILE", "names no file that can be written", "Unset the variable.")
