"""Says whether a value may leave the package: what logs, databases and other processes take without harm."""

from __future__ import annotations

import json
import math
import unicodedata
from collections.abc import Mapping
from typing import Any

from airflow_provider_dataworks.exceptions import DataWorksError


def assert_safe(value: Any, longest: int = 10_000) -> None:
    """Every text of a JSON value is encodable, of one line and bounded; every number fits 64 bits and is one."""
    if isinstance(value, str):
        value.encode()
        assert len(value) <= longest
        assert not {unicodedata.category(char) for char in value} & {"Cc", "Cs", "Zl", "Zp"}, ascii(value)
        assert not set(value) & set("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069\u200e\u200f"), ascii(value)
    elif isinstance(value, Mapping):
        for name, item in value.items():
            assert_safe(name, longest)
            assert_safe(item, longest)
    elif isinstance(value, list):
        for item in value:
            assert_safe(item, longest)
    elif isinstance(value, float):
        assert math.isfinite(value)
    elif isinstance(value, int):
        assert abs(value) < 2**63
    else:
        assert value is None, type(value)


def assert_event(event: Any) -> None:
    """An event can be stored by any database and is of bounded size."""
    stored = json.dumps(event, allow_nan=False, ensure_ascii=False).encode()

    assert_safe(event)
    assert len(stored) < 200_000


def assert_safe_error(error: DataWorksError) -> None:
    """An error's facts are as safe; its text has the few lines that are ours."""
    for name, value in vars(error).items():
        if name != "remedy":
            assert_safe(value)
    assert str(error).count("\n") <= 5
    assert len(str(error)) < 8_000
    assert_safe(error.summary)
