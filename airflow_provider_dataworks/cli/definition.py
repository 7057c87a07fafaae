"""The commands as Airflow 3.2 and later take them from providers, named in the provider info; no command runs here."""

from __future__ import annotations

from airflow.cli.cli_config import ActionCommand, Arg, CLICommand, GroupCommand, lazy_load_command

from airflow_provider_dataworks.cli.commands import COMMANDS, GROUP, GROUP_HELP, Option

_PROGRAM = f"airflow {GROUP}"


def get_dataworks_cli_commands() -> list[CLICommand]:
    """Return the group ``airflow dataworks``."""
    run = lazy_load_command("airflow_provider_dataworks.cli.running.run_for_airflow")
    return [
        GroupCommand(
            name=GROUP,
            help=GROUP_HELP,
            subcommands=[
                ActionCommand(
                    name=command.name,
                    help=command.help,
                    description=command.text,
                    epilog=command.epilog(_PROGRAM),
                    func=run,
                    args=[_argument(option) for option in command.options],
                )
                for command in COMMANDS
            ],
        )
    ]


def _argument(option: Option) -> Arg:
    return Arg(option.flags, **option.kwargs)  # type: ignore[no-untyped-call]
