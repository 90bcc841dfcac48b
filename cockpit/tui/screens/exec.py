"""A shell in the live release: which container, then the terminal is the shell's until it ends."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cockpit.model import Placement
from cockpit.protocol import EXEC, ExecRequest
from cockpit.tui import terminal
from cockpit.tui.line import Line
from cockpit.tui.present import running
from cockpit.tui.screens.sheet import Sheet

if TYPE_CHECKING:
    from cockpit.tui.app import CockpitApp


class ExecScreen(Sheet):
    def __init__(self, app: CockpitApp, placement: Placement) -> None:
        super().__init__(app, f"Shell in {placement.key.service}, {placement.key.environment}")
        self.placement = placement
        self.choices = running.shells(placement)
        self.chosen = 0

    @property
    def works(self) -> tuple[str, ...]:
        return ("y open the shell", "j k choose")

    def lines(self, room: int) -> list[Line]:
        return running.shell(self.placement, self.choices, self.chosen, room)

    def do_down(self) -> None:
        self._move(1)

    def do_up(self) -> None:
        self._move(-1)

    def go(self) -> None:
        choice = self.choices[self.chosen]
        request = ExecRequest(self.placement.key, process=choice.process, one_off=choice.one_off)
        self.act("asking the engine for a shell …", self._exec(request))

    def _move(self, by: int) -> None:
        if not self.busy:
            self.chosen = max(0, min(self.chosen + by, len(self.choices) - 1))
            self.redraw()

    async def _exec(self, request: ExecRequest) -> None:
        if ticket := await self.ask(EXEC, request):
            self.dismiss(None)
            self.cockpit.run_worker(terminal.hand_over(self.cockpit, ticket), exit_on_error=False)
