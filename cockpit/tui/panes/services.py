"""Pane 1: the placements of the chosen environment."""

from __future__ import annotations

from functools import partial
from operator import attrgetter

from textual.content import Content

from cockpit.model import Placement
from cockpit.tui.panes.list_pane import ListPane
from cockpit.tui.present import services
from cockpit.tui.state import State


class ServicesPane(ListPane[Placement]):
    faithful = True

    def __init__(self, id: str) -> None:
        super().__init__(attrgetter("key"), services.matches, id)

    def update(self, state: State, now: float) -> None:
        self.chosen = state.selected
        self.border_title = Content("1 Services")
        self.put(state.rows, partial(services.listing, state, now))


class TinyPane(ListPane[Placement]):
    """What is left of the cockpit on a screen of 40x10: the trouble, and `B`."""

    DEFAULT_CSS = "TinyPane, TinyPane:focus { border: none; }"
    faithful = True

    def __init__(self, id: str) -> None:
        super().__init__(attrgetter("key"), services.tiny_matches, id)

    def update(self, state: State, now: float) -> None:
        self.chosen = state.selected
        self.put(services.tiny(state), partial(services.tiny_listing, state, now))
