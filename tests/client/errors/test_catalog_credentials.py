"""Each entry of the catalogue about keys, met by a task and read as the person who is woken reads it."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack
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
from red_tasks import a_block, error_of, log_of_failure, misses_of

from airflow_provider_dataworks.client.auth import metadata
from airflow_provider_dataworks.client.auth import profile as profiles
from airflow_provider_dataworks.client.errors.catalog import CATALOG
from airflow_provider_dataworks.client.errors.catalog_credentials import CREDENTIALS
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
def make_machine(
    dataworks_emulator: Emulator, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> Iterator[Callable[[], Machine]]:
    """Machines without keys, each with services of its own to hand them out."""
    with ExitStack() as running:

        def make() -> Machine:
            profiles._providers.clear()
            issuer = running.enter_context(serving(Issuer(lambda: DataWorksHook.now())))
            issuer.on_issue = dataworks_emulator.add_access_key
            return Machine(dataworks_emulator, issuer, monkeypatch, tmp_path)

        yield make


@pytest.fixture
def machine(make_machine: Callable[[], Machine]) -> Machine:
    """A machine without keys."""
    return make_machine()


def secrets_in(text: str, machine: Machine) -> list[str]:
    """Return what of a text is secret."""
    secrets = {*machine.issuer.secrets, machine.emulator.access_key_secret, "s3cr"}
    return [secret for secret in secrets if secret in text]


def test_the_text_of_an_error_about_keys_is_one_clear_block(
    make_machine: Callable[[], Machine], caplog: pytest.LogCaptureFixture
) -> None:
    """What happened with all facts, what to do, and where more is told; DataWorks was not asked."""
    caplog.set_level("DEBUG")
    misses = []
    for see, spoil, first in TASKS:
        caplog.clear()
        machine = make_machine()
        spoil(machine)
        with pytest.MonkeyPatch.context() as patch:
            if see == "profile-library":
                patch.setitem(sys.modules, "alibabacloud_credentials.provider", None)
            error = error_of(StopDIJobOperator(task_id="stop", di_job_id=JOB))
        misses += misses_of(error, see, first)
        misses += [f"{see}: {name} is told" for name in secrets_in(f"{error!r}{vars(error)}{caplog.text}", machine)]
        misses += [f"{see}: {name} was called" for name in machine.emulator.calls]

    assert misses == []


@pytest.mark.parametrize("see", ["no-such-role", "oidc-token", "instance-role", "credentials-uri", "keys-service-down"])
def test_the_log_of_a_task_without_keys_holds_the_block(
    machine: Machine, capfd: pytest.CaptureFixture[str], see: str
) -> None:
    """And nothing secret, not even blanked out by Airflow in the error: it must not have been there."""
    spoil, first = next(row[1:] for row in TASKS if row[0] == see)
    spoil(machine)

    log = log_of_failure(lambda: StopDIJobOperator(task_id="stop", di_job_id=JOB, retries=0), f"keys_{see}", capfd)

    block = a_block(log, see, first)
    assert secrets_in(log, machine) == []
    assert "***" not in "".join(block)


def test_every_entry_about_keys_is_met_by_a_test() -> None:
    """Two of them by the test below."""
    met = {row[0] for row in TASKS} | {"connection-not-read-again", "keys-removed"}

    assert {info.anchor for info in CREDENTIALS} - met == set()
    assert met - set(CATALOG) == set()


class StopLater(StopDIJobOperator):
    """Looks at the job, and stops it when something has happened in between."""

    def execute(self, context: Any) -> Any:
        """Look, wait for it, and stop."""
        self.hook.get_di_job(self.di_job_id)
        self.happens()
        return super().execute(context)


def test_keys_that_are_taken_away_from_a_running_task_are_missed_clearly(
    make_machine: Callable[[], Machine], caplog: pytest.LogCaptureFixture
) -> None:
    """Somebody deletes the key, and the connection or what it holds."""
    caplog.set_level("DEBUG")
    misses = []
    for see, first in (
        ("connection-not-read-again", "the connection dataworks_default could not be read again ("),
        ("keys-removed", "credential_type: of the connection has changed"),
    ):
        machine = make_machine()
        machine.emulator.add_access_key(f"LTAI{see}", f"secret-of-{see}")
        machine.connect(f"LTAI{see}", f"secret-of-{see}")

        def happens(task: StopLater, see: str = see, machine: Machine = machine) -> None:
            machine.emulator.remove_access_key(f"LTAI{see}")
            if see == "keys-removed":
                machine.instance()
            else:
                machine.patch.delenv("AIRFLOW_CONN_DATAWORKS_DEFAULT")

        machine.patch.setattr(StopLater, "happens", happens, raising=False)
        error = error_of(StopLater(task_id="stop", di_job_id=JOB))
        misses += misses_of(error, see, first)
        misses += secrets_in(f"{error!r}{caplog.text}", machine) + [see] * (f"secret-of-{see}" in caplog.text)

    assert misses == []


def test_a_form_that_says_access_key_beside_a_token_signs_with_both(machine: Machine) -> None:
    """It saves the first type of its list even where nobody touched that field."""
    machine.emulator.add_access_key("STS.form", "form-secret", "form-token")
    machine.connect("STS.form", "form-secret", credential_type="access_key", security_token="form-token")

    assert DataWorksHook().get_di_job(JOB).id == JOB
    assert machine.issuer.asked == []
