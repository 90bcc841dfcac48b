"""`?`: every key, those of the focused pane first; typing searches."""

from __future__ import annotations

from collections.abc import Mapping

from cockpit.tui.keys import KEYS, Key, Where, shown
from cockpit.tui.line import Line, line
from cockpit.tui.present.reasons import reason
from cockpit.tui.screens.chooser import Chooser
from cockpit.tui.state import State


class HelpScreen(Chooser):
    searchable = True
    hint = "type to search · Esc closes"

    def __init__(self, pane: str, remapped: Mapping[str, str], state: State) -> None:
        first = Where.LOGS if pane == "main" else Where.LISTS
        ordered = sorted(KEYS, key=lambda each: (each.where is not first, list(Where).index(each.where)))
        super().__init__("Keys", [(each.id, _line(each, remapped, state)) for each in ordered])

    def take(self, identity: str) -> None:
        """Reading a key never presses it."""


def _line(each: Key, remapped: Mapping[str, str], state: State) -> Line:
    why = reason(each.id, state)
    return line(
        (f"{shown(each, remapped):<14}", "faint" if why else "accent strong"),
        (f"{each.does}{f' (not now: {why})' if why else ''}", "faint" if why else ""),
        (f"  {each.where.value}", "muted"),
    )
