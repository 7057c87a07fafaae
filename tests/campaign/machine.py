"""The machine that Airflow runs on: its clock, the connection that it gives out, its folder; it runs no task."""

from __future__ import annotations

import atexit
import functools
import json
import os
import random
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager

from campaign.clock import CLOCK
from campaign.dataworks_model import DataWorksModel
from campaign.schedule import Deed, Schedule

_CONNECTION = "AIRFLOW_CONN_DATAWORKS_DEFAULT"
_LONGEST = 40 * 86400.0  # seconds
_OURS = ("clock", "rotate", "gone")


@functools.cache
def _folder() -> str:
    found = tempfile.mkdtemp(prefix="campaign-")
    atexit.register(shutil.rmtree, found, ignore_errors=True)
    return found


@contextmanager
def own_surroundings() -> Iterator[None]:
    """Keep the package's shared files, the connection and Python's randomness apart from everybody else's."""
    before, tempfile.tempdir = tempfile.tempdir, _folder()
    connection, chance = os.environ.pop(_CONNECTION, None), random.getstate()
    try:
        yield
    finally:
        tempfile.tempdir = before
        random.setstate(chance)
        os.environ.pop(_CONNECTION, None)
        if connection is not None:
            os.environ[_CONNECTION] = connection


class Machine:
    """
    The machine of one schedule.

    :param port: where DataWorks answers.
    """

    def __init__(self, schedule: Schedule, service: DataWorksModel, port: int) -> None:
        self._schedule, self._service, self._port = schedule, service, port
        self._deeds = sorted((each for each in schedule.deeds if each.what in _OURS), key=lambda deed: deed.at)
        self.put_connection()

    def put_connection(self) -> None:
        """Let Airflow have the connection, with the keys that are good now."""
        schedule = self._schedule
        identity, secret, token = self._service.keys.pair(self._service.keys.number)
        extra = {
            "api_version": schedule.api_version,
            "signature": schedule.signature,
            "max_qps": schedule.max_qps,
            **({"security_token": token} if token else {}),
        }
        os.environ[_CONNECTION] = json.dumps(
            {
                "conn_type": "dataworks",
                "host": "http://127.0.0.1",
                "port": self._port,
                "login": identity,
                "password": secret,
                "extra": extra,
            }
        )

    def time_passed(self) -> None:
        """Do what was to be done until now."""
        while self._deeds and self._deeds[0].at <= CLOCK.elapsed:
            self._do(self._deeds.pop(0))
        if CLOCK.elapsed > _LONGEST and self._service.process is not None:
            self._service.process.end_for("time without end")

    def _do(self, deed: Deed) -> None:
        if deed.what == "clock":
            CLOCK.epoch += deed.seconds
        elif deed.what == "rotate":
            self._service.keys.number += 1
            self._later(Deed("new key", deed.at + deed.seconds))
        elif deed.what == "gone":
            os.environ.pop(_CONNECTION, None)
            self._later(Deed("new key", deed.at + deed.seconds))
        elif deed.what == "new key":
            self.put_connection()

    def _later(self, deed: Deed) -> None:
        self._deeds = sorted([*self._deeds, deed], key=lambda each: each.at)
