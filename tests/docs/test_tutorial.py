"""The tutorial, ``tutorial.md``, done as it stands from its first block to its last, with the output that it shows."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from doc_blocks import BIN, ROOT, blocks_of

PAGE = "tutorial.md"
START = "python -m airflow_provider_dataworks.emulator --port 8900"


class Reader:
    """
    Somebody who types each block into one of two terminals, and compares what is shown.

    :param folder: stands for the clone.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.exports: list[str] = []
        self.lines: list[str] = []  # what the last commands printed
        self.log = folder / "emulator.log"
        self.seen = 0  # how many of the emulator's lines were there before the last commands
        self.emulator: subprocess.Popen[bytes] | None = None
        self.port = ""
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("AIRFLOW", "PYTEST"))}
        self.env = {**kept, "PATH": f"{BIN}{os.pathsep}{os.environ['PATH']}"}

    def type_in(self, text: str) -> None:
        """Run a block of commands; the environment is there already, and the port is a free one."""
        words = [line for line in text.splitlines() if not re.match(r"python3 -m venv|\. \.venv|pip ", line)]
        if any(line.startswith(START) for line in words):
            return self.start_emulator(words[0])
        self.seen = len(self.calls())
        script = "\n".join(["set -eu", *self.exports, *words]).replace("8900", self.port)
        done = subprocess.run(
            ["sh", "-c", script],
            cwd=self.folder,
            env=self.env,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=120,
            check=False,
        )
        assert (done.returncode != 0) is ('"fail": true' in text), done.stdout
        self.exports += [line for line in words if line.startswith("export ")]
        self.lines = done.stdout.splitlines()
        return None

    def start_emulator(self, line: str) -> None:
        """Run it in the first terminal."""
        program = line.replace("8900", "0").split()
        with self.log.open("wb") as log:
            self.emulator = subprocess.Popen([sys.executable, *program[1:]], cwd=self.folder, stdout=log)
        deadline = time.monotonic() + 20
        while not (found := re.search(r"at http://127\.0\.0\.1:(\d+) .*\bRunning$", self.log.read_text(), re.DOTALL)):
            assert self.emulator.poll() is None
            assert time.monotonic() < deadline
            time.sleep(0.1)
        self.port = found[1]

    def calls(self) -> list[str]:
        """Return the lines of the first terminal."""
        return self.log.read_text().splitlines() if self.log.exists() else []

    def compare(self, text: str) -> None:
        """Find each line that the page shows, in this order; ``…`` stands for what differs each time."""
        shown = iter([*self.lines, *self.calls()[self.seen :]])
        for line in text.replace("8900", self.port).splitlines():
            wanted = line.removeprefix("…").strip()
            assert any(found.strip().endswith(wanted) for found in shown), (line, self.lines[-20:], self.calls())


@pytest.fixture
def reader(tmp_path: Path) -> Iterator[Reader]:
    """A reader in a folder that looks as a clone does to them."""
    (tmp_path / "example_dags").symlink_to(ROOT / "example_dags")
    found = Reader(tmp_path)
    yield found
    if found.emulator is not None:
        found.emulator.send_signal(signal.SIGINT)
        assert found.emulator.wait(10) == 0


@pytest.mark.e2e
def test_it_goes_as_it_says(reader: Reader) -> None:
    """Each command ends as told, and each line of output is there."""
    compared = 0
    for block in blocks_of(PAGE):
        if block.kind == "bash":
            reader.type_in(block.text)
        elif block.kind == "python":
            assert block.file == "orders.py"
            (reader.folder / "build" / "tutorial" / "dags" / block.file).write_text(block.text)
        else:
            assert block.kind == "text"
            reader.compare(block.text)
            compared += 1

    assert compared >= 8


def test_it_installs_what_is_there() -> None:
    """The newest Airflow that the tests run on, by a constraint file of the repository."""
    (line,) = [line for block in blocks_of(PAGE) for line in block.text.splitlines() if line.startswith("pip ")]
    newest = re.search(r"^AIRFLOW := (\S+)$", (ROOT / "Makefile").read_text(), re.MULTILINE)

    assert newest is not None
    constraints = f"requirements/constraints-{newest[1]}.txt"
    assert line == f'pip install "apache-airflow=={newest[1]}" ".[emulator]" --constraint {constraints}'
    assert (ROOT / constraints).is_file()
