"""
The names of Airflow that moved between 2.11 and 3.4, each imported from where this Airflow keeps it.

The one module that compares versions. It must not add behaviour of its own, but for the asynchronous reading of a
connection, which Airflow offers in three ways. (Airflow's own provider for this, common-compat, is pinned by each
constraint file to another version, and no version that all of them allow has every name.)
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airflow import __version__ as airflow_version
from packaging.version import Version

_RELEASE = Version(airflow_version).release

AIRFLOW_V_3_0_PLUS: bool = _RELEASE >= (3, 0)
AIRFLOW_V_3_1_PLUS: bool = _RELEASE >= (3, 1)
AIRFLOW_V_3_3_PLUS: bool = _RELEASE >= (3, 3)

if TYPE_CHECKING:
    from airflow.sdk import Connection as Connection

if TYPE_CHECKING or AIRFLOW_V_3_0_PLUS:
    from airflow.sdk import (
        DAG,
        BaseOperator,
        BaseOperatorLink,
        BaseSensorOperator,
        Context,
        PokeReturnValue,
        TaskGroup,
    )
    from airflow.sdk.execution_time.xcom import XCom
else:
    from airflow.models.baseoperator import BaseOperator
    from airflow.models.baseoperatorlink import BaseOperatorLink
    from airflow.models.dag import DAG
    from airflow.models.xcom import XCom
    from airflow.sensors.base import BaseSensorOperator, PokeReturnValue
    from airflow.utils.context import Context
    from airflow.utils.task_group import TaskGroup

if TYPE_CHECKING or _RELEASE >= (3, 2):
    from airflow.sdk.configuration import conf
    from airflow.sdk.exceptions import AirflowException, AirflowFailException, AirflowSkipException, TaskDeferred
else:
    from airflow.configuration import conf
    from airflow.exceptions import AirflowException, AirflowFailException, AirflowSkipException, TaskDeferred

if TYPE_CHECKING or _RELEASE >= (3, 1):
    from airflow.sdk import BaseHook
    from airflow.sdk.log import mask_secret
elif AIRFLOW_V_3_0_PLUS:
    from airflow.hooks.base import BaseHook
    from airflow.sdk.execution_time.secrets_masker import mask_secret
else:
    from airflow.hooks.base import BaseHook
    from airflow.utils.log.secrets_masker import mask_secret

__all__ = [
    "AIRFLOW_V_3_0_PLUS",
    "AIRFLOW_V_3_1_PLUS",
    "AIRFLOW_V_3_3_PLUS",
    "DAG",
    "AirflowException",
    "AirflowFailException",
    "AirflowSkipException",
    "BaseHook",
    "BaseOperator",
    "BaseOperatorLink",
    "BaseSensorOperator",
    "Context",
    "PokeReturnValue",
    "TaskDeferred",
    "TaskGroup",
    "XCom",
    "conf",
    "mask_secret",
    "read_connection_in_event_loop",
]


async def read_connection_in_event_loop(hook: type[BaseHook], conn_id: str) -> tuple[Connection, Any]:
    """
    Read a connection and its decoded extra without blocking the event loop; Airflow masks the secrets of both.

    :param hook: class to read through.
    :return: the connection, and its extra as decoded from JSON.
    """
    if _RELEASE >= (3, 3, 2):  # before it, masking blocks the loop or deadlocks
        connection = await hook.aget_connection(conn_id)
        return connection, await connection.aextra_dejson()
    from asgiref.sync import sync_to_async

    # asgiref's thread, not asyncio's: only from there does Airflow 3 find its way back to the loop of the triggerer,
    # which holds the connection to its supervisor.
    def read() -> tuple[Connection, Any]:
        connection = hook.get_connection(conn_id)
        return connection, connection.extra_dejson

    return await sync_to_async(read)()
