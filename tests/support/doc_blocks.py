"""Code blocks of README and of the pages, and the user's test among them; for every version: it imports no Airflow."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
import textwrap
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
PAGES = ROOT / "docs" / "pages"
BIN = Path(sys.executable).parent
_FENCE = re.compile(r"(<!-- START [^\n]*-->\n)?^( *)```(\w*)\n(.*?)^\2```$", re.MULTILINE | re.DOTALL)


def text_of(page: str) -> str:
    """Return a page by its name: ``README.md``, or a path below ``docs/pages``."""
    return (ROOT / page if page == "README.md" else PAGES / page).read_text()


def all_pages() -> list[str]:
    """Return the names of README and of every page."""
    return ["README.md", *sorted(str(path.relative_to(PAGES)) for path in PAGES.rglob("*.md"))]


def section_of(page: str, title: str) -> str:
    """Return the part of a page below one of its headings of the second level."""
    return text_of(page).split(f"\n## {title}\n")[1].split("\n## ")[0]


@dataclass(frozen=True)
class Block:
    """A code block: where it stands, its language and its text."""

    page: str
    section: str
    kind: str
    text: str
    quoted: bool = False

    @property
    def file(self) -> str | None:
        """Name of the file that it is, where its first line says so."""
        found = re.match(r"# (\S+\.py)\n", self.text)
        return found[1] if found else None

    @property
    def commands(self) -> list[list[str]]:
        """The command lines of a shell block, as words."""
        return [
            words for line in self.text.replace("\\\n", "").splitlines() if (words := shlex.split(line, comments=True))
        ]


def blocks_of(page: str) -> Iterator[Block]:
    """Yield every code block of a page."""
    for section in re.split(r"^## ", text_of(page), flags=re.MULTILINE):
        title = section.partition("\n")[0]
        for start, _, kind, text in _FENCE.findall(section):
            yield Block(page, title, kind, textwrap.dedent(text), quoted=bool(start))


BLOCKS = [block for page in all_pages() for block in blocks_of(page)]


def run_a_users_tests(folder: Path) -> str:
    """
    Put the DAG of "Stop one job" and the two files of "Test your DAGs" into a folder, and do there what that page says.

    :return: what the commands printed; those with ``pip`` are left out.
    """
    (dag,) = [block for block in BLOCKS if block.page == "how-to/stop.md" and block.quoted]
    (folder / "dags").mkdir()
    (folder / "dags" / "example_dataworks_stop.py").write_text(dag.text)
    page = [block for block in BLOCKS if block.page == "how-to/testing.md"]
    for block in page:
        if block.file:
            (folder / block.file).write_text(block.text)
    (shell,) = [block for block in page if block.kind == "bash" and ["pytest"] in block.commands]
    script = "\n".join(["set -eu", *(line for line in shell.text.splitlines() if not line.startswith("pip "))])
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("AIRFLOW", "PYTEST"))}
    path = f"{BIN}{os.pathsep}{os.environ['PATH']}"
    done = subprocess.run(
        ["sh", "-c", script],
        cwd=folder,
        env={**kept, "PATH": path},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout
