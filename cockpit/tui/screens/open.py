"""Where a release answers before customers are on it; `y` copies the line that looks at it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cockpit.model import PlacementKey
from cockpit.protocol import OPEN, OpenRequest, ProbeAddress
from cockpit.tui.line import Line
from cockpit.tui.present import running
from cockpit.tui.screens.sheet import Sheet

if TYPE_CHECKING:
    from cockpit.tui.app import CockpitApp


class OpenScreen(Sheet):
    changes = False

    def __init__(self, app: CockpitApp, key: PlacementKey, release: int | None = None) -> None:
        super().__init__(app, f"Probe address of {key.service}, {key.environment}")
        self.key, self.release = key, release
        self.address: ProbeAddress | None = None
        self.chosen = 0

    @property
    def ready(self) -> bool:
        return self.address is not None

    def begin(self) -> None:
        self.look_up("asking the engine where it answers …", self._ask())
        self.redraw()

    @property
    def works(self) -> tuple[str, ...]:
        if self.address is None or not self.address.commands:
            return ()
        return ("y copy", "j k choose") if len(self.address.commands) > 1 else ("y copy",)

    def lines(self, room: int) -> list[Line]:
        placement = self.cockpit.state.find(self.key)
        host = placement.host if placement else ""
        return running.address(self.address, self.chosen, room, host) if self.address else []

    def may_go(self) -> str:
        if self.address is None:
            return "the engine has not answered yet"
        return "" if self.address.commands else "there is nothing to copy"

    def go(self) -> None:
        if self.address is not None:
            self.cockpit.copy(self.address.commands[self.chosen])

    def do_down(self) -> None:
        self._move(1)

    def do_up(self) -> None:
        self._move(-1)

    def _move(self, by: int) -> None:
        if self.address and self.address.commands:
            self.chosen = max(0, min(self.chosen + by, len(self.address.commands) - 1))
            self.redraw()

    async def _ask(self) -> None:
        if address := await self.ask(OPEN, OpenRequest(self.key, self.release)):
            self.address = address
            self.arrived()
