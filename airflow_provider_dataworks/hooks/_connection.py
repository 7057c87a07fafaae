"""Reads an Airflow connection of type ``dataworks`` as checked settings and keys; never opens or sends anything."""

from __future__ import annotations

import logging
from collections.abc import Callable, Coroutine, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, urlsplit

from airflow_provider_dataworks.client.auth.credentials import Credentials, CredentialSource
from airflow_provider_dataworks.client.auth.sts import sts_endpoint
from airflow_provider_dataworks.client.config import ClientConfig, endpoint
from airflow_provider_dataworks.client.errors.catalog import CATALOG
from airflow_provider_dataworks.exceptions import DataWorksAuthError, DataWorksUnavailable
from airflow_provider_dataworks.hooks._credential_fields import CredentialFields, source_of
from airflow_provider_dataworks.hooks._fields import key_field, number_field, text_field
from airflow_provider_dataworks.values import int64, invalid, plain_text
from airflow_provider_dataworks.version_compat import BaseHook, mask_secret, read_connection_in_event_loop

if TYPE_CHECKING:
    from airflow_provider_dataworks.version_compat import Connection

log = logging.getLogger(__name__)

_LONGEST_ERROR = 300  # characters of an error of Airflow's
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

    config: ClientConfig
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
        host = urlsplit(self.config.endpoint).netloc
        workspace = self.project_id or "not named"
        return (
            f"region {self.region or 'not named'}, host {host}, workspace {workspace}, "
            f"API {self.config.api_version}, {keys}"
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
        raise invalid("extra", problem, 'Give it like {"region": "cn-shanghai"}.')
    return extra


def secrets_of(connection: Connection, extra: Mapping[str, Any]) -> tuple[str, ...]:
    """Every value of the connection that must not be seen, so that it can be masked before anything can fail."""
    found = (connection.password, extra.get("access_key_secret"), extra.get("security_token"))
    return tuple(str(value) for value in found if value)


def read_account(
    connection: Connection, extra: Mapping[str, Any], read_again: Callable[[], Credentials] | None = None
) -> Account:
    """
    Read and check every field.

    :param extra: the connection's extra, decoded; how to get it without blocking depends on who asks.
    :param read_again: reads the connection's own keys once more, for when the service refuses them.
    :raises DataWorksInvalidRequest: naming the field and the remedy, before anything is sent.
    """
    fields = {field: _either(connection, extra, field) for field in _SYNONYMS}
    region = text_field("region", extra.get("region"))
    if not (fields["host"] or region) and extra:
        known = plain_text(f"extra holds: {', '.join(sorted(extra))}", 300)
        raise invalid("region", f"is missing, and there is no host ({known})", "Set region, for example cn-shanghai.")
    choices: dict[str, Any] = {
        name: text_field(name, extra.get(name)) for name in ("api_version", "signature", "ca_file")
    }
    limits = {name: number_field(name, extra.get(name)) for name in ("connect_timeout", "read_timeout", "max_qps")}
    network = text_field("network", extra.get("network"))
    config = ClientConfig(
        endpoint(region=region, network=network, host=fields["host"], port=connection.port or None),
        **{name: value for name, value in {**choices, **limits}.items() if value is not None},
    )
    credential = CredentialFields(fields["login"], fields["password"], extra)
    project_id = extra.get("project_id")

    def sts() -> str:
        return sts_endpoint(region, network, credential.text("sts_endpoint"))

    return Account(
        config=config,
        source=source_of(credential, sts, read_again),
        credentials=credential.own_keys(),
        project_id=None if project_id in (None, "") else int64(project_id, "project_id"),
        region=region,
        credential_type=credential.kind,
        console=_console(text_field("console_url", extra.get("console_url"))),
    )


def _shortened(identity: str) -> str:
    """Return the ends of an AccessKey ID, by which those who know it recognize it."""
    return f"{identity[:4]}...{identity[-4:]}" if len(identity) > 8 else f"{identity[:2]}..."


def _console(template: str | None) -> str | None:
    if template and not template.startswith("https://"):
        raise invalid("console_url", "does not begin with https://", "Give the address as the browser shows it.")
    return template


def _either(connection: Connection, extra: Mapping[str, Any], field: str) -> str | None:
    read = text_field if field == "host" else key_field
    standard, other = read(field, getattr(connection, field)), text_field(_SYNONYMS[field], extra.get(_SYNONYMS[field]))
    if standard and other and standard != other:
        raise invalid(field, f"differs from {_SYNONYMS[field]} in extra", "Give it in one place only.")
    return standard or other


def mask(keys: Credentials) -> None:
    """Have Airflow mask keys in logs; asks Airflow and waits for it, so never on an event loop."""
    mask_all(filter(None, (keys.access_key_secret, keys.security_token)))


def mask_all(secrets: Iterable[str]) -> None:
    """Have Airflow mask texts in logs; see :func:`mask`."""
    for secret in secrets:
        # Also as a URL spells it: with the older signature libraries may log one.
        for spelled in (secret, quote(secret, safe="~"), quote(quote(secret, safe="~"), safe="~")):
            mask_secret(spelled)


def read_from_airflow(hook: type[BaseHook], conn_id: str) -> Account:
    """
    Read a connection, its secrets masked.

    :param hook: class to read through; not the hook itself, because whoever may read again holds on to it for long.
    :raises DataWorksInvalidRequest: naming the field that is wrong.
    :raises DataWorksUnavailable: there is none, or Airflow cannot look it up now, which it does not tell apart.
    """
    with _looking_up(conn_id):
        connection = hook.get_connection(conn_id)
        found = connection.extra_dejson
    extra = checked_extra(found)
    mask_all(secrets_of(connection, extra))
    return _logged(conn_id, read_account(connection, extra, lambda: own_keys(read_from_airflow, hook, conn_id)))


async def read_in_event_loop(
    hook: type[BaseHook], conn_id: str, run_in_loop: Callable[[Coroutine[Any, Any, Account]], Account]
) -> Account:
    """
    Read a connection in an event loop, without blocking it; see :func:`read_from_airflow`.

    :param run_in_loop: runs a coroutine in that loop, called from another thread, and returns what it returns.
    :raises DataWorksUnavailable: there is none, or Airflow cannot look it up now, which it does not tell apart.
    """
    # Airflow masks password and extra as it hands them out; telling it again would block the loop.
    with _looking_up(conn_id):
        connection, extra = await read_connection_in_event_loop(hook, conn_id)

    def read_again(hook: type[BaseHook], conn_id: str) -> Account:
        # Where a triggerer runs, Airflow's own way to its database is this loop's alone.
        return run_in_loop(read_in_event_loop(hook, conn_id, run_in_loop))

    account = read_account(connection, checked_extra(extra), lambda: own_keys(read_again, hook, conn_id))
    return _logged(conn_id, account)


def _logged(conn_id: str, account: Account) -> Account:
    """Log where a connection leads and who signs, so that whoever is on call need not look it up."""
    log.info("Connection %s: %s.", conn_id, account.description)
    return account


@contextmanager
def _looking_up(conn_id: str) -> Iterator[None]:
    """Make whatever Airflow raises an error that is tried again: it says the same of a backend that is silent."""
    try:
        yield
    except Exception as error:
        text = "".join(each if each.isprintable() else " " for each in str(error))[:_LONGEST_ERROR]
        raise DataWorksUnavailable(
            f"the connection cannot be read ({type(error).__name__}: {text}).",
            sent=False,
            conn_id=conn_id,
            **CATALOG["connection-unreadable"].kwargs,
        ) from error


def own_keys(read: Callable[[type[BaseHook], str], Account], hook: type[BaseHook], conn_id: str) -> Credentials:
    """
    Read a connection's keys once more, for when somebody rotated them.

    :raises DataWorksUnavailable: it may be gone, or Airflow cannot look it up now.
    """
    try:
        account = read(hook, conn_id)
    except DataWorksUnavailable as error:
        raise DataWorksUnavailable(
            f"the connection {conn_id} could not be read again ({type(error.__cause__).__name__}).",
            sent=False,
            **CATALOG["connection-not-read-again"].kwargs,
        ) from error
    if account.credentials is None:
        raise DataWorksAuthError(
            "credential_type: of the connection has changed, so that it holds no keys any more.",
            **CATALOG["keys-removed"].kwargs,
        )
    return account.credentials
