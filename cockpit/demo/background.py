"""Background processes of a world: found by what they were started with, so that a stale pid file harms nobody."""

from __future__ import annotations

import asyncio
import os
import signal
import time
from pathlib import Path


def pid_of(file: Path, *words: str) -> int | None:
    """The pid in the file, when that process still runs and its command line has all these words."""
    try:
        pid = int(file.read_text())
        said = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
    except (OSError, ValueError):
        return None
    return pid if all(word.encode() in said for word in words) else None  # of a dead one, nothing is said


async def end(file: Path, *words: str, patience: float) -> None:
    """SIGTERM, and SIGKILL after `patience` seconds, also for one that hangs."""
    deadline = time.monotonic() + patience
    sign = signal.SIGTERM
    while pid := await asyncio.to_thread(pid_of, file, *words):
        try:
            os.kill(pid, sign)
        except ProcessLookupError:
            return
        if sign is signal.SIGTERM:
            sign = signal.SIGCONT  # once is enough; a stopped one has to hear it
        if time.monotonic() > deadline:
            sign = signal.SIGKILL
        await asyncio.sleep(0.05)
