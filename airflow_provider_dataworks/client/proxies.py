"""Which proxy the environment names for an address, by the HTTP library's own rules; opens nothing.

The transports are used without the library's clients, which would read the environment for themselves. Python's own
reading of ``NO_PROXY`` differs: it knows no ``*`` in a list, no scheme and no IPv6 address with a port.
"""

from __future__ import annotations

from urllib.parse import SplitResult, urlsplit
from urllib.request import getproxies

_DEFAULT_PORTS = {"http": 80, "https": 443}


def proxy_for(endpoint: str) -> str | None:
    """
    Return the proxy the environment names for an endpoint, unless ``NO_PROXY`` takes it out.

    Follows https://www.python-httpx.org/environment_variables/: a name stands for itself and what is below it, a name
    with a leading dot only for what is below, an address for itself, a port for that port, ``*`` for everything.

    :param endpoint: ``https://host[:port]`` or ``http://host[:port]``.
    :return: the proxy's address with its scheme.
    """
    parts, proxies = urlsplit(endpoint), getproxies()
    proxy = proxies.get(parts.scheme) or proxies.get("all")
    if not proxy or any(_takes_out(entry.strip().lower(), parts) for entry in proxies.get("no", "").split(",")):
        return None
    return proxy if "://" in proxy else f"http://{proxy}"


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
