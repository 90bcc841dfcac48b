"""`E`: which environment the lists show."""

from __future__ import annotations

from cockpit.model import Health
from cockpit.tui.line import Line, line
from cockpit.tui.present.words import count
from cockpit.tui.screens.chooser import Chooser
from cockpit.tui.state import State


class EnvironmentsScreen(Chooser):
    def __init__(self, state: State) -> None:
        super().__init__("Environments", [(name, _line(name, state)) for name in state.environments])
        self.rows.chosen = state.environment


def _line(name: str, state: State) -> Line:
    own = [each for each in state.placements if each.key.environment == name]
    failing = sum(1 for each in own if each.health is Health.FAILING)
    protected = any(each.protected for each in own)
    return line(
        (f"{name.upper() if protected else name:<20}", "strong"),
        (f"{count(len(own), 'service')}   ", "muted"),
        (f"✖ {failing} failing", "bad") if failing else ("● well", "good"),
    )
