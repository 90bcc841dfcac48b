"""Pointer files: one line each, changed by rename, with a second copy for the moment when the first cannot be read."""

from __future__ import annotations

import contextlib
import errno
import re
from dataclasses import dataclass
from enum import StrEnum

from cockpit.edge.base import HOLD, Pointer
from cockpit.edge.files import Files
from cockpit.edge.follow import WHOLE
from cockpit.edge.names import name_of
from cockpit.errors import Fenced, LineDown
from cockpit.model import PlacementKey

DIRECTORY = "pointers"
STAGES = "stages"
_WHOLE = re.compile(WHOLE.removesuffix("$") + r"\Z")


class Seen(StrEnum):
    NONE = "none"  # no copy exists: never deployed
    WHOLE = "whole"
    TORN = "torn"  # something is there, and no copy of it is whole
    HELD = "held"  # somebody wrote `hold`: customers are told to wait


@dataclass(frozen=True, slots=True)
class Reading:
    seen: Seen
    pointer: Pointer | None = None


class PointerFiles:
    """Blocking: call it from a thread, from one at a time. Raises OSError and LineDown."""

    def __init__(self, files: Files) -> None:
        self._files = files

    def where(self, key: PlacementKey) -> str:
        """For people."""
        return self._files.where(_first(key))

    def guard(self, key: PlacementKey, token: str) -> None:
        """From here on only who names that token moves this pointer; "" is nobody who names one."""
        self._files.stage(_stages(key), token)

    def guarded(self, key: PlacementKey, token: str) -> bool:
        return self._files.staged(f"{_stages(key)}/{token}")

    def write(self, key: PlacementKey, pointer: Pointer, token: str = "") -> None:
        """The rename of the first copy is the switch; it is durable when this returns.

        Raises ValueError for a line that the edge would not follow, Fenced when another token counts."""
        line = pointer.line()
        if not _WHOLE.match(line):
            raise ValueError(f"not a pointer: {line}")
        stage = f"{_stages(key)}/{token}" if token else ""
        try:
            self._files.replace(_first(key), f"{line}\n".encode(), stage)
        except OSError as error:
            if error.errno != errno.EROFS and stage and not self._files.staged(stage):
                raise Fenced(f"{key} was taken over: its pointer is not moved from here", "look who has it") from None
            raise
        self._copy(line, key)

    def read(self, key: PlacementKey) -> Reading:
        """What the edge acts on: by the same rule, from the same two copies."""
        texts = self._texts(key)
        whole = next((text for text in texts if text is not None and _WHOLE.match(text)), None)
        if whole is None:
            return Reading(Seen.NONE if texts == [None, None] else Seen.TORN)
        if whole.startswith(HOLD):
            return Reading(Seen.HELD)
        return Reading(Seen.WHOLE, Pointer.parse(whole))

    def mend(self, key: PlacementKey) -> None:
        """Bring the second copy in step again after a crash between the two."""
        first, second = self._texts(key)
        if first is not None and _WHOLE.match(first) and second != first:
            self._copy(first, key)

    def _texts(self, key: PlacementKey) -> list[str | None]:
        return [None if content is None else _text(content) for content in self._files.read(_first(key), _second(key))]

    def _copy(self, line: str, key: PlacementKey) -> None:
        """The switch has happened: a second copy that cannot follow (disk full) must go, not send customers back."""
        try:
            self._files.replace(_second(key), f"{line}\n".encode())
        except (OSError, LineDown):
            with contextlib.suppress(OSError, LineDown):
                self._files.remove(_second(key))


def _first(key: PlacementKey) -> str:
    return f"{DIRECTORY}/{name_of(key)}"


def _stages(key: PlacementKey) -> str:
    """Where its lines are written before they are moved."""
    return f"{STAGES}/{name_of(key)}"


def _second(key: PlacementKey) -> str:
    return f"{_first(key)}~"


def _text(content: bytes) -> str:
    """As Caddy reads it: without one line break at the end."""
    return content.decode("utf-8", "replace").removesuffix("\n").removesuffix("\r")
