"""Makes the HTML of the page; everything that is put in is escaped, and every link stays below Airflow's address."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import quote

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from airflow_provider_dataworks import __version__
from airflow_provider_dataworks.operators.report_table import NOT_WELL
from airflow_provider_dataworks.windows.parsing import range_text, short

_HERE = Path(__file__).parent
STATIC = _HERE / "static"
# All pages are one folder below the address of Airflow, so that a relative link holds behind any proxy and path.
_AIRFLOW = ".."


def render(template: str, **values: Any) -> str:
    """
    Return the HTML of a template.

    :param template: its file name in ``templates/``.
    """
    return _environment().get_template(template).render(**values, version=__version__)


@cache
def _environment() -> Environment:
    made = Environment(
        loader=FileSystemLoader(_HERE / "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.filters.update(_FILTERS)
    made.globals.update(dag_link=dag_link, run_link=run_link, task_link=task_link, entry_link=entry_link)
    made.globals["not_well"] = NOT_WELL
    return made


def dag_link(dag_id: str) -> str:
    """Address of a DAG in Airflow."""
    return f"{_AIRFLOW}/dags/{_segment(dag_id)}"


def run_link(dag_id: str, run_id: str) -> str:
    """Address of a run in Airflow."""
    return f"{dag_link(dag_id)}/runs/{_segment(run_id)}"


def task_link(dag_id: str, run_id: str, task_id: str, map_index: int | None = -1) -> str:
    """Address of a task instance in Airflow; of all of a mapped task where no index is known."""
    mapped = "/mapped" if map_index is None else f"/mapped/{map_index}" if map_index >= 0 else ""
    return f"{run_link(dag_id, run_id)}/tasks/{_segment(task_id)}{mapped}"


def entry_link(dag_id: str, run_id: str) -> str:
    """Address of what the page tells about a run."""
    return f"run?dag_id={_segment(dag_id)}&run_id={_segment(run_id)}"


def _segment(text: str) -> str:
    return quote(text, safe="")


def _moment(value: datetime | None) -> str:
    return "–" if value is None else f"{value:%Y-%m-%d %H:%M}"  # noqa: RUF001 - nothing to show


def _machine(value: datetime) -> str:
    return value.isoformat(timespec="seconds")


def _lasting(value: timedelta | float | None) -> str:
    """Return a duration in its two largest units."""
    if value is None:
        return "–"  # noqa: RUF001 - nothing to show
    left = round(value.total_seconds() if isinstance(value, timedelta) else value)
    parts = []
    for unit, size in (("d", 86400), ("h", 3600), ("min", 60), ("s", 1)):
        if left >= size:
            parts.append(f"{left // size} {unit}")
            left %= size
    return " ".join(parts[:2]) or "0 s"


def _number(value: float | None) -> str:
    return "–" if value is None else f"{value:,.0f}"  # noqa: RUF001 - nothing to show


_FILTERS: dict[str, Callable[..., str]] = {
    "moment": _moment,
    "machine": _machine,
    "lasting": _lasting,
    "number": _number,
    "short": short,
    "days": lambda days: range_text(days[0], days[1], " to "),
}
