"""An emulated DataWorks endpoint for tests and rehearsals; it calls no real service, and nothing else imports it."""

from __future__ import annotations

from .harness import Emulator
from .jobs import Job
from .journal import CallRecord
from .rules import parse_rule

__all__ = ["CallRecord", "Emulator", "Job", "parse_rule"]
