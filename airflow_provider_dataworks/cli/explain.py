"""The command ``explain``: the rows of the catalogue of errors, by name, code or HTTP status; it asks nobody."""

from __future__ import annotations

import re
from argparse import Namespace
from difflib import get_close_matches
from typing import Any

from airflow_provider_dataworks.cli.commands import GOOD, NO, USAGE
from airflow_provider_dataworks.cli.output import BOLD, Output
from airflow_provider_dataworks.cli.running import CommandError
from airflow_provider_dataworks.client.errors.catalog import CATALOG, ErrorInfo
from airflow_provider_dataworks.client.errors.codes import is_known, meaning
from airflow_provider_dataworks.values import plain_text

_STATUS = re.compile(r"(?:http[ _-]?)?([1-5]\d\d)", re.IGNORECASE)


def explain(arguments: Namespace, output: Output) -> int:
    """Show what is known of an error; without one, all names."""
    if arguments.code is None:
        return _list_all(output)
    asked = plain_text(arguments.code.strip(), 200)
    if not asked:
        raise CommandError("CODE: is empty. Give the name of an error, or leave it out for a list.", USAGE)
    found = rows_of(asked)
    if output.as_json:
        output.json([_as_json(row) for row in found])
    elif not found:
        near = get_close_matches(asked.lower(), CATALOG, 3, 0.4)
        hint = f"Close to it: {', '.join(near)}." if near else "Without an argument, it lists all names."
        output.error(
            f"{asked}: no error of this package has that name, and no code of DataWorks that it knows.\n{hint}"
        )
    for number, row in enumerate([] if output.as_json else found):
        if number:
            output.line()
        _show(row, output)
    return GOOD if found else NO


def rows_of(asked: str) -> list[ErrorInfo]:
    """
    Return the rows that a text leads to, none where it is not known.

    :param asked: the name of a row, also as a link ends in it (``README.md#throttled``); the name of an error's class;
        a code of DataWorks; an HTTP status.
    """
    name = asked.rpartition("#")[2].lower()
    if name in CATALOG:
        return [CATALOG[name]]
    if of_class := [row for row in CATALOG.values() if row.error.__name__.lower() == name.rpartition(".")[2]]:
        return of_class
    if is_known(asked):
        return [meaning(asked, 400)]
    if status := _STATUS.fullmatch(asked):
        number = int(status[1])
        return [] if number < 400 else list(dict.fromkeys((meaning("unknown", number), meaning(None, number))))
    return []


def _list_all(output: Output) -> int:
    if output.as_json:
        output.json([_as_json(row) for row in CATALOG.values()])
    else:
        output.table(("NAME", "ERROR"), [(row.anchor, row.title) for row in CATALOG.values()], shrink="ERROR")
    return GOOD


def _show(row: ErrorInfo, output: Output) -> None:
    output.line(row.title, BOLD)
    output.text(f"Name: {row.anchor}")
    output.text(
        f"Error: {row.error.__name__}, which Airflow {'tries' if row.error.retryable else 'does not try'} again"
    )
    if row.codes:
        output.text(f"Codes: {row.codes}")
    output.line()
    output.text(f"Cause: {row.cause}")
    output.line()
    output.text(f"What to do: {row.remedy}")


def _as_json(row: ErrorInfo) -> dict[str, Any]:
    return {
        "name": row.anchor,
        "title": row.title,
        "error": row.error.__name__,
        "retryable": row.error.retryable,
        "codes": row.codes,
        "cause": row.cause,
        "remedy": row.remedy,
    }
