"""How long an event loop is held while fifty triggers renew the keys of a role, next to fifty with keys that stay.

    python -m benchmarks.credential_refresh

A process that has imported what Airflow's triggerer imports runs fifty of our triggers, each for a job of its own, so
that fifty calls want keys at the same moment. Ours assume a role at a service in another process that takes 0.3 seconds
to answer, and whose keys live so short that they are renewed at every other look. Promised: the loop is held for at
most 50 ms, and all callers make one request for keys. The baseline is the same with an AccessKey.

For contrast: two callers of the vendor's library, by its asynchronous way, at the same service; more of them hold the
loop for longer, by five seconds each.

Misleading when: the machine has more work than cores; then all comes late, the baseline too.
"""

from __future__ import annotations

import asyncio
import gc
import importlib
import json
import statistics
import sys
import threading
import time
from collections.abc import Mapping, Sequence
from typing import Any

from benchmarks.measure import (
    Bound,
    Figure,
    Serving,
    airflow_home,
    at_least,
    at_most,
    child,
    connection,
    environment,
    interleaved,
    report,
)
from benchmarks.watcher import OURS, Holds, run_trigger

WAITS, ROUNDS = 50, 3
FIRST_JOB = 11000
POLL_INTERVAL = 4.0  # seconds
DELAY, LIFE = 0.3, 10.0  # seconds an answer with keys takes, and that they live
ENDS_AFTER = 28.0  # seconds after the start; the first look is taken after ten
MOST_RENEWALS = ENDS_AFTER / (LIFE / 2)
VENDOR_CALLERS, VENDOR_PATIENCE = 2, 40.0


def make(number: int) -> Any:
    """Make the trigger of one wait; without a workspace each looks at its job by itself."""
    from airflow_provider_dataworks.triggers.dataworks import DIJobStatusTrigger

    assert OURS.endswith(DIJobStatusTrigger.__qualname__)  # noqa: S101 - the class the other benchmark measures
    return DIJobStatusTrigger(di_job_id=FIRST_JOB + number, deadline=time.time() + 600, poll_interval=POLL_INTERVAL)


async def held(work: Any) -> tuple[Holds, list[Any]]:
    """Run coroutines together, and see how long they hold the loop."""
    holds = Holds()
    # A full collection of Airflow's own objects holds the loop for 100 ms or more, whatever the triggers are.
    gc.collect()
    gc.freeze()
    ticking = asyncio.create_task(holds.tick())
    await asyncio.sleep(0.2)
    found = await asyncio.gather(*work, return_exceptions=True)
    ticking.cancel()
    return holds, found


async def triggers() -> dict[str, Any]:
    """Run all waits to their ends."""
    holds, events = await held([run_trigger(make(number)) for number in range(WAITS)])
    settled = sum(isinstance(event, dict) and event["outcome"] == "settled" for event in events)
    return {"late_ms": holds.late * 1e3, "late_by_us_ms": holds.late_by_us * 1e3, "settled": settled}


async def vendor(uri: str) -> dict[str, Any]:
    """Ask the vendor's library for keys as its documentation shows for asyncio."""
    # By name: the library brings no types.
    models = importlib.import_module("alibabacloud_credentials.models")
    library = importlib.import_module("alibabacloud_credentials.client")
    client = library.Client(models.Config(type="credentials_uri", credentials_uri=uri))
    asking = asyncio.timeout(VENDOR_PATIENCE)
    async with asking:
        holds, found = await held([client.get_credential_async() for _ in range(VENDOR_CALLERS)])
    return {"late_ms": holds.late * 1e3, "failed": sum(isinstance(each, Exception) for each in found)}


def triggerer(kind: str, uri: str) -> dict[str, Any]:
    """Be the triggerer: with all that it has imported, and none of ours."""
    import airflow.jobs.triggerer_job_runner

    del airflow
    return asyncio.run(vendor(uri) if kind == "vendor" else triggers())


def one(kind: str) -> dict[str, Any]:
    """Run a triggerer, and the services for it; what the one measured and how often the other was asked for keys."""
    ids = [str(FIRST_JOB + number) for number in range(WAITS)]
    with airflow_home() as home:
        # The vendor's keys would be renewed at every call if they lived as short.
        settings = {"jobs": dict.fromkeys(ids, "Running"), "delay": DELAY, "life": LIFE if kind == "ours" else 3600}
        with Serving("benchmarks.issuing", settings, environment(home)) as service:
            uri = f"http://127.0.0.1:{service.address['keys']}"
            role = {"credential_type": "ram_role_arn", "role_arn": "acs:ram::1:role/benchmark", "sts_endpoint": uri}
            link = connection(service.address["port"], max_qps=1000, **(role if kind == "ours" else {}))
            environ = environment(home, AIRFLOW_CONN_DATAWORKS_DEFAULT=link)
            ending = threading.Timer(ENDS_AFTER, service.ask, [dict.fromkeys(ids, "Stopped")])
            if kind != "vendor":
                ending.start()
            found: dict[str, Any] = child("benchmarks.credential_refresh", kind, uri, environ=environ)
            ending.join(ENDS_AFTER) if kind != "vendor" else None
            return {**found, **service.ask("report")}


def figures(
    ours: Sequence[Mapping[str, Any]], static: Sequence[Mapping[str, Any]], vendors: Mapping[str, Any]
) -> list[Figure]:
    """
    Make the lines of the table.

    :param ours: of each round, what was found with the keys of a role.
    :param static: the same with an AccessKey.
    :param vendors: what was found with the vendor's library.
    """

    def median(name: str, of: Sequence[Mapping[str, Any]]) -> float:
        return statistics.median(float(each[name]) for each in of)

    settled = sum(int(each["settled"]) for each in ours)
    return [
        Figure("loop held at most, ms", median("late_ms", ours), median("late_ms", static), at_most(50)),
        Figure("  of that, ms of CPU of the process", median("late_by_us_ms", ours), median("late_by_us_ms", static)),
        Figure("requests for keys in a run", max(each["asked"] for each in ours), bound=at_most(MOST_RENEWALS)),
        Figure("  and at least", min(each["asked"] for each in ours), bound=at_least(2)),
        Figure("calls refused", sum(int(each["refused"]) for each in ours)),
        Figure("waits that ended as they should", settled, len(ours) * WAITS, Bound(1, least=True)),
        Figure(f"the vendor's library, {VENDOR_CALLERS} callers: loop held, ms", vendors["late_ms"]),
        Figure("  of them failed", vendors["failed"]),
    ]


def main() -> int:
    """Measure and say whether the bounds hold."""
    found = interleaved(ROUNDS, {"ours": lambda: one("ours"), "static": lambda: one("static")})
    return report(f"{WAITS} triggers while keys are renewed", figures(found["ours"], found["static"], one("vendor")))


if __name__ == "__main__":
    if sys.argv[1:]:
        print(json.dumps(triggerer(sys.argv[1], sys.argv[2])))
    else:
        sys.exit(main())
