"""`?`: every key, those of the focused pane first; typing searches."""

from __future__ import annotations

from collections.abc import Mapping

from cockpit.tui.keys import KEYS, Key, Where, shown
from cockpit.tui.line import line
from cockpit.tui.present.reasons import reason
from cockpit.tui.screens.chooser import Chooser, Row
from cockpit.tui.state import State


class HelpScreen(Chooser):
    searchable = True
    hint = "type to search · Esc closes"

    def __init__(self, pane: str, remapped: Mapping[str, str], state: State) -> None:
        super().__init__("Keys")
        self.first = Where.LOGS if pane == "main" else Where.LISTS
        self.remapped, self.state = remapped, state

    def content(self) -> list[Row]:
        ordered = sorted(KEYS, key=lambda each: (each.where is not self.first, list(Where).index(each.where)))
        return [(each.id, self._line(each)) for each in ordered]

    def take(self, identity: str) -> None:
        """Reading a key never presses it."""

    def _line(self, each: Key) -> tuple[tuple[str, str], ...]:
        why = reason(each.id, self.state)
        return line(
            (f"{shown(each, self.remapped):<14}", "faint" if why else "accent strong"),
            (f"{each.does}{f' (not now: {why})' if why else ''}", "faint" if why else ""),
            (f"  {each.where.value}", "muted"),
        )
