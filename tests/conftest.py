"""What tests of several parts share: conversations with a fake service, under both drivers."""

from __future__ import annotations

from collections.abc import Iterator

import emulated  # noqa: F401 - gives Airflow a home of the tests' own, before anything imports Airflow
import pytest
from fake_dataworks import Drive

from airflow_provider_dataworks.client.http import slots


@pytest.fixture(params=["blocking", "asyncio"])
def drive(request: pytest.FixtureRequest) -> Iterator[Drive]:
    """Run conversations by each of the two drivers; only sleeping moves the clock, and it takes no time."""
    driver = Drive(request.param)
    yield driver
    driver.close()


@pytest.fixture(autouse=True, scope="session")
def _slots_of_the_tests(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Keep the files by which processes share their pace where only the tests see them."""
    home = tmp_path_factory.mktemp("slots") / "shared"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(slots, "folder", lambda: home)
        yield
