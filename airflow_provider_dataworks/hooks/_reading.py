"""Reads a connection through Airflow, and once more where its keys were refused; judges no field and opens nothing."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from urllib.parse import quote

from airflow_provider_dataworks.client.auth.credentials import Credentials, Load
from airflow_provider_dataworks.client.errors.catalog import CATALOG
from airflow_provider_dataworks.exceptions import DataWorksAuthError, DataWorksUnavailable
from airflow_provider_dataworks.hooks._connection import Account, checked_extra, read_account, secrets_of
from airflow_provider_dataworks.version_compat import BaseHook, mask_secret, read_connection_in_event_loop

log = logging.getLogger(__name__)

_LONGEST = 300  # characters of an error of Airflow's


def mask(keys: Credentials) -> None:
    """Have Airflow mask keys in logs; asks Airflow and waits for it, so never on an event loop."""
    _mask_all(filter(None, (keys.access_key_secret, keys.security_token)))


def _mask_all(secrets: Iterable[str]) -> None:
    for secret in secrets:
        # Also as a URL spells it: with the older signature libraries may log one.
        for spelled in (secret, quote(secret, safe="~"), quote(quote(secret, safe="~"), safe="~")):
            mask_secret(spelled)


def read(hook: type[BaseHook], conn_id: str) -> Account:
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
    _mask_all(secrets_of(connection, extra))
    return _told(conn_id, read_account(connection, extra, _again(hook, conn_id)))


async def aread(hook: type[BaseHook], conn_id: str) -> Account:
    """
    Read a connection in an event loop, without blocking it; see :func:`read`.

    :raises DataWorksUnavailable: there is none, or Airflow cannot look it up now, which it does not tell apart.
    """
    # Airflow masks password and extra as it hands them out; telling it again would block the loop.
    with _looking_up(conn_id):
        connection, extra = await read_connection_in_event_loop(hook, conn_id)
    return _told(conn_id, read_account(connection, checked_extra(extra), _again(hook, conn_id)))


def _told(conn_id: str, account: Account) -> Account:
    """Log where a connection leads and who signs, so that whoever is on call need not look it up."""
    log.info("Connection %s: %s.", conn_id, account.description)
    return account


def _again(hook: type[BaseHook], conn_id: str) -> Load:
    """Make the command to read the keys of a connection once more, for when somebody rotated them."""

    def blocking() -> Credentials:
        with _rereading(conn_id):
            return _own_keys(read(hook, conn_id))

    async def native() -> Credentials:
        # Not in a thread: on an event loop of Airflow's, only its own asynchronous way may ask it.
        with _rereading(conn_id):
            return _own_keys(await aread(hook, conn_id))

    return Load(blocking, native)


@contextmanager
def _looking_up(conn_id: str) -> Iterator[None]:
    """Make whatever Airflow raises an error that is tried again: it says the same of a backend that is silent."""
    try:
        yield
    except Exception as error:
        text = "".join(each if each.isprintable() else " " for each in str(error))[:_LONGEST]
        raise DataWorksUnavailable(
            f"the connection cannot be read ({type(error).__name__}: {text}).",
            sent=False,
            conn_id=conn_id,
            **CATALOG["connection-unreadable"].kwargs,
        ) from error


@contextmanager
def _rereading(conn_id: str) -> Iterator[None]:
    try:
        yield
    except DataWorksUnavailable as error:  # of looking it up: it may be gone, or Airflow not be there for now
        raise DataWorksUnavailable(
            f"the connection {conn_id} could not be read again ({type(error.__cause__).__name__}).",
            sent=False,
            **CATALOG["connection-not-read-again"].kwargs,
        ) from error


def _own_keys(account: Account) -> Credentials:
    if account.credentials is None:
        raise DataWorksAuthError(
            "credential_type: of the connection has changed, so that it holds no keys any more.",
            **CATALOG["keys-removed"].kwargs,
        )
    return account.credentials
