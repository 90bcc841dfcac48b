"""`B`: the way back, the last good release preselected. Only `y` is wanted, unless the engine says to look twice."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cockpit.model import PlacementKey
from cockpit.protocol import ROLLBACK, ROLLBACK_SHEET, For, RangeRequest, RollbackRequest, RollbackSheet
from cockpit.tui.line import Line
from cockpit.tui.present import sheets
from cockpit.tui.screens.sheet import Sheet

if TYPE_CHECKING:
    from cockpit.tui.app import CockpitApp


class RollbackScreen(Sheet):
    def __init__(self, app: CockpitApp, key: PlacementKey) -> None:
        super().__init__(app, f"Roll back {key.service}, {key.environment}")
        self.key = key
        self.sheet: RollbackSheet | None = None
        self.chosen: int | None = None

    @property
    def ready(self) -> bool:
        return self.sheet is not None

    def begin(self) -> None:
        self.look_up("asking the engine what can be gone back to …", self._ask())
        self.redraw()

    @property
    def works(self) -> tuple[str, ...]:
        if self.sheet is None or self.sheet.refused or not self.sheet.options:
            return ()
        choose = ("j k choose",) if len(self.sheet.options) > 1 or self.chosen is None else ()
        diff = ("v diff",) if self.sheet.live and self.chosen is not None else ()
        return ("y roll back", *choose, *diff)

    def lines(self, room: int) -> list[Line]:
        return sheets.rollback(self.sheet, self.chosen, room) if self.sheet else []

    def may_go(self) -> str:
        if self.sheet is None:
            return "the engine has not answered yet"
        if self.sheet.refused:
            return f"✖ {self.sheet.refused}"
        return "" if self.chosen is not None else "nothing is chosen: j k choose a release"

    def go(self) -> None:
        if self.sheet is None or self.chosen is None:
            return
        target, live = self.sheet.options[self.chosen].release, self.sheet.live
        request = RollbackRequest(self.key, to=target.number, seen_live=live.number if live else None)
        self.act(f"rolling back to {target.name} …", self.start(ROLLBACK, request))

    def do_down(self) -> None:
        self._move(1)

    def do_up(self) -> None:
        self._move(-1)

    def do_diff(self) -> None:
        from cockpit.tui.screens.diff import DiffScreen

        if self.sheet and self.sheet.live and self.chosen is not None:
            target = self.sheet.options[self.chosen].release
            request = RangeRequest(self.key, target.commit, self.sheet.live.commit)
            self.app.push_screen(DiffScreen(self.cockpit, request))

    def _move(self, by: int) -> None:
        if self.sheet and self.sheet.options and not self.busy:
            here = -1 if self.chosen is None else self.chosen
            self.chosen = max(0, min(here + by, len(self.sheet.options) - 1))
            self.redraw()

    async def _ask(self) -> None:
        if sheet := await self.ask(ROLLBACK_SHEET, For(self.key)):
            self.sheet, self.chosen = sheet, sheet.selected
            self.typed_name = "" if sheet.armed else self.key.service
            self.arrived()
