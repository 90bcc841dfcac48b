"""The application: it hands what is known to the screens, and the main screen paints it."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar

from textual.screen import Screen

from cockpit.clock import Clock
from cockpit.model import PlacementKey
from cockpit.protocol import Change, Connected, Link, LogChunk, Lost
from cockpit.tui import demo_load, keys, terminal, theme
from cockpit.tui.commands import Commands
from cockpit.tui.linked import LinkedApp
from cockpit.tui.paced import PacedScreen
from cockpit.tui.screens.main import MainScreen
from cockpit.tui.state import State, choose, is_routine

CALM = 2  # seconds between repaints of numbers while nothing happens
SETTLE = 0.1  # seconds in which changes from the engine are gathered into one repaint


class CockpitApp(LinkedApp):
    TITLE = "cockpit"
    CSS_PATH = "cockpit.tcss"
    COMMANDS: ClassVar = {Commands}
    BINDINGS: ClassVar = []

    def __init__(
        self,
        link: Link,
        *,
        theme: str = "dark",
        keys: Mapping[str, str] | None = None,
        banner: Path | None = None,
        card: str | None = None,
        over_ssh: bool = False,
        read_only: bool = False,
        clock: Clock | None = None,
    ) -> None:
        super().__init__(link, over_ssh, clock)
        self.state = State(read_only=read_only)
        self.theme_name, self.key_names = theme, dict(keys or {})
        self.banner, self.load = banner, None if banner is None else demo_load.NOTHING
        self.card, self.card_text = card, card
        self.farewell = ""
        self._painting, self._ticks = False, 0

    def get_default_screen(self) -> Screen[Any]:
        self.main_screen = MainScreen(self)
        return self.main_screen

    async def on_load(self) -> None:
        for each in await asyncio.to_thread(theme.load_all):
            self.register_theme(each)
        known = f"cockpit-{self.theme_name}" in self.available_themes
        self.theme = f"cockpit-{self.theme_name if known else 'dark'}"
        self.set_keymap(keys.keymap(self.key_names))

    def on_mount(self) -> None:
        terminal.leave_cleanly(self)
        self.set_class(self.over_ssh, "-ssh")
        self.set_interval(1.0, self._tick)
        self.listen()
        for each in keys.unknown(self.key_names):
            self.say(f"keys: there is no action {each!r} to remap")
        if f"cockpit-{self.theme_name}" not in self.available_themes:
            self.say(f"there is no theme {self.theme_name!r}: dark is shown")

    def apply(self, change: Change) -> None:
        """Log lines go to the screens that show them; what else comes together is painted together."""
        if isinstance(change, LogChunk):
            for each in self._reading:
                each.feed(change)
            return
        routine = is_routine(self.state, change)
        super().apply(change)
        for each in self._reading:
            if isinstance(change, Lost):
                each.lost()
            elif isinstance(change, Connected):
                each.joined()
        if isinstance(change, Connected):
            self._paint()
        elif not routine and not self._painting:
            self._painting = True
            self.set_timer(SETTLE, self._paint)

    @property
    def _reading(self) -> list[PacedScreen]:
        """Screens that may show a log."""
        return [each for each in self.screen_stack if isinstance(each, PacedScreen)]

    def show(self, state: State) -> None:
        """A change that the operator made: seen at once."""
        moved = state.selected != self.state.selected
        self.state = state
        self._paint()
        if moved:
            self.look_up()

    def choose(self, key: PlacementKey) -> None:
        self.show(choose(self.state, key))

    def detach(self) -> None:
        self.farewell = terminal.farewell(self.state)
        self.exit()

    def copy(self, text: str) -> None:
        text = text.encode("utf-8", "replace").decode()  # half a character from outside is no reason to stop
        self.copy_to_clipboard(text[: terminal.CLIPBOARD])
        lines = text.count("\n") + 1
        self.say(f"copied {lines} lines" if lines > 1 else f"copied {text[:60]}")

    def save_log(self, text: str) -> None:
        self.run_worker(terminal.save_log(self, text), exit_on_error=False)

    def toggle_mouse(self) -> str:
        return terminal.toggle_mouse(self)

    def on_key(self) -> None:
        self.put_card_away()

    def put_card_away(self) -> None:
        if self.card is not None:
            self.card = None
            self.main_screen.show_card()

    def bring_card_back(self) -> None:
        self.card = self.card_text
        self.main_screen.show_card()

    async def _tick(self) -> None:
        if terminal.is_gone(self):
            self.exit()
        if self.banner is not None:
            self.load = await asyncio.to_thread(demo_load.read, self.banner) or self.load
        self._ticks += 1
        if self.state.running or self.state.left or self.state.lost or self.banner or self._ticks % CALM == 0:
            self._paint()

    def _paint(self) -> None:
        self._painting = False
        if self.main_screen.is_mounted:
            self.main_screen.show_state(self.state)
