"""The command ``window``: whether a maintenance window is open, why not, and when it opens next; it asks no service."""

from __future__ import annotations

from argparse import Namespace
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from airflow_provider_dataworks.cli.arguments import duration, moment, number_of_seconds, whole
from airflow_provider_dataworks.cli.commands import AIRFLOW, GOOD, NO, USAGE
from airflow_provider_dataworks.cli.database import windows_of
from airflow_provider_dataworks.cli.output import GREEN, RED, Output
from airflow_provider_dataworks.cli.running import CommandError
from airflow_provider_dataworks.cli.words import span
from airflow_provider_dataworks.windows import MaintenanceWindow, Opening

_CLOCK = "ddd YYYY-MM-DD HH:mm zz"
_MOST = 1000
_OWN = ("cron", "duration", "timezone", "freeze")


@dataclass(frozen=True)
class State:
    """
    How a window is at one moment.

    :param why: in words, why it is closed, or that too little of it is left; empty where it is good.
    :param openings: those that follow.
    """

    current: Opening | None
    left: timedelta
    why: str
    openings: tuple[Opening, ...]

    @property
    def is_good(self) -> bool:
        """Whether a stop may begin."""
        return not self.why


def window(arguments: Namespace, output: Output) -> int:
    """Show the windows of a DAG, or the one that is described."""
    now = moment(arguments.at, "--at") if arguments.at else datetime.now(UTC)
    count, needed = (
        whole(arguments.count, "--count", most=_MOST),
        number_of_seconds(arguments.min_remaining, "--min-remaining"),
    )
    found = list(_asked_for(arguments))
    states = [(name, each, state_of(each, now, count=count, needed=needed)) for name, each in found]
    if output.as_json:
        output.json([_as_json(name, each, now, state) for name, each, state in states])
    for place, (name, each, state) in enumerate([] if output.as_json else states):
        if place:
            output.line()
        show(name, each, now, state, output)
    return GOOD if all(state.is_good for *_, state in states) else NO


def state_of(window: MaintenanceWindow, now: datetime, *, count: int, needed: float) -> State:
    """
    Return how a window is at a moment.

    :param count: openings to look for.
    :param needed: seconds that must be left of it.
    """
    current, left = window.current(now), window.remaining(now)
    openings: list[Opening] = []
    following = window.next(now)
    while following is not None and len(openings) < count:
        openings.append(following)
        following = window.next(following.start)
    why = ""
    if current is None:
        frozen = _frozen_days(window, now)
        why = f"{frozen} is frozen" if frozen else "no opening lasts at this moment"
    elif left.total_seconds() < needed:
        why = f"only {span(left.total_seconds())} of it are left, and {span(needed)} are needed"
    return State(current, left, why, tuple(openings))


def show(name: str, window: MaintenanceWindow, now: datetime, state: State, output: Output) -> None:
    """Write how a window is, for people."""
    output.text(f"{name}: {window}" if name else str(window))
    clock = window.local(now).format(_CLOCK)
    if state.current is not None:
        ends = window.local(state.current.end).format(_CLOCK)
        output.line(f"open    now, {clock}; it closes in {span(state.left.total_seconds())}, {ends}", GREEN)
    else:
        output.line(f"closed  now, {clock}: {state.why}", RED)
    if state.current is not None and state.why:
        output.line(f"        {state.why}", RED)
    if not state.openings:
        output.line("It never opens again.", RED)
        return
    rows = [(*_clocks(window, each), *_spans(window, each, now)) for each in state.openings]
    output.table(("OPENS NEXT", "CLOSES", "LASTS", "IN"), rows)


def _clocks(window: MaintenanceWindow, opening: Opening) -> list[str]:
    return [window.local(moment).format(_CLOCK) for moment in (opening.start, opening.end)]


def _spans(window: MaintenanceWindow, opening: Opening, now: datetime) -> tuple[str, str]:
    lasts = (opening.end - opening.start).total_seconds()
    cut = "" if lasts >= window.duration.total_seconds() else ", cut short"
    return f"{span(lasts)}{cut}", span(opening.start.timestamp() - now.timestamp())


def _asked_for(arguments: Namespace) -> Iterator[tuple[str, MaintenanceWindow]]:
    given = [f"--{name}" for name in _OWN if getattr(arguments, name) is not None]
    if arguments.dag_id is not None and given:
        raise CommandError(f"{given[0]}: does not go with a DAG's id. Give the one or the other.", USAGE)
    if arguments.dag_id is None:
        if missing := [f"--{name}" for name in _OWN[:3] if getattr(arguments, name) is None]:
            hint = "" if given else "Give the id of a DAG, or describe a window: "
            raise CommandError(f"{hint}{', '.join(missing)} is missing.", USAGE)
        lasts = duration(arguments.duration, "--duration")
        yield "", MaintenanceWindow(arguments.cron, lasts, arguments.timezone, arguments.freeze or ())
        return
    found = windows_of(arguments.dag_id)
    if not found:
        problem = f"DAG {arguments.dag_id!r} has no maintenance window that Airflow's database knows of."
        raise CommandError(
            f"{problem}\nIs it the DAG's id, and has its file been read? The command plan reads the file itself.",
            AIRFLOW,
        )
    yield from found


def _frozen_days(window: MaintenanceWindow, now: datetime) -> str:
    day = window.local(now).date()
    for first, last in window.freeze:
        if first <= day <= last:
            return str(first) if first == last else f"{first} to {last}"
    return ""


def _as_json(name: str, window: MaintenanceWindow, now: datetime, state: State) -> dict[str, Any]:
    return {
        "name": name,
        "window": window.to_json(),
        "at": now.astimezone(UTC).isoformat(),
        "open": state.current is not None,
        "remaining_seconds": state.left.total_seconds(),
        "why_not": state.why or None,
        "next": [{"start": each.start.isoformat(), "end": each.end.isoformat()} for each in state.openings],
    }
