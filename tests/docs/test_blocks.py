"""Every code block of README and of the pages is run: one of a kind that nothing here knows how to run fails.

The tutorial is run as a whole, in ``test_tutorial.py``; connections to copy are read in
``test_connections_to_copy.py``.
"""

from __future__ import annotations

import itertools
import json
import re
import shlex
import signal
import subprocess
import sys
import tomllib
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import emulated  # noqa: F401 - sets Airflow's home before Airflow is imported
import pytest
from doc_blocks import BLOCKS, ROOT, Block, all_pages, run_a_users_tests, text_of
from packaging.requirements import Requirement

from airflow_provider_dataworks.cli.parser import make_parser
from airflow_provider_dataworks.emulator import Emulator
from airflow_provider_dataworks.emulator.fixtures import (
    EmulatorFactory,
    dataworks_emulator,
    dataworks_emulator_factory,
)
from airflow_provider_dataworks.version_compat import DAG

__all__ = ["dataworks_emulator", "dataworks_emulator_factory"]

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
CONSTRAINTS = "https://raw.githubusercontent.com/apache/airflow/constraints-X.Y.Z/constraints-3.N.txt"
# Pages that a test of their own runs from the first block to the last, output too.
RUN_AS_A_WHOLE = {"tutorial.md": "tests/docs/test_tutorial.py", "how-to/command-line.md": "tests/cli/test_page.py"}
RUN_HERE = [block for block in BLOCKS if block.page not in RUN_AS_A_WHOLE]
COMMANDS = [words for block in RUN_HERE if block.kind == "bash" for words in block.commands]


def test_nothing_is_left_out() -> None:
    """As many blocks were found as the pages open, so that no odd fence hides one; and each is of a known kind."""
    fences = {page: len(re.findall(r"^\s*(```|~~~)", text_of(page), re.MULTILINE)) for page in all_pages()}
    found = {page: 2 * sum(block.page == page for block in BLOCKS) for page in all_pages()}

    assert found == fences
    assert {block.kind for block in RUN_HERE} == {"bash", "dockerfile", "json", "python"}
    for page, by in RUN_AS_A_WHOLE.items():
        assert page in (ROOT / by).read_text()


# Python


def _ids(block: Block) -> str:
    return f"{block.page}: {block.section}"


@pytest.mark.parametrize("block", [block for block in RUN_HERE if block.kind == "python" and not block.file], ids=_ids)
def test_python_blocks_run(block: Block, dataworks_emulator: Emulator) -> None:
    """As they stand, with a connection to the emulator; one that makes a DAG makes a whole one."""
    found: dict[str, Any] = {}
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        exec(compile(block.text, f"{block.page}, {block.section}", "exec"), found)  # noqa: S102 - our own pages

    dags = [value for value in found.values() if isinstance(value, DAG)]
    assert len(dags) == ("DAG(" in block.text)
    for dag in dags:
        assert dag.tasks
        dag.validate()
    if not dags and "DataWorksHook()" in block.text:
        assert dataworks_emulator.count(outcome="served")


@pytest.mark.slow
def test_a_users_tests_run(tmp_path: Path) -> None:
    """The DAG of "Stop one job", the two files and the commands, in an empty folder, give a green pytest."""
    assert [block.file for block in RUN_HERE if block.file] == ["conftest.py", "test_stop.py"]
    assert "1 passed" in run_a_users_tests(tmp_path)


# JSON


@pytest.mark.parametrize("block", [block for block in RUN_HERE if block.kind == "json"], ids=_ids)
def test_json_blocks_are_policies(block: Block) -> None:
    """As RAM takes them: a version, and statements that allow actions."""
    policy = json.loads(block.text)

    assert set(policy) == {"Version", "Statement"}
    assert policy["Version"] == "1"
    for statement in policy["Statement"]:
        assert statement["Effect"] == "Allow"
        actions = statement["Action"] if isinstance(statement["Action"], list) else [statement["Action"]]
        assert all(re.fullmatch(r"(dataworks|sts):[A-Z]\w+", action) for action in actions)
        assert ("Resource" in statement) is not ("Principal" in statement)


# Shell


@pytest.fixture
def emulator() -> Iterator[Emulator]:
    """An emulator for the commands that ask one."""
    with Emulator() as running:
        yield running


def a_make_target(words: list[str], emulator: Emulator) -> None:
    """It exists, is explained by make help, and make knows how to get there."""
    (target,) = words[1:]
    done = subprocess.run(["make", "--dry-run", target], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert re.search(rf"^{target}:.*#\* ", (ROOT / "Makefile").read_text(), re.MULTILINE)


def an_installation(words: list[str], emulator: Emulator) -> None:
    """It names this project, and extras that it has; or pytest; or Airflow and its constraint file, X.Y.Z both."""
    options = {"--no-cache-dir"}
    if "--constraint" in words:
        assert words[-2:] == ["--constraint", CONSTRAINTS]
        assert "apache-airflow==X.Y.Z" in words
        options |= {"apache-airflow==X.Y.Z", *words[-2:]}
    assert words[1] == "install"
    for text in [word for word in words[2:] if word not in options]:
        wanted = Requirement(text)
        assert wanted.name in (PROJECT["name"], "pytest")
        assert wanted.extras <= set(PROJECT["optional-dependencies"])


def a_module(words: list[str], emulator: Emulator) -> None:
    """The emulator starts with these arguments, but another port, and ends when asked; a command can be read."""
    if words[:3] == ["python", "-m", "airflow_provider_dataworks"]:
        assert make_parser().parse_args(words[3:]).subcommand == words[3]
        return
    assert words[:3] == ["python", "-m", "airflow_provider_dataworks.emulator"]
    arguments = ["0" if before == "--port" else word for before, word in itertools.pairwise(words)]
    with subprocess.Popen(
        [sys.executable, *arguments], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    ) as process:
        assert process.stdout is not None
        first = process.stdout.readline()
        process.send_signal(signal.SIGINT)
        try:
            rest, _ = process.communicate(timeout=20)
        finally:
            process.kill()
    assert "DataWorks emulator at http://127.0.0.1:" in first, first + rest
    assert process.returncode == 0, rest


def a_request(words: list[str], emulator: Emulator) -> None:
    """The emulator takes it."""
    curl = [word.replace("http://127.0.0.1:8900", emulator.url) for word in words]
    assert curl != words
    done = subprocess.run([*curl, "--silent", "--fail", "--show-error"], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def an_airflow_command(words: list[str], emulator: Emulator) -> None:
    """Airflow's own parser takes it."""
    from airflow.cli.cli_parser import get_parser

    assert callable(get_parser().parse_args(words[1:]).func)


def an_environment(words: list[str], emulator: Emulator) -> None:
    """Each variable is one that Airflow reads: its home, a connection, or an option of its configuration."""
    from airflow.configuration import conf

    for word in words[1:]:
        name = word.partition("=")[0]
        section, _, option = name.removeprefix("AIRFLOW__").lower().partition("__")
        known = name in ("AIRFLOW_HOME", "AIRFLOW_CONN_DATAWORKS_DEFAULT") or conf.has_option(section, option)
        assert known, name


def a_test_run(words: list[str], emulator: Emulator) -> None:
    """It is run with the files beside it, by the test of a user's tests."""
    assert words == ["pytest"]


CHECKS: dict[str, Callable[[list[str], Emulator], None]] = {
    "make": a_make_target,
    "pip": an_installation,
    "python": a_module,
    "curl": a_request,
    "airflow": an_airflow_command,
    "export": an_environment,
    "pytest": a_test_run,
}


def test_commands_do_what_they_say(emulator: Emulator) -> None:
    """Each by what its program is; a program that is not known here fails."""
    wrong = []
    for words in COMMANDS:
        try:
            CHECKS[words[0]](words, emulator)
        except (AssertionError, KeyError, SystemExit) as error:
            wrong.append(f"{' '.join(words)}: {error!r}")

    assert COMMANDS
    assert wrong == []


def test_the_image_is_made_as_the_installation_is() -> None:
    """By the same command, with the version that Airflow's image knows of itself, and the same constraint file."""
    (block,) = [block for block in BLOCKS if block.kind == "dockerfile"]
    start, argument, command = block.text.splitlines()

    assert start == "FROM apache/airflow:X.Y.Z-python3.N"
    assert argument == f"ARG CONSTRAINTS={CONSTRAINTS}"
    line = command.replace("${AIRFLOW_VERSION}", "X.Y.Z").replace("${CONSTRAINTS}", CONSTRAINTS)
    program, *words = shlex.split(line)
    assert program == "RUN"
    assert [word for word in words if word != "--no-cache-dir"] in COMMANDS


def test_the_pool_of_jobs_that_are_down_counts_deferred_tasks() -> None:
    """Or it bounds only the few seconds of asking, as the page says."""
    from airflow.cli.cli_parser import get_parser

    (words,) = [words for words in COMMANDS if words[:4] == ["airflow", "pools", "set", "dataworks"]]
    arguments = get_parser().parse_args(words[1:])

    assert (arguments.pool, arguments.slots, arguments.include_deferred) == ("dataworks", 40, True)


# What tables show as code


def test_the_faults_the_pages_show_are_taken(dataworks_emulator_factory: EmulatorFactory) -> None:
    """The table of faults to rehearse, and the option for the command line by the emulator's own parser."""
    rows = re.findall(r"^\| [^|]+ \| `(\{.*\})` \|$", text_of("how-to/testing.md"), re.MULTILINE)
    option = re.search(r"--fault '([^']+)'", text_of("reference/emulator.md"))
    assert len(rows) == 4
    assert option is not None
    running = dataworks_emulator_factory(jobs={11668: {"status": "Running", "stop_ends_in": "Failed"}})
    running.inject(*map(json.loads, rows))

    program = ["-m", "airflow_provider_dataworks.emulator", "--fault", option.group(1), "--host", "192.0.2.1"]
    run = subprocess.run([sys.executable, *program], capture_output=True, text=True, check=False)
    # The address is refused, after the fault was read: so the fault is good.
    assert run.returncode == 2
    assert "192.0.2.1" in run.stderr
