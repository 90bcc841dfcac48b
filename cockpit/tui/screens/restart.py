"""The same release in new containers: as safe as a deploy, and asked for in the same way."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cockpit.model import Placement
from cockpit.protocol import RESTART, RestartRequest
from cockpit.tui.line import Line
from cockpit.tui.present import running
from cockpit.tui.screens.sheet import Sheet

if TYPE_CHECKING:
    from cockpit.tui.app import CockpitApp


class RestartScreen(Sheet):
    def __init__(self, app: CockpitApp, placement: Placement) -> None:
        super().__init__(app, f"Restart {placement.key.service}, {placement.key.environment}")
        self.placement = placement
        self.typed_name = placement.key.service if placement.protected else ""

    @property
    def works(self) -> tuple[str, ...]:
        return ("y restart",) if self.placement.live else ()

    def lines(self, room: int) -> list[Line]:
        return running.restart(self.placement, room)

    def may_go(self) -> str:
        return "" if self.placement.live else "no release is live"

    def go(self) -> None:
        live = self.placement.live
        request = RestartRequest(self.placement.key, seen_live=live.number if live else None)
        self.act("starting the restart …", self.start(RESTART, request))
