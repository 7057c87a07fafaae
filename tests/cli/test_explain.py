"""``explain``: every error leads to its row, with no connection and no database."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from command_line import Say

from airflow_provider_dataworks.client.errors.catalog import CATALOG
from airflow_provider_dataworks.exceptions import EXPLAIN, DataWorksError


def test_every_error_ends_with_a_command_that_explains_it(say: Say) -> None:
    """As it stands in the error's text, word by word."""
    misses = []
    for anchor, info in CATALOG.items():
        command = str(info.error("x", **info.kwargs)).splitlines()[-1].removeprefix("For more: ")
        said = say(*command.removeprefix("python -m airflow_provider_dataworks ").split())
        if not command.startswith(EXPLAIN) or said.code or info.title not in said.out or info.remedy not in said.out:
            misses.append((anchor, command, said))

    assert misses == []


def test_what_leads_to_a_row(say: Say) -> None:
    """Its name however it is written, a class, a code that DataWorks answers, an HTTP status."""
    rows = [
        ("throttled", "throttled"),
        ("README.md#throttled", "throttled"),
        (" #Throttled ", "throttled"),
        ("Throttling.User", "throttled"),
        ("Throttling.Api.Risk", "daily-quota"),
        ("9990020002", "throttled"),
        ("InvalidAccessKeyId.NotFound", "access-key"),
        ("Forbidden.Access", "edition-too-low"),
        ("HTTP 429", "throttled"),
        ("404", "no-such-job"),
        ("503", "service-down"),
        ("OutsideMaintenanceWindow", "outside-window"),
        ("airflow_provider_dataworks.exceptions.DataWorksThrottled", "throttled"),
    ]
    misses = [(asked, name) for asked, name in rows if f"Name: {name}\n" not in say("explain", asked).out]

    assert misses == []


def test_what_leads_to_none(say: Say) -> None:
    """A no, with what is close to it."""
    said = say("explain", "throtled")

    assert (said.code, said.out) == (1, "")
    assert "Close to it: throttled" in said.err
    assert say("explain", "200").code == 1
    assert say("explain", "Nonsense").code == 1
    assert say("explain", " ").code == 2
    assert say("explain", "Nonsense", "-o", "json").json == []


def test_all_names(say: Say) -> None:
    """Without an argument."""
    assert [line.split()[0] for line in say("explain").out.splitlines()[1:]] == list(CATALOG)
    assert [row["name"] for row in say("explain", "-o", "json").json] == list(CATALOG)


def test_it_needs_no_database(tmp_path: Path) -> None:
    """At night that may be what is broken; and Airflow's own lines stay away from stdout."""
    environ = {
        **os.environ,
        "AIRFLOW_HOME": str(tmp_path),
        "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": f"sqlite:///{tmp_path}/none/airflow.db",
    }
    command = [sys.executable, *EXPLAIN.split()[1:], "throttled"]
    done = subprocess.run(command, env=environ, capture_output=True, text=True, timeout=120, check=False)

    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("Too many calls\n")
    assert not list(tmp_path.glob("*.db"))


def test_the_names_of_errors_are_names() -> None:
    """They are typed in a shell: small letters, digits and hyphens."""
    assert [name for name in CATALOG if not name.replace("-", "").isalnum() or name != name.lower()] == []
    assert issubclass(CATALOG["throttled"].error, DataWorksError)
