"""What the benchmarks share: processes of their own, interleaved rounds, and the table with its verdict."""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self, TypeVar

if TYPE_CHECKING:
    from airflow_provider_dataworks.client.client import DataWorksClient

T = TypeVar("T")

KEYS = ("LTAIemulator", "emulator-secret")  # what the emulator knows
ROOT = Path(__file__).resolve().parents[1]


@dataclass(frozen=True)
class Bound:
    """
    A promise about a figure.

    :param limit: the number to keep to.
    :param least: whether that is the least allowed; otherwise it is the most.
    :param of_ratio: whether it is about the ratio to the baseline; otherwise about the figure itself.
    """

    limit: float
    least: bool = False
    of_ratio: bool = True

    def holds(self, figure: Figure) -> bool:
        """Say whether a figure keeps it; a figure that could not be measured does not."""
        value = figure.ratio if self.of_ratio else figure.value
        if value is None:
            return False
        return value >= self.limit if self.least else value <= self.limit

    def __str__(self) -> str:
        return f"{'>=' if self.least else '<='} {self.limit:g}{' x' if self.of_ratio else ''}"


def times(limit: float) -> Bound:
    """Promise at most this many times the baseline."""
    return Bound(limit)


def times_at_least(limit: float) -> Bound:
    """Promise at least this many times the baseline."""
    return Bound(limit, least=True)


def at_most(limit: float) -> Bound:
    """Promise that the figure itself is not above this."""
    return Bound(limit, of_ratio=False)


def at_least(limit: float) -> Bound:
    """Promise that the figure itself is not below this."""
    return Bound(limit, least=True, of_ratio=False)


@dataclass(frozen=True)
class Figure:
    """
    One line of a table.

    :param name: what was measured, with its unit.
    :param baseline: the same thing done the other way, measured in the same run; ``None`` where there is no other way.
    :param bound: what is promised; ``None`` for a figure that is there to be compared with.
    :param shares: ratios of the single rounds, whose median then stands for the ratio: a machine that is busy for some
        rounds is so for both sides of them.
    """

    name: str
    value: float
    baseline: float | None = None
    bound: Bound | None = None
    shares: Sequence[float] = ()

    @property
    def ratio(self) -> float | None:
        """How many times the baseline it is."""
        if self.shares:
            return statistics.median(self.shares)
        return self.value / self.baseline if self.baseline else None

    @property
    def verdict(self) -> str:
        """Whether the bound holds, in a word."""
        if self.bound is None:
            return ""
        return "holds" if self.bound.holds(self) else "MISSED"


def table(title: str, figures: Sequence[Figure]) -> str:
    """Write figures as text for people."""
    width = max(len(figure.name) for figure in figures)
    lines = [title, "", f"{'':{width}}  {'figure':>10}  {'baseline':>10}  {'ratio':>6}  {'bound':>10}"]
    for figure in figures:
        words = (_number(figure.value), _number(figure.baseline), _number(figure.ratio, 2), str(figure.bound or ""))
        line = "  ".join(f"{word:>{room}}" for word, room in zip(words, (10, 10, 6, 10), strict=True))
        lines.append(f"{figure.name:{width}}  {line}  {figure.verdict}".rstrip())
    return "\n".join(lines)


def _number(value: float | None, digits: int | None = None) -> str:
    if value is None:
        return ""
    if digits is None:
        digits = 0 if float(value).is_integer() or abs(value) >= 1000 else 2 if abs(value) < 10 else 1
    return f"{value:,.{digits}f}"


def report(title: str, figures: Sequence[Figure]) -> int:
    """Print the table and return the exit status: 1 if a bound was missed."""
    print(table(title, figures), end="\n\n", flush=True)
    return int(any(figure.verdict == "MISSED" for figure in figures))


def interleaved(rounds: int, contestants: Mapping[str, Callable[[], T]]) -> dict[str, list[T]]:
    """
    Measure all contestants once a round, so that a busy minute of the machine meets each of them.

    :return: by contestant, what each round found.
    """
    found: dict[str, list[T]] = {name: [] for name in contestants}
    for number in range(rounds):
        # Every other round backwards: whoever always follows the hungriest would find the machine at its slowest.
        for name in list(contestants)[:: -1 if number % 2 else 1]:
            found[name].append(contestants[name]())
    return found


def shares(ours: Sequence[float], theirs: Sequence[float]) -> list[float]:
    """Ratios of one contestant to another, round by round."""
    return [one / other for one, other in zip(ours, theirs, strict=True)]


def environment(home: str, **more: str) -> dict[str, str]:
    """Return an environment for a process with Airflow in it, which may not touch the user's own nor be chatty."""
    return {
        # Of a user's own Airflow and proxies nothing may be seen.
        **{name: value for name, value in os.environ.items() if not name.startswith(("AIRFLOW", "_AIRFLOW"))},
        "AIRFLOW_HOME": home,
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
        "AIRFLOW__LOGGING__LOGGING_LEVEL": "ERROR",
        "NO_PROXY": "127.0.0.1,localhost",
        "PYTHONPATH": str(ROOT),
        **more,
    }


def child(module: str, *arguments: str, environ: Mapping[str, str]) -> Any:
    """Run a module in a process of its own and return what its last line says, as JSON."""
    command = [sys.executable, "-m", module, *arguments]
    done = subprocess.run(command, env=environ, cwd=ROOT, capture_output=True, text=True, check=False)  # noqa: S603
    if done.returncode:
        raise RuntimeError(f"{' '.join(command[1:])} failed:\n{done.stdout}{done.stderr}")
    return json.loads(done.stdout.splitlines()[-1])


class Serving:
    """
    A server in a process of its own: it says its address in its first line and ends when its standard input does.

    :param settings: sent to it as JSON, in one line.
    """

    def __init__(self, module: str, settings: Mapping[str, Any], environ: Mapping[str, str]) -> None:
        self._process = subprocess.Popen(  # noqa: S603 - our own modules
            [sys.executable, "-m", module],
            env=environ,
            cwd=ROOT,
            text=True,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )
        self._say(settings)
        self.address: dict[str, Any] = self._hear()

    def _say(self, value: Any) -> None:
        assert self._process.stdin is not None  # noqa: S101 - it is a pipe
        self._process.stdin.write(json.dumps(value) + "\n")
        self._process.stdin.flush()

    def _hear(self) -> Any:
        assert self._process.stdout is not None  # noqa: S101 - it is a pipe
        line = self._process.stdout.readline()
        if not line:
            raise RuntimeError(f"the server ended by itself, with status {self._process.wait()}")
        return json.loads(line)

    def ask(self, value: Any) -> Any:
        """Send it one line of JSON and return the line it answers with."""
        self._say(value)
        return self._hear()

    def __enter__(self) -> Self:
        """Return the running server."""
        return self

    def __exit__(self, *_: object) -> None:
        """End it."""
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe is not None:
                pipe.close()
        self._process.wait(timeout=20)


def connection(port: int, **extra: Any) -> str:
    """Return an Airflow connection to a server on this machine, as ``AIRFLOW_CONN_DATAWORKS_DEFAULT`` takes it."""
    return json.dumps(
        {
            "conn_type": "dataworks",
            "host": "http://127.0.0.1",
            "port": port,
            "login": "LTAIemulator",
            "password": "emulator-secret",
            "extra": extra,
        }
    )


def client_of(url: str, version: str, transport: Any = None) -> DataWorksClient:
    """Return our client for a server of this machine, its rate opened wide."""
    from airflow_provider_dataworks.client.auth.cache import CredentialCache
    from airflow_provider_dataworks.client.auth.credentials import Credentials, StaticCredentials
    from airflow_provider_dataworks.client.client import DataWorksClient
    from airflow_provider_dataworks.client.config import ClientConfig
    from airflow_provider_dataworks.client.http.rate_limit import RateLimiter
    from airflow_provider_dataworks.client.http.session import Session

    config = ClientConfig(url, version)
    cache = CredentialCache(StaticCredentials(Credentials(*KEYS)), time.time)
    session = Session(config, cache, RateLimiter(1_000_000, time.monotonic), transport=transport)
    return DataWorksClient(config, session)


def precomputed(url: str, version: str, action: str, job_id: int) -> dict[str, Any]:
    """Return what an HTTP client builds the very request from that our client sends about a job; signed once."""
    import httpx

    sent: list[httpx.Request] = []

    def take(request: httpx.Request) -> httpx.Response:
        sent.append(request)
        return httpx.Response(200, json={"RequestId": "r"})

    client = client_of(url, version, httpx.MockTransport(take))
    client.session.send(getattr(client.api, action)(job_id))
    made = sent[0]
    # Without a body there is none to give, or the library would send an empty one.
    content, target = made.content or None, made.extensions["target"].decode("ascii")
    return {"method": made.method, "url": f"{url}{target}", "headers": made.headers.raw, "content": content}


@contextmanager
def airflow_home() -> Iterator[str]:
    """Lend an empty home for Airflow."""
    with tempfile.TemporaryDirectory(prefix="airflow-home-") as home:
        yield home


@contextmanager
def emulator(home: str, **settings: Any) -> Iterator[Serving]:
    """Run the emulator in a process of its own; ask it ``"report"`` for the calls and jobs so far."""
    with ExitStack() as stack:
        yield stack.enter_context(Serving("benchmarks.emulated", settings, environment(home)))


def busiest_second(moments: Sequence[float]) -> int:
    """Return the most calls that any second held, wherever it begins."""
    ordered, first, most = sorted(moments), 0, 0
    for last, moment in enumerate(ordered):
        while moment - ordered[first] >= 1:
            first += 1
        most = max(most, last - first + 1)
    return most
