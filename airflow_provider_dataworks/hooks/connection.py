"""What an Airflow connection of type ``dataworks`` says, as checked settings and keys; opens and sends nothing."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from airflow_provider_dataworks.client.calls import int64
from airflow_provider_dataworks.client.credentials import Credentials
from airflow_provider_dataworks.client.settings import Settings, endpoint, refusal

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import Connection

_CREDENTIAL_TYPES = ("access_key", "sts")
# Names that Airflow's own Alibaba provider uses in extra for what stands in the standard fields here.
_SYNONYMS = {"login": "access_key_id", "password": "access_key_secret", "host": "endpoint"}


@dataclass(frozen=True)
class Account:
    """
    A connection, read and checked.

    :param project_id: the workspace the connection names, if any.
    :param region: the region, as far as the connection names it.
    :param console: template of the console's address, with ``{region}`` and ``{project_id}``.
    """

    settings: Settings
    credentials: Credentials
    project_id: int | None
    region: str | None = None
    console: str | None = None

    def console_url(self, project_id: int | None) -> str:
        """
        Return the address of a workspace in the DataWorks console.

        The vendor publishes no address of a DI job's page; this one leads to the workspace, the closest that is known.
        """
        workspace = project_id or self.project_id
        if self.console:
            return self.console.replace("{region}", self.region or "").replace("{project_id}", str(workspace or ""))
        if self.region and workspace:
            return f"https://dataworks.data.aliyun.com/{self.region}/sc?defaultProjectId={workspace}"
        return "https://dataworks.console.aliyun.com/workspace/list"


def secrets_of(connection: Connection, extra: Mapping[str, Any]) -> tuple[str, ...]:
    """Every value of the connection that must not be seen, so that it can be masked before anything can fail."""
    found = (connection.password, extra.get("access_key_secret"), extra.get("security_token"))
    return tuple(str(value) for value in found if value)


def read_account(connection: Connection, extra: Mapping[str, Any]) -> Account:
    """
    Read and check every field.

    :param extra: the connection's extra, decoded; how to get it without blocking depends on who asks.
    :raises DataWorksInvalidRequest: naming the field and the remedy, before anything is sent.
    """
    fields = {field: _either(connection, extra, field) for field in _SYNONYMS}
    region = _optional(extra, "region")
    if not (fields["host"] or region) and extra:
        known = f"extra holds: {', '.join(sorted(extra))}"
        raise refusal("region", f"is missing, and there is no host ({known})", "Set region, for example cn-shanghai.")
    choices: dict[str, Any] = {name: _optional(extra, name) for name in ("api_version", "signature", "ca_file")}
    limits = {name: _number(extra, name) for name in ("connect_timeout", "read_timeout", "max_qps")}
    settings = Settings(
        endpoint(region=region, network=_optional(extra, "network"), host=fields["host"], port=connection.port or None),
        **{name: value for name, value in {**choices, **limits}.items() if value is not None},
    )
    project_id = extra.get("project_id")
    return Account(
        settings=settings,
        credentials=_credentials(extra, fields),
        project_id=None if project_id in (None, "") else int64(project_id, "project_id"),
        region=region,
        console=_console(_optional(extra, "console_url")),
    )


def _credentials(extra: Mapping[str, Any], fields: Mapping[str, str | None]) -> Credentials:
    token = _optional(extra, "security_token")
    kind = _optional(extra, "credential_type") or ("sts" if token else "access_key")
    if kind not in _CREDENTIAL_TYPES:
        raise refusal("credential_type", f"{kind!r} is not known", f"Use one of: {', '.join(_CREDENTIAL_TYPES)}.")
    # A blank key is never filled from somewhere else, such as the environment: it would sign as somebody else.
    if not fields["login"]:
        raise refusal("login", "the AccessKey ID is missing", "Set login of the connection to the AccessKey ID.")
    if not fields["password"]:
        raise refusal("password", "the AccessKey Secret is missing", "Set password to the AccessKey Secret.")
    if kind == "sts" and not token:
        raise refusal("security_token", "is missing although credential_type is sts", "Set the STS token.")
    return Credentials(fields["login"], fields["password"], token)


def _console(template: str | None) -> str | None:
    if template and not template.startswith("https://"):
        raise refusal("console_url", "does not begin with https://", "Give the address as the browser shows it.")
    return template


def _either(connection: Connection, extra: Mapping[str, Any], field: str) -> str | None:
    standard, other = getattr(connection, field) or None, _optional(extra, _SYNONYMS[field])
    if standard and other and standard != other:
        raise refusal(field, f"differs from {_SYNONYMS[field]} in extra", "Give it in one place only.")
    return standard or other


def _optional(extra: Mapping[str, Any], name: str) -> str | None:
    value = extra.get(name)
    if value in (None, ""):
        return None
    if not isinstance(value, str):
        raise refusal(name, f"is a {type(value).__name__}, not text")
    return value.strip() or None


def _number(extra: Mapping[str, Any], name: str) -> float | None:
    value = extra.get(name)
    if value in (None, ""):
        return None
    try:
        if isinstance(value, bool):
            raise TypeError(name)
        return float(value)
    except (TypeError, ValueError) as error:
        raise refusal(name, f"{value!r} is not a number") from error
