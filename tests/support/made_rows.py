"""Makes the rows of a kind of Airflow in the database of the environment: `python made_rows.py many 200 5000`."""

from __future__ import annotations

import sys
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

from page_rows import Rows, keep_maintenance, some_days_ago

from airflow_provider_dataworks.windows import MaintenanceWindow

SUNDAYS = MaintenanceWindow("0 2 * * SUN", timedelta(hours=3), "Asia/Shanghai")


def one() -> None:
    """One DAG with one window, and nothing else."""
    keep_maintenance("orders_to_hologres", SUNDAYS)


def some() -> None:
    """A few DAGs in every state: open, frozen, paused; jobs that are down; green, red and running reports."""
    today = datetime.now(UTC).date()
    freeze = [(today + timedelta(days=2), today + timedelta(days=4))]
    windows = {
        "orders_to_hologres": MaintenanceWindow("0 2 * * SUN", timedelta(hours=3), "Asia/Shanghai"),
        "billing_to_hologres": MaintenanceWindow("30 1 * * *", timedelta(hours=2), "Asia/Shanghai", freeze=freeze),
        "stock_levels": MaintenanceWindow("0 0 * * *", timedelta(hours=24), "UTC"),
        "clicks_archive": MaintenanceWindow("0 22 * * TUE,THU", timedelta(hours=6), "Europe/Berlin"),
        "quarterly_reload": MaintenanceWindow("0 3 1 1,4,7,10 *", timedelta(hours=8), "Asia/Singapore"),
    }
    for number, (dag_id, window) in enumerate(windows.items()):
        keep_maintenance(dag_id, window, 11668 + number, is_paused=dag_id == "quarterly_reload")
    rows = Rows()
    run = "scheduled__2026-11-2{}T18:00:00+00:00"
    rows.maintenance(
        "orders_to_hologres", run.format(2), some_days_ago(4), who=None, reason="Add a column for vouchers",
        alarms=[{"rule_id": 1, "metric": "delay", "outcome": "restored", "off": False}],
        events=[{"kind": "DDL", "action": "Ignore", "table": "orders", "text": "ALTER TABLE orders ADD voucher INT"}],
    )  # fmt: skip
    rows.maintenance("stock_levels", "manual__2026-11-25T03:12:09+00:00", some_days_ago(2), job_id=11670, who="ann",
                     reason="Reload after <b>a wrong price</b>", downtime=4210)  # fmt: skip
    rows.maintenance("clicks_archive", run.format(4), some_days_ago(2.4), job_id=11671, is_down=True, restart="failed",
                     state="failed", reason="Upgrade of the source", who="bob",
                     alarms=[{"rule_id": 7, "off": True}, {"rule_id": 8, "off": False}])  # fmt: skip
    rows.maintenance("billing_to_hologres", run.format(6), some_days_ago(0.03), job_id=11669, is_down=True,
                     restart="up_for_retry", state="running", who="ann")  # fmt: skip
    rows.write()


def many(dags: int, runs: int) -> None:
    """As an Airflow of a large team: each DAG with a window of its own, and runs of the last half year."""
    zones = ("Asia/Shanghai", "UTC", "Europe/Berlin", "America/New_York")
    days = ("SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT")
    rows = Rows()
    for number in range(dags):
        cron = f"{number % 60} {number % 24} * * {days[number % 7]}"
        window = MaintenanceWindow(cron, timedelta(hours=2), zones[number % 4], freeze=[("2027-01-29", "2027-02-03")])
        keep_maintenance(f"maintenance_{number:03}", window, 10_000 + number)
    for number in range(runs):
        dag, day = number % dags, 180 * (1 - number / runs)
        last = number >= runs - dags
        rows.maintenance(
            f"maintenance_{dag:03}", f"scheduled__{number}", some_days_ago(day), job_id=10_000 + dag,
            is_down=last and dag % 40 == 0, state="failed" if number % 97 == 0 else "success",
        )  # fmt: skip
    rows.write()


if __name__ == "__main__":
    from airflow.dag_processing.bundles.manager import DagBundlesManager

    DagBundlesManager().sync_bundles_to_db()
    kinds: dict[str, Callable[..., None]] = {"one": one, "some": some, "many": many}
    kinds[sys.argv[1]](*map(int, sys.argv[2:]))
