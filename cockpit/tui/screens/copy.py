"""`y`: which of the names and ids goes to the clipboard. `y` again takes the first."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from cockpit.tui.line import line
from cockpit.tui.present.copies import Copy
from cockpit.tui.screens.chooser import Chooser

if TYPE_CHECKING:
    from cockpit.tui.app import CockpitApp


class CopyScreen(Chooser):
    BINDINGS: ClassVar = [*Chooser.BINDINGS, ("y", "copy", "copy")]
    hint = "Enter or y copies · j k choose · Esc closes"

    def __init__(self, app: CockpitApp, offered: list[Copy]) -> None:
        super().__init__("Copy", [(text, line((f"{what:<20}", "muted"), text)) for what, text in offered])
        self.cockpit = app

    def take(self, identity: str) -> None:
        self.dismiss(None)
        self.cockpit.copy(identity)

    def action_copy(self) -> None:
        self.opened()
