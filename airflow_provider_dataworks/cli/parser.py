"""Reads a command line of ``python -m airflow_provider_dataworks`` and has its command run."""

from __future__ import annotations

import argparse
import os
import sys
import warnings
from collections.abc import Sequence

from airflow_provider_dataworks import __version__
from airflow_provider_dataworks.cli.commands import COMMANDS, EXIT_CODES, GROUP_HELP
from airflow_provider_dataworks.cli.failures import interrupted, unexpected

PROGRAM = "python -m airflow_provider_dataworks"


def make_parser() -> argparse.ArgumentParser:
    """Return the parser of all commands."""
    form = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser(
        prog=PROGRAM,
        description=f"{GROUP_HELP}.",
        epilog=f"{PROGRAM} COMMAND --help shows examples.\n\n{EXIT_CODES}",
        formatter_class=form,
    )
    parser.add_argument("--version", action="version", version=__version__)
    commands = parser.add_subparsers(dest="subcommand", metavar="COMMAND", required=True)
    for command in COMMANDS:
        one = commands.add_parser(
            command.name,
            help=command.help,
            description=command.text,
            epilog=command.epilog(PROGRAM),
            formatter_class=form,
        )
        for option in command.options:
            one.add_argument(*option.flags, **option.kwargs)
    return parser


def main(arguments: Sequence[str] | None = None) -> int:
    """
    Run one command.

    :param arguments: words of the command line, those of this process if left out.
    :return: its exit code, see :data:`.commands.EXIT_CODES`.
    """
    given = make_parser().parse_args(arguments)
    if "airflow" not in sys.modules and not given.verbose:
        # What Airflow tells of itself as it starts is no result; unless whoever calls us chose otherwise.
        os.environ.setdefault("AIRFLOW__LOGGING__LOGGING_LEVEL", "WARNING")
        if not sys.warnoptions:
            # Airflow 2.11 warns of itself, and turns that on again unless there is such an option.
            sys.warnoptions.append("ignore")
            warnings.simplefilter("ignore")
    # What runs a command imports Airflow; a --help, and a word that is misspelled, need not wait for that.
    try:
        from airflow_provider_dataworks.cli.running import run

        return run(given, PROGRAM)
    except KeyboardInterrupt:
        return interrupted()
    except Exception as error:  # an Airflow that cannot even be imported, say for its configuration
        return unexpected(error, verbose=given.verbose)
