"""The tree of errors, as Airflow sees it: permanent ones fail a task at once, the others are tried again."""

from __future__ import annotations

import emulated  # noqa: F401 - sets Airflow's home before Airflow is imported

from airflow_provider_dataworks import exceptions
from airflow_provider_dataworks.exceptions import DataWorksError, DataWorksPermanentError
from airflow_provider_dataworks.version_compat import AirflowFailException

CLASSES = [
    found for found in vars(exceptions).values() if isinstance(found, type) and issubclass(found, DataWorksError)
]
RETRYABLE = {exceptions.DataWorksThrottled, exceptions.DataWorksUnavailable}
PERMANENT = {
    exceptions.DataWorksAuthError,
    exceptions.DataWorksForbidden,
    exceptions.DataWorksNotFound,
    exceptions.DataWorksInvalidRequest,
    exceptions.DataWorksQuotaExceeded,
    exceptions.OutsideMaintenanceWindow,
    exceptions.DIJobFailed,
    exceptions.DIJobWaitTimeout,
}


def test_each_class_is_either_tried_again_or_an_airflow_failure() -> None:
    """A new class must be one of both; the base is neither, and nothing raises it."""
    assert set(CLASSES) == {DataWorksError, DataWorksPermanentError, *RETRYABLE, *PERMANENT}
    wrong = [
        found
        for found in CLASSES
        if found is not DataWorksError
        and (found.retryable, issubclass(found, AirflowFailException), issubclass(found, DataWorksPermanentError))
        != ((True, False, False) if found in RETRYABLE else (False, True, True))
    ]

    assert wrong == []
    assert not issubclass(DataWorksError, AirflowFailException)


def test_there_is_one_class_of_each_name() -> None:
    """So that whatever an author catches is what is raised, by the name that the log shows."""
    known = [DataWorksError]
    for found in known:
        known += found.__subclasses__()

    assert {found.__module__ for found in known if found.__module__.startswith("airflow_provider")} == {
        exceptions.__name__
    }
