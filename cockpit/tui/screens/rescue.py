"""Sheets for what an engine left behind: one that died in the middle, or another bastion's that hangs."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cockpit.model import Elsewhere, Operation, OperationState, Placement
from cockpit.protocol import RECOVER, TAKEOVER, OperationRequest, TakeoverRequest
from cockpit.tui.line import Line
from cockpit.tui.present import barriers
from cockpit.tui.screens.reason import ReasonScreen
from cockpit.tui.screens.sheet import Sheet

if TYPE_CHECKING:
    from cockpit.tui.app import CockpitApp


class RecoverScreen(Sheet):
    """The engine answers when it has ended, or is stuck again."""

    def __init__(self, app: CockpitApp, placement: Placement) -> None:
        super().__init__(app, f"Recover {placement.key.service}, {placement.key.environment}")
        self.key = placement.key
        self.typed_name = placement.key.service if placement.protected else ""

    @property
    def works(self) -> tuple[str, ...]:
        return ("y try again",) if self.stuck else ()

    @property
    def stuck(self) -> Operation | None:
        found = self.cockpit.state.left_of(self.key)
        return found if found and found.state is OperationState.STUCK else None

    def lines(self, room: int) -> list[Line]:
        return barriers.recovering(self.stuck, room)

    def may_go(self) -> str:
        return "" if self.stuck else "nothing is stuck here any more"

    def go(self) -> None:
        if self.stuck:
            self.act("looking at what is there …", self.start(RECOVER, OperationRequest(self.stuck.id)))


class TakeoverScreen(ReasonScreen):
    """From an engine that lives: the id of its lock is typed, and then the reason."""

    def __init__(self, app: CockpitApp, placement: Placement) -> None:
        super().__init__(app, f"Take over {placement.key.service}, {placement.key.environment}")
        self.key = placement.key
        self.id_typed = ""  # as it was typed
        self.typed_name = "the lock's id"

    @property
    def works(self) -> tuple[str, ...]:
        return ("y type the lock's id",) if self.there else ()

    @property
    def there(self) -> Elsewhere | None:
        placement = self.cockpit.state.find(self.key)
        return placement.elsewhere if placement else None

    def lines(self, room: int) -> list[Line]:
        return barriers.taking_over(self.there, self.cockpit.clock.now(), room)

    def may_go(self) -> str:
        return "" if self.there else "no other engine is at it any more"

    def typed(self, text: str) -> None:
        if self.id_typed:
            super().typed(text)
        elif self.there and text.strip() == self.there.lock:
            self.id_typed = text.strip()
            self.name_field.value = ""
            self.name_field.placeholder = "type the reason and Enter"
        else:
            self.say("that is not the lock's id")

    def reasoned(self, reason: str) -> None:
        request = TakeoverRequest(self.key, self.id_typed, reason)
        self.act("taking over …", self.settle(TAKEOVER, request, "taken over"))
