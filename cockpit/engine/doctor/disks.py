"""Hazards of the disks under the engine: a network's file system, one that forgets, one that is full."""

from __future__ import annotations

import os
import re
import tempfile
from collections.abc import Callable
from pathlib import Path

from cockpit.paths import Paths
from cockpit.protocol import Check, CheckState

LOW = 2 * 1024**3  # bytes free that are worth a word
NONE = 64 * 1024**2  # bytes free below which a deploy will not come to its end
FEW = 0.05  # of all inodes
# SQLite's locks do not hold on these, and two machines could run two engines on one directory.
NETWORK = re.compile(r"nfs\d?|cifs|smb\w*|afs|ceph|glusterfs|lustre|gpfs|ocfs2|gfs2?|9p|beegfs|fuse\.(?!.*overlay).*")
FORGETFUL = ("tmpfs", "ramfs")

Measure = Callable[[Path], os.statvfs_result]


def file_system(state: Path, mounts: Path = Path("/proc/self/mountinfo")) -> Check:
    """Of the state directory, which has the lock and the release log."""
    found = _kind(state.resolve(), mounts)
    if not found:
        return Check("file system", CheckState.UNKNOWN, f"nothing is known about that of {state}")
    kind, point = found
    if NETWORK.fullmatch(kind):
        said = f"{state} is on {kind} ({point}), where locks do not hold and SQLite loses data"
        return Check("file system", CheckState.FAIL, said, "--state on a local disk")
    if kind in FORGETFUL:
        said = f"{state} is on {kind} ({point}): the release log is gone after a reboot"
        return Check("file system", CheckState.WARN, said, "--state on a disk")
    return Check("file system", CheckState.PASS, f"{state} is on {kind}")


def room(paths: Paths, measure: Measure = os.statvfs) -> tuple[Check, ...]:
    """One check for each disk that is written to."""
    return tuple(
        free(name, path, measure)
        for name, path in (("disk", paths.state), ("disk of temporary files", Path(tempfile.gettempdir())))
    )


def free(name: str, path: Path, measure: Measure = os.statvfs) -> Check:
    """Space and inodes: either can run out while there is plenty of the other."""
    try:
        found = measure(path)
    except OSError as error:
        return Check(name, CheckState.UNKNOWN, f"{path}: {error.strerror}")
    left, inodes = found.f_bavail * found.f_frsize, found.f_favail
    scarce = bool(found.f_files) and inodes < FEW * found.f_files
    said = f"{path}: {left / 2**30:.1f} GB free" + (f", {inodes} inodes of {found.f_files}" if scarce else "")
    state = CheckState.FAIL if left < NONE or (found.f_files and not inodes) else CheckState.PASS
    if state is CheckState.PASS and (left < LOW or scarce):
        state = CheckState.WARN
    cure = f"remove small files: du --inodes -x {path}" if scarce else f"free space: du -xh {path} | sort -h"
    return Check(name, state, said, "" if state is CheckState.PASS else cure)


def _kind(path: Path, mounts: Path) -> tuple[str, str] | None:
    """The file system's type and mount point: of the mount that is nearest above, the last one there if several are."""
    best: tuple[int, str, str] | None = None
    try:
        lines = mounts.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return None
    for line in lines:
        before, _, after = line.partition(" - ")
        point = re.sub(r"\\([0-7]{3})", lambda octal: chr(int(octal[1], 8)), before.split()[4])
        if path.is_relative_to(point) and (best is None or len(point) >= best[0]):
            best = (len(point), after.split()[0], point)
    return (best[1], best[2]) if best else None
