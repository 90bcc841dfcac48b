"""The edge's access log, followed: customers' requests since the last look."""

from __future__ import annotations

import json
import math
import os
import re
from collections import deque
from pathlib import Path
from typing import Any, BinaryIO

from cockpit.edge.base import Hit
from cockpit.edge.names import key_of

MOST_HITS = 50_000  # of one look, the newest
MOST_BYTES = 8 * 1024 * 1024  # looked at in one look: more than MOST_HITS lines

_UPGRADED = 101  # a WebSocket that ended: its duration is no latency
_RELEASE = re.compile(r"r([0-9]{1,9})")


class AccessLog:
    """Blocking: call it from a thread. The first look goes MOST_BYTES back: a new engine knows the last minute."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._file: BinaryIO | None = None
        self._rest = b""  # a line that was not whole yet

    def look(self) -> tuple[Hit, ...]:
        """Raises OSError."""
        hits: deque[Hit] = deque(maxlen=MOST_HITS)
        while self._opened():
            for line in self._lines():
                hit = parse(line)
                if hit is not None:
                    hits.append(hit)
            if not self._moved_on():
                break
        return tuple(hits)

    def close(self) -> None:
        if self._file is not None:
            self._file.close()
        self._file, self._rest = None, b""

    def _opened(self) -> bool:
        if self._file is None:
            try:
                self._file = open(self._path, "rb")  # noqa: SIM115 - kept between two looks
            except FileNotFoundError:
                return False
        return True

    def _lines(self) -> list[bytes]:
        assert self._file is not None
        at = self._file.tell()
        behind = os.fstat(self._file.fileno()).st_size - at
        if behind > MOST_BYTES:
            self._file.seek(at + behind - MOST_BYTES)
            self._rest = b"\0"  # makes the line that we land in unreadable, as it must be
        *lines, self._rest = (self._rest + self._file.read(MOST_BYTES)).split(b"\n")
        return lines

    def _moved_on(self) -> bool:
        """True when the log was rolled or cut under us, and what there was of it has been read."""
        assert self._file is not None
        here = os.fstat(self._file.fileno())
        try:
            there = os.stat(self._path)
        except FileNotFoundError:
            return False
        same = (here.st_dev, here.st_ino) == (there.st_dev, there.st_ino)
        if self._file.tell() < here.st_size or (same and self._file.tell() <= there.st_size):
            return not same
        self.close()
        return True


def parse(line: bytes) -> Hit | None:
    """None for a line that is no customer's request: garbage, half a line, a host that nobody has."""
    try:
        entry: Any = json.loads(line)
        at, seconds, status = float(entry["ts"]), float(entry["duration"]), int(entry["status"])
        key, release = key_of(str(entry["placement"])), _RELEASE.fullmatch(str(entry.get("release") or ""))
    except (ValueError, TypeError, KeyError, AttributeError, OverflowError, RecursionError):
        return None
    if status == _UPGRADED or key is None or not (math.isfinite(at) and math.isfinite(seconds)):
        return None
    return Hit(at, key, int(release[1]) if release else 0, status, seconds * 1000)
