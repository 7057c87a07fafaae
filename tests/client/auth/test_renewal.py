"""Keys that the service no longer takes: signed once more with newer ones, for any call."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import httpx
import pytest
from fake_dataworks import JOB, START, Drive, refuse

from airflow_provider_dataworks.client import state_change
from airflow_provider_dataworks.client.auth.credentials import Credentials, StaticCredentials
from airflow_provider_dataworks.client.auth.signing import SIGNATURES
from airflow_provider_dataworks.client.models import ChangeRequest
from airflow_provider_dataworks.exceptions import (
    DataWorksAuthError,
    DataWorksError,
    DataWorksForbidden,
    DataWorksUnavailable,
)

OLD = Credentials("LTAIold", "old-secret-text", "old-token-text")
NEW = Credentials("LTAInew", "new-secret-text", "new-token-text")
CODES = (
    "InvalidSecurityToken.Expired",
    "InvalidSecurityToken",
    "InvalidAccessKeyId.NotFound",
    "InvalidAccessKeyId.Inactive",
    "SignatureDoesNotMatch",
    "InvalidAccessKeySecret",
)


class Connection:
    """What a connection holds; reading it may fail."""

    def __init__(self, keys: Credentials) -> None:
        self.keys = keys
        self.read = 0
        self.errors: list[DataWorksError] = []

    def __call__(self) -> Credentials:
        """Read it again."""
        self.read += 1
        if self.errors:
            raise self.errors.pop(0)
        return self.keys


@pytest.fixture
def connection() -> Connection:
    """A connection whose keys somebody has rotated."""
    return Connection(NEW)


@pytest.fixture
def rotated(drive: Drive, connection: Connection) -> Callable[..., Drive]:
    """Make a client that still has the old keys."""

    def make(**more: Any) -> Drive:
        drive.use(source=StaticCredentials(OLD, connection), **more)
        return drive

    return make


def signed_with(drive: Drive) -> list[str]:
    """AccessKey IDs of the requests so far."""
    found = []
    for heard in drive.dataworks.heard:
        header = heard.request.headers.get("authorization", "")
        match = re.search(r"Credential=([^,]+)", header)
        found.append(match[1] if match else heard.params["AccessKeyId"])
    return found


@pytest.mark.parametrize("signature", SIGNATURES)
@pytest.mark.parametrize("code", CODES)
def test_a_refused_call_is_signed_once_more_with_newer_keys(rotated: Any, connection: Connection, code: str, signature):
    """Nothing of it was executed, so even a stop may be sent again."""
    drive = rotated(signature=signature)
    drive.dataworks.script("StopDIJob", refuse(code, 400))

    assert drive.client.stop_di_job(JOB, None)

    assert signed_with(drive) == ["LTAIold", "LTAInew"]
    assert drive.dataworks.effective_stops == 1
    assert drive.slept == []
    drive.client.get_di_job(JOB)
    assert signed_with(drive)[-1] == "LTAInew"
    assert connection.read == 1


@pytest.mark.parametrize("code", CODES)
def test_without_newer_keys_nothing_is_sent_again(rotated: Any, connection: Connection, code: str):
    """The error is the first one."""
    drive = rotated()
    connection.keys = OLD
    drive.dataworks.script("GetDIJob", refuse(code, 400))

    with pytest.raises(DataWorksAuthError) as caught:
        drive.client.get_di_job(JOB)

    assert caught.value.code == code
    assert (signed_with(drive), connection.read) == (["LTAIold"], 1)


def test_newer_keys_that_are_refused_too_are_the_end(rotated: Any):
    """A second renewal in a row would be a third guess."""
    drive = rotated()
    drive.dataworks.script("GetDIJob", refuse("InvalidAccessKeyId.NotFound", 404), refuse("SignatureDoesNotMatch", 400))

    with pytest.raises(DataWorksAuthError) as caught:
        drive.client.get_di_job(JOB)

    assert caught.value.code == "SignatureDoesNotMatch"
    assert signed_with(drive) == ["LTAIold", "LTAInew"]


@pytest.mark.parametrize("code", ["IncompleteSignature", "Forbidden.RAM", "MissingSecurityToken", "InvalidParameter"])
def test_other_refusals_renew_nothing(rotated: Any, connection: Connection, code: str):
    """They are not about the keys as such."""
    drive = rotated()
    drive.dataworks.script("GetDIJob", refuse(code, 400))

    with pytest.raises(DataWorksError):
        drive.client.get_di_job(JOB)

    assert (len(drive.dataworks.heard), connection.read) == (1, 0)


def test_newer_keys_that_cannot_be_had_for_now_are_waited_for(rotated: Any, connection: Connection):
    """As a call that was never sent: even a stop is tried again."""
    drive = rotated()
    connection.errors = [DataWorksUnavailable("nobody there", sent=False)]
    drive.dataworks.script("StopDIJob", refuse("InvalidSecurityToken.Expired", 400))
    drive.dataworks.script("StopDIJob", refuse("InvalidSecurityToken.Expired", 400))

    assert drive.client.stop_di_job(JOB, None)

    assert signed_with(drive) == ["LTAIold", "LTAIold", "LTAInew"]
    assert len(drive.slept) == 1
    assert drive.dataworks.effective_stops == 1


def test_newer_keys_that_cannot_be_had_at_all_are_the_error(rotated: Any, connection: Connection):
    """What became of the old ones is in the log."""
    drive = rotated()
    connection.errors = [DataWorksForbidden("no keys", action="AssumeRole", code="NoPermission")]
    drive.dataworks.script("GetDIJob", refuse("InvalidSecurityToken.Expired", 400))

    with pytest.raises(DataWorksForbidden) as caught:
        drive.client.get_di_job(JOB)

    assert caught.value.action == "AssumeRole"


def test_a_stop_that_gets_no_keys_is_known_not_to_be_sent(rotated: Any, connection: Connection):
    """What was noted before the stop is taken back, or the restart would claim a stop that never was."""
    drive = rotated()
    drive.dataworks.script("StopDIJob", refuse("InvalidSecurityToken.Expired", 400))
    connection.errors = [DataWorksForbidden("no keys", action="AssumeRole")]
    noted: list[str] = []
    plan = ChangeRequest(
        JOB,
        START + 600,
        30,
        write_note=lambda job: noted.append("write"),
        withdraw_note=lambda: noted.append("withdraw"),
    )

    with pytest.raises(DataWorksForbidden):
        state_change.stop(drive.client, plan)

    assert noted == ["write", "withdraw"]


def test_each_answer_is_cleaned_of_the_keys_it_was_asked_with(rotated: Any):
    """Also while others renew them."""
    drive = rotated()

    def echo(keys: Credentials) -> Any:
        return refuse("InvalidAccessKeyId.NotFound", 404, f"you sent {keys.access_key_secret} {keys.security_token}")

    drive.dataworks.script("GetDIJob", echo(OLD), echo(NEW))

    with pytest.raises(DataWorksAuthError, match=r"you sent \*\*\* \*\*\*"):
        drive.client.get_di_job(JOB)


def test_a_clock_that_is_off_is_corrected_and_not_taken_for_bad_keys(rotated: Any, connection: Connection):
    """That refusal tells the skew."""
    drive = rotated()
    drive.dataworks.skew = 3600

    drive.client.get_di_job(JOB)

    assert (signed_with(drive), connection.read) == (["LTAIold"] * 2, 0)


def test_an_authors_client_signs_with_the_keys_of_now(rotated: Any, connection: Connection):
    """It is the same session, so what others renewed is used."""
    drive = rotated()
    drive.dataworks.script("GetDIJob", refuse("InvalidAccessKeyId.NotFound", 404))
    drive.client.get_di_job(JOB)

    answer = drive.session.new_client().post("/", headers={"x-acs-action": "ListProjects"})

    assert isinstance(answer, httpx.Response)
    assert signed_with(drive)[-1] == "LTAInew"


def test_what_an_author_sends_is_signed_once_more_with_newer_keys(rotated: Any, connection: Connection):
    """As our own calls are."""
    drive = rotated()
    drive.dataworks.script("ListProjects", refuse("InvalidAccessKeyId.NotFound", 404))

    answer = drive.session.new_client().post("/", headers={"x-acs-action": "ListProjects"})

    assert answer.status_code == 200
    assert (signed_with(drive), connection.read) == (["LTAIold", "LTAInew"], 1)
