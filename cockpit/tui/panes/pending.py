"""Pane 2: commits that wait, of the selected placement."""

from __future__ import annotations

from functools import partial
from operator import attrgetter

from textual.content import Content

from cockpit.model import Commit
from cockpit.tui.panes.list_pane import ListPane
from cockpit.tui.present import pending
from cockpit.tui.state import State


class PendingPane(ListPane[Commit]):
    def __init__(self, id: str) -> None:
        super().__init__(attrgetter("sha"), pending.matches, id)

    def update(self, state: State, now: float) -> None:
        known = state.pending.get(state.selected) if state.selected else None
        self.border_title = Content(f"2 {pending.title(state.placement)}")
        self.put(known.commits if known else (), partial(pending.listing, state, now))
