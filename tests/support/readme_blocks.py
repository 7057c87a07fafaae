"""README's code blocks, and the user's test among them; it imports no Airflow, so that every version can use it."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text()
BIN = Path(sys.executable).parent


@dataclass(frozen=True)
class Block:
    """A code block: where it stands, its language and its text."""

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


def blocks() -> Iterator[Block]:
    """Yield every code block of README but those about the connection."""
    for section in re.split(r"^## ", README, flags=re.MULTILINE)[1:]:
        title = section.partition("\n")[0]
        for start, kind, text in re.findall(r"(<!-- START [^\n]*-->\n)?^```(\w*)\n(.*?)^```$", section, re.M | re.S):
            if title != "Connection":
                yield Block(title, kind, text, quoted=bool(start))


BLOCKS = list(blocks())


def run_a_users_tests(folder: Path) -> str:
    """
    Put the DAG of the quick start and the two files into a folder, and do there what README says; but for ``pip``.

    :return: what the commands printed.
    """
    (dag,) = [block for block in BLOCKS if block.section == "Quick start" and block.quoted]
    (folder / "dags").mkdir()
    (folder / "dags" / "example_dataworks_stop.py").write_text(dag.text)
    for block in BLOCKS:
        if block.file:
            (folder / block.file).write_text(block.text)
    (shell,) = [block for block in BLOCKS if block.kind == "bash" and ["pytest"] in block.commands]
    script = "\n".join(["set -eu", *(line for line in shell.text.splitlines() if not line.startswith("pip "))])
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("AIRFLOW", "PYTEST"))}
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
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
