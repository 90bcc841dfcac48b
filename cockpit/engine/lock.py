"""One engine per state directory: an flock, which the kernel lets go of when its holder dies, however it dies."""

from __future__ import annotations

import fcntl
import os
from pathlib import Path


class Lock:
    """The file keeps the holder's pid, for people. Python opens it close-on-exec: no child can hold it by accident."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._handle: int | None = None

    def take(self) -> bool:
        """False when another process has it."""
        handle = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(handle)
            return False
        os.ftruncate(handle, 0)
        os.write(handle, f"{os.getpid()}\n".encode())
        self._handle = handle
        return True

    @property
    def lost(self) -> bool:
        """The file is another one, or gone: somebody removed the state directory under us."""
        if self._handle is None:
            return False
        mine = os.fstat(self._handle)
        try:
            there = os.stat(self._path)
        except OSError:
            return True
        return (mine.st_dev, mine.st_ino) != (there.st_dev, there.st_ino)

    def release(self) -> None:
        """The file stays: removing it would let two processes lock two files of one name."""
        if self._handle is not None:
            os.close(self._handle)
            self._handle = None


def holder(path: Path) -> str:
    """The pid of who has or last had it, or ""."""
    try:
        return path.read_text()[:20].strip()
    except OSError:
        return ""
