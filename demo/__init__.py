"""Runs the example DAG on a real Airflow against the emulator; no part of the package."""
