"""What is asked of a real Airflow over its REST API; nothing in here starts or ends a process."""

from __future__ import annotations

import http.client
import json
from collections.abc import Mapping
from typing import Any, NamedTuple
from urllib.parse import quote

from demo.processes import LOOPBACK

# Seconds for an answer: longer than an API server waits for its database.
_TIMEOUT = 90


class LogLine(NamedTuple):
    """One line of a task's log; of an exception it has type and text, not the frames."""

    level: str
    text: str


class RestProblem(Exception):
    """The API server refused a request; `status` is the HTTP status."""

    def __init__(self, status: int, text: str) -> None:
        super().__init__(f"HTTP {status}: {text[:2000]}")
        self.status = status


class AirflowRest:
    """
    The REST API of an Airflow on a port of this machine where everybody is admin.

    :param port: of its API server.
    """

    def __init__(self, port: int) -> None:
        self.port = port
        self.base_url = f"http://{LOOPBACK}:{port}"
        self._token: str | None = None

    def _request(self, method: str, path: str, body: Any, headers: Mapping[str, str]) -> Any:
        connection = http.client.HTTPConnection(LOOPBACK, self.port, timeout=_TIMEOUT)
        try:
            payload = None if body is None else json.dumps(body)
            connection.request(method, path, payload, {"Content-Type": "application/json", **headers})
            answer = connection.getresponse()
            text = answer.read().decode()
        finally:
            connection.close()
        if answer.status >= 400:
            raise RestProblem(answer.status, text)
        return json.loads(text) if text else None

    def rest(self, method: str, path: str, body: Any = None) -> Any:
        """Ask the REST API, e.g. `rest("GET", "/dags")`; the answer comes decoded."""
        if self._token is None:
            self._token = str(self._request("GET", "/auth/token", None, {})["access_token"])
        return self._request(method, f"/api/v2{path}", body, {"Authorization": f"Bearer {self._token}"})

    def trigger(self, dag_id: str, conf: Mapping[str, Any] | None = None) -> str:
        """Start a DAG run and return its id."""
        body = {"logical_date": None, "conf": dict(conf or {})}
        return str(self.rest("POST", f"/dags/{quote(dag_id, safe='')}/dagRuns", body)["dag_run_id"])

    def run_state(self, dag_id: str, run_id: str) -> str:
        """Return the state of a DAG run."""
        return str(self.rest("GET", f"{_run_path(dag_id, run_id)}")["state"])

    def task_instances(self, dag_id: str, run_id: str) -> list[dict[str, Any]]:
        """Return the task instances of a DAG run in the order of their start, those not started last."""
        found: list[dict[str, Any]] = []
        while True:
            page = self.rest("GET", f"{_run_path(dag_id, run_id)}/taskInstances?limit=100&offset={len(found)}")
            found += page["task_instances"]
            if len(found) >= page["total_entries"] or not page["task_instances"]:
                break
        return sorted(found, key=lambda task: (task["start_date"] is None, task["start_date"] or ""))

    def task_log(self, dag_id: str, run_id: str, task_id: str, try_number: int, map_index: int = -1) -> list[LogLine]:
        """Return one try's log."""
        path = _task_path(dag_id, run_id, task_id)
        content = self.rest("GET", f"{path}/logs/{try_number}?full_content=true&map_index={map_index}")["content"]
        return [_log_line(entry) for entry in content]

    def task_instance(self, dag_id: str, run_id: str, task_id: str, map_index: int = -1) -> dict[str, Any]:
        """Return one task instance."""
        return dict(self.rest("GET", f"{_task_path(dag_id, run_id, task_id)}/{map_index}"))

    def task_links(self, dag_id: str, run_id: str, task_id: str, map_index: int = -1) -> dict[str, str | None]:
        """Return a task instance's extra links by name."""
        found = self.rest("GET", f"{_task_path(dag_id, run_id, task_id)}/links?map_index={map_index}")
        return dict(found["extra_links"])

    def xcom(self, dag_id: str, run_id: str, task_id: str, map_index: int = -1, *, key: str = "return_value") -> Any:
        """Return what a task instance pushed; a `RestProblem` with status 404 if it has pushed nothing."""
        path = f"{_task_path(dag_id, run_id, task_id)}/xcomEntries/{quote(key, safe='')}"
        return self.rest("GET", f"{path}?map_index={map_index}")["value"]

    def mark_task(self, dag_id: str, run_id: str, task_id: str, state: str, map_index: int = -1) -> None:
        """Mark a task instance success, failed or skipped, as a person would."""
        path = f"{_task_path(dag_id, run_id, task_id)}/{map_index}"
        self.rest("PATCH", f"{path}?update_mask=new_state", {"new_state": state})

    def mark_run(self, dag_id: str, run_id: str, state: str) -> None:
        """Mark a DAG run success or failed, as a person would; what of it still runs is ended."""
        self.rest("PATCH", f"{_run_path(dag_id, run_id)}?update_mask=state", {"state": state})

    def clear_tasks(self, dag_id: str, run_id: str, *task_ids: str | tuple[str, int], **options: bool) -> None:
        """
        Clear the named tasks of a DAG run whatever their state, as a person would, so that they run again.

        :param task_ids: task ids; of a mapped task one index with it.
        :param options: the API's own, such as ``include_downstream`` and ``only_failed``.
        """
        body = {"dry_run": False, "only_failed": False, "dag_run_id": run_id, "task_ids": list(task_ids), **options}
        self.rest("POST", f"/dags/{quote(dag_id, safe='')}/clearTaskInstances", body)

    def clear_exactly(self, dag_id: str, run_id: str, *task_instances: str) -> None:
        """
        Clear these task instances and no others, so that they run again; Airflow 3.4 and later.

        :param task_instances: their own ids, the ``id`` of :meth:`task_instance`.
        """
        body = {"dry_run": False, "only_failed": False, "dag_run_id": run_id, "task_instance_ids": list(task_instances)}
        self.rest("POST", f"/dags/{quote(dag_id, safe='')}/clearTaskInstances", body)

    def add_pool(self, name: str, slots: int, *, include_deferred: bool) -> None:
        """Make a pool."""
        self.rest("POST", "/pools", {"name": name, "slots": slots, "include_deferred": include_deferred})

    def add_connection(self, conn_id: str, fields: Mapping[str, Any], description: str = "") -> None:
        """Store a connection, its fields as `AIRFLOW_CONN_...` takes them."""
        body = {**fields, "connection_id": conn_id, "description": description, "extra": json.dumps(fields["extra"])}
        self.rest("POST", "/connections", body)


def _run_path(dag_id: str, run_id: str) -> str:
    return f"/dags/{quote(dag_id, safe='')}/dagRuns/{quote(run_id, safe='')}"


def _task_path(dag_id: str, run_id: str, task_id: str) -> str:
    return f"{_run_path(dag_id, run_id)}/taskInstances/{quote(task_id, safe='')}"


def _log_line(entry: Any) -> LogLine:
    if not isinstance(entry, dict):
        return LogLine("", str(entry))
    errors = [f"{error.get('exc_type')}: {error.get('exc_value')}" for error in entry.get("error_detail") or ()]
    return LogLine(entry.get("level") or "", "; ".join([str(entry.get("event", "")), *errors]))
