"""What importing our operator, sensor and trigger costs a process that has Airflow already.

    python -m benchmarks.import_cost

The DAG processor and the workers have imported Airflow before they meet a DAG file, so that only what comes on top is
paid. Each figure is the median of five fresh processes that first import the baseline, Airflow's own names such a
module cannot do without, and then the module. The modules are all that appear in ``sys.modules``, the package's own
``__init__`` files included. Promised: at most 15 ms and 15 modules each.

Misleading when: the bytecode is not compiled (the first process writes it, and is thrown away), or the disk is cold
(the same). The baseline column is what Airflow's own import costs, for scale; no bound is about it.
"""

from __future__ import annotations

import statistics
import sys
import time
from typing import Any

from benchmarks.measure import Figure, airflow_home, at_most, child, environment, report

MODULES = ("operators", "sensors", "triggers")
ROUNDS = 5


def one(role: str) -> dict[str, float]:
    """Import the baseline and then a module, here and now; milliseconds and modules of both."""
    start = time.perf_counter()
    from airflow.sdk import DAG, BaseHook, BaseOperator, BaseSensorOperator

    del DAG, BaseHook, BaseOperator, BaseSensorOperator
    if role == "triggers":
        import airflow.triggers.base

        del airflow
    between, before = time.perf_counter(), len(sys.modules)
    __import__(f"airflow_provider_dataworks.{role}.dataworks")
    end = time.perf_counter()
    return {"airflow": (between - start) * 1e3, "ms": (end - between) * 1e3, "modules": len(sys.modules) - before}


def figures(found: dict[str, list[dict[str, float]]]) -> list[Figure]:
    """Make the lines of the table."""
    lines = []
    for role, rounds in found.items():
        middle = {key: statistics.median(each[key] for each in rounds) for key in rounds[0]}
        lines.append(Figure(f"{role}.dataworks, ms over Airflow's", middle["ms"], middle["airflow"], at_most(15)))
        lines.append(Figure(f"{role}.dataworks, modules over Airflow's", middle["modules"], bound=at_most(15)))
    return lines


def main() -> int:
    """Measure and say whether the bounds hold."""
    found: dict[str, list[dict[str, Any]]] = {role: [] for role in MODULES}
    with airflow_home() as home:
        for number in range(ROUNDS + 1):
            for role in MODULES:
                result = child("benchmarks.import_cost", role, environ=environment(home))
                if number:  # the first writes bytecode
                    found[role].append(result)
    return report("Import of our modules, on top of Airflow's own", figures(found))


if __name__ == "__main__":
    if sys.argv[1:]:
        import json

        print(json.dumps(one(sys.argv[1])))
    else:
        sys.exit(main())
