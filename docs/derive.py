"""Write the derived parts of the pages: quoted examples, and tables that the code itself uses; ``make pages``.

A part stands between ``<!-- BEGIN name -->`` and ``<!-- END name -->``, a quoted example between
``<!-- START file marker -->`` and ``<!-- END -->``. It never writes outside of them.
"""

from __future__ import annotations

import argparse
import json
import re
import runpy
from collections.abc import Callable
from pathlib import Path
from typing import Any

from airflow_provider_dataworks.cli.commands import COMMANDS, EXIT_CODES, Command
from airflow_provider_dataworks.cli.parser import PROGRAM
from airflow_provider_dataworks.client.endpoints import NAMED, NETWORKS, host_of
from airflow_provider_dataworks.client.errors.catalog import CATALOG, ErrorInfo
from airflow_provider_dataworks.emulator.__main__ import parser
from airflow_provider_dataworks.get_provider_info import CONN_FIELDS

ROOT = Path(__file__).parent.parent
PAGES = ROOT / "docs" / "pages"
# What each feature asks DataWorks, by the actions that RAM knows; a test holds it against what the client can ask.
ACTIONS = {
    "stop": ("GetDIJob", "ListDIJobs", "ListProjects", "StartDIJob", "StopDIJob"),
    "lag": ("ListDIJobMetrics",),
    "preflight": ("GetDIJobLog", "ListDIJobRunDetails"),
    "report": ("ListDIJobEvents",),
    "alarms": ("GetDIAlarmRule", "ListDIAlarmRules", "UpdateDIAlarmRule"),
}
_CODE = re.compile(r"\d{5,}|\*\w+|[\w.]+\*|[A-Z]\w*\.[\w.]+(?<!\.)|[A-Z][a-z]+[A-Z]\w+")
_PART = re.compile(r"(<!-- BEGIN (\w+) -->\n).*?(<!-- END \2 -->)", re.DOTALL)
_EXAMPLE = re.compile(r"(<!-- START (\S+) (\S+) -->\n```python\n).*?(```\n<!-- END -->)", re.DOTALL)


def errors() -> str:
    """Return the rows of the catalogue of errors, each with the anchor that errors name."""
    return "\n\n".join(map(_row, CATALOG.values()))


def _row(row: ErrorInfo) -> str:
    seen = _CODE.sub(lambda found: f"`{found.group()}`", row.codes)
    known = f"`{row.error.__name__}`" + (f" · {seen}" if seen else "")
    title = f"### {row.title} {{ #{row.anchor} }}"
    return f"{title}\n\n{known}\n\n{_text(row.cause)}\n\n**What to do.** {_text(row.remedy)}"


def _text(text: str) -> str:
    return text.replace("<", "&lt;").replace(">", "&gt;")


def limits() -> str:
    """Return the table of what lines of Airflow cannot do, from where tests take the reasons to skip."""
    found = runpy.run_path(str(ROOT / "tests" / "support" / "airflow_limits.py"), run_name="airflow_limits")["LIMITS"]
    return _table("Airflow | what to know", [(limit.lines, limit.text) for limit in found.values()])


def fields() -> str:
    """Return the table of the extra fields, from which the connection form is made."""
    return _table("field of extra | in the form | what it is", [_field(*each) for each in CONN_FIELDS.items()])


def _field(name: str, field: Any) -> tuple[str, str, str]:
    schema = field["schema"]
    text = str(field["description"]).replace("*", r"\*")
    if "enum" in schema and len(schema["enum"]) <= 10:
        shown = schema.get("values_display", {})
        choices = [f"`{value}`" + shown.get(value, value).removeprefix(value) for value in schema["enum"]]
        text += "<br>" + "<br>".join(choices)
    if (default := schema.get("default")) is not None:
        text += f"<br>Default: `{default}`"
    if schema.get("format") == "password":
        text += "<br>Kept secret."
    return f"`{name}`", str(field["label"]), text


def regions() -> str:
    """Return the table of the regions and their hosts."""
    rows = [
        (f"`{region}`", name, *(f"`{host}`" if (host := host_of(region, each)) else "none" for each in NETWORKS))
        for region, name in NAMED.items()
    ]
    return _table("region | where | public | vpc", rows)


def policy(*features: str) -> str:
    """Return a RAM policy that allows what these features ask."""
    actions = sorted(f"dataworks:{action}" for feature in features for action in ACTIONS[feature])
    statement = {"Effect": "Allow", "Action": actions, "Resource": "*"}
    return f"```json\n{json.dumps({'Version': '1', 'Statement': [statement]}, indent=2)}\n```"


def emulator_options() -> str:
    """Return the table of the options of the emulator's command line."""
    rows: list[tuple[str, ...]] = []
    for option in parser()._actions:
        given = f"{option.option_strings[-1]} {option.metavar or _example(option)}".strip()
        text = (option.help or "") % {"default": option.default}
        rows.append((f"`{given}`", text.replace("|", r"\|")))
    return _table("option | what it does", rows)


def commands() -> str:
    """Return every command with its arguments, from the table that both command lines are made from."""
    codes = [line.split(maxsplit=1) for line in EXIT_CODES.splitlines()[1:]]
    exits = _table("exit code | meaning", [(f"`{code}`", text) for code, text in codes])
    return "\n\n".join([*map(_command, COMMANDS), f"## Exit codes\n\n{exits}"])


def _command(command: Command) -> str:
    rows: list[tuple[str, ...]] = []
    for option in command.options:
        name = option.settings.get("metavar", option.flags[-1].lstrip("-").upper().replace("-", "_"))
        takes = option.flags[-1].startswith("-") and option.settings.get("action") is None
        choices = "\\|".join(option.settings.get("choices", ()))
        names = ", ".join(f"`{flag}`" for flag in option.flags) if option.flags[0].startswith("-") else f"`{name}`"
        rows.append((f"{names} {choices or name}" if takes else names, option.help.replace("|", r"\|")))
    examples = [f"# {what}\n{PROGRAM} {command.name} {given}".rstrip() for what, given in command.examples]
    shown = "\n\n".join(examples)
    table = _table("argument | what it is", rows)
    return f"## {command.name}\n\n{command.description}\n\n{table}\n\n```bash\n{shown}\n```"


def _example(option: argparse.Action) -> str:
    return option.dest.upper() if option.nargs is None else ""


def _table(head: str, rows: list[tuple[str, ...]]) -> str:
    titles = head.split(" | ")
    lines = [titles, ["---"] * len(titles), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


PARTS: dict[str, Callable[[], str]] = {
    "errors": errors,
    "limits": limits,
    "fields": fields,
    "regions": regions,
    "policy_stop": lambda: policy("stop"),
    "policy_all": lambda: policy(*ACTIONS),
    "emulator_options": emulator_options,
    "commands": commands,
}


def example(path: str, marker: str) -> str:
    """Return the part of an example between its markers."""
    source = (ROOT / path).read_text()
    return source.split(f"# [START {marker}]\n")[1].split(f"# [END {marker}]")[0]


def filled(text: str) -> str:
    """
    Return a page with each derived part as it should be.

    :raises KeyError: the page wants a part that nothing here makes.
    """
    text = _PART.sub(lambda found: f"{found[1]}\n{PARTS[found[2]]()}\n\n{found[3]}", text)
    return _EXAMPLE.sub(lambda found: f"{found[1]}{example(found[2], found[3])}{found[4]}", text)


def pages() -> list[Path]:
    """Return README and every page, in order."""
    return [ROOT / "README.md", *sorted(PAGES.rglob("*.md"))]


if __name__ == "__main__":
    for page in pages():
        before = page.read_text()
        if (after := filled(before)) != before:
            page.write_text(after)
            print(f"written: {page.relative_to(ROOT)}")
