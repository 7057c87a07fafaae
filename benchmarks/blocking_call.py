"""CPU time of one blocking call of ours, against the bare HTTP library and the vendor's SDK.

    python -m benchmarks.blocking_call

Each contestant runs in a process of its own and calls a server in yet another process, over plain HTTP; rounds are
interleaved. *Ours* is ``DataWorksHook`` with all it does: rate, signature, deadline for the whole exchange, answer read
and checked. *Bare* is an ``httpx.Client`` that sends the same request over and over, built and signed before, and does
not look at the answer. *SDK* is the vendor's. A look (GetDIJob) keeps its connection, as the others do; a stop has one
of its own, and so has the bare client that it is compared with. Counted is the CPU time of the client's process, which
other work on the machine changes little; the ratio is the median of the rounds' ratios.

Misleading when: taken for the speed of a real call, which waits tens of milliseconds for the service; or with TLS,
which costs a new connection a handshake more, some two milliseconds. Our rate is opened wide: what is measured is its
bookkeeping, not its waiting.
"""

from __future__ import annotations

import importlib
import json
import statistics
import sys
import time
from collections.abc import Callable
from functools import partial

from benchmarks.measure import (
    Figure,
    Serving,
    airflow_home,
    child,
    client_of,
    connection,
    environment,
    interleaved,
    precomputed,
    report,
    shares,
    times,
)

JOB = 11668
_DI_JOB = {"DIJobId": JOB, "JobStatus": "Running"}
ANSWER = {
    "RequestId": "92F778C7-8F00-53B1-AE1A-B3B17101247D",
    "Success": True,
    "Data": _DI_JOB,
    "PagingInfo": _DI_JOB,
}
ACTIONS = ("GetDIJob", "StopDIJob")
VERSIONS = ("2020-05-18", "2024-05-18")
WARM_UP, CALLS, ROUNDS = 300, 3000, 7


def ours(action: str, version: str, port: int) -> Callable[[], object]:
    """Return our call; the connection is in the environment."""
    from airflow_provider_dataworks.hooks.dataworks import DataWorksHook

    hook = DataWorksHook()
    hook.client = client_of(f"http://127.0.0.1:{port}", version)
    return partial(hook.stop_di_job, JOB) if action == "StopDIJob" else partial(hook.get_di_job, JOB)


def bare(action: str, version: str, port: int) -> Callable[[], object]:
    """Return the library's call of the very request that ours makes, signed once and for all."""
    import httpx

    kept = 0 if action == "StopDIJob" else 1
    client = httpx.Client(trust_env=False, limits=httpx.Limits(max_keepalive_connections=kept))
    request = client.build_request(**precomputed(f"http://127.0.0.1:{port}", version, action, JOB))
    return partial(client.send, request)


def sdk(action: str, version: str, port: int) -> Callable[[], object]:
    """Return the vendor's call."""
    # By name: it brings no types.
    vendors = importlib.import_module(f"alibabacloud_dataworks_public{version.replace('-', '')}.client")
    models = importlib.import_module(f"alibabacloud_dataworks_public{version.replace('-', '')}.models")
    config = importlib.import_module("alibabacloud_tea_openapi.models").Config(
        access_key_id="LTAIemulator",
        access_key_secret="emulator-secret",  # noqa: S106 - made up
        endpoint=f"127.0.0.1:{port}",
        protocol="HTTP",
    )
    job = {"dijob_id" if version == VERSIONS[0] else "id": JOB}
    client = vendors.Client(config)
    method = {"StopDIJob": client.stop_dijob, "GetDIJob": client.get_dijob}[action]
    return partial(method, getattr(models, f"{action}Request")(**job))


BOUNDS = {
    ("GetDIJob", "bare"): times(1.6),
    ("GetDIJob", "sdk"): times(1),
    ("StopDIJob", "bare"): times(1.8),
    ("StopDIJob", "sdk"): times(1.5),
}
CONTESTANTS = {"ours": ours, "bare": bare, "sdk": sdk}


def one(name: str, action: str, version: str, port: int) -> float:
    """Microseconds of CPU a call takes here and now."""
    call = CONTESTANTS[name](action, version, port)
    for _ in range(WARM_UP):
        call()
    start = time.process_time()
    for _ in range(CALLS):
        call()
    return (time.process_time() - start) / CALLS * 1e6


def figures(found: dict[str, list[float]]) -> list[Figure]:
    """Make the lines of the table from microseconds by ``contestant action version``."""
    middle = {name: statistics.median(rounds) for name, rounds in found.items()}
    lines = []
    for action in ACTIONS:
        for version in VERSIONS:
            mine = f"ours {action} {version}"
            for other, says in (("bare", "bare httpx"), ("sdk", "vendor's SDK")):
                theirs = f"{other} {action} {version}"
                ratios = shares(found[mine], found[theirs])
                name = f"{action} {version}, µs of CPU, to {says}"
                lines.append(Figure(name, middle[mine], middle[theirs], BOUNDS[action, other], ratios))
    return lines


def main() -> int:
    """Measure and say whether the bounds hold."""
    with airflow_home() as home, Serving("benchmarks.answering", {"body": ANSWER}, environment(home)) as server:
        port = server.address["port"]

        def measured(name: str, action: str, version: str) -> float:
            link = connection(port, api_version=version, max_qps=1000)
            environ = environment(home, AIRFLOW_CONN_DATAWORKS_DEFAULT=link)
            return float(child("benchmarks.blocking_call", name, action, version, str(port), environ=environ))

        contestants = {
            f"{name} {action} {version}": partial(measured, name, action, version)
            for action in ACTIONS
            for version in VERSIONS
            for name in CONTESTANTS
        }
        found = interleaved(ROUNDS, contestants)
    return report(f"One blocking call, {CALLS} calls x {ROUNDS} rounds", figures(found))


if __name__ == "__main__":
    if sys.argv[1:]:
        print(json.dumps(one(sys.argv[1], sys.argv[2], sys.argv[3], int(sys.argv[4]))))
    else:
        sys.exit(main())
