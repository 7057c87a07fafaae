"""Write the derived parts of README: contents, quoted examples, tables of errors and of limits; ``make readme``."""

from __future__ import annotations

import re
import runpy
from pathlib import Path

from airflow_provider_dataworks.client.errors.catalog import CATALOG, ErrorInfo

ROOT = Path(__file__).parent.parent
README = ROOT / "README.md"
_CODE = re.compile(r"\d{5,}|\*\w+|[\w.]+\*|[A-Z]\w*\.[\w.]+(?<!\.)|[A-Z][a-z]+[A-Z]\w+")


def anchor(heading: str) -> str:
    """Return the anchor that GitHub gives a heading."""
    return re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-")


def contents(text: str) -> str:
    """Return links to the sections, but the one they stand in front of."""
    return "\n".join(f"- [{heading}](#{anchor(heading)})" for heading in re.findall(r"^## (.+)$", text, re.MULTILINE))


def errors() -> str:
    """Return the table of the catalogue of errors: a row each, with the anchor that errors name."""
    rows = "\n".join(map(_row, CATALOG.values()))
    return f"| error | cause | what to do |\n|---|---|---|\n{rows}"


def limits() -> str:
    """Return the table of what lines of Airflow cannot do, from where tests take the reasons to skip."""
    found = runpy.run_path(str(ROOT / "tests" / "support" / "airflow_limits.py"), run_name="airflow_limits")["LIMITS"]
    rows = "\n".join(f"| {limit.lines} | {limit.text} |" for limit in found.values())
    return f"| Airflow | what to know |\n|---|---|\n{rows}"


def _row(row: ErrorInfo) -> str:
    seen = _CODE.sub(lambda found: f"`{found.group()}`", row.codes)
    first = f'<a id="{row.anchor}"></a>**{row.title}**<br>`{row.error.__name__}`' + (f"<br>{seen}" if seen else "")
    cells = (first, _cell(row.cause), _cell(row.remedy))
    return f"| {' | '.join(cells)} |"


def _cell(text: str) -> str:
    return text.replace("<", "&lt;").replace(">", "&gt;").replace("|", "\\|")


def example(path: str, marker: str) -> str:
    """Return the part of an example between its markers."""
    source = (ROOT / path).read_text()
    return source.split(f"# [START {marker}]\n")[1].split(f"# [END {marker}]")[0]


def filled(text: str) -> str:
    """Return README with each derived part as it should be."""
    for name, part in (("contents", contents(text)), ("errors", errors()), ("limits", limits())):
        pattern = re.compile(f"<!-- BEGIN {name} -->.*?<!-- END {name} -->", re.DOTALL)
        before, after = pattern.split(text)
        text = f"{before}<!-- BEGIN {name} -->\n{part}\n<!-- END {name} -->{after}"
    pattern = re.compile(r"(<!-- START (\S+) (\S+) -->\n```python\n).*?(```\n<!-- END -->)", re.DOTALL)
    return pattern.sub(lambda found: f"{found[1]}{example(found[2], found[3])}{found[4]}", text)


if __name__ == "__main__":
    README.write_text(filled(README.read_text()))
