"""Who may call the emulator: signatures, tokens, nonces and clocks, checked on requests that never cross a socket."""

from __future__ import annotations

import dataclasses

import pytest

from airflow_provider_dataworks.client.auth import signing
from airflow_provider_dataworks.emulator.auth import NONCE_MEMORY_SECONDS, AccessKey, Authenticator
from airflow_provider_dataworks.emulator.requests import Request, printable
from airflow_provider_dataworks.emulator.responses import Refusal

V2020, V2024 = "2020-05-18", "2024-05-18"
BOTH = pytest.mark.parametrize("signature", signing.SIGNATURES)
KEY = AccessKey("LTAIemulator", "emulator-secret")
STS = AccessKey("STS.temporary", "other-secret", "token+/=")


def refused(authenticator: Authenticator, request: Request, now: float) -> tuple[int, str]:
    """How a request is turned away."""
    with pytest.raises(Refusal) as refusal:
        authenticator.admit(request, now)
    return refusal.value.status, refusal.value.code


def without(request: Request, *names: str) -> Request:
    """The request without some headers."""
    return dataclasses.replace(request, headers=tuple(pair for pair in request.headers if pair[0] not in names))


@BOTH
@pytest.mark.parametrize("version", [V2020, V2024])
def test_a_request_signed_by_the_rule_comes_in(signer, clock, signature, version):
    """Both signatures, both versions: parameters in the body or in the query."""
    request = signer.but(signature=signature, version=version).request("StopDIJob", DIJobId=11668, Note="a b+c*~ü")
    assert Authenticator([KEY]).admit(request, clock()) == "LTAIemulator"


@BOTH
def test_a_wrong_secret_is_told_the_servers_string_to_sign(signer, clock, signature):
    """The gateway repeats what it signed, so that callers can compare."""
    request = signer.but(signature=signature, secret="wrong").request("StopDIJob", DIJobId=1)
    with pytest.raises(Refusal, match="server string to sign is:") as refusal:
        Authenticator([KEY]).admit(request, clock())
    assert (refusal.value.status, refusal.value.code) == (400, "SignatureDoesNotMatch")
    assert "emulator-secret" not in refusal.value.message


@BOTH
def test_an_unknown_key_is_not_found(signer, clock, signature):
    """404, as the gateway's table has it."""
    request = signer.but(signature=signature, access_key_id="LTAInobody").request("StopDIJob", DIJobId=1)
    assert refused(Authenticator([KEY]), request, clock()) == (404, "InvalidAccessKeyId.NotFound")


@BOTH
def test_a_temporary_key_comes_in_with_its_token_only(signer, clock, signature):
    """No token, another token, or a token with a permanent key: each is refused."""
    authenticator = Authenticator([KEY, STS])
    sts = signer.but(signature=signature, access_key_id=STS.id, secret=STS.secret)
    assert authenticator.admit(sts.but(token=STS.security_token).request("StopDIJob", DIJobId=1), clock()) == STS.id
    assert refused(authenticator, sts.request("StopDIJob", DIJobId=1), clock()) == (400, "MissingSecurityToken")
    other = sts.but(token="öther").request("StopDIJob", DIJobId=1)
    assert refused(authenticator, other, clock()) == (400, "InvalidSecurityToken.Malformed")
    permanent = signer.but(signature=signature, token="t").request("StopDIJob", DIJobId=1)
    assert refused(authenticator, permanent, clock()) == (400, "InvalidSecurityToken.MismatchWithAccessKey")


@BOTH
def test_a_temporary_key_ends(signer, clock, signature):
    """At its time, and not before."""
    authenticator = Authenticator([dataclasses.replace(STS, expires=clock() + 10)])
    sender = signer.but(signature=signature, access_key_id=STS.id, secret=STS.secret, token=STS.security_token)

    assert authenticator.admit(sender.request("StopDIJob", DIJobId=1), clock()) == STS.id
    assert refused(authenticator, sender.request("StopDIJob", DIJobId=1), clock() + 10) == (
        400,
        "InvalidSecurityToken.Expired",
    )


def test_a_key_that_was_removed_is_not_found(signer, clock):
    """As after its deletion in RAM; removing it twice does no harm."""
    authenticator = Authenticator([KEY])
    authenticator.remove(KEY.id)
    authenticator.remove(KEY.id)

    assert refused(authenticator, signer.request("StopDIJob", DIJobId=1), clock()) == (
        404,
        "InvalidAccessKeyId.NotFound",
    )


@BOTH
def test_a_nonce_works_once(signer, clock, signature):
    """A replayed request is refused as long as its date would still be good."""
    authenticator = Authenticator([KEY])
    request = signer.but(signature=signature).request("StopDIJob", DIJobId=1)
    authenticator.admit(request, clock())
    assert refused(authenticator, request, clock() + 890) == (400, "SignatureNonceUsed")


def test_a_nonce_is_forgotten_when_it_can_no_longer_be_replayed(signer, clock):
    """The memory must not grow for ever."""
    authenticator = Authenticator([KEY])
    again = signer.but(nonce="same")
    authenticator.admit(again.request("StopDIJob", DIJobId=1), clock())
    clock.pass_(NONCE_MEMORY_SECONDS + 1)
    assert authenticator.admit(again.request("StopDIJob", DIJobId=1), clock()) == KEY.id


def test_a_stranger_cannot_use_up_a_nonce(signer, clock):
    """A nonce counts as used only when the request was really the key's."""
    authenticator = Authenticator([KEY])
    same = signer.but(nonce="same")
    assert (
        refused(authenticator, same.but(secret="wrong").request("StopDIJob", DIJobId=1), clock())[1]
        == "SignatureDoesNotMatch"
    )
    assert authenticator.admit(same.request("StopDIJob", DIJobId=1), clock()) == KEY.id


@BOTH
@pytest.mark.parametrize(("off", "good"), [(900, True), (-900, True), (901, False), (-901, False)])
def test_a_clock_may_be_fifteen_minutes_off(signer, clock, signature, off, good):
    """Either way, and not a second more."""
    request = signer.but(signature=signature).request("StopDIJob", DIJobId=1)
    if good:
        assert Authenticator([KEY]).admit(request, clock() + off) == KEY.id
    else:
        assert refused(Authenticator([KEY]), request, clock() + off) == (400, "InvalidTimeStamp.Expired")


def test_a_changed_body_is_noticed(signer, clock):
    """The hash header is compared with the bytes that came, not believed."""
    request = signer.request("StopDIJob", DIJobId=1)
    changed = dataclasses.replace(request, body=b"DIJobId=2")
    assert refused(Authenticator([KEY]), changed, clock()) == (400, "SignatureDoesNotMatch")


def test_a_changed_query_is_noticed(signer, clock):
    """What is in the query is signed too."""
    request = signer.but(version=V2024).request("StopDIJob", Id=1)
    changed = dataclasses.replace(request, query="Id=2")
    assert refused(Authenticator([KEY]), changed, clock()) == (400, "SignatureDoesNotMatch")


@pytest.mark.parametrize("name", ["content-type", "x-acs-extra"])
def test_headers_that_must_be_signed_are(signer, clock, name):
    """host, content-type and every x-acs header belong to the signature."""
    request = without(signer.request("StopDIJob", DIJobId=1), name)
    added = dataclasses.replace(signer.request("ListProjects"), headers=(*request.headers, ("x-acs-extra", "1")))
    assert refused(Authenticator([KEY]), added, clock()) == (400, "IncompleteSignature")


def test_an_unsigned_content_type_without_a_body_is_let_pass(signer, clock):
    """The vendor's own asynchronous client sends one."""
    request = signer.but(version=V2024).request("StopDIJob", Id=1)
    typed = dataclasses.replace(request, headers=(*request.headers, ("Content-Type", "application/octet-stream")))
    assert Authenticator([KEY]).admit(typed, clock()) == KEY.id


def test_more_headers_may_be_signed_than_must(signer, clock):
    """The vendor's SDK signs accept and user-agent as well."""
    request = signer.but(headers={"user-agent": "x"}).request("StopDIJob", DIJobId=1)
    assert Authenticator([KEY]).admit(request, clock()) == KEY.id


@pytest.mark.parametrize(
    ("value", "code"),
    [
        ("", "MissingAccessKeyId"),
        ("Basic abc", "MissingAccessKeyId"),
        ("ACS3-HMAC-SM3 Credential=a,SignedHeaders=b,Signature=00", "IncompleteSignature"),
        ("ACS3-HMAC-SHA256 Credential=a", "IncompleteSignature"),
        ("ACS3-HMAC-SHA256 Credential=a, SignedHeaders=b, Signature=00", "IncompleteSignature"),
    ],
)
def test_an_authorization_of_another_form_is_refused(signer, clock, value, code):
    """Other schemes, half a header, spaces after the commas."""
    bare = without(signer.request("StopDIJob", DIJobId=1), "Authorization")
    request = dataclasses.replace(bare, headers=(*bare.headers, ("Authorization", value)))
    assert refused(Authenticator([KEY]), request, clock()) == (400, code)


@pytest.mark.parametrize(
    ("name", "code"),
    [
        ("x-acs-date", "MissingTimestamp"),
        ("x-acs-signature-nonce", "MissingSignatureNonce"),
        ("x-acs-content-sha256", "SignatureDoesNotMatch"),
    ],
)
def test_a_missing_header_is_named(signer, clock, name, code):
    """What is missing shows in the code."""
    request = without(signer.request("StopDIJob", DIJobId=1), name)
    assert refused(Authenticator([KEY]), request, clock()) == (400, code)


@pytest.mark.parametrize("name", ["SignatureNonce", "Signature", "SignatureMethod", "SignatureVersion", "Timestamp"])
def test_a_missing_parameter_of_the_older_form_is_named(signer, clock, name):
    """What is missing shows in the code."""
    request = signer.but(signature=signing.RPC).request("StopDIJob", DIJobId=1)
    parts = [part for part in request.query.split("&") if not part.startswith(f"{name}=")]
    cut = dataclasses.replace(request, query="&".join(parts))
    assert refused(Authenticator([KEY]), cut, clock()) == (400, f"Missing{name}")


@pytest.mark.parametrize("change", ["SignatureMethod=HMAC-SHA256", "SignatureVersion=2.0"])
def test_other_methods_of_the_older_form_are_not_served(signer, clock, change):
    """Only HMAC-SHA1 with version 1.0 is known."""
    request = signer.but(signature=signing.RPC).request("StopDIJob", DIJobId=1)
    name = change.partition("=")[0]
    parts = [change if part.startswith(f"{name}=") else part for part in request.query.split("&")]
    changed = dataclasses.replace(request, query="&".join(parts))
    assert refused(Authenticator([KEY]), changed, clock()) == (400, "IncompleteSignature")


def test_a_date_in_another_form_is_refused(signer, clock):
    """The form is fixed: UTC, seconds, a Z."""
    request = signer.request("StopDIJob", DIJobId=1)
    headers = [(name, "yesterday" if name == "x-acs-date" else value) for name, value in request.headers]
    wrong = dataclasses.replace(request, headers=tuple(headers))
    assert refused(Authenticator([KEY]), wrong, clock()) == (400, "InvalidTimeStamp.Format")


def test_a_parameter_given_twice_is_refused(signer, clock):
    """Which of the two was signed, and which is meant, must not be a matter of luck."""
    request = signer.request("StopDIJob", DIJobId=1)
    twice = dataclasses.replace(request, query="DIJobId=2")
    assert refused(Authenticator([KEY]), twice, clock()) == (400, "InvalidParameter")


def test_a_signature_beyond_ascii_is_refused_like_any_other(signer, clock):
    """Comparing must not trip over what a caller sends."""
    request = signer.but(signature=signing.RPC).request("StopDIJob", DIJobId=1)
    parts = ["Signature=%C3%BC" if part.startswith("Signature=") else part for part in request.query.split("&")]
    wrong = dataclasses.replace(request, query="&".join(parts))
    assert refused(Authenticator([KEY]), wrong, clock()) == (400, "SignatureDoesNotMatch")


def test_a_gate_without_keys_is_refused():
    """An emulator that refuses everything is a mistake."""
    with pytest.raises(ValueError, match="at least one"):
        Authenticator([])
    with pytest.raises(ValueError, match="ID:SECRET"):
        AccessKey("", "")


def test_secrets_do_not_show_in_a_key():
    """A key may end in a log or a failed assertion."""
    assert "other-secret" not in repr(STS)
    assert "token" not in repr(STS).replace("security_token", "")


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("StopDIJob", "StopDIJob"),
        ("", "-"),
        ("a\nb", r"'a\nb'"),
        ("\x1b[2J", r"'\x1b[2J'"),
        ("ü" * 99, "'" + r"\xfc" * 64 + "'"),
    ],
)
def test_text_from_callers_cannot_forge_a_log_line(text, shown):
    """Line feeds and terminal commands arrive as text."""
    assert printable(text) == shown
