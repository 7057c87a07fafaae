"""The built archives, and how to run a command in an environment that knows nothing of this tree."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path
from typing import Protocol

import pytest

ROOT = Path(__file__).parents[2]


class Run(Protocol):
    """Run a command in a folder and return what it printed."""

    def __call__(self, *command: str | Path, cwd: Path) -> str:
        """Fail with all that it said if it fails."""


@pytest.fixture(scope="session")
def run() -> Run:
    """Run a command away from the tree, and show what it said if it fails."""

    def run_command(*command: str | Path, cwd: Path) -> str:
        done = subprocess.run([str(word) for word in command], cwd=cwd, capture_output=True, text=True, check=False)
        assert done.returncode == 0, f"{command}\n{done.stdout}\n{done.stderr}"
        return done.stdout

    return run_command


@pytest.fixture(scope="session")
def uv() -> str:
    """The uv of this environment."""
    found = shutil.which("uv", path=str(Path(sys.executable).parent))
    assert found, "uv is missing beside the interpreter: `make` installs it"
    return found


@pytest.fixture(scope="session")
def built(tmp_path_factory: pytest.TempPathFactory, run: Run) -> dict[str, Path]:
    """Build the source archive, and the wheel out of it, so that the archive is proven complete."""
    out = tmp_path_factory.mktemp("dist")
    run(sys.executable, "-m", "build", "--no-isolation", "--outdir", out, ROOT, cwd=out)
    (wheel,) = out.glob("*.whl")
    (sdist,) = out.glob("*.tar.gz")
    return {"wheel": wheel, "sdist": sdist}
