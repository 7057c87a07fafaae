"""A secrets backend that does not answer while a file exists, for real Airflows in tests; it stores nothing."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from airflow.secrets.base_secrets import BaseSecretsBackend


class SilentSecrets(BaseSecretsBackend):
    """
    Connections for as long as a file is absent; else the trouble of a vault that cannot be reached.

    :param silent: path of that file.
    :param connections: fields of connections by id, as `AIRFLOW_CONN_...` takes them.
    """

    def __init__(self, silent: str, connections: Mapping[str, Mapping[str, Any]]) -> None:
        super().__init__()
        self.silent = Path(silent)
        self.connections = {conn_id: json.dumps(fields) for conn_id, fields in connections.items()}

    def get_conn_value(self, conn_id: str, *_: Any, **__: Any) -> str | None:
        """Return a connection as JSON text, ``None`` if it is not one of these."""
        if self.silent.exists():
            raise ConnectionError("the vault does not answer")
        return self.connections.get(conn_id)

    def get_variable(self, *_: Any, **__: Any) -> None:
        """It has none."""

    def get_config(self, *_: Any, **__: Any) -> None:
        """It has none."""
