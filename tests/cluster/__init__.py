"""A small cluster: Airflow with CeleryExecutor, PostgreSQL and Redis, all on one machine; `make test-cluster`."""
