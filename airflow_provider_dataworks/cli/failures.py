"""Says at the end of a command what nobody expected; it needs no Airflow, which may be what failed."""

from __future__ import annotations

import sys
import traceback

from airflow_provider_dataworks.cli.commands import AIRFLOW, INTERRUPTED

_WHAT_TO_DO = "What to do: see whether `airflow info` works here; with --verbose this command shows where it failed."


def unexpected(error: Exception, *, verbose: bool) -> int:
    """
    Write what failed to stderr, and return the exit code.

    Its text is shown to whoever asks for it only: a database's errors name hosts, users and passwords.
    """
    if verbose:
        traceback.print_exception(error)
    name = f"{type(error).__module__}.{type(error).__qualname__}".removeprefix("builtins.")
    print(f"Airflow, or what it stands on, failed: {name}.\n{_WHAT_TO_DO}", file=sys.stderr)
    return AIRFLOW


def interrupted() -> int:
    """Write to stderr that somebody ended the command, and return the exit code."""
    print("Interrupted. What was sent to DataWorks until then is not undone.", file=sys.stderr)
    return INTERRUPTED
