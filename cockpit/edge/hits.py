"""The edge's access log, followed: customers' requests since the last look."""

from __future__ import annotations

import json
import math
import re
from collections import deque
from typing import Any

from cockpit.edge.base import Hit
from cockpit.edge.files import Piece, Tail
from cockpit.edge.names import key_of

MOST_HITS = 50_000  # of one look, the newest
MOST_BYTES = 8 * 1024 * 1024  # looked at in one look: more than MOST_HITS lines

_UPGRADED = 101  # a WebSocket that ended: its duration is no latency
_RELEASE = re.compile(r"r([0-9]{1,9})")


class AccessLog:
    """Blocking: call it from a thread. The first look goes MOST_BYTES back: a new engine knows the last minute."""

    def __init__(self, tail: Tail) -> None:
        self._tail = tail
        self._rest = b""  # a line that was not whole yet

    def look(self) -> tuple[Hit, ...]:
        """Raises OSError and LineDown."""
        hits: deque[Hit] = deque(maxlen=MOST_HITS)
        while (piece := self._tail.more(MOST_BYTES)) is not None:
            hits.extend(hit for line in self._lines(piece) if (hit := parse(line)) is not None)
            if piece.end:
                break
        return tuple(hits)

    def close(self) -> None:
        self._tail.close()

    def _lines(self, piece: Piece) -> list[bytes]:
        if piece.fresh or piece.skipped:
            self._rest = b"\0" if piece.skipped else b""  # makes the line that we land in unreadable, as it must be
        *lines, self._rest = (self._rest + piece.data).split(b"\n")
        return lines


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
