"""Reads from the environment which proxy to use and which certificate authorities to trust; never switches a check off.

What cannot be used is refused with the name of the field or variable, and never with its value.
"""

from __future__ import annotations

import functools
import importlib.util
import logging
import os
import re
import ssl
import stat
from pathlib import Path
from urllib.parse import urlsplit
from urllib.request import getproxies, proxy_bypass

import httpx

from airflow_provider_dataworks.client.files import NotUsable, read_file
from airflow_provider_dataworks.exceptions import DataWorksInvalidRequest
from airflow_provider_dataworks.values import invalid

_LARGEST = 10 * 2**20  # bytes; those of all public authorities together take a quarter of a megabyte
_HASHED = re.compile(r"[0-9a-f]{8}\.[0-9]+")  # how OpenSSL looks for a certificate in a directory
_FILE_REMEDY = "Name a PEM file with CA certificates that can be read wherever tasks and triggers run."

# What the HTTP library takes; anything else would end, somewhere inside of it, in an error that quotes the value.
_PROXY = re.compile(
    r"(?P<scheme>https?|socks5h?)://"
    r"(?:(?:[\w.~!$&'()*+,;=:-]|%[0-9a-f]{2})*@)?"
    r"(?P<host>[a-z0-9_](?:[a-z0-9._-]*[a-z0-9_.])?|\[[0-9a-f:.]+\])"
    r"(?::(?P<port>[0-9]{1,5}))?(?:/[\w.~/%-]*)?",
    re.ASCII | re.IGNORECASE,
)
_PROXY_REMEDY = (
    "Give it like http://proxy.example:3128 or http://user:password@proxy.example:3128, with special characters of "
    "user and password percent-encoded (# as %23, @ as %40), where this task or trigger runs."
)
_LONGEST_PROXY = 2_000  # characters


def proxy_for(endpoint: str) -> str | None:
    """
    Return the proxy that the environment names for an endpoint, unless ``no_proxy`` takes it out.

    The variables are read by Python's standard library:
    https://docs.python.org/3/library/urllib.request.html#urllib.request.getproxies

    :param endpoint: ``https://host[:port]`` or ``http://host[:port]``.
    :return: the proxy's address with its scheme, and with user and password where the environment gives them.
    :raises DataWorksInvalidRequest: naming the variable, where its value is no proxy that can be used.
    """
    parts, proxies = urlsplit(endpoint), getproxies()
    kind = parts.scheme if proxies.get(parts.scheme) else "all"
    proxy = proxies.get(kind)
    # With its port, and as it is, because an address of the sixth version stands in no_proxy without brackets.
    if not proxy or proxy_bypass(parts.netloc) or proxy_bypass(parts.hostname or ""):
        return None
    return _checked_proxy(proxy.strip(" "), kind)


def _checked_proxy(proxy: str, kind: str) -> str:
    proxy = proxy if "://" in proxy else f"http://{proxy}"
    found = _PROXY.fullmatch(proxy) if len(proxy) <= _LONGEST_PROXY else None
    if found is None or not _is_host(found["host"]) or not 0 < int(found["port"] or 1) < 65536:
        raise _proxy_refused(kind, "is not the address of a proxy", _PROXY_REMEDY)
    if found["scheme"].lower().startswith("socks"):
        if importlib.util.find_spec("socksio") is None:
            raise _proxy_refused(
                kind,
                "names a SOCKS proxy, and the package socksio is not installed",
                "Install httpx[socks] where tasks and triggers run, or name a proxy of the kind http://.",
            )
        logging.getLogger("httpcore.socks").addFilter(_without_password)
    return proxy


def _without_password(record: logging.LogRecord) -> bool:
    # At DEBUG the library tells with which user and password it greets such a proxy.
    return not record.getMessage().startswith("setup_socks5_connection")


def _is_host(host: str) -> bool:
    try:
        return bool(urlsplit(f"//{host}").hostname) and ".." not in host
    except ValueError:
        return False


def _proxy_refused(kind: str, problem: str, remedy: str) -> DataWorksInvalidRequest:
    spelled = f"{kind}_proxy"
    # In small letters it goes before the same in capitals.
    name = next((name for name in (spelled, spelled.upper()) if os.environ.get(name)), spelled)
    return invalid(name, problem, remedy)


def tls_context(ca_file: str | None = None) -> ssl.SSLContext:
    """
    Return the TLS context of this process that trusts the authorities of a file, or of the environment, and no others.

    The variables are those of OpenSSL, ``SSL_CERT_FILE`` and ``SSL_CERT_DIR``; where there are none, the authorities of
    the HTTP library are trusted. A context is loaded once a process, because that takes about 20 ms and a megabyte.

    :param ca_file: absolute path of a PEM file with the only authorities to trust, as for ``curl --cacert``.
    :raises DataWorksInvalidRequest: naming field or variable, where it leads to no certificates.
    """
    return _context(ca_file, os.environ.get("SSL_CERT_FILE"), os.environ.get("SSL_CERT_DIR"))


@functools.lru_cache(maxsize=16)
def _context(ca_file: str | None, cert_file: str | None, cert_dir: str | None) -> ssl.SSLContext:
    _check_key_log()
    if ca_file:
        return _context_of_file("ca_file", ca_file)
    if cert_file:
        return _context_of_file("SSL_CERT_FILE", cert_file)
    if cert_dir:
        if not any(map(_holds_certificates, cert_dir.split(os.pathsep))):
            problem = "leads to no directory with certificates, named by hash as OpenSSL looks for them"
            raise invalid("SSL_CERT_DIR", problem, "Run openssl rehash there, or unset the variable.")
        return ssl.create_default_context(capath=cert_dir)
    return httpx.create_ssl_context(trust_env=False)


def _context_of_file(name: str, path: str) -> ssl.SSLContext:
    try:
        read_file(path, _LARGEST)
        return ssl.create_default_context(cafile=path)
    except NotUsable as error:
        problem = str(error)
    except (OSError, ValueError) as error:  # what a file without certificates raises is an OSError, too
        problem = getattr(error, "strerror", None) or "it holds no certificate"
    raise invalid(name, f"the file cannot be used ({problem})", _FILE_REMEDY)


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
        if not (Path(path).exists() and stat.S_ISFIFO(Path(path).stat().st_mode)):
            with Path(path).open("ab"):
                return
    except (OSError, ValueError):
        pass
    raise invalid("SSLKEYLOGFILE", "names no file that can be written", "Unset the variable.")
