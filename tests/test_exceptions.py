"""Errors that cross into Airflow: permanent ones fail a task at once, and every fact survives the crossing."""

from __future__ import annotations

import pickle

import emulated  # noqa: F401 - sets Airflow's home before Airflow is imported
import pytest

from airflow_provider_dataworks import exceptions
from airflow_provider_dataworks.failures import as_airflow_sees_it, crossing
from airflow_provider_dataworks.version_compat import AirflowFailException

FACTS = exceptions.Facts(
    code="X.Y", status=403, request_id="R-1", action="StopDIJob", di_job_id=7, retry_after=None, remedy="Do this."
)
PERMANENT = [
    exceptions.DataWorksError("m", **FACTS),
    exceptions.DataWorksAuthError("m", clock_skew=5.0, **FACTS),
    exceptions.DataWorksForbidden("m", **FACTS),
    exceptions.DataWorksNotFound("m", **FACTS),
    exceptions.DataWorksInvalidRequest("m", **FACTS),
    exceptions.DataWorksQuotaExceeded("m", **FACTS),
    exceptions.DIJobFailed("m", **FACTS),
    exceptions.DIJobWaitTimeout("m", last_status="Stopping", **FACTS),
]


@pytest.mark.parametrize("error", PERMANENT, ids=lambda error: type(error).__name__)
def test_permanent_errors_become_failures_with_the_same_facts(error: exceptions.DataWorksError) -> None:
    """Class, text and every attribute stay; only Airflow's reaction is added, and pickling keeps all of it."""
    seen = as_airflow_sees_it(error)

    assert isinstance(seen, AirflowFailException)
    assert isinstance(seen, type(error))
    assert type(seen).__name__ == type(error).__name__
    for found in (seen, pickle.loads(pickle.dumps(seen))):  # noqa: S301 - our own object
        assert vars(found) == vars(error)
        assert str(found) == str(error)


@pytest.mark.parametrize(
    "error", [exceptions.DataWorksThrottled("m", retry_after=3), exceptions.DataWorksUnavailable("m", sent=False)]
)
def test_errors_worth_a_retry_stay_as_they_are(error: exceptions.DataWorksError) -> None:
    """Airflow must retry them."""
    with pytest.raises(type(error)) as caught, crossing():
        raise error

    assert caught.value is error
    assert not isinstance(caught.value, AirflowFailException)


def raised_deep_inside(depth: int, error: Exception) -> None:
    """Raise the error some frames down."""
    if depth:
        raised_deep_inside(depth - 1, error)
    raise error


@pytest.mark.parametrize("error", [exceptions.DataWorksForbidden("m"), exceptions.DataWorksThrottled("m")])
def test_the_way_through_the_client_stays_behind(
    error: exceptions.DataWorksError, caplog: pytest.LogCaptureFixture
) -> None:
    """The traceback of a red task has a few frames of ours; the others are logged at DEBUG."""
    caplog.set_level("DEBUG", "airflow_provider_dataworks.failures")
    with pytest.raises(type(error)) as caught, crossing(), crossing():
        raised_deep_inside(5, error)

    names = [frame.name for frame in caught.traceback]
    assert "raised_deep_inside" not in names
    assert len(names) <= 3
    assert caught.value.__cause__ is None
    assert "in raised_deep_inside" in caplog.text


def test_a_mistake_of_ours_keeps_its_traceback() -> None:
    """Whoever reports it needs the way it took."""
    with pytest.raises(TypeError) as caught, crossing():
        raised_deep_inside(5, TypeError("m"))

    assert [frame.name for frame in caught.traceback].count("raised_deep_inside") == 6


def test_every_error_class_is_settled() -> None:
    """A new class in the tree must be either retryable or have a failure."""
    classes = [
        found
        for found in vars(exceptions).values()
        if isinstance(found, type) and issubclass(found, exceptions.DataWorksError)
    ]

    for found in classes:
        assert found.retryable or isinstance(as_airflow_sees_it(found("m")), AirflowFailException), found
