"""Directories that only this user may enter, or those of one group. A predictable name in a world-writable place is
somebody else's chance."""

from __future__ import annotations

import grp
import os
import stat
from pathlib import Path

from cockpit.errors import EngineUnreachable


def make(directory: Path) -> None:
    """Create it with mode 0700, or take an existing one of ours (tightened). Raises EngineUnreachable."""
    handle = _made(directory)
    try:
        os.fchmod(handle, 0o700)
    finally:
        os.close(handle)


def share(directory: Path, group: str) -> int:
    """As `make`, but the members of a Unix group may enter; its number. Raises EngineUnreachable."""
    gid = _number(group)
    handle = _made(directory)
    try:
        os.fchown(handle, -1, gid)
        os.fchmod(handle, 0o750)
    except OSError as error:
        raise EngineUnreachable(
            f"{directory} cannot be given to group {group}: {error.strerror}", "The engine's user has to be in it"
        ) from None
    finally:
        os.close(handle)
    return gid


def check(directory: Path, *, shared: bool = False) -> None:
    """Raises EngineUnreachable when it is there but not ours alone; a missing one is fine.

    A `shared` one may be another user's, where only root can have put it."""
    try:
        found, parent = directory.lstat(), directory.parent.stat()
    except OSError:
        return
    if not stat.S_ISDIR(found.st_mode):
        raise _refused(directory, "is not a directory")
    if not (shared and parent.st_uid == 0 and not parent.st_mode & 0o022):
        _require_ours(directory, found)
    if found.st_mode & 0o022:
        raise _refused(directory, "can be changed by others")


def _made(directory: Path) -> int:
    """Open, and ours."""
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
    except EngineUnreachable:
        os.close(handle)
        raise
    return handle


def _number(group: str) -> int:
    try:
        return int(group) if group.isdigit() else grp.getgrnam(group).gr_gid
    except KeyError:
        raise EngineUnreachable(f"There is no group {group}", f"groupadd --system {group}") from None


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
