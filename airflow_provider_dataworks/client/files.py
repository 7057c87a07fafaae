"""Reads small files of this machine that others chose: never one that could block, or has no end."""

from __future__ import annotations

import os
import stat


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
