"""How long the page in Airflow takes, with 200 DAGs that each have a window, and 5,000 runs of half a year.

    python benchmarks/page.py

A real API server on SQLite is asked over HTTP, as a user who has logged in; the rows are made. Each page is asked for
twenty times in turn, after the first time, which is shown for itself: it loads templates and compiles queries. Ends
with status 1 where the median of a page is 300 ms or more.

Misleading when: the machine is busy (the server is one process), or the database is not on this machine.
"""

from __future__ import annotations

import statistics
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).parents[1]
sys.path[:0] = [str(ROOT), str(ROOT / "tests" / "support")]

from page_server import PageServer, page_server  # noqa: E402

from benchmarks.measure import Figure, at_most, interleaved, report  # noqa: E402

DAGS, RUNS, ROUNDS = 200, 5000, 20
PAGES = {
    "down now": "",
    "windows": "windows",
    "last maintenances": "maintenances",
    "calls": "calls",
    "one run": "run?dag_id=maintenance_000&run_id=scheduled__4800",
}


def measure(server: PageServer) -> list[Figure]:
    """Ask for each page again and again."""
    token = server.token("ann")

    def ask(address: str) -> float:
        start = time.perf_counter()
        status, text = server.get(address, token)
        assert status == 200, (address, status, text)  # noqa: S101 - a failing page is fast
        return (time.perf_counter() - start) * 1e3

    first = {name: ask(address) for name, address in PAGES.items()}
    found = interleaved(ROUNDS, {name: lambda address=address: ask(address) for name, address in PAGES.items()})
    lines = []
    for name, times in found.items():
        lines.append(Figure(f"{name}, ms", statistics.median(times), bound=at_most(300)))
        lines.append(Figure(f"{name}, the first time, ms", first[name]))
    return lines


def main() -> int:
    """Measure and say whether the bounds hold."""
    with tempfile.TemporaryDirectory() as home, page_server(Path(home), {}) as server:
        server.rows("many", str(DAGS), str(RUNS))
        return report(f"The page with {DAGS} DAGs and {RUNS} runs", measure(server))


if __name__ == "__main__":
    sys.exit(main())
