"""What Docker tells while layers travel, as build lines: a layer is a step, numbered as it is first heard of."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

from cockpit.build.base import BuildLine, Emit

_DIGEST = re.compile(r"sha256:[0-9a-f]{64}")
_THERE = ("Layer already exists", "Already exists", "Mounted")
_ENDED = ("Pushed", "Pull complete")
_BIG = 8_000_000  # bytes from which on a layer's quarters are told


class Layers:
    """`error` and `digest` are Docker's own words for how it ended; `verb` is push or pull."""

    def __init__(self, verb: str, emit: Emit, now: Callable[[], float]) -> None:
        self.error = ""
        self.digest = ""
        self._verb = verb
        self._emit = emit
        self._now = now
        self._layers: dict[str, int] = {}
        self._told: dict[str, tuple[str, int]] = {}  # by layer: status and quarter

    def read(self, item: Mapping[str, Any]) -> None:
        if "error" in item:
            self.error = str(item["error"])
            self._emit(BuildLine(self._now(), 0, self._verb, f"ERROR: {self.error}", done=True))
        elif "status" in item:
            self._status(str(item.get("id", "")), str(item["status"]), item.get("progressDetail"))
        aux = item.get("aux")
        if isinstance(aux, Mapping) and _DIGEST.fullmatch(str(aux.get("Digest", ""))):
            self.digest = str(aux["Digest"])

    def _status(self, layer: str, status: str, detail: object) -> None:
        if not layer or status.startswith("Pulling from"):  # there the id is the tag
            self._emit(BuildLine(self._now(), 0, self._verb, status))
            return
        step = self._layers.setdefault(layer, len(self._layers) + 1)
        done, total = _bytes(detail)
        quarter = min(4, 4 * done // total) if total >= _BIG else 0
        if self._told.get(layer) == (status, quarter):
            return
        self._told[layer] = (status, quarter)
        there = status.startswith(_THERE)
        text = f"{status} {_size(done, total)}" if total else status
        ended = there or status in _ENDED
        self._emit(BuildLine(self._now(), step, f"{self._verb} {layer}", text, cached=there, done=ended))


def _bytes(detail: object) -> tuple[int, int]:
    """Gone so far and in all; (0, 0) when nothing is known."""
    if not isinstance(detail, Mapping):
        return 0, 0
    done, total = detail.get("current", 0), detail.get("total", 0)
    if not isinstance(done, int) or not isinstance(total, int) or total <= 0:
        return 0, 0
    return min(max(done, 0), total), total


def _size(done: int, total: int) -> str:
    for size, unit in ((1e9, "GB"), (1e6, "MB"), (1e3, "kB")):
        if total >= size:
            return f"{done / size:.1f} of {total / size:.1f} {unit}"
    return f"{done} of {total} B"
