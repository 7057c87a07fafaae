"""
Says what whoever asks may read, by Airflow's own login and auth manager; it knows no rule of its own.

``get_user`` and ``get_auth_manager`` are how Airflow's own pages ask. They are not among the interfaces that Airflow
promises to keep; the plugin drops the page where they cannot be imported.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import Annotated, Any

from airflow.api_fastapi.app import get_auth_manager
from airflow.api_fastapi.auth.managers.models.resource_details import DagAccessEntity, DagDetails
from airflow.api_fastapi.core_api.security import get_user
from airflow.models.dag import DagModel
from fastapi import Depends

from airflow_provider_dataworks.version_compat import conf


@dataclass(frozen=True)
class Access:
    """
    What one user may read.

    :param dag_ids: the DAGs.
    :param may_read_notes: whether of a DAG they may read what its tasks noted, which are XComs.
    """

    dag_ids: frozenset[str]
    may_read_notes: Callable[[str], bool]


def access_of(user: Annotated[Any, Depends(get_user)]) -> Access:
    """Ask the auth manager; who has not logged in gets HTTP 401 from ``get_user``, before this is called."""
    manager: Any = get_auth_manager()
    dag_ids = frozenset(manager.get_authorized_dag_ids(user=user, method="GET"))
    teams = _teams(dag_ids)

    @cache
    def may_read_notes(dag_id: str) -> bool:
        details = DagDetails(id=dag_id, **teams.get(dag_id, {}))
        return bool(
            manager.is_authorized_dag(method="GET", access_entity=DagAccessEntity.XCOM, details=details, user=user)
        )

    return Access(dag_ids, may_read_notes)


def _teams(dag_ids: frozenset[str]) -> dict[str, dict[str, Any]]:
    """Return of each DAG the team that Airflow's own pages ask about, where this Airflow has teams (3.2 and later)."""
    find = getattr(DagModel, "get_dag_id_to_team_name_mapping", None)
    if find is None or not conf.getboolean("core", "multi_team", fallback=False):
        return {}
    return {dag_id: {"team_name": name} for dag_id, name in find(sorted(dag_ids)).items()}
