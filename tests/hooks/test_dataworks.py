"""The hook against the emulator: both API versions, both signatures, with and without an STS token."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from emulated import JOB, SECURITY_TOKEN, Clock, in_triggerer, on_clock

from airflow_provider_dataworks.client.models import JobStatus
from airflow_provider_dataworks.emulator import Emulator
from airflow_provider_dataworks.exceptions import (
    DataWorksAuthError,
    DataWorksInvalidRequest,
    DataWorksNotFound,
    DataWorksThrottled,
    DIJobFailed,
    DIJobWaitTimeout,
)
from airflow_provider_dataworks.hooks.dataworks import DataWorksHook
from airflow_provider_dataworks.version_compat import AirflowFailException

VERSIONS = pytest.mark.parametrize("api_version", ["2020-05-18", "2024-05-18"])
SIGNATURES = pytest.mark.parametrize("signature", ["ACS3-HMAC-SHA256", "HMAC-SHA1"])


def test_nothing_is_looked_up_before_the_first_call() -> None:
    """A hook of a connection that does not exist can be made; DAG files do that at every parse."""
    assert DataWorksHook("no_such_connection").dataworks_conn_id == "no_such_connection"


@VERSIONS
@SIGNATURES
@pytest.mark.parametrize("token", [None, SECURITY_TOKEN], ids=["access-key", "sts"])
def test_every_method_speaks_both_versions_and_signatures(
    emulator: Emulator,
    connect: Callable[..., None],
    clock: Clock,
    api_version: str,
    signature: str,
    token: str | None,
) -> None:
    """Get, list, stop, wait and start work in each of the eight ways to talk."""
    if token:
        emulator.add_access_key(emulator.access_key_id, emulator.access_key_secret, token)
    connect(api_version=api_version, signature=signature, security_token=token)
    hook = on_clock(DataWorksHook(), clock)

    assert hook.get_di_job(str(JOB)).status is JobStatus.RUNNING
    assert [job.id for job in hook.list_di_jobs(1967)] == [JOB]
    assert hook.list_di_jobs("1967", name="no such job") == []
    assert hook.stop_di_job(JOB)
    assert hook.wait_until_stopped(JOB, timeout=60, poll_interval=10).status is JobStatus.STOPPED
    assert hook.start_di_job(JOB, start_time=1_671_516_776, force_to_rerun=False)
    assert (emulator.job(JOB).effective_stops, emulator.job(JOB).effective_starts) == (1, 1)
    assert emulator.job(JOB).start_time == 1_671_516_776
    assert emulator.count(outcome="refused") == 0


@VERSIONS
def test_an_instance_is_stopped_only_where_the_version_knows_instances(
    hook: DataWorksHook, emulator: Emulator, connect: Callable[..., None], clock: Clock, api_version: str
) -> None:
    """2020-05-18 has no InstanceId: asking for one is refused before anything is sent, and never ignored."""
    connect(api_version=api_version)
    hook = on_clock(DataWorksHook(), clock)

    if api_version == "2020-05-18":
        with pytest.raises(DataWorksInvalidRequest, match="instance_id"):
            hook.stop_di_job(JOB, instance_id=1234)
        assert emulator.calls == []
    else:
        assert hook.stop_di_job(JOB, instance_id="1234")


@pytest.mark.parametrize("bad", [0, -1, True, 1.5, "", "abc", "1e3", "１２", 2**63, "9" * 30, None, [1]])
@pytest.mark.parametrize("method", ["stop_di_job", "start_di_job", "get_di_job", "list_di_jobs"])
def test_bad_ids_are_refused_before_anything_is_sent(
    hook: DataWorksHook, emulator: Emulator, method: str, bad: Any
) -> None:
    """The error names the parameter and is permanent for Airflow."""
    field = "project_id" if method == "list_di_jobs" else "di_job_id"

    with pytest.raises(DataWorksInvalidRequest, match=field) as caught:
        getattr(hook, method)(bad)

    assert isinstance(caught.value, AirflowFailException)
    assert isinstance(caught.value, ValueError)
    assert emulator.calls == []


@pytest.mark.parametrize("bad", [1_671_516_776_000, 0, -5, True, "soon"])
def test_a_wrong_start_time_is_refused_before_anything_is_sent(
    hook: DataWorksHook, emulator: Emulator, bad: Any
) -> None:
    """A start time in milliseconds would reset the offset to nonsense."""
    with pytest.raises(DataWorksInvalidRequest, match="start_time"):
        hook.start_di_job(JOB, start_time=bad)

    assert emulator.calls == []


def test_waiting_for_a_job_that_fails_raises_its_own_text(hook: DataWorksHook, emulator: Emulator) -> None:
    """The job's error text is what the reader needs."""
    emulator.add_job(JOB, "Failed", error_message="Binlog was purged")

    with pytest.raises(DIJobFailed, match="Binlog was purged") as caught:
        hook.wait_until_stopped(JOB, timeout=60, poll_interval=10)

    assert isinstance(caught.value, AirflowFailException)


def test_waiting_ends_at_the_timeout_with_the_last_status(hook: DataWorksHook, clock: Clock) -> None:
    """A job that keeps running is waited for exactly as long as was allowed."""
    started = clock.time

    with pytest.raises(DIJobWaitTimeout, match="Running") as caught:
        hook.wait_until_stopped(JOB, timeout=65, poll_interval=30)

    assert caught.value.last_status == "Running"
    assert clock.time == started + 65
    assert clock.slept == [30, 30, 5]


def test_permanent_errors_are_airflow_failures_and_transient_ones_are_not(
    hook: DataWorksHook, emulator: Emulator
) -> None:
    """Airflow fails at once on the first and retries the second, on every version."""
    with pytest.raises(DataWorksNotFound) as permanent:
        hook.get_di_job(4711)
    emulator.inject({"operation": "GetDIJob", "throttle": {"hints": {"x-acs-retry-after": 90_000}}})
    with pytest.raises(DataWorksThrottled) as transient:
        hook.get_di_job(JOB)

    assert isinstance(permanent.value, AirflowFailException)
    assert not isinstance(transient.value, AirflowFailException)
    assert transient.value.retry_after == 90


def test_throttling_is_waited_out_as_the_service_asks(hook: DataWorksHook, emulator: Emulator, clock: Clock) -> None:
    """A short wait costs no Airflow retry."""
    emulator.inject({"operation": "GetDIJob", "times": 2, "throttle": {"hints": {"x-acs-retry-after": 7000}}})

    assert hook.get_di_job(JOB).id == JOB
    assert [slept for slept in clock.slept if slept > 0.1] == [7, 7]  # besides the slots of a rate that was lowered


@pytest.mark.parametrize("ask", [DataWorksHook.get_conn, lambda hook: hook.get_di_job(JOB), in_triggerer])
def test_a_file_of_authorities_that_is_none_is_an_airflow_failure(
    ask: Callable[[DataWorksHook], object], connect: Callable[..., None], emulator: Emulator
) -> None:
    """Told by the field's name, whichever way the first connection would be made, and before it is."""
    connect(ca_file="/nowhere/ca.pem")

    with pytest.raises(DataWorksInvalidRequest, match=r"^ca_file: the file cannot be used") as caught:
        ask(DataWorksHook())

    assert isinstance(caught.value, AirflowFailException)
    assert emulator.count() == 0


def test_get_conn_signs_what_the_author_sends(hook: DataWorksHook) -> None:
    """An operation without a method of its own can be called with the connection's keys."""
    answer = hook.get_conn().post("/", headers={"x-acs-action": "ListProjects"})

    assert answer.status_code == 200
    assert "PageResult" in answer.json()


def test_a_trigger_can_use_the_hook_too(hook: DataWorksHook) -> None:
    """The connection is read in the event loop, and the call is made in a thread."""
    job = in_triggerer(hook)

    assert job.status is JobStatus.RUNNING


def test_errors_cross_into_airflow_from_an_event_loop_too(hook: DataWorksHook) -> None:
    """A permanent error is an Airflow failure there as well."""
    with pytest.raises(DataWorksNotFound) as caught:
        in_triggerer(hook, 4711)

    assert isinstance(caught.value, AirflowFailException)


@VERSIONS
def test_the_connection_test_says_what_it_reached(
    hook: DataWorksHook, emulator: Emulator, connect: Callable[..., None], clock: Clock, api_version: str
) -> None:
    """It asks for workspaces, and for DI jobs where a workspace is named."""
    connect(api_version=api_version, project_id=1967)
    hook = on_clock(DataWorksHook(), clock)

    good, text = hook.test_connection()

    assert good
    assert "DI jobs in workspace 1967: 1" in text
    assert {call.operation for call in emulator.calls} == {"ListProjects", "ListDIJobs"}


def test_the_connection_test_tells_a_wrong_secret_without_showing_it(
    emulator: Emulator, connect: Callable[..., None], clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The text says which field to look at."""
    monkeypatch.setattr(Emulator, "access_key_secret", "wrong-secret-text")
    connect()

    good, text = on_clock(DataWorksHook(), clock).test_connection()

    assert not good
    assert "password" in text
    assert "wrong-secret-text" not in text


def test_the_connection_test_does_not_retry(hook: DataWorksHook, emulator: Emulator, clock: Clock) -> None:
    """It runs in the API server, where nobody waits for a minute."""
    emulator.inject({"operation": "*", "times": 9, "error": {"status": 503, "code": "ServiceUnavailable"}})

    good, text = hook.test_connection()

    assert not good
    assert "ServiceUnavailable" in text
    assert emulator.count() == 1
    assert clock.slept == []


def test_the_connection_test_tells_of_a_missing_connection() -> None:
    """An unknown connection id is an answer, not a stack trace."""
    good, text = DataWorksHook("no_such_connection").test_connection()

    assert not good
    assert "no_such_connection" in text


def test_a_wrong_clock_is_corrected_once_and_remembered(hook: DataWorksHook, emulator: Emulator) -> None:
    """The first call is repeated by the service's clock; the next needs no repetition."""
    emulator.clock_offset = 3600

    assert hook.get_di_job(JOB).id == JOB
    assert hook.get_di_job(JOB).id == JOB
    assert emulator.count(outcome="refused") == 1


def test_a_clock_that_cannot_be_corrected_is_reported_with_its_skew(hook: DataWorksHook, emulator: Emulator) -> None:
    """Where the corrected request is refused too, the reader learns by how much the clock is off."""
    expired = {"status": 400, "code": "InvalidTimeStamp.Expired"}
    emulator.clock_offset = 3600
    emulator.inject({"operation": "GetDIJob", "times": 2, "error": expired})

    with pytest.raises(DataWorksAuthError, match="3600 s ahead") as caught:
        hook.get_di_job(JOB)

    assert caught.value.clock_skew == pytest.approx(3600, abs=1)


def test_the_older_form_comes_from_the_same_dict_as_the_newer() -> None:
    """Airflow 3.2 and later read the provider info; the hook method must say the same."""
    behaviour = DataWorksHook.get_ui_field_behaviour()

    assert behaviour["relabeling"]["login"] == "AccessKey ID"
    assert set(behaviour) == {"hidden_fields", "relabeling", "placeholders"}


@pytest.mark.parametrize("ask", [lambda hook: hook.get_di_job(JOB), in_triggerer], ids=["blocking", "loop"])
def test_one_line_tells_which_connection_was_read(
    ask: Callable[[DataWorksHook], object],
    emulator: Emulator,
    connect: Callable[..., None],
    clock: Clock,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Where it leads and who signs, for whoever is on call; of the AccessKey ID its ends, and no secret."""
    emulator.add_access_key(emulator.access_key_id, emulator.access_key_secret, SECURITY_TOKEN)
    connect(region="cn-shanghai", project_id=1967, api_version="2024-05-18", security_token=SECURITY_TOKEN)
    hook = on_clock(DataWorksHook(), clock)
    caplog.set_level("INFO")
    for _ in range(2):
        ask(hook)

    said = [record.getMessage() for record in caplog.records]
    (line,) = [text for text in said if text.startswith("Connection dataworks_default: ")]
    host, identity = emulator.url.removeprefix("http://"), emulator.access_key_id
    assert line == (
        f"Connection dataworks_default: region cn-shanghai, host {host}, workspace 1967, API 2024-05-18, "
        f"credential_type sts, AccessKey ID {identity[:4]}...{identity[-4:]}."
    )
    for secret in (identity, emulator.access_key_secret, SECURITY_TOKEN):
        assert secret not in line


def test_a_short_access_key_id_is_not_shown_whole(
    emulator: Emulator, connect: Callable[..., None], monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Somebody may have written the secret into the wrong field."""
    monkeypatch.setattr(Emulator, "access_key_id", "12345678")
    connect()
    caplog.set_level("INFO")
    _ = DataWorksHook().account

    assert "AccessKey ID 12....\n" in caplog.text
