"""An emulated DataWorks endpoint for tests and rehearsals; it calls no real service, and nothing else imports it."""

from __future__ import annotations

from .alarm_rules import AlarmRule
from .call_log import CallRecord
from .harness import Emulator
from .jobs import Job
from .rules import parse_rule

__all__ = ["AlarmRule", "CallRecord", "Emulator", "Job", "parse_rule"]
