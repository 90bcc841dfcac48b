"""One log line as one line of a file: time, source, stream, cached mark, text, separated by tabs. `cat` shows it."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime

from cockpit.model import LogLine

CACHED = "cached"
LOST = "(this line is lost: there was no space left on the engine's disk)"
_FLAT = str.maketrans("\t\r\n", "   ")


def write(line: LogLine) -> bytes:
    """With its newline. What the text must not hold (a line break) was cleaned on its way in; this makes sure."""
    source, text = line.source.translate(_FLAT), line.text.translate(_FLAT)
    whole = f"{_time(line.at)}\t{source}\t{line.stream}\t{CACHED if line.cached else '-'}\t{text}\n"
    return whole.encode("utf-8", "replace")


def read(data: bytes, number: int) -> LogLine:
    """Anything reads as a line: one that is not ours is shown as it is, an empty one stands for a lost one."""
    whole = data.decode("utf-8", "replace").rstrip("\n")
    parts = whole.split("\t", 4)
    if len(parts) < 5:
        return LogLine(number, 0.0, whole or LOST, stream="cockpit")
    time, source, stream, cached, text = parts
    return LogLine(number, _seconds(time), text, source, stream, cached == CACHED)


def read_all(data: Iterable[bytes], first: int) -> tuple[LogLine, ...]:
    return tuple(read(line, number) for number, line in enumerate(data, start=first))


def _time(at: float) -> str:
    try:
        return datetime.fromtimestamp(at, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    except (ValueError, OverflowError, OSError):
        return "-"


def _seconds(time: str) -> float:
    try:
        return datetime.fromisoformat(time).timestamp()
    except ValueError:
        return 0.0
