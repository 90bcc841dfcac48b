"""Space held back for the release log: given up when the disk is full, so that outcomes can still be recorded."""

from __future__ import annotations

import os
from pathlib import Path

SIZE = 8 * 1024 * 1024  # bytes
FLOOR = 4 * SIZE  # free bytes below which none is taken


class Ballast:
    def __init__(self, database: Path) -> None:
        self.path = database.with_name(f"{database.name}.ballast")

    @property
    def held(self) -> bool:
        return self.path.exists()

    def hold(self) -> bool:
        """Take the space again when there is plenty; False when there is not."""
        if self.held:
            return True
        space = os.statvfs(self.path.parent)
        if space.f_bavail * space.f_frsize < FLOOR:
            return False
        return self._fill()

    def give_up(self) -> bool:
        """True when that made space."""
        try:
            self.path.unlink()
        except OSError:
            return False
        return True

    def _fill(self) -> bool:
        part = self.path.with_suffix(".part")
        try:
            with part.open("wb") as file:
                os.posix_fallocate(file.fileno(), 0, SIZE)
            part.replace(self.path)
        except OSError:
            part.unlink(missing_ok=True)
            return False
        return True
