"""Reads small files that others chose, and opens those that the processes of this user share; never one that blocks."""

from __future__ import annotations

import functools
import os
import stat
import tempfile
from pathlib import Path


class NotUsable(Exception):
    """What is wrong with a file, in words that say neither its name nor what it holds."""


def read_file(path: str, largest: int) -> bytes:
    """
    Return what a regular file holds.

    :param path: links are followed: those of Kubernetes lead to a token's newest version.
    :param largest: bytes.
    :raises NotUsable: there is none, it cannot be read, it is a directory, device, pipe or socket, or it is larger.
    """
    try:
        # Not blocking: opening a pipe that nobody writes to would hold the thread for good.
        file = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC)
    except (OSError, ValueError) as error:
        raise NotUsable(f"it cannot be opened: {_why(error)}") from None
    try:
        if not stat.S_ISREG(os.fstat(file).st_mode):
            raise NotUsable("it is no regular file")
        found = bytearray()
        while piece := os.read(file, largest + 1 - len(found)):
            found += piece
            if len(found) > largest:
                raise NotUsable(f"it is larger than {largest} bytes")
        return bytes(found)
    except OSError as error:
        raise NotUsable(f"it cannot be read: {_why(error)}") from None
    finally:
        os.close(file)


def _why(error: Exception) -> str:
    return getattr(error, "strerror", None) or "its path is none"


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
