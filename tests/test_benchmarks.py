"""The benchmarks can be run and their tables say what was measured; no time is ever asserted here."""

from __future__ import annotations

import importlib

import pytest

from benchmarks import blocking_call, credential_refresh, import_cost, machines, mapped_stops, watcher
from benchmarks.measure import (
    Figure,
    at_least,
    at_most,
    busiest_second,
    interleaved,
    report,
    shares,
    table,
    times,
    times_at_least,
)

CALLS = [(100.0 + n / 10, "ListDIJobs", "served", "OK") for n in range(3)]


def verdicts(figures: list[Figure]) -> list[str]:
    """What the lines say that promise something."""
    return [figure.verdict for figure in figures if figure.bound]


@pytest.mark.parametrize(
    "name",
    [
        "answering",
        "blocking_call",
        "credential_refresh",
        "emulated",
        "import_cost",
        "issuing",
        "machines",
        "mapped_stops",
        "watcher",
    ],
)
def test_every_script_says_how_to_run_it(name: str):
    """Importing one measures nothing; those that are run have their command in the docstring."""
    module = importlib.import_module(f"benchmarks.{name}")

    assert hasattr(module, "figures") == (f"python -m benchmarks.{name}" in (module.__doc__ or ""))


@pytest.mark.parametrize(
    ("figure", "verdict"),
    [
        (Figure("a", 11, 10, times(1.1)), "holds"),
        (Figure("a", 12, 10, times(1.1)), "MISSED"),
        (Figure("a", 10, 10, times_at_least(1)), "holds"),
        (Figure("a", 9, 10, times_at_least(1)), "MISSED"),
        (Figure("a", 50, 1, at_most(50)), "holds"),
        (Figure("a", 51, 100, at_most(50)), "MISSED"),
        (Figure("a", 4, bound=at_least(5)), "MISSED"),
        (Figure("a", 4, bound=times(5)), "MISSED"),
        (Figure("a", 99, 10, times(1.1), shares=[1.0, 1.05, 9.0]), "holds"),
        (Figure("a", 99), ""),
    ],
)
def test_a_bound_is_kept_or_not(figure: Figure, verdict: str):
    """About the ratio or the figure, upwards or downwards; a ratio without baseline is never good."""
    assert figure.verdict == verdict


def test_the_table_shows_figure_baseline_ratio_and_bound(capsys: pytest.CaptureFixture[str]):
    """One line each, and the exit status tells of a miss."""
    good, bad = Figure("calls", 18, 18, times(1.5)), Figure("held, ms", 60.5, 2.25, at_most(50))

    assert table("Title", [good, bad]).splitlines()[3:] == [
        "calls             18          18    1.00    <= 1.5 x  holds",
        "held, ms        60.5        2.25   26.89       <= 50  MISSED",
    ]
    assert (report("Title", [good]), report("Title", [good, bad])) == (0, 1)
    assert capsys.readouterr().out.count("Title") == 2


def test_rounds_are_interleaved():
    """Every contestant once a round, every other round backwards; ratios are formed round by round."""
    order: list[str] = []

    def taking(name: str) -> float:
        order.append(name)
        return float(len(order))

    found = interleaved(2, {name: lambda name=name: taking(name) for name in ("a", "b")})

    assert order == ["a", "b", "b", "a"]
    assert found == {"a": [1.0, 4.0], "b": [2.0, 3.0]}
    assert shares(found["b"], found["a"]) == [2.0, 0.75]


def test_the_busiest_second_begins_anywhere():
    """Not only on whole seconds; its end is the next one's begin."""
    assert busiest_second([0.0, 0.6, 1.0, 1.5, 1.6, 3.0]) == 3
    assert busiest_second([]) == 0


def test_import_cost():
    """Medians of both, each with its bound."""
    rounds = [{"airflow": 900.0, "ms": ms, "modules": 16} for ms in (5.0, 6.0, 99.0)]

    assert verdicts(import_cost.figures({"operators": rounds})) == ["holds", "MISSED"]


def test_blocking_call():
    """Each operation and API version against the bare library and the SDK."""
    found = {
        f"{name} {action} {version}": [cpu, cpu]
        for action in blocking_call.ACTIONS
        for version in blocking_call.VERSIONS
        for name, cpu in (("ours", 110.0), ("bare", 60.0), ("sdk", 50.0))
    }

    assert verdicts(blocking_call.figures(found)) == ["MISSED"] * 8


def test_watcher():
    """Rounds are told by the pauses between calls, and memory by the difference of two sizes."""
    found = {
        "late_ms": 12.0,
        "late_by_us_ms": 3.0,
        "callback_ms": 60.0,
        "callback_cpu_ms": 3.0,
        "settled": watcher.WAITS - watcher.FAILING,
    }
    calls = [*CALLS, *((at + 12, *rest) for at, *rest in CALLS)]
    memory = {
        f"{what} {kind} {n}": 1e6 + n * 4e3
        for what in ("traced", "resident")
        for kind in ("ours", "sleepers")
        for n in (300, 1000)
    }
    lines = watcher.figures([{"found": found, "calls": calls}], [{"found": found, "calls": []}], 3, memory)

    assert "2 rounds" in lines[0].name
    assert verdicts(lines) == ["holds", "holds", "holds", "MISSED", "holds", "holds", "holds"]


def test_credential_refresh():
    """One request for keys for all callers, and at least two in a run, or nothing was renewed."""
    waits = credential_refresh.WAITS
    run = {"late_ms": 60.0, "late_by_us_ms": 3.0, "asked": 4, "refused": 0, "settled": waits}
    vendors = {"late_ms": 5000.0, "failed": 1}

    lines = credential_refresh.figures([run], [{**run, "late_ms": 6.0}], vendors)
    shared_by_nobody = credential_refresh.figures([{**run, "asked": waits, "settled": 1}], [run], vendors)

    assert verdicts(lines) == ["MISSED", "holds", "holds", "holds"]
    assert verdicts(shared_by_nobody) == ["MISSED", "MISSED", "holds", "MISSED"]


def test_mapped_stops():
    """Jobs by the emulator's count, tasks by their results."""
    calls = [(100.0 + n / 5, "StopDIJob", "refused" if n == 0 else "served", "") for n in range(10)]
    seen = {"calls": calls, "jobs": {"1": ("Stopped", 1, 2), "2": ("Stopped", 2, 2)}}
    results = [{"stopped_by_this_run": True, "status": "Stopped"}] * 2

    assert verdicts(mapped_stops.figures(2.1, seen, results, 2)) == ["MISSED", "holds", "holds", "MISSED"]


def test_machines():
    """Calls that are refused are counted for each number of machines, and one alone may have none."""
    calls = [(100.0 + n / 5, "StopDIJob", "refused" if n == 0 else "served", "") for n in range(10)]
    run = {"calls": calls, "jobs": {"1": ("Stopped", 1, 2)}, "failures": [], "seconds": 2.1}
    late = {**run, "seconds": 3.0, "failures": ["lost"]}

    found = verdicts(machines.figures({1: run, 2: run, 8: late}, 1))

    assert found == ["holds", "holds", "MISSED", "holds", *["holds"] * 4, "holds", "MISSED", "holds", "MISSED"]
