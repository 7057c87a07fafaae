"""The emulated DataWorks of the demos, in a process of its own; what it is to do is told by its command line."""

from __future__ import annotations

import http.client
import json
import os
import sys
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

from airflow_provider_dataworks.get_provider_info import CONN_FIELDS
from demo.processes import LOOPBACK, ManagedProcess, ProcessProblem, free_port

PROJECT_ID = 1967  # the workspace of its jobs


class Emulator:
    """
    An emulated DataWorks; a context manager that leaves no process behind.

    :param directory: where its log goes.
    :param options: of `python -m airflow_provider_dataworks.emulator`, such as its jobs.
    :param port: to listen on, if it is free.
    """

    def __init__(self, directory: Path, *options: str, port: int = 0) -> None:
        self.port = free_port(port)
        self.url = f"http://{LOOPBACK}:{self.port}"
        command = [sys.executable, "-m", "airflow_provider_dataworks.emulator", "--port", str(self.port), *options]
        self.process = ManagedProcess("The emulator", command, env=os.environ, log=directory / "emulator.log")

    def __enter__(self) -> Emulator:
        self.process.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.process.stop(grace=2.0)

    @property
    def connection(self) -> dict[str, Any]:
        """The Airflow connection to it, as `AIRFLOW_CONN_...` takes it; a real account differs in these values only."""
        return {
            "conn_type": "dataworks",
            "host": f"http://{LOOPBACK}",
            "port": self.port,
            "login": "LTAIemulator",
            "password": "emulator-secret",
            "extra": {"region": "cn-shanghai", "project_id": PROJECT_ID},
        }

    @property
    def form(self) -> dict[str, Any]:
        """The connection as if saved from the form of Airflow 3.3, which shows only what a stored connection holds."""
        untouched: dict[str, Any] = {name: field["schema"].get("default") for name, field in CONN_FIELDS.items()}  # type: ignore[attr-defined]
        return {**self.connection, "extra": {**untouched, **self.connection["extra"]}}

    def state(self) -> dict[str, Any]:
        """Return its jobs and how many calls it served and refused."""
        connection = http.client.HTTPConnection(LOOPBACK, self.port, timeout=10)
        try:
            connection.request("GET", "/_emulator/state")
            return dict(json.loads(connection.getresponse().read()))
        finally:
            connection.close()

    def wait_ready(self, timeout: float = 20.0) -> dict[str, Any]:
        """Wait until it answers, and return its state."""
        deadline = time.monotonic() + timeout
        while True:
            with suppress(ConnectionError):
                return self.state()
            self.process.check()
            if time.monotonic() > deadline:
                raise ProcessProblem(f"The emulator did not answer within {timeout:.0f} s. {self.process.tail()}")
            time.sleep(0.1)
