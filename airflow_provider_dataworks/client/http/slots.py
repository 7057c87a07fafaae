"""Where the moments of past calls are kept, by a process alone or by all of a machine; it decides no spacing.

Airflow runs each task in a process of its own, so a rate that only one process keeps is none: forty mapped tasks would
each make five calls a second. Processes of one user on one machine therefore share a small file an account. Where that
cannot be had, such as on a read-only disk, each keeps to itself.
"""

from __future__ import annotations

import fcntl
import functools
import hashlib
import logging
import os
import stat
import struct
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

log = logging.getLogger(__name__)

T = TypeVar("T")

FREE = float("-inf")
_NO_FOLDER = "there is no temporary folder that can be written to; TMPDIR can name one"
# Whoever holds the file does so for microseconds; a process that was stopped meanwhile may not hold up an event loop.
_TRIES = 500


class Slots:
    """
    A row of moments that belongs to this process.

    :param length: how many.
    """

    def __init__(self, length: int) -> None:
        self._row = [FREE] * length

    def update(self, change: Callable[[list[float]], T]) -> T:
        """Let the row be read and changed in place, by nobody else meanwhile, and return what the change returns."""
        return change(self._row)


class SharedSlots(Slots):
    """
    A row of moments in a file that all processes of this user on this machine share.

    :param path: of the file; its folder must be this user's alone.
    :param length: how many moments.
    """

    def __init__(self, path: Path, length: int) -> None:
        super().__init__(length)
        self._path = path
        self._shape = struct.Struct(f"{length}d")
        self._told = False

    def update(self, change: Callable[[list[float]], T]) -> T:
        """See :meth:`Slots.update`; where the file cannot be had, this process keeps to itself, and says so once."""
        try:
            with self._locked() as file:
                kept = os.pread(file, self._shape.size, 0)
                row = list(self._shape.unpack(kept)) if len(kept) == self._shape.size else [FREE] * len(self._row)
                found = change(row)
                os.pwrite(file, self._shape.pack(*row), 0)
                return found
        except OSError as error:
            if not self._told:
                log.warning("max_qps is kept by this process alone, not by all of this machine: %s", error)
                self._told = True
            return super().update(change)

    @contextmanager
    def _locked(self) -> Iterator[int]:
        # Opened each time: keys that are rotated would leave a file open each, and a fork would share it.
        file = open_private(self._path)
        try:
            # Locks of this kind belong to a process: death lets go of them, and so does closing the file.
            left = _TRIES
            while not _lock(file):
                left -= 1
                if not left:
                    raise BlockingIOError("another process does not let go of the file")
                os.sched_yield()
            yield file
        finally:
            os.close(file)


def open_private(path: Path) -> int:
    """
    Open a file for reading and writing that is this user's alone, and make it and its folder where they are missing.

    :raises OSError: it cannot be had, or the folder is open to others.
    """
    try:
        found = path.parent.lstat()
    except FileNotFoundError:
        path.parent.mkdir(mode=0o700, exist_ok=True)
        found = path.parent.lstat()
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.getuid() or stat.S_IMODE(found.st_mode) & 0o077:
        raise PermissionError(f"{path.parent} is not a folder of this user alone")
    return os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)


def _lock(file: int) -> bool:
    try:
        fcntl.lockf(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def folder() -> Path:
    """Return the folder of the shared files."""
    return Path(tempfile.gettempdir()) / f"airflow-provider-dataworks-{os.getuid()}"


@functools.cache
def boot() -> str:
    """Return what tells this start of the machine from the one before, after which its steady clock began anew."""
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    except OSError:  # not Linux
        return ""


def shared_slots(name: str, length: int) -> Slots:
    """
    Return the row that all processes of this machine share under a name; where none can, one of this process alone.

    :param name: any text; it does not show in the file's name.
    """
    digest = hashlib.sha256(f"{name} {length} {boot()}".encode()).hexdigest()
    try:
        return SharedSlots(folder() / digest[:24], length)
    except OSError:  # no temporary folder can be written to, such as on a read-only disk
        log.warning("max_qps is kept by this process alone, not by all of this machine: %s", _NO_FOLDER)
        return Slots(length)
