"""Signs one request after the other with the keys it is given, the clock and a nonce of now; it sends nothing."""

from __future__ import annotations

import functools
import secrets
import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from urllib.parse import parse_qsl

from airflow_provider_dataworks.client.auth import signing
from airflow_provider_dataworks.client.auth.cache import Keyring
from airflow_provider_dataworks.client.auth.credentials import Credentials, CredentialSource

FORM = "application/x-www-form-urlencoded"


class Signer:
    """
    Sign requests for one account, with a new date and nonce every time.

    :param signature: ``ACS3-HMAC-SHA256`` or ``HMAC-SHA1``.
    :param credentials: where the keys come from.
    :param clock: epoch seconds.
    :param nonce: draws a text never used before.
    :param mask: told of new keys; see :class:`~.keyring.Keyring`.
    """

    def __init__(
        self,
        signature: str,
        credentials: CredentialSource,
        *,
        clock: Callable[[], float] = time.time,
        nonce: Callable[[], str] = functools.partial(secrets.token_hex, 16),
        mask: Callable[[Credentials], None] = lambda keys: None,
    ) -> None:
        self.keyring = Keyring(credentials, clock, mask)
        self.clock = clock
        self.clock_offset = 0.0  # seconds to add to our clock, once the service told us that it is off
        self.in_query = signature == signing.RPC
        self._nonce = nonce

    def sign(
        self,
        keys: Credentials,
        method: str,
        path: str,
        query: signing.Params,
        headers: Mapping[str, str],
        body: bytes = b"",
    ) -> tuple[str, dict[str, str]]:
        """
        Sign one request.

        :param keys: the keyring's; passed in, so that who reads the answer knows which they were.
        :param query: parameters of the URL; as pairs where a name may stand there more than once.
        :param headers: ``host``, ``x-acs-action``, ``x-acs-version``, ``content-type`` with a body, and others.
        :param body: exactly the bytes that are sent.
        :return: the request's target (path and query) and the headers to add.
        """
        date = datetime.fromtimestamp(self.clock() + self.clock_offset, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        if self.in_query:
            return f"{path}?{signing.canonical_query(self._rpc(keys, method, query, headers, body, date))}", {}
        to_sign = {name: value for name, value in headers.items() if _is_signed(name)}
        added = signing.acs3_headers(
            method=method,
            path=path,
            query=query,
            headers=to_sign,
            body=body,
            date=date,
            nonce=self._nonce(),
            access_key_id=keys.access_key_id,
            access_key_secret=keys.access_key_secret,
            security_token=keys.security_token,
        )
        return f"{path}?{signing.canonical_query(query)}" if query else path, added

    def _rpc(
        self,
        keys: Credentials,
        method: str,
        query: signing.Params,
        headers: Mapping[str, str],
        body: bytes,
        date: str,
    ) -> list[tuple[str, str]]:
        is_form = headers.get("content-type", "").lower().startswith(FORM)
        form = parse_qsl(body.decode(), keep_blank_values=True) if is_form else []
        named = {**dict(query), **dict(form)}
        return signing.rpc_query(
            method=method,
            action=headers.get("x-acs-action", named.get("Action", "")),
            version=headers.get("x-acs-version", named.get("Version", "")),
            query=query,
            form=form,
            response_format="XML" if "xml" in headers.get("accept", "") else "JSON",
            date=date,
            nonce=self._nonce(),
            access_key_id=keys.access_key_id,
            access_key_secret=keys.access_key_secret,
            security_token=keys.security_token,
        )


_ADDED = frozenset(("x-acs-date", "x-acs-signature-nonce", "x-acs-content-sha256", "x-acs-security-token"))


def _is_signed(name: str) -> bool:
    # The documented set. Others, such as user-agent, may be rewritten on the way.
    return name in ("host", "content-type") or (name.startswith("x-acs-") and name not in _ADDED)
