"""On a narrow screen: Pending and Releases folded to one line of titles."""

from __future__ import annotations

from cockpit.tui.line import fit, line
from cockpit.tui.lines_view import LinesView
from cockpit.tui.present import pending, releases
from cockpit.tui.state import State


class FoldBar(LinesView, can_focus=False):
    DEFAULT_CSS = "FoldBar { height: 1; background: $panel; overflow: hidden; }"

    def update(self, state: State, now: float) -> None:
        key = state.selected
        waiting = pending.fold(state.pending.get(key) if key else None, state.placement)
        kept = releases.fold(state.releases.get(key, ()) if key else (), now)
        shown = line((" 2 ", "accent strong"), waiting, (" · ", "muted"), ("3 ", "accent strong"), kept)
        self.show([fit(shown, self.size.width)])
