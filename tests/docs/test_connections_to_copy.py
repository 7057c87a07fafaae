"""Each connection that a page shows to copy is one that Airflow stores and the hook understands."""

from __future__ import annotations

import re
import shlex

import emulated  # noqa: F401 - sets Airflow's home before Airflow is imported
from airflow.models.connection import Connection
from doc_blocks import BLOCKS, section_of

from airflow_provider_dataworks.get_provider_info import CONN_FIELDS
from airflow_provider_dataworks.hooks._connection import Account, read_account
from airflow_provider_dataworks.hooks._credential_fields import TYPES

BEGIN = ("export AIRFLOW_CONN_", "airflow connections add")
LINES = [
    (block.page, line)
    for block in BLOCKS
    if block.kind == "bash"
    for line in block.text.splitlines()
    if line.startswith(BEGIN)
]
CREDENTIALS = "how-to/credentials.md"


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


def test_a_connection_to_copy_is_accepted() -> None:
    """The variable is JSON that the hook understands; the command is one of Airflow's."""
    wrong = []
    for page, line in LINES:
        network = "-vpc" if "vpc" in line else ""
        region = re.search(r'"region": "([\w-]+)"', line)
        assert region is not None, line
        expected = f"https://dataworks{network}.{region[1]}.aliyuncs.com"
        if '"port": 8900' in line:
            expected = "http://127.0.0.1:8900"
        if (endpoint := account_in(line).config.endpoint) != expected:
            wrong.append((page, line, endpoint))

    assert {page for page, _ in LINES} >= {CREDENTIALS, "how-to/stop.md", "how-to/connections.md", "tutorial.md"}
    assert wrong == []


def test_every_credential_type_has_lines_to_copy() -> None:
    """One for the environment and one for the command line, of that type and no other."""
    for kind in TYPES:
        part = section_of(CREDENTIALS, f"`{kind}` {{ #{kind} }}")
        lines = [line for page, line in LINES if page == CREDENTIALS and line in part]
        named = [re.search(r'"credential_type": "(\w+)"', line) for line in lines]

        assert {line.split()[0] for line in lines} == {"export", "airflow"}, kind
        assert {found[1] if found else "access_key" for found in named} == {kind}
        assert all(account_in(line).source for line in lines), kind


def test_every_field_of_the_connection_stands_in_its_table() -> None:
    """Of the form; and the vendor's other names for some stand on the page."""
    page = "reference/connection.md"
    rows = [row for row in section_of(page, "Extra fields").splitlines() if row.startswith("| `")]
    others = section_of(page, "Standard fields") + section_of(page, "More on some of them")

    assert [name for name in CONN_FIELDS if not any(row.startswith(f"| `{name}` |") for row in rows)] == []
    for name in ("role_session_expiration", "oidc_token_file_path", "access_key_id", "endpoint"):
        assert f"`{name}`" in others, name
