"""`make airflow`: a real Airflow with the example DAGs and an emulated DataWorks, for a person to click around in.

It prints the addresses of both and runs until Ctrl-C or SIGTERM. Nothing leaves this machine, and nothing stays behind:
no process, no port, no file.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path

from demo.airflow_processes import LocalAirflow
from demo.emulated import Emulator
from demo.ending import in_a_directory

ROOT = Path(__file__).resolve().parents[1]
MANY = 10  # jobs of example_dataworks_stop_many, with the ids 1 to 10; the page shows twelve at first
JOBS = (
    "11668=Running,name=mysql_to_holo_orders",
    "11743=Running,name=mysql_to_holo_customers",
    *(f"{number}=Running,name=mysql_to_holo_shard_{number:02}" for number in range(1, MANY + 1)),
)
# A maintenance DAG that is unpaused gets a run for the last opening of its window at once, late as it is, and that run
# fails, as it must. These two have no schedule.
UNPAUSED = ("example_dataworks_stop", "example_dataworks_stop_many")
SETTINGS = {
    "AIRFLOW__CORE__TEST_CONNECTION": "Enabled",
    "AIRFLOW__API__INSTANCE_NAME": "DataWorks demo",
    "DATAWORKS_JOBS": str(MANY),
}
SAYS = """
  Airflow     {airflow}
  DataWorks   {emulator}   (emulated: jobs and calls, live)

Trigger, and watch the second page:
- example_dataworks_maintenance with ignore_window: stops job 11668, does the work and starts the job again.
  As that unpauses it, Airflow also makes the run of its last window: too late, so that one touches nothing and fails.
- example_dataworks_stop: stops job 11668 and leaves it so.
- example_dataworks_stop_many: stops jobs 1 to {many}; the waits are deferred and share their looks.
The connection dataworks_default is under Admin, Connections; its Test button works.

Ctrl-C ends all.
"""


def explore(directory: Path, airflow_port: int, emulator_port: int) -> bool:
    """Start both, say where they are, and stay until something ends: a signal, or one of their processes."""
    options = [word for job in JOBS for word in ("--job", job)]
    options += ["--stop-seconds", "8", "--start-seconds", "4"]
    airflow = LocalAirflow(directory, ROOT / "example_dags", env=SETTINGS, stop_grace=4.0, port=airflow_port)
    with Emulator(directory, *options, port=emulator_port) as emulator, airflow:
        print(f"Starting Airflow {version('apache-airflow')} and the emulator (half a minute)", flush=True)
        airflow.migrate()
        emulator.wait_ready()
        airflow.start()
        airflow.wait_healthy()
        airflow.add_pool("dataworks", 40, include_deferred=True)
        # In the database and not in the environment, so that it can be seen and changed in the UI.
        airflow.add_connection("dataworks_default", emulator.form, "The emulated DataWorks of this demo")
        for dag_id in UNPAUSED:
            airflow.unpause(dag_id)
        print(SAYS.format(airflow=airflow.base_url, emulator=emulator.url, many=MANY), flush=True)
        while True:
            airflow.check()
            emulator.process.check()
            time.sleep(0.5)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run until a signal; return the exit status."""
    parser = argparse.ArgumentParser(prog="python -m demo.explore", description=(__doc__ or "").splitlines()[0])
    add = parser.add_argument
    add("--airflow-port", type=int, default=8080, help="if it is free, else another; 0 takes any (default %(default)s)")
    add("--emulator-port", type=int, default=8900, help="likewise (default %(default)s)")
    options = parser.parse_args(arguments)

    return in_a_directory(lambda directory: explore(directory, options.airflow_port, options.emulator_port))


if __name__ == "__main__":
    sys.exit(main())
