"""The work of a maintenance: each task asks before it begins, and clearing one clears the stop with it."""

from __future__ import annotations

import multiprocessing
from collections.abc import Callable
from datetime import datetime, timedelta
from types import SimpleNamespace
from typing import Any

import pytest
from any_airflow import DagSerialization, is_mapped, setup, task, task_group, teardown
from asking_process import ask_together
from dag_runs import run_dag
from emulated import JOB, connect, emulator, logged
from emulated import real_clock as clock

from airflow_provider_dataworks.emulator import Emulator
from airflow_provider_dataworks.exceptions import DataWorksError, DataWorksInvalidRequest
from airflow_provider_dataworks.maintenance import DIJobMaintenance
from airflow_provider_dataworks.version_compat import DAG, AirflowFailException

__all__ = ["clock", "connect", "emulator", "logged"]
OTHER = 11743
FAST: dict[str, Any] = {
    "stop_args": {"poll_interval": 0.05, "retries": 0, "min_remaining": 1},
    "check_args": {"poke_interval": 0.05, "timeout": 10, "retries": 0},
    "restart_args": {"poll_interval": 0.05, "retries": 0, "healthy_for": 0.1},
}


def a_dag(name: str, **arguments: Any) -> DAG:
    """Make a DAG that only a test runs."""
    return DAG(name, schedule=None, start_date=datetime(2026, 1, 1), catchup=False, **arguments)


@pytest.fixture
def jobs(emulator: Emulator, connect: Callable[..., None]) -> Emulator:
    """The emulator, with two jobs that stop and start quickly."""
    for job_id in (JOB, OTHER):
        emulator.add_job(job_id, "Running", stop_seconds=0.02, start_seconds=0.02)
    return emulator


def ids_of(kind: str) -> Any:
    """Return what may be given as ``di_job_ids``."""
    return {"one": JOB, "template": "{{ params.job }}", "several": [JOB, OTHER], "mapped": JOB}[kind]


@pytest.mark.parametrize("kind", ["one", "template", "several", "mapped"])
def test_work_does_not_begin_on_a_job_that_runs(jobs: Emulator, logged: Callable[[], str], kind: str) -> None:
    """Somebody starts the job while the first task runs: the second one is not begun, and says what to clear."""
    ran = []
    with a_dag(f"live_{kind}", params={"job": JOB}) as dag:

        @task
        def first() -> None:
            ran.append("first")
            jobs.set_status(JOB, "Running")

        @task
        def second(number: int) -> None:
            ran.append("second")

        with DIJobMaintenance(di_job_ids=ids_of(kind), **FAST):
            first() >> (second.expand(number=[1]) if kind == "mapped" else second(1))

    state, tasks = run_dag(dag)

    assert (state, ran) == ("failed", ["first"])
    assert tasks["maintenance.work.second", 0 if kind == "mapped" else -1].state == "failed"
    said = logged()
    assert "not begun, because a job of this maintenance is not stopped: 11668 (Running)" in said
    assert "Clear the whole group 'maintenance'" in said


def test_a_connection_may_be_a_template(jobs: Emulator) -> None:
    """For the question before the work as for stop, check and restart."""
    with a_dag("conn_template", params={"conn": "dataworks_default"}) as dag:

        @task
        def work() -> None: ...

        with DIJobMaintenance(di_job_ids=[JOB, OTHER], dataworks_conn_id="{{ params.conn }}", **FAST):
            work()

    assert run_dag(dag)[0] == "success"
    assert [jobs.job(job_id).effective_starts for job_id in (JOB, OTHER)] == [1, 1]


@pytest.mark.slow
def test_tasks_that_begin_together_share_looks(jobs: Emulator) -> None:
    """Four processes make two looks, and perhaps two more; and all learn the same."""
    jobs.set_status(OTHER, "Stopped")
    jobs.inject({"operation": "GetDIJob", "times": None, "slow": 0.3})
    spawn = multiprocessing.get_context("spawn")
    barrier, results = spawn.Barrier(4), spawn.Queue()
    processes = [spawn.Process(target=ask_together, args=([JOB, OTHER], barrier, results)) for _ in range(4)]
    for process in processes:
        process.start()
    said = [results.get(timeout=60) for _ in processes]
    for process in processes:
        process.join(60)

    assert all("11668 (Running)" in text for text in said), said
    assert len(jobs.calls) <= 4


def test_what_an_author_wants_before_a_task_still_runs(jobs: Emulator) -> None:
    """Mapped or not."""
    said = []

    def hello(context: Any) -> None:
        said.append(context["ti"].task_id)

    with a_dag("hooks") as dag:

        @task(pre_execute=hello)
        def single() -> None: ...

        @task(pre_execute=hello)
        def mapped(number: int) -> None: ...

        with DIJobMaintenance(di_job_ids=JOB, **FAST):
            single() >> mapped.expand(number=[1])

    state, _ = run_dag(dag)

    assert (state, said) == ("success", ["maintenance.work.single", "maintenance.work.mapped"])


def test_what_cleans_up_runs_at_any_time(jobs: Emulator) -> None:
    """A teardown of the author's that lets go of a lock may not be kept from it."""
    ran = []
    with a_dag("cleanup") as dag:

        @setup
        def lock() -> None: ...

        @task
        def alter() -> None:
            jobs.set_status(JOB, "Running")
            raise RuntimeError("no")

        @teardown
        def unlock() -> None:
            ran.append("unlock")

        with DIJobMaintenance(di_job_ids=JOB, **FAST):
            locked, unlocked = lock(), unlock()
            locked >> alter() >> unlocked
            locked >> unlocked

    state, _ = run_dag(dag)

    assert (state, ran) == ("failed", ["unlock"])


@pytest.mark.parametrize("ids", [JOB, [JOB, OTHER]], ids=["one", "several"])
def test_a_stop_behind_which_no_restart_comes_is_not_begun(ids: Any) -> None:
    """Cleared alone, it takes no restart along: the job would stay down behind a green run."""
    with a_dag("stop_alone") as dag, DIJobMaintenance(di_job_ids=ids):
        pass
    stop = dag.get_task("maintenance.stop")
    asks = stop.partial_kwargs["pre_execute"] if is_mapped(stop) else stop.pre_execute
    index, name = (0, "maintenance.restart_0") if is_mapped(stop) else (-1, "maintenance.restart")

    def ask(state: str | None) -> None:
        told = {"once": {name: state, "maintenance.restart_1": None}}
        instance = SimpleNamespace(
            dag_id="stop_alone", run_id="once", map_index=index, get_task_states=lambda **_: told
        )
        asks({"ti": instance, "task": SimpleNamespace()})

    for state in ("success", "failed"):
        with pytest.raises(DataWorksError, match="Clear the whole group 'maintenance'"):
            ask(state)
    ask(None)


@pytest.mark.parametrize("ids", [JOB, [JOB, OTHER]], ids=["one", "several"])
def test_clearing_any_task_of_the_work_clears_stop_and_check(ids: Any) -> None:
    """As Airflow itself collects what a clear takes along, in a DAG read back from its database."""
    with a_dag("cleared") as dag:

        @task
        def work(number: int) -> None: ...

        @task_group
        def inner() -> None:
            work.override(task_id="nested")(0)

        with DIJobMaintenance(di_job_ids=ids):
            work.override(task_id="first")(0) >> inner() >> work.override(task_id="mapped").expand(number=[1])

    read = DagSerialization.from_dict(DagSerialization.to_dict(dag))
    for name in ("first", "inner.nested", "mapped"):
        taken = {found.task_id for found in read.get_task(f"maintenance.work.{name}").get_upstreams_only_setups()}
        assert {"maintenance.open", "maintenance.stop", "maintenance.check"} <= taken, name


def test_two_maintenances_of_one_dag_may_have_tasks_of_one_name() -> None:
    """Their ids carry the group's, as in any TaskGroup."""
    with a_dag("twice") as dag:

        @task
        def alter() -> None: ...

        for name in ("one", "two"):
            with DIJobMaintenance(name, di_job_ids=JOB):
                alter()

    assert {"one.work.alter", "two.work.alter"} <= set(dag.task_ids)


def test_work_that_would_begin_although_the_stop_failed_is_refused() -> None:
    """As the DAG is made; behind other work any rule may stand."""
    with a_dag("pass_over"):

        @task(trigger_rule="all_done")
        def eager() -> None: ...

        with (
            pytest.raises(ValueError, match=r"trigger_rule: 'maintenance\.work\.eager' begins"),
            DIJobMaintenance(di_job_ids=JOB),
        ):
            eager()


@pytest.mark.parametrize(
    ("default_args", "native"), [({"do_xcom_push": False}, False), ({}, True)], ids=["no-results", "native"]
)
def test_several_jobs_run_again_and_the_run_is_green(
    jobs: Emulator, default_args: dict[str, Any], native: bool
) -> None:
    """Where no results are kept, the outcome is looked at; where templates render to numbers, names still hold."""
    name = f"several_{native}"
    with (
        a_dag(name, default_args=default_args, render_template_as_native_obj=native) as dag,
        DIJobMaintenance(di_job_ids=[JOB, OTHER], **FAST),
    ):
        pass

    state, tasks = run_dag(dag)

    assert state == "success", {name: found.state for name, found in tasks.items()}
    assert [(found.status, found.effective_stops) for found in jobs.jobs()] == [("Running", 1)] * 2


def test_a_stop_that_never_was_is_told_once(jobs: Emulator) -> None:
    """The key may not stop: the restart asks nobody, and does not fail for the same reason."""
    jobs.inject({"operation": "StopDIJob", "times": None, "error": {"status": 403, "code": "Forbidden.RAM"}})
    with a_dag("never_was") as dag, DIJobMaintenance(di_job_ids=JOB, **FAST):
        pass

    state, tasks = run_dag(dag)

    assert state == "failed"
    assert tasks["maintenance.restart", -1].state == "success"
    assert "StartDIJob" not in [call.operation for call in jobs.calls]
    assert [call.operation for call in jobs.calls][-1] == "StopDIJob"


BAD: list[tuple[dict[str, Any], str]] = [
    ({"di_job_ids": []}, "di_job_ids"),
    ({"di_job_ids": [JOB, str(JOB)]}, "di_job_ids"),
    ({"di_job_ids": [JOB, "x"]}, "di_job_ids"),
    ({"di_job_ids": 0}, "di_job_ids"),
    ({"di_job_ids": None}, "di_job_ids"),
    ({"di_job_ids": {"id": JOB}}, "di_job_ids"),
    ({"di_job_ids": 1.5}, "di_job_ids"),
    ({"window": "@daily"}, "window"),
    ({"window": {"cron": "0 2 * * *", "duration": "PT1H", "timezone": "UTC", "frozen": []}}, "window"),
    ({"stop_args": {"min_remaining": "ten"}}, "min_remaining"),
    ({"stop_args": {"timeout": "1h"}}, "timeout"),
    ({"restart_args": {"timeout": "1h"}}, "timeout"),
    ({"restart_args": {"force_to_rerun": "True"}}, "force_to_rerun"),
    ({"check_args": {"accept": "Running"}}, "accept"),
]


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")  # Airflow's, of what was never mapped
def test_what_can_never_be_right_is_refused_as_the_dag_is_made() -> None:
    """For one job and for several: else the job is stopped, and the restart cannot even begin."""
    missed = []
    for wrong, field in BAD:
        for ids in (JOB, [JOB, OTHER]):
            try:
                with a_dag("bad"), DIJobMaintenance(**{"di_job_ids": ids, **wrong}):
                    pass
            except (ValueError, DataWorksInvalidRequest) as error:
                if not str(error).startswith(f"{field}:"):
                    missed.append((wrong, ids, str(error)))
            else:
                missed.append((wrong, ids, "accepted"))
    assert not missed


def test_durations_of_the_restart_may_be_timedeltas(jobs: Emulator) -> None:
    """They once passed while the DAG was made, and failed the restart when the job was down."""
    fast = {
        **FAST,
        "restart_args": {
            "poll_interval": timedelta(seconds=0.2),
            "healthy_for": timedelta(seconds=0.3),
            "timeout": timedelta(minutes=30),
        },
    }
    with a_dag("timedeltas") as dag, DIJobMaintenance(di_job_ids=[JOB, OTHER], **fast):
        pass

    assert run_dag(dag)[0] == "success"


def test_a_restart_is_tried_for_about_five_hours() -> None:
    """Whatever Airflow adds to each delay: soon at first, then every ten minutes."""
    with a_dag("restarts") as dag, DIJobMaintenance(di_job_ids=JOB):
        pass
    restart = dag.get_task("maintenance.restart")

    least = restart.retry_delay
    delays = [min(least * 2**number, restart.max_retry_delay) for number in range(restart.retries)]

    assert timedelta(hours=4.5) <= sum(delays, timedelta()) <= timedelta(hours=5.5)
    assert restart.retry_exponential_backoff


def test_a_preflight_that_says_no_leaves_all_as_it_is(jobs: Emulator) -> None:
    """It is the first task; the run is red, nothing was stopped, and nothing has to be started."""
    jobs.set_status(OTHER, "Stopped")
    ran = []
    with a_dag("preflight") as dag:

        @task
        def work() -> None:
            ran.append("work")

        with DIJobMaintenance(di_job_ids=[JOB, OTHER], preflight={"on_unknown": "warn", "retries": 0}, **FAST):
            work()

    state, tasks = run_dag(dag)

    assert (state, ran) == ("failed", [])
    assert tasks["maintenance.preflight", -1].state == "failed"
    assert [jobs.job(job_id).stop_calls for job_id in (JOB, OTHER)] == [0, 0]
    assert [jobs.job(job_id).start_calls for job_id in (JOB, OTHER)] == [0, 0]


def test_a_preflight_that_says_yes_is_an_xcom(jobs: Emulator) -> None:
    """And the maintenance goes on."""
    with a_dag("preflight_yes") as dag:

        @task
        def work() -> None: ...

        with DIJobMaintenance(di_job_ids=JOB, preflight={"on_unknown": "warn"}, **FAST):
            work()

    state, _ = run_dag(dag)

    assert (state, jobs.job(JOB).effective_stops, jobs.job(JOB).effective_starts) == ("success", 1, 1)


def test_the_report_is_made_whatever_happens(jobs: Emulator) -> None:
    """Of several jobs, behind a maintenance that failed; the run stays red."""
    reports: list[Any] = []
    with a_dag("report") as dag:

        @task
        def work() -> None:
            raise AirflowFailException("the maintenance went wrong")

        with DIJobMaintenance(
            di_job_ids=[JOB, OTHER], report={"reason": "{{ dag.dag_id }}", "on_report": reports.append}, **FAST
        ):
            work()

    state, tasks = run_dag(dag)

    assert (state, tasks["maintenance.report", -1].state) == ("failed", "success")
    (report,) = reports
    assert (report["reason"], [job["outcome"] for job in report["jobs"]]) == ("report", ["running", "running"])
    assert all(0 < job["downtime"] < 60 for job in report["jobs"])


@pytest.mark.parametrize("report", [False, True, {"max_downtime": 3600}], ids=["none", "report", "limit"])
def test_of_several_restarts_one_that_is_not_well_is_red(
    jobs: Emulator, connect: Callable[..., None], logged: Callable[[], str], report: Any
) -> None:
    """Although its job runs: the task at the end names it, and why; a report behind it hides nothing."""
    connect(api_version="2024-05-18")
    jobs.add_job(OTHER, stop_seconds=0.02, start_seconds=0.02, lag={"stuck": 500}, metrics_period=1)
    with a_dag(f"unproven_{len(str(report))}") as dag:

        @task
        def work() -> None: ...

        restart = {**FAST["restart_args"], "max_lag": 60, "lag_timeout": 2.5}
        with DIJobMaintenance(di_job_ids=[JOB, OTHER], report=report, **{**FAST, "restart_args": restart}):
            work()
    jobs.add_job(JOB, stop_seconds=0.02, start_seconds=0.02, metrics_period=1)

    state, tasks = run_dag(dag)

    assert state == "failed"
    assert tasks["maintenance.restarted", -1].state == "failed"
    assert [jobs.job(job_id).status for job_id in (JOB, OTHER)] == ["Running", "Running"]
    assert f"not proven to be well: DI job {OTHER}: it runs, but did not come within 60 s of its source" in logged()


REFUSED = {"operation": "ListDIJobMetrics", "times": None, "error": {"status": 403, "code": "Forbidden.RAM"}}


@pytest.mark.parametrize("version", ["2024-05-18", "2020-05-18"])
@pytest.mark.parametrize("ids", [JOB, [JOB, OTHER]], ids=["one", "several"])
def test_a_proof_that_cannot_be_had_is_red(
    jobs: Emulator, connect: Callable[..., None], logged: Callable[[], str], ids: Any, version: str
) -> None:
    """The metrics are refused, or this API has none: the jobs run, and nobody knows whether data flows."""
    connect(api_version=version)
    jobs.inject(REFUSED)
    reports: list[Any] = []
    with a_dag(f"refused_{len(str(ids))}_{version[:4]}") as dag:

        @task
        def work() -> None: ...

        arguments = {**FAST, "restart_args": {**FAST["restart_args"], "max_lag": 60}}
        with DIJobMaintenance(di_job_ids=ids, report={"on_report": reports.append}, **arguments):
            work()

    state, _ = run_dag(dag)

    several = [ids] if isinstance(ids, int) else ids
    assert (state, [jobs.job(job_id).status for job_id in several]) == ("failed", ["Running"] * len(several))
    assert [job["outcome"] for job in reports[0]["jobs"]] == ["NOT PROVEN"] * len(several)
    assert ("started again, but not proven to be well" in logged()) is (len(several) > 1)


def test_a_wave_is_not_begun_where_the_one_before_left_a_job_down(jobs: Emulator) -> None:
    """Behind the end of a maintenance, not behind the group: Airflow would not wait for its teardowns."""
    with a_dag("waves") as dag:

        @task
        def work() -> None: ...

        with DIJobMaintenance("first", di_job_ids=[JOB], report=True, **FAST) as first:
            work()
        with DIJobMaintenance("second", di_job_ids=OTHER, **FAST) as second:
            work()
        first.end >> second

    jobs.inject({"operation": "StartDIJob", "times": None, "error": {"status": 403, "code": "Forbidden.RAM"}})
    state, _ = run_dag(dag)

    assert (state, jobs.job(JOB).status) == ("failed", "Stopped")
    assert (jobs.job(OTHER).status, jobs.job(OTHER).stop_calls) == ("Running", 0)


@pytest.mark.parametrize(
    "report", [True, {"max_downtime": 3600}, {"max_downtime": 0.01}], ids=["report", "limit", "long"]
)
@pytest.mark.parametrize("ids", [JOB, [JOB, OTHER]], ids=["one", "several"])
def test_a_report_hides_no_restart_that_failed(jobs: Emulator, report: Any, ids: Any) -> None:
    """And is red itself where a job was down for too long."""
    is_long = isinstance(report, dict) and report["max_downtime"] < 1
    with a_dag(f"hides_{len(str(report))}_{len(str(ids))}") as dag:

        @task
        def work() -> None: ...

        with DIJobMaintenance(di_job_ids=ids, report=report, **FAST):
            work()
    if not is_long:
        jobs.inject({"operation": "StartDIJob", "times": None, "error": {"status": 403, "code": "Forbidden.RAM"}})

    state, tasks = run_dag(dag)

    assert (state, jobs.job(JOB).status) == ("failed", "Running" if is_long else "Stopped")
    assert tasks["maintenance.report", -1].state == ("failed" if isinstance(report, dict) else "success")


RULES = [{"id": 45242, "metric": "Delay"}, {"id": 45243, "metric": "FailoverCount"}]


def rules_on(jobs: Emulator) -> list[int]:
    """Return the ids of the alarm rules of both jobs that are on."""
    return [rule.id for job_id in (JOB, OTHER) for rule in jobs.alarm_rules(job_id) if rule.enabled]


@pytest.mark.parametrize("kind", ["one", "several"])
def test_alarms_are_silent_while_the_job_is_down(jobs: Emulator, kind: str) -> None:
    """Whether the maintenance goes well or fails, its alarms are on behind it, and the report says so."""
    missed = []
    for well in (True, False):
        jobs.add_job(JOB, "Running", stop_seconds=0.02, start_seconds=0.02, alarm_rules=RULES)
        seen: list[list[int]] = []
        with a_dag(f"silent_{kind}_{well}") as dag:

            @task(retries=0)
            def maintain(seen: list[list[int]] = seen, well: bool = well) -> None:
                seen.append(rules_on(jobs))
                assert well

            with DIJobMaintenance(di_job_ids=ids_of(kind), silence_alarms=True, report=True, **FAST):
                maintain()

        state, tasks = run_dag(dag)

        told = tasks["maintenance.report", -1].xcom_pull(task_ids="maintenance.report")["jobs"][0]["alarms"]
        alarms = [{"rule_id": 45242, "metric": "Delay", "outcome": "changed", "off": False}]
        found = (state, seen, rules_on(jobs), told)
        if found != ("success" if well else "failed", [[45243]], [45242, 45243], alarms):
            missed.append(found)
    assert missed == []


def test_alarms_come_on_again_where_the_restart_fails_and_the_run_is_red(jobs: Emulator) -> None:
    """Airflow looks at the last teardown only, so that one fails with it."""
    jobs.add_job(JOB, "Running", stop_seconds=0.02, start_seconds=0.02, alarm_rules=RULES)
    jobs.inject({"operation": "StartDIJob", "times": None, "error": {"status": 403, "code": "Forbidden.RAM"}})
    with a_dag("silent_and_down") as dag:

        @task
        def maintain() -> None: ...

        with DIJobMaintenance(di_job_ids=JOB, silence_alarms=("Delay", "FailoverCount"), report=True, **FAST):
            maintain()

    state, tasks = run_dag(dag)

    assert (state, rules_on(jobs), jobs.job(JOB).status) == ("failed", [45242, 45243], "Stopped")
    states = {name: tasks[f"maintenance.{name}", -1].state for name in ("restart", "restore_alarms", "report")}
    assert states == {"restart": "failed", "restore_alarms": "failed", "report": "success"}


@pytest.mark.parametrize("outside", ["fail", "skip"])
def test_outside_the_window_no_alarm_is_touched(jobs: Emulator, outside: str) -> None:
    """Nor is the job."""
    jobs.add_job(JOB, "Running", alarm_rules=RULES)
    never = {"cron": "0 0 1 1 *", "duration": 60, "timezone": "UTC"}
    with a_dag(f"silent_outside_{outside}") as dag:

        @task
        def maintain() -> None: ...

        stop = {**FAST["stop_args"], "outside_window": outside}
        with DIJobMaintenance(di_job_ids=JOB, window=never, silence_alarms=True, **{**FAST, "stop_args": stop}):
            maintain()

    state, tasks = run_dag(dag)

    assert state == ("failed" if outside == "fail" else "success")
    assert {rule.changes for rule in jobs.alarm_rules(JOB)} == {0}
    assert jobs.job(JOB).stop_calls == 0
    assert tasks["maintenance.restore_alarms", -1].state == "success"


def test_a_reason_is_asked_for_before_anything_is_touched(jobs: Emulator) -> None:
    """By the first task of the maintenance, whichever that is."""
    missed = []
    for first, options in {
        "stop": {},
        "silence_alarms": {"silence_alarms": True},
        "preflight": {"silence_alarms": True, "preflight": {"on_unknown": "warn"}},
    }.items():
        nothing = {} if first == "stop" else {"reason": " "}
        for conf, state in ((nothing, "failed"), ({"reason": "new column"}, "success")):
            jobs.add_job(JOB, "Running", stop_seconds=0.02, start_seconds=0.02)
            with a_dag(f"reason_{first}") as dag:

                @task
                def maintain() -> None: ...

                with DIJobMaintenance(di_job_ids=JOB, report={"reason": True}, **options, **FAST):
                    maintain()

            found, tasks = run_dag(dag, conf)

            stops = jobs.job(JOB).stop_calls
            given = (tasks["maintenance.report", -1].xcom_pull(task_ids="maintenance.report") or {}).get("reason")
            well = state == "success"
            if (found, stops, given) != (state, int(well), "new column" if well else None):
                missed.append((first, conf, found, stops, given))
            if tasks[f"maintenance.{first}", -1].state != state:
                missed.append((first, conf, tasks[f"maintenance.{first}", -1].state))
    assert missed == []
