"""A schedule: one maintenance of one DI job and everything that goes wrong meanwhile, as plain data."""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from typing import Any

JOB = 11668
PROJECT = 1967


@dataclass(frozen=True)
class Fault:
    """
    What calls run into.

    :param kind: see :mod:`.faults`.
    :param action: operation it is about, ``*`` for all.
    :param skip: how many calls pass before.
    :param times: how many calls it meets.
    :param effect: whether the operation is carried out all the same.
    :param variant: which of its kind; what it means is the kind's affair.
    :param seconds: a hint, or how long the answer takes.
    """

    kind: str
    action: str = "*"
    skip: int = 0
    times: int = 1
    effect: bool = False
    variant: int = 0
    seconds: float = 0.0


@dataclass(frozen=True)
class Outage:
    """
    A time in which every call meets a fault.

    :param begins: seconds after the schedule's begin.
    :param lasts: seconds.
    """

    fault: Fault
    begins: float
    lasts: float


@dataclass(frozen=True)
class Deed:
    """
    Something that others do, or that happens by itself.

    :param what: ``stop``, ``start``, ``fail``, ``finish``, ``odd`` (an undocumented status for a while), ``clock`` (our
        machine's clock is set), ``rotate`` (the key ends; ``seconds`` later the connection has a new one), ``gone``
        (Airflow cannot give out the connection for some seconds).
    :param at: seconds after the schedule's begin.
    """

    what: str
    at: float
    seconds: float = 0.0


@dataclass(frozen=True)
class Kill:
    """
    The end of a process by kill -9.

    :param task: whose process.
    :param nth: of its processes (tries, waits in the triggerer, resumptions), from 1.
    :param step: at which of its steps outside: 0 is before the first.
    """

    task: str
    nth: int
    step: int


@dataclass(frozen=True)
class Clear:
    """
    A person clears a task.

    :param task: which.
    :param after: at which moment: a task that has just ended, or ``waiting`` while ``task`` waits in the triggerer.
    :param downstream: whether the tasks behind it are cleared too.
    """

    task: str
    after: str
    downstream: bool = True


@dataclass(frozen=True)
class Schedule:
    """
    One run. Times are in seconds.

    :param airflow: ``2.11`` (no task state store, no retry policy), ``3.3``, or ``3.4`` (clearing discards the store).
    :param wait: ``wait_for_completion``.
    :param check: whether the sensor stands between stop and work.
    :param restart: whether the restart stands behind the work.
    :param status: of the job at the beginning.
    :param lag: by how much what the service tells of a job lags behind.
    :param refuses: whether the service refuses a stop of a stopped job, and such, or accepts it without effect.
    :param window: time until the maintenance window closes, at the beginning; ``None`` for no window.
    :param triggerer_restarts: times after a wait's begin at which the triggerer restarts.
    :param seed: of the package's own randomness.
    """

    airflow: str = "3.3"
    deferrable: bool = False
    wait: bool = True
    check: bool = True
    restart: bool = True
    work: float = 600.0
    status: str = "Running"
    stop_seconds: float = 40.0
    stop_ends_in: str = "Stopped"
    start_seconds: float = 20.0
    start_ends_in: str = "Running"
    lag: float = 0.0
    refuses: bool = False
    api_version: str = "2020-05-18"
    signature: str = "ACS3-HMAC-SHA256"
    security_token: bool = False
    max_qps: float = 1000.0
    poll_interval: float = 30.0
    timeout: float = 3600.0
    restart_timeout: float = 3600.0
    retries: int = 3
    restart_retries: int = 3
    window: float | None = None
    min_remaining: float = 0.0
    outside_window: str = "fail"
    spoiled_note: int | None = None
    faults: tuple[Fault, ...] = ()
    outages: tuple[Outage, ...] = ()
    deeds: tuple[Deed, ...] = ()
    kills: tuple[Kill, ...] = ()
    clears: tuple[Clear, ...] = ()
    triggerer_restarts: tuple[float, ...] = ()
    seed: int = 0

    def __repr__(self) -> str:
        """Code that makes this schedule: only what is not usual."""
        return _shown(self)


LISTS = ("faults", "outages", "deeds", "kills", "clears", "triggerer_restarts")


def _shown(value: Any) -> str:
    if isinstance(value, tuple):
        inner = ", ".join(map(_shown, value))
        return f"({inner},)" if len(value) == 1 else f"({inner})"
    if not hasattr(value, "__dataclass_fields__"):
        return repr(value)
    given = []
    for place in fields(value):
        found = getattr(value, place.name)
        if found != place.default:
            given.append(f"{place.name}={_shown(found)}")
    return f"{type(value).__name__}({', '.join(given)})"


for _part in (Fault, Outage, Deed, Kill, Clear):
    _part.__repr__ = _shown  # type: ignore[method-assign,assignment]

__all__ = ["JOB", "LISTS", "PROJECT", "Clear", "Deed", "Fault", "Kill", "Outage", "Schedule", "replace"]
