"""README against the code: every public name stands in it, its code runs, and what it quotes is what is there."""

from __future__ import annotations

import inspect
import json
import re
import shlex
import subprocess
from pathlib import Path
from typing import Any

import emulated  # noqa: F401 - sets Airflow's home before Airflow is imported
import pytest
from airflow.models.connection import Connection

from airflow_provider_dataworks import exceptions
from airflow_provider_dataworks.emulator.rules import parse_rule
from airflow_provider_dataworks.get_provider_info import CONN_FIELDS
from airflow_provider_dataworks.hooks._connection import Account, read_account
from airflow_provider_dataworks.hooks._credential_fields import TYPES
from airflow_provider_dataworks.operators.dataworks import StartDIJobOperator, StopDIJobOperator
from airflow_provider_dataworks.sensors.dataworks import DIJobCaughtUpSensor, DIJobStoppedSensor

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text()
BLOCKS = re.findall(r"```(\w+)\n(.*?)```", README, re.DOTALL)
SHELL = [line for kind, text in BLOCKS if kind == "bash" for line in text.replace("\\\n", "").splitlines() if line]


@pytest.mark.parametrize(
    "found", re.findall(r"<!-- START (\S+) (\S+) -->\n```python\n(.*?)```\n<!-- END -->", README, re.DOTALL)
)
def test_quoted_examples_are_what_the_files_hold(found: tuple[str, str, str]) -> None:
    """An example in README cannot rot."""
    path, marker, quoted = found
    source = (ROOT / path).read_text()
    part = source.split(f"# [START {marker}]\n")[1].split(f"# [END {marker}]")[0]

    assert quoted == part


@pytest.mark.parametrize("code", [text for kind, text in BLOCKS if kind == "python" and "Emulator(" in text])
def test_python_blocks_run(code: str) -> None:
    """The emulator's example, as it stands."""
    exec(compile(code, "README.md", "exec"), {})  # noqa: S102 - our own README


@pytest.mark.parametrize("operator", [StopDIJobOperator, StartDIJobOperator, DIJobStoppedSensor, DIJobCaughtUpSensor])
def test_every_parameter_is_explained(operator: Any) -> None:
    """In README's table and in the class's docstring."""
    section = README.split(f"## {operator.__name__}")[1].split("\n## ")[0]

    for name, parameter in inspect.signature(operator.__init__).parameters.items():
        if parameter.kind is inspect.Parameter.KEYWORD_ONLY and name != "soft_fail":
            assert f":param {name}:" in operator.__doc__
            assert f"`{name}`" in section or name.startswith("retr"), name


def test_every_connection_field_and_error_is_explained() -> None:
    """What the form asks for, and what a task can end in."""
    for name in CONN_FIELDS:
        assert f"`{name}`" in README, name
    for name, found in vars(exceptions).items():
        if isinstance(found, type) and issubclass(found, exceptions.DataWorksError) and name != "DataWorksError":
            assert f"`{name}`" in README, name


def test_the_make_targets_it_names_exist() -> None:
    """The two commands, and the others."""
    makefile = (ROOT / "Makefile").read_text()

    for target in set(re.findall(r"`?make ([a-z0-9-]+)[`\n]", README)):
        assert f"\n{target}:" in makefile, target


def account_in(line: str) -> Account:
    """Read the connection of a line to copy: its variable as Airflow reads it, or its command by Airflow's parser."""
    words = shlex.split(line)
    if words[0] == "export":
        found = Connection.from_json(words[1].partition("=")[2], conn_id="c")
    else:
        from airflow.cli.cli_parser import get_parser

        given = get_parser().parse_args(words[1:])
        found = Connection(
            conn_id="c",
            conn_type=given.conn_type,
            login=given.conn_login,
            password=given.conn_password,
            extra=given.conn_extra,
        )
    assert found.conn_type == "dataworks"
    return read_account(found, found.extra_dejson)


CONNECTION = README.split("\n## Connection\n")[1].split("\n## ")[0]
LINES = [
    line for line in SHELL if line.startswith(("export AIRFLOW_CONN_DATAWORKS_DEFAULT=", "airflow connections add"))
]


@pytest.mark.parametrize("line", LINES)
def test_a_connection_to_copy_is_accepted(line: str) -> None:
    """The variable is JSON that the hook understands; the command is one of Airflow's."""
    network = "-vpc" if "vpc" in line else ""

    assert account_in(line).config.endpoint == f"https://dataworks{network}.cn-shanghai.aliyuncs.com"


@pytest.mark.parametrize("kind", TYPES)
def test_every_credential_type_has_lines_to_copy(kind: str) -> None:
    """One for the environment and one for the command line, of that type and no other."""
    part = CONNECTION.split(f"\n**`{kind}`**: ")[1].split("\n**`")[0]
    lines = [line for line in LINES if line in part]
    named = [re.search(r'"credential_type": "(\w+)"', line) for line in lines]

    assert {line.split()[0] for line in lines} == {"export", "airflow"}
    assert {found[1] if found else "access_key" for found in named} == {kind}
    assert all(account_in(line).source for line in lines)


def test_every_field_of_the_connection_stands_in_its_table() -> None:
    """Of the form, and the vendor's other names for some."""
    rows = [row for row in CONNECTION.splitlines() if row.startswith("| ")]

    for name in (*CONN_FIELDS, "role_session_expiration", "oidc_token_file_path", "access_key_id", "endpoint"):
        assert any(f"`{name}`" in row for row in rows), name


def test_the_faults_it_shows_are_taken() -> None:
    """The one for curl, and the one for the command line by the emulator's own parser."""
    line = next(line for line in SHELL if line.startswith("curl -d"))
    option = re.search(r"--fault '([^']+)'", README)
    assert option is not None

    parse_rule(json.loads(shlex.split(line)[2]))
    program = ["python", "-m", "airflow_provider_dataworks.emulator", "--fault", option.group(1), "--host", "192.0.2.1"]
    run = subprocess.run(
        [str(Path(__import__("sys").executable)), *program[1:]], capture_output=True, text=True, check=False
    )

    # The address is refused, after the fault was read: so the fault is good.
    assert run.returncode == 2
    assert "192.0.2.1" in run.stderr
