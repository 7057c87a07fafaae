"""Fetches temporary keys of a RAM role from the Security Token Service; reads no connection and holds no keys.

``AssumeRole`` is signed with keys of another source; ``AssumeRoleWithOIDC`` proves who asks by a token from a file.
Both are done here and not by the vendor's library, which signs wrongly where a value holds a space, puts the OIDC token
into a URL, ignores ``NO_PROXY``, and quotes answers in its errors.

Follows https://www.alibabacloud.com/help/en/ram/developer-reference/api-sts-2015-04-01-assumerole and
https://www.alibabacloud.com/help/en/ram/developer-reference/api-sts-2015-04-01-assumerolewithoidc
"""

from __future__ import annotations

import os
import re
import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial

from airflow_provider_dataworks.client.auth.answers import keys_in, payload_of
from airflow_provider_dataworks.client.auth.credentials import Credentials, CredentialSource
from airflow_provider_dataworks.client.auth.signing import FORM, canonical_query, flat, form_body, rpc_params
from airflow_provider_dataworks.client.config import address, endpoint
from airflow_provider_dataworks.client.errors import ErrorInfo
from airflow_provider_dataworks.client.errors.catalog import CATALOG
from airflow_provider_dataworks.client.files import NotUsable, read_file
from airflow_provider_dataworks.client.http.decoding import Reply
from airflow_provider_dataworks.client.http.plain import ask
from airflow_provider_dataworks.exceptions import DataWorksAuthError
from airflow_provider_dataworks.values import invalid, plain_text

VERSION = "2015-04-01"
SESSION_NAME = "airflow-provider-dataworks"
DURATION = 3600
ROLE_ARN = re.compile(r"acs:ram::\d+:role/[\w.@/-]+", re.ASCII)

_LARGEST_TOKEN = 20_000  # bytes, as the vendor's page says
_JWT = re.compile(r"[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+")
_REMEDY = (
    "Enable RRSA for the pods of workers and of the triggerer, which mounts the token, or name the file that holds it."
)
_LONGEST = 4_000  # characters of a variable
# What a code means, by how it begins; the first that fits. The vendor's pages list no codes for OIDC: those are of its
# page on RRSA, and of what its libraries' tests expect.
ROLE_CODES: dict[str, ErrorInfo] = {
    "NoPermission": CATALOG["role-not-allowed"],
    "Forbidden": CATALOG["role-not-allowed"],
    "NotAuthorized": CATALOG["role-not-allowed"],
    "EntityNotExist": CATALOG["no-such-role"],
    "InvalidAccessKeyId": CATALOG["access-key"],
    "SignatureDoesNotMatch": CATALOG["access-key-secret"],
    "InvalidSecurityToken": CATALOG["sts-token"],
    "MissingSecurityToken": CATALOG["sts-token"],
    "InvalidTimeStamp": CATALOG["clock"],
    "IllegalTimestamp": CATALOG["clock"],
    "InvalidParameter.DurationSeconds": CATALOG["role-duration"],
    "": CATALOG["role-refused"],
}
OIDC_CODES: dict[str, ErrorInfo] = {
    "AuthenticationFail.NoPermission": CATALOG["oidc-not-trusted"],
    "NoPermission": CATALOG["oidc-not-trusted"],
    "AuthenticationFail": CATALOG["oidc-token"],
    "EntityNotExist": CATALOG["no-such-role"],
    "InvalidParameter.DurationSeconds": CATALOG["role-duration"],
    "": CATALOG["role-refused"],
}


def sts_endpoint(region: str | None, network: str | None, given: str | None = None) -> str:
    """
    Base address of the Security Token Service: the region's, the same from inside a VPC, or the central one.

    :param given: host or ``https://host`` to use instead; ``http`` only for a loopback address.
    :raises DataWorksInvalidRequest: naming the field.
    """
    if given:
        return address("sts_endpoint", given)
    if not region:
        return "https://sts.aliyuncs.com"
    endpoint(region=region, network="public")  # refuses what is no region
    return f"https://sts{'-vpc' if network == 'vpc' else ''}.{region}.aliyuncs.com"


@dataclass(frozen=True)
class AssumeRole:
    """
    Keys of a RAM role, assumed with keys of another source, which is asked anew each time.

    :param duration_seconds: life of the keys, 900 to 43200 and at most what the role allows.
    :param policy: JSON text that narrows what the keys may do.
    """

    base: CredentialSource
    endpoint: str
    role_arn: str
    role_session_name: str = SESSION_NAME
    duration_seconds: int = DURATION
    policy: str | None = None
    external_id: str | None = None
    nonce: Callable[[], str] = partial(secrets.token_hex, 16)
    max_age = float("inf")

    @property
    def identity(self) -> str:
        """The role."""
        return self.role_arn

    def fetch(self, clock: Callable[[], float], ca_file: str | None = None) -> Credentials:
        """Assume the role; a clock that the service finds wrong is corrected once."""
        keys = self.base.fetch(clock, ca_file)
        try:
            return self._assume(keys, clock, ca_file)
        except DataWorksAuthError as error:
            if error.clock_skew is None:
                raise
            return self._assume(keys, clock, ca_file, offset=error.clock_skew)

    def _assume(
        self, keys: Credentials, clock: Callable[[], float], ca_file: str | None, offset: float = 0.0
    ) -> Credentials:
        params = flat(
            {
                "RoleArn": self.role_arn,
                "RoleSessionName": self.role_session_name,
                "DurationSeconds": self.duration_seconds,
                "Policy": self.policy,
                "ExternalId": self.external_id,
            }
        )
        signed = rpc_params(
            method="POST",
            action="AssumeRole",
            version=VERSION,
            params=params,
            response_format="JSON",
            date=datetime.fromtimestamp(clock() + offset, UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
            nonce=self.nonce(),
            access_key_id=keys.access_key_id,
            access_key_secret=keys.access_key_secret,
            security_token=keys.security_token,
        )
        query = {name: value for name, value in signed.items() if name not in params}
        reply = _post("AssumeRole", f"{self.endpoint}/?{canonical_query(query)}", params, clock, ca_file)
        return _read("AssumeRole", reply, ROLE_CODES, f"{self.base.identity} got no keys of {self.role_arn}")


@dataclass(frozen=True)
class AssumeRoleWithOidc:
    """
    Keys of a RAM role for whoever holds an OIDC token, such as a pod on ACK with RRSA.

    What is ``None`` comes from the environment, where RRSA puts it: ``ALIBABA_CLOUD_ROLE_ARN``,
    ``ALIBABA_CLOUD_OIDC_PROVIDER_ARN``, ``ALIBABA_CLOUD_OIDC_TOKEN_FILE`` and ``ALIBABA_CLOUD_ROLE_SESSION_NAME``.

    :param token_file: path of the token, read anew each time because it is rotated.
    :param role_field: name of the connection's field for the role, for errors.
    """

    endpoint: str
    role_arn: str | None = None
    oidc_provider_arn: str | None = None
    token_file: str | None = None
    role_session_name: str | None = None
    duration_seconds: int = DURATION
    policy: str | None = None
    role_field: str = "role_arn"
    max_age = float("inf")

    @property
    def identity(self) -> str:
        """The role."""
        return self.role_arn or os.environ.get("ALIBABA_CLOUD_ROLE_ARN", "oidc")

    def fetch(self, clock: Callable[[], float], ca_file: str | None = None) -> Credentials:
        """Assume the role by the token of now."""
        role = self._or_environment(self.role_arn, self.role_field, "ROLE_ARN")
        provider = self._or_environment(self.oidc_provider_arn, "oidc_provider_arn", "OIDC_PROVIDER_ARN")
        path = self._or_environment(self.token_file, "oidc_token_file", "OIDC_TOKEN_FILE")
        file_field = "oidc_token_file" if self.token_file else "ALIBABA_CLOUD_OIDC_TOKEN_FILE"
        name = self.role_session_name or os.environ.get("ALIBABA_CLOUD_ROLE_SESSION_NAME") or SESSION_NAME
        token = _read_token(path, file_field)
        given = {
            "RoleArn": role,
            "OIDCProviderArn": provider,
            "RoleSessionName": name,
            "DurationSeconds": self.duration_seconds,
            "Policy": self.policy,
        }
        public = {
            "Action": "AssumeRoleWithOIDC",
            "Version": VERSION,
            "Format": "JSON",
            "Timestamp": datetime.fromtimestamp(clock(), UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
            "SignatureNonce": secrets.token_hex(16),
        }
        # All of it in the body, because a URL stands in the logs of whatever is on the way.
        body = flat({**public, **given, "OIDCToken": token})
        reply = _post("AssumeRoleWithOIDC", f"{self.endpoint}/", body, clock, ca_file)
        who = f"the token of {file_field} got no keys of {role}"
        return _read("AssumeRoleWithOIDC", reply, OIDC_CODES, who)

    def _or_environment(self, value: str | None, field: str, variable: str) -> str:
        name = f"ALIBABA_CLOUD_{variable}"
        found = value or os.environ.get(name)
        if not found:
            raise DataWorksAuthError(
                f"{field}: is missing, and {name} is not set in this process.",
                action="AssumeRoleWithOIDC",
                **CATALOG["oidc-not-set-up"].kwargs,
            )
        if not value and plain_text(found, _LONGEST) != found:
            raise invalid(name, "holds a character that no such value has, or is far too long")
        return found


def _read_token(path: str, field: str) -> str:
    """
    Return the token that a file holds.

    Nothing but a token may be sent: whoever may edit a connection chooses the file, and with ``sts_endpoint`` the host.

    :param field: field or variable that names the file, for errors, which say nothing of what it holds.
    """
    try:
        token = read_file(path, _LARGEST_TOKEN).decode("ascii").strip()
    except NotUsable as error:
        raise invalid(field, f"the file cannot be used ({error})", _REMEDY) from None
    except UnicodeDecodeError:
        token = ""
    if not _JWT.fullmatch(token):
        raise invalid(field, "the file holds no OIDC token (a JWT: three parts with dots between them)", _REMEDY)
    return token


def _post(action: str, url: str, params: Mapping[str, str], clock: Callable[[], float], ca_file: str | None) -> Reply:
    headers = {"content-type": FORM, "accept": "application/json"}
    body = form_body(params)
    return ask("POST", url, clock=clock, headers=headers, body=body, ca_file=ca_file, action=action)


def _read(action: str, reply: Reply, rows: Mapping[str, ErrorInfo], who: str) -> Credentials:
    return keys_in(action, payload_of(action, reply, rows, who).get("Credentials"), reply)
