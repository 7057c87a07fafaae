"""The command line: ``airflow dataworks`` from Airflow 3.2 on, ``python -m airflow_provider_dataworks`` everywhere.

Every command looks at DataWorks by the hook, as operators do; ``restart`` alone changes something, by the same flow as
``StartDIJobOperator``. The table of commands is in :mod:`.commands`; what runs one, and its exit codes, in
:mod:`.running`.
"""
