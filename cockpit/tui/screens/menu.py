"""`x`: what else can be done with a placement. Each opens its sheet; what cannot be done says why."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cockpit import foreground
from cockpit.model import Placement
from cockpit.protocol import REFRESH, For
from cockpit.tui.present import menu
from cockpit.tui.screens.chooser import Chooser, Row

if TYPE_CHECKING:
    from cockpit.tui.app import CockpitApp


class MenuScreen(Chooser):
    def __init__(self, app: CockpitApp, placement: Placement, release: int | None = None) -> None:
        """`release` is the one under the cursor, for those actions that are about one."""
        super().__init__(f"{placement.key.service}, {placement.key.environment}")
        self.cockpit, self.placement, self.release = app, placement, release
        docker_here = foreground.is_there("docker")
        self.actions = {each.id: each for each in menu.actions(placement, app.state, docker_here=docker_here)}
        if placement.hold:
            self.rows.chosen = "unhold"

    def content(self) -> list[Row]:
        return [(each.id, menu.row(each)) for each in self.actions.values()]

    def take(self, identity: str) -> None:
        action = self.actions[identity]
        if action.why:
            self.cockpit.say(f"{action.does}: {action.why}")
            return
        self.dismiss(None)
        if identity == "refresh":
            self.cockpit.request(REFRESH, For(self.placement.key), said="fetching and probing")
        elif identity == "url":
            self.cockpit.copy(self.placement.url or ", ".join(self.placement.hosts))
        else:
            self._open(identity)

    def _open(self, identity: str) -> None:
        from cockpit.tui.screens.containers import ContainersScreen
        from cockpit.tui.screens.exec import ExecScreen
        from cockpit.tui.screens.open import OpenScreen
        from cockpit.tui.screens.reason import UnholdScreen
        from cockpit.tui.screens.restart import RestartScreen

        if identity == "open":
            self.cockpit.push_screen(OpenScreen(self.cockpit, self.placement.key, self.release))
        elif identity == "others":
            self.cockpit.push_screen(ContainersScreen(self.cockpit))
        else:
            sheet = {"exec": ExecScreen, "restart": RestartScreen, "unhold": UnholdScreen}[identity]
            self.cockpit.push_screen(sheet(self.cockpit, self.placement))
