"""What a connection may say, and how it is told what is wrong with it."""

from __future__ import annotations

import asyncio
import json
from dataclasses import replace
from typing import Any

import emulated  # noqa: F401 - sets Airflow's home before Airflow is imported
import pytest
from airflow.models.connection import Connection
from airflow_limits import needs

from airflow_provider_dataworks.exceptions import DataWorksInvalidRequest
from airflow_provider_dataworks.get_provider_info import CONN_FIELDS
from airflow_provider_dataworks.hooks import connection as fields_of
from airflow_provider_dataworks.hooks.dataworks import DataWorksHook

KEYS: dict[str, Any] = {"login": "LTAIexample", "password": "example-secret"}
REGION = {"region": "cn-shanghai"}


def connection(extra: Any = None, **fields: Any) -> Connection:
    """Make a connection as Airflow hands it out."""
    text = extra if isinstance(extra, str) else json.dumps(extra or {})
    return Connection(conn_id="c", conn_type="dataworks", extra=text, **fields)


def read_account(found: Connection) -> fields_of.Account:
    """Read a connection as the hook does."""
    return fields_of.read_account(found, found.extra_dejson)


@pytest.mark.parametrize(
    ("fields", "extra", "endpoint"),
    [
        pytest.param({}, REGION, "https://dataworks.cn-shanghai.aliyuncs.com", id="region"),
        pytest.param({}, {**REGION, "network": "vpc"}, "https://dataworks-vpc.cn-shanghai.aliyuncs.com", id="vpc"),
        pytest.param({"port": 443}, REGION, "https://dataworks.cn-shanghai.aliyuncs.com", id="form-default-port"),
        pytest.param({"port": 0}, REGION, "https://dataworks.cn-shanghai.aliyuncs.com", id="port-zero-of-the-form"),
        pytest.param({"host": "dataworks.example.com"}, {}, "https://dataworks.example.com", id="bare-host"),
        pytest.param(
            {"host": "https://Example.com", "port": 8443}, {}, "https://example.com:8443", id="https-host-port"
        ),
        pytest.param({"host": "http://127.0.0.1", "port": 8900}, {}, "http://127.0.0.1:8900", id="loopback-http"),
        pytest.param({"host": "http://[::1]", "port": 8900}, {}, "http://[::1]:8900", id="loopback-v6"),
        pytest.param(
            {}, {"endpoint": "dataworks.example.com"}, "https://dataworks.example.com", id="endpoint-in-extra"
        ),
        pytest.param({}, {"region": "cn-qingdao"}, "https://dataworks.aliyuncs.com", id="region-of-the-central-host"),
        pytest.param(
            {}, {"region": "cn-guangzhou"}, "https://dataworks.cn-guangzhou.aliyuncs.com", id="region-not-listed"
        ),
        pytest.param({"host": "a.example.com"}, REGION, "https://a.example.com", id="host-wins-over-region"),
    ],
)
def test_endpoint_follows_host_region_and_network(fields: dict[str, Any], extra: dict[str, Any], endpoint: str) -> None:
    """The address is the region's, or the host given in its place."""
    account = read_account(connection(extra, **KEYS, **fields))

    assert account.settings.endpoint == endpoint


def test_defaults_are_those_of_the_design() -> None:
    """A connection with keys and region needs nothing else."""
    account = read_account(connection(REGION, **KEYS))

    assert account.settings.api_version == "2020-05-18"
    assert account.settings.signature == "ACS3-HMAC-SHA256"
    assert (account.settings.connect_timeout, account.settings.read_timeout, account.settings.max_qps) == (5, 10, 5)
    assert account.project_id is None


def test_every_field_is_read_also_as_text() -> None:
    """A connection given as URI holds text only; empty and null fields of the form count as not given."""
    extra = {
        **REGION,
        "network": None,
        "api_version": "2024-05-18",
        "signature": "HMAC-SHA1",
        "security_token": "token-text",
        "connect_timeout": "3",
        "read_timeout": 7.5,
        "max_qps": "20",
        "project_id": "1967",
        "credential_type": "",
    }

    account = read_account(connection(extra, **KEYS))

    assert account.settings.api_version == "2024-05-18"
    assert account.settings.signature == "HMAC-SHA1"
    assert (account.settings.connect_timeout, account.settings.read_timeout, account.settings.max_qps) == (3, 7.5, 20)
    assert account.project_id == 1967
    assert account.credentials.security_token == "token-text"


@pytest.mark.parametrize("nothing", [None, ""], ids=["null", "empty"])
def test_fields_that_the_form_left_empty_count_as_not_given(nothing: str | None) -> None:
    """Airflow saves every field of the form, untouched ones as their default or null, cleared ones as null or empty."""
    untouched = {name: field["schema"].get("default") for name, field in CONN_FIELDS.items()}
    cleared = dict.fromkeys(CONN_FIELDS, nothing)

    def read(extra: dict[str, object]) -> tuple[object, ...]:
        account = read_account(connection({**extra, **REGION}, **KEYS))
        return replace(account, source=None), type(account.source), account.source.identity

    assert read(untouched) == read(cleared) == read({})


def test_a_file_of_authorities_is_taken_by_its_path_and_not_opened() -> None:
    """A connection is read in event loops, too; the file is opened where the first connection is made."""
    account = read_account(connection({**REGION, "ca_file": "/nowhere/ca.pem"}, **KEYS))

    assert account.settings.ca_file == "/nowhere/ca.pem"


def test_names_of_airflows_alibaba_provider_are_accepted_in_extra() -> None:
    """Who comes from the Alibaba provider keeps the connection as it is."""
    extra = {**REGION, "access_key_id": "LTAIother", "access_key_secret": "other-secret"}

    account = read_account(connection(extra))

    assert account.credentials.access_key_id == "LTAIother"
    assert account.credentials.access_key_secret == "other-secret"


@pytest.mark.parametrize(
    ("fields", "extra", "field"),
    [
        pytest.param({"password": "s"}, REGION, "login", id="no-login"),
        pytest.param({"login": "a"}, REGION, "password", id="no-password"),
        pytest.param(KEYS, {}, "region", id="no-region"),
        pytest.param(KEYS, {"regoin": "cn-shanghai"}, "regoin", id="misspelled-region-is-shown"),
        pytest.param(KEYS, {"region": "CN-Shanghai"}, "region", id="region-in-capitals"),
        pytest.param(KEYS, {"region": "x.evil.example/"}, "region", id="region-as-host"),
        pytest.param(KEYS, {"region": 5}, "region", id="region-number"),
        pytest.param(KEYS, {**REGION, "network": "vpn"}, "network", id="network"),
        pytest.param(KEYS, {"region": "cn-qingdao", "network": "vpc"}, "network", id="no-vpc-host"),
        pytest.param(KEYS, {**REGION, "ca_file": "ca.pem"}, "ca_file", id="ca-file-not-absolute"),
        pytest.param(KEYS, {**REGION, "ca_file": True}, "ca_file", id="ca-file-no-text"),
        pytest.param({**KEYS, "host": "a.example.com"}, {"region": "a/b"}, "region", id="region-beside-a-host"),
        pytest.param(KEYS, {**REGION, "api_version": "2020"}, "api_version", id="api-version"),
        pytest.param(KEYS, {**REGION, "signature": "MD5"}, "signature", id="signature"),
        pytest.param(KEYS, {**REGION, "connect_timeout": "soon"}, "connect_timeout", id="timeout-word"),
        pytest.param(KEYS, {**REGION, "read_timeout": 0}, "read_timeout", id="timeout-zero"),
        pytest.param(KEYS, {**REGION, "read_timeout": True}, "read_timeout", id="timeout-bool"),
        pytest.param(KEYS, {**REGION, "max_qps": -1}, "max_qps", id="max-qps-negative"),
        pytest.param(KEYS, {**REGION, "max_qps": "nan"}, "max_qps", id="max-qps-nan"),
        pytest.param(KEYS, {**REGION, "project_id": "abc"}, "project_id", id="project-id"),
        pytest.param(KEYS, {**REGION, "credential_type": "magic"}, "credential_type", id="credential-type"),
        pytest.param(KEYS, {**REGION, "credential_type": "sts"}, "security_token", id="sts-without-token"),
        pytest.param(KEYS, {**REGION, "access_key_id": "LTAIother"}, "login", id="two-different-logins"),
        pytest.param({**KEYS, "host": "http://dataworks.example.com"}, {}, "host", id="plain-http"),
        pytest.param({**KEYS, "host": "https://example.com/path"}, {}, "host", id="host-with-path"),
        pytest.param({**KEYS, "host": "ftp://example.com"}, {}, "host", id="host-with-other-scheme"),
        pytest.param({**KEYS, "host": "user:pw@example.com"}, {}, "host", id="host-with-user"),
        pytest.param({**KEYS, "host": "example.com", "port": 70000}, {}, "port", id="port"),
    ],
)
def test_wrong_field_is_named_with_its_remedy(fields: dict[str, Any], extra: dict[str, Any], field: str) -> None:
    """Each wrong or missing field gets an error that names it and says what to do."""
    with pytest.raises(DataWorksInvalidRequest, match=field) as caught:
        read_account(connection(extra, **fields))

    assert "What to do:" in str(caught.value)
    assert "pw" not in str(caught.value)


@needs("odd-extra")
@pytest.mark.parametrize("extra", ['["cn-shanghai"]', "5", '"cn-shanghai"', "null"])
@pytest.mark.parametrize("how", ["blocking", "asyncio"])
def test_an_extra_that_is_no_object_is_named(monkeypatch: pytest.MonkeyPatch, extra: str, how: str) -> None:
    """For a task and for a trigger."""
    found = {"conn_type": "dataworks", "extra": extra, **KEYS}
    monkeypatch.setenv("AIRFLOW_CONN_DATAWORKS_DEFAULT", json.dumps(found))
    hook = DataWorksHook()

    with pytest.raises(DataWorksInvalidRequest, match="extra: is a JSON"):
        _ = hook.account if how == "blocking" else asyncio.run(hook.load_account())


def test_blank_secret_is_never_filled_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """A connection without a secret must not sign with somebody else's."""
    monkeypatch.setenv("ALIBABA_CLOUD_ACCESS_KEY_ID", "LTAIenvironment")
    monkeypatch.setenv("ALIBABA_CLOUD_ACCESS_KEY_SECRET", "environment-secret")

    with pytest.raises(DataWorksInvalidRequest, match="password"):
        read_account(connection(REGION, login="LTAIexample", password=""))


def test_secrets_are_listed_for_masking_wherever_they_stand() -> None:
    """Password, secret in extra and token are all masked, also of a connection that is otherwise wrong."""
    extra = {"access_key_secret": "other-secret", "security_token": "token-text"}

    found = connection(extra, password="example-secret")

    assert set(fields_of.secrets_of(found, found.extra_dejson)) == {
        "example-secret",
        "other-secret",
        "token-text",
    }


def test_repr_of_an_account_shows_no_secret() -> None:
    """Neither the account nor its parts print keys."""
    account = read_account(connection({**REGION, "security_token": "token-text"}, **KEYS))

    assert "example-secret" not in repr(account)
    assert "token-text" not in repr(account)
