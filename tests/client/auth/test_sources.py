"""Where temporary keys come from: STS, ECS metadata, a credentials URI and the chain; asked of stand-ins."""

from __future__ import annotations

import json
import logging
import os
import pickle
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from fake_dataworks import Drive
from issuer import (
    BASE_KEY,
    BASE_SECRET,
    BASE_TOKEN,
    METADATA_PATH,
    OIDC_ROLE,
    OIDC_TOKEN,
    PROVIDER,
    REQUEST_ID,
    ROLE,
    Answer,
    Asked,
    Issuer,
    refusal,
    serving,
)

from airflow_provider_dataworks.client.auth import default_chain as chain
from airflow_provider_dataworks.client.auth import metadata, sts
from airflow_provider_dataworks.client.auth import profile as profiles
from airflow_provider_dataworks.client.auth.credentials import (
    Credentials,
    CredentialSource,
    StaticCredentials,
)
from airflow_provider_dataworks.client.auth.default_chain import DefaultChain
from airflow_provider_dataworks.client.auth.metadata import CredentialsUri, EcsRamRole
from airflow_provider_dataworks.client.auth.sts import AssumeRole, AssumeRoleWithOidc, sts_endpoint
from airflow_provider_dataworks.client.errors.catalog import CATALOG
from airflow_provider_dataworks.client.http import plain
from airflow_provider_dataworks.client.http.plain import ask
from airflow_provider_dataworks.exceptions import (
    DataWorksAuthError,
    DataWorksError,
    DataWorksForbidden,
    DataWorksInvalidRequest,
    DataWorksUnavailable,
)

LIFE = 3600


@pytest.fixture
def issuer(drive: Drive, monkeypatch: pytest.MonkeyPatch) -> Iterator[Issuer]:
    """The services on this machine, living by the test's clock, and an environment without keys."""
    names = ("ACCESS_KEY_ID", "ACCESS_KEY_SECRET", "SECURITY_TOKEN", "ROLE_ARN", "OIDC_PROVIDER_ARN", "OIDC_TOKEN_FILE")
    more = (
        "ROLE_SESSION_NAME",
        "ECS_METADATA",
        "ECS_METADATA_DISABLED",
        "IMDSV1_DISABLED",
        "CREDENTIALS_URI",
        "PROFILE",
    )
    for name in (*names, *more):
        monkeypatch.delenv(f"ALIBABA_CLOUD_{name}", raising=False)
    drive.use()
    with serving(Issuer(drive.clock)) as running:
        yield running


@pytest.fixture
def fetched(drive: Drive) -> Callable[[CredentialSource], Credentials]:
    """Ask a source for keys, as a session does."""
    return lambda source: source.fetch(drive.clock)


@pytest.fixture
def token_file(tmp_path: Path) -> Path:
    """The OIDC token as Kubernetes mounts it, with a line end."""
    path = tmp_path / "token"
    path.write_text(f"{OIDC_TOKEN}\n")
    return path


def role(issuer: Issuer, **more: Any) -> AssumeRole:
    """The role, assumed with the base key."""
    base = more.pop("base", StaticCredentials(Credentials(BASE_KEY, BASE_SECRET)))
    return AssumeRole(base, issuer.address, more.pop("role_arn", ROLE), **more)


def pod(issuer: Issuer, path: Path, /, **more: Any) -> AssumeRoleWithOidc:
    """The role of a pod."""
    given = {"role_arn": OIDC_ROLE, "oidc_provider_arn": PROVIDER, "token_file": str(path), **more}
    return AssumeRoleWithOidc(issuer.address, **given)


SOURCES: dict[str, Callable[[Issuer, Path], CredentialSource]] = {
    "AssumeRole": lambda issuer, token_file: role(issuer),
    "AssumeRoleWithOIDC": pod,
    "ECS metadata": lambda issuer, token_file: EcsRamRole("instance-role", address=issuer.address),
    "Credentials URI": lambda issuer, token_file: CredentialsUri(f"{issuer.address}/keys?sig=a%2Fb"),
}
everywhere = pytest.mark.parametrize("kind", SOURCES)


@everywhere
def test_keys_come_with_their_end(issuer: Issuer, fetched: Any, token_file: Path, drive: Drive, kind: str):
    """All of one answer, and when they end."""
    keys = fetched(SOURCES[kind](issuer, token_file))

    assert (keys.access_key_id, keys.access_key_secret, keys.security_token) == issuer.issued[-1]
    assert keys.expires == drive.clock() + LIFE


@everywhere
@pytest.mark.parametrize(
    "answer",
    [
        pytest.param(Answer(500, b"<html>secret</html>"), id="500"),
        pytest.param(Answer(503, b'{"Code": "ServiceUnavailable"}'), id="503"),
        pytest.param(Answer(200, b"\x00\xff{garbage"), id="garbage"),
        pytest.param(Answer(200, b""), id="empty"),
        pytest.param(Answer(200, b"[1, 2]"), id="list"),
        pytest.param(Answer(200, b'{"Code": "Success"}'), id="no-keys"),
        pytest.param(Answer(200, b'{"Credentials": "text", "Code": "Success"}'), id="keys-are-text"),
        pytest.param(Answer(200, b'{"Code": "Success", "Acc', whole=False), id="half"),
        pytest.param(refusal("Throttling.User", 429), id="throttled"),
    ],
)
def test_a_service_out_of_order_is_worth_another_try(
    issuer: Issuer, fetched: Any, token_file: Path, kind: str, answer: Answer
):
    """Of the call that needs the keys, nothing was sent."""
    source = SOURCES[kind](issuer, token_file)
    # A metadata service that does not know v2 answers anything to the question for a token.
    issuer.scripted.extend([answer] * (2 if kind == "ECS metadata" else 1))

    with pytest.raises(DataWorksUnavailable) as caught:
        fetched(source)

    assert (caught.value.retryable, caught.value.sent) == (True, False)
    assert "secret" not in str(caught.value)


@everywhere
@pytest.mark.parametrize("missing", ["AccessKeyId", "AccessKeySecret", "SecurityToken", "Expiration"])
def test_half_an_answer_is_no_keys(issuer: Issuer, fetched: Any, token_file: Path, kind: str, missing: str):
    """The field that lacks is named; those that are there are not shown."""

    def half(asked: Asked) -> Answer:
        keys = issuer.keys(LIFE)
        del keys[missing]
        return Answer(200, json.dumps({"Code": "Success", **keys, "Credentials": keys}).encode())

    if kind == "ECS metadata":
        issuer.scripted.append(Answer(200, b"imds-token"))
    issuer.scripted.append(half)

    with pytest.raises(DataWorksUnavailable, match=missing) as caught:
        fetched(SOURCES[kind](issuer, token_file))

    assert not any(secret in f"{caught.value!r}{vars(caught.value)}" for secret in issuer.secrets)


@everywhere
@pytest.mark.parametrize("wrong", [{"Expiration": "soon"}, {"SecurityToken": "two\nlines"}, {"AccessKeySecret": "中"}])
def test_keys_that_cannot_be_used_are_not_shown(
    issuer: Issuer, fetched: Any, token_file: Path, kind: str, wrong: dict[str, str]
):
    """A date that is none, or characters that no header carries."""
    keys = {**issuer.keys(LIFE), **wrong}
    body = json.dumps({"Code": "Success", **keys, "Credentials": keys}).encode()
    issuer.scripted.extend([Answer(200, b"imds-token")] if kind == "ECS metadata" else [])
    issuer.scripted.append(Answer(200, body))

    with pytest.raises(DataWorksUnavailable, match="cannot be read") as caught:
        fetched(SOURCES[kind](issuer, token_file))

    assert not any(secret in f"{caught.value!r}{vars(caught.value)}" for secret in (*issuer.secrets, *wrong.values()))


@everywhere
def test_keys_that_have_ended_are_not_taken(issuer: Issuer, fetched: Any, token_file: Path, kind: str):
    """A cache on the way may serve old ones."""
    issuer.life = -1

    with pytest.raises(DataWorksUnavailable, match="have expired"):
        fetched(SOURCES[kind](issuer, token_file))


@everywhere
def test_the_end_is_told_by_the_clock_of_who_tells_it(
    issuer: Issuer, fetched: Any, token_file: Path, drive: Drive, kind: str
):
    """A machine whose clock is off would otherwise use keys past their end, or none at all."""
    issuer.skew = 600

    assert fetched(SOURCES[kind](issuer, token_file)).expires == pytest.approx(drive.clock() + LIFE, abs=1)


@everywhere
def test_nobody_there_is_worth_another_try(fetched: Any, token_file: Path, issuer: Issuer, kind: str):
    """A refused connection, told without the address's path."""
    gone = Issuer()
    gone.address = "http://127.0.0.1:1"

    with pytest.raises(DataWorksUnavailable, match=r"127\.0\.0\.1:1: ConnectError") as caught:
        fetched(SOURCES[kind](gone, token_file))

    assert not caught.value.sent
    assert "sig" not in str(caught.value)
    assert str(caught.value).startswith(f"{kind} failed: ")
    assert caught.value.see == ("metadata-unreachable" if kind == "ECS metadata" else "keys-unreachable")


@everywhere
def test_a_service_that_takes_too_long_is_given_up(
    issuer: Issuer, fetched: Any, token_file: Path, kind: str, monkeypatch: pytest.MonkeyPatch
):
    """With the timeouts cut short; a metadata service is waited for two seconds."""
    issuer.delay = 0.5
    for module in (sts, metadata):
        monkeypatch.setattr(module, "ask", lambda *args, **more: ask(*args, **{**more, "timeout": 0.05}))

    with pytest.raises(DataWorksUnavailable, match="ReadTimeout"):
        fetched(SOURCES[kind](issuer, token_file))


@everywhere
def test_redirects_are_not_followed(issuer: Issuer, fetched: Any, token_file: Path, kind: str):
    """They would carry a token, or the question for one, elsewhere."""
    elsewhere = Answer(307, b"", {"location": f"{issuer.address}/elsewhere"})
    issuer.scripted.extend([elsewhere] * 3)

    with pytest.raises(DataWorksError):
        fetched(SOURCES[kind](issuer, token_file))

    assert "/elsewhere" not in issuer.actions


# AssumeRole


@pytest.mark.parametrize(
    "more",
    [
        pytest.param({}, id="least"),
        pytest.param({"policy": '{"Version": "1", "Statement": []}'}, id="policy-with-spaces"),
        pytest.param({"external_id": "a b+c*d~e/中"}, id="odd-characters"),
        pytest.param({"duration_seconds": 900, "role_session_name": "dag@team=x"}, id="session"),
        pytest.param({"base": StaticCredentials(Credentials(BASE_KEY, BASE_SECRET, BASE_TOKEN))}, id="sts-base"),
    ],
)
def test_a_role_is_assumed_by_the_documented_signature(issuer: Issuer, fetched: Any, more: dict[str, Any]):
    """The vendor's library signs values with spaces wrongly."""
    if "base" in more:
        issuer.known[BASE_KEY] = (BASE_SECRET, BASE_TOKEN)

    fetched(role(issuer, **more))

    (asked,) = issuer.asked
    assert (asked.method, asked.path) == ("POST", "/")
    assert asked.form["RoleArn"] == ROLE
    assert asked.form["DurationSeconds"] == str(more.get("duration_seconds", 3600))
    assert asked.form["RoleSessionName"] == more.get("role_session_name", "airflow-provider-dataworks")
    assert asked.form.get("Policy") == more.get("policy")
    assert asked.form.get("ExternalId") == more.get("external_id")


@pytest.mark.parametrize(
    ("code", "status", "see"),
    [
        pytest.param("NoPermission", 403, "role-not-allowed", id="no-permission"),
        pytest.param("Forbidden.RAM", 403, "role-not-allowed", id="forbidden"),
        pytest.param("EntityNotExist.Role", 404, "no-such-role", id="no-such-role"),
        pytest.param("InvalidAccessKeyId.NotFound", 404, "access-key", id="base-key"),
        pytest.param("SignatureDoesNotMatch", 400, "access-key-secret", id="base-secret"),
        pytest.param("InvalidSecurityToken.Expired", 400, "sts-token", id="base-token"),
        pytest.param("InvalidParameter.DurationSeconds", 400, "role-duration", id="duration"),
        pytest.param("InvalidParameter.PolicyGrammar", 400, "role-refused", id="policy"),
        pytest.param("Something.New", 418, "role-refused", id="unknown"),
        pytest.param(BASE_SECRET, 400, "role-refused", id="no-code-at-all"),
    ],
)
def test_a_refusal_tells_code_request_and_row_but_no_text(
    issuer: Issuer, fetched: Any, code: str, status: int, see: str
):
    """What the service says may hold the string that was signed, and with it a token."""
    issuer.scripted.append(refusal(code, status, f"echo {BASE_SECRET}"))

    with pytest.raises(DataWorksError, match=rf"{BASE_KEY} got no keys of {ROLE}\.") as caught:
        fetched(role(issuer))

    assert type(caught.value) is CATALOG[see].error
    assert (caught.value.see, caught.value.remedy) == (see, CATALOG[see].remedy)
    assert caught.value.code == (None if code == BASE_SECRET else code)
    assert (caught.value.status, caught.value.request_id) == (status, REQUEST_ID)
    assert caught.value.action == "AssumeRole"
    assert BASE_SECRET not in f"{caught.value!r}{vars(caught.value)}"


def test_a_wrong_clock_is_corrected_once(issuer: Issuer, fetched: Any):
    """By the answer's date, as with DataWorks itself."""
    issuer.skew = 3600

    assert fetched(role(issuer)).access_key_id == "STS.key1"
    assert issuer.actions == ["AssumeRole"] * 2

    issuer.scripted.extend([refusal("InvalidTimeStamp.Expired", 400)] * 2)
    with pytest.raises(DataWorksAuthError, match="clock"):
        fetched(role(issuer))


@pytest.mark.parametrize("kind", ["AssumeRoleWithOIDC", "ECS metadata"])
def test_a_role_is_assumed_with_keys_of_another_source(issuer: Issuer, fetched: Any, token_file: Path, kind: str):
    """Asked anew each time, because they are temporary themselves."""
    source = role(issuer, base=SOURCES[kind](issuer, token_file))

    first, second = fetched(source), fetched(source)

    assert first.access_key_id != second.access_key_id
    assert issuer.actions.count("AssumeRole") == 2
    assert source.identity == ROLE


def test_base_keys_rotated_in_the_meantime_are_read_again(issuer: Issuer, fetched: Any):
    """At each renewal."""
    new = Credentials("LTAIrotated", "rotated-secret")
    source = role(issuer, base=StaticCredentials(Credentials(BASE_KEY, BASE_SECRET), lambda: new))
    fetched(source)
    issuer.known = {new.access_key_id: (new.access_key_secret, "")}

    assert fetched(source).access_key_id == "STS.key2"


@pytest.mark.parametrize(
    ("region", "network", "given", "address"),
    [
        (None, None, None, "https://sts.aliyuncs.com"),
        ("cn-shanghai", None, None, "https://sts.cn-shanghai.aliyuncs.com"),
        ("cn-shanghai", "vpc", None, "https://sts-vpc.cn-shanghai.aliyuncs.com"),
        ("cn-shanghai", "vpc", "sts.example.com:8443", "https://sts.example.com:8443"),
        (None, None, "http://127.0.0.1:9", "http://127.0.0.1:9"),
    ],
)
def test_the_address_of_sts_follows_region_and_network(
    region: str | None, network: str | None, given: str | None, address: str
):
    """Or is the one given."""
    assert sts_endpoint(region, network, given) == address


@pytest.mark.parametrize("given", ["http://sts.example.com", "user:pw@sts.example.com", "sts.example.com/path"])
def test_a_bad_address_of_sts_is_refused_by_its_name(given: str):
    """By the rules of host."""
    with pytest.raises(DataWorksInvalidRequest, match=r"^sts_endpoint: ") as caught:
        sts_endpoint("cn-shanghai", None, given)

    assert "pw" not in str(caught.value)


def test_a_region_never_becomes_another_host():
    """Where a host is given, nobody else has looked at the region."""
    with pytest.raises(DataWorksInvalidRequest, match="region"):
        sts_endpoint("x.evil.example/", None)


# AssumeRoleWithOIDC


def test_the_oidc_token_is_read_each_time_and_travels_in_the_body(issuer: Issuer, fetched: Any, token_file: Path):
    """It is rotated under us; in a URL it would be logged."""
    source = pod(issuer, token_file)
    fetched(source)
    token_file.write_text("another.oidc.token")

    with pytest.raises(DataWorksAuthError, match=r"OIDCToken\.Expired.*the token of oidc_token_file got no") as caught:
        fetched(source)

    assert [asked.form["OIDCToken"] for asked in issuer.asked] == [OIDC_TOKEN, "another.oidc.token"]
    assert all(asked.query == {} for asked in issuer.asked)
    assert "another" not in str(caught.value)
    assert caught.value.see == "oidc-token"


def test_what_rrsa_puts_into_the_environment_is_taken(
    issuer: Issuer, fetched: Any, token_file: Path, monkeypatch: pytest.MonkeyPatch
):
    """Where the connection leaves it open, and only there."""
    monkeypatch.setenv("ALIBABA_CLOUD_ROLE_ARN", OIDC_ROLE)
    monkeypatch.setenv("ALIBABA_CLOUD_OIDC_PROVIDER_ARN", "from the connection in this test")
    monkeypatch.setenv("ALIBABA_CLOUD_OIDC_TOKEN_FILE", str(token_file))
    monkeypatch.setenv("ALIBABA_CLOUD_ROLE_SESSION_NAME", "pod-name")
    source = AssumeRoleWithOidc(issuer.address, oidc_provider_arn=PROVIDER)

    assert fetched(source).access_key_id == "STS.key1"
    assert issuer.asked[0].form["RoleSessionName"] == "pod-name"
    assert source.identity == OIDC_ROLE


@pytest.mark.parametrize(
    ("lacking", "field"),
    [("role_arn", "source_role_arn"), ("oidc_provider_arn", "oidc_provider_arn"), ("token_file", "oidc_token_file")],
)
def test_what_lacks_for_oidc_is_named(issuer: Issuer, fetched: Any, token_file: Path, lacking: str, field: str):
    """With the variable that could hold it; the environment may be another one where the connection is tested."""
    with pytest.raises(DataWorksAuthError, match=rf"^.*{field}: is missing, and ALIBABA_CLOUD_"):
        fetched(pod(issuer, token_file, role_field="source_role_arn", **{lacking: None}))


@pytest.mark.parametrize(
    "content",
    [
        None,
        b"",
        b"x.y." + b"x" * 20_000,
        b"\xff\xfe.a.b",
        b"root:*:19000:0:99999:7:::\n",
        b"PATH=/bin\0SECRET=a.b.c\0",
        b"a.b",
        b"a.b.c.d",
        b"a..c",
        b"a.b.c d",
        b"a.b.c\na.b.c",
        b"a.b.c=",
    ],
)
def test_a_token_file_that_holds_no_token_is_refused(
    issuer: Issuer, fetched: Any, tmp_path: Path, content: bytes | None
):
    """By the field's name, without its path or a word of what is in it; nothing of it is sent."""
    path = tmp_path / "chosen-file"
    if content is not None:
        path.write_bytes(content)

    with pytest.raises(DataWorksInvalidRequest, match=r"^oidc_token_file: the file ") as caught:
        fetched(pod(issuer, path))

    assert "chosen-file" not in str(caught.value)
    assert "SECRET" not in str(caught.value)
    assert issuer.asked == []


@pytest.mark.parametrize("kind", ["pipe", "folder", "device", "environ", "shadow"])
def test_a_token_file_that_is_none_at_all_is_refused(issuer: Issuer, fetched: Any, tmp_path: Path, kind: str):
    """At once: a pipe would hold the thread for good, a device has no end."""
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    found = {"pipe": pipe, "folder": tmp_path, "device": "/dev/zero", "environ": "/proc/self/environ"}

    with pytest.raises(DataWorksInvalidRequest, match=r"^oidc_token_file: the file "):
        fetched(pod(issuer, Path(found.get(kind, "/etc/shadow"))))

    assert issuer.asked == []


def test_a_token_file_named_by_the_environment_is_told_by_its_variable(
    issuer: Issuer, fetched: Any, monkeypatch: pytest.MonkeyPatch
):
    """The connection has no such field then."""
    monkeypatch.setenv("ALIBABA_CLOUD_OIDC_TOKEN_FILE", "/nowhere/token")

    with pytest.raises(DataWorksInvalidRequest, match=r"^ALIBABA_CLOUD_OIDC_TOKEN_FILE: the file "):
        fetched(AssumeRoleWithOidc(issuer.address, OIDC_ROLE, PROVIDER))

    assert issuer.asked == []


def test_a_pod_that_is_not_trusted_learns_what_to_do(issuer: Issuer, fetched: Any, token_file: Path):
    """The role's trust policy decides."""
    with pytest.raises(DataWorksForbidden, match=r"trust policy(?s:.*)oidc-not-trusted"):
        fetched(pod(issuer, token_file, role_arn=ROLE))


# ECS metadata


def test_the_instance_is_asked_by_v2_and_for_its_role(issuer: Issuer, fetched: Any):
    """A token first, then the role's name, then its keys."""
    fetched(EcsRamRole(address=issuer.address))

    assert issuer.actions == ["/latest/api/token", METADATA_PATH, f"{METADATA_PATH}instance-role"]
    assert [asked.method for asked in issuer.asked] == ["PUT", "GET", "GET"]


@pytest.mark.parametrize("answer", [None, Answer(200, b""), Answer(403, b"no")], ids=["404", "empty", "403"])
def test_v1_is_asked_where_there_is_no_v2(issuer: Issuer, fetched: Any, answer: Answer | None):
    """Unless that is switched off."""
    issuer.v2 = False
    issuer.scripted.extend([answer] if answer else [])
    fetched(EcsRamRole("instance-role", address=issuer.address))
    issuer.scripted.extend([answer] if answer else [])

    with pytest.raises(DataWorksError) as caught:
        fetched(EcsRamRole("instance-role", disable_imds_v1=True, address=issuer.address))

    assert caught.value.see == ("keys-service-down" if answer and answer.status == 200 else "imds-v2")
    assert [asked.method for asked in issuer.asked] == ["PUT", "GET", "PUT"]


def test_v1_is_asked_where_v2_does_not_answer(issuer: Issuer, fetched: Any):
    """A container network may swallow the question for a token."""
    broken = Answer(200, b"tok", whole=False)
    issuer.scripted.append(broken)
    fetched(EcsRamRole("instance-role", address=issuer.address))
    issuer.scripted.append(broken)

    with pytest.raises(DataWorksUnavailable):
        fetched(EcsRamRole("instance-role", disable_imds_v1=True, address=issuer.address))


@pytest.mark.parametrize("role_name", ["", "a/../b"])
def test_an_instance_without_role_learns_what_to_do(issuer: Issuer, fetched: Any, role_name: str):
    """And what the service says never becomes a path unchecked."""
    issuer.role_name = role_name
    error = DataWorksUnavailable if role_name else DataWorksAuthError

    with pytest.raises(error) as caught:
        fetched(EcsRamRole(address=issuer.address))

    assert caught.value.see == ("keys-unreadable" if role_name else "instance-role")
    assert EcsRamRole("a-role").identity == "ecs_ram_role:a-role"


@pytest.mark.parametrize("name", ["http_proxy", "all_proxy", "HTTP_PROXY"])
def test_neither_metadata_nor_this_machine_is_asked_through_a_proxy(
    issuer: Issuer, fetched: Any, token_file: Path, monkeypatch: pytest.MonkeyPatch, name: str
):
    """It would learn the keys."""
    monkeypatch.setenv(name, "http://127.0.0.1:1")

    for kind in SOURCES:
        fetched(SOURCES[kind](issuer, token_file))


def test_metadata_is_never_proxied_wherever_it_is(drive: Drive, monkeypatch: pytest.MonkeyPatch):
    """Its real address is not of this machine; others are reached through the proxy, unless NO_PROXY names them."""
    for name in ("http_proxy", "https_proxy"):
        monkeypatch.setenv(name, "http://proxy.example:3128")
    monkeypatch.setenv("no_proxy", "aliyuncs.com")

    used: list[str | None] = []

    class Unreachable:
        def __init__(self, context: Any, proxy: str | None) -> None:
            used.append(proxy)

        def exchange(self, request: Any, *, repeatable: bool) -> Any:
            raise httpx.ConnectError("nobody there")

    monkeypatch.setattr(plain, "ConnectionPool", Unreachable)
    for source in (EcsRamRole("a-role", disable_imds_v1=True), CredentialsUri("https://keys.example/")):
        with pytest.raises(DataWorksUnavailable):
            source.fetch(drive.clock)
    with pytest.raises(DataWorksUnavailable):
        AssumeRole(
            StaticCredentials(Credentials(BASE_KEY, BASE_SECRET)), sts_endpoint("cn-shanghai", None), ROLE
        ).fetch(drive.clock)

    assert used == [None, "http://proxy.example:3128", None]


# Credentials URI


def test_the_uri_is_asked_as_it_is(issuer: Issuer, fetched: Any):
    """Its query, which may hold a key of its own, byte for byte."""
    fetched(CredentialsUri(f"{issuer.address}/keys?sig=a%2Fb&x=1"))

    assert (issuer.asked[0].path, issuer.asked[0].query) == ("/keys", {"sig": "a/b", "x": "1"})


@pytest.mark.parametrize(
    "uri",
    ["http://keys.example/", "https://user:pw@keys.example/", "ftp://keys.example/", "https:///x", "keys", "https://[x",
     "https://keys.example/a b", "https://keys.example:99999/"],
)  # fmt: skip
def test_a_uri_that_would_show_keys_is_refused(uri: str):
    """Before anything is sent, and without repeating a password."""
    with pytest.raises(DataWorksInvalidRequest, match=r"^credentials_uri: ") as caught:
        CredentialsUri(uri)

    assert "pw" not in str(caught.value)


def test_a_uri_shows_no_more_than_its_host():
    """The path may be what protects it."""
    source = CredentialsUri("https://keys.example/secret-path?sig=x")

    assert repr(source) == "CredentialsUri('credentials_uri:keys.example')"


# The default chain


class Missing:
    """Stands for a profile of a machine that has none."""

    def fetch(self, clock: Any, ca_file: str | None = None) -> Any:
        raise DataWorksAuthError("profile: none here", action="Credential profile")


@pytest.fixture
def default(issuer: Issuer, monkeypatch: pytest.MonkeyPatch) -> DefaultChain:
    """The chain on a machine that has nothing but the stand-ins."""
    monkeypatch.setattr(chain, "Profile", Missing)
    monkeypatch.setattr(chain, "EcsRamRole", lambda *more: EcsRamRole(*more, address=issuer.address))
    return DefaultChain(issuer.address)


def test_the_chain_takes_the_first_that_has_keys(
    issuer: Issuer, fetched: Any, default: DefaultChain, token_file: Path, monkeypatch: pytest.MonkeyPatch
):
    """Everything is there at first, and is taken away from the front."""
    everything = {
        "ACCESS_KEY_ID": "LTAIenvironment",
        "ACCESS_KEY_SECRET": "environment-secret",
        "SECURITY_TOKEN": "environment-token",
        "ROLE_ARN": OIDC_ROLE,
        "OIDC_PROVIDER_ARN": PROVIDER,
        "OIDC_TOKEN_FILE": str(token_file),
        "ECS_METADATA": "instance-role",
        "IMDSV1_DISABLED": "true",
        "CREDENTIALS_URI": f"{issuer.address}/keys",
    }
    for name, value in everything.items():
        monkeypatch.setenv(f"ALIBABA_CLOUD_{name}", value)
    seen = [fetched(default)]
    monkeypatch.delenv("ALIBABA_CLOUD_ACCESS_KEY_SECRET")
    seen.append(fetched(default))
    monkeypatch.delenv("ALIBABA_CLOUD_OIDC_TOKEN_FILE")
    monkeypatch.setattr(chain, "Profile", lambda: StaticCredentials(Credentials("LTAIprofile", "profile-secret")))
    seen.append(fetched(default))
    monkeypatch.setattr(chain, "Profile", Missing)
    seen.append(fetched(default))
    monkeypatch.setenv("ALIBABA_CLOUD_ECS_METADATA_DISABLED", "True")
    seen.append(fetched(default))

    assert [keys.access_key_id for keys in seen] == [
        "LTAIenvironment", "STS.key1", "LTAIprofile", "STS.key2", "STS.key3",
    ]  # fmt: skip
    assert seen[0] == Credentials("LTAIenvironment", "environment-secret", "environment-token")
    assert issuer.actions == [
        "AssumeRoleWithOIDC", "/latest/api/token", f"{METADATA_PATH}instance-role", "/keys",
    ]  # fmt: skip


def test_a_chain_without_keys_says_why_each_has_none(
    fetched: Any, default: DefaultChain, issuer: Issuer, monkeypatch: pytest.MonkeyPatch
):
    """In its order."""
    issuer.role_name = ""

    with pytest.raises(DataWorksAuthError, match="another credential_type") as caught:
        fetched(default)

    reasons = [text.partition(":")[0] for text in caught.value.message.partition("found. ")[2].split("; ")]
    assert reasons == ["environment", "OIDC", "profile", "ECS metadata", "credentials URI"]
    assert "ALIBABA_CLOUD_OIDC_TOKEN_FILE" in str(caught.value)
    monkeypatch.setenv("ALIBABA_CLOUD_ECS_METADATA", "a/b")
    monkeypatch.setenv("ALIBABA_CLOUD_CREDENTIALS_URI", "http://keys.example/")
    with pytest.raises(DataWorksAuthError, match=r"ECS_METADATA is no name.*in the clear"):
        fetched(default)


def test_a_chain_whose_services_do_not_answer_may_be_tried_again(fetched: Any, issuer: Issuer, default: DefaultChain):
    """It may be an instance whose metadata service is slow for now."""
    issuer.scripted.extend([Answer(500, b"")] * 3)

    with pytest.raises(DataWorksUnavailable, match="ECS metadata") as caught:
        fetched(default)

    assert not caught.value.sent


def test_oidc_that_does_not_answer_lets_nobody_else_sign(
    fetched: Any, issuer: Issuer, default: DefaultChain, token_file: Path, monkeypatch: pytest.MonkeyPatch
):
    """The pod's role is meant: the node's would sign in its place."""
    found = {"ROLE_ARN": OIDC_ROLE, "OIDC_PROVIDER_ARN": PROVIDER, "OIDC_TOKEN_FILE": str(token_file)}
    for name, value in found.items():
        monkeypatch.setenv(f"ALIBABA_CLOUD_{name}", value)
    issuer.scripted.append(Answer(503, b""))

    with pytest.raises(DataWorksUnavailable) as caught:
        fetched(default)

    assert caught.value.action == "AssumeRoleWithOIDC"
    assert issuer.actions == ["AssumeRoleWithOIDC"]


# All of them


def test_one_process_has_one_name_for_each_source(issuer: Issuer, token_file: Path):
    """Temporary keys change; who they are of, for the pace of calls, does not."""
    names = [make(issuer, token_file).identity for make in SOURCES.values()]

    assert names[:3] == [ROLE, OIDC_ROLE, "ecs_ram_role:instance-role"]
    assert names[3].startswith("credentials_uri:127.0.0.1:")
    assert (DefaultChain("x").identity, profiles.Profile("p").identity) == ("default", "profile:p")


@everywhere
def test_no_secret_stands_in_errors_or_log_lines(
    issuer: Issuer, fetched: Any, token_file: Path, kind: str, caplog: pytest.LogCaptureFixture
):
    """Neither what is sent nor what comes back, at DEBUG of everybody, good or bad."""

    def echo(asked: Asked) -> Answer:
        keys = issuer.keys(LIFE)
        text = json.dumps({"Code": "Odd.Code", "Message": f"{asked} {keys}", "RequestId": BASE_SECRET, **keys})
        return Answer(400, text.encode())

    source = SOURCES[kind](issuer, token_file)
    with caplog.at_level(logging.DEBUG):
        fetched(source)
        issuer.scripted.extend([echo] * 3)
        with pytest.raises(DataWorksError) as caught:
            fetched(source)

    restored = pickle.loads(pickle.dumps(caught.value))  # noqa: S301 - made on this line
    assert "httpcore" in {record.name.partition(".")[0] for record in caplog.records}
    for text in (caplog.text, str(caught.value), repr(caught.value), repr(vars(restored)), repr(source)):
        for secret in issuer.secrets:
            assert secret not in text


def test_metadata_is_where_the_vendor_has_it():
    """A link-local address that no name server can turn elsewhere."""
    assert metadata.METADATA == "http://100.100.100.200"
