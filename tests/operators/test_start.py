"""StartDIJobOperator against the emulator: what it starts, what it leaves alone, and what it reports."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from emulated import JOB, Clock, Store, TaskInstance, on_clock

from airflow_provider_dataworks.emulator import Emulator
from airflow_provider_dataworks.exceptions import (
    DataWorksError,
    DataWorksForbidden,
    DataWorksInvalidRequest,
    DataWorksThrottled,
    DIJobFailed,
    DIJobWaitTimeout,
)
from airflow_provider_dataworks.hooks.dataworks import DataWorksHook
from airflow_provider_dataworks.operators.dataworks import StartDIJobOperator, StopDIJobOperator
from airflow_provider_dataworks.sensors.dataworks import DIJobStoppedSensor
from airflow_provider_dataworks.triggers._events import event_for
from airflow_provider_dataworks.version_compat import DAG, AirflowFailException, TaskDeferred, TaskGroup

pytestmark = pytest.mark.usefixtures("connect")
NOTE = {"di_job_id": JOB, "status_before": "Running", "request_id": None}


class Told(TaskInstance):
    """A task instance of a run in which stop tasks have left these notes, and are in these states."""

    dag_id, run_id, map_index = "restarts", "once", -1

    def __init__(self, notes: dict[str, list[Any]], states: dict[str, str] | None = None, **more: Any) -> None:
        super().__init__(**more)
        self.notes, self.states = notes, states or {}

    def get_task_states(self, *, dag_id: str, run_ids: list[str], task_ids: list[str]) -> dict[str, dict[str, str]]:
        """Return the states of task instances by task id, a mapped one's with its index behind it."""
        assert (dag_id, run_ids) == (self.dag_id, [self.run_id])
        found = {name: state for name, state in self.states.items() if name.rpartition("_")[0] in task_ids}
        return {self.run_id: {**found, **{name: self.states[name] for name in task_ids if name in self.states}}}

    def xcom_pull(self, *, task_ids: list[str], key: str) -> list[Any]:
        """Return the notes of these tasks, of all their map indexes."""
        assert key == "dataworks_stop"
        return [note for task_id in task_ids for note in self.notes.get(task_id, ())]


@pytest.fixture
def execute(hook: DataWorksHook, clock: Clock, emulator: Emulator) -> Callable[..., dict[str, Any]]:
    """Run one try of the operator on the test's clock; a start takes 20 seconds of it."""
    store = Store()
    emulator.add_job(JOB, "Stopped", start_seconds=20, stop_seconds=40)

    def run(
        *,
        notes: dict[str, list[Any]] | None = None,
        states: dict[str, str] | None = None,
        try_number: int = 1,
        max_tries: int = 3,
        **arguments: Any,
    ) -> dict[str, Any]:
        known = {"task_id": "start", "di_job_id": JOB, "poll_interval": 15}
        operator = StartDIJobOperator(**{**known, **arguments})
        operator.hook = on_clock(DataWorksHook(operator.dataworks_conn_id), clock)
        told = Told(notes or {}, states, try_number=try_number, max_tries=max_tries)
        context: Any = {"ti": told, "task": operator, "task_state_store": store}
        return dict(json.loads(json.dumps(operator.execute(context))))

    return run


def test_a_stopped_job_is_started_once_and_waited_for(
    execute: Callable[..., dict[str, Any]], emulator: Emulator, clock: Clock
) -> None:
    """The plain case, with the recorded offset."""
    result = execute()

    assert result == {
        "di_job_id": JOB,
        "status": "Running",
        "status_before": "Stopped",
        "started_by_this_run": True,
        "request_id": next(call.request_id for call in emulator.calls if call.operation == "StartDIJob"),
        "started_at": "2026-11-18T11:07:20+00:00",
        "caught_up_at": None,
        "lag": None,
        "idle": False,
    }
    assert (emulator.job(JOB).effective_starts, emulator.job(JOB).start_time) == (1, None)
    assert clock.slept == [15, 15, 10]


def test_the_log_of_a_restart_reads_as_what_happens(
    execute: Callable[..., dict[str, Any]], hook: DataWorksHook, emulator: Emulator, logged: Callable[[], str]
) -> None:
    """A stop under way is named as what the start waits for."""
    emulator.set_status(JOB, "Running")
    hook.stop_di_job(JOB)

    request_id = execute()["request_id"]

    found = logged()
    told = [
        "DI job 11668 is Stopping, and StartDIJob waits for that to end; next look in 15 s.",
        f"DataWorks took StartDIJob for DI job 11668, which was Stopped (request id {request_id}).",
        "Waiting until DI job 11668 is Running or Finished, for 3600 s at most.",
        "DI job 11668 is Initialized; next look in 15 s.",
    ]
    assert all(line in found for line in told), found


def test_a_running_job_is_left_alone(execute: Callable[..., dict[str, Any]], emulator: Emulator) -> None:
    """Success, and nothing is sent."""
    emulator.set_status(JOB, "Running")

    result = execute()

    assert (result["status"], result["started_by_this_run"]) == ("Running", False)
    assert emulator.job(JOB).start_calls == 0


def test_a_job_that_had_failed_is_started(execute: Callable[..., dict[str, Any]], emulator: Emulator) -> None:
    """The old failure is not taken for the new start's."""
    emulator.add_job(JOB, "Failed", start_seconds=20, error_message="old trouble")

    result = execute()

    assert (result["status"], result["status_before"]) == ("Running", "Failed")


def test_a_job_that_fails_after_the_start_fails_the_task(
    execute: Callable[..., dict[str, Any]], emulator: Emulator
) -> None:
    """With the job's own text, and for good."""
    emulator.add_job(JOB, "Stopped", start_seconds=5, start_ends_in="Failed", error_message="Binlog was purged")

    with pytest.raises(DIJobFailed, match="Binlog was purged") as caught:
        execute()

    assert isinstance(caught.value, AirflowFailException)


def test_a_start_that_hangs_ends_at_the_timeout(execute: Callable[..., dict[str, Any]], emulator: Emulator) -> None:
    """With the last status."""
    emulator.add_job(JOB, "Stopped", start_ends_in="never")

    with pytest.raises(DIJobWaitTimeout, match="Initialized"):
        execute(timeout=60)


def test_a_job_that_is_stopping_is_waited_out_and_started(
    execute: Callable[..., dict[str, Any]], emulator: Emulator, hook: DataWorksHook
) -> None:
    """A restart right after a stop that was not waited for."""
    emulator.add_job(JOB, "Running", stop_seconds=40, start_seconds=20)
    hook.stop_di_job(JOB)

    assert execute()["status"] == "Running"
    assert emulator.job(JOB).effective_starts == 1


def test_a_retry_does_not_start_again(execute: Callable[..., dict[str, Any]], emulator: Emulator) -> None:
    """Throttled while waiting for its own start: the next try only waits."""
    emulator.inject({"operation": "GetDIJob", "skip": 1, "throttle": {"hints": {"x-acs-retry-after": 90_000}}})
    with pytest.raises(DataWorksThrottled):
        execute()

    result = execute()

    assert (result["status"], result["started_by_this_run"]) == ("Running", True)
    assert result["status_before"] == "Stopped"
    assert emulator.job(JOB).start_calls == 1


@pytest.mark.parametrize(
    ("notes", "started"),
    [
        pytest.param({"stop": [NOTE]}, True, id="stopped-by-it"),
        pytest.param({"stop": [{**NOTE, "di_job_id": 5}, NOTE]}, True, id="mapped"),
        pytest.param({"other": [NOTE]}, True, id="one-of-several"),
        pytest.param({}, False, id="no-note"),
        pytest.param({"stop": [{**NOTE, "di_job_id": 5}]}, False, id="another-job"),
        pytest.param({"stop": [{"di_job_id": JOB, "withdrawn": True}]}, False, id="withdrawn"),
        pytest.param({"stop": [None, "text"]}, False, id="not-a-note"),
        pytest.param({"unrelated": [NOTE]}, False, id="another-task"),
    ],
)
def test_only_what_the_stop_task_stopped_is_started(
    execute: Callable[..., dict[str, Any]], emulator: Emulator, notes: dict[str, list[Any]], started: bool
) -> None:
    """Read from what the stop noted before it was sent, so it also holds where that task failed afterwards."""
    result = execute(notes=notes, only_if_stopped_by=["stop", "other"])

    assert result["started_by_this_run"] is started
    assert emulator.job(JOB).effective_starts == int(started)


@pytest.mark.parametrize("named", ["stop", "group.check", ["group.stop", "group.mapped", "stopp"]])
def test_a_stop_task_that_is_none_is_refused(execute: Callable[..., dict[str, Any]], named: Any) -> None:
    """A task id without its group, say: the restart would leave the job down, and its task would be green."""
    with DAG("restarts", schedule=None) as dag, TaskGroup("group"):
        StopDIJobOperator(task_id="stop", di_job_id=JOB)
        StopDIJobOperator.partial(task_id="mapped").expand(di_job_id=[JOB])
        DIJobStoppedSensor(task_id="check", di_job_id=JOB)

    with pytest.raises(
        DataWorksInvalidRequest, match=r"Use of: group\.stop, group\.mapped\. DI job 11668 was not started"
    ):
        execute(dag=dag, only_if_stopped_by=named)

    right = ["group.stop", "group.mapped"]
    assert (
        execute(dag=dag, task_id="again", notes={"group.stop": [NOTE]}, only_if_stopped_by=right)["status"] == "Running"
    )


@pytest.mark.parametrize("named", ["", [], [""], [5], 5, [None], {}])
def test_only_if_stopped_by_is_one_task_id_or_several(named: Any) -> None:
    """Seen where the DAG is parsed; no name at all would start what somebody else stopped."""
    with pytest.raises(ValueError, match="only_if_stopped_by"):
        StartDIJobOperator(task_id="start", di_job_id=JOB, only_if_stopped_by=named)


def test_where_nothing_was_stopped_nobody_is_asked(
    execute: Callable[..., dict[str, Any]], emulator: Emulator, logged: Callable[[], str]
) -> None:
    """A stop with a wrong key, or without a network: the restart would fail for the same reason, and alert again."""
    withdrawn = {"stop": [{"di_job_id": JOB, "withdrawn": True}]}

    result = execute(notes=withdrawn, states={"stop": "failed"}, only_if_stopped_by="stop")

    assert (result["di_job_id"], result["status"], result["started_by_this_run"]) == (JOB, None, False)
    assert emulator.calls == []
    assert "left alone, and not asked for" in logged()


@pytest.mark.parametrize("state", ["failed", "success"])
def test_a_stop_that_ended_without_a_note_may_have_stopped_the_job(
    execute: Callable[..., dict[str, Any]], emulator: Emulator, logged: Callable[[], str], state: str
) -> None:
    """Its last try was killed before it could tell again what an earlier one did, or a person marked it as done."""
    result = execute(states={"stop": state}, only_if_stopped_by="stop")

    assert (result["status"], emulator.job(JOB).effective_starts) == ("Running", 1)
    assert "may have stopped DI job 11668" in logged()


@pytest.mark.parametrize("state", ["skipped", "upstream_failed"])
def test_a_stop_that_never_ran_stopped_nothing(
    execute: Callable[..., dict[str, Any]], emulator: Emulator, state: str
) -> None:
    """Outside the window, or behind a no: somebody else stopped the job, and it stays so."""
    execute(states={"stop": state}, only_if_stopped_by="stop")

    assert emulator.calls == []


def test_a_job_that_this_run_stopped_is_not_believed_to_run_at_one_look(
    execute: Callable[..., dict[str, Any]], emulator: Emulator
) -> None:
    """Reads may lag behind, and show the time before the stop."""
    stale = {"status": 200, "body": json.dumps(_answer(JOB, "Running"))}
    emulator.inject({"operation": "GetDIJob", "times": 1, **stale})

    result = execute(notes={"stop": [NOTE]}, only_if_stopped_by="stop")

    assert (result["status"], emulator.job(JOB).effective_starts) == ("Running", 1)


def test_a_start_is_not_believed_at_one_look(execute: Callable[..., dict[str, Any]], emulator: Emulator) -> None:
    """A job that fails right behind a stale or short Running fails the task."""
    emulator.add_job(JOB, "Stopped", start_seconds=20, start_ends_in="Failed", error_message="Binlog was purged")
    stale = {"status": 200, "body": json.dumps(_answer(JOB, "Running"))}
    emulator.inject({"operation": "GetDIJob", "skip": 1, "times": 1, **stale})

    with pytest.raises(DIJobFailed, match="Binlog was purged"):
        execute()


def _answer(di_job_id: int, status: str) -> dict[str, Any]:
    job = {"DIJobId": di_job_id, "ProjectId": 1967, "JobName": "stale", "JobStatus": status}
    return {"RequestId": "92F778C7-8F00-53B1-AE1A-B3B17101247D", "Success": True, "Data": job}


def test_each_try_of_a_restart_has_its_whole_time_until_one_has_sent_it(
    execute: Callable[..., dict[str, Any]], emulator: Emulator, clock: Clock
) -> None:
    """The last of many tries may not send a start and give up at once, leaving a red run and a running job."""
    for number in range(1, 30):
        emulator.inject({"operation": "GetDIJob", "throttle": {"hints": {"x-acs-retry-after": 90_000}}})
        with pytest.raises(DataWorksThrottled):
            execute(timeout=600, try_number=number)
        clock.sleep(600)

    assert execute(timeout=600, try_number=30)["status"] == "Running"
    assert emulator.job(JOB).effective_starts == 1


def test_a_restart_that_was_sent_is_waited_for_to_one_deadline(
    execute: Callable[..., dict[str, Any]], emulator: Emulator, clock: Clock
) -> None:
    """A retry behind it sends nothing, and does not wait anew."""
    emulator.add_job(JOB, "Stopped", start_ends_in="never")
    emulator.inject({"operation": "GetDIJob", "skip": 2, "throttle": {"hints": {"x-acs-retry-after": 90_000}}})
    with pytest.raises(DataWorksThrottled):
        execute(timeout=60)
    clock.sleep(600)
    clock.slept.clear()

    with pytest.raises(DIJobWaitTimeout):
        execute(timeout=60, try_number=2)

    # But for the slots of a rate that was lowered.
    assert (emulator.job(JOB).start_calls, [slept for slept in clock.slept if slept > 0.1]) == (1, [])


@pytest.mark.parametrize(
    ("error", "number", "lead"),
    [
        ({"status": 403, "code": "Forbidden.RAM"}, 1, "DI job 11668 is down: start it in the DataWorks console"),
        ({"status": 429, "code": "Throttling.Api.Risk"}, 1, "DI job 11668 is down: start it in the DataWorks console"),
        ({"status": 500, "code": "InternalError.System"}, 1, "DI job 11668 is down for now: its restart is tried"),
        ({"status": 500, "code": "InternalError.System"}, 4, "DI job 11668 is down: start it in the DataWorks console"),
    ],
)
def test_an_error_that_leaves_a_job_down_says_so_first(
    execute: Callable[..., dict[str, Any]], emulator: Emulator, error: dict[str, Any], number: int, lead: str
) -> None:
    """And what starts it, before the cause and its remedy: whoever is woken reads one line."""
    emulator.inject({"operation": "StartDIJob", "times": None, "error": error})

    with pytest.raises(DataWorksError) as caught:
        execute(notes={"stop": [NOTE]}, only_if_stopped_by="stop", try_number=number)

    assert str(caught.value).startswith(lead)


def test_the_stop_task_itself_may_be_named(emulator: Emulator) -> None:
    """Or its output, or several of either."""
    with DAG("named", schedule=None):
        stop = StopDIJobOperator(task_id="stop", di_job_id=JOB)
        other = StopDIJobOperator.partial(task_id="other").expand(di_job_id=[JOB])
        found = [
            StartDIJobOperator(task_id=f"start_{number}", di_job_id=JOB, only_if_stopped_by=named).only_if_stopped_by
            for number, named in enumerate((stop, stop.output, [stop, "other"], (stop.output, other), "stop"))
        ]

    assert found == [["stop"], ["stop"], ["stop", "other"], ["stop", "other"], ["stop"]]


BAD: list[tuple[dict[str, Any], str]] = [
    ({"di_job_id": 0}, "di_job_id"),
    ({"force_to_rerun": "False"}, "force_to_rerun"),
    ({"force_to_rerun": 1}, "force_to_rerun"),
    ({"start_time": 1_671_516_776_000}, "start_time"),
    ({"start_time": "soon"}, "start_time"),
    ({"timeout": timedelta(0)}, "timeout"),
    ({"poll_interval": "30"}, "poll_interval"),
    ({"only_if_stopped_by": []}, "only_if_stopped_by"),
]


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")  # Airflow's, of what was never mapped
def test_what_can_never_be_right_is_refused_as_the_dag_is_made() -> None:
    """Mapped or not: else the job is stopped, and the restart cannot even begin."""
    missed = []
    for arguments, field in BAD:
        for mapped in (False, True):
            try:
                (StartDIJobOperator.partial if mapped else StartDIJobOperator)(
                    **{"task_id": "start", "di_job_id": JOB, **arguments}
                )
            except ValueError as error:
                if not str(error).startswith(f"{field}: "):
                    missed.append((arguments, mapped, str(error)))
            else:
                missed.append((arguments, mapped, "accepted"))
    assert not missed


def test_a_start_time_resets_the_offset_and_is_logged(
    execute: Callable[..., dict[str, Any]], emulator: Emulator, logged: Callable[[], str]
) -> None:
    """Explicit, as text too, since templates give text."""
    execute(start_time="1671516776")

    assert emulator.job(JOB).start_time == 1_671_516_776
    assert "offset is not kept" in logged()


@pytest.mark.parametrize("bad", [1_671_516_776_000, 1_999_999_999, "soon", -1])
def test_a_wrong_start_time_is_refused_before_anything_is_sent(
    execute: Callable[..., dict[str, Any]], emulator: Emulator, bad: Any
) -> None:
    """In milliseconds, in the future, or no time at all."""
    with pytest.raises(DataWorksInvalidRequest, match="start_time"):
        execute(start_time=bad)

    assert emulator.calls == []


def test_not_waiting_returns_the_status_after_the_request(execute: Callable[..., dict[str, Any]], clock: Clock) -> None:
    """The job is still starting, and the result does not pretend otherwise."""
    result = execute(wait_for_completion=False)

    assert (result["status"], result["started_by_this_run"], result["started_at"]) == ("Initialized", True, None)
    assert clock.slept == []


def test_a_deferred_start_waits_out_a_stop_in_the_triggerer_too(
    execute: Callable[..., dict[str, Any]], emulator: Emulator, hook: DataWorksHook, clock: Clock
) -> None:
    """It holds no worker slot for it; it begins anew when the job has stopped, to the same deadline."""
    emulator.set_status(JOB, "Running")
    hook.stop_di_job(JOB)
    with pytest.raises(TaskDeferred) as waiting:
        execute(deferrable=True, timeout=600)
    first = waiting.value.trigger.serialize()[1]
    clock.sleep(60)
    operator = StartDIJobOperator(task_id="start", di_job_id=JOB, deferrable=True)
    operator.hook = hook
    event = event_for(hook.get_di_job(JOB))

    with pytest.raises(TaskDeferred) as starting:
        operator.execute_again({"ti": Told({})}, event)

    assert waiting.value.method_name == "execute_again"
    assert "Stopping" not in first["accept"]
    assert (first["deadline"], first["fail_on"]) == (clock.time - 60 + 600, [])
    assert starting.value.method_name == "execute_complete"
    assert (emulator.job(JOB).start_calls, clock.slept) == (1, [60])


def test_a_wait_for_a_stop_that_ended_badly_starts_nothing(emulator: Emulator) -> None:
    """The error is the one that happened in the trigger."""
    operator = StartDIJobOperator(task_id="start", di_job_id=JOB, deferrable=True)

    with pytest.raises(DIJobWaitTimeout):
        operator.execute_again({}, event_for(DIJobWaitTimeout("over", last_status="Stopping")))  # type: ignore[arg-type]

    assert emulator.calls == []


def test_a_deferred_start_hands_its_wait_over(
    execute: Callable[..., dict[str, Any]], emulator: Emulator, hook: DataWorksHook, clock: Clock
) -> None:
    """Sent once; the trigger waits for Running, and a failure ends it."""
    with pytest.raises(TaskDeferred) as caught:
        execute(deferrable=True, timeout=600)
    kwargs = caught.value.trigger.serialize()[1]
    clock.sleep(30)
    event = {**event_for(hook.get_di_job(JOB)), "report": kwargs["report"]}

    result = StartDIJobOperator(task_id="start", di_job_id=JOB).execute_complete({}, event)  # type: ignore[arg-type]

    assert (kwargs["accept"], kwargs["fail_on"]) == (["Running", "Finished"], ["Failed"])
    assert kwargs["deadline"] == pytest.approx(clock.time - 30 + 600)
    assert (result["status"], result["started_by_this_run"], result["status_before"]) == ("Running", True, "Stopped")
    assert emulator.job(JOB).start_calls == 1


def test_a_running_job_is_not_deferred(execute: Callable[..., dict[str, Any]], emulator: Emulator) -> None:
    """The answer is known at the first look."""
    emulator.set_status(JOB, "Running")

    assert execute(deferrable=True)["status"] == "Running"


def test_a_job_that_fails_right_after_running_is_noticed(
    execute: Callable[..., dict[str, Any]],
    emulator: Emulator,
    connect: Callable[..., None],
    logged: Callable[[], str],
) -> None:
    """With its text, and with what tables and log say."""
    connect(api_version="2024-05-18")
    table = {"source": "shop.orders", "destination": "public.orders", "error": "no column"}
    emulator.add_job(JOB, "Stopped", fails_after_start=40, tables=[table], log=["the binlog was purged"])

    with pytest.raises(DIJobFailed, match=r"it ran for \d+ s, no longer, and is Failed") as caught:
        execute(healthy_for=120)

    assert str(caught.value).startswith("DI job 11668 is down: start it in the DataWorks console, or clear this task.")
    assert caught.value.see == "not-healthy"
    assert "shop.orders to public.orders: no column" in logged()
    assert "Log of the job: the binlog was purged" in logged()


def test_a_restart_waits_until_the_job_has_caught_up(
    execute: Callable[..., dict[str, Any]], emulator: Emulator, connect: Callable[..., None], clock: Clock
) -> None:
    """The metrics are asked for once a round, and not before the job has run for healthy_for."""
    connect(api_version="2024-05-18")
    emulator.add_job(JOB, "Stopped", lag={"start": 300, "falls": 1})

    result = execute(healthy_for=60, max_lag=timedelta(seconds=30))

    assert (result["lag"], result["idle"]) == (pytest.approx(30, abs=30), False)
    assert result["started_at"] < result["caught_up_at"]
    asked = [call.operation for call in emulator.calls]
    assert asked.count("ListDIJobMetrics") <= asked.count("GetDIJob")
    assert emulator.job(JOB).effective_starts == 1


def test_a_lag_that_is_not_known_never_counts(
    execute: Callable[..., dict[str, Any]], emulator: Emulator, connect: Callable[..., None]
) -> None:
    """Missing, old, stuck, refused, or of an API that does not tell: the task is red, and says that the job runs."""
    rows: tuple[tuple[Any, str, str], ...] = (
        ("missing", "not-caught-up", "DataWorks has no sample of its delay since the start"),
        ({"stale": 3600}, "not-caught-up", "no sample"),
        ({"stuck": 500}, "not-caught-up", "its lag was 500 s"),
        ({"start": 100, "grows": 1}, "lag-grows", "falls further behind"),
    )
    missed = []
    connect(api_version="2024-05-18")
    for lag, see, text in rows:
        emulator.add_job(JOB, "Stopped", lag=lag)
        with pytest.raises(DataWorksError) as caught:
            execute(max_lag=60, lag_timeout=1200)
        error = caught.value
        if error.see != see or text not in str(error) or "is down" in str(error) or "runs" not in str(error):
            missed.append((lag, str(error)))
    emulator.add_job(JOB, "Stopped")
    emulator.inject({"operation": "ListDIJobMetrics", "error": {"status": 403, "code": "Forbidden.RAM"}})
    with pytest.raises(DataWorksForbidden, match="Running") as refused:
        execute(max_lag=60)
    connect()
    emulator.add_job(JOB, "Stopped")
    with pytest.raises(DataWorksInvalidRequest, match="2024-05-18") as old:
        execute(max_lag=60)
    assert (missed, refused.value.action, old.value.see) == ([], "ListDIJobMetrics", "needs-2024")
    assert emulator.job(JOB).status == "Running"


def test_an_idle_source_has_nothing_to_catch_up_with(
    execute: Callable[..., dict[str, Any]], emulator: Emulator, connect: Callable[..., None]
) -> None:
    """Its delay grows, because nothing is read: that is accepted, and said."""
    connect(api_version="2024-05-18")
    emulator.add_job(JOB, "Stopped", lag="idle")

    result = execute(max_lag=10)

    assert result["idle"] is True


def test_a_proof_without_a_wait_is_refused() -> None:
    """Nobody would wait for it."""
    missed = []
    for wrong in ({"healthy_for": 60}, {"max_lag": 60}):
        with pytest.raises(ValueError, match=next(iter(wrong))):
            StartDIJobOperator(task_id="start", di_job_id=JOB, wait_for_completion=False, **wrong)
    for name, value in (("healthy_for", -1), ("max_lag", "1m"), ("lag_timeout", 0)):
        try:
            StartDIJobOperator(task_id="start", di_job_id=JOB, **{name: value})
        except ValueError as error:
            missed += [] if name in str(error) else [name]
        else:
            missed.append(name)
    assert missed == []


def test_since_when_a_job_runs_is_not_known_where_a_person_cleared_its_start(
    execute: Callable[..., dict[str, Any]], emulator: Emulator, clock: Clock
) -> None:
    """It may have run for hours: as its start, the moment of the second look would make a downtime of them."""
    first = execute()
    clock.sleep(3 * 3600)

    again, cleared = execute(try_number=2), execute(try_number=5, max_tries=4)

    assert first["started_at"] == "2026-11-18T11:07:20+00:00"
    assert again["started_at"] is not None
    assert (cleared["status"], cleared["started_at"]) == ("Running", None)
    assert emulator.job(JOB).effective_starts == 1
