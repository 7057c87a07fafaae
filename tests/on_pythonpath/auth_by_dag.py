"""An auth manager like Airflow's simplest, with users that may read some DAGs only; for tests of a real API server."""

from __future__ import annotations

import json
import os
from typing import Any

from airflow.api_fastapi.auth.managers.simple.simple_auth_manager import SimpleAuthManager

READABLE = "TEST_READABLE_DAGS"  # environment variable: JSON, by user their DAG ids; who is not in it may read all


class AuthByDag(SimpleAuthManager):
    """Lets users log in as they do with the simple auth manager, and read the DAGs that the environment names."""

    def is_authorized_dag(self, *, user: Any, details: Any = None, **arguments: Any) -> bool:
        """Say whether a user may do something to a DAG, or to any."""
        readable = json.loads(os.environ[READABLE]).get(user.username)
        if details is not None and details.id is not None and readable is not None and details.id not in readable:
            return False
        return super().is_authorized_dag(user=user, details=details, **arguments)
