"""Keys from wherever this machine has them, in the order of the vendor's tools; asks none of them by itself."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass

from airflow_provider_dataworks.client.auth.credentials import (
    Credentials,
    CredentialSource,
    Fetching,
    StaticCredentials,
)
from airflow_provider_dataworks.client.auth.metadata import ROLE_NAME, CredentialsUri, EcsRamRole
from airflow_provider_dataworks.client.auth.profile import Profile
from airflow_provider_dataworks.client.auth.sts import AssumeRoleWithOidc
from airflow_provider_dataworks.client.errors.catalog import CATALOG
from airflow_provider_dataworks.exceptions import (
    DataWorksAuthError,
    DataWorksError,
    DataWorksInvalidRequest,
    DataWorksUnavailable,
)

# Sources that somebody named: where they fail for a reason of this machine, another's keys may not sign instead.
_MEANT = ("OIDC", "credentials URI")
_AGE = 60.0  # seconds; what a source says of the life of its keys goes before


@dataclass(frozen=True)
class DefaultChain:
    """
    Keys from environment variables, OIDC, a profile, the ECS metadata service or a credentials URI: the first that has.

    The environment is read at each fetch; the vendor's library reads it once, as it is imported.

    :param sts_endpoint: for OIDC.
    """

    sts_endpoint: str
    max_age = _AGE

    @property
    def identity(self) -> str:
        """The chain, of which a process has one."""
        return "default"

    def fetch(self, now: float) -> Fetching:
        """
        Ask one after the other.

        :raises DataWorksError: none has keys; says of each why not.
        """
        tried: list[str] = []
        later = False
        for name, found in self._sources():
            if isinstance(found, str):
                tried.append(f"{name}: {found}")
                continue
            try:
                return (yield from found.fetch(now))
            except DataWorksError as error:
                for_now = isinstance(error, DataWorksUnavailable)
                if name in _MEANT and (for_now or isinstance(error, DataWorksInvalidRequest)):
                    raise
                why = error.summary.removeprefix(f"{error.action} failed").removeprefix(": ").rstrip(".")
                tried.append(f"{name}: {why.strip()}")
                later = later or for_now
        message = f"no keys were found. {'; '.join(tried)}."
        if later:
            known = CATALOG["no-keys-for-now"].kwargs
            raise DataWorksUnavailable(message, sent=False, action="Default credentials", **known)
        raise DataWorksAuthError(message, action="Default credentials", **CATALOG["no-keys-found"].kwargs)

    def _sources(self) -> Iterator[tuple[str, CredentialSource | str]]:
        yield "environment", _from_environment()
        variables = ("ROLE_ARN", "OIDC_PROVIDER_ARN", "OIDC_TOKEN_FILE")
        missing = [f"ALIBABA_CLOUD_{name}" for name in variables if not _variable(name)]
        oidc = AssumeRoleWithOidc(self.sts_endpoint)
        yield "OIDC", f"{', '.join(missing)} not set" if missing else oidc
        yield "profile", Profile()
        yield "ECS metadata", _instance()
        uri = _variable("CREDENTIALS_URI")
        yield "credentials URI", _uri(uri) if uri else "ALIBABA_CLOUD_CREDENTIALS_URI not set"


def _variable(name: str) -> str | None:
    return os.environ.get(f"ALIBABA_CLOUD_{name}") or None


def _is_true(name: str) -> bool:
    return (_variable(name) or "").lower() == "true"


def _from_environment() -> CredentialSource | str:
    identity, secret = _variable("ACCESS_KEY_ID"), _variable("ACCESS_KEY_SECRET")
    if not identity or not secret:
        return "ALIBABA_CLOUD_ACCESS_KEY_ID or ALIBABA_CLOUD_ACCESS_KEY_SECRET not set"
    return StaticCredentials(Credentials(identity, secret, _variable("SECURITY_TOKEN")))


def _instance() -> CredentialSource | str:
    if _is_true("ECS_METADATA_DISABLED"):
        return "switched off by ALIBABA_CLOUD_ECS_METADATA_DISABLED"
    name = _variable("ECS_METADATA")
    if name and not ROLE_NAME.fullmatch(name):
        return "ALIBABA_CLOUD_ECS_METADATA is no name of a role"
    return EcsRamRole(name, _is_true("IMDSV1_DISABLED"))


def _uri(uri: str) -> CredentialSource | str:
    try:
        return CredentialsUri(uri)
    except ValueError as error:
        return str(error)
