"""Which engine this is, and whether another still lives: what the kernel tells of this machine and its processes."""

from __future__ import annotations

import hashlib
import os
import socket
from pathlib import Path

from cockpit.targets.host_lock import Holder
from cockpit.text import clean

_START = 19  # of the fields in a process's stat that follow its name: clock ticks from the boot to its start


def this_process(state: str = "", proc: Path = Path("/proc"), etc: Path = Path("/etc")) -> Holder:
    """Blocks for a moment."""
    pid = os.getpid()
    return Holder(
        bastion=clean(socket.gethostname(), 64),
        machine=hashlib.sha256(_read(etc / "machine-id").encode()).hexdigest()[:12],  # not told to others as it is
        boot=_read(proc / "sys/kernel/random/boot_id"),
        processes=_processes(proc),
        pid=pid,
        started=_started(proc, pid) or 0,
        state=state,
    )


def lives(other: Holder, me: Holder, proc: Path = Path("/proc")) -> bool | None:
    """None when that cannot be seen from here: then its heart has to tell."""
    if other.boot == me.boot:
        if other.processes != me.processes:
            return None
        started = _started(proc, other.pid)
        return None if started is None and _hidden(other.pid) else started == other.started
    here = (other.machine, other.bastion) == (me.machine, me.bastion)  # cloned machines share the first
    return False if here and me.machine else None


def predecessor(other: Holder, me: Holder) -> bool:
    """This engine, or one before it: of a state directory only one lives at a time."""
    here = (other.machine, other.bastion, other.state) == (me.machine, me.bastion, me.state)
    return other == me or (here and bool(me.state))


def _processes(proc: Path) -> str:
    try:
        return os.readlink(proc / "self/ns/pid")
    except OSError:
        return ""


def _started(proc: Path, pid: int) -> int | None:
    """None when there is no such process; a zombie is none."""
    stat = _read(proc / str(pid) / "stat").rpartition(")")[2].split()
    if len(stat) <= _START or stat[0] in "ZX":
        return None
    return int(stat[_START])


def _hidden(pid: int) -> bool:
    """Somebody else's, where procfs shows only one's own (hidepid)."""
    try:
        os.kill(pid, 0)
    except PermissionError:
        return True
    except (OSError, OverflowError):
        return False
    return False


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8", errors="replace").strip()
    except OSError:
        return ""
