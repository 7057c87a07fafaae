"""Writes the report of a maintenance as lines for a log; never asks for anything."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

_MANY_SECONDS = 99_999.5  # of lag, from which on days are shown, up to 999 of them
_ALARMS = {
    "changed": "silenced, and on again",
    "already": "on again",
    "edited": "edited by somebody meanwhile, left as it is",
    "gone": "deleted by somebody meanwhile",
}
# Outcomes of a job that somebody has to look at; in capitals in the table.
NOT_WELL = ("NOT RUNNING", "NOT PROVEN", "NOT KNOWN")
_HEAD = ("DI job", "stopped (UTC)", "running", "down", "lag (s)", "outcome")


def table(jobs: Sequence[Mapping[str, Any]]) -> list[str]:
    """Return the jobs of a report as a table in Markdown, at most 100 columns wide."""
    rows = [
        (
            str(job["di_job_id"]),
            (job["stopped_at"] or "-")[:19].replace("T", " "),
            (job["running_at"] or "-")[11:19] or "-",
            _hours(job["downtime"]),
            " to ".join(_lag(job[name]) for name in ("lag_before", "lag_after")),
            job["outcome"],
        )
        for job in jobs
    ]
    widths = [max(len(row[place]) for row in (_HEAD, *rows)) for place in range(len(_HEAD))]
    lines = [_HEAD, tuple("-" * width for width in widths), *rows]
    return [f"| {' | '.join(cell.ljust(width) for cell, width in zip(row, widths, strict=True))} |" for row in lines]


def _hours(downtime: float | None) -> str:
    if downtime is None:
        return "-"
    minutes, rest = divmod(round(downtime), 60)
    return f"{minutes // 60}:{minutes % 60:02}:{rest:02}"


def _lag(lag: float | None) -> str:
    if lag is None:
        return "?"
    return f"{lag:.0f}" if lag < _MANY_SECONDS else f"{min(lag / 86_400, 999):.0f} d"


def alarm_lines(jobs: Sequence[Mapping[str, Any]]) -> list[str]:
    """Return what became of the alarm rules that were switched off, a line for each outcome of a job."""
    lines = []
    for job in jobs:
        by_outcome: dict[str, list[str]] = {}
        for rule in job["alarms"]:
            text = "STILL OFF" if rule["off"] else _ALARMS.get(rule["outcome"], str(rule["outcome"]))
            by_outcome.setdefault(text, []).append(f"{rule['rule_id']} ({rule['metric']})")
        lines += [
            f"Alarms of DI job {job['di_job_id']}: {', '.join(rules)}: {text}" for text, rules in by_outcome.items()
        ]
    return lines
