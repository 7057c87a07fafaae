"""
Serves the page below Airflow's API server, as a FastAPI app that the plugin hands over (Airflow 3.1 and later).

It keeps nothing between requests but openings of windows it has worked out, so that any number of API servers may
answer. It writes nothing, and makes no call to DataWorks.
"""

from __future__ import annotations

import logging
from datetime import UTC, date, datetime, timedelta
from typing import Annotated, Any

from airflow.utils.session import create_session
from fastapi import Depends, FastAPI, Request
from fastapi.responses import HTMLResponse, Response
from starlette.exceptions import HTTPException

from airflow_provider_dataworks.page import calendar, data
from airflow_provider_dataworks.page.access import Access, access_of
from airflow_provider_dataworks.page.rendering import STATIC, render

log = logging.getLogger(__name__)

Allowed = Annotated[Access, Depends(access_of)]


_HEADERS = {
    "Cache-Control": "no-store",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",
    # Nothing from elsewhere, no script but our own file, and no frame but Airflow's.
    "Content-Security-Policy": (
        "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self'; base-uri 'none'; "
        "form-action 'self'; frame-ancestors 'self'"
    ),
}
_TYPES = {"page.css": "text/css", "page.js": "text/javascript", "icon.svg": "image/svg+xml"}
_TYPES["icon-dark.svg"] = _TYPES["icon.svg"]


def make_app() -> FastAPI:
    """Return the app, to be mounted one folder below Airflow's address."""
    app = FastAPI(title="DataWorks", docs_url=None, redoc_url=None, openapi_url=None)
    for path, handler in (
        ("/", show_down),
        ("/windows", show_windows),
        ("/maintenances", show_maintenances),
        ("/calls", show_calls),
        ("/run", show_run),
    ):
        app.get(path, response_class=HTMLResponse)(handler)
    app.get("/static/{name}")(static)
    app.add_exception_handler(HTTPException, _refused)
    app.add_exception_handler(Exception, _failed)
    return app


def show_down(access: Allowed) -> HTMLResponse:
    """Show the jobs that are down now."""
    now = _now()
    with create_session() as session:
        found = data.down(session, access, now)
    return _page("down.html", "down", now=now, down=found, readable=len(access.dag_ids))


def show_windows(access: Allowed, start: str = "") -> HTMLResponse:
    """Show the windows on a calendar, from the week of the date ``start`` on, and in a list."""
    now = _now()
    first = _date(start) or now.date()
    with create_session() as session:
        windows = data.windows(session, access)
    weeks = calendar.weeks(windows, first, data.WEEKS, now)
    step = timedelta(weeks=data.WEEKS)
    return _page(
        "windows.html",
        "windows",
        now=now,
        weeks=weeks,
        rows=data.window_rows(windows, now),
        before=weeks[0][0].date - step,
        after=weeks[0][0].date + step,
        is_first=weeks[0][0].date <= now.date() <= weeks[-1][-1].date,
        readable=len(access.dag_ids),
    )


def show_maintenances(access: Allowed) -> HTMLResponse:
    """Show the reports of the last maintenances."""
    now = _now()
    with create_session() as session:
        found = data.maintenances(session, access)
    return _page("maintenances.html", "maintenances", now=now, maintenances=found, readable=len(access.dag_ids))


def show_calls(access: Allowed) -> HTMLResponse:
    """Show how many calls tasks made today."""
    now = _now()
    with create_session() as session:
        found = data.calls_today(session, access, now)
    return _page("calls.html", "calls", now=now, calls=found, readable=len(access.dag_ids))


def show_run(access: Allowed, dag_id: str = "", run_id: str = "") -> HTMLResponse:
    """Show what one run stopped and reported; of a run that the user may not read, no more than of none."""
    now, run = _now(), (dag_id, run_id)
    with create_session() as session:
        down, reports = data.down(session, access, now, run), data.maintenances(session, access, run=run)
    values: dict[str, Any] = {"now": now, "down": down, "maintenances": reports}
    return _page("run.html", "", dag_id=dag_id, run_id=run_id, readable=len(access.dag_ids), **values)


def static(name: str) -> Response:
    """Return one of the files of the page; they tell nothing about anybody, so nobody has to log in."""
    if name not in _TYPES:
        raise HTTPException(404)
    headers = {**_HEADERS, "Cache-Control": "max-age=3600"}
    return Response((STATIC / name).read_bytes(), media_type=_TYPES[name], headers=headers)


async def _refused(_: Request, error: Any) -> HTMLResponse:
    return _page("refused.html", "", status=error.status_code, code=error.status_code)


async def _failed(request: Request, error: Exception) -> HTMLResponse:
    """Answer for what went wrong here; the page never breaks more of Airflow than itself."""
    log.error("The DataWorks page could not be made: %s", request.url.path, exc_info=error)
    return _page("refused.html", "", status=500, code=500)


def _page(template: str, current: str, status: int = 200, **values: Any) -> HTMLResponse:
    return HTMLResponse(render(template, current=current, **values), status_code=status, headers=_HEADERS)


def _date(text: str) -> date | None:
    try:
        found = date.fromisoformat(text)
    except ValueError:
        return None
    return found if 2000 <= found.year < 2100 else None


def _now() -> datetime:
    return datetime.now(UTC)
