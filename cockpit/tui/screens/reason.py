"""Sheets that want a reason: it is typed after `y`, and Enter on an empty field does nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

from cockpit.model import Placement
from cockpit.protocol import UNHOLD, Call, Done, UnholdRequest
from cockpit.text import clean
from cockpit.tui.line import BLANK, Line, line, paragraph
from cockpit.tui.present.words import clock
from cockpit.tui.screens.sheet import Sheet

if TYPE_CHECKING:
    from cockpit.tui.app import CockpitApp

P = TypeVar("P")


class ReasonScreen(Sheet):
    typed_name = "the reason"

    def typed(self, text: str) -> None:
        if reason := clean(text):
            self.reasoned(reason)
        else:
            self.say("a reason is wanted")

    def reasoned(self, reason: str) -> None:
        """Everything was asked and answered: do it."""

    async def settle(self, call: Call[P, Done], params: P, said: str) -> None:
        """`said` stands for an engine that has no more to say."""
        if done := await self.ask(call, params):
            self.cockpit.say(done.note or said)
            self.dismiss(None)


class UnholdScreen(ReasonScreen):
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

    def reasoned(self, reason: str) -> None:
        request = UnholdRequest(self.placement.key, reason)
        self.act("releasing the hold …", self.settle(UNHOLD, request, "the hold is released"))
