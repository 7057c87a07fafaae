"""The built wheel and source archive, installed as a user would, in environments that know nothing of this tree."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest

from airflow_provider_dataworks import __version__

ROOT = Path(__file__).parents[2]
LOCK = ROOT / "requirements" / "airflow-3.3.txt"
ASK = """
import json
from importlib.metadata import distribution
import airflow_provider_dataworks as package
(entry,) = distribution("airflow-provider-dataworks").entry_points.select(group="apache_airflow_provider")
print(json.dumps({"file": package.__file__, "version": package.__version__, "info": entry.load()()}))
"""

pytestmark = pytest.mark.slow


def run(*command: str | Path, cwd: Path) -> str:
    """Run a command away from the tree, and show what it said if it fails."""
    done = subprocess.run([str(word) for word in command], cwd=cwd, capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"{command}\n{done.stdout}\n{done.stderr}"
    return done.stdout


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Build the source archive, and the wheel out of it, so that the archive is proven complete."""
    out = tmp_path_factory.mktemp("dist")
    run(sys.executable, "-m", "build", "--no-isolation", "--outdir", out, ROOT, cwd=out)
    (wheel,) = out.glob("*.whl")
    (sdist,) = out.glob("*.tar.gz")
    return {"wheel": wheel, "sdist": sdist}


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
def test_it_installs_and_registers(kind: str, built: dict[str, Path], tmp_path: Path) -> None:
    """A clean environment resolves what the archive declares, and Airflow lists the provider with its version."""
    uv = shutil.which("uv", path=str(Path(sys.executable).parent))
    assert uv, "uv is missing beside the interpreter: `make` installs it"
    python = tmp_path / "venv" / "bin" / "python"
    run(uv, "venv", "--quiet", "--python", sys.executable, tmp_path / "venv", cwd=tmp_path)
    install = (uv, "pip", "install", "--quiet", "--python", python)
    run(*install, "--constraints", LOCK, "--build-constraints", LOCK, built[kind], cwd=tmp_path)
    run(uv, "pip", "check", "--python", python, cwd=tmp_path)

    answer = json.loads(run(python, "-c", ASK, cwd=tmp_path))
    assert Path(answer["file"]).is_relative_to(tmp_path)
    assert answer["version"] == __version__
    assert answer["info"]["package-name"] == "airflow-provider-dataworks"

    listed = json.loads(
        run("env", f"AIRFLOW_HOME={tmp_path}", python, "-m", "airflow", "providers", "list", "-o", "json", cwd=tmp_path)
    )
    assert {"airflow-provider-dataworks": __version__}.items() <= {
        row["package_name"]: row["version"] for row in listed
    }.items()
