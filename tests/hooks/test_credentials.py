"""Hook and triggers on temporary and rotated keys, against the emulator and a stand-in of STS and its like."""

from __future__ import annotations

import asyncio
import gc
import json
import time
import weakref
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from typing import Any

import pytest
from alibabacloud_credentials.utils import auth_constant
from emulated import JOB, Clock, in_triggerer, on_clock
from issuer import BASE_KEY, BASE_SECRET, OIDC_ROLE, OIDC_TOKEN, PROVIDER, ROLE, Answer, Issuer, refusal, serving

from airflow_provider_dataworks.client.auth import metadata
from airflow_provider_dataworks.client.models import JobStatus, Verdict
from airflow_provider_dataworks.emulator import Emulator
from airflow_provider_dataworks.exceptions import (
    DataWorksAuthError,
    DataWorksForbidden,
    DataWorksUnavailable,
    DIJobWaitTimeout,
)
from airflow_provider_dataworks.hooks import _connection
from airflow_provider_dataworks.hooks.dataworks import DataWorksHook
from airflow_provider_dataworks.triggers._shared_clients import watcher_of
from airflow_provider_dataworks.triggers.dataworks import DIJobStatusTrigger
from airflow_provider_dataworks.version_compat import AirflowFailException


@pytest.fixture
def issuer(emulator: Emulator, clock: Clock) -> Iterator[Issuer]:
    """The services that hand out keys; each key is good at the emulator until it ends."""
    with serving(Issuer(clock.now)) as running:
        running.on_issue = emulator.add_access_key
        yield running


@pytest.fixture
def use(emulator: Emulator, issuer: Issuer, monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Make the connection with other fields; what is no standard field goes into its extra."""

    def connect(login: str | None = None, password: str | None = None, **extra: Any) -> None:
        fields = {
            "conn_type": "dataworks",
            "host": "http://127.0.0.1",
            "port": emulator.port,
            "login": login,
            "password": password,
            "extra": {"max_qps": 1000, **extra},
        }
        monkeypatch.setenv("AIRFLOW_CONN_DATAWORKS_DEFAULT", json.dumps(fields))

    return connect


@pytest.fixture
def use_role(use: Callable[..., None], issuer: Issuer) -> Callable[..., None]:
    """Make the connection assume the role with the base key."""

    def connect(**more: Any) -> None:
        fields = {"login": BASE_KEY, "password": BASE_SECRET, "role_arn": ROLE, "sts_endpoint": issuer.address}
        use(credential_type="ram_role_arn", **{**fields, **more})

    return connect


def test_every_credential_type_signs_calls(
    issuer: Issuer,
    emulator: Emulator,
    use: Callable[..., None],
    use_role: Callable[..., None],
    clock: Clock,
    tmp_path: Any,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """From the connection's fields to an answer of the service."""
    token = tmp_path / "token"
    token.write_text(OIDC_TOKEN)
    oidc = {"oidc_provider_arn": PROVIDER, "oidc_token_file": str(token), "sts_endpoint": issuer.address}
    monkeypatch.setattr(metadata.EcsRamRole, "__init__", _at(issuer.address))
    monkeypatch.setenv("ALIBABA_CLOUD_ACCESS_KEY_ID", emulator.access_key_id)
    monkeypatch.setenv("ALIBABA_CLOUD_ACCESS_KEY_SECRET", emulator.access_key_secret)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setattr(auth_constant, "HOME", str(tmp_path))  # the vendor's library reads the variable once
    config = tmp_path / ".aliyun" / "config.json"
    config.parent.mkdir()
    keys = {"access_key_id": emulator.access_key_id, "access_key_secret": emulator.access_key_secret}
    config.write_text(json.dumps({"current": "p", "profiles": [{"name": "p", "mode": "AK", **keys}]}))
    connections: list[Callable[[], None]] = [
        lambda: use(emulator.access_key_id, emulator.access_key_secret),
        use_role,
        lambda: use_role(login=None, password=None, source_credential_type="ecs_ram_role"),
        lambda: use_role(
            login=None, password=None, source_credential_type="oidc_role_arn", source_role_arn=OIDC_ROLE, **oidc
        ),
        lambda: use(credential_type="ecs_ram_role"),
        lambda: use(credential_type="oidc_role_arn", role_arn=OIDC_ROLE, **oidc),
        lambda: use(credential_type="credentials_uri", credentials_uri=f"{issuer.address}/keys"),
        lambda: use(credential_type="profile", profile="p"),
        lambda: use(credential_type="default"),
    ]

    for connect in connections:
        connect()
        hook = on_clock(DataWorksHook(), clock)
        assert hook.get_di_job(JOB).status is JobStatus.RUNNING
        assert in_triggerer(hook).status is JobStatus.RUNNING

    assert emulator.count(outcome="refused") == 0


def _at(address: str) -> Callable[..., None]:
    whole = metadata.EcsRamRole.__init__

    def init(self: metadata.EcsRamRole, *given: Any, **more: Any) -> None:
        whole(self, *given, **{"address": address, **more})

    return init


def test_a_long_wait_outlives_many_sets_of_keys(
    issuer: Issuer, emulator: Emulator, use_role: Callable[..., None], clock: Clock
) -> None:
    """A job that stops after two hours, with keys that live fifteen minutes: one renewal for each ten."""
    use_role(duration_seconds=900)
    emulator.add_job(JOB, "Running", stop_seconds=7200)
    hook = on_clock(DataWorksHook(), clock)
    hook.stop_di_job(JOB)

    job = hook.wait_until_stopped(JOB, timeout=9000, poll_interval=30)

    assert job.status is JobStatus.STOPPED
    assert 11 <= issuer.actions.count("AssumeRole") <= 13
    assert emulator.count(outcome="refused") == 0


def test_keys_that_end_early_are_renewed_when_they_are_refused(
    issuer: Issuer, emulator: Emulator, use_role: Callable[..., None], clock: Clock
) -> None:
    """As after a session was revoked; the service refuses one call, and the caller sees nothing of it."""
    use_role()
    hook = on_clock(DataWorksHook(), clock)
    hook.get_di_job(JOB)
    identity, secret, token = issuer.issued[0]
    emulator.add_access_key(identity, secret, token, expires=clock.now())

    assert hook.stop_di_job(JOB)

    assert [call.code for call in emulator.calls if call.outcome == "refused"] == ["InvalidSecurityToken.Expired"]
    assert emulator.job(JOB).effective_stops == 1
    assert clock.slept == []


def test_fifty_callers_make_one_request_for_keys(
    issuer: Issuer, emulator: Emulator, use_role: Callable[..., None], clock: Clock
) -> None:
    """At first, and as the keys are about to end; the service takes its time."""
    use_role()
    hook = on_clock(DataWorksHook(), clock)
    issuer.delay = 0.2
    assert hook.client is not None
    asked = []
    with ThreadPoolExecutor(50) as pool:
        found = list(pool.map(lambda _: hook.get_di_job(JOB), range(50)))
        asked.append(len(issuer.asked))
        clock.time += 3300
        found += pool.map(lambda _: hook.get_di_job(JOB), range(50))
        asked.append(len(issuer.asked))

    assert len(found) == 100
    assert asked == [1, 2]


def test_a_refused_role_is_an_airflow_failure_and_an_outage_is_not(
    issuer: Issuer, use_role: Callable[..., None], clock: Clock, emulator: Emulator
) -> None:
    """The first burns no retries, the second deserves them; nothing was sent to DataWorks."""
    use_role()
    hook = on_clock(DataWorksHook(), clock)
    issuer.scripted.append(refusal("NoPermission", 403))
    with pytest.raises(DataWorksForbidden, match="sts:AssumeRole") as permanent:
        hook.stop_di_job(JOB)
    issuer.scripted.extend([Answer(503, b"")] * 20)
    with pytest.raises(DataWorksUnavailable, match="AssumeRole") as transient:
        hook.stop_di_job(JOB)

    assert isinstance(permanent.value, AirflowFailException)
    assert not isinstance(transient.value, AirflowFailException)
    assert not transient.value.sent
    assert len(clock.slept) > 1
    assert emulator.calls == []


def test_the_connection_test_tells_what_a_role_lacks(
    issuer: Issuer, use_role: Callable[..., None], clock: Clock
) -> None:
    """In the form, where it is set up."""
    use_role(role_arn="acs:ram::1234567890:role/unknown")

    good, text = on_clock(DataWorksHook(), clock).test_connection()

    assert not good
    assert "EntityNotExist.Role" in text
    assert "Correct the ARN (role_arn" in text
    assert "For more: python -m airflow_provider_dataworks explain no-such-role" in text


def test_calls_of_one_role_count_as_one_account(use_role: Callable[..., None], clock: Clock) -> None:
    """The rate is kept by the role: its AccessKey IDs change with every renewal."""
    use_role()
    first, second = on_clock(DataWorksHook(), clock), on_clock(DataWorksHook(), clock)
    before = first.account.source.identity
    first.get_di_job(JOB)
    clock.time += 3300
    first.get_di_job(JOB)

    assert first.account.source.identity == second.account.source.identity == before


def test_keys_rotated_in_the_connection_reach_a_long_blocking_wait(
    emulator: Emulator, use: Callable[..., None], clock: Clock
) -> None:
    """The old key is deleted while the task waits."""
    use(emulator.access_key_id, emulator.access_key_secret)
    emulator.add_access_key("LTAIrotated", "rotated-secret")
    hook = on_clock(DataWorksHook(), clock)

    def rotate(seconds: float) -> None:
        emulator.remove_access_key(emulator.access_key_id)
        use("LTAIrotated", "rotated-secret")
        clock.sleep(seconds)

    hook.sleep = rotate
    hook.stop_di_job(JOB)

    assert hook.wait_until_stopped(JOB, timeout=600, poll_interval=10).status is JobStatus.STOPPED
    assert emulator.count(outcome="refused") == 1


def test_base_keys_rotated_in_the_connection_are_used_for_the_role(
    issuer: Issuer, use_role: Callable[..., None], clock: Clock
) -> None:
    """At the next renewal, before anything was refused."""
    use_role()
    hook = on_clock(DataWorksHook(), clock)
    hook.get_di_job(JOB)
    issuer.known = {"LTAIrotated": ("rotated-secret", "")}
    use_role(login="LTAIrotated", password="rotated-secret")
    clock.time += 3300

    assert hook.get_di_job(JOB).id == JOB
    assert issuer.asked[-1].query["AccessKeyId"] == "LTAIrotated"


@pytest.mark.parametrize(
    ("change", "error", "text"),
    [
        pytest.param("gone", DataWorksUnavailable, "could not be read again", id="connection-deleted"),
        pytest.param("type", DataWorksAuthError, "credential_type", id="type-changed"),
        pytest.param("same", DataWorksAuthError, "InvalidAccessKeyId", id="nothing-changed"),
    ],
)
def test_a_connection_that_holds_no_newer_keys(
    emulator: Emulator,
    use: Callable[..., None],
    clock: Clock,
    monkeypatch: pytest.MonkeyPatch,
    change: str,
    error: type[Exception],
    text: str,
) -> None:
    """What is wrong with it is told; where nothing is, the first error stands."""
    use(emulator.access_key_id, emulator.access_key_secret)
    hook = on_clock(DataWorksHook(), clock)
    hook.get_di_job(JOB)
    emulator.remove_access_key(emulator.access_key_id)
    if change == "gone":
        monkeypatch.delenv("AIRFLOW_CONN_DATAWORKS_DEFAULT")
    elif change == "type":
        use(credential_type="ecs_ram_role")

    with pytest.raises(error, match=text):
        hook.get_di_job(JOB)


def test_new_keys_are_masked_in_a_task(
    issuer: Issuer, use_role: Callable[..., None], clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Secret and token, also as a URL spells them."""
    masked: list[str] = []
    monkeypatch.setattr(_connection, "mask_secret", masked.append)
    use_role()

    on_clock(DataWorksHook(), clock).get_di_job(JOB)

    _, secret, token = issuer.issued[0]
    assert {secret, token, BASE_SECRET} <= set(masked)
    assert any("%2F" in text for text in masked)


def test_a_hook_that_nobody_holds_goes_away(emulator: Emulator, use: Callable[..., None], clock: Clock) -> None:
    """With its connections: reading the connection again needs its class, not the hook."""
    use(emulator.access_key_id, emulator.access_key_secret)
    hook = on_clock(DataWorksHook(), clock)
    hook.get_di_job(JOB)
    gone = weakref.ref(hook)

    del hook
    gc.collect()

    assert gone() is None


# In the triggerer


@pytest.fixture
def soon(monkeypatch: pytest.MonkeyPatch) -> None:
    """Take first looks at once."""
    monkeypatch.setattr(DIJobStatusTrigger, "first_look", 0.05)


@asynccontextmanager
async def waiting(seconds: float = 20) -> Any:
    """A wait for the job as a trigger has it; gives the task."""
    async with watcher_of("dataworks_default", None) as watcher:
        task = asyncio.create_task(
            watcher.wait(JOB, Verdict(), seconds_left=seconds, poll_interval=0.05, first_look=0.05)
        )
        yield task
        await asyncio.wait((task,))


async def until(condition: Callable[[], bool]) -> None:
    """Let the loop turn until something is so."""
    for _ in range(1000):
        if condition():
            return
        await asyncio.sleep(0.01)
    raise TimeoutError


class TestInTheTriggerer:
    """Waits that are open while keys end or are rotated; they live by the real clock."""

    @pytest.fixture
    def clock(self) -> Clock:
        """The real clock: the watcher lives by the event loop's."""
        found = Clock()
        found.now = time.time  # type: ignore[method-assign]
        return found

    @pytest.mark.usefixtures("soon")
    @pytest.mark.parametrize("kind", ["static", "role"])
    def test_a_wait_goes_on_when_keys_are_rotated(
        self, emulator: Emulator, issuer: Issuer, use: Any, use_role: Any, kind: str
    ) -> None:
        """Of the connection itself, and of what its role is assumed with."""
        if kind == "static":
            use(emulator.access_key_id, emulator.access_key_secret)
        else:
            use_role()

        async def main() -> Any:
            async with waiting() as task:
                await until(lambda: emulator.count("GetDIJob", "served") >= 2)
                if kind == "static":
                    emulator.add_access_key("LTAIrotated", "rotated-secret")
                    use("LTAIrotated", "rotated-secret")
                    emulator.remove_access_key(emulator.access_key_id)
                else:
                    issuer.known = {"LTAIrotated": ("rotated-secret", "")}
                    use_role(login="LTAIrotated", password="rotated-secret")
                    emulator.remove_access_key(issuer.issued[0][0])
                before = emulator.count("GetDIJob", "served")
                await until(lambda: emulator.count("GetDIJob", "served") > before)
                emulator.set_status(JOB, "Stopped")
            return task.result()

        assert asyncio.run(main()).status is JobStatus.STOPPED
        assert emulator.count(outcome="refused") >= 1

    @pytest.mark.usefixtures("soon")
    def test_a_wait_is_told_when_there_are_no_keys_any_more(self, emulator: Emulator, use: Any) -> None:
        """Waiting on would be in vain."""
        use(emulator.access_key_id, emulator.access_key_secret)

        async def main() -> Any:
            async with waiting() as task:
                await until(lambda: emulator.count("GetDIJob", "served") >= 1)
                emulator.remove_access_key(emulator.access_key_id)
            return task.exception()

        error = asyncio.run(main())
        assert isinstance(error, DataWorksAuthError)
        assert error.code == "InvalidAccessKeyId.NotFound"

    @pytest.mark.usefixtures("soon")
    def test_an_outage_of_sts_is_waited_out(self, emulator: Emulator, issuer: Issuer, use_role: Any) -> None:
        """Inside the deadline, as one of DataWorks."""
        use_role()
        issuer.scripted.extend([Answer(503, b"")] * 3)
        emulator.set_status(JOB, "Stopped")

        async def main() -> Any:
            async with waiting() as task:
                pass
            return task.result()

        assert asyncio.run(main()).status is JobStatus.STOPPED
        assert len(issuer.asked) == 4

    @pytest.mark.usefixtures("soon")
    def test_a_wait_without_keys_until_its_end_says_why(
        self, emulator: Emulator, issuer: Issuer, use_role: Any
    ) -> None:
        """The last error stands in the text."""
        use_role()
        issuer.scripted.extend([Answer(503, b"")] * 100)

        async def main() -> Any:
            async with waiting(seconds=0.3) as task:
                pass
            return task.exception()

        error = asyncio.run(main())
        assert isinstance(error, DIJobWaitTimeout)
        assert "AssumeRole failed" in str(error)
