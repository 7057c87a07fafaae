"""Writes what a command found: tables, text, JSON and progress, as the terminal allows; it decides nothing.

Results go to stdout, everything else to stderr. Colour is used on a terminal only, and never where ``NO_COLOR`` is set.
"""

from __future__ import annotations

import json
import os
import shlex
import shutil
import sys
import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from textwrap import fill
from typing import Any, TextIO, TypeVar

from airflow_provider_dataworks.values import plain_text

T = TypeVar("T")

GREEN, YELLOW, RED, BOLD, PLAIN = "32", "33", "31", "1", ""
_COLOURS = {
    "Running": GREEN,
    "Finished": GREEN,
    "yes": GREEN,
    "open": GREEN,
    "Initialized": YELLOW,
    "Stopping": YELLOW,
    "unknown": YELLOW,
    "Stopped": RED,
    "Failed": RED,
    "no": RED,
    "closed": RED,
}
_MARKS = {"yes": "[x]", "no": "[ ]", "unknown": "[?]"}
_DEFAULT_WIDTH = 80
_WIDEST_TEXT = 100  # longer lines are hard to read
_NARROWEST = 8
_UNBOUNDED = 10_000  # columns
_LONGEST_CELL = 500
_GAP = "  "


@dataclass(frozen=True)
class Cell:
    """A text of a table that is coloured by another word than itself, such as a status."""

    text: str
    colour: str = PLAIN


class Output:
    """
    Where one command writes.

    :param program: how the command line is called here, such as ``airflow dataworks``.
    :param as_json: whether programs read it: then nothing but one JSON value goes to stdout.
    :param out: results; stdout as it is now unless given.
    :param err: errors, notes, questions and progress; stderr unless given.
    """

    def __init__(
        self, program: str, *, as_json: bool = False, out: TextIO | None = None, err: TextIO | None = None
    ) -> None:
        self.program, self.as_json = program, as_json
        self._out, self._err = out or sys.stdout, err or sys.stderr
        self._width = _width(self._out)

    def json(self, value: Any) -> None:
        """Write one JSON value."""
        self._write(self._out, json.dumps(value, indent=2, ensure_ascii=not _is_utf8(self._out)))

    def line(self, text: str = "", colour: str = PLAIN) -> None:
        """Write one line of a result, as it is."""
        self._write(self._out, _painted(text, colour, self._out))

    def text(self, text: str, indent: str = "") -> None:
        """Write a paragraph of a result, broken to fit."""
        self._write(self._out, _wrapped(text, self._width, indent))

    def check(self, answer: str, text: str) -> None:
        """
        Write a line of a checklist.

        :param answer: ``yes`` (good), ``no`` or ``unknown``.
        """
        lines = _wrapped(text, self._width - (0 if self._width == _UNBOUNDED else 4), "").splitlines() or [""]
        mark = _painted(_MARKS[answer], _COLOURS[answer], self._out)
        self._write(self._out, "\n    ".join([f"{mark} {lines[0]}", *lines[1:]]))

    def table(self, heads: Sequence[str], rows: Sequence[Sequence[object]], *, shrink: str = "") -> None:
        """
        Write a table; of ids, statuses and times nothing is cut.

        :param heads: a head for each column.
        :param rows: their cells; a status is coloured.
        :param shrink: the head of the column that is cut where the terminal is narrow.
        """
        cells = [[_cell(each) for each in row] for row in rows]
        widths = [max(map(_columns, texts)) for texts in zip(heads, *([c.text for c in r] for r in cells), strict=True)]
        if shrink and (over := sum(widths) + len(_GAP) * (len(widths) - 1) - self._width) > 0:
            widths[heads.index(shrink)] = max(_NARROWEST, widths[heads.index(shrink)] - over)
        self._row([Cell(head, BOLD) for head in heads], widths)
        for row in cells:
            self._row(row, widths)

    def note(self, text: str, colour: str = PLAIN) -> None:
        """Write a paragraph to people, beside the result."""
        self._write(self._err, _painted(_wrapped(text, _width(self._err), ""), colour, self._err))

    def command(self, *words: str) -> None:
        """Write a command of ours to people, in one line, so that it can be copied."""
        self._write(self._err, f"  {self.program} {shlex.join(words)}")

    def error(self, text: str) -> None:
        """Write an error, its first line in red."""
        first, _, others = text.partition("\n")
        lines = [_painted(_wrapped(first, _width(self._err), ""), RED, self._err)]
        if others:
            lines.append(_wrapped(others, _width(self._err), ""))
        self._write(self._err, "\n".join(lines))

    def progress(self, items: Sequence[T], what: str) -> Iterator[T]:
        """Yield each item, and tell on a terminal how many there were so far."""
        told = len(items) > 1 and _is_terminal(self._err)
        try:
            for number, item in enumerate(items, 1):
                if told:
                    self._err.write(f"\r{what}: {number} of {len(items)}\x1b[K")
                    self._err.flush()
                yield item
        finally:
            if told:
                self._err.write("\r\x1b[K")
                self._err.flush()

    def ask(self, question: str) -> bool:
        """
        Ask a person, and say whether the answer was yes.

        :raises EOFError: nobody is there to answer.
        """
        self._write(self._err, _wrapped(f"{question} [y/N]", _width(self._err), ""))
        answer = sys.stdin.readline() if sys.stdin is not None and not sys.stdin.closed else ""
        if not answer:
            raise EOFError
        return answer.strip().lower() in ("y", "yes")

    def _row(self, row: Sequence[Cell], widths: Sequence[int]) -> None:
        last = len(row) - 1
        found = []
        for number, (cell, width) in enumerate(zip(row, widths, strict=True)):
            text = _cut(cell.text, width)
            padding = "" if number == last else " " * (width - _columns(text))
            found.append(f"{_painted(text, cell.colour, self._out)}{padding}")
        self._write(self._out, _GAP.join(found).rstrip())

    def _write(self, stream: TextIO, text: str) -> None:
        # A terminal of another encoding shows a question mark rather than a traceback.
        known = getattr(stream, "encoding", None) or "utf-8"
        try:
            stream.write(f"{text.encode(known, 'replace').decode(known)}\n")
            stream.flush()
        except BrokenPipeError:
            # Whoever read it has seen enough: that must not end a command in the middle of what it does, nor may Python
            # complain once more as it ends.
            os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())


def _cell(value: object) -> Cell:
    if isinstance(value, Cell):
        return Cell(plain_text(value.text, _LONGEST_CELL), value.colour)
    text = plain_text("-" if value is None else str(value), _LONGEST_CELL)
    return Cell(text, _COLOURS.get(text, PLAIN))


def _wrapped(text: str, width: int, indent: str) -> str:
    if width >= _UNBOUNDED:
        return "\n".join(f"{indent}{line}" for line in text.splitlines())
    fitting = min(width, _WIDEST_TEXT)
    each = (
        fill(
            line,
            fitting,
            initial_indent=indent,
            subsequent_indent=indent,
            break_long_words=False,
            break_on_hyphens=False,
        )
        for line in text.splitlines()
    )
    return "\n".join(each)


def _columns(text: str) -> int:
    """Return how many columns of a terminal a text takes: Chinese characters take two."""
    wide = sum(unicodedata.east_asian_width(each) in "WF" for each in text)
    return len(text) + wide - sum(1 for each in text if unicodedata.combining(each))


def _cut(text: str, width: int) -> str:
    if _columns(text) <= width:
        return text
    while _columns(text) > width - 3:
        text = text[:-1]
    return f"{text}..."


def _painted(text: str, colour: str, stream: TextIO) -> str:
    if not colour or not text or not _has_colour(stream):
        return text
    return "\n".join(f"\x1b[{colour}m{line}\x1b[0m" for line in text.splitlines())


def _has_colour(stream: TextIO) -> bool:
    return _is_terminal(stream) and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"


def _is_terminal(stream: TextIO) -> bool:
    return bool(getattr(stream, "isatty", bool)())


def _is_utf8(stream: TextIO) -> bool:
    return (getattr(stream, "encoding", None) or "utf-8").lower().replace("-", "") == "utf8"


def _width(stream: TextIO) -> int:
    """Return the columns that a line may have; in a file or a pipe tables are not cut, unless ``COLUMNS`` says so."""
    if _is_terminal(stream) or os.environ.get("COLUMNS", "").isdigit():
        return max(40, shutil.get_terminal_size((_DEFAULT_WIDTH, 24)).columns)
    return _UNBOUNDED
