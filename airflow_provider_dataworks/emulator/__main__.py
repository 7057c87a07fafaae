"""The command line: ``python -m airflow_provider_dataworks.emulator``; it reads options and prints, no more."""

from __future__ import annotations

import argparse
import json
import queue
import shlex
import signal
import sys
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

from .call_log import CallRecord
from .faults import parse_option
from .harness import Emulator
from .quotas import Quotas
from .service import DEFAULT_ACCESS_KEY

DESCRIPTION = "Serve the DataWorks API for Data Integration jobs (2020-05-18 and 2024-05-18) on this machine."
EPILOG = """\
examples:
  --job 11668=Running --job 11669=Running,stop_ends_in=Failed,error_message=disk\\ full
  --fault StopDIJob,throttle,times=2,x-acs-retry-after=2000
  --fault StopDIJob,drop=after,job_id=11668
  --fault '{"operation": "GetDIJob", "skip": 1, "status": 502, "body": "<html>", "content_type": "text/html"}'
control while it runs:
  curl http://127.0.0.1:8900/_emulator/state
  curl -d '{"operation": "StopDIJob", "throttle": {"hints": {"x-acs-retry-after": 2000}}}' http://127.0.0.1:8900/_emulator/faults
"""
SCENARIO_FIELDS = ("faults", "jobs", "quotas")


def parser() -> argparse.ArgumentParser:
    """Describe the command line."""
    options = argparse.ArgumentParser(
        prog="python -m airflow_provider_dataworks.emulator",
        description=DESCRIPTION,
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add = options.add_argument
    add("--host", default="127.0.0.1", help="address to bind (default %(default)s)")
    add("--port", type=int, default=8900, help="port, 0 takes a free one (default %(default)s)")
    add("--allow-remote", action="store_true", help="bind to an address other machines can reach; there is no password")
    add(
        "--job",
        action="append",
        default=[],
        metavar="ID=STATUS[,FIELD=VALUE..]",
        help="a job and its status; repeatable (default 11668=Running)",
    )
    add("--fault", action="append", default=[], metavar="RULE", help="a fault rule, short or as JSON; repeatable")
    add("--scenario", type=Path, metavar="FILE", help='JSON file: fault rules, or {"jobs", "faults", "quotas"}')
    add("--stop-seconds", type=float, default=2.0, help="how long a job stays Stopping (default %(default)s)")
    add("--start-seconds", type=float, default=1.0, help="how long a job stays Initialized (default %(default)s)")
    add("--stop-of-stopped", default="accept", help="a stop of a job that is not running: accept or refuse")
    add("--stop-of-starting", default="stop", help="a stop while a start is under way: stop, accept or refuse")
    add("--start-of-running", default="accept", help="a start of a job that cannot be started: accept or refuse")
    add("--calls-per-second", type=float, help="limit of the account; beyond it 429 Throttling.User")
    add("--calls-per-day", type=int, help="limit of the account; beyond it 429 Throttling.Api.Risk")
    add("--clock-offset", type=float, default=0.0, help="seconds the service's clock is ahead (default %(default)s)")
    add(
        "--access-key",
        action="append",
        default=[],
        metavar="ID:SECRET",
        help=f"a pair that may call; repeatable (default {DEFAULT_ACCESS_KEY.id}:{DEFAULT_ACCESS_KEY.secret})",
    )
    add("--security-token", default="", metavar="TOKEN", help="STS token that every call must then carry")
    return options


def job_option(text: str) -> tuple[str, dict[str, Any]]:
    """
    Read ``ID=STATUS`` with further ``,FIELD=VALUE`` parts.

    :raises ValueError: if it has another form.
    """
    first, *more = text.split(",")
    identity, given, status = first.partition("=")
    fields: dict[str, Any] = {"status": status}
    for part in more:
        name, equals, value = part.partition("=")
        if not equals:
            raise ValueError(f"--job {text}: {part!r} is not FIELD=VALUE")
        fields[name.strip()] = value
    if not given:
        raise ValueError(f"--job {text}: give ID=STATUS, for example 11668=Running")
    return identity.strip(), fields


def scenario(path: Path) -> dict[str, Any]:
    """
    Read a scenario file.

    :raises ValueError: naming the file and what is wrong in it.
    """
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ValueError(f"--scenario {path}: {error}") from error
    if isinstance(content, list):
        content = {"faults": content}
    if not isinstance(content, dict):
        raise ValueError(f"--scenario {path}: give a list of fault rules or an object")
    for name in content:
        if name not in SCENARIO_FIELDS:
            raise ValueError(f"--scenario {path}: unknown field {name!r}; known are {', '.join(SCENARIO_FIELDS)}")
    for name, kind in (("faults", list), ("jobs", dict), ("quotas", dict)):
        if not isinstance(content.get(name, kind()), kind):
            raise ValueError(f"--scenario {path}: {name}: not {'a list' if kind is list else 'an object'}")
    return content


def emulator(options: argparse.Namespace) -> Emulator:
    """
    Make the emulator the options describe.

    :raises ValueError: naming what is wrong.
    """
    written = scenario(options.scenario) if options.scenario else {}
    jobs: dict[str, Any] = {**written.get("jobs", {}), **dict(map(job_option, options.job))}
    quotas = {
        name: value
        for name, value in (("calls_per_second", options.calls_per_second), ("calls_per_day", options.calls_per_day))
        if value is not None
    }
    return Emulator(
        jobs=jobs or {"11668": "Running"},
        host=options.host,
        port=options.port,
        allow_remote=options.allow_remote,
        stop_seconds=options.stop_seconds,
        start_seconds=options.start_seconds,
        stop_of_stopped=options.stop_of_stopped,
        stop_of_starting=options.stop_of_starting,
        start_of_running=options.start_of_running,
        access_keys=dict(map(_pair, options.access_key)) or None,
        security_token=options.security_token,
        **Quotas().changed({**written.get("quotas", {}), **quotas}).as_dict(),
        faults=[*written.get("faults", []), *map(parse_option, options.fault)],
        clock_offset=options.clock_offset,
        on_call=_print_call,
    )


def _pair(text: str) -> tuple[str, str]:
    identity, _, secret = text.partition(":")
    # The text is not repeated in the error: half of it may be a real secret.
    if not identity or not secret:
        raise ValueError("--access-key: give ID:SECRET")
    return identity, secret


def connection_line(running: Emulator) -> str:
    """
    Give the shell line that points Airflow at a running emulator.

    Only the built-in pair is shown: one given on the command line might be a real one.
    """
    token = {"security_token": "<your token>"} if running.security_token else {}
    connection = {**running.connection(**token), "password": _secret(running)}
    return f"AIRFLOW_CONN_DATAWORKS_DEFAULT={shlex.quote(json.dumps(connection))}"


def _secret(running: Emulator) -> str:
    own = (running.access_key_id, running.access_key_secret) == (DEFAULT_ACCESS_KEY.id, DEFAULT_ACCESS_KEY.secret)
    return running.access_key_secret if own else "<your secret>"


def call_line(record: CallRecord) -> str:
    """Give the line printed for a call."""
    clock = datetime.fromtimestamp(record.time).astimezone().strftime("%H:%M:%S")
    job = f"job {record.job_id}" if record.job_id is not None else "no job"
    status = "no answer" if record.http_status is None else str(record.http_status)
    details = " ".join(part for part in (status, record.code, f"[{record.fault}]" if record.fault else "") if part)
    line = f"{clock} {record.operation} {record.version} {job}: {record.outcome} {details}"
    if record.status_before is not None:
        line += f"; {record.status_before} -> {record.status_after}"
    return line


def _print_call(record: CallRecord) -> None:
    say(call_line(record))


def say(text: str) -> None:
    """Print a line, as long as somebody reads."""
    try:
        print(text, flush=True)
    except OSError:
        # Whoever read the lines has gone; the calls are still to be answered.
        sys.stdout = None


def main(arguments: Sequence[str] | None = None) -> int:
    """Run until Ctrl-C or SIGTERM."""
    options = parser().parse_args(arguments)
    try:
        running = emulator(options).start()
    except OSError as error:
        print(f"emulator: {error}; choose another --port or --host", file=sys.stderr)
        return 2
    except (ImportError, ValueError) as error:
        print(f"emulator: {error}", file=sys.stderr)
        return 2
    # A handler of signals may put to a queue of this kind at any moment. It may not set a threading.Event: the thread
    # that waits for one holds its lock at times, and is the one that handles signals, so both would wait for ever.
    signals: queue.SimpleQueue[int] = queue.SimpleQueue()
    for name in (signal.SIGINT, signal.SIGTERM):
        signal.signal(name, lambda number, frame: signals.put(number))
    try:
        say(f"DataWorks emulator at {running.url} (a page in a browser; {running.url}/_emulator/state); Ctrl-C ends it")
        say(f"access key {running.access_key_id}, secret {_secret(running)}")
        say(connection_line(running))
        for job in running.jobs():
            say(f"job {job.id} {job.name} in project {job.project_id}: {job.status}")
        signals.get()
    finally:
        running.stop()
    say("emulator ended")
    return 0


if __name__ == "__main__":
    sys.exit(main())
