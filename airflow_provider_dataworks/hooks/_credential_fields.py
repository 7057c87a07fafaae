"""Which source of keys a connection chooses, field by field; a field that does not fit is refused, never ignored."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from airflow_provider_dataworks.client.auth.credentials import Credentials, CredentialSource, StaticCredentials
from airflow_provider_dataworks.client.auth.default_chain import DefaultChain
from airflow_provider_dataworks.client.auth.metadata import ROLE_NAME, CredentialsUri, EcsRamRole
from airflow_provider_dataworks.client.auth.profile import Profile
from airflow_provider_dataworks.client.auth.sts import DURATION, ROLE_ARN, SESSION_NAME, AssumeRole, AssumeRoleWithOidc
from airflow_provider_dataworks.client.config import one_of
from airflow_provider_dataworks.hooks._fields import json_field, key_field, text_field
from airflow_provider_dataworks.values import int64, invalid, shown

_KEYS = frozenset(("login", "password", "security_token"))
_ROLE = frozenset(("role_arn", "role_session_name", "duration_seconds", "policy", "sts_endpoint"))
_OIDC = frozenset(("oidc_provider_arn", "oidc_token_file"))
# What each type reads.
_FITTING: dict[str, frozenset[str]] = {
    "access_key": _KEYS,
    "sts": _KEYS,
    "ram_role_arn": _ROLE | {"external_id", "source_credential_type"},
    "ecs_ram_role": frozenset(("role_name", "disable_imds_v1")),
    "oidc_role_arn": _ROLE | _OIDC,
    "credentials_uri": frozenset(("credentials_uri",)),
    "profile": frozenset(("profile",)),
    "default": frozenset(("sts_endpoint",)),
}
TYPES = tuple(_FITTING)
# With what a role can be assumed; an STS token goes along with access_key.
SOURCE_TYPES = ("access_key", "ecs_ram_role", "oidc_role_arn", "credentials_uri", "profile", "default")
_FLAGS = frozenset(("disable_imds_v1",))
_FIELDS = frozenset[str]().union(*_FITTING.values()) | {"source_role_arn"}
# Names by which the vendor's library knows them.
_SYNONYMS = {"oidc_token_file": "oidc_token_file_path", "duration_seconds": "role_session_expiration"}
_SESSION_NAME = re.compile(r"[\w.@=-]{2,64}", re.ASCII)
_LONGEST = 2048  # characters, of a policy


@dataclass(frozen=True)
class CredentialFields:
    """The fields of a connection that say who signs."""

    login: str | None
    password: str | None = field(repr=False)
    extra: Mapping[str, Any] = field(repr=False)

    @property
    def kind(self) -> str:
        """The ``credential_type``, found by itself where a connection holds keys."""
        found = self.text("credential_type") or ("sts" if self.text("security_token") else "access_key")
        return one_of("credential_type", found, TYPES)

    @property
    def base(self) -> str:
        """With what a role is assumed."""
        return one_of("source_credential_type", self.text("source_credential_type") or "access_key", SOURCE_TYPES)

    def given(self, name: str) -> Any:
        """Return a field as it stands there, under either of its names, or ``None`` where it is empty."""
        if name in ("login", "password"):
            return getattr(self, name) or None
        found = [self.extra.get(each) for each in (name, _SYNONYMS.get(name, name))]
        nothing = (None, "", False) if name in _FLAGS else (None, "")
        values = [value for value in found if not any(value is none for none in nothing) and value != ""]
        if len(values) > 1 and values[0] != values[1] and str(values[0]) != str(values[1]):
            raise invalid(name, f"differs from {_SYNONYMS[name]}", "Give it under one name only.")
        return values[0] if values else None

    def text(self, name: str) -> str | None:
        """Return a field that is text, without space around it."""
        return text_field(name, self.given(name))

    def own_keys(self) -> Credentials | None:
        """Return the keys that stand in the connection, where its type uses them."""
        if self.kind not in ("access_key", "sts") and (self.kind != "ram_role_arn" or self.base != "access_key"):
            return None
        # A blank key is never filled from somewhere else, such as the environment: it would sign as somebody else.
        login, password = key_field("login", self.login), key_field("password", self.password)
        if not login:
            raise invalid("login", "the AccessKey ID is missing", "Set login of the connection to the AccessKey ID.")
        if not password:
            raise invalid("password", "the AccessKey Secret is missing", "Set password to the AccessKey Secret.")
        token = self.text("security_token")
        if self.kind == "sts" and not token:
            raise invalid("security_token", "is missing although credential_type is sts", "Set the STS token.")
        return Credentials(login, password, token)

    def refuse_what_does_not_fit(self) -> None:
        """Refuse fields of other types by name: ignored, one of them could let somebody else sign."""
        fitting, kind = _FITTING[self.kind], self.kind
        if kind == "ram_role_arn":
            fitting |= _FITTING[self.base] | ({"source_role_arn"} if self.base == "oidc_role_arn" else frozenset())
            kind = f"{kind} with source_credential_type {self.base}"
        wrong = sorted(name for name in _FIELDS - fitting if self.given(name) is not None)
        if wrong:
            remedy = f"Remove {', '.join(wrong)}, or choose the credential_type that is meant."
            raise invalid(wrong[0], f"does not go with credential_type {kind}", remedy)


def source_of(
    fields: CredentialFields, sts: Callable[[], str], read_again: Callable[[], Credentials] | None = None
) -> CredentialSource:
    """
    Return the source that a connection chooses.

    :param sts: returns the address of the Security Token Service.
    :param read_again: reads the connection's own keys once more.
    :raises DataWorksInvalidRequest: naming the field.
    """
    fields.refuse_what_does_not_fit()
    if fields.kind != "ram_role_arn":
        return _plain(fields.kind, fields, sts, read_again)
    if fields.base == "oidc_role_arn":
        base: CredentialSource = AssumeRoleWithOidc(
            sts(),
            _role(fields, "source_role_arn"),
            fields.text("oidc_provider_arn"),
            fields.text("oidc_token_file"),
            _session_name(fields),
            role_field="source_role_arn",
        )
    else:
        base = _plain(fields.base, fields, sts, read_again)
    role_arn = _role(fields, "role_arn")
    if role_arn is None:
        raise invalid("role_arn", "is missing", "Set the ARN of the RAM role, like acs:ram::1234567890:role/name.")
    return AssumeRole(
        base,
        sts(),
        role_arn,
        _session_name(fields) or SESSION_NAME,
        _duration(fields),
        _policy(fields),
        fields.text("external_id"),
    )


def _plain(
    kind: str, fields: CredentialFields, sts: Callable[[], str], read_again: Callable[[], Credentials] | None
) -> CredentialSource:
    own = fields.own_keys()
    if own is not None:
        return StaticCredentials(own, read_again)
    if kind == "ecs_ram_role":
        name = fields.text("role_name")
        if name and not ROLE_NAME.fullmatch(name):
            raise invalid("role_name", "is not the name of a RAM role", "Give the name, not the ARN.")
        return EcsRamRole(name, _flag(fields, "disable_imds_v1"))
    if kind == "oidc_role_arn":
        return AssumeRoleWithOidc(
            sts(),
            _role(fields, "role_arn"),
            fields.text("oidc_provider_arn"),
            fields.text("oidc_token_file"),
            _session_name(fields),
            _duration(fields),
            _policy(fields),
        )
    if kind == "credentials_uri":
        uri = fields.text("credentials_uri")
        if uri is None:
            raise invalid("credentials_uri", "is missing", "Set the address that answers with keys.")
        return CredentialsUri(uri)
    return Profile(fields.text("profile")) if kind == "profile" else DefaultChain(sts())


def _role(fields: CredentialFields, name: str) -> str | None:
    found = fields.text(name)
    if found and not ROLE_ARN.fullmatch(found):
        raise invalid(name, f"{shown(found)} is not the ARN of a role", "Give it like acs:ram::1234567890:role/name.")
    return found


def _session_name(fields: CredentialFields) -> str | None:
    found = fields.text("role_session_name")
    if found and not _SESSION_NAME.fullmatch(found):
        raise invalid(
            "role_session_name", f"{shown(found)} is no session name", "Use 2 to 64 of letters, digits and .@-_="
        )
    return found


def _duration(fields: CredentialFields) -> int:
    found = fields.given("duration_seconds")
    if found is None:
        return DURATION
    seconds = int64(found, "duration_seconds")
    if not 900 <= seconds <= 43200:
        raise invalid("duration_seconds", f"{seconds} is not from 900 to 43200", "Give seconds, such as 3600.")
    return seconds


def _policy(fields: CredentialFields) -> str | None:
    found = fields.given("policy")
    # Written out in the extra, it is an object already.
    text = json.dumps(found, separators=(",", ":")) if isinstance(found, Mapping) else json_field("policy", found)
    if text is None:
        return None
    try:
        good = len(text) <= _LONGEST and isinstance(json.loads(text), dict)
    except (ValueError, RecursionError):
        good = False
    if not good:
        raise invalid("policy", f"is not a JSON object of up to {_LONGEST} characters", "Give a RAM policy.")
    return text


def _flag(fields: CredentialFields, name: str) -> bool:
    found = fields.given(name)
    if isinstance(found, bool | None):
        return bool(found)
    if str(found).strip().lower() not in ("true", "false"):
        raise invalid(name, f"{shown(found)} is neither true nor false")
    return str(found).strip().lower() == "true"
