"""What a trigger tells its task, as one mapping written here and read here; an event that is not understood fails.

An event crosses the database and may be read by another version of this package, so it holds JSON values only.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from airflow_provider_dataworks import exceptions
from airflow_provider_dataworks.client.replies import DIJob, JobStatus
from airflow_provider_dataworks.client.troubles import TROUBLES
from airflow_provider_dataworks.exceptions import DataWorksError

_JOB_FIELDS = ("id", "project_id", "name", "error_message", "job_type")
_NEVER_NONE = ("id", "job status", "message", "sent")
_NUMBERS = ("id", "project_id", "di_job_id", "status", "retry_after", "clock_skew")


def event_for(outcome: DIJob | DataWorksError) -> dict[str, Any]:
    """Return the event for how a wait ended."""
    if isinstance(outcome, DIJob):
        job = {name: getattr(outcome, name) for name in _JOB_FIELDS}
        return {"outcome": "settled", "job": {**job, "status": str(outcome.status)}}
    return {"outcome": "failed", "error": {**vars(outcome), "class": type(outcome).__name__}}


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
            status = JobStatus.read(_typed("job status", job["status"]))
            return DIJob(status=status, **{name: _typed(name, job[name]) for name in _JOB_FIELDS})
        error = _error(found["error"]) if found.get("outcome") == "failed" else None
    except (KeyError, TypeError, AttributeError):
        error = None
    raise error or not_understood(event)


def not_understood(event: object) -> DataWorksError:
    """Error for an event of which it is not known what it means for the task; permanent."""
    return DataWorksError(
        f"the trigger sent an event that is not understood: {str(event)[:200]!r}.",
        **TROUBLES["mixed-versions"].advice,
    )


def _error(facts: Mapping[str, Any]) -> DataWorksError:
    kind = getattr(exceptions, str(facts["class"]), None)
    if not (isinstance(kind, type) and issubclass(kind, DataWorksError)):
        kind = DataWorksError
    error = kind(_typed("message", facts["message"]))
    known = vars(error)
    known.update({name: _typed(name, value) for name, value in facts.items() if name in known})
    return error


def _typed(name: str, value: Any) -> Any:
    """Return a fact that is of the type it must have; else the message of an error could not even be written."""
    kind = bool if name == "sent" else int | float if name in _NUMBERS else str
    if not isinstance(value, kind) and (value is not None or name in _NEVER_NONE):
        raise TypeError(name)
    return value
