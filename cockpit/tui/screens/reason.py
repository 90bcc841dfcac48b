"""Release a hold: after a rollback somebody says why the next deploy is all right."""

from __future__ import annotations

from typing import TYPE_CHECKING

from textual import on
from textual.widgets import Input

from cockpit.model import Placement
from cockpit.protocol import UNHOLD, UnholdRequest
from cockpit.text import clean
from cockpit.tui.line import BLANK, Line, line, paragraph
from cockpit.tui.present.words import clock
from cockpit.tui.screens.sheet import Sheet

if TYPE_CHECKING:
    from cockpit.tui.app import CockpitApp


class UnholdScreen(Sheet):
    typed_name = "the reason"

    def __init__(self, app: CockpitApp, placement: Placement) -> None:
        super().__init__(app, f"Release the hold on {placement.key.service}, {placement.key.environment}")
        self.placement = placement

    @property
    def works(self) -> tuple[str, ...]:
        return ("y type the reason",) if self.placement.hold else ()

    def lines(self, room: int) -> list[Line]:
        hold = self.placement.hold
        if hold is None:
            return [line(("it is not held", "muted"))]
        held = f"Held by {hold.by} since {clock(hold.at)}: {hold.reason or 'no reason given yet'}"
        back = f"{len(hold.bad_commits)} commits that were kept out are offered again."
        return [*paragraph(held, room), BLANK, *paragraph(back, room)]

    def may_go(self) -> str:
        return "" if self.placement.hold else "it is not held"

    @on(Input.Submitted, "#name")
    def named(self, event: Input.Submitted) -> None:
        event.stop()
        reason = clean(event.value)
        if not reason:
            self.say("a reason is wanted")
            return
        self.act("releasing the hold …", self._release(reason))

    async def _release(self, reason: str) -> None:
        if done := await self.ask(UNHOLD, UnholdRequest(self.placement.key, reason)):
            self.cockpit.say(done.note or "the hold is released")
            self.dismiss(None)
