"""
The client: it knows DataWorks, and nothing of Airflow.

How a stop travels, from ``StopDIJobOperator.execute`` to the bytes and back:

1. The operator makes a :class:`~.models.ChangeRequest`: which job, until when, and how to write and withdraw the note
   by which this run's other tasks know that it asked. With ``window=`` the window limits it.
2. ``DataWorksHook.stop_if_needed`` reads the connection once, makes a :class:`DataWorksClient` of it, and hands the
   request to :func:`.state_change.stop`.
3. ``state_change`` looks at the job first. Where it runs, the note is written and StopDIJob is sent; its
   :class:`~.models.ChangeResult` says how the job was and is, and whether a request was sent.
4. ``DataWorksClient.call`` makes one call with its tries. A throttled call, or one that never left, is made again by
   tenacity within 45 seconds. After a lost answer a call that changes something is not: ``state_change`` looks again.
5. ``http.session.Session.send`` waits for its turn at the rate limiter, takes keys from the credential cache, signs,
   and has the request exchanged: right before that it asks whether there is still time to send.
6. ``http.connections`` exchanges the request over a connection of its own, in bounded time and size.
7. On the way back ``Session`` renews keys or clock once where the service refused them, and
   ``http.responses.read_answer`` makes a value or one of our errors of the answer. Only the service's own refusal means
   that nothing happened.
8. The operator records what was done in note, link and log. Then it returns, waits by ``DataWorksHook.wait_until``,
   or defers: ``triggers/`` looks at the job with all other waits of its workspace, by the same client, in threads.

What may have arrived is decided in one place (``responses.is_refusal``), what an error means in ``errors/``, and
whether a job is where it is wanted in :class:`~.models.Verdict`.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from airflow_provider_dataworks.client.client import DataWorksClient
    from airflow_provider_dataworks.client.models import DIJob, JobStatus

__all__ = ["DIJob", "DataWorksClient", "JobStatus"]

# Imported when they are used: DAG files need no HTTP library, and the emulator needs no Airflow.
_MODULES = {"DIJob": "models", "DataWorksClient": "client", "JobStatus": "models"}


def __getattr__(name: str) -> Any:
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_MODULES[name]}"), name)
