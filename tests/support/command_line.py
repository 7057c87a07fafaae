"""What a call of the command line came to; for tests of it."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Said:
    """
    What one call came to.

    :param code: its exit code.
    :param out: what went to stdout.
    :param err: what went to stderr.
    """

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        """The one JSON value that went to stdout."""
        return json.loads(self.out)


Say = Callable[..., Said]
