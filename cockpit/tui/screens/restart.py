"""The same release in new containers: as safe as a deploy, and asked for in the same way."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cockpit.errors import CockpitError
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

    def begin(self) -> None:
        self.arrived()

    @property
    def works(self) -> tuple[str, ...]:
        return ("y restart",) if self.placement.live else ()

    def lines(self, room: int) -> list[Line]:
        return running.restart(self.placement, room)

    def may_go(self) -> str:
        return "" if self.placement.live else "no release is live"

    def go(self) -> None:
        live = self.placement.live
        self.busy = "starting the restart …"
        self.say(self.busy, "muted")
        request = RestartRequest(self.placement.key, seen_live=live.number if live else None)
        self.run_worker(self._restart(request), exclusive=True, group="do", exit_on_error=False)

    async def _restart(self, request: RestartRequest) -> None:
        try:
            operation = await self.cockpit.link.call(RESTART, request)
        except CockpitError as error:
            self.refused(error)
            return
        self.cockpit.started(operation)
        self.dismiss(None)
