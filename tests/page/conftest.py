"""The page behind a path, as Airflow mounts it, on a real database, for users that a stub auth manager knows."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import emulated  # noqa: F401 - sets Airflow's home before Airflow is imported
import pytest
from airflow_limits import lacks
from dag_runs import database
from stored import empty_database

# These need the page itself; test_plugin.py tells what is without it.
collect_ignore = ["test_page.py", "test_data.py", "test_calendar.py"] if lacks("page") else []


@dataclass
class Users:
    """
    Airflow's auth manager, as far as the page asks it.

    :param dags: the DAGs that each user may read.
    :param without_xcoms: users that may read DAGs and runs, and no XComs.
    :param notes_hidden: DAGs of which nobody may read XComs.
    """

    dags: dict[str, set[str]] = field(default_factory=dict)
    without_xcoms: set[str] = field(default_factory=set)
    notes_hidden: set[str] = field(default_factory=set)

    def get_authorized_dag_ids(self, *, user: str, method: str) -> set[str]:
        """Answer as Airflow's auth managers do."""
        assert method == "GET"
        return set(self.dags[user])

    def is_authorized_dag(self, *, method: str, access_entity: Any, details: Any, user: str) -> bool:
        """Answer as Airflow's auth managers do."""
        assert (method, access_entity.name) == ("GET", "XCOM")
        return details.id in self.dags[user] and user not in self.without_xcoms and details.id not in self.notes_hidden


@pytest.fixture
def empty() -> None:
    """Begin with a database without runs and DAGs."""
    database()
    empty_database()


@pytest.fixture
def users() -> Users:
    """The users; a test says what they may read."""
    return Users()


@pytest.fixture
def ask(empty: None, users: Users, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., Any]]:
    """Ask for a page as a user, or as nobody: ``ask("windows", "ann")``; the answer comes as httpx has it."""
    from airflow.api_fastapi.core_api.security import get_user
    from fastapi import FastAPI
    from fastapi.testclient import TestClient

    from airflow_provider_dataworks.page import access
    from airflow_provider_dataworks.page.app import make_app

    monkeypatch.setattr(access, "get_auth_manager", lambda: users)
    page = make_app()
    airflow = FastAPI(root_path="/team/airflow")
    airflow.mount("/dataworks", page)
    with TestClient(airflow, raise_server_exceptions=False) as client:

        def get(path: str = "", user: str | None = None, method: str = "GET") -> Any:
            page.dependency_overrides = {} if user is None else {get_user: lambda: user}
            return client.request(method, f"/team/airflow/dataworks/{path}")

        yield get
