"""Finds the smallest part of a schedule that still goes wrong in the same way; it judges nothing itself."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import fields
from typing import Any

from campaign.schedule import LISTS, Clear, Deed, Fault, Kill, Outage, Schedule, replace

_MOST = 400  # schedules tried for one that goes wrong


def shrunk(schedule: Schedule, still_wrong: Callable[[Schedule], bool]) -> Schedule:
    """
    Return a smaller schedule that goes wrong too.

    :param still_wrong: lives through a schedule and says whether it goes wrong in the way that is looked for.
    """
    left = _MOST
    smaller = True
    while smaller and left > 0:
        smaller = False
        for simpler in _simpler(schedule):
            left -= 1
            if left <= 0:
                break
            if still_wrong(simpler):
                schedule, smaller = simpler, True
                break
    return schedule


def _simpler(schedule: Schedule) -> Iterator[Schedule]:
    """Give every schedule that is one step simpler, the largest steps first."""
    for name in LISTS:
        found = getattr(schedule, name)
        if len(found) > 1:
            yield replace(schedule, **{name: ()})
        for place in range(len(found)):
            yield replace(schedule, **{name: found[:place] + found[place + 1 :]})
    for field in fields(schedule):
        if field.name not in LISTS and getattr(schedule, field.name) != field.default:
            yield replace(schedule, **{field.name: field.default})
    for name in LISTS:
        found = getattr(schedule, name)
        for place, part in enumerate(found):
            for other in _simpler_parts(part):
                yield replace(schedule, **{name: (*found[:place], other, *found[place + 1 :])})
    for name in ("restart", "check"):
        if getattr(schedule, name):
            yield replace(schedule, **{name: False})
    for name in ("window", "timeout", "restart_timeout", "stop_seconds"):
        value = getattr(schedule, name)
        if isinstance(value, float) and value != (rounded := float(round(value, -1) or round(value))):
            yield replace(schedule, **{name: rounded})


def _simpler_parts(part: Any) -> Iterator[Any]:
    if isinstance(part, Fault):
        for name in ("skip", "variant", "seconds"):
            if getattr(part, name):
                yield replace(part, **{name: 0})
        if part.effect:
            yield replace(part, effect=False)
        if part.times > 1:
            yield replace(part, times=1)
            yield replace(part, times=part.times - 1)
        if part.variant > 15:
            yield replace(part, variant=part.variant % 15)
        for action in ("StopDIJob", "GetDIJob", "StartDIJob"):
            if part.action == "*":
                yield replace(part, action=action)
    elif isinstance(part, Outage):
        for simpler in _simpler_parts(part.fault):
            yield replace(part, fault=simpler)
        if part.begins:
            yield replace(part, begins=0.0)
    elif isinstance(part, Deed | Kill | float | Clear):
        yield from _simpler_moments(part)


def _simpler_moments(part: Any) -> Iterator[Any]:
    if isinstance(part, float) and part != float(round(part)):
        yield float(round(part))
    elif isinstance(part, Deed) and part.at != float(round(part.at)):
        yield replace(part, at=float(round(part.at)))
    elif isinstance(part, Kill) and part.step:
        yield replace(part, step=0)
        yield replace(part, step=part.step - 1)
