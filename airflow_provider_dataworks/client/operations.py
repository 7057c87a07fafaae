"""What can be asked of DataWorks: a function per operation and version that returns a Call; nothing is sent here.

The functions carry the vendor's own names and check what they are given, so that nothing wrong can be sent. Method
and place of the parameters are those of the vendor's SDKs (``alibabacloud-dataworks-public20200518`` and
``…20240518``): 2020-05-18 posts a form, 2024-05-18 gets with a query, and ListProjects does it the other way round in
both. So the StopDIJob of 2024-05-18 is a GET that changes something: nothing on the way may repeat it by itself.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Generic, Protocol, TypeVar

from airflow_provider_dataworks import values
from airflow_provider_dataworks.client.auth.signing import flat
from airflow_provider_dataworks.client.config import API_2020, API_2024
from airflow_provider_dataworks.client.http.decoding import Payload
from airflow_provider_dataworks.client.http.responses import (
    read_di_job,
    read_page,
    read_request_id,
    read_total,
)
from airflow_provider_dataworks.client.models import DIJob, Page
from airflow_provider_dataworks.values import int64, invalid

T = TypeVar("T", covariant=True)

PAGE_SIZE = 100  # the most that ListDIJobs gives
_SMALL_PAGE = 10  # the least that list operations of 2024-05-18 are known to accept


@dataclass(frozen=True)
class Call(Generic[T]):
    """
    One question to the service.

    :param action: the vendor's operation name.
    :param version: API version.
    :param method: HTTP method.
    :param in_query: whether the parameters go into the query; else they are a form body.
    :param params: flat text parameters.
    :param read: takes action and payload of a good answer and returns what the caller wants.
    :param changes: whether the call changes something, so that it must not be repeated blindly.
    :param di_job_id: the DI job it is about, for messages.
    :param confidential: whether parameters or answer hold secrets, so that no error may quote what came back.
    """

    action: str
    version: str
    method: str
    in_query: bool
    params: Mapping[str, str] = field(repr=False)
    read: Callable[[str, Payload], T] = field(repr=False)
    changes: bool = False
    di_job_id: int | None = None
    confidential: bool = False


def _start_settings(start_time: int | None, force_to_rerun: bool | None) -> dict[str, object]:
    settings: dict[str, object] = {"ForceToRerun": values.flag(force_to_rerun, "force_to_rerun")}
    if (moment := values.start_time(start_time)) is not None:
        settings["RealtimeStartSettings"] = json.dumps({"StartTime": moment}, separators=(",", ":"))
    return settings


class Api(Protocol):
    """The operations both API versions have."""

    version: str

    def StopDIJob(self, di_job_id: int | str, instance_id: int | str | None = None) -> Call[str]:
        """Ask to stop a DI job; the answer is the request id."""
        ...

    def StartDIJob(self, di_job_id: int | str, start_time: int | None, force_to_rerun: bool | None) -> Call[str]:
        """Ask to start a DI job; without a start time it resumes from the recorded offset."""
        ...

    def GetDIJob(self, di_job_id: int | str) -> Call[DIJob]:
        """Ask for one DI job with its status."""
        ...

    def ListDIJobs(self, project_id: int | str, name: str | None, page: int) -> Call[Page]:
        """Ask for one page, of up to 100, of a workspace's DI jobs."""
        ...

    def ListProjects(self) -> Call[int]:
        """Ask how many workspaces there are; the cheapest question that proves the key."""
        ...


class Api20200518:
    """API 2020-05-18: parameters in a form, an envelope of its own for each operation."""

    version = API_2020

    def _form(
        self, action: str, params: Mapping[str, object], read: Callable[[str, Payload], T], **more: Any
    ) -> Call[T]:
        return Call(action, self.version, "POST", False, flat(params), read, **more)

    def StopDIJob(self, di_job_id: int | str, instance_id: int | str | None = None) -> Call[str]:
        """https://www.alibabacloud.com/help/en/dataworks/developer-reference/api-dataworks-public-2020-05-18-stopdijob"""
        if instance_id is not None:
            raise invalid(
                "instance_id", "API 2020-05-18 stops whole jobs only", "Leave it out, or set api_version to 2024-05-18."
            )
        job_id = int64(di_job_id, "di_job_id")
        return self._form("StopDIJob", {"DIJobId": job_id}, read_request_id, changes=True, di_job_id=job_id)

    def StartDIJob(self, di_job_id: int | str, start_time: int | None, force_to_rerun: bool | None) -> Call[str]:
        """https://www.alibabacloud.com/help/en/dataworks/developer-reference/api-dataworks-public-2020-05-18-startdijob"""
        job_id = int64(di_job_id, "di_job_id")
        params = {"DIJobId": job_id, **_start_settings(start_time, force_to_rerun)}
        return self._form("StartDIJob", params, read_request_id, changes=True, di_job_id=job_id)

    def GetDIJob(self, di_job_id: int | str) -> Call[DIJob]:
        """https://www.alibabacloud.com/help/en/dataworks/developer-reference/api-dataworks-public-2020-05-18-getdijob"""
        job_id = int64(di_job_id, "di_job_id")
        read = partial(read_di_job, envelope="Data", asked=job_id)
        return self._form("GetDIJob", {"DIJobId": job_id, "WithDetails": False}, read, di_job_id=job_id)

    def ListDIJobs(self, project_id: int | str, name: str | None, page: int) -> Call[Page]:
        """https://www.alibabacloud.com/help/en/dataworks/developer-reference/api-dataworks-public-2020-05-18-listdijobs"""
        workspace = int64(project_id, "project_id")
        params = {"ProjectId": workspace, "JobName": name, "PageNumber": page, "PageSize": PAGE_SIZE}
        return self._form("ListDIJobs", params, partial(read_page, envelope="DIJobPaging"))

    def ListProjects(self) -> Call[int]:
        """https://www.alibabacloud.com/help/en/dataworks/developer-reference/api-dataworks-public-2020-05-18-listprojects"""
        read = partial(read_total, envelope="PageResult")
        return Call("ListProjects", self.version, "POST", True, flat({"PageSize": _SMALL_PAGE}), read)


class Api20240518:
    """API 2024-05-18: parameters in the query, one envelope ``PagingInfo``, ``Success`` in answers."""

    version = API_2024

    def _query(
        self, action: str, params: Mapping[str, object], read: Callable[[str, Payload], T], **more: Any
    ) -> Call[T]:
        return Call(action, self.version, "GET", True, flat(params), read, **more)

    def StopDIJob(self, di_job_id: int | str, instance_id: int | str | None = None) -> Call[str]:
        """https://www.alibabacloud.com/help/en/dataworks/developer-reference/api-dataworks-public-2024-05-18-stopdijob"""
        job_id = int64(di_job_id, "di_job_id")
        instance = None if instance_id is None else int64(instance_id, "instance_id")
        params = {"Id": job_id, "InstanceId": instance}
        return self._query("StopDIJob", params, read_request_id, changes=True, di_job_id=job_id)

    def StartDIJob(self, di_job_id: int | str, start_time: int | None, force_to_rerun: bool | None) -> Call[str]:
        """https://www.alibabacloud.com/help/en/dataworks/developer-reference/api-dataworks-public-2024-05-18-startdijob"""
        job_id = int64(di_job_id, "di_job_id")
        params = {"Id": job_id, **_start_settings(start_time, force_to_rerun)}
        return self._query("StartDIJob", params, read_request_id, changes=True, di_job_id=job_id)

    def GetDIJob(self, di_job_id: int | str) -> Call[DIJob]:
        """https://www.alibabacloud.com/help/en/dataworks/developer-reference/api-dataworks-public-2024-05-18-getdijob"""
        job_id = int64(di_job_id, "di_job_id")
        read = partial(read_di_job, envelope="PagingInfo", asked=job_id)
        return self._query("GetDIJob", {"Id": job_id, "WithDetails": False}, read, di_job_id=job_id)

    def ListDIJobs(self, project_id: int | str, name: str | None, page: int) -> Call[Page]:
        """https://www.alibabacloud.com/help/en/dataworks/developer-reference/api-dataworks-public-2024-05-18-listdijobs"""
        # SpecType: without ALL, which kinds of job are listed is not documented.
        workspace = int64(project_id, "project_id")
        params = {"ProjectId": workspace, "Name": name, "SpecType": "ALL", "PageNumber": page, "PageSize": PAGE_SIZE}
        return self._query("ListDIJobs", params, partial(read_page, envelope="PagingInfo"))

    def ListProjects(self) -> Call[int]:
        """https://www.alibabacloud.com/help/en/dataworks/developer-reference/api-dataworks-public-2024-05-18-listprojects"""
        read = partial(read_total, envelope="PagingInfo")
        return Call("ListProjects", self.version, "POST", False, flat({"PageSize": _SMALL_PAGE}), read)


APIS: dict[str, Api] = {API_2020: Api20200518(), API_2024: Api20240518()}
