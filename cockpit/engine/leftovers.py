"""What a build leaves on this machine when its engine is killed: a process that goes on, and the files it reads."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
from collections.abc import Iterator
from pathlib import Path


def clear(state: Path) -> None:
    """Blocks for a moment. Docker ends a build whose client is gone; one that is asked to end takes its time."""
    scratch = state / "scratch"
    for leader in _leaders(scratch):
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(leader, signal.SIGKILL)
    shutil.rmtree(scratch, ignore_errors=True)


def _leaders(scratch: Path) -> Iterator[int]:
    """Of the process groups that were started on a directory in it, whose names are random."""
    for process in Path("/proc").glob("[0-9]*"):
        try:
            said = (process / "cmdline").read_bytes().split(b"\0")
            leads = os.getpgid(int(process.name)) == int(process.name)
        except (OSError, ValueError):
            continue  # it ended meanwhile
        if leads and any(word.startswith(os.fsencode(scratch / "op")) for word in said):
            yield int(process.name)
