"""Both signatures against known answers: the vendor's published examples, its unit tests, and its own SDK's output."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest

from airflow_provider_dataworks.client.auth import signing

Vector = dict[str, Any]

VECTORS: list[Vector] = json.loads(Path(__file__).with_name("vectors").joinpath("acs_signatures.json").read_text())[
    "vectors"
]
ADDED = ("x-acs-date", "x-acs-signature-nonce", "x-acs-content-sha256", "x-acs-security-token")


def vectors(scheme: str, usable: Callable[[Vector], bool] = lambda vector: True) -> pytest.MarkDecorator:
    """Parametrize with all vectors of one signature, or those usable."""
    return pytest.mark.parametrize(
        "vector", [pytest.param(v, id=v["id"]) for v in VECTORS if v["scheme"] == scheme and usable(v)]
    )


def is_whole_request(vector: Vector) -> bool:
    """Whether the vector is a request such as ours can be, not a unit test of one stage or of odd spellings."""
    names = vector["input"].get("headers", {})
    return (
        "nonce" in vector["input"]
        and all(name == name.lower() for name in names)
        and "SignatureType" not in vector["expected"].get("signed_params", {})
    )


def body_of(vector: Vector) -> bytes:
    """The bytes of the request: the form where there is one, else the body as it stands."""
    form = vector["input"].get("form")
    if form is not None:
        return urlencode(sorted(signing.flat(form).items())).encode()
    return (vector["input"].get("body") or vector["expected"].get("body") or "").encode()


def by_the_rule(vector: Vector, name: str) -> str:
    """The expected value; where the vendor's code and its written rule differ, what the rule says."""
    return vector.get(f"doc_rules_{name}") or vector["expected"][name]


def test_the_vectors_are_all_there():
    """No vector is passed over because of an unknown signature name."""
    schemes = [vector["scheme"] for vector in VECTORS]

    assert len(VECTORS) == 41
    assert {name: schemes.count(name) for name in signing.SIGNATURES} == {"ACS3-HMAC-SHA256": 29, "HMAC-SHA1": 12}


@vectors("ACS3-HMAC-SHA256")
def test_acs3_stage_by_stage(vector: Vector):
    """The Authorization value is the vendor's; where it is not, the stages tell which one went wrong."""
    given, expected = vector["input"], vector["expected"]
    query = signing.flat(given["query"])
    # One of the vendor's unit tests gives a hash without the body it is of.
    payload_hash = expected["hashed_payload"] if "nonce" not in given else signing.hashed_payload(body_of(vector))
    lines, signed_headers = signing.canonical_headers(given["headers"])
    request = signing.canonical_request(given["method"], given["pathname"], query, given["headers"], payload_hash)
    to_sign = signing.string_to_sign(request)
    signed = signing.signature(given["access_key_secret"], to_sign)
    authorization = signing.authorization(given["access_key_id"], signed_headers, signed)
    stages = {
        "flat_query": query,
        "body": body_of(vector).decode() if "nonce" in given else expected.get("body"),
        "hashed_payload": payload_hash,
        "canonical_request": request,
        "canonical_request_sha256": hashlib.sha256(request.encode()).hexdigest(),
        "string_to_sign": to_sign,
        "signed_headers": signed_headers,
        "signature": signed,
    }
    # Where code and rule differ, the vector gives two of the stages by the rule; the others follow from them.
    judged = expected if vector["doc_rules_agree"] else {"flat_query": query, "canonical_request": request}
    wrong = {
        name: (value, by_the_rule(vector, name))
        for name, value in stages.items()
        if name in judged and value != by_the_rule(vector, name)
    }

    assert authorization == by_the_rule(vector, "authorization"), wrong
    assert wrong == {}
    assert all(line in request for line in lines.splitlines())


@vectors("HMAC-SHA1")
def test_hmac_sha1_stage_by_stage(vector: Vector):
    """The signature is the vendor's; where it is not, the stages tell which one went wrong."""
    given, expected = vector["input"], vector["expected"]
    params = signing.flat(expected["signed_params"])
    canonical = signing.canonical_query(params)
    to_sign = signing.rpc_string_to_sign(given["method"], params)
    signed = signing.rpc_signature(given["access_key_secret"], to_sign)
    stages = {
        "canonicalized_query_string": canonical,
        "string_to_sign": to_sign,
        "signature_urlencoded": signing.percent_encode(signed),
    }
    wrong = {
        name: (value, expected[name]) for name, value in stages.items() if name in expected and value != expected[name]
    }

    assert signed == expected["signature"], wrong
    assert wrong == {}


@vectors("ACS3-HMAC-SHA256", is_whole_request)
def test_acs3_headers_sign_a_whole_request(vector: Vector):
    """From the request alone, the headers added are those the vendor adds."""
    given = vector["input"]
    added = signing.acs3_headers(
        method=given["method"],
        path=given["pathname"],
        query=signing.flat(given["query"]),
        headers={name: value for name, value in given["headers"].items() if name not in ADDED},
        body=body_of(vector),
        date=given["date"],
        nonce=given["nonce"],
        access_key_id=given["access_key_id"],
        access_key_secret=given["access_key_secret"],
        security_token=given["security_token"],
    )

    assert added.pop("Authorization") == by_the_rule(vector, "authorization")
    assert added == {name: value for name, value in given["headers"].items() if name in ADDED}


@vectors("HMAC-SHA1", is_whole_request)
def test_rpc_params_sign_a_whole_request(vector: Vector):
    """From the operation's parameters alone, the query is the vendor's, signature included."""
    given, expected = vector["input"], vector["expected"]
    signed_params = signing.flat(expected["signed_params"])
    common = {"Action", "Version", "Format", "AccessKeyId", "SignatureMethod", "SignatureVersion", "SignatureNonce"}
    found = signing.rpc_params(
        method=given["method"],
        action=signed_params["Action"],
        version=signed_params["Version"],
        params={name: value for name, value in signed_params.items() if name not in {*common, "Timestamp"}},
        response_format=signed_params["Format"],
        date=given["date"],
        nonce=given["nonce"],
        access_key_id=given["access_key_id"],
        access_key_secret=given["access_key_secret"],
        security_token=given.get("security_token"),
    )

    assert found.pop("Signature") == expected["signature"]
    assert found == signed_params


def test_rpc_params_carry_the_token_and_sign_it():
    """Temporary keys put their token into the query, and another token makes another signature."""
    common: dict[str, Any] = {
        "method": "GET",
        "action": "StopDIJob",
        "version": "2024-05-18",
        "params": {"Id": "11668"},
        "response_format": "JSON",
        "date": "2026-01-02T03:04:05Z",
        "nonce": "n",
        "access_key_id": "id",
        "access_key_secret": "secret",
    }
    without = signing.rpc_params(**common)
    one, other = (signing.rpc_params(**common, security_token=token) for token in ("token-1", "token-2"))

    assert "SecurityToken" not in without
    assert one["SecurityToken"] == "token-1"
    assert len({params["Signature"] for params in (without, one, other)}) == 3


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        pytest.param({"A": None, "B": ""}, {"B": ""}, id="none is dropped, empty text stays"),
        pytest.param({"A": [], "B": {}, "C": ()}, {}, id="empty lists and maps vanish"),
        pytest.param({"T": ["a", None, "c"]}, {"T.1": "a", "T.3": "c"}, id="a list keeps its index"),
        pytest.param({"T": ({"Key": "k", "V": [1]},)}, {"T.1.Key": "k", "T.1.V.1": "1"}, id="nested"),
        pytest.param({"Yes": True, "No": False}, {"Yes": "true", "No": "false"}, id="booleans in lower case"),
        pytest.param({"Raw": "中".encode()}, {"Raw": "中"}, id="bytes are UTF-8"),
        pytest.param({"Id": 2**63 - 1}, {"Id": "9223372036854775807"}, id="64-bit ids are plain digits"),
    ],
)
def test_parameters_are_flattened_to_text(given: dict[str, object], expected: dict[str, str]):
    """Values of every kind become the text that is signed and sent."""
    assert signing.flat(given) == expected


@pytest.mark.parametrize(
    ("text", "encoded"),
    [
        ("a b", "a%20b"),
        ("+", "%2B"),
        ("*", "%2A"),
        ("~-_.", "~-_."),
        ("/", "%2F"),
        ("%41", "%2541"),
        ("中", "%E4%B8%AD"),
    ],
)
def test_percent_encoding_is_rfc_3986(text: str, encoded: str):
    """Only unreserved characters stay, and nothing is taken for encoded already."""
    assert signing.percent_encode(text) == encoded


def test_repeated_headers_are_joined_in_order_of_their_values():
    """Two lines of one header are one signed line."""
    lines, names = signing.canonical_headers([("X-Acs-Meta", " b "), ("x-acs-meta", "a"), ("Host", "h")])

    assert lines == "host:h\nx-acs-meta:a,b\n"
    assert names == "host;x-acs-meta"
