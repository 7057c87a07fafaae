"""Answers the control endpoint under ``/_emulator/`` and decides who may use it; never answers an API call."""

from __future__ import annotations

import ipaddress
import json
from collections.abc import Callable, Mapping
from typing import Any, Final
from urllib.parse import urlsplit

from . import status_page
from .requests import Request
from .responses import Answer
from .service import Service
from .status_page import PREFIX

ROUTES: Final = {
    "GET /_emulator/": "the status page for people; with Accept: application/json this list",
    "GET /_emulator/state": "jobs, calls, quotas and faults as they are now (Accept: application/json: not indented)",
    "POST /_emulator/faults": "add fault rules: one, or a list of them",
    "POST /_emulator/jobs": 'set or replace jobs: one with its "id", or a list of them',
    "POST /_emulator/quotas": "change calls_per_second, calls_per_day or burst; null lifts a limit",
    "POST /_emulator/reset": "go back to the start: jobs, faults, quotas; forget all calls",
}

Reply = tuple[int, dict[str, Any]]


def is_loopback(host: str) -> bool:
    """Whether a host name or address means this machine only."""
    if host.lower() == "localhost":
        return True
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False


def control(service: Service, request: Request, *, allow_remote: bool = False) -> Reply:
    """
    Answer one request to the control endpoint.

    :param allow_remote: whether other machines may use it.
    :return: HTTP status and JSON values.
    """
    refused = _foreign(request, allow_remote=allow_remote)
    if refused:
        return 403, {"error": refused}
    name = f"{request.method} {request.path}"
    handler = _HANDLERS.get(name)
    if handler is None:
        known = request.path == PREFIX or any(route.endswith(f" {request.path}") for route in ROUTES)
        return (405 if known else 404), {"error": f"{name}: there is no such route", "routes": ROUTES}
    try:
        return 200, handler(service, request.body)
    except ValueError as error:
        return 400, {"error": str(error)}


def for_people(request: Request, *, allow_remote: bool = False) -> Answer | None:
    """
    Give the status page to a browser that asks for it, and nothing to any other caller.

    :param allow_remote: whether other machines may look at it.
    """
    if not status_page.wanted(request):
        return None
    refused = _foreign(request, allow_remote=allow_remote)
    if refused:
        return Answer(403, status_page.headers("text/plain"), f"{refused}\n".encode())
    return status_page.answer()


def _foreign(request: Request, *, allow_remote: bool) -> str:
    """
    Tell why a request is not from a user of this machine, or nothing as empty text.

    A web page the user happens to look at can send requests to a loopback address too, directly or by pointing its own
    name there; both show in the headers a browser sets.
    """
    host = request.header("host")
    if not allow_remote and not is_loopback(urlsplit(f"//{host}").hostname or ""):
        return "host: the control endpoint answers only to a loopback address"
    origin = request.header("origin")
    if origin and urlsplit(origin).netloc != host:
        return "origin: the control endpoint does not answer to other web pages"
    return ""


def _body(body: bytes) -> Any:
    try:
        return json.loads(body)
    except (ValueError, RecursionError) as error:
        raise ValueError(f"body: not JSON ({error})") from error


def _objects(body: bytes, what: str) -> list[dict[str, Any]]:
    value = _body(body)
    values = value if isinstance(value, list) else [value]
    if not all(isinstance(item, dict) for item in values):
        raise ValueError(f"body: give one {what} as an object, or a list of them")
    return values


def _index(service: Service, body: bytes) -> dict[str, Any]:
    return {"routes": ROUTES}


def _state(service: Service, body: bytes) -> dict[str, Any]:
    return service.state()


def _faults(service: Service, body: bytes) -> dict[str, Any]:
    service.inject(*_objects(body, "fault rule"))
    return {"faults": service.state()["faults"]}


def _jobs(service: Service, body: bytes) -> dict[str, Any]:
    changed = []
    for settings in _objects(body, "job"):
        if "id" not in settings:
            raise ValueError('job: the field "id" is missing')
        job = service.put_job(settings["id"], {name: value for name, value in settings.items() if name != "id"})
        changed.append(str(job.id))
    jobs = service.state()["jobs"]
    return {"jobs": {number: jobs[number] for number in changed}}


def _quotas(service: Service, body: bytes) -> dict[str, Any]:
    changes = _body(body)
    if not isinstance(changes, Mapping):
        raise ValueError("body: give an object of quotas")
    return {"quotas": service.set_quotas(changes).as_dict()}


def _reset(service: Service, body: bytes) -> dict[str, Any]:
    service.reset()
    return service.state()


_HANDLERS: Final[Mapping[str, Callable[[Service, bytes], dict[str, Any]]]] = {
    f"GET {PREFIX}": _index,
    f"GET {PREFIX}state": _state,
    f"POST {PREFIX}faults": _faults,
    f"POST {PREFIX}jobs": _jobs,
    f"POST {PREFIX}quotas": _quotas,
    f"POST {PREFIX}reset": _reset,
}
