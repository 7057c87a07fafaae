"""Draws a random schedule from a seed: the same seed, the same schedule; it lives through none."""

from __future__ import annotations

import random
from collections.abc import Callable, Collection
from typing import Any

from campaign.schedule import Clear, Deed, Fault, Kill, Outage, Schedule, replace

_ACTIONS = ("*", "GetDIJob", "GetDIJob", "ListDIJobs", "StopDIJob", "StopDIJob", "StartDIJob", "StartDIJob")
_TASKS = ("stop", "stop", "check", "restart", "restart")


def fault(draw: random.Random, kind: str) -> Fault:
    """Draw a fault of a kind."""
    seconds = 0.0
    times = draw.choice((1, 1, 1, 2, 3, 5, 8))
    if kind in ("throttle", "hint on a 5xx"):
        seconds = draw.choice((0.0, 0.5, 2.0, 7.0, 20.0, 40.0, 44.0, 46.0, 60.0, 90.0, 200.0))
    if kind == "hint on a 5xx":
        seconds = seconds or 15.0
    if kind == "absurd hint":
        seconds, times = draw.choice((9_999_999.999, 4000.0, 86400.0)), 1
    if kind == "slow":
        seconds, times = draw.choice((1.0, 5.0, 9.0)), draw.choice((1, 2, 6))
    if kind == "early running":
        return Fault(kind, "GetDIJob", 0, 1)  # once a schedule, see below: two of them are no better than a lie
    if kind in ("refused", "quota"):
        times = 1
    action, skip = draw.choice(_ACTIONS), draw.choice((0, 0, 0, 0, 1, 1, 2, 3, 6))
    if action in ("StopDIJob", "StartDIJob") and skip > 1:
        skip = 0
    return Fault(kind, action, skip, times, draw.random() < 0.6, draw.randrange(48), seconds)


def _at_most_one(faults: tuple[Fault, ...], kind: str) -> tuple[Fault, ...]:
    """Return the faults with the first of a kind only."""
    first = next((each for each in faults if each.kind == kind), None)
    return tuple(each for each in faults if each.kind != kind or each is first)


FAULTS = (
    "throttle",
    "throttle without a hint that is one",
    "absurd hint",
    "busy",
    "hint on a 5xx",
    "gateway",
    "lost",
    "cut",
    "2xx without a body",
    "something in between",
    "refused",
    "quota",
    "slow",
    "garbage",
    "odd value",
    "early running",
)
# How often each is drawn: what leaves the effect open is what this package is about.
_WEIGHTS = {"lost": 4, "throttle": 3, "2xx without a body": 2, "something in between": 2, "gateway": 2, "cut": 2}
_OUTAGES = ("lost", "busy", "gateway", "throttle", "cut", "2xx without a body", "something in between", "garbage")


def _moment(draw: random.Random) -> float:
    # Around the stop, the work, or the restart; with fractions, so that two things seldom happen at once.
    begin = draw.choice((0.0, 30.0, 60.0, 100.0, 650.0, 680.0, 700.0))
    return round(begin + draw.random() * draw.choice((20.0, 60.0, 200.0)), 2)


def _some(draw: random.Random, chance: float, most: int, make: Callable[[], Any]) -> tuple[Any, ...]:
    count = 0
    while count < most and draw.random() < chance:
        count += 1
    return tuple(make() for _ in range(count))


def schedule(seed: int, without: Collection[str] = ()) -> Schedule:
    """
    Draw a schedule.

    :param without: kinds of faults, and of other things (see :data:`OTHERS`), to leave out; what is left is the same.
    """
    draw = random.Random(seed)
    kinds = [kind for kind in FAULTS for _ in range(_WEIGHTS.get(kind, 1))]
    found: dict[str, Any] = {
        "airflow": draw.choice(("2.11", "3.3", "3.3", "3.4")),
        "deferrable": draw.random() < 0.45,
        "wait": draw.random() < 0.9,
        "check": draw.random() < 0.5,
        "restart": draw.random() < 0.85,
        "work": draw.choice((5.0, 600.0, 600.0)),
        "status": draw.choices(
            ("Running", "Stopped", "Stopping", "Failed", "Finished", "Initialized"), (80, 4, 1, 4, 3, 4)
        )[0],
        "stop_seconds": draw.choice((0.0, 3.0, 40.0, 40.0, 400.0)),
        "stop_ends_in": draw.choices(("Stopped", "Failed", "Finished", "never"), (86, 7, 4, 3))[0],
        "start_seconds": draw.choice((0.0, 20.0, 20.0, 200.0)),
        "start_ends_in": draw.choices(("Running", "Failed"), (94, 6))[0],
        "lag": draw.choices((0.0, 2.0, 4.0), (80, 10, 10))[0],
        "refuses": draw.random() < 0.5,
        "api_version": draw.choice(("2020-05-18", "2024-05-18")),
        "signature": draw.choice(("ACS3-HMAC-SHA256", "ACS3-HMAC-SHA256", "HMAC-SHA1")),
        "security_token": draw.random() < 0.3,
        "max_qps": draw.choices((1000.0, 5.0, 0.5, 0.1), (60, 25, 10, 5))[0],
        "poll_interval": draw.choice((5.0, 30.0, 30.0, 120.0)),
        "timeout": draw.choices((3600.0, 300.0, 60.0, 20.0), (60, 20, 10, 10))[0],
        "restart_timeout": draw.choices((3600.0, 600.0, 90.0), (75, 15, 10))[0],
        "retries": draw.choice((0, 1, 3, 3)),
        "restart_retries": draw.choice((1, 3, 30)),
        "seed": seed,
    }
    if draw.random() < 0.3:
        found["window"] = draw.choice((3000.0, 700.0, 130.0, 60.0, 25.0)) + round(draw.random() * 20, 2)
        found["min_remaining"] = draw.choice((0.0, 10.0, 60.0, 600.0))
        found["outside_window"] = draw.choice(("fail", "fail", "skip"))
    found["faults"] = _at_most_one(_some(draw, 0.75, 5, lambda: fault(draw, draw.choice(kinds))), "early running")
    found["outages"] = _some(draw, 0.1, 1, lambda: _outage(draw, draw.choice(_OUTAGES)))
    found["deeds"] = _some(draw, 0.3, 3, lambda: _deed(draw))
    found["kills"] = _some(
        draw, 0.35, 3, lambda: Kill(draw.choice(_TASKS), draw.choice((1, 1, 1, 2, 2, 3, 4)), _step(draw))
    )
    found["clears"] = _some(draw, 0.2, 2, lambda: _clear(draw))
    found["triggerer_restarts"] = _some(draw, 0.3, 2, lambda: round(draw.random() * 100, 2))
    if draw.random() < 0.03:
        found["spoiled_note"] = draw.randrange(8)
    return _left_out(Schedule(**found), without)


def _step(draw: random.Random) -> int:
    return draw.choice((0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 12, 15))


def _outage(draw: random.Random, kind: str) -> Outage:
    seconds = draw.choice((0.0, 30.0)) if kind == "throttle" else 0.0
    begins = draw.choice((0.0, 1.0, 45.0, 655.0, 700.0)) + round(draw.random() * 10, 2)
    return Outage(
        Fault(kind, variant=draw.randrange(48), seconds=seconds), begins, draw.choice((30.0, 200.0, 1000.0, 5000.0))
    )


def _deed(draw: random.Random) -> Deed:
    what = draw.choice(("stop", "start", "start", "fail", "finish", "odd", "clock", "rotate", "gone"))
    seconds = 0.0
    if what == "odd":
        seconds = draw.choice((50.0, 400.0))
    elif what == "clock":
        seconds = draw.choice((-4000.0, -600.0, -20.0, 20.0, 600.0, 4000.0))
    elif what == "rotate":
        seconds = draw.choice((0.0, 0.0, 30.0))
    elif what == "gone":
        seconds = draw.choice((40.0, 300.0))
    return Deed(what, _moment(draw), seconds)


def _clear(draw: random.Random) -> Clear:
    after = draw.choice(("stop", "stop", "check", "work", "restart", "waiting"))
    task = "stop" if after != "waiting" else draw.choice(("stop", "restart"))
    if after == "restart":
        task = draw.choice(("stop", "restart"))
    return Clear(task, after, draw.random() < 0.8)


# What can be left out beside faults. ``deed: ..`` leaves out one kind of what others do.
OTHERS = {
    "lag": lambda found: replace(found, lag=0.0),
    "spoiled note": lambda found: replace(found, spoiled_note=None),
    "clears without a store": lambda found: replace(found, clears=()) if found.airflow != "3.3" else found,
    "ends after our stop on 2.11": lambda found: _always_stopped(found) if found.airflow == "2.11" else found,
    "kills before a note is told again": lambda found: replace(
        found, kills=tuple(kill for kill in found.kills if kill.task != "stop" or kill.nth == 1 or kill.step > 2)
    ),
}


def _always_stopped(found: Schedule) -> Schedule:
    deeds = tuple(deed for deed in found.deeds if deed.what not in ("fail", "finish"))
    return replace(found, stop_ends_in="Stopped", start_ends_in="Running", deeds=deeds)


def _left_out(found: Schedule, without: Collection[str]) -> Schedule:
    for name, leave_out in OTHERS.items():
        if name in without:
            found = leave_out(found)
    return replace(
        found,
        faults=tuple(each for each in found.faults if each.kind not in without),
        outages=tuple(each for each in found.outages if each.fault.kind not in without),
        deeds=tuple(deed for deed in found.deeds if f"deed: {deed.what}" not in without),
    )
