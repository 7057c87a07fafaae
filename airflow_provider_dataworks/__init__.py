"""Airflow provider for Alibaba Cloud DataWorks; holds the version and nothing else, so that importing it is free."""

from __future__ import annotations

__all__ = ["__version__"]

__version__ = "0.1.0"
