"""Errors say all they know in one text, and survive a trip to another process."""

from __future__ import annotations

import copy
import pickle
from typing import Any

from airflow_provider_dataworks import exceptions
from airflow_provider_dataworks.exceptions import DataWorksError, DataWorksInvalidRequest

FACTS: dict[str, Any] = {
    "code": "Some.Code",
    "status": 418,
    "request_id": "R-1",
    "action": "StopDIJob",
    "di_job_id": 11668,
    "retry_after": 2.5,
    "remedy": "Do this.",
    "see": "some-anchor",
    "conn_id": "dataworks_prod",
    "endpoint": "dataworks.example.com",
}
OWN_FACTS: dict[str, dict[str, Any]] = {
    "DataWorksUnavailable": {"sent": False},
    "DataWorksAuthError": {"clock_skew": -3.5},
    "DIJobWaitTimeout": {"last_status": "Stopping", "last_look_failed": True},
}
CLASSES = [
    found
    for found in vars(exceptions).values()
    if isinstance(found, type) and issubclass(found, exceptions.DataWorksError)
]
ERRORS = [found("m.", **OWN_FACTS.get(found.__name__, {}), **FACTS) for found in CLASSES]


def test_errors_survive_pickling_and_copying_with_all_their_facts() -> None:
    """What another process is told is what was known."""
    assert len(ERRORS) >= 12
    misses = []
    for error in ERRORS:
        error.lead = "The job is down."
        for restored in (pickle.loads(pickle.dumps(error)), copy.copy(error)):  # noqa: S301 - made one line above
            same = type(restored) is type(error) and vars(restored) == vars(error)
            if not same or (str(restored), repr(restored)) != (str(error), repr(error)):
                misses.append(repr(restored))
        given = {**FACTS, **OWN_FACTS.get(type(error).__name__, {})}
        misses += [f"{error!r}: {name}" for name, value in given.items() if getattr(error, name) != value]

    assert misses == []


def test_the_text_holds_every_fact() -> None:
    """First what happened; then what to do, and where more is told; connection and ids last."""
    text = (
        "StopDIJob of DI job 11668 failed (Some.Code, HTTP 418): m. It was Running when last looked at.\n"
        "What to do: Do this.\n"
        "See README.md#some-anchor\n"
        "Asked with connection dataworks_prod at dataworks.example.com, request id R-1"
    )
    summary = (
        "StopDIJob of DI job 11668 failed (Some.Code, HTTP 418, request id R-1): m. It was Running when last looked at."
    )
    misses = []
    for found in CLASSES:
        error = found("m.", job_status="Running", **FACTS)
        if (str(error), error.summary, repr(error)) != (text, summary, f"{found.__name__}({text!r})"):
            misses.append(error)
        error.lead = "The job is down."
        if str(error) != f"The job is down.\n{text}":
            misses.append(error)

    assert misses == []


def test_missing_facts_leave_no_holes() -> None:
    """The text holds what is known and nothing else."""
    rows = (
        (DataWorksError("m."), "m."),
        (DataWorksError("m.", action="GetDIJob"), "GetDIJob failed: m."),
        (DataWorksError("m.", di_job_id=5), "DI job 5: m."),
        (DataWorksError("m.", status=500), "(HTTP 500): m."),
        (DataWorksError(code="A.B"), "(A.B)"),
        (DataWorksError("m.", conn_id="c"), "m.\nAsked with connection c"),
        (DataWorksError("m.", conn_id="c", endpoint="host"), "m.\nAsked with connection c at host"),
        (DataWorksError("m.", request_id="R"), "m.\nAsked with request id R"),
        (DataWorksError(), ""),
    )

    assert [(str(error), text) for error, text in rows if str(error) != text] == []


def test_a_long_message_stands_on_a_line_of_its_own() -> None:
    """Log views do not wrap; the codes and the state come before it."""
    long = "w" * 120
    error = DataWorksError(long, action="GetDIJob", di_job_id=5, code="A.B", job_status="Running")

    assert str(error) == f"GetDIJob of DI job 5 failed (A.B). It was Running when last looked at.\n{long}"
    assert str(DataWorksError(long, action="ListDIJobs")) == f"ListDIJobs failed: {long}"
    assert str(DataWorksError(2 * long, action="ListDIJobs")) == f"ListDIJobs failed.\n{2 * long}"
    assert str(DataWorksError(2 * long, di_job_id=5)) == f"DI job 5: {2 * long}"


def test_a_remedy_names_the_operation() -> None:
    """Where the catalogue leaves a place for it."""
    assert DataWorksError("m", action="StopDIJob", remedy="Grant <operation>.").remedy == "Grant StopDIJob."
    assert DataWorksError("m", remedy="Grant <operation>.").remedy == "Grant <operation>."


def test_bad_input_is_a_value_error_too() -> None:
    """Callers that know nothing of this package catch it as they always did."""
    assert issubclass(DataWorksInvalidRequest, ValueError)
