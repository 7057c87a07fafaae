"""Which proxy the environment names for an address, by the HTTP library's own rules; refuses what is none.

The transports are used without the library's clients, which would read the environment for themselves. Python's own
reading of ``NO_PROXY`` differs: it knows no ``*`` in a list, no scheme and no IPv6 address with a port.
"""

from __future__ import annotations

import importlib.util
import logging
import os
import re
from urllib.parse import SplitResult, urlsplit
from urllib.request import getproxies

from airflow_provider_dataworks.client.config import refusal
from airflow_provider_dataworks.exceptions import DataWorksInvalidRequest

_DEFAULT_PORTS = {"http": 80, "https": 443}
# What the HTTP library takes; anything else would end, somewhere inside of it, in an error that quotes the value.
_PROXY = re.compile(
    r"(?P<scheme>https?|socks5h?)://"
    r"(?:(?:[\w.~!$&'()*+,;=:-]|%[0-9a-f]{2})*@)?"
    r"(?P<host>[a-z0-9_](?:[a-z0-9._-]*[a-z0-9_.])?|\[[0-9a-f:.]+\])"
    r"(?::(?P<port>[0-9]{1,5}))?(?:/[\w.~/%-]*)?",
    re.ASCII | re.IGNORECASE,
)
_REMEDY = (
    "Give it like http://proxy.example:3128 or http://user:password@proxy.example:3128, with special characters of "
    "user and password percent-encoded (# as %23, @ as %40), where this task or trigger runs."
)
_LONGEST = 2_000  # characters


def proxy_for(endpoint: str) -> str | None:
    """
    Return the proxy the environment names for an endpoint, unless ``NO_PROXY`` takes it out.

    Follows https://www.python-httpx.org/environment_variables/: a name stands for itself and what is below it, a name
    with a leading dot only for what is below, an address for itself, a port for that port, ``*`` for everything.

    :param endpoint: ``https://host[:port]`` or ``http://host[:port]``.
    :return: the proxy's address with its scheme, and with user and password where the environment gives them.
    :raises DataWorksInvalidRequest: naming the variable, where its value is no proxy that can be used.
    """
    parts, proxies = urlsplit(endpoint), getproxies()
    kind = parts.scheme if proxies.get(parts.scheme) else "all"
    proxy = proxies.get(kind)
    if not proxy or any(_takes_out(entry.strip().lower(), parts) for entry in proxies.get("no", "").split(",")):
        return None
    return _checked(proxy.strip(" "), kind)


def _checked(proxy: str, kind: str) -> str:
    proxy = proxy if "://" in proxy else f"http://{proxy}"
    found = _PROXY.fullmatch(proxy) if len(proxy) <= _LONGEST else None
    if found is None or not _is_host(found["host"]) or not 0 < int(found["port"] or 1) < 65536:
        raise _refused(kind, "is not the address of a proxy", _REMEDY)
    if found["scheme"].lower().startswith("socks"):
        if importlib.util.find_spec("socksio") is None:
            raise _refused(
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


def _refused(kind: str, problem: str, remedy: str) -> DataWorksInvalidRequest:
    spelled = f"{kind}_proxy"
    # In small letters it goes before the same in capitals.
    name = next((name for name in (spelled, spelled.upper()) if os.environ.get(name)), spelled)
    return refusal(name, problem, remedy)


def _takes_out(entry: str, address: SplitResult) -> bool:
    if entry in ("", "*"):
        return entry == "*"
    scheme, has_scheme, rest = entry.rpartition("://")
    try:
        # An address of the sixth version stands without brackets, so its colons are no port's.
        wanted = urlsplit(f"//[{rest}]" if rest.count(":") > 1 and "[" not in rest else f"//{rest}")
        port = wanted.port
    except ValueError:
        return False  # where the library would end with an error
    host, name = address.hostname or "", wanted.hostname or ""
    if scheme not in ("", "all", address.scheme) or (port and port != _explicit_port(address)):
        return False
    if has_scheme and name.startswith("*"):
        name = name[1:]
    elif has_scheme or name == "localhost" or _is_address(name):
        return host == name
    return host == name or host.endswith(f".{name.removeprefix('.')}")


def _is_address(name: str) -> bool:
    return ":" in name or name.replace(".", "").isdigit()


def _explicit_port(address: SplitResult) -> int | None:
    return None if address.port == _DEFAULT_PORTS.get(address.scheme) else address.port
