"""One process of Airflow's that runs the package's code, and its death at a step of its own; it runs nothing."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from campaign.clock import CLOCK


class Killed(BaseException):
    """The process is dead: whatever it still wants to do outside happens no more."""


@dataclass(eq=False)
class Process:
    """
    A worker's process or a wait in the triggerer.

    A step is anything that others can see: a call's arrival, the way back of its answer, a note, an XCom, a sleep.

    :param kind: ``execute``, ``resume`` or ``trigger``.
    :param nth: of the task's processes.
    :param since_clear: how often the task was cleared before.
    :param dies_at: at which step it is killed.
    :param heard: the operations it asked for.
    """

    task: str
    kind: str
    try_number: int
    nth: int
    since_clear: int
    dies_at: int | None = None
    began: float = 0.0
    began_epoch: float = 0.0
    ended: float | None = None
    steps: int = 0
    dead: bool = False
    ended_for: str | None = None
    sleeps: list[float] = field(default_factory=list)
    heard: list[str] = field(default_factory=list)
    outcome: str = ""
    error: BaseException | None = None
    value: Any = None

    def step(self) -> None:
        """Take a step, unless the process dies before it."""
        if self.dead or self.reached_its_end():
            raise Killed

    def reached_its_end(self) -> bool:
        """Count a step; say whether the process is dead now."""
        self.dead = self.dead or self.steps == self.dies_at
        self.steps += 1
        return self.dead

    def alive(self) -> None:
        """Let only the living go on."""
        if self.dead:
            raise Killed

    def sleep(self, seconds: float) -> None:
        """Note a sleep."""
        self.step()
        self.sleeps.append(seconds)

    def end_for(self, reason: str) -> None:
        """End it because it goes on without end."""
        self.dead, self.ended_for = True, reason

    def begin(self) -> None:
        """Note when it begins."""
        self.began, self.began_epoch = CLOCK.elapsed, CLOCK.epoch
