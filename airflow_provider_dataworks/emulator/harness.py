"""Runs the emulator in a thread of a Python program, and steers it; never decides what a call means."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import Future
from types import TracebackType
from typing import Any, Self

from .alarm_rules import AlarmRule
from .auth import AccessKey
from .call_log import CallRecord
from .control import is_loopback
from .job_store import ACCEPT, STOP, Behaviour
from .jobs import Job
from .quotas import Quotas
from .service import DEFAULT_ACCESS_KEY, JobSettings, Service, Settings

MISSING_AIOHTTP = "The emulator needs aiohttp: pip install 'airflow-provider-dataworks[emulator]'"


class Emulator:
    """
    An emulated DataWorks endpoint on a port of this machine, serving both API versions.

    Used as a context manager, or with :meth:`start` and :meth:`stop`. All methods may be called from any thread::

        with Emulator(jobs={11668: "Running"}, stop_seconds=0.2) as emulator:
            emulator.inject({"operation": "StopDIJob", "throttle": {"hints": {"x-acs-retry-after": 2000}}})
            ...  # call emulator.url
            assert emulator.job(11668).effective_stops == 1

    :param jobs: by id, each job's status (any text) or its fields (see :class:`~.jobs.Job`): how it stops and starts,
        how far it is behind its source, its tables, events, log and alarm rules.
    :param host: address to bind; one that other machines can reach is refused without ``allow_remote``.
    :param port: 0 takes a free one.
    :param allow_remote: bind to any address, and let other machines use the control endpoint.
    :param stop_seconds: how long a job stays ``Stopping``, unless its own fields say otherwise.
    :param start_seconds: how long a job stays ``Initialized`` after a start.
    :param stop_of_stopped: StopDIJob on a job that is not running: ``"accept"`` (without effect) or ``"refuse"``.
    :param stop_of_starting: StopDIJob while a start is under way: ``"stop"`` (with effect), ``"accept"``, ``"refuse"``.
    :param start_of_running: StartDIJob on a job that cannot be started: ``"accept"`` or ``"refuse"``.
    :param access_keys: secrets by AccessKey ID; by default one made-up pair.
    :param security_token: STS token that every call must carry, with all of ``access_keys``.
    :param calls_per_second: limit of the account, ``None`` for none.
    :param calls_per_day: limit of the account in one UTC day, ``None`` for none.
    :param burst: calls that may come at once; by default one second's worth.
    :param faults: fault rules to begin with, as for :meth:`inject`.
    :param clock_offset: seconds the service's clock is ahead of ``now``, to rehearse a wrong clock.
    :param now: the clock: seconds since 1970. It decides when jobs change, what quotas allow and which dates are good.
    :param on_call: called in the server's thread with the record of every call, before the answer is sent.
    :raises ValueError: naming what is wrong with any of these.
    """

    def __init__(
        self,
        *,
        jobs: Mapping[Any, JobSettings] | None = None,
        host: str = "127.0.0.1",
        port: int = 0,
        allow_remote: bool = False,
        stop_seconds: float = 2.0,
        start_seconds: float = 1.0,
        stop_of_stopped: str = ACCEPT,
        stop_of_starting: str = STOP,
        start_of_running: str = ACCEPT,
        access_keys: Mapping[str, str] | None = None,
        security_token: str = "",
        calls_per_second: float | None = None,
        calls_per_day: int | None = None,
        burst: int | None = None,
        faults: Iterable[Mapping[str, Any]] = (),
        clock_offset: float = 0.0,
        now: Callable[[], float] = time.time,
        on_call: Callable[[CallRecord], None] | None = None,
    ) -> None:
        _check_address(host, port, allow_remote=allow_remote)
        pairs = {DEFAULT_ACCESS_KEY.id: DEFAULT_ACCESS_KEY.secret} if access_keys is None else access_keys
        keys = tuple(AccessKey(identity, secret, security_token) for identity, secret in pairs.items())
        settings = Settings(
            jobs=dict(jobs or {}),
            behaviour=Behaviour(stop_seconds, start_seconds, stop_of_stopped, stop_of_starting, start_of_running),
            access_keys=keys,
            quotas=Quotas(calls_per_second, calls_per_day, burst),
            faults=tuple(faults),
            clock_offset=clock_offset,
        )
        self._service = Service(settings, now)
        # localhost may stand for two addresses, and then a free port for two ports.
        self._host = "127.0.0.1" if host == "localhost" else host
        self._wanted_port, self._port = port, 0
        self._allow_remote, self._on_call = allow_remote, on_call
        self._key = keys[0]
        self._thread: threading.Thread | None = None

    def start(self) -> Self:
        """
        Begin to serve, and return when calls can come.

        :raises ImportError: if aiohttp is not installed, saying how to install it.
        :raises OSError: if the port is taken.
        """
        if self._thread is not None:
            raise RuntimeError("the emulator is already running")
        try:
            from . import server
        except ModuleNotFoundError as error:
            raise ImportError(MISSING_AIOHTTP) from error
        app = server.application(self._service, allow_remote=self._allow_remote, on_call=self._on_call)
        listening: Future[tuple[int, Callable[[], None]]] = Future()
        serving = server.serve(app, self._host, self._wanted_port, listening)
        thread = threading.Thread(target=asyncio.run, args=(serving,), name="dataworks-emulator", daemon=True)
        thread.start()
        try:
            self._port, self._end = listening.result()
        except Exception:
            thread.join()
            raise
        self._thread = thread
        return self

    def stop(self) -> None:
        """End serving and free the port; answers still waiting are dropped. Does nothing if it is not running."""
        if self._thread is not None:
            self._end()
            self._thread.join()
            self._thread = None

    def __enter__(self) -> Self:
        """Start."""
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop."""
        self.stop()

    @property
    def url(self) -> str:
        """Address of the endpoint, for example ``http://127.0.0.1:8900``."""
        host = f"[{self._host}]" if ":" in self._host else self._host
        return f"http://{host}:{self.port}"

    @property
    def port(self) -> int:
        """Port it listens on, once started."""
        return self._port

    @property
    def access_key_id(self) -> str:
        """AccessKey ID of the (first) pair it knows."""
        return self._key.id

    @property
    def access_key_secret(self) -> str:
        """AccessKey secret of that pair."""
        return self._key.secret

    @property
    def security_token(self) -> str:
        """STS token that belongs to that pair, or empty."""
        return self._key.security_token

    def connection(self, **extra: Any) -> dict[str, Any]:
        """
        Give the Airflow connection to it; as JSON, it is what ``AIRFLOW_CONN_DATAWORKS_DEFAULT`` takes.

        :param extra: fields of the connection's extra, such as ``api_version``.
        """
        found: dict[str, Any] = {"region": "cn-shanghai"}
        if self.security_token:
            found["security_token"] = self.security_token
        return {
            "conn_type": "dataworks",
            "host": self.url.rpartition(":")[0],
            "port": self.port,
            "login": self.access_key_id,
            "password": self.access_key_secret,
            "extra": {**found, **extra},
        }

    def add_access_key(
        self, identity: str, secret: str, security_token: str = "", expires: float | None = None
    ) -> None:
        """
        Let one more pair in, with the STS token its calls must carry, if any.

        :param expires: seconds of the emulator's clock at which the token ends.
        """
        self._service.add_access_key(AccessKey(identity, secret, security_token, expires))

    def remove_access_key(self, identity: str) -> None:
        """Let a pair in no longer, to rehearse that somebody rotates keys."""
        self._service.remove_access_key(identity)

    def add_job(self, identity: int, status: str = "Running", **fields: Any) -> Job:
        """
        Set or replace a job.

        :param fields: see :class:`~.jobs.Job`; for example ``stop_ends_in="Failed"``, ``lag={"stuck": 300}`` or
            ``alarm_rules=[{"id": 45242, "metric": "Delay"}]``. What is not given is as for a new job.
        :raises ValueError: naming the field that is wrong.
        """
        return self._service.put_job(identity, {"status": status, **fields})

    def set_status(self, identity: int, status: str) -> Job:
        """Put a job into a status, known or any other text, as if it had got there by itself."""
        return self._service.set_status(identity, status)

    def job(self, identity: int) -> Job:
        """
        Give a job as it is now; the value does not change afterwards.

        :raises KeyError: if there is no such job.
        """
        return self._service.job(identity)

    def jobs(self) -> list[Job]:
        """Give all jobs as they are now, by id."""
        return self._service.jobs()

    def alarm_rules(self, identity: int) -> list[AlarmRule]:
        """
        Give the alarm rules of a job as they are now, by id, with how often each was changed.

        :raises KeyError: if there is no such job.
        """
        return self._service.alarm_rules(identity)

    def edit_alarm_rule(self, rule_id: int, **fields: Any) -> AlarmRule:
        """
        Change an alarm rule as a person in the console does.

        :param fields: see :class:`~.alarm_rules.AlarmRule`; for example ``enabled=False``.
        :raises KeyError: if there is no such rule.
        :raises ValueError: naming the field that is wrong.
        """
        return self._service.edit_alarm_rule(rule_id, fields)

    def remove_alarm_rule(self, rule_id: int) -> None:
        """Delete an alarm rule as a person in the console does; a rule that is not there is a ``KeyError``."""
        self._service.remove_alarm_rule(rule_id)

    def inject(self, *rules: Mapping[str, Any]) -> None:
        """
        Put fault rules behind those already there; see :func:`~.rules.parse_rule`.

        :raises ValueError: naming the rule and the field that is wrong; then none of them is taken.
        """
        self._service.inject(*rules)

    def set_quotas(self, **changes: Any) -> None:
        """Change ``calls_per_second``, ``calls_per_day`` or ``burst``; ``None`` lifts a limit."""
        self._service.set_quotas(changes)

    @property
    def clock_offset(self) -> float:
        """Seconds the service's clock is ahead; may be set."""
        return self._service.clock_offset

    @clock_offset.setter
    def clock_offset(self, value: float) -> None:
        self._service.clock_offset = value

    @property
    def calls(self) -> list[CallRecord]:
        """The calls so far (the last 10,000), oldest first."""
        return self._service.calls

    def count(self, operation: str | None = None, outcome: str | None = None) -> int:
        """
        Count the calls so far.

        :param operation: of this operation only.
        :param outcome: ``served``, ``refused`` (an error was answered) or ``broken`` (no answer, or an unreadable one).
        """
        return self._service.count(operation, outcome)

    def state(self) -> dict[str, Any]:
        """Give what ``GET /_emulator/state`` shows."""
        return self._service.state()

    def reset(self) -> None:
        """Go back to the jobs, faults, quotas and clock of the start, and forget all calls."""
        self._service.reset()


def _check_address(host: str, port: int, *, allow_remote: bool) -> None:
    if not allow_remote and not is_loopback(host):
        raise ValueError(
            f"host: {host!r} can be reached from other machines, and the control endpoint has no password; "
            "keep 127.0.0.1, or allow it explicitly (--allow-remote, allow_remote=True)"
        )
    if not 0 <= port <= 65_535:
        raise ValueError(f"port: {port} is not from 0 to 65535")
