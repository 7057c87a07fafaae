"""The emulator in a process of its own, told by lines of JSON; for benchmarks, which must not share a GIL with it."""

from __future__ import annotations

import json
import sys
from typing import Any

from airflow_provider_dataworks.emulator import Emulator
from airflow_provider_dataworks.emulator.call_log import CallRecord


def main() -> None:
    """Serve until standard input ends; a line is ``"report"`` or statuses to set, by job."""
    calls: list[tuple[Any, ...]] = []

    def remember(call: CallRecord) -> None:
        calls.append((call.time, call.operation, call.outcome, call.code))

    with Emulator(**json.loads(sys.stdin.readline()), on_call=remember) as emulator:
        print(json.dumps({"port": emulator.port}), flush=True)
        for line in sys.stdin:
            asked = json.loads(line)
            if asked == "report":
                jobs = {job.id: (job.status, job.effective_stops, job.stop_calls) for job in emulator.jobs()}
                print(json.dumps({"calls": calls, "jobs": jobs}), flush=True)
            else:
                for identity, status in asked.items():
                    emulator.set_status(int(identity), status)
                print("null", flush=True)


if __name__ == "__main__":
    main()
