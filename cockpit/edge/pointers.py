"""Pointer files: one line each, changed by rename, with a second copy for the moment when the first cannot be read."""

from __future__ import annotations

import contextlib
import os
import re
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from cockpit.edge.base import HOLD, Pointer
from cockpit.edge.follow import WHOLE
from cockpit.edge.names import name_of
from cockpit.model import PlacementKey

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
    """Blocking: call it from a thread, from one at a time. `directory` exists. Raises OSError."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory

    def path(self, key: PlacementKey) -> Path:
        return self._directory / name_of(key)

    def write(self, key: PlacementKey, pointer: Pointer) -> None:
        """The rename of the first copy is the switch; it is durable when this returns.

        Raises ValueError for a line that the edge would not follow."""
        line = pointer.line()
        if not _WHOLE.match(line):
            raise ValueError(f"not a pointer: {line}")
        path = self.path(key)
        replace(path, f"{line}\n".encode())
        _copy(line, _second(path))

    def read(self, key: PlacementKey) -> Reading:
        """What the edge acts on: by the same rule, from the same two copies."""
        path = self.path(key)
        texts = [_text(path), _text(_second(path))]
        whole = next((text for text in texts if text is not None and _WHOLE.match(text)), None)
        if whole is None:
            return Reading(Seen.NONE if texts == [None, None] else Seen.TORN)
        if whole.startswith(HOLD):
            return Reading(Seen.HELD)
        return Reading(Seen.WHOLE, Pointer.parse(whole))

    def mend(self, key: PlacementKey) -> None:
        """Bring the second copy in step again after a crash between the two."""
        path = self.path(key)
        first = _text(path)
        if first is not None and _WHOLE.match(first) and _text(_second(path)) != first:
            _copy(first, _second(path))


def replace(path: Path, content: bytes) -> None:
    """All or nothing, and durable: a reader sees the old content or the new, also after a power cut."""
    new = path.with_name(f".{path.name}.new")
    with open(new, "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    os.rename(new, path)
    _sync_directory(path.parent)


def _sync_directory(directory: Path) -> None:
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _copy(line: str, second: Path) -> None:
    """The switch has happened: a second copy that cannot follow (disk full) must go, not send customers back."""
    try:
        replace(second, f"{line}\n".encode())
    except OSError:
        with contextlib.suppress(OSError):
            second.unlink(missing_ok=True)


def _second(path: Path) -> Path:
    return path.with_name(f"{path.name}~")


def _text(path: Path) -> str | None:
    """As Caddy reads it: without one line break at the end."""
    try:
        return path.read_bytes().decode("utf-8", "replace").removesuffix("\n").removesuffix("\r")
    except FileNotFoundError:
        return None
