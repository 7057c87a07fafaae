"""What a line of Airflow cannot do, each by its name: tests that need it are skipped with it, and the pages list it."""

from __future__ import annotations

from dataclasses import dataclass
from importlib.metadata import version
from importlib.util import find_spec

import pytest

AIRFLOW = version("apache-airflow")


@dataclass(frozen=True)
class Limit:
    """
    Something that the lines from ``first`` to ``last`` lack; the text stands on the page of versions as it is.

    :param first: oldest line that lacks it, such as (3, 0).
    :param last: newest line that lacks it.
    """

    first: tuple[int, int]
    last: tuple[int, int]
    text: str

    @property
    def lines(self) -> str:
        """The lines as people write them."""
        first, last = (".".join(map(str, line)) for line in (self.first, self.last))
        return first if first == last else f"{first} to {last}"


LIMITS = {
    "drop-downs": Limit(
        (2, 11), (2, 11), "the connection form has text fields for choices, with the choices named beside them"
    ),
    "form": Limit((3, 0), (3, 0), "the connection form needs `apache-airflow-providers-fab` to be installed"),
    "killed-tasks": Limit(
        (3, 0), (3, 0), "a task whose process is killed fails without a retry: clear it, it finds the job as it is"
    ),
    "odd-extra": Limit(
        (3, 0),
        (3, 1),
        "a connection from the environment whose `extra` is no JSON object is reported as not defined, not as wrong",
    ),
    "approval": Limit((2, 11), (3, 0), "`approval=` of `DIJobMaintenance` and `overrun_alert` are refused"),
    "page": Limit((2, 11), (3, 0), "there is no page of this package in Airflow"),
    "link-of-a-failed-task": Limit(
        (3, 0), (3, 2), "the log of a task that fails before it knows its job warns of a missing XCom `_link_...`"
    ),
    "memory": Limit(
        (2, 11),
        (3, 2),
        "nothing is kept between tries, see [what that means](../explanation/stop.md#what-is-remembered)",
    ),
    "commands": Limit(
        (2, 11), (3, 1), "there is no `airflow dataworks`: use `python -m airflow_provider_dataworks`, it is the same"
    ),
    "retry-policy": Limit((2, 11), (3, 2), "a throttled task is retried after `retry_delay`, not when DataWorks asked"),
    "reschedule": Limit((3, 3), (3, 3), "waiting as long as DataWorks asked uses up a retry"),
}


# No limit of Airflow's: a reason to skip in the matrix what compares with the SDKs.
needs_vendor_sdk = pytest.mark.skipif(
    find_spec("alibabacloud_tea_openapi") is None,
    reason=f"the vendor's SDKs want newer packages than Airflow {AIRFLOW}'s constraints allow; .venv has them",
)
# Modules that cannot be imported on lines with a limit.
MODULES = {
    "airflow_provider_dataworks.operators.approval": "approval",
    "airflow_provider_dataworks.page.access": "page",
    "airflow_provider_dataworks.page.app": "page",
}


def lacks(name: str, airflow: str = AIRFLOW) -> bool:
    """
    Say whether an Airflow has this limit.

    :param airflow: its version; that of this environment by default.
    """
    major, minor = airflow.split(".")[:2]
    return LIMITS[name].first <= (int(major), int(minor)) <= LIMITS[name].last


def needs(name: str) -> pytest.MarkDecorator:
    """Skip a test, or part of one, on an Airflow that has this limit; the reason names both."""
    return pytest.mark.skipif(lacks(name), reason=f"Airflow {AIRFLOW}, {name}: {LIMITS[name].text}")
