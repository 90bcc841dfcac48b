"""The settings as they are now: read again when the file changes, kept when the new ones are wrong."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path

from cockpit.config.settings import Settings
from cockpit.errors import ConfigError


class ConfigurationFile:
    """`note` says what is wrong with the file since it was last good."""

    def __init__(self, path: Path, read: Callable[[Path], Settings]) -> None:
        self._path = path
        self._read = read
        self._seen = self._stamp()
        self.settings = read(path)
        self.note = ""

    async def refresh(self) -> bool:
        """True when the settings are other ones now."""
        stamp = await asyncio.to_thread(self._stamp)
        if stamp == self._seen:
            return False
        self._seen = stamp
        try:
            settings = await asyncio.to_thread(self._read, self._path)
        except ConfigError as error:
            self.note = f"the configuration is wrong, the last good one is used: {error.message.splitlines()[0]}"
            return True
        self.note = ""
        changed = settings != self.settings
        self.settings = settings
        return changed

    def _stamp(self) -> tuple[float, int, int] | None:
        try:
            status = self._path.stat()
        except OSError:
            return None
        return status.st_mtime, status.st_size, status.st_ino
