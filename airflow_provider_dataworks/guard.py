"""Whether a maintenance window lets a stop begin; it touches no job and reads no clock."""

from __future__ import annotations

import logging
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from airflow_provider_dataworks.arguments import flag_or_text
from airflow_provider_dataworks.client.troubles import TROUBLES
from airflow_provider_dataworks.exceptions import OutsideMaintenanceWindow
from airflow_provider_dataworks.windows import MaintenanceWindow

if TYPE_CHECKING:
    from collections.abc import Mapping

log = logging.getLogger(__name__)


def window_end(
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
    raise OutsideMaintenanceWindow(_refusal(found, moment, left, needed), **TROUBLES["outside-window"].advice)


def _refusal(window: MaintenanceWindow, moment: datetime, left: float, needed: float) -> str:
    clock = window.local(moment).format("ddd YYYY-MM-DD HH:mm:ss z")
    following = window.next(moment)
    opens = window.local(following.start).format("ddd YYYY-MM-DD HH:mm z") if following else "never again"
    state = f"only {left:.0f} s of it are left, and {needed:.0f} s are needed" if left > 0 else "it is closed"
    return f"the maintenance window is {window}; now is {clock}, so {state}. It opens next: {opens}."
