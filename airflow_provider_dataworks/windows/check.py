"""Whether a maintenance window lets a stop begin; it touches no job and reads no clock."""

from __future__ import annotations

import logging
from dataclasses import replace
from datetime import UTC, datetime
from math import inf
from typing import TYPE_CHECKING, Any

from airflow_provider_dataworks.client.errors.catalog import CATALOG
from airflow_provider_dataworks.exceptions import OutsideMaintenanceWindow
from airflow_provider_dataworks.values import flag_or_text
from airflow_provider_dataworks.windows import MaintenanceWindow

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from airflow_provider_dataworks.client.models import ChangeRequest

log = logging.getLogger(__name__)


def limit_to_window(
    request: ChangeRequest,
    window: MaintenanceWindow | Mapping[str, Any] | str,
    now: Callable[[], float],
    *,
    least: float,
    ignore: bool | str,
    sent: bool,
) -> ChangeRequest:
    """
    Return the request with the window as its limit, or refuse to go on.

    :param now: returns epoch seconds.
    :param least: seconds that must be left of the window as the request leaves.
    :param ignore: see :func:`require_open`.
    :param sent: whether a request is under way already: it may be seen to its end as long as the window is open at all.
    :raises OutsideMaintenanceWindow: no window is open, or too little of it is left.
    """
    closes = require_open(window, now=now(), needed=0.0 if sent else least, ignore=ignore)
    if closes == inf:
        return request

    def time_to_send() -> float:
        # Asked as the bytes are about to leave: looks, slots and repeats before that may have taken long.
        left = request.time_to_send()
        return min(left, require_open(window, now=now(), needed=least, ignore=ignore) - now() - least)

    return replace(request, deadline=min(request.deadline, closes), time_to_send=time_to_send)


def require_open(
    window: MaintenanceWindow | Mapping[str, Any] | str,
    *,
    now: float,
    needed: float,
    ignore: bool | str,
) -> float:
    """
    Return the epoch second at which the window closes that is open now.

    :param now: epoch seconds.
    :param needed: seconds that must be left of it.
    :param ignore: let the stop begin all the same; also as text, as a template gives it.
    :raises OutsideMaintenanceWindow: no window is open, or too little of it is left.
    """
    found = MaintenanceWindow.parse(window)
    moment = datetime.fromtimestamp(now, UTC)
    if flag_or_text(ignore, "ignore_window"):
        log.warning("The maintenance window %s is ignored, as this run was told.", found)
        return float("inf")
    left = found.remaining(moment).total_seconds()
    if left > 0 and left >= needed:
        return now + left
    raise OutsideMaintenanceWindow(_refusal(found, moment, left, needed), **CATALOG["outside-window"].kwargs)


def _refusal(window: MaintenanceWindow, moment: datetime, left: float, needed: float) -> str:
    clock = window.local(moment).format("ddd YYYY-MM-DD HH:mm:ss z")
    following = window.next(moment)
    opens = window.local(following.start).format("ddd YYYY-MM-DD HH:mm z") if following else "never again"
    state = f"only {left:.0f} s of it are left, and {needed:.0f} s are needed" if left > 0 else "it is closed"
    return f"the maintenance window is {window}; now is {clock}, so {state}. It opens next: {opens}."
