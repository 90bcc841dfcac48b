"""Directories that only this user may enter. A predictable name in a world-writable place is somebody else's chance."""

from __future__ import annotations

import os
import stat
from pathlib import Path

from cockpit.errors import EngineUnreachable


def make(directory: Path) -> None:
    """Create it with mode 0700, or take an existing one of ours (tightened). Raises EngineUnreachable."""
    try:
        directory.parent.mkdir(parents=True, exist_ok=True)
        directory.mkdir(mode=0o700)
    except FileExistsError:
        pass
    except OSError as error:
        raise EngineUnreachable(f"{directory} cannot be created: {error.strerror}") from None
    handle = _open(directory)
    try:
        _require_ours(directory, os.fstat(handle))
        os.fchmod(handle, 0o700)
    finally:
        os.close(handle)


def check(directory: Path) -> None:
    """Raises EngineUnreachable when it is there but not ours alone; a missing one is fine."""
    try:
        found = directory.lstat()
    except OSError:
        return
    if not stat.S_ISDIR(found.st_mode):
        raise _refused(directory, "is not a directory")
    _require_ours(directory, found)
    if found.st_mode & 0o022:
        raise _refused(directory, "can be changed by others")


def _open(directory: Path) -> int:
    try:
        return os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
    except OSError as error:
        raise _refused(directory, f"is not a directory of yours ({error.strerror})") from None


def _require_ours(directory: Path, found: os.stat_result) -> None:
    if found.st_uid != os.geteuid():
        raise _refused(directory, f"belongs to another user (uid {found.st_uid})")


def _refused(directory: Path, why: str) -> EngineUnreachable:
    return EngineUnreachable(
        f"{directory} {why}", "Someone may have put it there. Remove it, or set XDG_RUNTIME_DIR or --state elsewhere."
    )
