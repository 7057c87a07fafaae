"""The page in Airflow: windows, what is down, the last maintenances, calls; it reads, and never asks DataWorks."""
