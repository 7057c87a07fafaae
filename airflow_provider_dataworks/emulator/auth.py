"""Checks access key, security token, clock, signature and nonce of a call; never changes a job."""

from __future__ import annotations

import hmac
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Final

from airflow_provider_dataworks.client.auth import signing

from .requests import Request
from .responses import Refusal

CLOCK_TOLERANCE_SECONDS: Final = 15 * 60
# A signed request is good for 15 minutes either side of its date, so a nonce older than both together can no longer
# be replayed. How long the real service remembers one is not published.
NONCE_MEMORY_SECONDS: Final = 2 * CLOCK_TOLERANCE_SECONDS + 60

_AUTHORIZATION: Final = re.compile(
    r"ACS3-HMAC-SHA256 Credential=(?P<id>[^,\s]+),SignedHeaders=(?P<names>[^,\s]+),Signature=(?P<signature>[0-9a-f]+)"
)


@dataclass(frozen=True)
class AccessKey:
    """
    A pair the emulator knows.

    :param id: AccessKey ID.
    :param secret: AccessKey secret.
    :param security_token: STS token the pair came with; every call must then carry it. Empty for a permanent pair.
    :param expires: seconds of the emulator's clock at which the token ends; ``None`` for never.
    """

    id: str
    secret: str = field(repr=False)
    security_token: str = field(default="", repr=False)
    expires: float | None = None

    def __post_init__(self) -> None:
        """Refuse an empty pair, which would let every caller of the emulator in who has none either."""
        if not self.id or not self.secret:
            raise ValueError("access key: id and secret must both be given, as ID:SECRET")


class Authenticator:
    """Checks every call the way the gateway in front of the service does."""

    def __init__(self, keys: Iterable[AccessKey]) -> None:
        self._keys = {key.id: key for key in keys}
        if not self._keys:
            raise ValueError("access keys: at least one is needed, or every call would be refused")
        self._nonces: dict[str, float] = {}

    def add(self, key: AccessKey) -> None:
        """Know one more pair, or the same id with another secret."""
        self._keys[key.id] = key

    def remove(self, identity: str) -> None:
        """Know a pair no longer, as after its deletion; the last one can go too."""
        self._keys.pop(identity, None)

    def admit(self, request: Request, now: float) -> str:
        """
        Let a call in.

        :param now: seconds of the emulator's clock, shifted as the emulator shifts it.
        :return: the access key id it came with.
        :raises Refusal: for every other call.
        """
        if request.repeated:
            raise Refusal(400, "InvalidParameter", f"The parameter {request.repeated} is given more than once.")
        if request.signature == signing.ACS3:
            return self._admit_acs3(request, now)
        if request.signature == signing.RPC:
            return self._admit_rpc(request, now)
        raise Refusal(400, "MissingAccessKeyId", "AccessKeyId is mandatory for this action.")

    def _admit_acs3(self, request: Request, now: float) -> str:
        match = _AUTHORIZATION.fullmatch(request.header("authorization"))
        if match is None:
            raise _incomplete("the Authorization header is not of the form ACS3-HMAC-SHA256 Credential=..")
        key = self._key(match["id"])
        nonce = _mandatory({"SignatureNonce": request.header("x-acs-signature-nonce")}, "SignatureNonce")
        _check_clock(request.header("x-acs-date"), now)
        _check_token(key, request.header("x-acs-security-token"), now)
        names = match["names"].split(";")
        _check_signed_headers(request, names)
        payload_hash = signing.hashed_payload(request.body)
        if request.header("x-acs-content-sha256").lower() != payload_hash:
            # The gateway hashes the body it received; the code for this case alone is not published.
            raise _mismatch("x-acs-content-sha256 is not the hash of the body that arrived")
        headers = [(name, value) for name, value in request.headers if name.lower() in names]
        query = dict(request.query_pairs)
        canonical = signing.canonical_request(request.method, request.path, query, headers, payload_hash)
        text = signing.string_to_sign(canonical)
        if not hmac.compare_digest(signing.signature(key.secret, text), match["signature"]):
            raise _mismatch(f"server string to sign is:{text}")
        self._check_nonce(key.id, nonce, now)
        return key.id

    def _admit_rpc(self, request: Request, now: float) -> str:
        params = request.params
        key = self._key(_mandatory(params, "AccessKeyId"))
        nonce = _mandatory(params, "SignatureNonce")
        given = _mandatory(params, "Signature")
        if _mandatory(params, "SignatureMethod") != signing.RPC or _mandatory(params, "SignatureVersion") != "1.0":
            raise _incomplete("only SignatureMethod HMAC-SHA1 with SignatureVersion 1.0 is served in this form")
        _check_clock(_mandatory(params, "Timestamp"), now)
        _check_token(key, params.get("SecurityToken", ""), now)
        text = signing.rpc_string_to_sign(request.method, params)
        # compare_digest refuses text beyond ASCII, which a caller may well send.
        if not hmac.compare_digest(signing.rpc_signature(key.secret, text).encode(), given.encode(errors="replace")):
            raise _mismatch(f"server string to sign is:{text}")
        self._check_nonce(key.id, nonce, now)
        return key.id

    def _key(self, identity: str) -> AccessKey:
        key = self._keys.get(identity)
        if key is None:
            raise Refusal(404, "InvalidAccessKeyId.NotFound", "Specified access key is not found.")
        return key

    def _check_nonce(self, identity: str, nonce: str, now: float) -> None:
        """Refuse a nonce seen before; only once the signature proved right, or strangers could use nonces up."""
        while self._nonces and now - self._nonces[oldest := next(iter(self._nonces))] > NONCE_MEMORY_SECONDS:
            del self._nonces[oldest]
        name = f"{identity} {nonce}"
        if name in self._nonces:
            raise Refusal(400, "SignatureNonceUsed", "Specified signature nonce was used already.")
        self._nonces[name] = now


def _mandatory(params: Mapping[str, str], name: str) -> str:
    value = params.get(name, "")
    if not value:
        raise Refusal(400, f"Missing{name}", f"{name} is mandatory for this action.")
    return value


def _incomplete(reason: str) -> Refusal:
    return Refusal(400, "IncompleteSignature", f"The request signature does not conform to Aliyun standards: {reason}.")


def _mismatch(reason: str) -> Refusal:
    return Refusal(400, "SignatureDoesNotMatch", f"Specified signature is not matched with our calculation. {reason}")


def _check_clock(date: str, now: float) -> None:
    """Refuse a date more than 15 minutes away from the emulator's clock."""
    _mandatory({"Timestamp": date}, "Timestamp")
    try:
        sent = datetime.strptime(date, "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=UTC).timestamp()
    except ValueError as error:
        raise Refusal(
            400, "InvalidTimeStamp.Format", "Specified time stamp or date value is not well formatted."
        ) from error
    if abs(now - sent) > CLOCK_TOLERANCE_SECONDS:
        raise Refusal(400, "InvalidTimeStamp.Expired", "Specified time stamp or date value is expired.")


def _check_token(key: AccessKey, token: str, now: float) -> None:
    """Refuse a token that is not the pair's own or has ended, with the HTTP status of the other signature errors."""
    if key.expires is not None and now >= key.expires:
        raise Refusal(400, "InvalidSecurityToken.Expired", "Specified SecurityToken is expired.")
    if hmac.compare_digest(key.security_token.encode(), token.encode(errors="replace")):
        return
    if not key.security_token:
        raise Refusal(
            400, "InvalidSecurityToken.MismatchWithAccessKey", "Specified SecurityToken mismatch with the AccessKey."
        )
    if not token:
        raise Refusal(400, "MissingSecurityToken", "SecurityToken is mandatory for this action.")
    raise Refusal(400, "InvalidSecurityToken.Malformed", "Specified SecurityToken is malformed.")


def _check_signed_headers(request: Request, names: list[str]) -> None:
    """
    Refuse a request that leaves a header unsigned that must be signed: ``host``, ``content-type``, all ``x-acs-*``.

    A ``content-type`` without a body is let pass: the vendor's own asynchronous client leaves it unsigned there,
    because its HTTP library adds the header after the signature was made.
    """
    for name, _ in request.headers:
        lower = name.lower()
        wanted = lower == "host" or lower.startswith("x-acs-") or (lower == "content-type" and request.body)
        if wanted and lower not in names:
            raise _incomplete(f"the header {lower} is not in SignedHeaders")
