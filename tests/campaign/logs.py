"""Everything that is logged, wherever Airflow sends it; it prints nothing."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import structlog


class _Handler(logging.Handler):
    def __init__(self, lines: list[str]) -> None:
        super().__init__(logging.DEBUG)
        self._lines = lines

    def emit(self, record: logging.LogRecord) -> None:
        text = record.getMessage()
        if record.exc_info and record.exc_info[1] is not None:
            text = f"{text} {record.exc_info[1]}"
        self._lines.append(text)


@contextmanager
def captured() -> Iterator[list[str]]:
    """Collect the lines of structlog and of Python's own logging."""
    lines: list[str] = []

    def keep(logger: Any, method: str, event: dict[str, Any]) -> Any:
        arguments = event.pop("positional_args", ())
        text = str(event.pop("event", ""))
        lines.append(f"{text % arguments if arguments else text} {event or ''}")
        raise structlog.DropEvent

    before, root = structlog.get_config(), logging.getLogger()
    handler, level, handlers = _Handler(lines), root.level, root.handlers[:]
    structlog.configure(
        processors=[keep],
        wrapper_class=structlog.stdlib.BoundLogger,
        logger_factory=structlog.PrintLoggerFactory(),
        cache_logger_on_first_use=False,
    )
    root.handlers[:] = [handler]
    # The package's own lines whole; the HTTP library's at DEBUG are many and are searched in tests of their own.
    root.setLevel(logging.INFO)
    package = logging.getLogger("airflow_provider_dataworks")
    level_of_package = package.level
    package.setLevel(logging.DEBUG)
    try:
        yield lines
    finally:
        package.setLevel(level_of_package)
        root.handlers[:] = handlers
        root.setLevel(level)
        structlog.configure(**before)
