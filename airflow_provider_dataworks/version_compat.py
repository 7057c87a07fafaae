"""Which Airflow this is; the one place that compares versions."""

from __future__ import annotations

from airflow import __version__ as airflow_version
from packaging.version import Version

_RELEASE = Version(airflow_version).release

AIRFLOW_V_3_3_PLUS: bool = _RELEASE >= (3, 3)
