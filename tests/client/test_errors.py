"""Errors say all they know in one text, and survive a trip to another process."""

from __future__ import annotations

import copy
import pickle

import pytest

from airflow_provider_dataworks.exceptions import (
    DataWorksAuthError,
    DataWorksError,
    DataWorksForbidden,
    DataWorksInvalidRequest,
    DataWorksNotFound,
    DataWorksQuotaExceeded,
    DataWorksThrottled,
    DataWorksUnavailable,
    DIJobFailed,
    DIJobWaitTimeout,
)

FACTS = {
    "code": "Some.Code",
    "status": 418,
    "request_id": "R-1",
    "action": "StopDIJob",
    "di_job_id": 11668,
    "retry_after": 2.5,
    "remedy": "Do this.",
    "see": "some-trouble",
    "conn_id": "dataworks_prod",
    "endpoint": "dataworks.example.com",
}
ERRORS = [
    DataWorksError("m.", **FACTS),
    DataWorksThrottled("m.", **FACTS),
    DataWorksUnavailable("m.", sent=False, **FACTS),
    DataWorksAuthError("m.", clock_skew=-3.5, **FACTS),
    DataWorksForbidden("m.", **FACTS),
    DataWorksNotFound("m.", **FACTS),
    DataWorksInvalidRequest("m.", **FACTS),
    DataWorksQuotaExceeded("m.", **FACTS),
    DIJobFailed("m.", **FACTS),
    DIJobWaitTimeout("m.", last_status="Stopping", **FACTS),
]


@pytest.mark.parametrize("error", ERRORS, ids=lambda error: type(error).__name__)
def test_errors_survive_pickling_with_all_their_facts(error: DataWorksError):
    """What another process is told is what was known."""
    for restored in (pickle.loads(pickle.dumps(error)), copy.copy(error)):  # noqa: S301 - made one line above
        assert type(restored) is type(error)
        assert vars(restored) == vars(error)
        assert (str(restored), repr(restored)) == (str(error), repr(error))


@pytest.mark.parametrize("error", ERRORS, ids=lambda error: type(error).__name__)
def test_the_text_holds_every_fact(error: DataWorksError):
    """First what happened; then what to do, and where README tells more; connection and ids last."""
    assert str(error) == (
        "StopDIJob of DI job 11668 failed (Some.Code, HTTP 418): m.\n"
        "What to do: Do this.\n"
        "See README.md#some-trouble\n"
        "Asked with connection dataworks_prod at dataworks.example.com, request id R-1"
    )
    assert error.summary == "StopDIJob of DI job 11668 failed (Some.Code, HTTP 418, request id R-1): m."
    assert type(error).__name__ in repr(error)


@pytest.mark.parametrize(
    ("error", "text"),
    [
        (DataWorksError("m."), "m."),
        (DataWorksError("m.", action="GetDIJob"), "GetDIJob failed: m."),
        (DataWorksError("m.", di_job_id=5), "DI job 5: m."),
        (DataWorksError("m.", status=500), "(HTTP 500): m."),
        (DataWorksError(code="A.B"), "(A.B)"),
        (DataWorksError(), ""),
    ],
)
def test_missing_facts_leave_no_holes(error: DataWorksError, text: str):
    """The text holds what is known and nothing else."""
    assert str(error) == text


def test_bad_input_is_a_value_error_too():
    """Callers that know nothing of this package catch it as they always did."""
    assert issubclass(DataWorksInvalidRequest, ValueError)
