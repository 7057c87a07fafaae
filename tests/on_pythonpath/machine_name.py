"""The name of the machine that an Airflow process is told to be on, so that a test has several; it asks no network."""

from __future__ import annotations

import os


def machine_name() -> str:
    """Return what Airflow is to take for the name of its machine."""
    return os.environ.get("MACHINE", "localhost")
