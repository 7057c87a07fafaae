"""Airflow connection in, signed client out; retrying, stopping and waiting are in the client's flows, never here."""

from __future__ import annotations

import time
from functools import cached_property
from typing import TYPE_CHECKING, Any, TypeVar
from urllib.parse import urlsplit

from airflow_provider_dataworks.exceptions import DataWorksError
from airflow_provider_dataworks.get_provider_info import CONN_FIELDS, UI_FIELD_BEHAVIOUR
from airflow_provider_dataworks.retries import explained
from airflow_provider_dataworks.version_compat import AirflowException, BaseHook

if TYPE_CHECKING:
    from collections.abc import Callable

    from airflow_provider_dataworks.client.asking import Flow, Service
    from airflow_provider_dataworks.client.auth.signer import Signer
    from airflow_provider_dataworks.client.http.responses import DIJob
    from airflow_provider_dataworks.client.http.session import AsyncSession, Client, Session
    from airflow_provider_dataworks.hooks._connection import Account

T = TypeVar("T")


class DataWorksHook(BaseHook):
    """
    Talk to Alibaba Cloud DataWorks about DI jobs (real-time synchronization jobs of Data Integration).

    Speaks API 2020-05-18 and 2024-05-18, as the connection's ``api_version`` says; every request is signed. A call that
    is throttled, or fails for now, is tried a few times within about 45 seconds. Permanent errors are
    ``AirflowFailException`` too, so that a task they end does not burn retries. Nothing is looked up or opened before
    the first call.

    Vendor's reference: https://www.alibabacloud.com/help/en/dataworks/developer-reference/

    :param dataworks_conn_id: Airflow connection of type ``dataworks``.
    """

    conn_name_attr = "dataworks_conn_id"
    default_conn_name = "dataworks_default"
    conn_type = "dataworks"
    hook_name = "Alibaba Cloud DataWorks"

    # Replaced, for all hooks or for one, by tests and the emulator's fixtures; Airflow itself takes the real clock.
    now: Callable[[], float] = staticmethod(time.time)
    sleep: Callable[[float], None] = staticmethod(time.sleep)

    def __init__(self, dataworks_conn_id: str = default_conn_name, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.dataworks_conn_id = dataworks_conn_id

    @cached_property
    def account(self) -> Account:
        """
        The connection, read and checked, its secrets masked.

        :raises DataWorksInvalidRequest: naming the field that is wrong.
        """
        from airflow_provider_dataworks.hooks._reading import read

        with self._named():
            return read(type(self), self.dataworks_conn_id)

    def _named(self) -> explained:
        """Return a context manager whose errors leave with connection and endpoint, and without the client's frames."""
        return explained(explain=self._name_in)

    def _name_in(self, error: DataWorksError) -> None:
        """Write connection and endpoint of this hook into an error that names none."""
        error.conn_id = error.conn_id or self.dataworks_conn_id
        if "account" in self.__dict__:
            error.endpoint = error.endpoint or urlsplit(self.account.settings.endpoint).netloc

    async def load_account(self) -> Account:
        """
        Read the connection in an event loop, without blocking it; then :attr:`account` is known.

        :raises DataWorksInvalidRequest: naming the field that is wrong.
        """
        from airflow_provider_dataworks.hooks._reading import aread

        with self._named():
            account = await aread(type(self), self.dataworks_conn_id)
        self.__dict__["account"] = account
        return account

    @cached_property
    def service(self) -> Service:
        """What flows need to talk to this connection's account; see :mod:`airflow_provider_dataworks.client.asking`."""
        from airflow_provider_dataworks.client.asking import Service
        from airflow_provider_dataworks.client.http.rate_limit import shared_pace
        from airflow_provider_dataworks.client.operations import APIS

        settings = self.account.settings
        pace = shared_pace(settings.endpoint, self.account.source.identity, settings.max_qps)
        return Service(APIS[settings.api_version], pace, self.now)

    @cached_property
    def _signer(self) -> Signer:
        from airflow_provider_dataworks.client.auth.signer import Signer
        from airflow_provider_dataworks.hooks._reading import mask

        account = self.account
        return Signer(account.settings.signature, account.source, clock=self.now, mask=mask)

    @cached_property
    def _session(self) -> Session:
        from airflow_provider_dataworks.client.http.session import Session

        with self._named():
            return Session(self.account.settings, self._signer)

    def get_conn(self) -> Client:
        """
        Return a new client of the HTTP library that signs every request, for operations this hook has no method for.

        Give ``x-acs-action`` as a header; ``x-acs-version`` is the connection's unless given. It is usable as long as
        it is held, retries nothing, follows no redirect, and sends to the connection's endpoint only. Answers are
        bounded in size and time, and their errors are the library's, ``httpx.HTTPError``.

        :raises DataWorksInvalidRequest: naming the field or variable that is wrong.
        """
        with self._named():
            return self._session.new_client()

    def run(self, flow: Flow[T]) -> T:
        """
        Drive a conversation of :mod:`airflow_provider_dataworks.client.flows` to its end, blocking.

        :raises DataWorksError: permanent ones are ``AirflowFailException`` too.
        """
        from airflow_provider_dataworks.client.driving import run

        with self._named():
            return run(flow, self._session.exchange, self.sleep)

    async def arun(self, flow: Flow[T]) -> T:
        """Drive a conversation to its end in an event loop; see :meth:`run`. Await :meth:`load_account` before."""
        import asyncio

        from airflow_provider_dataworks.client.driving import arun
        from airflow_provider_dataworks.client.http.session import make_ready

        with self._named():
            await asyncio.to_thread(make_ready, self.account.settings.ca_file)
        session = self.new_async_session()
        try:
            with self._named():
                return await arun(flow, session.exchange)
        finally:
            await session.close()

    def new_async_session(self) -> AsyncSession:
        """Open a signed client for the running event loop; whoever opens it closes it."""
        from airflow_provider_dataworks.client.http.session import AsyncSession

        with self._named():
            return AsyncSession(self.account.settings, self._signer)

    def stop_di_job(self, di_job_id: int | str, instance_id: int | str | None = None) -> str:
        """
        Send one StopDIJob and return its request id; the job stops some time later.

        This asks in any state of the job and does not resolve a lost answer. To be sure, use ``StopDIJobOperator``.

        :param instance_id: one instance of the job; API 2024-05-18 only.
        :raises DataWorksUnavailable: ``.sent`` says whether the request may have arrived.
        """
        from airflow_provider_dataworks.client import flows

        return self.run(flows.stop_di_job(self.service, di_job_id, instance_id))

    def start_di_job(
        self, di_job_id: int | str, *, start_time: int | None = None, force_to_rerun: bool | None = None
    ) -> str:
        """
        Send one StartDIJob and return its request id; the job runs some time later.

        :param start_time: epoch seconds to read the source's log from; without it the job resumes where it stopped.
        :param force_to_rerun: run every step again, the full load too.
        """
        from airflow_provider_dataworks.client import flows

        return self.run(flows.start_di_job(self.service, di_job_id, start_time, force_to_rerun))

    def get_di_job(self, di_job_id: int | str) -> DIJob:
        """Return a DI job as it is now."""
        from airflow_provider_dataworks.client import flows

        return self.run(flows.get_di_job(self.service, di_job_id))

    def list_di_jobs(self, project_id: int | str, *, name: str | None = None) -> list[DIJob]:
        """
        Return the DI jobs of a workspace.

        :param name: only the job of exactly this name.
        """
        from airflow_provider_dataworks.client import flows

        return self.run(flows.list_di_jobs(self.service, project_id, name))

    def wait_until_stopped(self, di_job_id: int | str, *, timeout: float, poll_interval: float) -> DIJob:
        """
        Look at a DI job until nothing of it runs any more (Stopped or Finished).

        :param timeout: seconds to wait at most.
        :param poll_interval: seconds between looks.
        :raises DIJobFailed: the job ended Failed.
        :raises DIJobWaitTimeout: the time ran out.
        """
        from airflow_provider_dataworks.arguments import seconds
        from airflow_provider_dataworks.client import flows
        from airflow_provider_dataworks.client.http.responses import Verdict

        with self._named():
            deadline = self.now() + seconds(timeout, "timeout")
            interval = seconds(poll_interval, "poll_interval")
        return self.run(flows.wait(self.service, di_job_id, Verdict(), deadline=deadline, poll_interval=interval))

    def test_connection(self) -> tuple[bool, str]:
        """
        Ask DataWorks something cheap that changes nothing, once; behind the Test button of the connection form.

        :return: whether it answered, and what to do if not; never a secret.
        """
        from dataclasses import replace

        from airflow_provider_dataworks.client.asking import ask

        try:
            service = replace(self.service, patience=0, longest_hold=0)
            workspaces = self.run(ask(service, service.api.ListProjects()))
            text = f"{self.account.settings.endpoint} answered. Workspaces visible: {workspaces}"
            project_id = self.account.project_id
            if project_id is not None:
                jobs = self.run(ask(service, service.api.ListDIJobs(project_id, None, 1))).total
                text = f"{text}; DI jobs in workspace {project_id}: {jobs}"
        except (DataWorksError, AirflowException) as error:
            return False, str(error)
        return True, f"{text}."

    @classmethod
    def get_ui_field_behaviour(cls) -> dict[str, Any]:
        """Form of Airflow 2.11 to 3.1, from the same dict that later versions read from the provider info."""
        return {name.replace("-", "_"): value for name, value in UI_FIELD_BEHAVIOUR.items()}

    @classmethod
    def get_connection_form_widgets(cls) -> dict[str, Any]:
        """Form fields of Airflow 2.11 to 3.1, from the same dict that later versions read from the provider info."""
        # Only the web server that draws such a form has these; no other part of Airflow may need them.
        from flask_appbuilder.fieldwidgets import BS3PasswordFieldWidget, BS3TextFieldWidget
        from flask_babel import lazy_gettext
        from wtforms import PasswordField, StringField
        from wtforms.validators import AnyOf, any_of

        # Airflow 3.0 and 3.1 put stand-ins in the place of these, and make a drop-down of this validator.
        drop_downs = any_of is not AnyOf

        def widget(field: dict[str, Any]) -> Any:
            schema = field["schema"]
            common = {"label": lazy_gettext(field["label"]), "description": field["description"]}
            if "enum" in schema and drop_downs:
                common["validators"] = [any_of(schema["enum"])]
            elif "enum" in schema:
                # Text on 2.11: one form holds the fields of all connection types there, and a drop-down or number
                # field left empty by another type would keep that one from being saved.
                common["description"] += f" One of: {', '.join(schema['enum'])}."
            if schema.get("format") == "password":
                return PasswordField(**common, widget=BS3PasswordFieldWidget())
            return StringField(**common, widget=BS3TextFieldWidget(), default=schema.get("default"))

        return {name: widget(field) for name, field in CONN_FIELDS.items()}
