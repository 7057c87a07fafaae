"""What a connection may say, and how it is told what is wrong with it."""

from __future__ import annotations

import json
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import emulated  # noqa: F401 - sets Airflow's home before Airflow is imported
import pytest
from airflow.models.connection import Connection
from airflow_limits import needs
from emulated import in_triggerer

from airflow_provider_dataworks.exceptions import DataWorksInvalidRequest
from airflow_provider_dataworks.get_provider_info import CONN_FIELDS
from airflow_provider_dataworks.hooks import _connection as fields_of
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

    assert account.config.endpoint == endpoint


def test_defaults_are_those_of_the_design() -> None:
    """A connection with keys and region needs nothing else."""
    account = read_account(connection(REGION, **KEYS))

    assert account.config.api_version == "2020-05-18"
    assert account.config.signature == "ACS3-HMAC-SHA256"
    assert (account.config.connect_timeout, account.config.read_timeout, account.config.max_qps) == (5, 10, 5)
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

    assert account.config.api_version == "2024-05-18"
    assert account.config.signature == "HMAC-SHA1"
    assert (account.config.connect_timeout, account.config.read_timeout, account.config.max_qps) == (3, 7.5, 20)
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

    assert account.config.ca_file == "/nowhere/ca.pem"


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
@pytest.mark.parametrize("how", ["blocking", "in a triggerer"])
def test_an_extra_that_is_no_object_is_named(monkeypatch: pytest.MonkeyPatch, extra: str, how: str) -> None:
    """For a task and for a trigger."""
    found = {"conn_type": "dataworks", "extra": extra, **KEYS}
    monkeypatch.setenv("AIRFLOW_CONN_DATAWORKS_DEFAULT", json.dumps(found))
    hook = DataWorksHook()

    with pytest.raises(DataWorksInvalidRequest, match="extra: is a JSON"):
        _ = hook.account if how == "blocking" else in_triggerer(hook)


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


TEXTS = (
    *("region", "network", "api_version", "signature", "console_url", "ca_file", "security_token", "credential_type"),
    *("role_arn", "role_session_name", "external_id", "policy", "sts_endpoint", "source_credential_type", "role_name"),
    *("oidc_provider_arn", "oidc_token_file", "credentials_uri", "profile"),
    *("access_key_id", "access_key_secret", "endpoint"),
)
# Which type of credentials reads a field, where not each does.
READ_BY = {
    **dict.fromkeys(("role_session_name", "external_id", "policy", "source_credential_type"), "ram_role_arn"),
    **dict.fromkeys(("role_arn", "sts_endpoint"), "ram_role_arn"),
    **dict.fromkeys(("oidc_provider_arn", "oidc_token_file"), "oidc_role_arn"),
    "role_name": "ecs_ram_role",
    "credentials_uri": "credentials_uri",
    "profile": "profile",
}
ROLE = {"role_arn": "acs:ram::1:role/r"}


def with_field(name: str, value: Any) -> fields_of.Account:
    """Read a connection with one odd field among good ones, of the type that reads it."""
    fields, extra = dict(KEYS), dict(REGION)
    if kind := READ_BY.get(name):
        fields, extra = (fields, {**extra, **ROLE}) if kind == "ram_role_arn" else ({}, extra)
        extra["credential_type"] = kind
    if name in ("login", "password", "host"):
        fields[name] = value
    else:
        fields.pop({"access_key_id": "login", "access_key_secret": "password"}.get(name, ""), None)
        extra[name] = value
    # Not one of Airflow's own, whose models of a database refuse some of it by themselves.
    found = SimpleNamespace(**{"login": None, "password": None, "host": None, "port": None, **fields})
    return fields_of.read_account(found, extra)


@pytest.mark.parametrize(
    ("name", "read"),
    [
        ("external_id", lambda account: account.source.external_id),
        ("role_session_name", lambda account: account.source.role_session_name),
        ("role_name", lambda account: account.source.role_name),
        ("profile", lambda account: account.source.name),
        ("security_token", lambda account: account.credentials.security_token),
        ("access_key_secret", lambda account: account.credentials.access_key_secret),
    ],
)
@pytest.mark.parametrize("given", [20260117, "20260117"])
def test_digits_are_text_where_text_is_wanted(name: str, read: Any, given: Any) -> None:
    """Airflow makes a number of them where the connection is a URI."""
    assert read(with_field(name, given)) == "20260117"


@needs("odd-extra")
def test_digits_of_a_connection_uri(monkeypatch: pytest.MonkeyPatch) -> None:
    """As Airflow itself hands them out."""
    uri = "dataworks://LTAIexample:secret@/?region=cn-shanghai&credential_type=ram_role_arn&external_id=20260117&"
    monkeypatch.setenv("AIRFLOW_CONN_DATAWORKS_DEFAULT", f"{uri}role_arn=acs%3Aram%3A%3A1%3Arole%2Fr&project_id=1967")
    account = DataWorksHook().account

    assert (account.source.external_id, account.project_id) == ("20260117", 1967)


ODD = {
    "true": True,
    "false": False,
    "a fraction": 1.5,
    "a list": ["a"],
    "an object": {"a": "odd-value"},
    "a line end": "odd-value\nX: y",
    "a NUL": "odd-value\0",
    "an escape": "odd-value\x1b[31m",
    "half a character": "odd-value\ud83d",
    "a turn of direction": "odd-value\u202e",
    "endless": "odd-value" * 100_000,
}
# No secrets: what is wrong with them may be shown, shortened.
SHOWN = ("region", "network", "api_version", "signature", "credential_type", "source_credential_type", "host")


@pytest.mark.parametrize("name", ["login", "password", "host", *TEXTS])
def test_odd_fields_are_refused_by_their_name(name: str) -> None:
    """Whatever they hold, which may be a secret, and before anything is sent."""
    names = {name, {"access_key_id": "login", "access_key_secret": "password", "endpoint": "host"}.get(name, name)}
    misses = []
    for what, value in ODD.items():
        # Airflow itself makes text of the standard fields; a policy that is written out is an object.
        if (what, name) == ("an object", "policy") or (name in KEYS | {"host": ""} and not isinstance(value, str)):
            continue
        try:
            with_field(name, value)
        except DataWorksInvalidRequest as error:
            said = str(error)
            said.encode()
            is_good = error.message.partition(":")[0] in names and len(said) < 1_000
            if not is_good or ("odd-value" in said and name not in SHOWN):
                misses.append((what, said[:300]))
        except Exception as error:
            misses.append((what, repr(error)[:300]))
        else:
            misses.append((what, "taken"))

    assert misses == []


@pytest.mark.parametrize("name", ["connect_timeout", "read_timeout", "max_qps", "project_id", "duration_seconds"])
def test_odd_numbers_are_refused_by_their_name(name: str) -> None:
    """Also such as no computer would hold."""
    misses = []
    odd = [True, "x" * 10_000, "9" * 10_000, 10**400, -1, "nan", "inf", "1e999", "\ud83d", [1], {"a": 1}, float("nan")]
    for value in odd:
        extra = {**REGION, name: value}
        if name == "duration_seconds":
            extra |= {"credential_type": "ram_role_arn", **ROLE}
        try:
            fields_of.read_account(connection(REGION, **KEYS), extra)
        except DataWorksInvalidRequest as error:
            str(error).encode()
            if not error.message.startswith(f"{name}: ") or len(str(error)) > 1_000:
                misses.append((repr(value)[:20], error.message[:200]))
        except Exception as error:
            misses.append((repr(value)[:20], repr(error)[:200]))
        else:
            misses.append((repr(value)[:20], "taken"))

    assert misses == []
