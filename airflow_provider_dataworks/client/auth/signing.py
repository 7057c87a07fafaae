"""The two request signatures of Alibaba Cloud as pure stage functions; no clock, no random, no HTTP library.

``ACS3-HMAC-SHA256`` ("V3", the default) follows `V3 request structure and signature
<https://www.alibabacloud.com/help/en/sdk/product-overview/v3-request-structure-and-signature>`__,
``HMAC-SHA1`` (the older RPC form, ``SignatureVersion=1.0``) follows `RPC mechanism
<https://www.alibabacloud.com/help/en/sdk/product-overview/rpc-mechanism>`__.
The stages carry the names of those pages, one function a stage, so that a wrong signature can be traced to its stage.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl, quote, quote_plus

if TYPE_CHECKING:
    from airflow_provider_dataworks.client.auth.credentials import Credentials

ACS3 = "ACS3-HMAC-SHA256"
RPC = "HMAC-SHA1"
SIGNATURES = (ACS3, RPC)
FORM = "application/x-www-form-urlencoded"

# Parameters by name, or as pairs where a name may stand there more than once.
Params = Mapping[str, str] | Iterable[tuple[str, str]]

# Of the headers that begin with x-acs-: those that the signature itself adds.
_ADDED = frozenset(("x-acs-date", "x-acs-signature-nonce", "x-acs-content-sha256", "x-acs-security-token"))

EMPTY_PAYLOAD_HASH = hashlib.sha256(b"").hexdigest()


def flat(params: Mapping[str, object]) -> dict[str, str]:
    """
    Flatten parameters into the text pairs that are signed and sent.

    Lists and maps become ``Tag.1.Key``; ``None`` is dropped (a list keeps its index); an empty list or map vanishes.

    :param params: parameter names and values as the API describes them.
    :return: name to text, in no particular order.
    """
    pairs: dict[str, str] = {}

    def put(name: str, value: object) -> None:
        if value is None:
            return
        if isinstance(value, Mapping):
            for key, item in value.items():
                put(f"{name}.{key}" if name else str(key), item)
        elif isinstance(value, list | tuple):
            for index, item in enumerate(value, start=1):
                put(f"{name}.{index}", item)
        elif isinstance(value, bytes):
            pairs[name] = value.decode()
        elif isinstance(value, bool):
            # The vendor's SDKs disagree (True in Python, true in Go); the documented spelling is lower case.
            pairs[name] = "true" if value else "false"
        else:
            pairs[name] = str(value)

    put("", params)
    return pairs


def percent_encode(text: str) -> str:
    """Encode by RFC 3986 over UTF-8: only letters, digits and ``-_.~`` stay; a space becomes ``%20``, never ``+``."""
    # Most of what is encoded, in each request several times over, is letters and digits, which stay as they are.
    return text if text.isascii() and text.isalnum() else quote(text, safe="~")


def form_body(params: Mapping[str, str]) -> bytes:
    """Form body as the vendor's SDKs write it: pairs sorted by name, a space as ``+``."""
    return "&".join(f"{_form_encode(name)}={_form_encode(params[name])}" for name in sorted(params)).encode("ascii")


def _form_encode(text: str) -> str:
    return text if text.isascii() and text.isalnum() else quote_plus(text)


def _pairs(params: Params) -> Iterable[tuple[str, str]]:
    return params.items() if isinstance(params, Mapping) else params


def _by_name(pair: tuple[str, str]) -> str:
    return pair[0]


def canonical_query(params: Params) -> str:
    """
    Canonicalized query string: pairs sorted by name in byte order, both sides percent-encoded.

    Pairs of one name keep their order, since a list of values means something else in another one.

    Names are encoded by the written rule; the vendor's Python, Go and C# code leaves them as they are. DataWorks names
    are letters and digits, so it never shows.
    """
    pairs = sorted(_pairs(params), key=_by_name)
    return "&".join(f"{percent_encode(name)}={percent_encode(value)}" for name, value in pairs)


def hashed_payload(body: bytes) -> str:
    """Hex SHA-256 of exactly the bytes that are sent."""
    return hashlib.sha256(body).hexdigest() if body else EMPTY_PAYLOAD_HASH


def canonical_headers(headers: Mapping[str, str] | Iterable[tuple[str, str]]) -> tuple[str, str]:
    """
    Canonicalized headers and the list of signed headers.

    :param headers: every header to be signed: ``host``, ``content-type`` where there is one, and all ``x-acs-*``.
    :return: ``name:value`` lines, each ending in a line feed, and the names joined with ``;``.
    """
    values: dict[str, list[str]] = {}
    for name, value in headers.items() if isinstance(headers, Mapping) else headers:
        values.setdefault(name.strip().lower(), []).append(value.strip())
    names = sorted(values)
    lines = "".join(f"{name}:{','.join(sorted(values[name]))}\n" for name in names)
    return lines, ";".join(names)


def canonical_request(
    method: str,
    path: str,
    query: Params,
    headers: Mapping[str, str] | Iterable[tuple[str, str]],
    payload_hash: str,
) -> str:
    """Canonicalized request; the empty line between headers and their list is part of the rule."""
    lines, signed = canonical_headers(headers)
    return f"{method}\n{path}\n{canonical_query(query)}\n{lines}\n{signed}\n{payload_hash}"


def string_to_sign(request: str) -> str:
    """String to sign of ``ACS3-HMAC-SHA256`` for a canonicalized request."""
    return f"{ACS3}\n{hashlib.sha256(request.encode()).hexdigest()}"


def signature(access_key_secret: str, text: str) -> str:
    """Hex HMAC-SHA256 of the string to sign; the key is the secret alone, without the ``&`` of the older form."""
    return hmac.new(access_key_secret.encode(), text.encode(), hashlib.sha256).hexdigest()


def authorization(access_key_id: str, signed_headers: str, signed: str) -> str:
    """Value of the ``Authorization`` header; there is no space after the commas."""
    return f"{ACS3} Credential={access_key_id},SignedHeaders={signed_headers},Signature={signed}"


def acs3_headers(
    *,
    method: str,
    path: str,
    query: Params,
    headers: Mapping[str, str],
    body: bytes,
    date: str,
    nonce: str,
    access_key_id: str,
    access_key_secret: str,
    security_token: str | None = None,
) -> dict[str, str]:
    """
    Headers that sign one request with ``ACS3-HMAC-SHA256``.

    :param headers: ``host``, ``content-type`` (if the request has one) and the request's own ``x-acs-*`` headers.
    :param body: exactly the bytes that are sent.
    :param date: UTC as ``yyyy-MM-ddTHH:mm:ssZ``; the service accepts 15 minutes either way.
    :param nonce: never used before; the service refuses a repeated one.
    :return: the headers to add, ``Authorization`` among them.
    """
    payload_hash = hashed_payload(body)
    added = {"x-acs-date": date, "x-acs-signature-nonce": nonce, "x-acs-content-sha256": payload_hash}
    if security_token:
        added["x-acs-security-token"] = security_token
    to_sign = {**headers, **added}
    request = canonical_request(method, path, query, to_sign, payload_hash)
    signed = signature(access_key_secret, string_to_sign(request))
    added["Authorization"] = authorization(access_key_id, ";".join(sorted(to_sign)), signed)
    return added


def rpc_string_to_sign(method: str, params: Params) -> str:
    """String to sign of ``HMAC-SHA1``: query and form parameters together, without ``Signature``, encoded twice."""
    unsigned = [(name, value) for name, value in _pairs(params) if name != "Signature"]
    return f"{method}&%2F&{percent_encode(canonical_query(unsigned))}"


def rpc_signature(access_key_secret: str, text: str) -> str:
    """Base64 HMAC-SHA1 of the string to sign; the key is the secret and an ``&``."""
    digest = hmac.new(f"{access_key_secret}&".encode(), text.encode(), hashlib.sha1).digest()
    return base64.b64encode(digest).decode()


def rpc_query(
    *,
    method: str,
    action: str,
    version: str,
    query: Params,
    form: Iterable[tuple[str, str]] = (),
    response_format: str,
    date: str,
    nonce: str,
    access_key_id: str,
    access_key_secret: str,
    security_token: str | None = None,
) -> list[tuple[str, str]]:
    """
    All query parameters of one request signed with ``HMAC-SHA1``, ``Signature`` among them.

    :param query: the operation's own parameters that are sent in the query.
    :param form: those that are sent in the body, as a form; they are signed along.
    :param response_format: ``JSON`` or ``XML``; without it the service answers in XML.
    :param date: UTC as ``yyyy-MM-ddTHH:mm:ssZ``.
    :param nonce: never used before; the service refuses a repeated one.
    """
    common = {
        "Action": action,
        "Version": version,
        "Format": response_format,
        "AccessKeyId": access_key_id,
        "SignatureMethod": RPC,
        "SignatureVersion": "1.0",
        "SignatureNonce": nonce,
        "Timestamp": date,
    }
    if security_token:
        common["SecurityToken"] = security_token
    form = list(form)
    in_form = {name for name, _ in form}
    common = {name: value for name, value in common.items() if name not in in_form}
    signed = [(name, value) for name, value in _pairs(query) if name not in common and name != "Signature"]
    signed += common.items()
    text = rpc_string_to_sign(method, [*signed, *form])
    return [*signed, ("Signature", rpc_signature(access_key_secret, text))]


def rpc_params(*, params: Mapping[str, str], **signed_with: str | None) -> dict[str, str]:
    """
    All parameters of one request signed with ``HMAC-SHA1``, by name; see :func:`rpc_query`.

    :param params: the operation's own parameters, wherever they are sent.
    """
    return dict(rpc_query(query=params, **signed_with))  # type: ignore[arg-type]


def sign(
    kind: str,
    keys: Credentials,
    *,
    method: str,
    path: str,
    query: Params,
    headers: Mapping[str, str],
    body: bytes,
    date: str,
    nonce: str,
) -> tuple[str, dict[str, str]]:
    """
    Sign one request.

    :param kind: one of :data:`SIGNATURES`.
    :param query: parameters of the URL; as pairs where a name may stand there more than once.
    :param headers: ``host``, ``x-acs-action``, ``x-acs-version``, ``content-type`` with a body, and others.
    :param body: exactly the bytes that are sent.
    :param date: UTC, like ``2026-11-26T12:00:00Z``.
    :param nonce: a text never used before.
    :return: the request's target (path and query) and the headers to add.
    """
    signed_with: dict[str, Any] = {
        "method": method,
        "date": date,
        "nonce": nonce,
        "access_key_id": keys.access_key_id,
        "access_key_secret": keys.access_key_secret,
        "security_token": keys.security_token,
    }
    if kind == ACS3:
        to_sign = {name: value for name, value in headers.items() if _is_signed(name)}
        added = acs3_headers(path=path, query=query, headers=to_sign, body=body, **signed_with)
        return f"{path}?{canonical_query(query)}" if query else path, added
    is_form = headers.get("content-type", "").lower().startswith(FORM)
    form = parse_qsl(body.decode(), keep_blank_values=True) if is_form else []
    named = {**dict(query), **dict(form)}
    signed = rpc_query(
        action=headers.get("x-acs-action", named.get("Action", "")),
        version=headers.get("x-acs-version", named.get("Version", "")),
        query=query,
        form=form,
        response_format="XML" if "xml" in headers.get("accept", "") else "JSON",
        **signed_with,
    )
    return f"{path}?{canonical_query(signed)}", {}


def _is_signed(name: str) -> bool:
    # The documented set. Others, such as user-agent, may be rewritten on the way.
    return name in ("host", "content-type") or (name.startswith("x-acs-") and name not in _ADDED)
