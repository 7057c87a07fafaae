"""Which proxy a request goes through, by the environment; nothing here sends."""

from __future__ import annotations

from urllib.parse import urlsplit
from urllib.request import getproxies, proxy_bypass


def proxy_for(endpoint: str) -> str | None:
    """Return the proxy the environment names for an endpoint, unless ``NO_PROXY`` takes it out."""
    parts = urlsplit(endpoint)
    proxies = getproxies()
    if proxy_bypass(parts.netloc):
        return None
    return proxies.get(parts.scheme) or proxies.get("all")
