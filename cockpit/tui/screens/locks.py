"""Locks and the freeze: set for a while with a reason, and lifted with one."""

from __future__ import annotations

from typing import TYPE_CHECKING

from textual import events

from cockpit.model import Lock, Placement, Role
from cockpit.protocol import (
    FREEZE,
    LOCK,
    UNFREEZE,
    UNLOCK,
    FreezeRequest,
    LockRequest,
    UnfreezeRequest,
    UnlockRequest,
)
from cockpit.text import seconds_of
from cockpit.tui.line import Line
from cockpit.tui.present import barriers
from cockpit.tui.screens.reason import ReasonScreen

if TYPE_CHECKING:
    from cockpit.tui.app import CockpitApp

DIGITS = 5  # of a length that is typed, at most
UNITS = ("m", "h", "d")


class _OfLock(ReasonScreen):
    """About the lock of a placement, or about the freeze."""

    frozen = False

    def __init__(self, app: CockpitApp, placement: Placement, does: str) -> None:
        name = "" if self.frozen else f" {placement.key.service}, {placement.key.environment}"
        super().__init__(app, f"{does}{name}")
        self.key = placement.key

    @property
    def there(self) -> Lock | None:
        """As it is now, also while the sheet is open."""
        state = self.cockpit.state
        if self.frozen:
            return state.freeze
        placement = state.find(self.key)
        return placement.lock if placement else None


class LockScreen(_OfLock):
    """`j` `k` choose how long, and so do digits with m, h or d after them."""

    def __init__(self, app: CockpitApp, placement: Placement, does: str = "Lock") -> None:
        super().__init__(app, placement, does)
        self.chosen = barriers.USUAL
        self.length_typed = ""

    @property
    def length(self) -> str:
        return self.length_typed or barriers.LENGTHS[self.chosen]

    @property
    def works(self) -> tuple[str, ...]:
        return ("y type the reason", "j k how long")

    def lines(self, room: int) -> list[Line]:
        what = "anything" if self.frozen else str(self.key)
        return barriers.locking(what, self.there, self.length, self.cockpit.clock.now(), room)

    def may_go(self) -> str:
        return barriers.wrong(self.length)

    def reasoned(self, reason: str) -> None:
        seconds = seconds_of(self.length) or 0.0
        if self.frozen:
            self.act("freezing …", self.settle(FREEZE, FreezeRequest(reason, seconds), "everything is frozen"))
        else:
            self.act("locking …", self.settle(LOCK, LockRequest(self.key, reason, seconds), "it is locked"))

    def do_down(self) -> None:
        self._choose(1)

    def do_up(self) -> None:
        self._choose(-1)

    def on_key(self, event: events.Key) -> None:
        if self.busy or self.name_field.has_focus:
            return
        digits, key = self.length_typed.rstrip("mhd"), event.character or ""
        if event.key == "backspace":
            self._type(self.length_typed[:-1])
        elif (key.isascii() and key.isdigit() and len(digits) < DIGITS) or (digits and key in UNITS):
            self._type(digits + key)

    def _type(self, length: str) -> None:
        if not self.too_early():
            self.length_typed = length
            self.say("")

    def _choose(self, by: int) -> None:
        if not self.busy:
            self.length_typed = ""
            self.chosen = max(0, min(self.chosen + by, len(barriers.LENGTHS) - 1))
            self.redraw()


class FreezeScreen(LockScreen):
    frozen, needs = True, Role.ADMIN

    def __init__(self, app: CockpitApp, placement: Placement) -> None:
        super().__init__(app, placement, "Freeze everything")


class UnlockScreen(_OfLock):
    def __init__(self, app: CockpitApp, placement: Placement, does: str = "Unlock") -> None:
        super().__init__(app, placement, does)

    @property
    def works(self) -> tuple[str, ...]:
        return ("y type the reason",) if self.there else ()

    def lines(self, room: int) -> list[Line]:
        return barriers.lifting(self.there, self.cockpit.clock.now(), room)

    def may_go(self) -> str:
        return "" if self.there else "it is over already"

    def reasoned(self, reason: str) -> None:
        if self.frozen:
            self.act("lifting the freeze …", self.settle(UNFREEZE, UnfreezeRequest(reason), "the freeze is lifted"))
        else:
            self.act("unlocking …", self.settle(UNLOCK, UnlockRequest(self.key, reason), "it is unlocked"))


class UnfreezeScreen(UnlockScreen):
    frozen, needs = True, Role.ADMIN

    def __init__(self, app: CockpitApp, placement: Placement) -> None:
        super().__init__(app, placement, "Lift the freeze")
