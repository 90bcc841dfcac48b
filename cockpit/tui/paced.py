"""Output at the pace of the line: no more than ten paints a second over SSH, none while the last is still being sent.

Textual queues up to thirty frames and then blocks; on a 16 KB/s line that is seven seconds between a key and its
effect. Here a paint waits until the terminal took the one before, and then shows the newest state."""

from __future__ import annotations

import sys
import time
from typing import Any, TextIO

from textual.drivers.linux_driver import LinuxDriver
from textual.screen import Screen

from cockpit.protocol import LogChunk
from cockpit.tui.frames import Frame

OVER_SSH = 0.1  # seconds between paints


class Outlet:
    """The terminal's file, knowing how much of what was queued has left. A terminal that is gone takes anything."""

    def __init__(self, file: TextIO) -> None:
        self._file = file
        self.queued = 0  # characters; only the event loop counts here
        self.sent = 0  # only the writer thread counts here
        self._held = 0

    @property
    def busy(self) -> bool:
        return self.sent < self.queued

    def write(self, text: str) -> None:
        self._held += len(text)
        try:
            self._file.write(text)
        except (OSError, ValueError):
            self.flush()

    def flush(self) -> None:
        try:
            self._file.flush()
        except (OSError, ValueError):
            pass
        finally:
            self.sent, self._held = self.sent + self._held, 0

    def fileno(self) -> int:
        return self._file.fileno()

    def isatty(self) -> bool:
        return self._file.isatty()


class PacedDriver(LinuxDriver):
    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.outlet = Outlet(self._file or sys.stderr)
        self._file = self.outlet  # type: ignore[assignment]  # all of a TextIO that the driver uses

    def start_application_mode(self) -> None:
        """At the start, and when the shell gives the terminal back: it may show anything."""
        frame: Frame | None = getattr(self._app, "frame", None)
        if frame is not None:
            frame.forget()
        super().start_application_mode()  # type: ignore[no-untyped-call]  # Textual has no type for it

    def write(self, data: str) -> None:
        self.outlet.queued += len(data)
        super().write(data)


class Pace:
    """Shared by all screens of an app."""

    def __init__(self, least: float) -> None:
        self.least = least
        self._last = 0.0

    def may_paint(self, driver: object) -> bool:
        if isinstance(driver, PacedDriver) and driver.outlet.busy:
            return False
        now = time.monotonic()
        if now - self._last < self.least:
            return False
        self._last = now
        return True


class PacedScreen(Screen[Any]):
    """Screens whose paints wait: what is dirty stays dirty and the update timer goes on.

    Those that show a log are handed its lines, and told when the engine goes and comes back."""

    def feed(self, chunk: LogChunk) -> None: ...

    def lost(self) -> None: ...

    def joined(self) -> None: ...

    def _on_timer_update(self) -> None:
        pace: Pace | None = getattr(self.app, "pace", None)
        if pace is None or pace.may_paint(self.app._driver):
            super()._on_timer_update()
