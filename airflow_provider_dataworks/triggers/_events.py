"""What a trigger tells its task, as one mapping written here and read here; an event that is not understood fails.

An event crosses the database and may be read by another version of this package, so it holds JSON values only, each
text of which can be encoded and is bounded: Airflow's triggerer ends, again after each restart, where one cannot be.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from airflow_provider_dataworks import exceptions
from airflow_provider_dataworks.client.errors.catalog import CATALOG
from airflow_provider_dataworks.client.models import DIJob, JobStatus, Proof
from airflow_provider_dataworks.exceptions import DataWorksError, DataWorksPermanentError
from airflow_provider_dataworks.values import finite_number, json_value, plain_text, shown, whole_number

_LONGEST_TEXT = 4_000  # characters
_LONGEST_STATUS = 60  # characters
_LARGEST_REPORT = 20_000  # characters as JSON
_JOB_FIELDS = ("id", "project_id", "name", "error_message", "job_type")
_FACTS = (
    *("message", "code", "status", "request_id", "action", "di_job_id", "retry_after", "remedy", "see"),
    *("sent", "clock_skew", "last_status", "last_look_failed", "conn_id", "endpoint", "job_status"),
)
_FLAGS = ("sent", "last_look_failed")
_NEVER_NONE = ("id", "job status", "message", *_FLAGS)
_IDS = ("id", "project_id", "di_job_id")
# The range of each fact that is a number.
_RANGES: dict[str, tuple[float, float]] = {
    "status": (100, 999),
    "retry_after": (0, 1e9),  # seconds
    "clock_skew": (-1e6, 1e6),  # seconds
}


def event_for(outcome: DIJob | DataWorksError, report: object = None, proof: Proof | None = None) -> dict[str, Any]:
    """
    Return the event for how a wait ended.

    :param report: what the task gave its trigger to pass on.
    :param proof: what the job has shown besides.
    """
    if isinstance(outcome, DIJob):
        job = {name: getattr(outcome, name) for name in _JOB_FIELDS}
        told: dict[str, Any] = {"outcome": "settled", "job": {**job, "status": str(outcome.status)}}
    else:
        facts = {name: value for name, value in vars(outcome).items() if name in _FACTS}
        told = {"outcome": "failed", "error": {**facts, "class": type(outcome).__name__}}
    if proof is not None:
        told["proof"] = proof.as_dict()
    return {**json_value(told, _LONGEST_TEXT), "report": _report(report)}


def proof_of(event: object) -> Proof | None:
    """Return what the job has shown, from its event; ``None`` where nothing can be read there."""
    return Proof.read(event.get("proof")) if isinstance(event, Mapping) else None


def report_of(event: object) -> dict[str, Any]:
    """Return what the task gave its trigger to pass on, or an empty mapping where there is no such thing."""
    return _report(event.get("report")) if isinstance(event, Mapping) else {}


def _report(given: object) -> dict[str, Any]:
    try:
        found = json_value(given, _LONGEST_TEXT) if isinstance(given, Mapping) else {}
    except ValueError:  # nested too deeply
        return {}
    return found if len(json.dumps(found)) <= _LARGEST_REPORT else {}


def outcome_of(event: object) -> DIJob:
    """
    Return how a wait ended, from its event.

    :raises DataWorksError: the error the event tells of, with all its facts; or a permanent one if the event is not
        understood.
    """
    found = event if isinstance(event, Mapping) else {}
    try:
        if found.get("outcome") == "settled":
            job = found["job"]
            status = JobStatus.read(plain_text(_typed("job status", job["status"]), _LONGEST_STATUS))
            return DIJob(status=status, **{name: _typed(name, job[name]) for name in _JOB_FIELDS})
        error = _error(found["error"]) if found.get("outcome") == "failed" else None
    except (KeyError, TypeError, AttributeError):
        error = None
    raise error or not_understood(event)


def not_understood(event: object) -> DataWorksPermanentError:
    """Error for an event of which it is not known what it means for the task; permanent."""
    return DataWorksPermanentError(
        f"the trigger sent an event that is not understood: {shown(event, 200)}.",
        **CATALOG["mixed-versions"].kwargs,
    )


def _error(facts: Mapping[str, Any]) -> DataWorksError:
    kind = vars(exceptions).get(_typed("message", facts["class"]))
    if not (isinstance(kind, type) and issubclass(kind, DataWorksError) and kind is not DataWorksError):
        kind = DataWorksPermanentError
    error = kind(_typed("message", facts["message"]))
    known = vars(error)
    known.update({name: _typed(name, value) for name, value in facts.items() if name in known})
    return error


def _typed(name: str, value: Any) -> Any:
    """Return a fact that is of the type it must have; else the message of an error could not even be written."""
    if value is None and name not in _NEVER_NONE:
        return None
    found: Any = None
    if name in _FLAGS:
        found = value if isinstance(value, bool) else None
    elif name in _IDS:
        found = None if isinstance(value, str) else whole_number(value)
    elif name in _RANGES:
        found = finite_number(value, *_RANGES[name])
    elif isinstance(value, str):
        found = plain_text(value, _LONGEST_TEXT)
    if found is None:
        raise TypeError(name)
    return found
