"""The line in which `/` is typed."""

from __future__ import annotations

from typing import ClassVar

from textual.widget import Widget
from textual.widgets import Input


class FindBar(Input):
    BINDINGS: ClassVar = [("escape", "give_up", "clear")]

    def __init__(self, id: str) -> None:
        super().__init__(id=id, compact=True, select_on_focus=False)
        self.cursor_blink = False
        self.target: Widget | None = None

    def open_for(self, target: Widget, value: str, placeholder: str) -> None:
        self.target = target
        self.placeholder = placeholder
        self.value = value
        self.add_class("-open")
        self.focus()

    def put_away(self) -> Widget | None:
        """Back to the pane that is searched."""
        self.remove_class("-open")
        if self.target:
            self.target.focus()
        return self.target

    def action_give_up(self) -> None:
        self.value = ""
        self.put_away()
