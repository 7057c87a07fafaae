"""What an Airflow connection of type ``dataworks`` says, as checked settings and keys; opens and sends nothing."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from airflow_provider_dataworks.arguments import int64
from airflow_provider_dataworks.client.auth.credentials import Credentials, CredentialSource, Load
from airflow_provider_dataworks.client.auth.sts import sts_endpoint
from airflow_provider_dataworks.client.config import Settings, endpoint, refusal
from airflow_provider_dataworks.client.safe_values import plain_text
from airflow_provider_dataworks.hooks._credential_fields import Choice, source_of
from airflow_provider_dataworks.hooks._fields import key_field, number_field, text_field

if TYPE_CHECKING:
    from airflow_provider_dataworks.version_compat import Connection

# Names that Airflow's own Alibaba provider uses in extra for what stands in the standard fields here.
_SYNONYMS = {"login": "access_key_id", "password": "access_key_secret", "host": "endpoint"}


@dataclass(frozen=True)
class Account:
    """
    A connection, read and checked.

    :param source: where the keys come from.
    :param credentials: the connection's own keys, if it holds any.
    :param project_id: the workspace the connection names, if any.
    :param region: the region, as far as the connection names it.
    :param credential_type: which kind of keys it chooses.
    :param console: template of the console's address, with ``{region}`` and ``{project_id}``.
    """

    settings: Settings
    source: CredentialSource
    credentials: Credentials | None
    project_id: int | None
    region: str | None = None
    console: str | None = None
    credential_type: str = "access_key"

    @property
    def description(self) -> str:
        """One line for logs, without any secret: region, host, workspace, API version and who signs."""
        keys = f"credential_type {self.credential_type}"
        if self.credentials is not None:
            keys += f", AccessKey ID {_shortened(self.credentials.access_key_id)}"
        host = urlsplit(self.settings.endpoint).netloc
        workspace = self.project_id or "not named"
        return (
            f"region {self.region or 'not named'}, host {host}, workspace {workspace}, "
            f"API {self.settings.api_version}, {keys}"
        )

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


def checked_extra(extra: Any) -> Mapping[str, Any]:
    """
    Return a connection's extra, decoded, if it is what it must be.

    :raises DataWorksInvalidRequest: it is JSON, but not an object.
    """
    if not isinstance(extra, Mapping):
        problem = f"is a JSON {type(extra).__name__}, not an object"
        raise refusal("extra", problem, 'Give it like {"region": "cn-shanghai"}.')
    return extra


def secrets_of(connection: Connection, extra: Mapping[str, Any]) -> tuple[str, ...]:
    """Every value of the connection that must not be seen, so that it can be masked before anything can fail."""
    found = (connection.password, extra.get("access_key_secret"), extra.get("security_token"))
    return tuple(str(value) for value in found if value)


def read_account(connection: Connection, extra: Mapping[str, Any], again: Load | None = None) -> Account:
    """
    Read and check every field.

    :param extra: the connection's extra, decoded; how to get it without blocking depends on who asks.
    :param again: reads the connection's own keys once more, for when the service refuses them.
    :raises DataWorksInvalidRequest: naming the field and the remedy, before anything is sent.
    """
    fields = {field: _either(connection, extra, field) for field in _SYNONYMS}
    region = text_field("region", extra.get("region"))
    if not (fields["host"] or region) and extra:
        known = plain_text(f"extra holds: {', '.join(sorted(extra))}", 300)
        raise refusal("region", f"is missing, and there is no host ({known})", "Set region, for example cn-shanghai.")
    choices: dict[str, Any] = {
        name: text_field(name, extra.get(name)) for name in ("api_version", "signature", "ca_file")
    }
    limits = {name: number_field(name, extra.get(name)) for name in ("connect_timeout", "read_timeout", "max_qps")}
    network = text_field("network", extra.get("network"))
    settings = Settings(
        endpoint(region=region, network=network, host=fields["host"], port=connection.port or None),
        **{name: value for name, value in {**choices, **limits}.items() if value is not None},
    )
    choice = Choice(fields["login"], fields["password"], extra)
    project_id = extra.get("project_id")
    return Account(
        settings=settings,
        source=source_of(choice, sts_endpoint(region, network, choice.text("sts_endpoint")), again),
        credentials=choice.own_keys(),
        project_id=None if project_id in (None, "") else int64(project_id, "project_id"),
        region=region,
        credential_type=choice.kind,
        console=_console(text_field("console_url", extra.get("console_url"))),
    )


def _shortened(identity: str) -> str:
    """Return the ends of an AccessKey ID, by which those who know it recognize it."""
    return f"{identity[:4]}...{identity[-4:]}" if len(identity) > 8 else f"{identity[:2]}..."


def _console(template: str | None) -> str | None:
    if template and not template.startswith("https://"):
        raise refusal("console_url", "does not begin with https://", "Give the address as the browser shows it.")
    return template


def _either(connection: Connection, extra: Mapping[str, Any], field: str) -> str | None:
    read = text_field if field == "host" else key_field
    standard, other = read(field, getattr(connection, field)), text_field(_SYNONYMS[field], extra.get(_SYNONYMS[field]))
    if standard and other and standard != other:
        raise refusal(field, f"differs from {_SYNONYMS[field]} in extra", "Give it in one place only.")
    return standard or other
