"""Sends one plain request to a service that hands out keys, and returns its answer; never signs or repeats one."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import httpx

from airflow_provider_dataworks.client.config import is_loopback, user_agent
from airflow_provider_dataworks.client.errors.catalog import CATALOG
from airflow_provider_dataworks.client.errors.codes import network_error
from airflow_provider_dataworks.client.http.connections import ConnectionPool
from airflow_provider_dataworks.client.http.decoding import Reply
from airflow_provider_dataworks.client.http.environment import proxy_for, tls_context
from airflow_provider_dataworks.client.http.exchange import BROKEN, NEVER_SENT, RawRequest
from airflow_provider_dataworks.exceptions import DataWorksUnavailable


def ask(
    method: str,
    url: str,
    *,
    clock: Callable[[], float],
    headers: Mapping[str, str] | None = None,
    body: bytes = b"",
    proxied: bool = True,
    timeout: float = 10.0,
    ca_file: str | None = None,
    action: str | None = None,
    see: str = "keys-unreachable",
) -> Reply:
    """
    Send a request; redirects are not followed.

    :param clock: epoch seconds.
    :param proxied: whether the environment's proxy may carry it; never to an address of this machine.
    :param timeout: seconds to connect, and to wait for the next byte.
    :param ca_file: see :func:`~.environment.tls_context`.
    :param action: what is asked for, for errors.
    :param see: row of the catalogue for when no answer comes.
    :raises DataWorksUnavailable: no answer came; of the call that needs the keys, nothing was sent.
    :raises DataWorksInvalidRequest: naming the variable by which nothing can be sent.
    """
    address = httpx.URL(url)
    host = address.netloc.decode("ascii")
    proxy = proxy_for(url) if proxied and not is_loopback(address.host) else None
    sent = {"host": host, "user-agent": user_agent(), "accept-encoding": "identity", **(headers or {})}
    if method != "GET":
        sent["content-length"] = str(len(body))
    origin, target = address.copy_with(raw_path=b"/"), address.raw_path.decode("ascii")
    seconds = {"connect": timeout, "read": timeout, "write": timeout, "pool": None}
    request = RawRequest(method, origin, target, sent, body, seconds)
    try:
        answer = ConnectionPool(tls_context(ca_file), proxy).exchange(request, repeatable=False)
    except BROKEN as error:
        # Not a word of the library's text, which may quote an answer.
        is_sent, by_proxy = not isinstance(error, NEVER_SENT), isinstance(error, httpx.ProxyError)
        why = network_error(error, sent=is_sent, by_proxy=by_proxy)
        raise DataWorksUnavailable(
            f"no usable answer came from {host}: {type(error).__name__} ({why.title}).",
            sent=False,
            action=action,
            **CATALOG[see].kwargs,
        ) from None
    return Reply(answer.status, answer.text_headers, answer.body, clock())
