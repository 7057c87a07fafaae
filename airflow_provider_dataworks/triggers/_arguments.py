"""Checks what a stored trigger is made of, as another version or a hand may have written it; it waits for nothing."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, fields
from typing import Any

from airflow_provider_dataworks.client.errors.catalog import CATALOG
from airflow_provider_dataworks.client.models import JobStatus, ProofRules, Verdict
from airflow_provider_dataworks.exceptions import DataWorksPermanentError
from airflow_provider_dataworks.values import finite_number, plain_text, shown, whole_number

_LONGEST_ID = 250  # characters, as Airflow's own for a connection
_MOST_STATUSES = 20
_LONGEST_STATUS = 60  # characters
_LATEST = 10**11  # epoch seconds; the year 5138
_LONGEST_PAUSE = 366 * 86_400  # seconds
_PROOF = tuple(each.name for each in fields(ProofRules))


@dataclass(frozen=True)
class Wait:
    """
    A wait as a trigger may begin it.

    :param deadline: epoch seconds.
    :param poll_interval: seconds between looks, to begin with.
    :param proof: what a job that runs has to show besides.
    """

    di_job_id: int
    project_id: int | None
    dataworks_conn_id: str
    verdict: Verdict
    deadline: float
    poll_interval: float
    proof: ProofRules = field(default_factory=ProofRules)

    @property
    def is_for_a_start(self) -> bool:
        """Whether the job is waited for to run; a wait for whatever it does next names no failure."""
        return JobStatus.RUNNING in self.verdict.accept and bool(self.verdict.fail_on)


def checked(given: Mapping[str, Any], unknown: Collection[str] = ()) -> Wait:
    """
    Return the wait that these arguments describe.

    :param given: all arguments of the trigger by their names; those that were not given are ``None``.
    :param unknown: names of further ones.
    :raises DataWorksPermanentError: naming the argument that is missing, not known or no such value; permanent.
    """
    for name in unknown:
        raise _refusal(plain_text(name, 80), "is not known to this version of the package", given)
    di_job_id = _number(given, "di_job_id")
    project_id = None if given["project_id"] is None else _number(given, "project_id")
    conn_id, report = given["dataworks_conn_id"], given["report"]
    if not isinstance(conn_id, str) or not conn_id or plain_text(conn_id, _LONGEST_ID) != conn_id:
        raise _refusal("dataworks_conn_id", f"{shown(conn_id)} is no connection id", given)
    if not isinstance(report, dict):
        raise _refusal("report", f"{shown(report)} is no mapping", given)
    deadline = finite_number(given["deadline"], -_LATEST, _LATEST)
    if deadline is None:
        raise _refusal("deadline", f"{shown(given['deadline'])} is no moment in epoch seconds", given)
    poll_interval = finite_number(given["poll_interval"], 0, _LONGEST_PAUSE)
    if not poll_interval:
        raise _refusal("poll_interval", f"{shown(given['poll_interval'])} is no number of seconds", given)
    verdict = Verdict(_statuses(given, "accept"), _statuses(given, "fail_on"))
    return Wait(di_job_id, project_id, conn_id, verdict, deadline, poll_interval, _proof(given))


def _proof(given: Mapping[str, Any]) -> ProofRules:
    found = given["proof"]
    if not isinstance(found, dict) or not set(found) <= set(_PROOF):
        raise _refusal("proof", f"{shown(found)} is no mapping of {', '.join(_PROOF)}", given)
    rules: dict[str, float | None] = {}
    for name, value in found.items():
        rules[name] = finite_number(value, 0, _LONGEST_PAUSE)
        if rules[name] is None and (value is not None or name not in ("max_lag", "since")):
            raise _refusal("proof", f"{name} {shown(value)} is no number of seconds", given)
    return ProofRules(**rules)  # type: ignore[arg-type]


def _number(given: Mapping[str, Any], name: str) -> int:
    found = whole_number(given[name])
    if found is None:
        problem = "is missing" if given[name] is None else f"{shown(given[name])} is not a positive whole number"
        raise _refusal(name, problem, given)
    return found


def _statuses(given: Mapping[str, Any], name: str) -> tuple[str, ...]:
    found = given[name]
    if not isinstance(found, list | tuple) or len(found) > _MOST_STATUSES:
        raise _refusal(name, f"{shown(found)} is no list of statuses", given)
    for status in found:
        if not isinstance(status, str) or plain_text(status, _LONGEST_STATUS) != status:
            raise _refusal(name, f"{shown(status)} is no status", given)
    return tuple(found)


def _refusal(name: str, problem: str, given: Mapping[str, Any]) -> DataWorksPermanentError:
    job_id = whole_number(given["di_job_id"])
    message = f"the trigger cannot wait: its argument {name} {problem}."
    return DataWorksPermanentError(message, di_job_id=job_id, **CATALOG["trigger-not-understood"].kwargs)
