"""The hook: makes a signed client of an Airflow connection; tries, stops and waits are decided by the client alone."""

from __future__ import annotations

import time
from collections.abc import Callable, Coroutine
from functools import partial
from typing import Any
from urllib.parse import urlsplit

from airflow_provider_dataworks.call_counts import count_call
from airflow_provider_dataworks.client import state_change
from airflow_provider_dataworks.client.auth.cache import CredentialCache
from airflow_provider_dataworks.client.client import PATIENCE, DataWorksClient
from airflow_provider_dataworks.client.errors import named_errors
from airflow_provider_dataworks.client.http.rate_limit import shared_limiter
from airflow_provider_dataworks.client.http.session import LONGEST_PAUSE, HttpClient, Session
from airflow_provider_dataworks.client.locks import cached_property
from airflow_provider_dataworks.client.models import ChangeRequest, ChangeResult, DIJob, Proof, ProofRules, Verdict
from airflow_provider_dataworks.client.proof import CatchUp, prove
from airflow_provider_dataworks.exceptions import DataWorksError
from airflow_provider_dataworks.get_provider_info import CONN_FIELDS, UI_FIELD_BEHAVIOUR
from airflow_provider_dataworks.hooks._connection import (
    Account,
    mask,
    mask_all,
    read_from_airflow,
    read_in_event_loop,
)
from airflow_provider_dataworks.hooks._diagnostics import DiagnosticsMixin
from airflow_provider_dataworks.values import seconds
from airflow_provider_dataworks.version_compat import AirflowException, BaseHook


class DataWorksHook(DiagnosticsMixin, BaseHook):
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
        self._mask, self._mask_all = mask, mask_all

    @cached_property
    def account(self) -> Account:
        """
        The connection, read and checked, its secrets masked.

        :raises DataWorksInvalidRequest: naming the field that is wrong.
        :raises DataWorksUnavailable: there is none, or Airflow cannot look it up now, which it does not tell apart.
        """
        with named_errors(self.dataworks_conn_id):
            return read_from_airflow(type(self), self.dataworks_conn_id)

    async def load_account(self, run_in_loop: Callable[[Coroutine[Any, Any, Any]], Any]) -> Account:
        """
        Read the connection in an event loop, without blocking it; then :attr:`account` is known.

        :param run_in_loop: runs a coroutine in that loop, called from another thread, and returns what it returns.
        :raises DataWorksError: see :attr:`account`.
        """
        with named_errors(self.dataworks_conn_id):
            account = await read_in_event_loop(type(self), self.dataworks_conn_id, run_in_loop)
        # Keys that are renewed later are not masked: Airflow is told of them in a way that would block the loop.
        self._mask, self._mask_all = lambda keys: None, lambda secrets: None
        self.__dict__["account"] = account
        return account

    @cached_property
    def client(self) -> DataWorksClient:
        """The client of this connection; opened by its first call."""
        return self.new_client()

    def new_client(self, *, patience: float = PATIENCE, longest_pause: float = LONGEST_PAUSE) -> DataWorksClient:
        """
        Return another client of this connection.

        :param patience: seconds that one call may spend waiting between its tries.
        :param longest_pause: seconds that one call waits for its turn, where the service asked everybody to wait.
        :raises DataWorksInvalidRequest: naming the field or variable that is wrong.
        """
        account, clock, sleep = self.account, self.now, self.sleep
        config = account.config
        cache = CredentialCache(account.source, clock, self._mask, config.ca_file)
        limiter = shared_limiter(config.endpoint, account.source.identity, config.max_qps)
        with named_errors(self.dataworks_conn_id, urlsplit(config.endpoint).netloc):
            count = partial(count_call, self.dataworks_conn_id)
            session = Session(
                config, cache, limiter, clock=clock, sleep=sleep, longest_pause=longest_pause, on_call=count
            )
        conn_id = self.dataworks_conn_id
        return DataWorksClient(config, session, clock=clock, sleep=sleep, patience=patience, conn_id=conn_id)

    def get_conn(self) -> HttpClient:
        """
        Return a new client of the HTTP library that signs every request, for operations this hook has no method for.

        Give ``x-acs-action`` as a header; ``x-acs-version`` is the connection's unless given. It keeps the connection's
        ``max_qps``, renews keys and clock as the hook does, and is usable as long as it is held. It repeats nothing
        else, follows no redirect, and sends to the connection's endpoint only. Answers are bounded in size and time;
        where there is none the error is the library's, ``httpx.HTTPError``.

        :raises DataWorksInvalidRequest: naming the field or variable that is wrong.
        """
        return self.client.session.new_client()

    def stop_di_job(self, di_job_id: int | str, instance_id: int | str | None = None) -> str:
        """
        Send one StopDIJob and return its request id; the job stops some time later.

        This asks in any state of the job and does not resolve a lost answer. To be sure, use ``StopDIJobOperator``.

        :param instance_id: one instance of the job; API 2024-05-18 only.
        :raises DataWorksUnavailable: ``.sent`` says whether the request may have arrived.
        """
        return self.client.stop_di_job(di_job_id, instance_id)

    def start_di_job(
        self, di_job_id: int | str, *, start_time: int | None = None, force_to_rerun: bool | None = None
    ) -> str:
        """
        Send one StartDIJob and return its request id; the job runs some time later.

        :param start_time: epoch seconds to read the source's log from; without it the job resumes where it stopped.
        :param force_to_rerun: run every step again, the full load too.
        """
        return self.client.start_di_job(di_job_id, start_time, force_to_rerun)

    def get_di_job(self, di_job_id: int | str) -> DIJob:
        """Return a DI job as it is now."""
        return self.client.get_di_job(di_job_id)

    def list_di_jobs(self, project_id: int | str, *, name: str | None = None) -> list[DIJob]:
        """
        Return the DI jobs of a workspace.

        :param name: only the job of exactly this name.
        """
        return self.client.list_di_jobs(project_id, name)

    def wait_until_stopped(self, di_job_id: int | str, *, timeout: float, poll_interval: float) -> DIJob:
        """
        Look at a DI job until nothing of it runs any more (Stopped or Finished).

        :param timeout: seconds to wait at most.
        :param poll_interval: seconds between looks.
        :raises DIJobFailed: the job ended Failed.
        :raises DIJobWaitTimeout: the time ran out.
        """
        deadline, interval = self.now() + seconds(timeout, "timeout"), seconds(poll_interval, "poll_interval")
        return self.wait_until(di_job_id, Verdict(), deadline=deadline, poll_interval=interval)

    def wait_until(
        self,
        di_job_id: int | str,
        done: Callable[[DIJob], bool],
        *,
        deadline: float,
        poll_interval: float,
        first: DIJob | None = None,
    ) -> DIJob:
        """
        Look at a DI job until it is as wanted; see :meth:`.DataWorksClient.wait_until`.

        :param done: says whether it is; may raise to give up.
        :param deadline: epoch seconds.
        :param poll_interval: seconds between looks.
        :param first: the job as it is known already.
        :raises DIJobWaitTimeout: the time ran out.
        """
        return self.client.wait_until(di_job_id, done, deadline=deadline, poll_interval=poll_interval, first=first)

    def stop_if_needed(self, request: ChangeRequest, instance_id: int | None = None) -> ChangeResult:
        """Ask a DI job to stop unless it need not be asked; see :func:`.state_change.stop`."""
        return state_change.stop(self.client, request, instance_id)

    def start_if_needed(
        self, request: ChangeRequest, *, start_time: int | None = None, force_to_rerun: bool | None = None
    ) -> ChangeResult:
        """Ask a DI job to start unless it need not be asked; see :func:`.state_change.start`."""
        return state_change.start(self.client, request, start_time=start_time, force_to_rerun=force_to_rerun)

    def prove(self, di_job_id: int, rules: ProofRules, *, deadline: float, poll_interval: float) -> Proof:
        """Look at a DI job that was started until it has shown what it has to; see :func:`.proof.prove`."""
        return prove(self.client, di_job_id, rules, deadline=deadline, poll_interval=poll_interval)

    def look_at_lag(self, di_job_id: int, rules: ProofRules, *, patient: bool = True) -> tuple[Proof | None, str]:
        """
        Ask once how far a DI job that runs is behind its source.

        :param patient: count metrics that cannot be had now as a lag that is not known, for whoever asks again; else
            raise.
        :return: what it has shown, or ``None`` where it has not caught up; and what is known of its lag, in words.
        :raises DIJobFailed: the lag grows.
        """
        now = self.now()
        catch_up = CatchUp(di_job_id, rules, now)
        catch_up.look(self.job_metrics, now, patient=patient)
        return catch_up.proof, catch_up.state

    def test_connection(self) -> tuple[bool, str]:
        """
        Ask DataWorks something cheap that changes nothing, once; behind the Test button of the connection form.

        :return: whether it answered, and what to do if not; never a secret.
        """
        try:
            client = self.new_client(patience=0, longest_pause=0)
            text = f"{self.account.config.endpoint} answered. Workspaces visible: {client.count_projects()}"
            project_id = self.account.project_id
            if project_id is not None:
                text = f"{text}; DI jobs in workspace {project_id}: {client.list_page(project_id, 1).total}"
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
