"""The smallest Textual application that is like ours: a table, a log, a footer. What start-up is held against."""

from __future__ import annotations

from textual.app import App, ComposeResult
from textual.widgets import DataTable, Footer, RichLog

ROWS = 50


class Bare(App[None]):
    BINDINGS = [("q", "quit", "Quit")]  # noqa: RUF012  as Textual's own documentation writes it

    def compose(self) -> ComposeResult:
        yield DataTable()
        yield RichLog()
        yield Footer()

    def on_mount(self) -> None:
        table = self.query_one(DataTable[str])
        table.add_columns("service", "live", "age", "pending", "state")
        for number in range(ROWS):
            table.add_row(f"s{number:02}-bare", "r1", "1m", "0", "healthy")
        self.query_one(RichLog).write("ready")


if __name__ == "__main__":
    Bare().run()
