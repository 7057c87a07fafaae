"""The DataWorks client: knows the service and nothing of Airflow."""
