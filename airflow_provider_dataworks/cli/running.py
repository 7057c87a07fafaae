"""Runs one command: its log lines, its errors and its exit code; what a command does stands in its own module."""

from __future__ import annotations

import argparse
import logging
import os
import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, redirect_stdout
from importlib import import_module
from typing import Any, NoReturn, TextIO

from airflow_provider_dataworks.cli.commands import AIRFLOW, BY_NAME, GOOD, GROUP, NO, NOT_REACHED, REFUSED, USAGE
from airflow_provider_dataworks.cli.failures import interrupted, unexpected
from airflow_provider_dataworks.cli.output import Output
from airflow_provider_dataworks.exceptions import (
    RETRIES_LEFT,
    DataWorksError,
    DataWorksInvalidRequest,
    DIJobFailed,
    DIJobWaitTimeout,
    OutsideMaintenanceWindow,
)

_NO_CONNECTION = (
    "Check its name: `airflow connections list` shows those in Airflow's database. Others come from the environment "
    "(AIRFLOW_CONN_...) or a secrets backend, which this shell may not have."
)
Runs = Callable[[argparse.Namespace, Output], int]


class CommandError(Exception):
    """
    What ends a command that found out by itself that it cannot go on.

    :param code: the exit code.
    """

    def __init__(self, message: str, code: int) -> None:
        super().__init__(message)
        self.code = code


def exit_code_of(error: DataWorksError) -> int:
    """Return the exit code that an error leads to."""
    if error.see == "connection-unreadable":
        return AIRFLOW
    if isinstance(error, DIJobFailed | DIJobWaitTimeout | OutsideMaintenanceWindow):
        return NO
    if isinstance(error, DataWorksInvalidRequest) and not error.action:
        return USAGE
    return NOT_REACHED if error.retryable else REFUSED


def text_of(error: DataWorksError) -> str:
    """Return an error as a person at a terminal needs it: no task is tried again here."""
    if error.see == "connection-unreadable":
        error.remedy = _NO_CONNECTION
    if error.remedy:
        error.remedy = error.remedy.replace(RETRIES_LEFT, "Run this command again in a while.")
    return str(error)


def show_errors(errors: Iterable[DataWorksError], output: Output) -> None:
    """Write errors of several jobs: one of a kind in full, of the others which jobs they are of."""
    kinds: dict[tuple[Any, ...], list[DataWorksError]] = {}
    for error in dict.fromkeys(errors):
        kinds.setdefault((type(error), error.see, error.code, error.action, error.conn_id), []).append(error)
    for first, *others in kinds.values():
        output.error(text_of(first))
        if others:
            named = ", ".join(str(error.di_job_id) for error in others if error.di_job_id)
            output.note(f"The same of DI jobs {named}." if named else f"The same {len(others)} more times.")


def worst(codes: list[int]) -> int:
    """Return one exit code for many: what was not reached or refused weighs more than a no."""
    return max(codes, default=GOOD)


def run(arguments: argparse.Namespace, program: str) -> int:
    """
    Run the command that was given.

    :param program: how the command line is called here.
    :param arguments: its name as ``subcommand``, and its own arguments.
    :return: its exit code.
    """
    module, _, name = BY_NAME[arguments.subcommand].runs.partition(":")
    as_json = getattr(arguments, "output", "table") == "json"
    # As Airflow's own commands do: else a connection in Airflow's database is not found by a hook outside a task.
    os.environ["_AIRFLOW_PROCESS_CONTEXT"] = "server"
    try:
        # What Airflow, or somebody's DAG file, prints as it is imported is no result.
        with _results(as_json) as out, redirect_stdout(sys.stderr), _log_lines(verbose=arguments.verbose):
            output = Output(program, as_json=as_json, out=out)
            command: Runs = getattr(import_module(f"airflow_provider_dataworks.cli.{module}"), name)
            return command(arguments, output)
    except DataWorksError as error:
        Output(program).error(text_of(error))
        return exit_code_of(error)
    except CommandError as error:
        Output(program).error(str(error))
        return error.code
    except KeyboardInterrupt:
        return interrupted()
    except Exception as error:  # of Airflow and what it stands on, which this package knows by no name
        return unexpected(error, verbose=arguments.verbose)


def run_for_airflow(arguments: argparse.Namespace) -> NoReturn:
    """Run the command that was given to ``airflow``, which knows no exit codes of its commands."""
    sys.exit(run(arguments, f"airflow {GROUP}"))


@contextmanager
def _results(as_json: bool) -> Iterator[TextIO]:
    """
    Give where results go: stdout as it is now.

    Where a program reads them, its descriptor leads to stderr meanwhile: a handler of Airflow's logging holds the file
    itself, and a DAG file may write to it in any way, or start a process that does.
    """
    try:
        descriptor, other = sys.stdout.fileno(), sys.stderr.fileno()
    except (OSError, ValueError, AttributeError):  # closed, or no file at all
        as_json = False
    if not as_json:
        yield sys.stdout
        return
    sys.stdout.flush()
    kept = os.dup(descriptor)
    os.dup2(other, descriptor)
    try:
        with open(kept, "w", encoding=sys.stdout.encoding, closefd=False) as out:
            yield out
    finally:
        os.dup2(kept, descriptor)
        os.close(kept)


@contextmanager
def _log_lines(*, verbose: bool) -> Iterator[None]:
    """Send this package's log lines to stderr, warnings alone or all; Airflow's own handlers may write to stdout."""
    ours = [
        logging.getLogger(name)
        for name in ("airflow_provider_dataworks", "airflow.task.hooks.airflow_provider_dataworks")
    ]
    others = [logging.getLogger(name) for name in ("airflow", "httpx")]
    before = [(each, each.level, each.propagate, list(each.handlers)) for each in (*ours, *others)]
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(logging.Formatter("%(levelname)s %(message)s"))
    for each in ours:
        each.handlers, each.propagate = [handler], False
        each.setLevel(logging.INFO if verbose else logging.WARNING)
    for each in others:
        each.setLevel(logging.INFO if verbose else logging.ERROR)
    try:
        yield
    finally:
        for each, level, propagate, handlers in before:
            each.propagate, each.handlers = propagate, handlers
            each.setLevel(level)
