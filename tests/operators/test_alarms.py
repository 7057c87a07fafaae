"""Alarm rules are off for exactly as long as a maintenance lasts: what was on comes on again, whatever happens."""

from __future__ import annotations

import json
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest
from airflow_variables import Variables
from emulated import JOB, Clock

from airflow_provider_dataworks.emulator import Emulator
from airflow_provider_dataworks.exceptions import (
    DataWorksError,
    DataWorksForbidden,
    DataWorksInvalidRequest,
    DataWorksUnavailable,
)
from airflow_provider_dataworks.hooks.dataworks import DataWorksHook
from airflow_provider_dataworks.operators import silenced_rules
from airflow_provider_dataworks.operators.alarms import RestoreAlarmsOperator, SilenceAlarmsOperator
from airflow_provider_dataworks.operators.silenced_rules import alarms_off

OTHER = 5
TOKEN = "b1946ac92492d2347c6235b4d2611184"
TELLS = {"receivers": {"DingToken": [TOKEN]}}
RULES = [
    {"id": 1, "metric": "Delay", **TELLS},
    {"id": 2, "metric": "Heartbeat", **TELLS},
    {"id": 3, "metric": "FailoverCount", **TELLS},
    {"id": 4, "metric": "Delay", "enabled": False, **TELLS},
]
FORBIDDEN = {"error": {"status": 403, "code": "Forbidden.Access", "message": "no"}}


class Run:
    """A run: what its tasks pushed, and how they ended."""

    dag_id, run_id, map_index, task_id = "upgrade", "manual__1", -1, "silence_alarms"
    try_number, max_tries = 1, 3

    def __init__(self) -> None:
        self.pushed: dict[str, Any] = {}
        self.states: dict[str, str] = {}
        self.running: set[tuple[str, str]] = set()

    def xcom_push(self, key: str, value: Any) -> None:
        """Keep what must survive JSON."""
        self.pushed[key] = json.loads(json.dumps(value))

    def xcom_pull(self, task_ids: list[str], key: str) -> list[Any]:
        """Return what was pushed."""
        return [self.pushed[key]] if key in self.pushed else []

    def get_task_states(self, run_ids: list[str], **_: Any) -> dict[str, dict[str, str]]:
        """Return how tasks ended."""
        return {run_ids[0]: self.states}

    def get_dr_count(self, dag_id: str, run_ids: list[str], states: list[str]) -> int:
        """Return how many of these runs are in these states."""
        return sum((dag_id, run_id) in self.running for run_id in run_ids) if "running" in states else 0


@pytest.fixture(params=["2020-05-18", "2024-05-18"])
def airflow(
    request: pytest.FixtureRequest,
    variables: Variables,
    emulator: Emulator,
    clock: Clock,
    connect: Callable[..., None],
    monkeypatch: pytest.MonkeyPatch,
) -> SimpleNamespace:
    """Both tasks of a maintenance of one job or two, with a job whose alarms are on."""
    connect(api_version=request.param)
    monkeypatch.setattr(DataWorksHook, "now", staticmethod(clock.now))
    monkeypatch.setattr(DataWorksHook, "sleep", staticmethod(clock.sleep))
    emulator.add_job(JOB, alarm_rules=RULES)

    def silence(run: Run, ids: Any = JOB, **arguments: Any) -> Any:
        operator = SilenceAlarmsOperator(task_id="silence_alarms", di_job_ids=ids, **arguments)
        run.states["silence_alarms"] = "failed"
        found = operator.execute({"ti": run, "task": operator})  # type: ignore[typeddict-item,arg-type]
        run.states["silence_alarms"] = "success"
        return found

    def restore(run: Run, ids: Any = JOB, silenced_by: Any = ("silence_alarms",)) -> Any:
        operator = RestoreAlarmsOperator(task_id="restore_alarms", di_job_ids=ids, silenced_by=silenced_by)
        return operator.execute({"ti": run, "task": operator})["rules"]  # type: ignore[typeddict-item,arg-type]

    def on(job_id: int = JOB) -> list[int]:
        return [rule.id for rule in emulator.alarm_rules(job_id) if rule.enabled]

    return SimpleNamespace(
        silence=silence, restore=restore, on=on, emulator=emulator, variables=variables, version=request.param
    )


def outcomes(rules: list[dict[str, Any]]) -> dict[int, str]:
    """Return what became of each rule."""
    return {rule["rule_id"]: rule["outcome"] + (", off" if rule["off"] else "") for rule in rules}


def test_what_was_on_is_off_and_comes_on_again(airflow: SimpleNamespace) -> None:
    """Rules about a job that is down, and no others; what was off stays off."""
    run = Run()

    silenced = airflow.silence(run)
    while_down, known = airflow.on(), alarms_off(JOB)
    restored = airflow.restore(run)

    assert while_down == [3]
    assert sorted(rule["rule_id"] for rule in silenced) == [1, 2]
    assert sorted(rule.rule_id for rule in known) == [1, 2]
    assert {(rule.dag_id, rule.run_id) for rule in known} == {("upgrade", "manual__1")}
    assert airflow.on() == [1, 2, 3]
    assert outcomes(restored) == {1: "changed", 2: "changed"}
    assert alarms_off([JOB]) == []
    assert [rule.changes for rule in airflow.emulator.alarm_rules(JOB)] == [2, 2, 0, 0]


def test_the_author_chooses_the_metrics(airflow: SimpleNamespace) -> None:
    """Of several jobs, each by itself."""
    airflow.emulator.add_job(OTHER, alarm_rules=[{"id": 9, "metric": "FailoverCount", **TELLS}])
    run = Run()

    airflow.silence(run, [JOB, OTHER], metrics=("FailoverCount",))

    assert (airflow.on(), airflow.on(OTHER)) == ([1, 2], [])
    airflow.restore(run, [JOB, OTHER])
    assert (airflow.on(), airflow.on(OTHER)) == ([1, 2, 3], [9])


def test_nothing_is_changed_before_it_is_remembered(airflow: SimpleNamespace) -> None:
    """A database that takes nothing keeps the alarms on."""
    airflow.variables.full = True

    with pytest.raises(DataWorksUnavailable, match="RuntimeError: the database takes nothing"):
        airflow.silence(Run())

    assert airflow.on() == [1, 2, 3]
    assert [call for call in airflow.emulator.calls if call.operation == "UpdateDIAlarmRule"] == []


def test_a_silencing_that_was_cut_off_is_undone_whatever_was_cleared(airflow: SimpleNamespace) -> None:
    """The Variable is enough: neither XComs nor states tell."""
    airflow.emulator.inject({"operation": "UpdateDIAlarmRule", "skip": 1, "times": 1, **FORBIDDEN})
    with pytest.raises(DataWorksForbidden):
        airflow.silence(Run())
    assert airflow.on() == [2, 3]

    restored = airflow.restore(Run())

    assert airflow.on() == [1, 2, 3]
    assert outcomes(restored) == {1: "changed", 2: "already"}


def test_a_second_try_goes_on_where_the_first_was_cut_off(airflow: SimpleNamespace) -> None:
    """What the first try switched off counts as ours."""
    run = Run()
    airflow.emulator.inject({"operation": "UpdateDIAlarmRule", "skip": 1, "times": 1, **FORBIDDEN})
    with pytest.raises(DataWorksForbidden):
        airflow.silence(run)

    silenced = airflow.silence(run)

    assert airflow.on() == [3]
    assert sorted(rule["rule_id"] for rule in silenced) == [1, 2]


def test_the_next_run_takes_over_what_a_lost_one_left_off(airflow: SimpleNamespace) -> None:
    """Its run was deleted; even if the Variable cannot be read at first."""
    airflow.silence(Run())
    airflow.variables.reads_away = 1
    run = Run()
    run.run_id = "manual__2"

    airflow.silence(run)
    airflow.restore(run)

    assert airflow.on() == [1, 2, 3]


def test_a_rule_that_somebody_edits_is_left_as_it_is(airflow: SimpleNamespace, logged: Callable[[], str]) -> None:
    """And said, with whether it is off; one that somebody deletes or switches on needs nothing."""
    run = Run()
    airflow.emulator.add_job(OTHER, alarm_rules=[{"id": 8, "metric": "Delay"}, {"id": 9, "metric": "Delay"}])
    airflow.silence(run, [JOB, OTHER])
    airflow.emulator.edit_alarm_rule(1, interval=60)
    airflow.emulator.edit_alarm_rule(2, enabled=True)
    airflow.emulator.remove_alarm_rule(8)

    restored = airflow.restore(run, [JOB, OTHER])

    assert outcomes(restored) == {1: "edited, off", 2: "already", 8: "gone", 9: "changed"}
    assert airflow.on() == [2, 3]
    assert "somebody has edited it meanwhile, and it is left as it is; it is OFF" in logged()
    assert alarms_off(JOB) == []


def test_one_rule_that_cannot_be_switched_on_keeps_no_other_off(airflow: SimpleNamespace) -> None:
    """The error names it first; the next try switches on the rest."""
    run = Run()
    airflow.silence(run)
    airflow.emulator.inject({"operation": "UpdateDIAlarmRule", "times": 1, **FORBIDDEN})

    with pytest.raises(DataWorksForbidden) as caught:
        airflow.restore(run)

    assert str(caught.value).startswith(f"Alarm rules are still off: 1 (Delay, DI job {JOB}).")
    assert airflow.on() == [2, 3]
    assert outcomes(run.pushed[silenced_rules.RESTORED]) == {2: "changed"}
    assert outcomes(airflow.restore(run)) == {1: "changed", 2: "already"}
    assert airflow.on() == [1, 2, 3]


def test_a_later_try_tells_how_the_rules_are_that_an_earlier_one_restored(airflow: SimpleNamespace) -> None:
    """It changes none of them: what somebody has done since is their wish."""
    run = Run()
    airflow.silence(run, metrics=("Delay", "Heartbeat", "FailoverCount"))
    airflow.restore(run)
    airflow.emulator.edit_alarm_rule(1, enabled=False)
    airflow.emulator.remove_alarm_rule(3)
    run.try_number = 2

    assert outcomes(airflow.restore(run)) == {1: "edited, off", 2: "already", 3: "gone"}
    assert airflow.on() == [2]


def test_a_run_that_silences_other_metrics_forgets_none_that_an_earlier_one_left_off(airflow: SimpleNamespace) -> None:
    """Though it does not switch them itself."""
    airflow.silence(Run())
    run = Run()
    run.run_id = "manual__2"

    airflow.silence(run, metrics=("FailoverCount",))
    while_down = airflow.on()
    airflow.restore(run)

    assert (while_down, airflow.on(), alarms_off(JOB)) == ([], [1, 2, 3], [])


@pytest.mark.parametrize("what", ["reads", "writes"])
def test_a_database_that_fails_for_one_job_keeps_no_other_job_silent(airflow: SimpleNamespace, what: str) -> None:
    """Some versions of Airflow raise then; the task is red, and its next try finds what is left."""
    run = Run()
    airflow.emulator.add_job(OTHER, alarm_rules=[{"id": 9, "metric": "Delay", **TELLS}])
    airflow.silence(run, [JOB, OTHER])
    if what == "reads":
        run.pushed.clear()
        airflow.variables.reads_broken = 1
    airflow.variables.full = what == "writes"

    with pytest.raises(DataWorksUnavailable) as caught:
        airflow.restore(run, [JOB, OTHER])

    assert airflow.on(OTHER) == [9]
    assert f"some of DI job {JOB}" in str(caught.value).splitlines()[0]
    airflow.variables.full = False
    airflow.restore(run, [JOB, OTHER])
    assert (airflow.on(), alarms_off([JOB, OTHER])) == ([1, 2, 3], [])


def test_what_this_run_noted_counts_where_airflow_cannot_be_asked(airflow: SimpleNamespace) -> None:
    """Whether it says so or not, and where somebody has edited the Variable."""
    name = silenced_rules.variable_name("dataworks_default", JOB)
    missed = []
    for kept in (None, "", "{}", "[1]", '[{"rule_id": 1}]', "[" * 100_000):
        run = Run()
        airflow.silence(run)
        if kept is None:
            airflow.variables.reads_broken = 1
        else:
            airflow.variables.kept[name] = kept
        restored = outcomes(airflow.restore(run))
        if restored != {1: "changed", 2: "changed"} or airflow.on() != [1, 2, 3]:
            missed.append((kept and kept[:20], restored, airflow.on()))

    assert missed == []


def test_a_memory_that_cannot_be_read_is_no_proof_that_alarms_are_on(airflow: SimpleNamespace) -> None:
    """What the run noted counts; where nothing tells, the task is tried again."""
    run = Run()
    airflow.silence(run)
    noted = dict(run.pushed)
    run.pushed.clear()
    airflow.variables.reads_away = 1

    with pytest.raises(DataWorksError) as caught:
        airflow.restore(run)
    assert caught.value.retryable
    assert caught.value.see == "alarms-not-known"

    airflow.emulator.add_job(OTHER, alarm_rules=[{"id": 9, "metric": "Delay"}])
    airflow.silence(run, OTHER)
    run.pushed.clear()
    airflow.variables.reads_away = 1
    with pytest.raises(DataWorksError, match=f"perhaps some of DI job {JOB}"):
        airflow.restore(run, [JOB, OTHER])
    assert (airflow.on(), airflow.on(OTHER)) == ([3], [9])  # the one keeps no other's alarms off

    run.pushed.update(noted)
    airflow.variables.reads_away = 1
    airflow.restore(run)
    assert airflow.on() == [1, 2, 3]


def test_a_run_that_silenced_nothing_restores_nothing(airflow: SimpleNamespace) -> None:
    """It ended before, or its jobs have no rules; no call is made."""
    assert airflow.restore(Run()) == []
    airflow.emulator.add_job(OTHER)
    run = Run()
    assert airflow.silence(run, OTHER) == []
    asked = len(airflow.emulator.calls)
    assert airflow.restore(run, OTHER) == []
    assert len(airflow.emulator.calls) == asked


SPOILED = ("", "{", "null", "7", '{"1": 2}', "[1, null, []]", '[{"rule_id": "x"}]', '[{"rule_id": 1, "metric": "a b"}]')


def test_what_anybody_wrote_into_the_variable_is_no_all_clear(airflow: SimpleNamespace) -> None:
    """A guardian is told so; and no run silences a job of which a rule is off, and forgets that one."""
    missed = []
    for number, value in enumerate(SPOILED):
        run = Run()
        run.run_id = f"manual__{number}"
        airflow.silence(run)
        (key,) = airflow.variables.kept
        airflow.variables.kept[key] = value
        for ask in (lambda: alarms_off(JOB), lambda: airflow.silence(Run())):
            try:
                missed.append((value, ask()))
            except DataWorksUnavailable as error:
                missed += [] if key in str(error) and error.see == "alarms-not-known" else [(value, error)]
        airflow.restore(run)
        missed += [] if airflow.on() == [1, 2, 3] else [(value, airflow.on())]
        # Where all rules are on, nothing can be forgotten.
        airflow.emulator.add_job(OTHER, alarm_rules=[{"id": 9, "metric": "Delay", **TELLS}])
        airflow.variables.kept[silenced_rules.variable_name("dataworks_default", OTHER)] = value
        airflow.silence(Run(), OTHER)
        missed += [] if airflow.on(OTHER) == [] else [(value, "not silenced")]
        airflow.variables.kept.clear()
    assert missed == []


def test_a_run_that_touched_nothing_leaves_the_alarms_of_another_alone(
    airflow: SimpleNamespace, logged: Callable[[], str]
) -> None:
    """While that one goes on, or its job is down; they are switched on where nobody else would."""
    missed = []
    for goes_on, status, is_silenced, wanted in (
        (True, "Stopped", False, [3]),
        (True, "Running", False, [3]),
        (True, "Stopped", True, [3]),
        (False, "Stopped", False, [3]),
        (False, "Running", False, [1, 2, 3]),
        (False, "Stopped", True, [1, 2, 3]),
    ):
        airflow.emulator.add_job(JOB, alarm_rules=RULES)
        airflow.variables.kept.clear()
        airflow.silence(Run())
        other = Run()
        other.dag_id, other.run_id = "other", "manual__2"
        other.running = {("upgrade", "manual__1")} if goes_on else set()
        if is_silenced:
            airflow.silence(other)
        airflow.emulator.set_status(JOB, status)

        airflow.restore(other)

        kept = sorted(rule.rule_id for rule in alarms_off(JOB))
        if (airflow.on(), kept) != (wanted, [] if 1 in wanted else [1, 2]):
            missed.append((goes_on, status, is_silenced, airflow.on(), kept))
    assert missed == []
    airflow.silence(Run())
    other.running = {("upgrade", "manual__1")}
    airflow.restore(other, silenced_by=())  # a guardian's task, which is told to
    assert airflow.on() == [1, 2, 3]
    assert f"1 (Delay, DI job {JOB}) stays off: run 'manual__1' of DAG 'upgrade' has switched it off" in logged()


def test_what_airflow_cannot_say_of_another_run_leaves_its_alarms_alone(
    airflow: SimpleNamespace, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The task is tried again; those of other jobs come on."""

    def broken(self: Run, **_: Any) -> int:
        raise RuntimeError("API server: 500")

    airflow.silence(Run())
    run = Run()
    run.run_id = "manual__2"
    airflow.emulator.add_job(OTHER, alarm_rules=[{"id": 9, "metric": "Delay", **TELLS}])
    airflow.silence(run, [JOB, OTHER])
    monkeypatch.setattr(Run, "get_dr_count", broken)

    with pytest.raises(DataWorksUnavailable, match=f"perhaps some of DI job {JOB}"):
        airflow.restore(run, [JOB, OTHER])

    assert (airflow.on(), airflow.on(OTHER)) == ([3], [9])


def test_what_another_run_overwrote_comes_on_all_the_same(airflow: SimpleNamespace) -> None:
    """Airflow has no lock for a Variable; this run's note counts in its first try."""
    run = Run()
    airflow.silence(run)
    (key,) = airflow.variables.kept
    airflow.variables.kept[key] = "[]"

    assert outcomes(airflow.restore(run)) == {1: "changed", 2: "changed"}
    assert airflow.on() == [1, 2, 3]


def test_a_silencing_that_a_person_marked_as_done_owes_nothing(airflow: SimpleNamespace) -> None:
    """All rules are on; where one is off, nobody can tell whose it is."""
    airflow.emulator.add_job(OTHER, alarm_rules=[{"id": 9, "metric": "Delay"}])
    run = Run()
    run.states["silence_alarms"] = "success"

    assert airflow.restore(run, OTHER) == []
    with pytest.raises(DataWorksUnavailable, match=f"perhaps some of DI job {JOB}"):
        airflow.restore(run, [JOB, OTHER])


def test_a_job_that_is_named_no_more_is_not_forgotten(airflow: SimpleNamespace) -> None:
    """A template, or what a task returns, may have changed since."""
    airflow.emulator.add_job(OTHER, alarm_rules=[{"id": 9, "metric": "Delay", **TELLS}])
    run = Run()
    airflow.silence(run, [JOB, OTHER])

    airflow.restore(run, [JOB])

    assert airflow.on(OTHER) == [9]


def test_a_run_id_may_be_of_any_characters(airflow: SimpleNamespace) -> None:
    """A deployment chooses its pattern."""
    run = Run()
    run.run_id = "manual__2026-11-27\u00a0\udc00 upgrade"
    airflow.silence(run)
    run.pushed.clear()

    airflow.restore(run)

    assert airflow.on() == [1, 2, 3]


@pytest.mark.parametrize("airflow", ["2024-05-18"], indirect=True)
def test_one_empty_answer_forgets_no_rule(airflow: SimpleNamespace) -> None:
    """A rule is gone where two questions agree."""
    run = Run()
    airflow.silence(run)
    empty = '{"RequestId": "x", "PagingInfo": {"TotalCount": 0, "DIJobAlarmRules": null}}'
    airflow.emulator.inject({"operation": "ListDIAlarmRules", "times": 1, "status": 200, "body": empty})

    assert outcomes(airflow.restore(run)) == {1: "changed", 2: "changed"}


def test_receivers_are_nowhere_but_in_the_calls(airflow: SimpleNamespace, logged: Callable[[], str]) -> None:
    """Neither in a Variable nor in an XCom, log or result."""
    run = Run()
    told = [airflow.silence(run), airflow.restore(run)]

    places = [json.dumps([told, run.pushed, airflow.variables.kept]), logged()]
    assert [place for place in places if TOKEN in place] == []


@pytest.mark.parametrize("airflow", ["2020-05-18"], indirect=True)
def test_a_rule_that_the_service_does_not_show_whole_is_refused_at_the_start(airflow: SimpleNamespace) -> None:
    """Sent back, it would lose its receivers; no rule of any job is touched."""
    airflow.emulator.add_job(
        OTHER, alarm_rules=[{"id": 9, "metric": "Delay", "receivers": {"DingToken": ["12****89"]}}]
    )

    with pytest.raises(DataWorksInvalidRequest) as caught:
        airflow.silence(Run(), [JOB, OTHER])

    assert caught.value.see == "alarm-rule-not-safe"
    assert (airflow.on(), airflow.on(OTHER)) == ([1, 2, 3], [9])
    assert airflow.variables.kept == {}


def test_metrics_are_checked_as_the_dag_is_made() -> None:
    """A word that is none of the vendor's would silence nothing."""
    missed = []
    for given in (("Heartbeat", "delay"), (), "Lag", 5, {"Delay": True}, [["Delay"]], [None], iter(())):
        try:
            SilenceAlarmsOperator(task_id="silence", di_job_ids=JOB, metrics=given)
        except DataWorksInvalidRequest as error:
            if "metrics" not in str(error) or "Heartbeat" not in str(error):
                missed.append((given, str(error)))
        else:
            missed.append((given, "accepted"))
    assert missed == []
    given = SilenceAlarmsOperator(task_id="silence", di_job_ids=JOB, metrics=iter(["Delay"])).metrics
    assert list(given) == ["Delay"]


def test_connections_of_any_name_have_a_variable_of_their_own(variables: Variables) -> None:
    """Airflow's keys are of bounded length, and not every version takes a slash."""
    names = {silenced_rules.variable_name(conn, JOB) for conn in ("a", "a/b", "a b", "x" * 250, "x" * 249)}
    assert len(names) == 5
    assert all(len(name) <= 250 and "/" not in name for name in names)
