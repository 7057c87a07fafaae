"""CPU and rate of a hundred GetDIJob at once over TLS: our asyncio session against the best that httpx clients do.

    python -m benchmarks.concurrent_tls

A hundred coroutines share some thousand calls to a server in another process, on this machine, with a certificate made
for the occasion that each client verifies. *Ours* is the flow ``get_di_job`` driven by ``arun`` over one
``AsyncSession``: it signs every request and reads every answer. The others send one request, built before, and look at
nothing: sixteen clients of one connection each, handed out first in, first out; one client behind a semaphore of five;
and a plain ``AsyncClient``. All open a connection for each call, so that each counts its handshake; each ran warm and
in a process of its own, rounds interleaved. Promised: at most 1.25 times the CPU a call of the best of the others.

Misleading when: the machine has fewer than two free cores, because client and server then share one; or taken for a
rate the real service would allow. A busy machine blurs the rate, so none is promised: the CPU a call, which the machine
blurs less, stands below it. Ratios are the median of the rounds' ratios.
"""

from __future__ import annotations

import asyncio
import json
import statistics
import sys
import time
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from functools import partial
from ipaddress import ip_address
from pathlib import Path

import httpx

from benchmarks.measure import (
    Bound,
    Figure,
    Serving,
    account,
    airflow_home,
    child,
    environment,
    interleaved,
    precomputed,
    report,
    shares,
    times,
)

JOB = 11668
_JOB = {"JobStatus": "Running", "ProjectId": 1967, "JobName": "mysql_to_holo_sync_11668"}
# One body for both API versions: each reads its own envelope.
ANSWER = {
    "RequestId": "92F778C7-8F00-53B1-AE1A-B3B17101247D",
    "Success": True,
    "Data": {"DIJobId": JOB, **_JOB},
    "PagingInfo": {"Id": JOB, **_JOB},
}
VERSIONS = ("2020-05-18", "2024-05-18")
AT_ONCE, CALLS, ROUNDS = 100, 3000, 5

Call = Callable[[], Awaitable[object]]


def ours(url: str, version: str) -> Call:
    """Return our call, signing included."""
    from airflow_provider_dataworks.client.driving import arun
    from airflow_provider_dataworks.client.flows import get_di_job
    from airflow_provider_dataworks.client.http.session import AsyncSession

    service, settings, signer = account(url, version)
    session = AsyncSession(settings, signer)
    return lambda: arun(get_di_job(service, JOB), session.exchange)


def sixteen(url: str, version: str) -> Call:
    """Return the call of one of sixteen clients, whichever has been free for longest."""
    context = httpx.create_ssl_context()
    limits = httpx.Limits(max_connections=1, max_keepalive_connections=0)
    free: asyncio.Queue[httpx.AsyncClient] = asyncio.Queue()
    for _ in range(16):
        free.put_nowait(httpx.AsyncClient(verify=context, limits=limits, trust_env=False))
    request = httpx.AsyncClient(verify=context).build_request(**precomputed(url, version, "GetDIJob", JOB))

    async def call() -> None:
        client = await free.get()
        try:
            await client.send(request)
        finally:
            free.put_nowait(client)

    return call


def semaphore(url: str, version: str) -> Call:
    """Return the call of one client that never serves more than five at once."""
    limits = httpx.Limits(max_keepalive_connections=0)
    client = httpx.AsyncClient(verify=httpx.create_ssl_context(), trust_env=False, limits=limits)
    few = asyncio.Semaphore(5)
    request = client.build_request(**precomputed(url, version, "GetDIJob", JOB))

    async def call() -> None:
        async with few:
            await client.send(request)

    return call


def plain(url: str, version: str) -> Call:
    """Return the call of one client as it comes."""
    limits = httpx.Limits(max_keepalive_connections=0)
    client = httpx.AsyncClient(verify=httpx.create_ssl_context(), trust_env=False, timeout=60, limits=limits)
    return partial(client.send, client.build_request(**precomputed(url, version, "GetDIJob", JOB)))


CONTESTANTS = {"ours": ours, "16 clients": sixteen, "semaphore of 5": semaphore, "plain client": plain}


async def one(name: str, version: str, url: str) -> tuple[float, float]:
    """Calls a second, and microseconds of CPU a call, here and now."""
    call = CONTESTANTS[name](url, version)
    # The plain client is slow enough to be measured by fewer.
    calls = CALLS // 5 if name == "plain client" else CALLS

    async def several(number: int) -> None:
        for _ in range(number):
            await call()

    async def together(number: int) -> None:
        async with asyncio.TaskGroup() as group:
            for _ in range(AT_ONCE):
                group.create_task(several(number // AT_ONCE))

    await together(3 * AT_ONCE)
    start, cpu = time.perf_counter(), time.process_time()
    await together(calls)
    return calls / (time.perf_counter() - start), (time.process_time() - cpu) / calls * 1e6


def certificate(folder: Path) -> dict[str, str]:
    """Make a certificate for 127.0.0.1 that is its own authority; paths of it and its key."""
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    key, name = ec.generate_private_key(ec.SECP256R1()), x509.Name([])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - timedelta(hours=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))]), critical=True)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    paths = folder / "certificate.pem", folder / "key.pem"
    paths[0].write_bytes(made.public_bytes(serialization.Encoding.PEM))
    private = serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    paths[1].write_bytes(key.private_bytes(serialization.Encoding.PEM, *private))
    return {"certificate": str(paths[0]), "key": str(paths[1])}


def figures(found: dict[str, list[tuple[float, float]]]) -> list[Figure]:
    """Make the lines of the table from calls a second and microseconds a call, by ``contestant, version``."""
    rates = {name: [rate for rate, _ in rounds] for name, rounds in found.items()}
    costs = {name: [cost for _, cost in rounds] for name, rounds in found.items()}
    lines = []
    for version in VERSIONS:
        mine = f"ours, {version}"
        others = [name for name in found if name.endswith(version) and name != mine]
        best = min(others, key=lambda name: statistics.median(costs[name]))
        for name in others:
            bound = times(1.25) if name == best else None
            lines.append(_line(f"GetDIJob a second, to {name}", rates[mine], rates[name]))
            lines.append(_line("  µs of CPU a call", costs[mine], costs[name], bound))
    return lines


def _line(name: str, ours: list[float], theirs: list[float], bound: Bound | None = None) -> Figure:
    return Figure(name, statistics.median(ours), statistics.median(theirs), bound, shares(ours, theirs))


def main() -> int:
    """Measure and say whether the bound holds."""
    with airflow_home() as home:
        made = certificate(Path(home))
        with Serving("benchmarks.answering", {"body": ANSWER, **made}, environment(home)) as server:
            url = f"https://127.0.0.1:{server.address['port']}"
            environ = environment(home, SSL_CERT_FILE=made["certificate"])

            def measured(name: str, version: str) -> tuple[float, float]:
                rate, cost = child("benchmarks.concurrent_tls", name, version, url, environ=environ)
                return rate, cost

            contestants = {
                f"{name}, {version}": partial(measured, name, version) for version in VERSIONS for name in CONTESTANTS
            }
            found = interleaved(ROUNDS, contestants)
    return report(f"{AT_ONCE} GetDIJob at once over TLS", figures(found))


if __name__ == "__main__":
    if sys.argv[1:]:
        print(json.dumps(asyncio.run(one(*sys.argv[1:4]))))
    else:
        sys.exit(main())
