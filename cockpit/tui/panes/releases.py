"""Pane 3: releases of the selected placement, newest first."""

from __future__ import annotations

from functools import partial
from operator import attrgetter

from textual.content import Content

from cockpit.model import Release
from cockpit.tui.panes.list_pane import ListPane
from cockpit.tui.present import releases
from cockpit.tui.state import State


class ReleasesPane(ListPane[Release]):
    def __init__(self, id: str) -> None:
        super().__init__(attrgetter("number"), releases.matches, id)

    def update(self, state: State, now: float) -> None:
        items = state.releases.get(state.selected, ()) if state.selected else ()
        self.border_title = Content(f"3 Releases{f' · {state.selected.service}' if state.selected else ''}")
        self.put(items, partial(releases.listing, state, now))
