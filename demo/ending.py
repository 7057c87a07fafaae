"""How the demos end: through every `finally`, whatever ends them, and with nothing left behind."""

from __future__ import annotations

import shutil
import signal
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from demo.processes import ProcessProblem
from demo.rest import RestProblem

SHUT_DOWN = "Airflow and the emulator are shut down."


@contextmanager
def sigterm_ends_orderly() -> Iterator[None]:
    """Let SIGTERM and a closed terminal end the program as Ctrl-C does, through every `finally`."""

    def leave(number: int, _frame: object) -> None:
        raise SystemExit(128 + number)

    before = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGHUP)}
    for number, handler in before.items():
        if handler is not signal.SIG_IGN:
            signal.signal(number, leave)
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def in_a_directory(work: Callable[[Path], bool]) -> int:
    """
    Do the work in a directory of its own, and return the exit status.

    :param work: tells whether all went well; if not, or if it raises, the directory with the logs is kept. Ctrl-C is
        what a person ends it with (status 130), and no failure.
    """
    directory = Path(tempfile.mkdtemp(prefix="dataworks-demo-"))
    keep = True
    try:
        with sigterm_ends_orderly():
            keep = not work(directory)
    except KeyboardInterrupt:
        keep = False
        print(f"\nInterrupted: {SHUT_DOWN}", file=sys.stderr)
        return 130
    except SystemExit:
        keep = False
        print(f"\nEnded by a signal: {SHUT_DOWN}", file=sys.stderr)
        raise
    except (ProcessProblem, RestProblem, OSError) as problem:
        print(f"Failed: {problem}", file=sys.stderr)
    finally:
        if keep:
            print(f"Logs are kept in {directory}", file=sys.stderr)
        else:
            shutil.rmtree(directory, ignore_errors=True)
    return 1 if keep else 0
