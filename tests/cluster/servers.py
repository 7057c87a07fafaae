"""PostgreSQL and Redis of a test: free loopback ports, data in folders of their own that go at the end; no Airflow."""

from __future__ import annotations

import os
import pwd
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from demo.processes import LOOPBACK, ManagedProcess, ProcessProblem, free_port


def answers(port: int, what: ManagedProcess, timeout: float = 30.0) -> None:
    """Wait until somebody listens on a port."""
    deadline = time.monotonic() + timeout
    while True:
        with socket.socket() as probe:
            if probe.connect_ex((LOOPBACK, port)) == 0:
                return
        what.check()
        if time.monotonic() > deadline:
            raise ProcessProblem(f"{what.name} did not listen within {timeout:.0f} s. {what.tail()}")
        time.sleep(0.1)


def _postgres_program(name: str) -> str:
    """Return the path of one of PostgreSQL's programs; Debian keeps them off the PATH, a folder for each version."""
    folders = sorted(Path("/usr/lib/postgresql").glob("*/bin"), key=lambda path: float(path.parent.name))
    found = shutil.which(name, path=os.pathsep.join([*map(str, reversed(folders)), os.environ.get("PATH", "")]))
    if found is None:
        raise ProcessProblem(f"{name} was not found. Install PostgreSQL (Debian: apt-get install postgresql).")
    return found


class Postgres:
    """
    A PostgreSQL with an empty database `postgres`, for the user `airflow` without a password.

    It refuses to run as root, so it then runs as the user `postgres` that its package made.

    :param home: folder for its data and log; that user must be able to reach it.
    """

    def __init__(self, home: Path) -> None:
        self.port = free_port()
        self.address = f"airflow@{LOOPBACK}:{self.port}/postgres"
        as_user: list[str] = []
        if os.geteuid() == 0:
            as_user = ["setpriv", "--reuid=postgres", "--regid=postgres", "--clear-groups"]
            user = pwd.getpwnam("postgres")
            os.chown(home, user.pw_uid, user.pw_gid)
        data = str(home / "data")
        make = [
            *as_user,
            _postgres_program("initdb"),
            "--pgdata",
            data,
            "--username=airflow",
            "--auth=trust",
            "--no-sync",
        ]
        subprocess.run(make, check=True, capture_output=True, cwd=home)
        options = {
            "listen_addresses": LOOPBACK,
            "port": self.port,
            "unix_socket_directories": home,
            "max_connections": 300,
        }
        words = [word for name, value in options.items() for word in ("-c", f"{name}={value}")]
        command = [*as_user, _postgres_program("postgres"), "-D", data, *words]
        self.process = ManagedProcess("PostgreSQL", command, env=os.environ, log=home / "postgres.log")

    def start(self) -> None:
        """Start it, and wait until it can be asked."""
        self.process.start()
        answers(self.port, self.process)
        ready = [_postgres_program("pg_isready"), "--host", LOOPBACK, "--port", str(self.port), "--quiet"]
        deadline = time.monotonic() + 60
        while subprocess.run(ready, check=False).returncode:  # it recovers, after a kill
            self.process.check()
            if time.monotonic() > deadline:
                raise ProcessProblem(f"PostgreSQL was not ready within a minute. {self.process.tail()}")
            time.sleep(0.1)

    def kill(self) -> None:
        """End it at once (SIGKILL) with all that are connected; `start` brings it back with its data."""
        self.process.kill()


@contextmanager
def postgres() -> Iterator[Postgres]:
    """Run a PostgreSQL."""
    home = Path(tempfile.mkdtemp(prefix="dataworks-postgres-"))
    try:
        server = Postgres(home)
        try:
            server.start()
            yield server
        finally:
            server.kill()
    finally:
        shutil.rmtree(home, ignore_errors=True)


@contextmanager
def redis(home: Path) -> Iterator[str]:
    """Run a Redis that keeps nothing, and give its URL."""
    port = free_port()
    command = ["redis-server", "--bind", LOOPBACK, "--port", str(port), "--save", "", "--appendonly", "no"]
    server = ManagedProcess("Redis", [*command, "--dir", str(home)], env=os.environ, log=home / "redis.log")
    try:
        server.start()
        answers(port, server)
        yield f"redis://{LOOPBACK}:{port}/0"
    finally:
        server.kill()
