"""Other containers of the hosts: their state, and with Enter their log. Nothing here changes one."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cockpit.model import OtherContainer
from cockpit.protocol import OTHERS, Nothing, Others
from cockpit.text import clean
from cockpit.tui.line import line
from cockpit.tui.present import containers
from cockpit.tui.present.words import host_name
from cockpit.tui.screens.chooser import Chooser

if TYPE_CHECKING:
    from cockpit.tui.app import CockpitApp

CHROME = 8  # cells and lines of the frame around the rows


class ContainersScreen(Chooser):
    searchable = True
    hint = "Enter unfolds, shows a log · type to search · Esc closes"
    FRAME = 110

    def __init__(self, app: CockpitApp) -> None:
        """Its rows all match: it searches by more than they show, and puts only what it found."""
        super().__init__("Other containers", [("", line(("asking Docker …", "muted")))], lambda _row, _text: True)
        self.cockpit = app
        self.others = Others(())
        self.unfolded: set[containers.Group] = set()
        self.shown: dict[str, containers.Row] = {}

    def on_mount(self) -> None:
        self.query_one("#frame").styles.width = self.FRAME
        self.run_worker(self._ask(), exclusive=True, exit_on_error=False)

    def take(self, identity: str) -> None:
        row = self.shown.get(identity)
        if row is None:
            return
        if row.container is None:
            self.unfolded ^= {row.group}
            self._show()
        else:
            self._open(row.container)

    def on_resize(self) -> None:
        if self.shown:
            self._show()

    def _open(self, container: OtherContainer) -> None:
        from cockpit.tui.screens.container_log import ContainerLogScreen

        self.app.push_screen(ContainerLogScreen(self.cockpit, container))

    def _filter(self, text: str) -> None:
        self.rows.filter = text
        self.query_one("#frame").border_subtitle = self._subtitle(text)
        self._show()

    def _show(self) -> None:
        """While one searches all groups are unfolded, and a group without a match is not there."""
        text, others, unfolded = self.rows.filter, self.others, self.unfolded
        if text:
            found = tuple(each for each in others.containers if containers.matches(each, text))
            others, unfolded = Others(found), set(containers.groups(self.others))
        rows = containers.rows(others, unfolded, min(self.FRAME, self.size.width) - CHROME)
        self.shown = {_identity(each): each for each in rows}
        lost = [(f"lost {each}", _unreachable(each)) for each in self.others.unreachable]
        self.put([*((identity, each.text) for identity, each in self.shown.items()), *lost] or [("", NONE)])

    async def _ask(self) -> None:
        answer = await self.cockpit.ask(OTHERS, Nothing())
        if answer is None:
            self.put([("", line(("not known: the engine was asked in vain", "warn")))])
            return
        self.others = answer
        if len(self.others.containers) + len(containers.groups(self.others)) + CHROME <= self.size.height * 3 // 4:
            self.unfolded = set(containers.groups(self.others))
        self.retitle(containers.title(self.others))
        self._show()


NONE = line(("there is none beside those of the cockpit", "muted"))


def _identity(row: containers.Row) -> str:
    return f"container {row.container.host} {row.container.id}" if row.container else f"group {' '.join(row.group)}"


def _unreachable(host: str) -> tuple[tuple[str, str], ...]:
    return line(("✖ ", "bad"), f"{clean(host_name(host))} did not answer")
