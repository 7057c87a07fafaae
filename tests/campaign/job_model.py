"""One DI job as it really is, whoever changes it; it answers no request."""

from __future__ import annotations

from bisect import bisect_right
from typing import NamedTuple

from campaign.schedule import Deed, Schedule

RUNS = ("Running",)
STOPPABLE = ("Running", "Initialized")
STARTABLE = ("Stopped", "Finished", "Failed", "Initialized")
ODD = "Migrating"


class Change(NamedTuple):
    """One change of status: when, to which, and by whom (``us``, ``others``, ``itself``)."""

    at: float
    status: str
    by: str


class JobModel:
    """
    The job's life, by seconds since the schedule's begin.

    ``down_by`` says who stopped it, until it is started again: ``us``, ``others``, ``itself`` or nobody.
    """

    def __init__(self, schedule: Schedule) -> None:
        self._schedule = schedule
        self.history = [Change(-1e9, schedule.status, "itself")]
        self._coming: list[Change] = []
        self._deeds = sorted((deed for deed in schedule.deeds if deed.what in _DEEDS), key=lambda deed: deed.at)
        self.down_by: str | None = None
        self.starting = False
        self.done: list[Deed] = []

    @property
    def status(self) -> str:
        """Its status now."""
        return self.history[-1].status

    def status_at(self, moment: float) -> str:
        """Its status at a moment that is over."""
        return self.history[max(0, bisect_right(self.history, (moment, "\U0010ffff", "")) - 1)].status

    def live(self, now: float) -> None:
        """Let happen what was to happen until now, in order."""
        while True:
            moments = [each.at for each in self._coming[:1]] + [deed.at for deed in self._deeds[:1]]
            if not moments or min(moments) > now:
                return
            if self._coming and self._coming[0].at == min(moments):
                self._come_to(self._coming.pop(0))
            else:
                self._do(self._deeds.pop(0))

    def _come_to(self, change: Change) -> None:
        self.history.append(change)
        if change.status == "Running":
            self.down_by = None
        elif change.status in ("Failed", "Finished") and self.down_by is None:
            self.down_by = "itself"
        if change.status != "Initialized":
            self.starting = False

    def _do(self, deed: Deed) -> None:
        self.done.append(deed)
        if deed.what == "stop" and self.status in STOPPABLE:
            self._stop(deed.at, "others")
        elif deed.what == "start" and self.status in STARTABLE and not self.starting:
            self._start(deed.at, "others")
        elif deed.what in ("fail", "finish"):
            self._coming.clear()
            self._come_to(Change(deed.at, "Failed" if deed.what == "fail" else "Finished", "itself"))
        elif deed.what == "odd" and self.status == "Running":
            self._come_to(Change(deed.at, ODD, "others"))
            self._coming = [Change(deed.at + deed.seconds, "Running", "others")]

    def stop(self, now: float) -> bool:
        """Stop it, if that has any effect."""
        if self.status not in STOPPABLE or (self.status == "Initialized" and not self.starting):
            return False
        self._stop(now, "us")
        return True

    def start(self, now: float) -> bool:
        """Start it, if that has any effect."""
        if self.status not in STARTABLE or self.starting:
            return False
        self._start(now, "us")
        return True

    def _stop(self, at: float, by: str) -> None:
        schedule = self._schedule
        self.down_by, self.starting = by, False
        self.history.append(Change(at, "Stopping", by))
        self._coming = [Change(at + schedule.stop_seconds, schedule.stop_ends_in, by)]
        if schedule.stop_ends_in == "never":
            self._coming = []

    def _start(self, at: float, by: str) -> None:
        schedule = self._schedule
        self.starting, self.down_by = True, None
        self.history.append(Change(at, "Initialized", by))
        self._coming = [Change(at + schedule.start_seconds, schedule.start_ends_in, by)]


_DEEDS = ("stop", "start", "fail", "finish", "odd")
