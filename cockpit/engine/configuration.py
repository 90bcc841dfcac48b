"""The settings as they are now: read again when the file changes, kept when the new ones are wrong."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path

from cockpit.clock import Clock
from cockpit.config.settings import Settings
from cockpit.errors import ConfigError

QUIET = 0.5  # seconds since the last write: a file that is still being saved is not read
TRIES = 4


class ConfigurationFile:
    """`note` says why the file, as it is now, is not what the engine works with."""

    def __init__(self, path: Path, read: Callable[[Path], Settings], clock: Clock) -> None:
        self._path = path
        self._read = read
        self._clock = clock
        self._taken = self._stamp()
        self.settings = read(path)
        self.note = ""

    async def refresh(self, refused: Callable[[Settings], str]) -> bool:
        """True when there are other settings, or another `note`. `refused` says why some cannot be taken now."""
        stamp = await asyncio.to_thread(self._stamp)
        if stamp == self._taken:
            return False
        self._taken = await self._quiet(stamp)
        former = (self.settings, self.note)
        try:
            settings = await asyncio.to_thread(self._read, self._path)
        except ConfigError as error:
            self.note = error.message.splitlines()[0].replace(str(self._path), self._path.name)
            return self.note != former[1]
        why = refused(settings)
        self.note = f"{self._path.name} is not taken: {why}" if why else ""
        if not why:
            self.settings = settings
        return (self.settings, self.note) != former

    async def _quiet(self, stamp: Stamp | None) -> Stamp | None:
        """The file's stamp once nobody has written for a moment."""
        for _ in range(TRIES):
            age = self._clock.now() - stamp[0] if stamp else QUIET
            if not 0 <= age < QUIET:
                break
            await asyncio.sleep(QUIET - age)
            stamp = await asyncio.to_thread(self._stamp)
        return stamp

    def _stamp(self) -> Stamp | None:
        try:
            status = self._path.stat()
        except OSError:
            return None
        return status.st_mtime, status.st_size, status.st_ino


Stamp = tuple[float, int, int]  # modified, size, inode
