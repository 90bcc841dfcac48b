"""The first and the last line of the screen."""

from __future__ import annotations

from cockpit.tui.line import Line
from cockpit.tui.lines_view import LinesView
from cockpit.tui.present import notes, status
from cockpit.tui.state import State

NOTES = 3  # lines that may be taken from the panes
TALL = 30  # lines of a screen that has them to give


class HeaderBar(LinesView, can_focus=False):
    """Inverse while a protected environment is chosen."""

    DEFAULT_CSS = """
    HeaderBar { height: 1; background: $bar-quiet; overflow: hidden; }
    HeaderBar.-protected { background: $bar-background; color: $bar-foreground; text-style: bold; }
    """

    def update(self, state: State, now: float, load: status.Load | None) -> None:
        protected = any(each.protected for each in state.rows)
        self.set_class(protected, "-protected")
        line = status.header(state, now, self.size.width, load)
        self.show([_for_bar(line) if protected else line])


class NoteBar(LinesView, can_focus=False):
    """Takes no room while there is nothing to say."""

    DEFAULT_CSS = """
    NoteBar { display: none; height: 1; background: $panel; overflow: hidden; }
    NoteBar.-open { display: block; }
    """

    def update(self, state: State, now: float) -> None:
        width, height = self.app.size
        found = notes.lines(state, now, width, most=NOTES if height >= TALL else NOTES - 1)
        self.set_class(bool(found), "-open")
        self.styles.height = len(found)
        self.show(found)


class HintBar(LinesView, can_focus=False):
    DEFAULT_CSS = "HintBar { height: 1; background: $background; overflow: hidden; }"

    def update(self, state: State) -> None:
        self.show([status.hints(state, self.size.width)])


def _for_bar(line: Line) -> Line:
    """The same tones in colours that are legible on the inverse line."""
    return tuple(
        (text, " ".join(each if each == "strong" else f"bar:{each}" for each in tones.split())) for text, tones in line
    )
