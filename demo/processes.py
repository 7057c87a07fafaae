"""Processes of this machine that end as one, and the ports they listen on; nothing in here knows Airflow."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

LOOPBACK = "127.0.0.1"


class ProcessProblem(Exception):
    """A process did not start, ended too early, or did not get where it should in time; the text is for people."""


def free_port(wanted: int = 0) -> int:
    """Return a port of the loopback address that nobody listens on at this moment, the one wanted if it is free."""
    with socket.socket() as probe:
        # As servers do: a port whose last connections have just ended is free.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((LOOPBACK, wanted))
        except OSError:
            return free_port()
        return int(probe.getsockname()[1])


@contextmanager
def signals_held() -> Iterator[None]:
    """Put off Ctrl-C and SIGTERM until the end of the block.

    A signal between starting a process and remembering it, or in the middle of stopping, would leave processes behind.
    """
    if threading.current_thread() is not threading.main_thread():
        yield  # Python runs signal handlers in the main thread only
        return
    arrived: list[int] = []
    numbers = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
    before = {number: signal.signal(number, lambda caught, _frame: arrived.append(caught)) for number in numbers}
    try:
        yield
    finally:
        for held, handler in before.items():
            signal.signal(held, handler)
        for number in arrived[:1]:
            os.kill(os.getpid(), number)


def _session_of(leader: int) -> Iterator[int]:
    """Yield the processes of a session, where the system lists processes as Linux does."""
    for entry in Path("/proc").glob("[0-9]*"):
        with suppress(ProcessLookupError):
            if os.getsid(int(entry.name)) == leader:
                yield int(entry.name)


class ManagedProcess:
    """One process with its own session and log file, so that it and its children can be ended as one."""

    def __init__(self, name: str, command: Sequence[str], *, env: Mapping[str, str], log: Path) -> None:
        self.name = name
        self.command = list(command)
        self.env = dict(env)
        self.log = log
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int | None:
        """The process id, or None when it is not running."""
        return self._process.pid if self._process is not None and self._process.poll() is None else None

    def start(self) -> None:
        """Start it; output goes to the log file."""
        if self.pid is not None:
            raise ProcessProblem(f"{self.name} is running already")
        with signals_held(), self.log.open("ab") as output:
            self._process = subprocess.Popen(
                self.command,
                env=self.env,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    def check(self) -> None:
        """Raise if it has ended by itself."""
        if self._process is not None and (code := self._process.poll()) is not None:
            raise ProcessProblem(f"{self.name} ended by itself (exit status {code}). {self.tail()}")

    def wait(self, timeout: float) -> int:
        """Wait until it ends and return its exit status."""
        if self._process is None:
            raise ProcessProblem(f"{self.name} was never started")
        try:
            return self._process.wait(timeout)
        except subprocess.TimeoutExpired:
            raise ProcessProblem(f"{self.name} did not end within {timeout:.0f} s. {self.tail()}") from None

    def terminate(self) -> None:
        """Ask it to end; children that it starts are its own business until `stop` or `kill`."""
        if self._process is not None and self._process.poll() is None:
            self._process.terminate()

    def kill(self) -> None:
        """End it and all its children at once (SIGKILL), as a lost machine would."""
        if self._process is None:
            return
        with signals_held():
            leader = self._process.pid
            with suppress(ProcessLookupError):
                os.killpg(leader, signal.SIGKILL)
            # Airflow puts each task into a process group of its own; the session still holds them together.
            killed: set[int] = set()
            while left := set(_session_of(leader)) - killed:
                for pid in left:
                    with suppress(ProcessLookupError):
                        os.kill(pid, signal.SIGKILL)
                killed |= left
            self._process.wait()
            self._process = None

    def stop(self, grace: float) -> None:
        """Ask it to end, and after at most `grace` seconds end what is left of it and its children."""
        if self._process is None:
            return
        with signals_held():
            self.terminate()
            with suppress(subprocess.TimeoutExpired):
                self._process.wait(max(grace, 0.0))
            self.kill()

    def tail(self, lines: int = 15) -> str:
        """Return the end of its log, for an error message."""
        text = self.log.read_text(errors="replace").splitlines() if self.log.exists() else []
        return "\n".join([f"The end of {self.log}:", *(f"    {line[:200]}" for line in text[-lines:])])
