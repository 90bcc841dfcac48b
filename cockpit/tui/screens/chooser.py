"""A framed list over the main screen: the action menu, the environments, what the engine did, help."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from operator import itemgetter
from typing import Any, ClassVar

from textual import events, on
from textual.app import ComposeResult
from textual.containers import Vertical
from textual.content import Content
from textual.screen import ModalScreen

from cockpit.tui.line import Line, plain
from cockpit.tui.paced import PacedScreen
from cockpit.tui.panes.list_pane import ListPane
from cockpit.tui.present.listing import Drawn, Shown

Row = tuple[str, Line]  # identity, text


def says(row: Row, text: str) -> bool:
    return text.lower() in plain(row[1]).lower()


def drawn(shown: Shown[Row]) -> Drawn:
    marks = ("▸ " if at == shown.cursor else "  " for at in range(len(shown.items)))
    return [((mark, "accent strong"), *text) for mark, (_, text) in zip(marks, shown.items, strict=True)], shown.cursor


class Rows(ListPane[Row]):
    DEFAULT_CSS = "Rows { border: none; } Rows:focus { border: none; }"

    def __init__(self, matches: Callable[[Row, str], bool]) -> None:
        super().__init__(itemgetter(0), matches)


class Chooser(PacedScreen, ModalScreen[Any]):
    """Esc and q close it; Enter hands the row's identity to `take`; in a `searchable` one letters filter.

    It opens with the rows it is made with; what the engine is asked for is `put` there when it comes."""

    BINDINGS: ClassVar = [("escape", "close", "close")]
    AUTO_FOCUS: ClassVar = "Rows"
    DEFAULT_CSS = """
    Chooser { align: center middle; background: $background 60%; }
    Chooser #frame { width: 90; max-width: 100%; height: auto; max-height: 90%; border: round $accent;
                     border-title-color: $foreground; border-title-style: bold; background: $surface;
                     padding: 1 1 0 1; }
    Chooser Rows { height: auto; max-height: 30; }
    """
    searchable = False
    hint = "Enter takes it · Esc closes"

    def __init__(self, title: str, rows: Iterable[Row], matches: Callable[[Row, str], bool] = says) -> None:
        super().__init__()
        self.title_text, self._first = title, rows
        self.rows = Rows(matches)

    def compose(self) -> ComposeResult:
        with Vertical(id="frame"):
            yield self.rows

    def on_mount(self) -> None:
        self.retitle(self.title_text)
        self.query_one("#frame").border_subtitle = self._subtitle("")
        self.put(self._first)

    def retitle(self, title: str) -> None:
        self.query_one("#frame").border_title = Content(f" {title} ")

    def take(self, identity: str) -> None:
        self.dismiss(identity)

    def put(self, rows: Iterable[Row]) -> None:
        self.rows.put(tuple(rows), drawn)
        self._fit()

    def on_key(self, event: events.Key) -> None:
        if self.searchable and event.is_printable and event.character:
            self._filter(self.rows.filter + event.character)
            event.stop()
        elif self.searchable and event.key == "backspace":
            self._filter(self.rows.filter[:-1])
        elif event.key == "q":
            self.action_close()

    def action_close(self) -> None:
        if self.rows.filter:
            self._filter("")
        else:
            self.dismiss(None)

    @on(ListPane.Opened)
    def opened(self) -> None:
        if self.rows.current:
            self.take(self.rows.current[0])

    def _filter(self, text: str) -> None:
        self.rows.find(text)
        self.query_one("#frame").border_subtitle = self._subtitle(text)
        self._fit()

    def _subtitle(self, text: str) -> Content:
        return Content(f" /{text} " if text else f" {self.hint} ")

    def _fit(self) -> None:
        self.rows.styles.height = max(1, len(self.rows.listed))
