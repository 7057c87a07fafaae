"""A process that takes slots of a rate limiter; a module of its own, because a process imports all that is in it."""

from __future__ import annotations

import time
from pathlib import Path

from airflow_provider_dataworks.client.http.rate_limit import RateLimiter, SharedState, row_length


def reserve(path: Path, qps: int, times: int) -> list[float]:
    """Take slots, and return their moments in seconds of the steady clock."""
    limiter = RateLimiter(qps, time.monotonic, SharedState(path, row_length(qps)))
    return [time.monotonic() + limiter.reserve() for _ in range(times)]
