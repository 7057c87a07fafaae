"""The fixtures of :mod:`emulated` for the tests of this folder."""

from __future__ import annotations

from airflow_variables import variables
from emulated import clock, connect, emulator, hook, logged

__all__ = ["clock", "connect", "emulator", "hook", "logged", "variables"]
