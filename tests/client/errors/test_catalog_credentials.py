"""Each kind of trouble with getting keys, met by a real task, and read in its log as the person who is woken does."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from emulated import JOB
from issuer import (
    BASE_KEY,
    BASE_SECRET,
    OIDC_ROLE,
    OIDC_TOKEN,
    PROVIDER,
    ROLE,
    Answer,
    Issuer,
    refusal,
    serving,
)
from red_tasks import a_block, log_of_failure

from airflow_provider_dataworks.client.auth import metadata
from airflow_provider_dataworks.client.auth import profile as profiles
from airflow_provider_dataworks.emulator import Emulator
from airflow_provider_dataworks.emulator.fixtures import dataworks_emulator, dataworks_emulator_factory
from airflow_provider_dataworks.hooks.dataworks import DataWorksHook
from airflow_provider_dataworks.operators.dataworks import StopDIJobOperator

__all__ = ["dataworks_emulator", "dataworks_emulator_factory"]

WHOLE = metadata.EcsRamRole.__init__
NOWHERE = "http://127.0.0.1:1"
# What the services say in their refusals: never to be repeated.
ECHO = f"string to sign: {BASE_SECRET} {OIDC_TOKEN}"
VARIABLES = (
    "ACCESS_KEY_ID",
    "ACCESS_KEY_SECRET",
    "SECURITY_TOKEN",
    "ROLE_ARN",
    "OIDC_PROVIDER_ARN",
    "OIDC_TOKEN_FILE",
    "ROLE_SESSION_NAME",
    "ECS_METADATA",
    "ECS_METADATA_DISABLED",
    "IMDSV1_DISABLED",
    "CREDENTIALS_URI",
    "CREDENTIALS_FILE",
    "CLI_PROFILE_DISABLED",
    "PROFILE",
)


class Machine:
    """A machine without keys, the services that hand them out, and the connection to DataWorks to be made."""

    def __init__(self, emulator: Emulator, issuer: Issuer, patch: pytest.MonkeyPatch, home: Path) -> None:
        self.emulator, self.issuer, self.patch, self.home = emulator, issuer, patch, home
        for name in VARIABLES:
            patch.delenv(f"ALIBABA_CLOUD_{name}", raising=False)
        patch.setenv("HOME", str(home))
        self.token = home / "token"
        self.token.write_text(OIDC_TOKEN)
        self.metadata(issuer.address)

    def metadata(self, address: str) -> None:
        """Put the metadata service somewhere."""

        def at(source: Any, *given: Any, **more: Any) -> None:
            WHOLE(source, *given, **{**more, "address": address})

        self.patch.setattr(metadata.EcsRamRole, "__init__", at)

    def connect(self, login: str | None = None, password: str | None = None, **extra: Any) -> None:
        """Make the connection; what is no standard field goes into its extra."""
        found = self.emulator.connection(max_qps=1000, **extra)
        self.patch.setenv("AIRFLOW_CONN_DATAWORKS_DEFAULT", json.dumps({**found, "login": login, "password": password}))

    def role(self, answer: Answer | None = None, **more: Any) -> None:
        """Connect with a role, assumed with the base key; STS gives this answer, as often as it is asked."""
        fields = {"login": BASE_KEY, "password": BASE_SECRET, "role_arn": ROLE, "sts_endpoint": self.issuer.address}
        self.connect(credential_type="ram_role_arn", **{**fields, **more})
        self.answer(answer)

    def oidc(self, answer: Answer | None = None, **more: Any) -> None:
        """Connect as a pod does."""
        given = {"role_arn": OIDC_ROLE, "oidc_provider_arn": PROVIDER, "oidc_token_file": str(self.token)}
        self.connect(credential_type="oidc_role_arn", **{"sts_endpoint": self.issuer.address, **given, **more})
        self.answer(answer)

    def uri(self, answer: Answer | None = None, address: str | None = None) -> None:
        """Connect with a credentials URI."""
        self.connect(credential_type="credentials_uri", credentials_uri=f"{address or self.issuer.address}/k?sig=s3cr")
        self.answer(answer)

    def instance(self, role_name: str = "instance-role", **more: Any) -> None:
        """Connect as an ECS instance with this role does."""
        self.issuer.role_name = role_name
        self.connect(credential_type="ecs_ram_role", **more)

    def chain(self, address: str) -> None:
        """Connect by the default chain, with the metadata service at this address, and no role there."""
        self.issuer.role_name = ""
        self.metadata(address)
        self.connect(credential_type="default", sts_endpoint=self.issuer.address)

    def answer(self, answer: Answer | None) -> None:
        """Have the services give this answer from now on."""
        self.issuer.scripted.extend([answer] * 50 if answer else [])

    def late(self) -> None:
        """Let STS refuse the clock, whatever it is set to."""
        self.issuer.skew = 3600
        self.role(refusal("InvalidTimeStamp.Expired", 400, ECHO))


def told(code: str, status: int) -> Answer:
    """A refusal that tells too much."""
    return refusal(code, status, ECHO)


BY_ROLE = f"{BASE_KEY} got no keys of {ROLE}."
# Row, what is wrong, words of the first line.
TASKS: list[tuple[str, Callable[[Machine], None], str]] = [
    ("access-key", lambda m: m.role(login="LTAIgone"), "AssumeRole failed (InvalidAccessKeyId.NotFound, HTTP 404"),
    ("access-key-secret", lambda m: m.role(password="other"), "AssumeRole failed (SignatureDoesNotMatch, HTTP 400"),
    ("sts-token", lambda m: m.role(security_token="other"), "AssumeRole failed (InvalidSecurityToken.Malformed"),
    ("clock", Machine.late, f"{BY_ROLE} The service's clock is 3"),
    ("role-not-allowed", lambda m: m.role(told("NoPermission", 403)), "(NoPermission, HTTP 403)"),
    ("role-not-allowed", lambda m: m.role(told("NoPermission", 403)), BY_ROLE),
    ("no-such-role", lambda m: m.role(role_arn=f"{ROLE}s"), "(EntityNotExist.Role, HTTP 404)"),
    ("no-such-role", lambda m: m.oidc(told("EntityNotExist.OIDCProvider", 404)), "AssumeRoleWithOIDC failed (Entity"),
    ("role-duration", lambda m: m.role(told("InvalidParameter.DurationSeconds", 400)), "DurationSeconds, HTTP 400"),
    ("role-refused", lambda m: m.role(told("InvalidParameter.PolicyGrammar", 400)), "PolicyGrammar, HTTP 400"),
    ("oidc-not-trusted", lambda m: m.oidc(role_arn=ROLE), f"the token of oidc_token_file got no keys of {ROLE}."),
    ("oidc-token", lambda m: m.oidc(told("AuthenticationFail.OIDCToken.Expired", 400)), f"keys of {OIDC_ROLE}."),
    (
        "bad-input",
        lambda m: m.oidc(oidc_token_file="/none"),
        "oidc_token_file: the file cannot be used (it cannot be o",
    ),
    ("oidc-not-set-up", lambda m: m.oidc(role_arn=None), "role_arn: is missing, and ALIBABA_CLOUD_ROLE_ARN is not set"),
    ("instance-role", lambda m: m.instance(""), "ECS metadata failed (HTTP 404): no RAM role is attached to this inst"),
    (
        "instance-role",
        lambda m: m.connect(credential_type="ecs_ram_role", role_name="c"),
        "there are no keys of the role c.",
    ),
    (
        "imds-v2",
        lambda m: setattr(m.issuer, "v2", False) or m.instance(disable_imds_v1=True),
        "gave no token for IMDSv2",
    ),
    (
        "metadata-unreachable",
        lambda m: m.metadata(NOWHERE) or m.instance(),
        "came from 127.0.0.1:1: ConnectError (No con",
    ),
    ("credentials-uri", lambda m: m.uri(told("Odd.Code", 403)), "Credentials URI failed (Odd.Code, HTTP 403"),
    ("keys-unreachable", lambda m: m.role(sts_endpoint=NOWHERE), "AssumeRole failed: no usable answer came from 127.0"),
    ("keys-unreachable", lambda m: m.oidc(sts_endpoint=NOWHERE), "AssumeRoleWithOIDC failed: no usable answer came"),
    ("keys-unreachable", lambda m: m.uri(address=NOWHERE), "Credentials URI failed: no usable answer came from 127"),
    ("keys-service-down", lambda m: m.role(told("Throttling.User", 429)), "Throttling.User, HTTP 429)"),
    (
        "keys-service-down",
        lambda m: m.instance() or m.answer(Answer(503, b"")),
        "ECS metadata failed (HTTP 503): no keys",
    ),
    ("keys-unreadable", lambda m: m.uri(Answer(200, BASE_SECRET.encode())), "the answer cannot be read (25 bytes)."),
    ("keys-unreadable", lambda m: setattr(m.issuer, "life", -1) or m.role(), "the keys in the answer have expired."),
    ("profile", lambda m: m.connect(credential_type="profile", profile="p"), "the profile p gave no keys: "),
    ("profile-library", lambda m: m.connect(credential_type="profile"), "alibabacloud-credentials cannot be used (Mod"),
    (
        "no-keys-found",
        lambda m: m.chain(m.issuer.address),
        "ECS metadata: (HTTP 404): no RAM role is attached to this instance; cred",
    ),
    ("no-keys-for-now", lambda m: m.chain(NOWHERE), "ECS metadata: no usable answer came from 127.0.0.1:1: Conn"),
]


@pytest.fixture
def machine(dataworks_emulator: Emulator, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Machine]:
    """A machine without keys."""
    profiles._providers.clear()
    with serving(Issuer(lambda: DataWorksHook.now())) as issuer:
        issuer.on_issue = dataworks_emulator.add_access_key
        yield Machine(dataworks_emulator, issuer, monkeypatch, tmp_path)


def assert_nothing_secret(machine: Machine, log: str, block: list[str]) -> None:
    """Neither in the whole log, nor blanked out by Airflow in the error: it must not have been there."""
    secrets = {*machine.issuer.secrets, machine.emulator.access_key_secret, "s3cr"}
    assert [secret for secret in secrets if secret in log] == []
    assert "***" not in "".join(block)


@pytest.mark.parametrize(("see", "spoil", "first"), TASKS, ids=[f"{row[0]}-{n}" for n, row in enumerate(TASKS)])
def test_the_log_of_a_task_without_keys_holds_one_clear_block(
    machine: Machine,
    capfd: pytest.CaptureFixture[str],
    see: str,
    spoil: Callable[[Machine], None],
    first: str,
) -> None:
    """What happened with all facts, what to do, and where README tells more; DataWorks was not asked."""
    spoil(machine)
    if see == "profile-library":
        machine.patch.setitem(sys.modules, "alibabacloud_credentials.provider", None)

    log = log_of_failure(lambda: StopDIJobOperator(task_id="stop", di_job_id=JOB, retries=0), f"keys_{see}", capfd)

    block = a_block(log, see, first)
    assert log.count("\n".join(block[1:])) == 1
    assert len(re.findall(r'File ".*/airflow_provider_dataworks/', log)) <= 3
    assert_nothing_secret(machine, log, block)
    assert machine.emulator.calls == []


class StopLater(StopDIJobOperator):
    """Looks at the job, and stops it when something has happened in between."""

    def execute(self, context: Any) -> Any:
        """Look, wait for it, and stop."""
        self.hook.get_di_job(self.di_job_id)
        self.happens()
        return super().execute(context)


@pytest.mark.parametrize(
    ("see", "first"),
    [
        ("connection-not-read-again", "the connection dataworks_default could not be read again ("),
        ("keys-removed", "credential_type: of the connection has changed"),
    ],
)
def test_keys_that_are_taken_away_from_a_running_task_are_missed_clearly(
    machine: Machine, capfd: pytest.CaptureFixture[str], see: str, first: str
) -> None:
    """Somebody deletes the key, and the connection or what it holds."""
    emulator = machine.emulator
    machine.connect(emulator.access_key_id, emulator.access_key_secret)

    def happens(task: StopLater) -> None:
        emulator.remove_access_key(emulator.access_key_id)
        if see == "keys-removed":
            machine.instance()
        else:
            machine.patch.delenv("AIRFLOW_CONN_DATAWORKS_DEFAULT")

    machine.patch.setattr(StopLater, "happens", happens, raising=False)

    log = log_of_failure(lambda: StopLater(task_id="stop", di_job_id=JOB, retries=0), f"taken_{see}", capfd)

    assert_nothing_secret(machine, log, a_block(log, see, first))


def test_a_form_that_says_access_key_beside_a_token_signs_with_both(machine: Machine) -> None:
    """It saves the first type of its list even where nobody touched that field."""
    machine.emulator.add_access_key("STS.form", "form-secret", "form-token")
    machine.connect("STS.form", "form-secret", credential_type="access_key", security_token="form-token")

    assert DataWorksHook().get_di_job(JOB).id == JOB
    assert machine.issuer.asked == []
