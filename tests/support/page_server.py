"""API servers of a real Airflow with the page, below a path, for users who may read some DAGs; its rows are made."""

from __future__ import annotations

import http.client
import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from demo.airflow_processes import clean_environment
from demo.processes import LOOPBACK, ManagedProcess, ProcessProblem, free_port

TESTS = Path(__file__).parents[1]
ROOT = TESTS.parent
PATH = "/team/airflow"
PASSWORD = "emulated-password"
USERS = {"ann": "admin", "bob": "viewer", "dora": "viewer"}


@dataclass(frozen=True)
class PageServer:
    """
    One Airflow, as far as its pages go.

    :param urls: its address, of each API server.
    """

    home: Path
    urls: tuple[str, ...]
    env: Mapping[str, str]

    def rows(self, *arguments: str) -> None:
        """Make rows, in a process of this Airflow; see made_rows.py."""
        _run(self.env, sys.executable, str(Path(__file__).with_name("made_rows.py")), *arguments)

    def token(self, user: str, server: int = 0) -> str:
        """Log in, and return what a browser would keep as a cookie."""
        answer = self._ask("POST", server, "/auth/token", {"username": user, "password": PASSWORD})
        return str(json.loads(answer[1])["access_token"])

    def get(self, path: str, token: str | None = None, server: int = 0) -> tuple[int, str]:
        """Ask for a page: HTTP status and text."""
        return self._ask("GET", server, f"/dataworks/{path}", None, token)

    def _ask(self, method: str, server: int, path: str, body: object, token: str | None = None) -> tuple[int, str]:
        url = urlsplit(self.urls[server])
        connection = http.client.HTTPConnection(str(url.hostname), url.port, timeout=60)
        headers = {"Content-Type": "application/json", **({"Cookie": f"_token={token}"} if token else {})}
        connection.request(method, f"{url.path}{path}", None if body is None else json.dumps(body), headers)
        answer = connection.getresponse()
        try:
            return answer.status, answer.read().decode()
        finally:
            connection.close()


@contextmanager
def page_server(
    home: Path,
    readable: Mapping[str, list[str]],
    *,
    path: str = PATH,
    servers: int = 1,
    users: Mapping[str, str] = USERS,
) -> Iterator[PageServer]:
    """
    Run API servers on one database.

    :param home: an empty directory.
    :param readable: by user, the DAGs that they may read; others may read all.
    """
    ports = [free_port() for _ in range(servers)]
    passwords = home / "passwords.json"
    passwords.write_text(json.dumps(dict.fromkeys(USERS, PASSWORD)))
    (home / "dags").mkdir()
    env = clean_environment(
        {
            "AIRFLOW_HOME": str(home),
            "TMPDIR": str(home),
            "AIRFLOW__CORE__DAGS_FOLDER": str(home / "dags"),
            "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
            "AIRFLOW__CORE__AUTH_MANAGER": "auth_by_dag.AuthByDag",
            "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_USERS": ",".join(f"{name}:{role}" for name, role in USERS.items()),
            "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_PASSWORDS_FILE": str(passwords),
            "AIRFLOW__CORE__MIN_SERIALIZED_DAG_UPDATE_INTERVAL": "0",
            "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": f"sqlite:///{home / 'airflow.db'}?timeout=60",
            "AIRFLOW__USAGE_DATA_COLLECTION__ENABLED": "False",
            "AIRFLOW__API__HOST": LOOPBACK,
            "AIRFLOW__API__WORKERS": "1",
            "TEST_READABLE_DAGS": json.dumps(dict(readable)),
            "PYTHONPATH": os.pathsep.join(
                map(str, (ROOT / "tests" / "on_pythonpath", ROOT / "tests" / "support", ROOT))
            ),
        }
    )
    _run(env, sys.executable, "-m", "airflow", "db", "migrate")
    with ExitStack() as stack:
        urls = []
        for number, port in enumerate(ports):
            url = f"http://{LOOPBACK}:{port}{path}"
            own = {**env, "AIRFLOW__API__PORT": str(port), "AIRFLOW__API__BASE_URL": url}
            command = [sys.executable, "-m", "airflow", "api-server"]
            process = ManagedProcess(f"api-server-{number}", command, env=own, log=home / f"api-server-{number}.log")
            process.start()
            stack.callback(process.stop, 5.0)
            urls.append(url)
        server = PageServer(home, tuple(urls), env)
        for number in range(servers):
            _wait(server, number)
        yield server


def _wait(server: PageServer, number: int, timeout: float = 90.0) -> None:
    deadline = time.monotonic() + timeout
    while True:
        try:
            if server.get("static/page.css", server=number)[0] == 200:
                return
        except (OSError, http.client.HTTPException):
            pass
        if time.monotonic() > deadline:
            log = (server.home / f"api-server-{number}.log").read_text()[-3000:]
            raise ProcessProblem(f"Waited {timeout:.0f} s in vain for the API server.\n{log}")
        time.sleep(0.3)


def _run(env: Mapping[str, str], *command: str) -> None:
    done = subprocess.run(command, env=dict(env), cwd=ROOT, capture_output=True, text=True, check=False)
    if done.returncode:
        raise ProcessProblem(f"{' '.join(command)} failed:\n{done.stdout[-2000:]}{done.stderr[-3000:]}")
