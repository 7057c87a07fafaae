"""Every code block of README is run: one of a kind that nothing here knows how to run fails.

The blocks of the section "Connection" are tested with the connection, in ``test_readme.py``.
"""

from __future__ import annotations

import inspect
import itertools
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
from packaging.requirements import Requirement
from readme_blocks import BLOCKS, README, ROOT, Block, run_a_users_tests

from airflow_provider_dataworks.emulator import Emulator
from airflow_provider_dataworks.emulator.fixtures import (
    dataworks_emulator,
    dataworks_emulator_factory,
)
from airflow_provider_dataworks.hooks.dataworks import DataWorksHook
from airflow_provider_dataworks.maintenance import DIJobMaintenance, MaintenanceWindow
from airflow_provider_dataworks.version_compat import DAG

__all__ = ["dataworks_emulator", "dataworks_emulator_factory"]

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
CONSTRAINTS = "https://raw.githubusercontent.com/apache/airflow/constraints-X.Y.Z/constraints-3.N.txt"
COMMANDS = [words for block in BLOCKS if block.kind == "bash" for words in block.commands]


def test_nothing_is_left_out() -> None:
    """As many blocks were found as README opens, so that no odd fence hides one."""
    connection = README.split("## Connection\n")[1].split("\n## ")[0]

    fences = [len(re.findall(r"^\s*(```|~~~)", text, re.MULTILINE)) for text in (README, connection)]
    assert fences[0] - fences[1] == 2 * len(BLOCKS)
    assert {block.kind for block in BLOCKS} == {"bash", "dockerfile", "python"}


# Python


def _ids(block: Block) -> str:
    return f"{block.section}: {block.text.strip().splitlines()[0]}"


@pytest.mark.parametrize("block", [block for block in BLOCKS if block.kind == "python" and not block.file], ids=_ids)
def test_python_blocks_run(block: Block, dataworks_emulator: Emulator) -> None:
    """As they stand, with a connection to the emulator; one that makes a DAG makes a whole one."""
    found: dict[str, Any] = {}
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        exec(compile(block.text, f"README.md, {block.section}", "exec"), found)  # noqa: S102 - our own README

    dags = [value for value in found.values() if isinstance(value, DAG)]
    assert len(dags) == block.quoted
    for dag in dags:
        assert dag.tasks
        dag.validate()
    if not dags and "DataWorksHook()" in block.text:
        assert dataworks_emulator.count(outcome="served")


@pytest.mark.slow
def test_a_users_tests_run(tmp_path: Path) -> None:
    """The DAG of the quick start, the two files and the commands, in an empty folder, give a green pytest."""
    assert [block.file for block in BLOCKS if block.file] == ["conftest.py", "test_stop.py"]
    assert "1 passed" in run_a_users_tests(tmp_path)


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


def an_emulator(words: list[str], emulator: Emulator) -> None:
    """It starts with these arguments, but another port, and ends when asked."""
    assert words[:3] == ["python", "-m", "airflow_provider_dataworks.emulator"]
    arguments = ["0" if before == "--port" else word for before, word in itertools.pairwise(words)]
    with subprocess.Popen(
        [sys.executable, *arguments], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    ) as process:
        assert process.stdout is not None
        first = process.stdout.readline()
        process.send_signal(signal.SIGINT)
        rest = process.stdout.read()
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
    """Each variable is one that Airflow reads: its home, or an option of its configuration."""
    from airflow.configuration import conf

    for word in words[1:]:
        name = word.partition("=")[0]
        section, _, option = name.removeprefix("AIRFLOW__").lower().partition("__")
        assert name == "AIRFLOW_HOME" or conf.has_option(section, option), name


def a_test_run(words: list[str], emulator: Emulator) -> None:
    """It is run with the files beside it, by the test of a user's tests."""
    assert words == ["pytest"]


CHECKS: dict[str, Callable[[list[str], Emulator], None]] = {
    "make": a_make_target,
    "pip": an_installation,
    "python": an_emulator,
    "curl": a_request,
    "airflow": an_airflow_command,
    "export": an_environment,
    "pytest": a_test_run,
}


@pytest.mark.parametrize("words", COMMANDS, ids=" ".join)
def test_commands_do_what_they_say(words: list[str], emulator: Emulator) -> None:
    """Each by what its program is; a program that is not known here fails."""
    CHECKS[words[0]](words, emulator)


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


def test_the_pool_it_makes_counts_deferred_tasks() -> None:
    """Or it bounds only the few seconds of asking, as README says."""
    from airflow.cli.cli_parser import get_parser

    (words,) = [words for words in COMMANDS if words[:2] == ["airflow", "pools"]]
    arguments = get_parser().parse_args(words[1:])

    assert (arguments.pool, arguments.slots, arguments.include_deferred) == ("dataworks", 40, True)


# Words, links and derived parts


@pytest.mark.parametrize("made", [MaintenanceWindow, DIJobMaintenance])
def test_every_parameter_of_a_maintenance_is_explained(made: type) -> None:
    """In the tables of its section; those of operators and sensor are held in ``test_readme.py``."""
    section = README.split("## Maintenance windows")[1].split("\n## ")[0]

    for name, parameter in inspect.signature(made).parameters.items():
        if parameter.kind is not inspect.Parameter.VAR_KEYWORD:
            assert re.search(rf"^\|[^|]*`{name}`", section, re.MULTILINE), name


def test_every_method_of_the_hook_is_explained() -> None:
    """In the table of its section, but what Airflow asks for to draw the form."""
    section = README.split("## DataWorksHook")[1].split("\n## ")[0]
    methods = [
        name for name, found in vars(DataWorksHook).items() if inspect.isfunction(found) and not name.startswith("_")
    ]

    assert "get_di_job" in methods
    for name in methods:
        assert f"`{name}(" in section or f"await {name}(" in section, name


def load_the_writer() -> Any:
    """Return the module behind ``make readme``."""
    import importlib.util

    spec = importlib.util.spec_from_file_location("readme", ROOT / "docs" / "readme.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_derived_parts_are_up_to_date() -> None:
    """Contents, examples and the table of errors are what ``make readme`` would write."""
    assert load_the_writer().filled(README) == README


def test_every_link_inside_leads_somewhere() -> None:
    """To a heading, a row of the table of errors, or a file; pictures are made by tests of their own."""
    prose = re.sub(r"^```.*?^```$", "", README, flags=re.MULTILINE | re.DOTALL)
    headings = [load_the_writer().anchor(text) for text in re.findall(r"^##+ (.+)$", prose, re.MULTILINE)]
    anchors = headings + re.findall(r'<a id="([^"]+)">', prose)

    assert len(anchors) == len(set(anchors))
    for target in re.findall(r"\]\((?!https?:)([^)]+)\)", prose):
        if target.startswith("#"):
            assert target[1:] in anchors, target
        elif not target.endswith(".png"):
            assert (ROOT / target).exists(), target
