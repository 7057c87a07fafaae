"""Counts calls per second and per day against the account's quotas; never judges a call in any other way."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields, replace
from typing import Any

from .responses import Refusal

DAY_SECONDS = 86_400


@dataclass(frozen=True)
class Quotas:
    """
    What one account may call; ``None`` means without limit.

    The service counts per account (with its RAM users) and region, for example 5 calls per second and 100 a day in the
    Basic edition; one emulator stands for one account in one region, so its access keys share these.

    :param calls_per_second: rate of the token bucket.
    :param calls_per_day: calls in one UTC day. The vendor does not say when its day begins.
    :param burst: calls that may come at once; by default one second's worth, at least one.
    """

    calls_per_second: float | None = None
    calls_per_day: int | None = None
    burst: int | None = None

    def __post_init__(self) -> None:
        """Refuse limits that make no sense, naming the field."""
        # These come from JSON too, so they may be anything.
        rate: Any = self.calls_per_second
        if rate is not None and (
            isinstance(rate, bool) or not isinstance(rate, int | float) or not (math.isfinite(rate) and rate > 0)
        ):
            raise ValueError(f"calls_per_second: {rate!r} is not a number above zero (null means no limit)")
        whole: dict[str, Any] = {"calls_per_day": self.calls_per_day, "burst": self.burst}
        for name, value in whole.items():
            if value is not None and (isinstance(value, bool) or not isinstance(value, int) or value < 0):
                raise ValueError(f"{name}: {value!r} is not a whole number, zero or more (null means no limit)")
        if self.burst == 0:
            raise ValueError("burst: 0 would refuse every call; give at least 1")

    def changed(self, changes: Mapping[str, Any]) -> Quotas:
        """
        Give these limits with some of them changed.

        :raises ValueError: naming the field, if one is unknown or has a wrong value.
        """
        known = [field.name for field in fields(self)]
        for name in changes:
            if name not in known:
                raise ValueError(f"unknown quota {name!r}; known are {', '.join(known)}")
        return replace(self, **changes)

    def as_dict(self) -> dict[str, Any]:
        """Give the limits as JSON values."""
        return asdict(self)


class Meter:
    """
    Counts the calls of one account against its quotas; calls that are refused count towards the day too.

    The vendor's pages say that failed calls count towards the daily limit in the Basic edition.
    """

    def __init__(self, quotas: Quotas) -> None:
        self.set(quotas)
        self._day = -1
        self.calls_today = 0

    def set(self, quotas: Quotas) -> None:
        """Change the limits: a full bucket, the day's count kept."""
        self.quotas = quotas
        rate = quotas.calls_per_second
        self._size = float(quotas.burst or (max(1, math.ceil(rate)) if rate is not None else 1))
        self._tokens = self._size
        self._seen: float | None = None

    def forget(self) -> None:
        """Begin the day and the second anew."""
        self.calls_today = 0
        self.set(self.quotas)

    def used(self, now: float) -> int:
        """Give the calls of the day it is now, which may be another than that of the last call."""
        return self.calls_today if int(now // DAY_SECONDS) == self._day else 0

    def take(self, now: float) -> None:
        """
        Count one call.

        :param now: seconds of the emulator's clock.
        :raises Refusal: 429 ``Throttling.Api.Risk`` beyond the day's calls, 429 ``Throttling.User`` beyond the rate.
        """
        day = int(now // DAY_SECONDS)
        if day != self._day:
            self._day, self.calls_today = day, 0
        self.calls_today += 1
        daily = self.quotas.calls_per_day
        if daily is not None and self.calls_today > daily:
            raise Refusal(
                429, "Throttling.Api.Risk", "The request for this resource has exceeded your daily available limit."
            )
        if not self._token(now):
            raise Refusal(429, "Throttling.User", "Your request is too frequent. Try again later.")

    def _token(self, now: float) -> bool:
        rate = self.quotas.calls_per_second
        if rate is None:
            return True
        # A clock that was set back must not empty the bucket.
        passed = max(0.0, now - self._seen) if self._seen is not None else 0.0
        self._seen = now
        self._tokens = min(self._size, self._tokens + passed * rate)
        # A caller that waited exactly as long as it must is not to fail on a rounding error.
        if self._tokens < 1 - 1e-6:
            return False
        self._tokens = max(0.0, self._tokens - 1)
        return True
