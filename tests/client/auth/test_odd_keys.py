"""Whatever a service that hands out keys answers: keys that can sign a request, or an error of this package."""

from __future__ import annotations

import json
import tempfile
import time
from collections.abc import Callable
from typing import Any

import pytest
from fake_dataworks import START
from hypothesis import given, settings
from hypothesis import strategies as st
from issuer import OIDC_ROLE, PROVIDER, ROLE
from safe import assert_safe_error

from airflow_provider_dataworks.client.auth import metadata, sts
from airflow_provider_dataworks.client.auth.credentials import Credentials, CredentialSource, StaticCredentials
from airflow_provider_dataworks.client.auth.metadata import CredentialsUri, EcsRamRole
from airflow_provider_dataworks.client.auth.sts import AssumeRole, AssumeRoleWithOidc
from airflow_provider_dataworks.client.http.decoding import Reply
from airflow_provider_dataworks.exceptions import DataWorksAuthError, DataWorksError, DataWorksUnavailable

GOOD = {
    "AccessKeyId": "STS.key",
    "AccessKeySecret": "secret/of+the=role",
    "SecurityToken": "token/of+the=role",
    "Expiration": "2026-09-21T16:00:00Z",
}
TOKEN = tempfile.NamedTemporaryFile(prefix="oidc-token")  # noqa: SIM115 - closed, and so removed, at the end
TOKEN.write(b"a.token.of-a-pod")
TOKEN.flush()
BASE = StaticCredentials(Credentials("LTAIbase", "base-secret"))
SOURCES: dict[str, CredentialSource] = {
    "AssumeRole": AssumeRole(BASE, "https://sts.example", ROLE),
    "AssumeRoleWithOIDC": AssumeRoleWithOidc("https://sts.example", OIDC_ROLE, PROVIDER, TOKEN.name),
    "ECS metadata": EcsRamRole("instance-role"),
    "Credentials URI": CredentialsUri("https://sidecar.example/keys"),
}


def fetch(source: CredentialSource, answer: Callable[[], tuple[int, dict[str, str], bytes]]) -> Credentials:
    """Ask a source whose every request is answered so."""
    with pytest.MonkeyPatch.context() as patch:
        for module in (sts, metadata):
            patch.setattr(module, "ask", lambda *args, **more: Reply(*answer(), received_at=START))
        return source.fetch(lambda: START)


def body(**fields: Any) -> bytes:
    """Keys with these fields, for all sources at once."""
    return json.dumps({"Code": "Success", **GOOD, **fields, "Credentials": {**GOOD, **fields}}).encode()


@pytest.mark.parametrize("source", SOURCES.values(), ids=SOURCES)
@pytest.mark.parametrize(
    "fields",
    [
        *({"Expiration": "31 Dec 9999"}, {"Expiration": "0001-01-01T00:00:00+23:59"}, {"Expiration": ""}),
        *({"Expiration": "0000-00-00"}, {"Expiration": "9" * 5000}, {"Expiration": True}, {"Expiration": [1]}),
        *({"AccessKeySecret": "a\nb"}, {"SecurityToken": "\ud83d"}, {"AccessKeyId": "a\x00"}, {"AccessKeyId": "\xe9"}),
        *({"SecurityToken": "x" * 8_001}, {"SecurityToken": "x" * 5_000_000}, {"AccessKeyId": "x" * 100_000}),
        *(
            {"AccessKeySecret": {"a": 1}},
            {"AccessKeySecret": None},
            {"AccessKeyId": "a b"},
            {"AccessKeyId": "a\u202eb"},
        ),
    ],
    ids=lambda fields: ascii(fields)[:40],
)
def test_keys_that_cannot_be_are_not_taken(source: CredentialSource, fields: dict[str, Any]) -> None:
    """Nor shown: the next answer may be better."""
    with pytest.raises(DataWorksUnavailable) as caught:
        fetch(source, lambda: (200, {}, body(**fields)))

    assert_safe_error(caught.value)
    assert "secret" not in str(caught.value)
    assert caught.value.see == "keys-unreadable"


@pytest.mark.parametrize("source", SOURCES.values(), ids=SOURCES)
@pytest.mark.parametrize("expiration", ["9999-12-31T23:59:59Z", "9999-12-31T23:59:59-23:59", "2098-01-01T00:00:00"])
def test_keys_are_asked_for_again_however_long_they_say_to_live(source: CredentialSource, expiration: str) -> None:
    """Those that are handed out live for hours; a date further off than days was not meant."""
    keys = fetch(source, lambda: (200, {}, body(Expiration=expiration)))

    assert keys.expires == START + 7 * 86_400


@pytest.mark.parametrize("source", SOURCES.values(), ids=SOURCES)
@pytest.mark.parametrize("date", ["Wed, 01 Jan 2098 00:00:00 GMT", "31 Dec 9999 23:59:59 -2300", "1 Jan 1700 00:00:00"])
def test_a_clock_that_cannot_be_moves_no_end(source: CredentialSource, date: str) -> None:
    """The keys end when they say, by our own clock."""
    keys = fetch(source, lambda: (200, {"date": date}, body()))

    assert keys.expires == START + 6400


@pytest.mark.parametrize("date", ["Wed, 01 Jan 2098 00:00:00 GMT", "31 Dec 9999 23:59:59 -2300", "1 Jan 1700 00:00:00"])
def test_a_role_is_not_asked_for_in_another_century(date: str) -> None:
    """One request, and an error that says how far off the clock is said to be."""
    asked = []

    def refuse() -> tuple[int, dict[str, str], bytes]:
        asked.append(1)
        return 400, {"date": date}, b'{"Code": "InvalidTimeStamp.Expired", "Message": "m"}'

    with pytest.raises(DataWorksAuthError, match="off by more than a day from ours") as caught:
        fetch(SOURCES["AssumeRole"], refuse)

    assert (caught.value.clock_skew, len(asked)) == (None, 1)


def test_a_token_for_metadata_has_an_end(monkeypatch: pytest.MonkeyPatch) -> None:
    """It becomes a header: what is no token is done without."""
    answers = iter([(200, {}, b"x" * 1_000_000), (200, {}, body())])
    sent: list[dict[str, str]] = []

    def answer(*args: Any, headers: dict[str, str], **more: Any) -> Reply:
        sent.append(headers)
        return Reply(*next(answers), received_at=START)

    monkeypatch.setattr(metadata, "ask", answer)

    assert EcsRamRole("instance-role").fetch(lambda: START).access_key_id == "STS.key"
    assert sent[1] == {}


anything = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text(st.characters(), max_size=30)),
    lambda inner: st.lists(inner, max_size=2),
    max_leaves=3,
)
names = st.sampled_from([*GOOD, "Code", "RequestId", "Message", "Credentials"])
dates = st.one_of(st.just(""), st.text(max_size=30), st.datetimes().map(lambda day: day.isoformat()))


@pytest.mark.parametrize("source", SOURCES.values(), ids=SOURCES)
@settings(max_examples=150, deadline=None, database=None, derandomize=True)
@given(
    fields=st.dictionaries(names, anything, max_size=4),
    expiration=st.one_of(dates, st.just(GOOD["Expiration"])),
    raw=st.one_of(st.none(), st.binary(max_size=100)),
    status=st.sampled_from([200, 200, 200, 204, 302, 400, 403, 404, 429, 500]),
    headers=st.dictionaries(st.sampled_from(["date", "retry-after", "content-type"]), dates),
)
def test_any_answer_is_keys_or_an_error_of_ours(
    source: CredentialSource,
    fields: dict[str, Any],
    expiration: str,
    raw: bytes | None,
    status: int,
    headers: dict[str, str],
) -> None:
    """In no time, and without a word of what it said."""
    begun = time.process_time()
    given = body(**{"Expiration": expiration, **fields}) if raw is None else raw
    try:
        keys = fetch(source, lambda: (status, headers, given))
    except DataWorksError as error:
        assert_safe_error(error)
    else:
        for text in (keys.access_key_id, keys.access_key_secret, keys.security_token or ""):
            assert text.isascii()
            assert text.isprintable()
            assert len(text) <= 8_000
        assert START < (keys.expires or 0) <= START + 7 * 86_400
    assert time.process_time() - begun < 2
