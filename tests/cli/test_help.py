"""Help that teaches, and fits a terminal: below ``airflow``, too, which does not break its lines."""

from __future__ import annotations

import re

from command_line import Say

from airflow_provider_dataworks.cli.commands import BY_NAME, COMMANDS, EXIT_CODES
from airflow_provider_dataworks.cli.parser import PROGRAM


def test_every_command_has_examples_that_parse(say: Say) -> None:
    """With what they are for; and the exit codes."""
    misses = []
    for command in COMMANDS:
        said = say(command.name, "--help")
        if said.code or EXIT_CODES not in said.out or said.out.count(f"  {PROGRAM} {command.name}") < 1:
            misses.append(command.name)
        for _, words in command.examples:
            if any(flag not in said.out for flag in re.findall(r"(?<!\S)--?[a-z-]+", words)):
                misses.append(words)

    assert misses == []
    assert set(BY_NAME) == {command.name for command in COMMANDS}


def test_no_line_is_too_long(say: Say) -> None:
    """24 columns are taken by the names of options, 14 by those of commands."""
    misses = [command.help for command in COMMANDS if len(command.help) > 66]
    misses += [option.help for command in COMMANDS for option in command.options if len(option.help) > 56]
    for command in COMMANDS:
        misses += [line for line in say(command.name, "--help").out.splitlines() if len(line) > 80]

    assert misses == []
    # Airflow's help takes square brackets for colours, and argparse percent signs for defaults.
    assert not [command.name for command in COMMANDS if set("[]%") & set(command.text + command.epilog("x"))]
