"""Reading a log file by line number while another writes it: a sparse index says where blocks of lines begin.

Everything here blocks on the disk for as long as a read takes: call it with `asyncio.to_thread`.
"""

from __future__ import annotations

from bisect import bisect_left
from pathlib import Path
from typing import BinaryIO

from cockpit.model import LogLine
from cockpit.store import lines

BLOCK = 256 * 1024  # bytes between two entries of the index


class LogFile:
    """Knows whole lines only: what is behind the last newline is still being written. Not for two threads at once."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._before: list[int] = [0]  # newlines in front of block n
        self._tail = (0, 0)  # bytes and newlines seen of the last block

    def count(self) -> int:
        """Lines by now; only what is new is read."""
        try:
            with self.path.open("rb", buffering=0) as file:
                return self._scan(file)
        except FileNotFoundError:
            return 0

    def read(self, first: int, count: int) -> tuple[LogLine, ...]:
        """Lines `first` to `first + count - 1`, as far as they are there."""
        try:
            with self.path.open("rb") as file:
                there = self._scan(file)
                first, last = max(0, first), min(first + count, there)
                if first >= last:
                    return ()
                file.seek(self._offset(file, first))
                return lines.read_all((file.readline() for _ in range(last - first)), first)
        except FileNotFoundError:
            return ()

    def tail(self, count: int) -> tuple[LogLine, ...]:
        there = self.count()
        return self.read(max(0, there - count), min(count, there))

    def _scan(self, file: BinaryIO) -> int:
        seen, newlines = self._tail
        file.seek((len(self._before) - 1) * BLOCK + seen)
        while chunk := file.read(BLOCK - seen):
            seen, newlines = seen + len(chunk), newlines + chunk.count(b"\n")
            if seen == BLOCK:
                self._before.append(self._before[-1] + newlines)
                seen, newlines = 0, 0
        self._tail = (seen, newlines)
        return self._before[-1] + newlines

    def _offset(self, file: BinaryIO, line: int) -> int:
        """Line n begins behind the n-th newline, which is in the last block with fewer in front of it."""
        if line == 0:
            return 0
        block = bisect_left(self._before, line) - 1
        file.seek(block * BLOCK)
        data, position = file.read(BLOCK), -1
        for _ in range(line - self._before[block]):
            position = data.index(b"\n", position + 1)
        return block * BLOCK + position + 1


def whole_bytes(path: Path) -> int:
    """Size of the file up to and with its last newline."""
    with path.open("rb") as file:
        end = file.seek(0, 2)
        while end > 0:
            start = max(0, end - BLOCK)
            file.seek(start)
            found = file.read(end - start).rfind(b"\n")
            if found >= 0:
                return start + found + 1
            end = start
    return 0
