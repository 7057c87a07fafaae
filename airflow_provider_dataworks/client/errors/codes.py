"""What each error code of the service, and each failure on the way to it, means; nothing here reads an answer."""

from __future__ import annotations

import re
import socket
import ssl

from airflow_provider_dataworks.client.errors.catalog import CATALOG, ErrorInfo

_EDITION = CATALOG["edition-too-low"]
_PERMISSION = CATALOG["ram-action-missing"]
_KEY = CATALOG["access-key"]
_SECRET = CATALOG["access-key-secret"]
_TOKEN = CATALOG["sts-token"]
_CLOCK = CATALOG["clock"]
_SLOW_DOWN = CATALOG["throttled"]
_BUSY = CATALOG["service-down"]
_WRONG_API = CATALOG["wrong-api-version"]
_REFUSED = CATALOG["request-refused"]
_NO_JOB = CATALOG["no-such-job"]

# Sources: the vendor's "Public error codes" and StopDIJob pages of 2020-05-18, the gateway's common codes, and for the
# numeric business codes of 2024-05-18, which the vendor does not list, what its Terraform provider does with them.
EXACT: dict[str, ErrorInfo] = {
    "Throttling.Api.Risk": CATALOG["daily-quota"],
    "Throttling.Resource": CATALOG["edition-quota"],
    "Forbidden.Access": _EDITION,
    "Forbidden.Not.Server": CATALOG["wrong-region"],
    "InvalidSecurityToken": _TOKEN,
    "MissingSecurityToken": _TOKEN,
    "SignatureDoesNotMatch": _SECRET,
    "InvalidAccessKeySecret": _SECRET,
    "IncompleteSignature": _SECRET,
    "IllegalTimestamp": _CLOCK,
    # A repeated nonce means that an earlier copy of the request arrived: its effect must be looked up, not asked again.
    "SignatureNonceUsed": CATALOG["answer-lost"],
    "ServiceUnavailable": _BUSY,
    "UnsupportedHTTPMethod": _WRONG_API,
    "9990020002": _SLOW_DOWN,
    "9990010001": CATALOG["not-activated"],
    "9990030003": _REFUSED,
    "403030": _PERMISSION,
    "500130": _NO_JOB,
    "1101080008": CATALOG["no-such-workspace"],
}
# First match wins, so the narrower pattern stands first.
PATTERNS: tuple[tuple[re.Pattern[str], ErrorInfo], ...] = tuple(
    (re.compile(pattern), meaning)
    for pattern, meaning in (
        (r"(Rejected\.)?Throttling(\..+)?", _SLOW_DOWN),
        (r"InvalidAccessKeyId\..*", _KEY),
        (r"InvalidSecurityToken\..*", _TOKEN),
        (r"InvalidTimeStamp\..*", _CLOCK),
        (r"ResourceNotAuthorized(\..*)?", CATALOG["not-in-workspace"]),
        (r"(Forbidden|NotAuthorized|NoPermission)(\..*)?", _PERMISSION),
        (r"InternalError(\..*)?", _BUSY),
        (r"(InvalidAction|InvalidApi|InvalidVersion)(\..*)?", _WRONG_API),
        (r".*(NotFound|NotExist)", _NO_JOB),
        (r"(Missing|Invalid|Param|Illegal|Unsupported).*", _REFUSED),
    )
)
# The keys were refused, and nothing was executed: with others, such as those rotated in the meantime, it may pass.
_ABOUT_KEYS = re.compile(
    r"InvalidAccessKeyId(\..+)?|InvalidSecurityToken(\..+)?|SignatureDoesNotMatch|InvalidAccessKeySecret"
)
_NUMERIC = re.compile(r"-?\d+")
_SYMBOL_IN_MESSAGE = re.compile(r"(?:^|[\s,:])((?:Throttling|Forbidden|InternalError)(?:\.\w+)*)")


def symbol(code: str | None, message: str) -> str | None:
    """
    Name under which a code is looked up.

    A numeric code, or none at all, may carry the symbolic one as its message (``9990020002``: ``Throttling.User``): the
    vendor's own troubleshooting pages show throttling so.
    """
    if code and (code in EXACT or not _NUMERIC.fullmatch(code)):
        return code
    found = _SYMBOL_IN_MESSAGE.search(message)
    return found.group(1) if found else code


def is_about_keys(code: str | None) -> bool:
    """Say whether the service refused the keys, so that newer ones may help."""
    return _ABOUT_KEYS.fullmatch(code or "") is not None


def is_known(code: str) -> bool:
    """Say whether a code means something by itself, whatever the HTTP status is."""
    return code in EXACT or any(pattern.fullmatch(code) for pattern, _ in PATTERNS)


def meaning(code: str | None, status: int, message: str = "") -> ErrorInfo:
    """Look at code, message and HTTP status together and say what the answer means."""
    name = symbol(code, message)
    if name in EXACT:
        return EXACT[name]
    for pattern, found in PATTERNS:
        if name and pattern.fullmatch(name):
            return found
    return _by_status(status, bool(code))


def _by_status(status: int, has_code: bool) -> ErrorInfo:
    if status == 429:
        return _SLOW_DOWN
    if status < 300 or status == 408 or status >= 500:
        return _BUSY
    if status == 401:
        return _KEY
    if status == 403:
        return _PERMISSION
    if status == 404:
        # Without a code the 404 is not DataWorks speaking but some other server at that address.
        return _NO_JOB if has_code else CATALOG["not-dataworks"]
    return _REFUSED


def network_error(error: BaseException, *, sent: bool, by_proxy: bool) -> ErrorInfo:
    """
    Return what kept a request or its answer from arriving.

    :param error: what the HTTP library raised; the system's own error stands among its causes.
    :param sent: whether the request may have arrived.
    :param by_proxy: whether the proxy itself refused.
    """
    if sent:
        return CATALOG["answer-lost"]
    if by_proxy:
        return CATALOG["proxy"]
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, socket.gaierror):
            return CATALOG["dns"]
        if isinstance(cause, ssl.SSLError):
            return CATALOG["tls"]
        cause = cause.__cause__ or cause.__context__
    return CATALOG["network"]
