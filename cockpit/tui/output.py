"""How output leaves: paced to the line, only the cells that changed, nothing that a terminal would obey."""

from __future__ import annotations

from typing import Any

from textual._compositor import ChopsUpdate, LayoutUpdate
from textual.app import App
from textual.filter import LineFilter
from textual.screen import Screen

from cockpit.tui.frames import Frame, Patch
from cockpit.tui.net import Net
from cockpit.tui.paced import OVER_SSH, Pace, PacedDriver


class QuietApp(App[None]):
    def __init__(self, over_ssh: bool = False) -> None:
        super().__init__(driver_class=PacedDriver)
        self.frame = Frame()
        self.over_ssh, self.pace = over_ssh, Pace(OVER_SSH if over_ssh else 0.0)
        self.animation_level = "none"

    def _display(self, screen: Screen[Any], renderable: Any) -> None:
        if isinstance(renderable, (LayoutUpdate, ChopsUpdate)):
            renderable = Patch(renderable, self.frame)
        super()._display(screen, renderable)

    def get_line_filters(self) -> list[LineFilter]:
        return [*super().get_line_filters(), Net()]
