"""Pane 3: releases of the selected placement, newest first."""

from __future__ import annotations

from collections.abc import Hashable

from textual.content import Content

from cockpit.model import Release
from cockpit.tui.line import Line
from cockpit.tui.panes.list_pane import ListPane
from cockpit.tui.present import releases
from cockpit.tui.state import State


class ReleasesPane(ListPane[Release]):
    state = State()
    now = 0.0

    def update(self, state: State, now: float) -> None:
        self.state, self.now = state, now
        self.items = state.releases.get(state.selected, ()) if state.selected else ()
        self.border_title = Content(f"3 Releases{f' · {state.selected.service}' if state.selected else ''}")
        self.redraw()

    def identity(self, item: Release) -> Hashable:
        return item.number

    def matches(self, item: Release, text: str) -> bool:
        return releases.matches(item, text)

    def draw(self) -> tuple[list[Line], int | None]:
        if self.state.selected and self.state.selected not in self.state.releases:
            return [(("  asking the release log …", "muted"),)], None
        room, place = self.size.width, self.place
        lit = place if self.has_focus else None
        rows = [releases.row(each, self.now, room, selected=at == lit) for at, each in enumerate(self.listed)]
        return rows or [(("  no release yet", "muted"),)], lit
