"""Which source of keys a connection chooses, and that a field of another source is refused instead of ignored."""

from __future__ import annotations

import json
from typing import Any

import emulated  # noqa: F401 - sets Airflow's home before Airflow is imported
import pytest
from airflow.models.connection import Connection

from airflow_provider_dataworks.client.auth.credentials import Credentials, StaticCredentials
from airflow_provider_dataworks.client.auth.default_chain import DefaultChain
from airflow_provider_dataworks.client.auth.metadata import CredentialsUri, EcsRamRole
from airflow_provider_dataworks.client.auth.profile import Profile
from airflow_provider_dataworks.client.auth.sts import AssumeRole, AssumeRoleWithOidc
from airflow_provider_dataworks.exceptions import DataWorksInvalidRequest
from airflow_provider_dataworks.get_provider_info import CONN_FIELDS
from airflow_provider_dataworks.hooks import _credential_fields as sources
from airflow_provider_dataworks.hooks._connection import Account, read_account

KEYS: dict[str, Any] = {"login": "LTAIexample", "password": "example-secret"}
ROLE, OTHER_ROLE = "acs:ram::1234567890:role/maintenance", "acs:ram::1234567890:role/pods"
PROVIDER = "acs:ram::1234567890:oidc-provider/ack"
STS = "https://sts.cn-shanghai.aliyuncs.com"
POLICY = '{"Version": "1", "Statement": []}'


def account(fields: dict[str, Any], **extra: Any) -> Account:
    """Read a connection with these fields and this extra."""
    found = Connection(
        conn_id="c", conn_type="dataworks", extra=json.dumps({"region": "cn-shanghai", **extra}), **fields
    )
    return read_account(found, found.extra_dejson)


@pytest.mark.parametrize(
    ("extra", "source"),
    [
        pytest.param({"credential_type": "ecs_ram_role"}, EcsRamRole(), id="ecs-found-by-itself"),
        pytest.param(
            {"credential_type": "ecs_ram_role", "role_name": "r", "disable_imds_v1": True},
            EcsRamRole("r", True),
            id="ecs",
        ),
        pytest.param(
            {"credential_type": "ecs_ram_role", "disable_imds_v1": "true"}, EcsRamRole(None, True), id="ecs-as-text"
        ),
        pytest.param({"credential_type": "oidc_role_arn"}, AssumeRoleWithOidc(STS), id="oidc-all-from-environment"),
        pytest.param(
            {
                "credential_type": "oidc_role_arn",
                "role_arn": ROLE,
                "oidc_provider_arn": PROVIDER,
                "oidc_token_file_path": "/var/run/token",
                "role_session_name": "name",
                "role_session_expiration": "7200",
                "policy": POLICY,
            },
            AssumeRoleWithOidc(STS, ROLE, PROVIDER, "/var/run/token", "name", 7200, POLICY),
            id="oidc-by-the-vendors-names",
        ),
        pytest.param(
            {"credential_type": "credentials_uri", "credentials_uri": "https://keys.example/x"},
            CredentialsUri("https://keys.example/x"),
            id="uri",
        ),
        pytest.param({"credential_type": "profile"}, Profile(), id="profile-current"),
        pytest.param({"credential_type": "profile", "profile": "prod"}, Profile("prod"), id="profile"),
        pytest.param({"credential_type": "default"}, DefaultChain(STS), id="default"),
        pytest.param(
            {"credential_type": "default", "sts_endpoint": "sts.example.com"},
            DefaultChain("https://sts.example.com"),
            id="default-with-sts",
        ),
        pytest.param(
            {"credential_type": "ram_role_arn", "role_arn": ROLE, "source_credential_type": "ecs_ram_role"},
            AssumeRole(EcsRamRole(), STS, ROLE),
            id="role-by-instance",
        ),
        pytest.param(
            {
                "credential_type": "ram_role_arn",
                "role_arn": ROLE,
                "source_credential_type": "oidc_role_arn",
                "source_role_arn": OTHER_ROLE,
                "duration_seconds": 900,
                "external_id": "e",
                "policy": {"Version": "1"},
                "network": "vpc",
            },
            AssumeRole(
                AssumeRoleWithOidc(
                    "https://sts-vpc.cn-shanghai.aliyuncs.com", OTHER_ROLE, role_field="source_role_arn"
                ),
                "https://sts-vpc.cn-shanghai.aliyuncs.com",
                ROLE,
                duration_seconds=900,
                policy='{"Version":"1"}',
                external_id="e",
            ),
            id="role-by-oidc",
        ),
    ],
)
def test_each_type_reads_its_fields(extra: dict[str, Any], source: object) -> None:
    """And no key of the connection."""
    found = account({}, **extra)

    assert found.credentials is None
    assert found.source == source


@pytest.mark.parametrize(
    ("extra", "keys"),
    [
        pytest.param({}, Credentials("LTAIexample", "example-secret"), id="by-itself"),
        pytest.param({"credential_type": "access_key"}, Credentials("LTAIexample", "example-secret"), id="access-key"),
        pytest.param({"security_token": "t"}, Credentials("LTAIexample", "example-secret", "t"), id="token-alone"),
        pytest.param(
            {"credential_type": "access_key", "security_token": "t"},
            Credentials("LTAIexample", "example-secret", "t"),
            id="token-in-a-form-that-names-its-first-type",
        ),
        pytest.param(
            {"credential_type": "sts", "security_token": "t"},
            Credentials("LTAIexample", "example-secret", "t"),
            id="sts",
        ),
    ],
)
def test_written_keys_are_those_of_the_connection(extra: dict[str, Any], keys: Credentials) -> None:
    """With or without a token."""
    found = account(KEYS, **extra)

    assert isinstance(found.source, StaticCredentials)
    assert found.credentials == keys


@pytest.mark.parametrize("more", [{}, {"source_credential_type": "access_key"}, {"security_token": "t"}])
def test_a_role_is_assumed_with_the_connections_keys(more: dict[str, str]) -> None:
    """By default, and with a token where there is one."""
    found = account(KEYS, credential_type="ram_role_arn", role_arn=ROLE, **more)

    assert isinstance(found.source, AssumeRole)
    assert isinstance(found.source.base, StaticCredentials)
    assert found.credentials == Credentials("LTAIexample", "example-secret", more.get("security_token"))
    assert found.source.identity == ROLE


EXAMPLES: dict[str, Any] = {
    "login": "LTAIexample",
    "password": "example-secret",
    "security_token": "t",
    "role_arn": ROLE,
    "source_credential_type": "profile",
    "source_role_arn": OTHER_ROLE,
    "role_session_name": "name",
    "duration_seconds": 900,
    "policy": POLICY,
    "external_id": "e",
    "role_name": "r",
    "disable_imds_v1": True,
    "oidc_provider_arn": PROVIDER,
    "oidc_token_file": "/t",
    "credentials_uri": "https://keys.example/",
    "profile": "p",
    "sts_endpoint": "sts.example.com",
}
LEAST: dict[str, dict[str, Any]] = {
    "access_key": KEYS,
    "sts": {**KEYS, "security_token": "t"},
    "ram_role_arn": {**KEYS, "role_arn": ROLE},
    "ecs_ram_role": {},
    "oidc_role_arn": {},
    "credentials_uri": {"credentials_uri": "https://keys.example/"},
    "profile": {},
    "default": {},
}


def given(kind: str, **more: Any) -> Account:
    """Read the least connection of a type, with more fields."""
    fields = {**LEAST[kind], **more}
    standard = {name: fields.pop(name) for name in ("login", "password") if name in fields}
    return account(standard, credential_type=kind, **fields)


@pytest.mark.parametrize("kind", sources.TYPES)
@pytest.mark.parametrize("name", EXAMPLES)
def test_a_field_of_another_type_is_refused_by_its_name(kind: str, name: str) -> None:
    """Ignored, it could let somebody else sign than who wrote it meant."""
    if kind == "ram_role_arn":
        fits = name in sources._FITTING[kind] | sources._KEYS and name != "source_credential_type"
    else:
        fits = name in sources._FITTING[kind]

    if fits:
        assert given(kind, **{name: EXAMPLES[name]})
    else:
        with pytest.raises(DataWorksInvalidRequest, match="does not go with credential_type") as caught:
            given(kind, **{name: EXAMPLES[name]})
        assert name in str(caught.value)
        assert "example-secret" not in str(caught.value)


@pytest.mark.parametrize("base", [base for base in sources.SOURCE_TYPES if base != "access_key"])
def test_a_role_assumed_with_another_source_takes_no_keys(base: str) -> None:
    """Otherwise it would be unclear with which of them."""
    extra: dict[str, Any] = {"credential_type": "ram_role_arn", "role_arn": ROLE, "source_credential_type": base}
    if base == "credentials_uri":
        extra["credentials_uri"] = "https://keys.example/"

    assert account({}, **extra).credentials is None
    with pytest.raises(DataWorksInvalidRequest, match="login"):
        account(KEYS, **extra)


@pytest.mark.parametrize("empty", [None, ""])
def test_fields_left_empty_in_the_form_are_not_given(empty: Any) -> None:
    """The form stores null, and a switch that is off."""
    names = [name for name in EXAMPLES if name not in ("login", "password")]

    assert account(KEYS, **{**dict.fromkeys(names, empty), "disable_imds_v1": False}).credentials


@pytest.mark.parametrize(
    ("kind", "field", "value"),
    [
        ("ram_role_arn", "role_arn", None),
        ("ram_role_arn", "role_arn", "maintenance"),
        ("ram_role_arn", "role_arn", 5),
        ("ram_role_arn", "source_credential_type", "sts"),
        ("ram_role_arn", "role_session_name", "a b"),
        ("ram_role_arn", "role_session_name", "x"),
        ("ram_role_arn", "duration_seconds", 899),
        ("ram_role_arn", "duration_seconds", 43201),
        ("ram_role_arn", "duration_seconds", 0),
        ("ram_role_arn", "duration_seconds", "an hour"),
        ("ram_role_arn", "policy", "{"),
        ("ram_role_arn", "policy", "[]"),
        ("ram_role_arn", "policy", json.dumps({"x": "y" * 3000})),
        ("ram_role_arn", "sts_endpoint", "http://sts.example.com"),
        ("oidc_role_arn", "role_arn", "pods"),
        ("ecs_ram_role", "role_name", "a/../b"),
        ("ecs_ram_role", "disable_imds_v1", "perhaps"),
        ("credentials_uri", "credentials_uri", None),
        ("credentials_uri", "credentials_uri", "http://keys.example/"),
        ("access_key", "login", None),
        ("access_key", "password", None),
        ("ram_role_arn", "password", None),
        ("sts", "security_token", None),
    ],
)
def test_a_wrong_field_is_named_with_its_remedy(kind: str, field: str, value: Any) -> None:
    """Before anything is sent."""
    with pytest.raises(DataWorksInvalidRequest, match=rf"^{field}: ") as caught:
        given(kind, **{field: value})

    assert "What to do:" in str(caught.value)


def test_one_field_under_two_names_must_say_the_same() -> None:
    """Which of them was meant cannot be guessed."""
    same = given("ram_role_arn", duration_seconds=7200, role_session_expiration="7200")
    assert isinstance(same.source, AssumeRole)
    assert same.source.duration_seconds == 7200

    with pytest.raises(DataWorksInvalidRequest, match="duration_seconds: differs from role_session_expiration"):
        given("ram_role_arn", duration_seconds=7200, role_session_expiration=3600)


@pytest.mark.parametrize("kind", ["access_key", "ram_role_arn"])
def test_blank_keys_are_never_filled_from_the_environment(monkeypatch: pytest.MonkeyPatch, kind: str) -> None:
    """Only ``default`` looks there."""
    monkeypatch.setenv("ALIBABA_CLOUD_ACCESS_KEY_ID", "LTAIenvironment")
    monkeypatch.setenv("ALIBABA_CLOUD_ACCESS_KEY_SECRET", "environment-secret")

    with pytest.raises(DataWorksInvalidRequest, match="login"):
        given(kind, login=None, password=None)


def test_the_form_offers_what_can_be_chosen() -> None:
    """Types, sources and every field, none of them missing."""
    schema: Any = {name: field["schema"] for name, field in CONN_FIELDS.items()}

    assert tuple(schema["credential_type"]["enum"]) == sources.TYPES
    assert tuple(schema["source_credential_type"]["enum"]) == sources.SOURCE_TYPES
    assert sources._FIELDS - {"login", "password"} <= set(CONN_FIELDS)
    assert [name for name in schema if schema[name].get("format") == "password"] == ["security_token"]
