"""Runs the example DAGs on a real Airflow against the emulator; no part of the package."""
