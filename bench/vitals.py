"""What a process holds, as /proc tells it: open files by kind, threads, children, memory."""

from __future__ import annotations

import os
import re
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from cockpit.errors import CockpitError

PROC = Path("/proc")
PAGE = os.sysconf("SC_PAGE_SIZE")


@dataclass(frozen=True, slots=True)
class Vitals:
    fds: Mapping[str, int]  # by kind: "socket", "pipe", "anon_inode:[eventpoll]", "file"
    threads: int
    children: int
    rss_mb: float

    @property
    def open(self) -> int:
        return sum(self.fds.values())


def vitals(pid: int) -> Vitals:
    """Raises CockpitError when there is no such process."""
    try:
        fds = Counter(map(_kind, _targets(PROC / str(pid) / "fd")))
        threads = len(os.listdir(PROC / str(pid) / "task"))
        pages = int((PROC / str(pid) / "statm").read_text().split()[1])
    except OSError as error:
        raise CockpitError(f"process {pid} is gone: {error.strerror}") from error
    return Vitals(fds, threads, sum(parent == pid for parent in _parents()), pages * PAGE / 2**20)


def _targets(directory: Path) -> Iterator[str]:
    """What each descriptor is; one that was closed meanwhile is none."""
    for name in os.listdir(directory):
        try:
            yield os.readlink(directory / name)
        except FileNotFoundError:
            continue


def _kind(target: str) -> str:
    return "file" if target.startswith("/") else re.sub(r":\[\d+\]$", "", target)


def _parents() -> Iterator[int]:
    """Of every process on the machine; a name may hold spaces and brackets, so the last bracket counts."""
    for each in PROC.iterdir():
        if each.name.isdigit():
            try:
                yield int((each / "stat").read_text().rpartition(")")[2].split()[1])
            except (FileNotFoundError, ProcessLookupError):
                continue


def cpu_seconds(pid: int) -> float:
    """Of all its threads since it began."""
    words = (PROC / str(pid) / "stat").read_text().rpartition(")")[2].split()
    return (int(words[11]) + int(words[12])) / os.sysconf("SC_CLK_TCK")
