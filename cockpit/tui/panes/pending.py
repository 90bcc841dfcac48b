"""Pane 2: commits that wait, of the selected placement."""

from __future__ import annotations

from collections.abc import Hashable

from textual.content import Content

from cockpit.model import Commit
from cockpit.tui.line import Line
from cockpit.tui.panes.list_pane import ListPane
from cockpit.tui.present import pending
from cockpit.tui.state import State


class PendingPane(ListPane[Commit]):
    state = State()
    now = 0.0

    def update(self, state: State, now: float) -> None:
        self.state, self.now = state, now
        known = state.pending.get(state.selected) if state.selected else None
        self.items = known.commits if known else ()
        self.border_title = Content(f"2 {pending.title(state.placement)}")
        self.redraw()

    def identity(self, item: Commit) -> Hashable:
        return item.sha

    def matches(self, item: Commit, text: str) -> bool:
        return pending.matches(item, text)

    def draw(self) -> tuple[list[Line], int | None]:
        known = self.state.pending.get(self.state.selected) if self.state.selected else None
        if known is None:
            return [(("  asking git …", "muted"),)] if self.state.selected else [], None
        room, place = self.size.width, self.place
        lit = place if self.has_focus else None
        images = pending.from_ci(known)
        rows = [
            pending.row(each, self.now, room, selected=at == lit, images=images) for at, each in enumerate(self.listed)
        ]
        return [*rows, pending.footer(known, room)], lit
