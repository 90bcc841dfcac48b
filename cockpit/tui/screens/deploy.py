"""`D`: what would be shipped, what was checked, what will happen. Nothing is touched before `y` and the name."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cockpit.model import Commit, PlacementKey
from cockpit.protocol import DEPLOY, DEPLOY_SHEET, CommitRequest, DeployRequest, DeploySheet, RangeRequest
from cockpit.tui.line import Line
from cockpit.tui.present import sheets
from cockpit.tui.screens.sheet import Sheet

if TYPE_CHECKING:
    from cockpit.tui.app import CockpitApp


class DeployScreen(Sheet):
    def __init__(self, app: CockpitApp, key: PlacementKey, commit: str = "") -> None:
        super().__init__(app, f"Deploy {key.service} to {key.environment}")
        self.key, self.commit = key, commit
        self.sheet: DeploySheet | None = None
        self.choices: tuple[Commit, ...] = ()

    @property
    def ready(self) -> bool:
        return self.sheet is not None

    def begin(self) -> None:
        self.look_up("asking the engine what a deploy would do …", self._ask(self.commit))
        self.redraw()

    @property
    def works(self) -> tuple[str, ...]:
        if self.sheet is None or self.sheet.refused:
            return ()
        choose = ("j k up to which",) if len(self.choices) > 1 else ()
        diff = ("v diff",) if self.sheet.live and self.sheet.commit else ()
        return ("y deploy", *choose, *diff)

    def lines(self, room: int) -> list[Line]:
        return sheets.deploy(self.sheet, room, self.choices) if self.sheet else []

    def may_go(self) -> str:
        if self.sheet is None:
            return "the engine has not answered yet"
        return self.sheet.refused and f"✖ {self.sheet.refused}"

    def go(self) -> None:
        if self.sheet is None:
            return
        live, commit = self.sheet.live, self.sheet.commit
        request = DeployRequest(
            self.key, commit.sha if commit else self.commit, seen_live=live.number if live else None
        )
        self.act("starting the deploy …", self.start(DEPLOY, request))

    def do_down(self) -> None:
        self._move(1)

    def do_up(self) -> None:
        self._move(-1)

    def do_diff(self) -> None:
        from cockpit.tui.screens.diff import DiffScreen

        if self.sheet and self.sheet.commit and self.sheet.live:
            request = RangeRequest(self.key, self.sheet.live.commit, self.sheet.commit.sha)
            self.app.push_screen(DiffScreen(self.cockpit, request))

    def _move(self, by: int) -> None:
        """The engine is asked again: checks and counts belong to the commit chosen."""
        if self.busy or self.sheet is None or not self.choices:
            return
        shas = [each.sha for each in self.choices]
        here = shas.index(self.commit) if self.commit in shas else 0
        there = max(0, min(here + by, len(shas) - 1))
        if shas[there] != self.commit:
            self.look_up(f"asking about {self.choices[there].short} …", self._ask(shas[there]))
            self.say(self.busy, "muted")

    async def _ask(self, commit: str) -> None:
        sheet = await self.ask(DEPLOY_SHEET, CommitRequest(self.key, commit))
        if sheet is None:
            return
        self.sheet = sheet = sheets.with_images(sheet, self._pending())
        self.commit = sheet.commit.sha if sheet.commit else commit
        self.choices = max(self.choices, sheet.commits, self._pending(), key=len)
        self.typed_name = self.key.service if sheet.protected else ""
        self.say("")
        self.arrived()

    def _pending(self) -> tuple[Commit, ...]:
        known = self.cockpit.state.pending.get(self.key)
        return known.commits if known else ()
