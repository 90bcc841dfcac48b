"""The log of one operation, in a file of its own beside the release log.

`append` only remembers; `flush` writes. The engine flushes every 100 ms at the latest, in a thread when it likes
(`asyncio.to_thread(log.flush)`): all here may be called from several threads. A full disk never stops a deploy: the
lines that could not be written are counted, and stand in the file as empty ones as soon as there is space.
"""

from __future__ import annotations

import dataclasses
import os
import threading
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from cockpit.errors import StoreError
from cockpit.model import LogLine
from cockpit.store import lines
from cockpit.store.logfile import LogFile, whole_bytes

PENDING_LIMIT = 8 * 1024 * 1024  # bytes that wait for `flush`; more are lost rather than kept in memory


class OperationLog:
    """`lines` counts all that were appended, `lost` those of them that the disk did not take."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.lost = 0
        self._lock = threading.Lock()  # of the counters and what is pending
        self._disk = threading.Lock()  # of the file
        self._file = LogFile(path)
        self._pending: list[bytes] = []
        self._pending_bytes = 0
        self._new_marks: list[str] = []
        self._descriptor: int | None = None
        self._marks = read_marks(path)
        self._count = self._recover()

    @classmethod
    def open(cls, directory: Path, operation: int) -> OperationLog:
        """New, or as a crash left it without its torn last line. A million lines take about 0.1 s."""
        try:
            directory.mkdir(mode=0o700, parents=True, exist_ok=True)
            return cls(path_of(directory, operation))
        except OSError as error:
            raise StoreError(
                f"the log of operation {operation} cannot be opened: {error}",
                "check the disk and the owner of the state directory",
            ) from error

    @property
    def lines(self) -> int:
        return self._count

    @property
    def marks(self) -> dict[str, int]:
        """The line each step begins at."""
        with self._lock:
            return dict(self._marks)

    def append(self, new: Sequence[LogLine]) -> tuple[LogLine, ...]:
        """The same lines with their numbers in this log (what `number` was is not looked at)."""
        with self._lock:
            numbered = tuple(
                dataclasses.replace(line, number=number) for number, line in enumerate(new, start=self._count)
            )
            self._count += len(numbered)
            for line in numbered:
                self._hold(lines.write(line))
            return numbered

    def mark(self, step: str) -> int:
        """The next line is the first of `step`; a step that is repeated keeps its first mark."""
        with self._lock:
            if step not in self._marks:
                self._marks[step] = self._count
                self._new_marks.append(f"{self._count}\t{step}\n")
            return self._marks[step]

    def flush(self) -> None:
        """Everything appended so far is in the file, or counted as lost. Never raises for the disk's sake."""
        with self._disk:
            with self._lock:
                data, self._pending, self._pending_bytes = b"".join(self._pending), [], 0
                marks, self._new_marks = self._new_marks, []
            self._write_marks(marks)
            left = self._write(data) if data else b""
            if left:
                self._leave_empty(left)

    def read(self, first: int, count: int) -> tuple[LogLine, ...]:
        self.flush()
        with self._disk:
            return self._file.read(first, count)

    def tail(self, count: int) -> tuple[LogLine, ...]:
        self.flush()
        with self._disk:
            return self._file.tail(count)

    def close(self) -> None:
        self.flush()
        with self._disk:
            if self._descriptor is not None:
                os.close(self._descriptor)
                self._descriptor = None

    @staticmethod
    def tail_file(path: Path, count: int) -> tuple[LogLine, ...]:
        """For a reader of its own, while the log is written or long after; to go on reading, keep a `LogFile`."""
        return LogFile(path).tail(count)

    def _hold(self, data: bytes) -> None:
        if self._pending_bytes + len(data) > PENDING_LIMIT and data != b"\n":
            self.lost += 1
            data = b"\n"
        self._pending.append(data)
        self._pending_bytes += len(data)

    def _recover(self) -> int:
        if not self.path.exists():
            return 0
        os.truncate(self.path, whole_bytes(self.path))
        return self._file.count()

    def _write(self, data: bytes) -> bytes:
        """What of it, in whole lines, the disk did not take."""
        written = 0
        try:
            if self._descriptor is None:
                flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC
                self._descriptor = os.open(self.path, flags, 0o600)
            while written < len(data):
                written += os.write(self._descriptor, data[written:])
        except OSError:
            whole = data.rfind(b"\n", 0, written) + 1
            self._cut(written - whole)
            return data[whole:]
        return b""

    def _cut(self, torn: int) -> None:
        if torn and self._descriptor is not None:
            os.ftruncate(self._descriptor, os.fstat(self._descriptor).st_size - torn)

    def _leave_empty(self, left: bytes) -> None:
        """Lines that the disk did not take wait as empty ones, so that each later line keeps its number."""
        waiting = left.splitlines()
        with self._lock:
            self.lost += sum(1 for line in waiting if line)
            self._pending.insert(0, b"\n" * len(waiting))
            self._pending_bytes += len(waiting)

    def _write_marks(self, marks: list[str]) -> None:
        if marks:
            with suppress(OSError), _marks_path(self.path).open("a", encoding="utf-8") as file:
                file.writelines(marks)  # best effort: the release log has the offsets too


def path_of(directory: Path, operation: int) -> Path:
    return directory / f"operation-{operation:06d}.log"


def read_marks(log: Path) -> dict[str, int]:
    """The line each step of a log begins at, as far as that is known."""
    marks: dict[str, int] = {}
    try:
        text = _marks_path(log).read_text(encoding="utf-8", errors="replace")
    except OSError:
        return marks
    for line in text.splitlines():
        number, _, step = line.partition("\t")
        if number.isdecimal() and step:
            marks.setdefault(step, int(number))
    return marks


def _marks_path(log: Path) -> Path:
    return log.with_suffix(".steps")
