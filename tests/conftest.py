"""What tests of several parts share: a client of a fake service."""

from __future__ import annotations

from collections.abc import Generator, Iterator

import emulated  # noqa: F401 - gives Airflow a home of the tests' own, before anything imports Airflow
import pytest
from fake_dataworks import Drive

from airflow_provider_dataworks.client import files


@pytest.fixture
def drive() -> Drive:
    """A client of a fake service; only sleeping moves its clock, and it takes no time."""
    return Drive()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport() -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Make the report of a test about half an emoji fit to travel between the processes of pytest."""
    report = yield
    report.sections = [(name, text.encode(errors="replace").decode()) for name, text in report.sections]
    return report


@pytest.fixture(autouse=True, scope="session")
def _files_of_the_tests(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Keep the files by which processes share their pace where only the tests see them."""
    home = tmp_path_factory.mktemp("rate") / "shared"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(files, "folder", lambda: home)
        yield
