"""Pane 1: the placements of the chosen environment."""

from __future__ import annotations

from collections.abc import Hashable

from textual.content import Content

from cockpit.model import Placement
from cockpit.tui.line import Line
from cockpit.tui.panes.list_pane import ListPane
from cockpit.tui.present import services
from cockpit.tui.state import State


class ServicesPane(ListPane[Placement]):
    faithful = True
    state = State()
    now = 0.0

    def update(self, state: State, now: float) -> None:
        self.state, self.now, self.items, self.chosen = state, now, state.rows, state.selected
        self.border_title = Content("1 Services")
        self.redraw()

    def identity(self, item: Placement) -> Hashable:
        return item.key

    def matches(self, item: Placement, text: str) -> bool:
        return text.lower() in item.key.service.lower()

    def draw(self) -> tuple[list[Line], int | None]:
        room = self.size.width
        rows = [
            services.row(each, self.state, self.now, room, selected=each.key == self.state.selected)
            for each in self.listed
        ]
        place = self.place
        return [services.heading(room), *rows], None if place is None else place + 1


class TinyPane(ListPane[Placement]):
    """What is left of the cockpit on a screen of 40x10: the trouble, and `B`."""

    DEFAULT_CSS = "TinyPane, TinyPane:focus { border: none; }"
    faithful = True
    state = State()
    now = 0.0

    def update(self, state: State, now: float) -> None:
        self.state, self.now, self.chosen = state, now, state.selected
        self.items = tuple(placement for placement, _ in services.tiny(state, now, self.size.width))
        self.redraw()

    def identity(self, item: Placement) -> Hashable:
        return item.key

    def matches(self, item: Placement, text: str) -> bool:
        return text.lower() in str(item.key).lower()

    def draw(self) -> tuple[list[Line], int | None]:
        kept = {each.key for each in self.listed}
        rows = services.tiny(self.state, self.now, self.size.width)
        return [each for placement, each in rows if placement.key in kept], self.place
