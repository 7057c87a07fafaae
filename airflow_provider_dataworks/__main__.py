"""Makes ``python -m airflow_provider_dataworks`` the command line of this package, on every Airflow."""

from __future__ import annotations

import sys

from airflow_provider_dataworks.cli.parser import main

if __name__ == "__main__":
    sys.exit(main())
