"""What each error code of the service means and what to do about it, as one table; nothing here reads an answer."""

from __future__ import annotations

import re
from dataclasses import dataclass

from airflow_provider_dataworks.exceptions import (
    DataWorksAuthError,
    DataWorksError,
    DataWorksForbidden,
    DataWorksInvalidRequest,
    DataWorksNotFound,
    DataWorksQuotaExceeded,
    DataWorksThrottled,
    DataWorksUnavailable,
)


@dataclass(frozen=True)
class Meaning:
    """The error class for a code, and the remedy that the reader of a red task needs."""

    error: type[DataWorksError]
    remedy: str | None = None


_SLOW_DOWN = Meaning(
    DataWorksThrottled,
    "Nothing to do if retries are left: Airflow tries again. If it lasts, let fewer tasks call at once (an Airflow "
    "pool), lower max_qps on the connection, or poll less often.",
)
_QUOTA = (
    "The calls of the account and region are used up: {}. Retrying cannot help; poll less often, or ask for a higher "
    "edition."
)
_EDITION = Meaning(
    DataWorksForbidden,
    "DI job calls of API 2020-05-18 need DataWorks Enterprise or Flagship (Ultimate) Edition in this region. With "
    "another edition set api_version to 2024-05-18 on the connection; otherwise activate the edition.",
)
_PERMISSION = Meaning(
    DataWorksForbidden,
    "Grant the RAM user or role the action named (dataworks:<operation>, or AliyunDataWorksFullAccess) and make it a "
    "member of the workspace with a role that may operate DI jobs.",
)
_KEY = Meaning(DataWorksAuthError, "Check login (AccessKey ID) and password (AccessKey Secret) of the connection.")
_SECRET = Meaning(
    DataWorksAuthError,
    "The AccessKey Secret (password of the connection) does not belong to this AccessKey ID, or something on the way "
    "changes requests, such as a proxy.",
)
_TOKEN = Meaning(
    DataWorksAuthError, "The STS token expired or is incomplete: renew login, password and security_token together."
)
_CLOCK = Meaning(
    DataWorksAuthError,
    "The service accepts requests within 15 minutes of its own clock: synchronize the clock of this machine (NTP).",
)
_BUSY = Meaning(
    DataWorksUnavailable,
    "Nothing to do if retries are left. If it lasts, give the request id to Alibaba Cloud support.",
)
_WRONG_API = Meaning(
    DataWorksInvalidRequest,
    "The endpoint does not offer this operation: check api_version, region and host of the connection.",
)
_BAD_VALUE = Meaning(DataWorksInvalidRequest, "Correct the parameter that the message names.")
_NO_JOB = Meaning(
    DataWorksNotFound,
    "Check the id, that the connection's region is the job's, and that api_version is the one the job was made with.",
)

# Sources: the vendor's "Public error codes" and StopDIJob pages of 2020-05-18, the gateway's common codes, and for the
# numeric business codes of 2024-05-18, which the vendor does not list, what its Terraform provider does with them.
EXACT: dict[str, Meaning] = {
    "Throttling.Api.Risk": Meaning(
        DataWorksQuotaExceeded, _QUOTA.format("the daily limit of this operation is reached")
    ),
    "Throttling.Resource": Meaning(DataWorksQuotaExceeded, _QUOTA.format("the limit of the edition is reached")),
    "Forbidden.Access": _EDITION,
    "Forbidden.Not.Server": Meaning(
        DataWorksInvalidRequest, "The DataWorks API is not offered in this region: set the region of the workspace."
    ),
    "InvalidSecurityToken": _TOKEN,
    "MissingSecurityToken": _TOKEN,
    "SignatureDoesNotMatch": _SECRET,
    "InvalidAccessKeySecret": _SECRET,
    "IncompleteSignature": _SECRET,
    "IllegalTimestamp": _CLOCK,
    # A repeated nonce means that an earlier copy of the request arrived: its effect must be looked up, not asked again.
    "SignatureNonceUsed": Meaning(
        DataWorksUnavailable, "An earlier copy of this request arrived; look at the job's state."
    ),
    "ServiceUnavailable": _BUSY,
    "UnsupportedHTTPMethod": _WRONG_API,
    "9990020002": _SLOW_DOWN,
    "9990010001": Meaning(DataWorksForbidden, "Activate DataWorks in this account and region."),
    "9990030003": _BAD_VALUE,
    "403030": _PERMISSION,
    "500130": _NO_JOB,
    "1101080008": Meaning(
        DataWorksNotFound, "Check project_id and the connection's region: there is no such workspace."
    ),
}
# First match wins, so the narrower pattern stands first.
PATTERNS: tuple[tuple[re.Pattern[str], Meaning], ...] = tuple(
    (re.compile(pattern), meaning)
    for pattern, meaning in (
        (r"(Rejected\.)?Throttling(\..+)?", _SLOW_DOWN),
        (r"InvalidAccessKeyId\..*", _KEY),
        (r"InvalidSecurityToken\..*", _TOKEN),
        (r"InvalidTimeStamp\..*", _CLOCK),
        (r"(Forbidden|ResourceNotAuthorized|NotAuthorized|NoPermission)(\..*)?", _PERMISSION),
        (r"InternalError(\..*)?", _BUSY),
        (r"(InvalidAction|InvalidApi|InvalidVersion)(\..*)?", _WRONG_API),
        (r".*(NotFound|NotExist)", _NO_JOB),
        (r"(Missing|Invalid|Param|Illegal|Unsupported).*", _BAD_VALUE),
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


def meaning(code: str | None, status: int, message: str = "") -> Meaning:
    """Look at code, message and HTTP status together and say what the answer means."""
    name = symbol(code, message)
    if name in EXACT:
        return EXACT[name]
    for pattern, found in PATTERNS:
        if name and pattern.fullmatch(name):
            return found
    return _by_status(status, bool(code))


def _by_status(status: int, has_code: bool) -> Meaning:
    if status == 429:
        return _SLOW_DOWN
    if status >= 500 or status in (200, 408):
        return _BUSY
    if status == 401:
        return _KEY
    if status == 403:
        return _PERMISSION
    if status == 404:
        # Without a code the 404 is not DataWorks speaking but some other server at that address.
        return _NO_JOB if has_code else _WRONG_API
    return Meaning(DataWorksInvalidRequest, "Check the request named here against the vendor's page of the operation.")
