"""The built wheel and source archive, installed as a user would, in environments that know nothing of this tree."""

from __future__ import annotations

import json
import sys
import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from airflow_provider_dataworks import __version__

ROOT = Path(__file__).parents[2]
REQUIREMENTS = ROOT / "requirements"
ASK = """
import json
from importlib.metadata import distribution
import airflow_provider_dataworks as package
(entry,) = distribution("airflow-provider-dataworks").entry_points.select(group="apache_airflow_provider")
print(json.dumps({"file": package.__file__, "version": package.__version__, "info": entry.load()()}))
"""

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def wheel_names(built: dict[str, Path]) -> list[str]:
    """The paths in the wheel."""
    with zipfile.ZipFile(built["wheel"]) as archive:
        return archive.namelist()


def test_the_wheel_holds_the_package(wheel_names: list[str]) -> None:
    """Every file of the package is in it, with the type marker, the emulator and the licence."""
    files = (path for path in (ROOT / "airflow_provider_dataworks").rglob("*") if path.is_file())
    wanted = {path.relative_to(ROOT).as_posix() for path in files if path.parent.name != "__pycache__"}
    wanted |= {
        "airflow_provider_dataworks/py.typed",
        "airflow_provider_dataworks/emulator/__main__.py",
        f"airflow_provider_dataworks-{__version__}.dist-info/licenses/LICENSE",
    }
    assert wanted <= set(wheel_names)


def test_the_wheel_holds_nothing_else(wheel_names: list[str]) -> None:
    """Tests, demo and locks stay out: they would land in everybody's site-packages."""
    tops = {name.split("/")[0] for name in wheel_names}
    assert tops == {"airflow_provider_dataworks", f"airflow_provider_dataworks-{__version__}.dist-info"}


def test_the_source_archive_holds_no_machine_path(built: dict[str, Path], tmp_path: Path) -> None:
    """Nothing in it says where it was built, and no tool's leavings came along."""
    with tarfile.open(built["sdist"]) as archive:
        files = {member.name: archive.extractfile(member) for member in archive.getmembers() if member.isfile()}
        texts = {name: stream.read() for name, stream in files.items() if stream is not None}
    assert not [name for name in texts if "/." in name.removesuffix("/.gitignore") or "__pycache__" in name]
    places = [str(place).encode() for place in (ROOT, Path(sys.prefix), tmp_path) if len(place.parts) > 2]
    assert not [name for name, text in texts.items() if any(place in text for place in places)]


@pytest.mark.parametrize("kind", ["wheel", "sdist"])
def test_it_installs_and_registers(
    kind: str, built: dict[str, Path], tmp_path: Path, run: Callable[..., str], uv: str
) -> None:
    """A clean environment resolves what the archive declares, and Airflow lists the provider with its version."""
    python = tmp_path / "venv" / "bin" / "python"
    run(uv, "venv", "--quiet", "--python", sys.executable, tmp_path / "venv", cwd=tmp_path)
    install = (uv, "pip", "install", "--quiet", "--python", python)
    pins = [REQUIREMENTS / name for name in ("constraints-3.3.2.txt", "tools.txt")]
    options = [word for file in pins for word in ("--constraints", file, "--build-constraints", file)]
    run(*install, *options, built[kind], cwd=tmp_path)
    run(uv, "pip", "check", "--python", python, cwd=tmp_path)

    answer = json.loads(run(python, "-c", ASK, cwd=tmp_path))
    assert Path(answer["file"]).is_relative_to(tmp_path)
    assert answer["version"] == __version__
    assert answer["info"]["package-name"] == "airflow-provider-dataworks"

    airflow = ("env", f"AIRFLOW_HOME={tmp_path}", python, "-m", "airflow")
    printed = run(*airflow, "providers", "list", "-o", "json", cwd=tmp_path)
    listed = json.loads(printed.splitlines()[-1])  # on Python 3.14 it prints warnings about itself before
    assert {"airflow-provider-dataworks": __version__}.items() <= {
        row["package_name"]: row["version"] for row in listed
    }.items()
